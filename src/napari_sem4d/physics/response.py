"""A segment's response to the slope of the surface, as a smooth table that torch evaluates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.ndimage import spline_filter

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.physics.acceptance import RingResponse
from napari_sem4d.physics.local_law import LocalLaw

_NODES = 97
_STEEPEST_RAD = np.radians(88.0)
_CHUNK = 16384  # pixels evaluated at once: their tables stay in the cache
_Part = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class ResponseTable:
    """Response of K segments to the slopes of an infinite plane, with its first derivatives.

    Cubic B-splines over the stereographic image of the surface normal, ``u = p/(1 + sqrt(1 + p^2 + q^2))`` and
    likewise v: the whole half-space of normals is a disc, slopes near zero are resolved best, and response and
    derivative are smooth everywhere (C2), so that the derivative is that of the value to rounding.

    Parameters
    ----------
    segments : sequence of Segment
        With azimuths in the image's frame.
    law_for : callable
        Detector threshold in keV to the local law that holds for it.
    dtype, device
        Of the tensors that will be evaluated.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        law_for: Callable[[float], LocalLaw],
        dtype: torch.dtype,
        device: torch.device | str,
    ) -> None:
        nodes = np.linspace(-1.0, 1.0, _NODES)
        v, u = np.meshgrid(nodes, nodes, indexing="ij")
        radius = np.hypot(u, v)
        # Beyond 88 degrees no surface is resolved: the value there only has to be continuous.
        inside = np.minimum(radius, np.tan(_STEEPEST_RAD / 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            shrink = np.where(radius > 0, inside / radius, 1.0)
        slope_over_u = 2.0 / (1.0 - inside**2)
        p, q = (u * shrink * slope_over_u).ravel(), (v * shrink * slope_over_u).ravel()
        rings = {(s.threshold_kev, s.polar_deg): s for s in segments}
        by_ring = {
            key: RingResponse(law_for(s.threshold_kev), s.polar_deg, _STEEPEST_RAD) for key, s in rings.items()
        }
        responses = [by_ring[s.threshold_kev, s.polar_deg].response(s, p, q).reshape(v.shape) for s in segments]
        coefficients = np.stack([spline_filter(r, order=3, mode="mirror") for r in responses], axis=-1)
        self.segments = len(segments)
        self._cells = _NODES - 1
        padded = np.pad(coefficients, ((1, 1), (1, 1), (0, 0)), mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), axis=(0, 1))
        # (cells_v, cells_u, K, 4, 4) -> rows of 16 x K, contiguous for one cell.
        blocks = np.ascontiguousarray(windows.transpose(0, 1, 3, 4, 2)).reshape(self._cells**2, 16 * self.segments)
        self._blocks = torch.as_tensor(blocks, dtype=dtype, device=device)

    def evaluate(self, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        """Response and derivatives.

        Parameters
        ----------
        p, q : torch.Tensor, shape (Y, X)
            Slopes dh/dx and dh/dy (y up), dimensionless.

        Returns
        -------
        torch.Tensor, shape (3, K, Y, X)
            Energy-weighted electrons per primary, its derivative by p, and by q.
        """
        return self._in_parts(self._with_derivatives, p, q)

    def value(self, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        """Response alone, shape (K, Y, X); see :meth:`evaluate`."""
        return self._in_parts(self._value, p, q)

    def _in_parts(self, function: _Part, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        step = _CHUNK if p.device.type == "cpu" else p.numel()
        parts = zip(p.reshape(-1).split(step), q.reshape(-1).split(step), strict=True)
        return torch.cat([function(*part) for part in parts], -1).unflatten(-1, p.shape)

    def _value(self, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        inverse = 1 / (1 + torch.sqrt(1 + p * p + q * q))
        (iu, tu), (iv, tv) = (_place(x * inverse, self._cells) for x in (p, q))
        basis = (_splines(tv)[:, :, None] * _splines(tu)[:, None, :]).view(-1, 1, 16)
        return torch.bmm(basis, self._blocks_at(iu, iv))[:, 0].T

    def _with_derivatives(self, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        root = torch.sqrt(1 + p * p + q * q)
        inverse = 1 / (1 + root)
        (iu, tu), (iv, tv) = (_place(x * inverse, self._cells) for x in (p, q))
        bu, bv = _splines(tu), _splines(tv)
        half = 0.5 * self._cells
        du, dv = _derivatives(tu).mul_(half), _derivatives(tv).mul_(half)
        basis = torch.stack(
            [
                (bv[:, :, None] * bu[:, None, :]).view(-1, 16),
                (bv[:, :, None] * du[:, None, :]).view(-1, 16),
                (dv[:, :, None] * bu[:, None, :]).view(-1, 16),
            ],
            dim=1,
        )
        value, by_u, by_v = torch.bmm(basis, self._blocks_at(iu, iv)).permute(1, 2, 0)
        # du/dp etc.: d(1/(1+root))/dp = -p/(root (1+root)^2)
        shared = inverse * inverse / root
        cross = -p * q * shared
        by_p = by_u * (inverse - p * p * shared) + by_v * cross
        by_q = by_v * (inverse - q * q * shared) + by_u * cross
        return torch.stack([value, by_p, by_q])

    def _blocks_at(self, iu: torch.Tensor, iv: torch.Tensor) -> torch.Tensor:
        """Coefficients around cells, shape (N, 16, K)."""
        return self._blocks.index_select(0, iv * self._cells + iu).view(-1, 16, self.segments)


def _place(u: torch.Tensor, cells: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Number of the cell that ``u`` in -1 to 1 lies in, and how far inside."""
    position = (u + 1) * (0.5 * cells)
    cell = position.floor().clamp_(0, cells - 1)
    return cell.long(), position - cell


def _splines(t: torch.Tensor) -> torch.Tensor:
    """The four cubic B-splines at places (N,) inside a cell, shape (N, 4)."""
    s = 1 - t
    outer = [x * x * x / 6 for x in (s, t)]
    inner = [(4 - 6 * x * x + 3 * x * x * x) / 6 for x in (t, s)]
    return torch.stack([outer[0], *inner, outer[1]], dim=1)


def _derivatives(t: torch.Tensor) -> torch.Tensor:
    """Derivatives of :func:`_splines` by their place."""
    s = 1 - t
    return torch.stack([-s * s / 2, (3 * t * t - 4 * t) / 2, (4 * s - 3 * s * s) / 2, t * t / 2], dim=1)
