"""The engine ``local``: every pixel shines like an infinite plane of its slope, and facets shine on each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.acquisition.orientation import segments_in_image
from napari_sem4d.errors import SettingsError
from napari_sem4d.forward.engine import DifferentiableEngine, ForwardSetup
from napari_sem4d.forward.model_error import local_model_error
from napari_sem4d.forward.normal import information_of, normal_operator
from napari_sem4d.frames import slopes, slopes_adjoint
from napari_sem4d.physics.bounce import BounceTerm
from napari_sem4d.physics.local_law import LocalLaw, law_for
from napari_sem4d.physics.planar_table import planar_table
from napari_sem4d.physics.response import ResponseTable
from napari_sem4d.surrogate.model_error import ModelErrorTable


class LocalEngine:
    """Local law integrated over each segment's acceptance, with shadowing and the bounce term.

    Parameters
    ----------
    setup : ForwardSetup
        Instrument with beam energy and segments, material, pixel.
    dtype : torch.dtype
        ``torch.float32`` or ``torch.float64``.
    device : torch.device or str
    facets_nm : float, optional
        Pitch of the grid that facets shadow one another on; by the number of pixels by default.

    Raises
    ------
    SettingsError
        If the beam energy or the segments are unknown.
    """

    name = "local"
    start: DifferentiableEngine | None = None

    def __init__(
        self,
        setup: ForwardSetup,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        facets_nm: float | None = None,
    ) -> None:
        energy_kev, segments = beam_and_segments(setup)
        self.setup = setup
        self.dtype = dtype
        self.device = torch.device(device)

        def law(threshold: float) -> LocalLaw:
            return law_for(setup.material, energy_kev, threshold)

        self.rho50_nm = float(planar_table(setup.material, energy_kev).rho50_nm)
        self._table = ResponseTable(segments, law, dtype, device)
        self._bounce = BounceTerm(segments, law, facets_nm)
        self._gain = torch.tensor([s.gain for s in segments], dtype=dtype, device=device)[:, None, None]
        self._offset = torch.tensor([s.offset for s in segments], dtype=dtype, device=device)[:, None, None]

    @property
    def model_error(self) -> ModelErrorTable | None:
        """What the interaction volume changes, which this engine leaves out."""
        return local_model_error()

    @property
    def beyond(self) -> tuple[str, ...]:
        """Nothing: the local law holds wherever its tables do."""
        return ()

    @property
    def flat_signals(self) -> torch.Tensor:
        """Signals of a flat without their offsets, shape (K,)."""
        level = torch.zeros(1, 1, dtype=self.dtype, device=self.device)
        return (self._gain * self._table.value(level, level))[:, 0, 0]

    def expected_signals(self, height: torch.Tensor, relative_yield: torch.Tensor) -> torch.Tensor:
        """Signals (K, Y, X) of a surface; see :class:`~napari_sem4d.forward.engine.Engine`."""
        p, q = slopes(height, self.setup.pixel_nm)
        response: torch.Tensor = _Response.apply(p, q, self._table)
        visible, bounced = self._bounce(height, self.setup.pixel_nm)
        return self._gain * (response * visible + bounced) * relative_yield + self._offset

    def linearise(self, height: torch.Tensor, relative_yield: torch.Tensor) -> LocalLinearisation:
        """Signals and derivative at a point."""
        with torch.no_grad():
            p, q = slopes(height, self.setup.pixel_nm)
            response = self._table.evaluate(p, q)
            response *= self._gain
            surroundings = Surroundings(self._bounce, height, self.setup.pixel_nm)
            by_yield = response[0] * surroundings.visible + self._gain * surroundings.bounced
            response[1:] *= surroundings.visible * relative_yield
            response[0] *= relative_yield
            return LocalLinearisation(
                signals=by_yield * relative_yield + self._offset,
                by_yield=by_yield,
                by_p=response[1],
                by_q=response[2],
                by_visible=response[0],
                by_bounced=self._gain * relative_yield,
                surroundings=surroundings,
                pixel_nm=self.setup.pixel_nm,
            )


def beam_and_segments(setup: ForwardSetup) -> tuple[float, tuple[Segment, ...]]:
    """Beam energy in keV, and the segments with azimuths in the image's frame.

    Raises
    ------
    SettingsError
        If the beam energy or the segments are unknown.
    """
    energy = setup.instrument.beam.energy_kev
    segments = segments_in_image(setup.instrument)
    if energy is None:
        raise SettingsError("the beam energy is not known: set beam.energy_kev (keV)")
    if not segments:
        raise SettingsError("the detector has no segments: choose a detector preset or set detector.segments")
    return float(energy), segments


class Surroundings:
    """Shadowing and bounces at one surface, with their derivative by its height.

    Parameters
    ----------
    term : BounceTerm
    height : torch.Tensor, shape (Y, X)
        nm.
    pixel_nm : float

    Attributes
    ----------
    visible, bounced : torch.Tensor, shape (K, Y, X)
        As :class:`~napari_sem4d.physics.bounce.BounceTerm` gives them.
    """

    def __init__(self, term: BounceTerm, height: torch.Tensor, pixel_nm: float) -> None:
        self._term = term
        self._pixel_nm = pixel_nm
        with torch.enable_grad():
            self._height = height.detach().clone().requires_grad_()
            self._graph = term(self._height, pixel_nm)
        self.visible, self.bounced = (r.detach() for r in self._graph)

    def jvp(self, d_height: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Changes of ``visible`` and ``bounced`` for a change of height (nm)."""
        change: tuple[torch.Tensor, torch.Tensor] = torch.func.jvp(
            lambda h: self._term(h, self._pixel_nm), (self._height.detach(),), (d_height,)
        )[1]
        return change

    def vjp(self, d_visible: torch.Tensor, d_bounced: torch.Tensor) -> torch.Tensor:
        """Adjoint of :meth:`jvp`."""
        return torch.autograd.grad(self._graph, self._height, (d_visible, d_bounced), retain_graph=True)[0]


