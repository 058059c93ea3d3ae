"""The engine ``local``: every pixel shines like an infinite plane of its slope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from napari_sem4d.acquisition.orientation import segments_in_image
from napari_sem4d.errors import SettingsError
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.frames import slopes, slopes_adjoint
from napari_sem4d.physics.local_law import law_for
from napari_sem4d.physics.response import ResponseTable


class LocalEngine:
    """Local law integrated over each segment's acceptance, evaluated at each pixel's slope.

    Parameters
    ----------
    setup : ForwardSetup
        Instrument with beam energy and segments, material, pixel.
    dtype : torch.dtype
        ``torch.float32`` or ``torch.float64``.
    device : torch.device or str

    Raises
    ------
    SettingsError
        If the beam energy or the segments are unknown.
    """

    name = "local"

    def __init__(
        self, setup: ForwardSetup, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> None:
        energy = setup.instrument.beam.energy_kev
        segments = segments_in_image(setup.instrument)
        if energy is None:
            raise SettingsError("the beam energy is not known: set beam.energy_kev (keV)")
        if not segments:
            raise SettingsError("the detector has no segments: choose a detector preset or set detector.segments")
        self.setup = setup
        self.dtype = dtype
        self.device = torch.device(device)
        energy_kev = float(energy)
        self._table = ResponseTable(
            segments, lambda threshold: law_for(setup.material, energy_kev, threshold), dtype, device
        )
        self._gain = torch.tensor([s.gain for s in segments], dtype=dtype, device=device)[:, None, None]
        self._offset = torch.tensor([s.offset for s in segments], dtype=dtype, device=device)[:, None, None]

    def expected_signals(self, height: torch.Tensor, relative_yield: torch.Tensor) -> torch.Tensor:
        """Signals (K, Y, X) of a surface; see :class:`~napari_sem4d.forward.engine.Engine`."""
        p, q = slopes(height, self.setup.pixel_nm)
        response: torch.Tensor = _Response.apply(p, q, self._table)
        return self._gain * response * relative_yield + self._offset

    def linearise(self, height: torch.Tensor, relative_yield: torch.Tensor) -> LocalLinearisation:
        """Signals and derivative at a point."""
        with torch.no_grad():
            p, q = slopes(height, self.setup.pixel_nm)
            response = self._table.evaluate(p, q)
            response *= self._gain
            return LocalLinearisation(
                signals=response[0] * relative_yield + self._offset,
                by_yield=response[0],
                by_p=response[1] * relative_yield,
                by_q=response[2] * relative_yield,
                pixel_nm=self.setup.pixel_nm,
            )


@dataclass(frozen=True)
class LocalLinearisation:
    """Derivative of the local engine: a matrix of K x 3 in every pixel behind the slope operator."""

    signals: torch.Tensor
    by_yield: torch.Tensor
    by_p: torch.Tensor
    by_q: torch.Tensor
    pixel_nm: float

    def jvp(self, d_height: torch.Tensor, d_yield: torch.Tensor) -> torch.Tensor:
        """Change of the signals (K, Y, X) for changes of height (nm) and relative yield (Y, X)."""
        p, q = slopes(d_height, self.pixel_nm)
        return self.by_p * p + self.by_q * q + self.by_yield * d_yield

    def vjp(self, d_signals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Adjoint of :meth:`jvp`."""
        p, q = (self.by_p * d_signals).sum(0), (self.by_q * d_signals).sum(0)
        return slopes_adjoint(p, q, self.pixel_nm), (self.by_yield * d_signals).sum(0)

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
        a, b, c = self.by_p, self.by_q, self.by_yield
        wa, wb, wc = weight * a, weight * b, weight * c
        pairs = ((wa, a), (wb, b), (wc, c), (wa, b), (wa, c), (wb, c))
        return torch.stack([(x * y).sum(0) for x, y in pairs])

    def normal_operator(
        self, weight: torch.Tensor
    ) -> Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        """Return the product ``J^T W J`` as a function of (height, relative yield)."""
        pp, qq, yy, pq, py, qy = self.information(weight)
        pixel_nm = self.pixel_nm

        def product(d_height: torch.Tensor, d_yield: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            p, q = slopes(d_height, pixel_nm)
            to_p = pp * p + pq * q + py * d_yield
            to_q = pq * p + qq * q + qy * d_yield
            return slopes_adjoint(to_p, to_q, pixel_nm), py * p + qy * q + yy * d_yield

        return product


class _Response(torch.autograd.Function):
    """The response table for autograd: value forwards, tabulated derivative backwards."""

    @staticmethod
    def forward(ctx: Any, p: torch.Tensor, q: torch.Tensor, table: ResponseTable) -> torch.Tensor:
        response = table.evaluate(p.detach(), q.detach())
        ctx.save_for_backward(response[1], response[2])
        return response[0]

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        by_p, by_q = ctx.saved_tensors
        return (grad[0] * by_p).sum(0), (grad[0] * by_q).sum(0), None
