"""The engine ``vift``: written-down physics, and the transformer for what the interaction volume does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from napari_sem4d.forward.contrast_transfer import ContrastTransfer
from napari_sem4d.forward.engine import DifferentiableEngine, ForwardSetup
from napari_sem4d.forward.local import LocalEngine, LocalLinearisation, beam_and_segments
from napari_sem4d.forward.model_error import vift_model_error
from napari_sem4d.forward.normal import Operator, information_of, normal_operator
from napari_sem4d.physics.planar_table import planar_table
from napari_sem4d.physics.probe import blur
from napari_sem4d.surrogate.baseline import FACETS
from napari_sem4d.surrogate.correction import Correction
from napari_sem4d.surrogate.domain import beyond_training
from napari_sem4d.surrogate.model_error import ModelErrorTable
from napari_sem4d.surrogate.weights import Weights, load_weights


class VisionEngine:
    """Local law with bounce term, the probe, and ViFT's correction.

    Parameters
    ----------
    setup : ForwardSetup
        Instrument with beam energy and segments, material, pixel.
    dtype, device
        Of the tensors that it takes and returns.
    weights : Weights, optional
        Those shipped with the package by default.

    Raises
    ------
    SettingsError
        If the beam energy or the segments are unknown.
    DomainError
        If a detector threshold is beyond what the network knows.
    StoreError
        If the weights are missing or not those of their card.
    """

    name = "vift"

    def __init__(
        self,
        setup: ForwardSetup,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        weights: Weights | None = None,
    ) -> None:
        self.setup = setup
        self.dtype = dtype
        self.device = torch.device(device)
        energy_kev, segments = beam_and_segments(setup)
        probe_nm = setup.instrument.beam.probe_nm or 0.0
        table = planar_table(setup.material, energy_kev)
        self._eta0 = table.eta0
        self.weights = weights or load_weights()
        self._correction = Correction(
            self.weights, table, segments, energy_kev, probe_nm, setup.pixel_nm, dtype, device
        )
        facets_nm = FACETS * table.rho50_nm if self._correction.active else None
        self._local = LocalEngine(setup, dtype, device, facets_nm)
        self.start: DifferentiableEngine | None = self._local
        self._probe_px = probe_nm / setup.pixel_nm
        self._kept: tuple[torch.Tensor, torch.Tensor] | None = None
        self._gain = torch.tensor([s.gain for s in segments], dtype=dtype, device=device)[:, None, None]
        self._offset = torch.tensor([s.offset for s in segments], dtype=dtype, device=device)[:, None, None]

    @property
    def model_error(self) -> ModelErrorTable | None:
        """The network's error as its card has it; without a network (wide pixels) that of ``local``."""
        if not self._correction.active:
            return self._local.model_error
        return vift_model_error(self.weights.card, self.weights.sha256)

    @property
    def beyond(self) -> tuple[str, ...]:
        """In what the series lies outside the network's training; empty where no network runs."""
        if not self._correction.active:
            return ()
        beam = self.setup.instrument.beam
        return beyond_training(
            self.weights.card,
            eta0=self._eta0,
            energy_kev=float(beam.energy_kev or 0.0),
            probe_rho50=(beam.probe_nm or 0.0) / self.rho50_nm,
            tilt_deg=beam.tilt_deg,
        )

    @property
    def flat_signals(self) -> torch.Tensor:
        """Signals of a flat without their offsets, shape (K,)."""
        return self._local.flat_signals

    @property
    def rho50_nm(self) -> float:
        """Median exit radius, nm."""
        return self._local.rho50_nm

    def expected_signals(self, height: torch.Tensor, relative_yield: torch.Tensor) -> torch.Tensor:
        """Signals (K, Y, X) of a surface; see :class:`~napari_sem4d.forward.engine.Engine`."""
        emitted = self._seen(self._local.expected_signals(height, torch.ones_like(height)) - self._offset)
        if self._correction.active:
            emitted = emitted + self._gain * self._correction(height)
        return emitted * relative_yield + self._offset

    def linearise(self, height: torch.Tensor, relative_yield: torch.Tensor) -> VisionLinearisation:
        """Signals and derivative at a point."""
        at = height.detach().clone().requires_grad_()
        with torch.no_grad():
            local = self._local.linearise(at.detach(), torch.ones_like(height))
            emitted = self._seen(local.signals - self._offset)
            if self._correction.active:
                emitted = emitted + self._gain * self.corrected(at).detach()
        return VisionLinearisation(
            signals=emitted * relative_yield + self._offset,
            by_yield=emitted,
            relative_yield=relative_yield,
            local=local,
            engine=self,
            at=at,
        )

    @cached_property
    def transfer(self) -> ContrastTransfer:
        """What the probe and the interaction volume leave of waves of height, about, at this pixel."""

        def signals(height: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return self.expected_signals(height, torch.ones_like(height)) - self._offset

        def by_slopes(height: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self._local.linearise(height, torch.ones_like(height)).by_slopes()

        return ContrastTransfer.measured(signals, by_slopes, self.setup.pixel_nm, self.rho50_nm, self._gain)

    def corrected(self, at: torch.Tensor) -> torch.Tensor:
        """The network's correction (K, Y, X) at a height (a leaf that wants its gradient), with its graph.

        The graph of the point that was asked for last is kept, and of no other: it takes gigabytes.
        """
        kept = self._kept
        if kept is None or kept[0] is not at:
            self._kept = kept = None
            with torch.enable_grad():
                kept = at, self._correction(at)
            self._kept = kept
        return kept[1]

    def correction_vjp(self, at: torch.Tensor, d_signals: torch.Tensor, keep: bool) -> torch.Tensor:
        """Adjoint of the correction's derivative at such a height; its graph is kept or given back."""
        correction = self.corrected(at)
        if not keep:
            self._kept = None  # fields go as soon as they have been used
        return torch.autograd.grad(correction, at, d_signals, retain_graph=keep)[0]

    def _seen(self, signals: torch.Tensor) -> torch.Tensor:
        """Signals of the local law as the probe and the interaction volume let them through."""
        return blur(self._correction.resolved(signals), self._probe_px)

    def _seen_adjoint(self, signals: torch.Tensor) -> torch.Tensor:
        return self._correction.resolved_adjoint(blur(signals, self._probe_px))


@dataclass(frozen=True)
class VisionLinearisation:
    """Derivative of the engine ``vift``: ``jvp`` and ``vjp`` are exact, the local operator is an approximation.

    The engine keeps the network's fields of its latest point only (a solver holds some points at
    once): there ``vjp`` is quick, at others it evaluates the network once more.
    """

    signals: torch.Tensor
    by_yield: torch.Tensor
    relative_yield: torch.Tensor
    local: LocalLinearisation
    engine: VisionEngine
    at: torch.Tensor
    curvature_ratio = 2.0
    """Behind the contrast transfer the ratio lies between .5 and 3.5, the highest at borders."""

    def jvp(self, d_height: torch.Tensor, d_yield: torch.Tensor) -> torch.Tensor:
        """Change of the signals (K, Y, X) for changes of height (nm) and relative yield (Y, X)."""
        e = self.engine
        change = e._seen(self.local.jvp(d_height, torch.zeros_like(d_height)))
        if e._correction.active:
            change = change + e._gain * torch.func.jvp(e._correction, (self.at.detach(),), (d_height,))[1]
        return change * self.relative_yield + self.by_yield * d_yield

    def vjp(self, d_signals: torch.Tensor, keep: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """Adjoint of :meth:`jvp`."""
        e = self.engine
        weights = d_signals * self.relative_yield
        to_height = self.local.vjp(e._seen_adjoint(weights))[0]
        if e._correction.active:
            to_height = to_height + e.correction_vjp(self.at, e._gain * weights, keep)
        return to_height, (self.by_yield * d_signals).sum(0)

    def information(self, weight: torch.Tensor) -> torch.Tensor:
        """Information about slopes and yield in every pixel, as if no electron spread.

        See :meth:`~napari_sem4d.forward.engine.Linearisation.information`.
        """
        return information_of(weight, *self.by_slopes(), self.by_yield)

    def by_slopes(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Derivatives of a pixel's signals by its own slopes, as if no electron spread, shape (K, Y, X) each."""
        return self.relative_yield * self.local.by_p, self.relative_yield * self.local.by_q

    def slope_share(self, frequency: torch.Tensor) -> torch.Tensor:
        """Share of slopes that is left of waves of angular frequencies, rad per pixel."""
        return self.engine.transfer.slope_share(frequency)

    def brightening(self, frequency: torch.Tensor) -> torch.Tensor:
        """Relative yield that a height of such waves stands for, 1/nm."""
        return self.engine.transfer.brightening(frequency)

    def local_normal_operator(self, weight: torch.Tensor) -> Operator:
        """Local part of ``J^T W J`` behind the contrast transfer, for (height, relative yield)."""
        pixels = normal_operator(self.information(weight), self.engine.setup.pixel_nm)
        shape = (int(self.at.shape[0]), int(self.at.shape[1]))
        return self.engine.transfer.behind(pixels, shape, self.at.detach())