@dataclass(frozen=True)
class LocalLinearisation:
    """Derivative of the local engine: a K x 3 matrix in every pixel behind the slope operator, and surroundings.

    ``jvp`` and ``vjp`` are those of the whole engine. ``information`` and ``local_normal_operator`` hold shadows
    and bounces fixed.
    """

    signals: torch.Tensor
    by_yield: torch.Tensor
    by_p: torch.Tensor
    by_q: torch.Tensor
    by_visible: torch.Tensor
    by_bounced: torch.Tensor
    surroundings: Surroundings
    pixel_nm: float
    curvature_ratio = 1.0

    def jvp(self, d_height: torch.Tensor, d_yield: torch.Tensor) -> torch.Tensor:
        """Change of the signals (K, Y, X) for changes of height (nm) and relative yield (Y, X)."""
        p, q = slopes(d_height, self.pixel_nm)
        visible, bounced = self.surroundings.jvp(d_height)
        own = self.by_p * p + self.by_q * q + self.by_yield * d_yield
        return own + self.by_visible * visible + self.by_bounced * bounced

    def vjp(self, d_signals: torch.Tensor, keep: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """Adjoint of :meth:`jvp`; there is little to keep."""
        p, q = (self.by_p * d_signals).sum(0), (self.by_q * d_signals).sum(0)
        to_height = slopes_adjoint(p, q, self.pixel_nm)
        to_height += self.surroundings.vjp(self.by_visible * d_signals, self.by_bounced * d_signals)
        return to_height, (self.by_yield * d_signals).sum(0)

    def information(self, weight: torch.Tensor) -> torch.Tensor:
        """Information of the signals about (dh/dx, dh/dy, relative yield) in every pixel.

        Parameters
        ----------
        weight : torch.Tensor, shape (K, Y, X)
            Inverse variance of the signals.

        Returns
        -------
        torch.Tensor, shape (6, Y, X)
            pp, qq, yy, pq, py, qy of the symmetric 3 x 3 matrix.
        """
        return information_of(weight, self.by_p, self.by_q, self.by_yield)

    def local_normal_operator(
        self, weight: torch.Tensor
    ) -> Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        """Return ``J^T W J`` with shadows and bounces held fixed, as a function of (height, relative yield)."""
        return normal_operator(self.information(weight), self.pixel_nm)

    def by_slopes(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Derivatives of a pixel's signals by its own dh/dx and dh/dy, shape (K, Y, X) each."""
        return self.by_p, self.by_q

    def slope_share(self, frequency: torch.Tensor) -> torch.Tensor:
        """One for waves of all angular frequencies, rad per pixel: every pixel shows its own slope."""
        return torch.ones_like(frequency)

    def brightening(self, frequency: torch.Tensor) -> torch.Tensor:
        """None."""
        return torch.zeros_like(frequency)


class _Response(torch.autograd.Function):
    """The response table for autograd: value forwards, tabulated derivative backwards."""

    @staticmethod
    def forward(ctx: Any, p: torch.Tensor, q: torch.Tensor, table: ResponseTable) -> torch.Tensor:
        if not p.requires_grad:
            return table.value(p, q)
        response = table.evaluate(p.detach(), q.detach())
        ctx.save_for_backward(response[1], response[2])
        return response[0]

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        by_p, by_q = ctx.saved_tensors
        return (grad[0] * by_p).sum(0), (grad[0] * by_q).sum(0), None
