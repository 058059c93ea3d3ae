"""What every forward engine offers, so that solver, verification and tests need to know no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from napari_sem4d.acquisition.instrument import Instrument

if TYPE_CHECKING:
    import torch

    from napari_sem4d.physics.materials import Material
    from napari_sem4d.surrogate.model_error import ModelErrorTable


EngineName = Literal["local", "vift"]
"""Engines that the solver can use."""

SimulatorName = Literal["local", "vift", "monte_carlo"]
"""Engines that images can be simulated with; ``monte_carlo`` has no derivative, so no surface is found with it."""


@dataclass(frozen=True)
class ForwardSetup:
    """What an engine is built from.

    Attributes
    ----------
    instrument : Instrument
        With ``beam.energy_kev`` and segments known.
    material : Material
        The reference material (relative yield 1).
    pixel_nm : float
        Edge of the data's square pixel, nm.
    """

    instrument: Instrument
    material: Material
    pixel_nm: float


@runtime_checkable
class Engine(Protocol):
    """Height, relative yield and instrument to expected signals."""

    name: str
    setup: ForwardSetup

    def expected_signals(self, height: torch.Tensor, relative_yield: torch.Tensor) -> torch.Tensor:
        """Signals that the segments would show on average.

        Parameters
        ----------
        height : torch.Tensor, shape (Y, X)
            Height, nm.
        relative_yield : torch.Tensor, shape (Y, X)
            Dimensionless factor on the emission, 1 = reference material.

        Returns
        -------
        torch.Tensor, shape (K, Y, X)
            Signal units: ``gain x energy-weighted electrons per primary + offset`` for each segment.
        """
        ...


class Linearisation(Protocol):
    """An engine's signals at one point, with its derivative there."""

    @property
    def signals(self) -> torch.Tensor:
        """Expected signals at the point, shape (K, Y, X)."""
        ...

    def jvp(self, d_height: torch.Tensor, d_yield: torch.Tensor) -> torch.Tensor:
        """Change of the signals, shape (K, Y, X), for changes of height (nm) and relative yield (Y, X)."""
        ...

    def vjp(self, d_signals: torch.Tensor, keep: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """Adjoint of :meth:`jvp`: weights on signals (K, Y, X) to weights on height and yield (Y, X).

        Without ``keep`` the engine gives back the memory that a further product here would be quick with.
        """
        ...

    def information(self, weight: torch.Tensor) -> torch.Tensor:
        """Information of the signals about (dh/dx, dh/dy, relative yield) in every pixel.

        For preconditioners and uncertainty; an engine whose pixels talk to one another gives its local part.

        Parameters
        ----------
        weight : torch.Tensor, shape (K, Y, X)
            Inverse variance of the signals.

        Returns
        -------
        torch.Tensor, shape (6, Y, X)
            Elements pp, qq, yy, pq, py, qy of the symmetric 3 x 3 matrix.
        """
        ...

    def local_normal_operator(
        self, weight: torch.Tensor
    ) -> Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        """Return the local part of ``J^T W J`` as a function of (height change, yield change).

        The product with :meth:`information` behind the slope operator, :meth:`slope_share` and
        :meth:`brightening`, symmetric and positive: what a pixel's own slope and yield do to its own signals. It
        approximates ``vjp(weight * jvp(...))``, and is equal to it where pixels do not act on one another. For
        solvers that take their gradient from :meth:`vjp`, and for the uncertainty.
        """
        ...

    def by_slopes(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Derivatives of a pixel's signals by its own dh/dx and dh/dy, shape (K, Y, X) each."""
        ...

    def slope_share(self, frequency: torch.Tensor) -> torch.Tensor:
        """Share of a wave's slopes that the spread of electrons leaves in the signals, about.

        Of waves of angular frequencies (rad per pixel); 1 for an engine without such a spread.
        """
        ...

    def brightening(self, frequency: torch.Tensor) -> torch.Tensor:
        """Relative yield that a height of such waves stands for, 1/nm: crests shine in all segments, about."""
        ...

    @property
    def curvature_ratio(self) -> float:
        """What the whole of ``J^T W J`` is over its local part in most directions, about."""
        ...


@runtime_checkable
class DifferentiableEngine(Engine, Protocol):
    """An engine whose derivative with respect to height and relative yield is known."""

    @property
    def start(self) -> DifferentiableEngine | None:
        """A quicker engine whose solution is a good point to start from; None where the preview is."""
        ...

    @property
    def model_error(self) -> ModelErrorTable | None:
        """How far its signals are off against Monte Carlo; None where nobody has measured it."""
        ...

    @property
    def beyond(self) -> tuple[str, ...]:
        """Sentences that say in what the series lies outside what the engine knows; empty inside."""
        ...

    @property
    def flat_signals(self) -> torch.Tensor:
        """What a flat of the reference material adds to the segments' offsets, shape (K,), signal units."""
        ...

    @property
    def rho50_nm(self) -> float:
        """Median exit radius of the reference material at the beam energy, nm."""
        ...

    def linearise(self, height: torch.Tensor, relative_yield: torch.Tensor) -> Linearisation:
        """Signals and derivative at (height in nm, relative yield), both of shape (Y, X)."""
        ...
