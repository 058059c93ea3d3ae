"""ViFT on an image: heights in nm in, what the interaction volume changes in each segment's signal out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.errors import DomainError
from napari_sem4d.physics.planar_table import PlanarTable
from napari_sem4d.surrogate.directions import acceptance, terms
from napari_sem4d.surrogate.patches import THRESHOLDS
from napari_sem4d.surrogate.resampling import Grids
from napari_sem4d.surrogate.vift import MULTIPLE
from napari_sem4d.surrogate.weights import Weights

PITCH = 0.5
"""Working pixel, rho50."""
COARSEST = 4.0
"""Pixels of the data, in rho50, above which the correction is left out: it lives on edges narrower than that."""
HIGHEST_THRESHOLD = 0.5
"""Detector threshold over the beam energy up to which a correction is given."""
_MARGIN = 16
_TILE = 512
_OVERLAP = 64


class Correction:
    """What ViFT adds to the signals of a set of segments.

    Parameters
    ----------
    weights : Weights
    table : PlanarTable
        Of the material at the beam energy: eta0, mean energy, rho50.
    segments : sequence of Segment
        With azimuths in the image's frame.
    energy_kev, probe_nm, pixel_nm : float
    dtype, device
        Of the tensors that will be evaluated.

    Raises
    ------
    DomainError
        If a detector threshold is too high for the two thresholds that the network knows.
    """

    def __init__(
        self,
        weights: Weights,
        table: PlanarTable,
        segments: Sequence[Segment],
        energy_kev: float,
        probe_nm: float,
        pixel_nm: float,
        dtype: torch.dtype,
        device: torch.device | str,
    ) -> None:
        self._network = copy.deepcopy(weights.network).to(device=device, dtype=dtype)
        self._rho50 = table.rho50_nm
        self._pixel = pixel_nm / table.rho50_nm
        self._dtype, self._device = dtype, device
        self._grids: dict[tuple[int, int], Grids] = {}
        conditions = (table.eta0, table.mean_energy_fraction, probe_nm / table.rho50_nm)
        self._conditions = torch.tensor([conditions], dtype=dtype, device=device)
        order = weights.network.architecture.order
        rows = []
        for segment, row in zip(segments, acceptance(order, segments), strict=True):
            share = segment.threshold_kev / energy_kev / THRESHOLDS[1]
            if segment.threshold_kev > HIGHEST_THRESHOLD * energy_kev:
                raise DomainError(
                    f"segment {segment.name}: its threshold of {segment.threshold_kev:g} keV is more than "
                    f"{HIGHEST_THRESHOLD:g} of the beam energy ({energy_kev:g} keV), and ViFT knows nothing of "
                    "electrons that fast; use the engine local, or correct threshold_kev"
                )
            rows.append(np.concatenate([(1.0 - share) * row, share * row]))
        flat = table.eta0 * table.mean_energy_fraction
        mixing = flat * np.array(rows)
        # Detectors that see electrons of all energies need nothing of the higher threshold.
        thresholds = 2 if any(segment.threshold_kev > 0 for segment in segments) else 1
        wanted = mixing[:, : thresholds * len(terms(order))]
        self._mixing = torch.as_tensor(wanted, dtype=dtype, device=device)

    @property
    def active(self) -> bool:
        """Whether there is anything to correct at this pixel size."""
        return self._pixel <= COARSEST

    def resolved(self, signals: torch.Tensor) -> torch.Tensor:
        """Signals (K, Y, X) without detail finer than electrons resolve (see :meth:`Grids.resolved`)."""
        return self._over(signals).resolved(signals) if self.active else signals

    def resolved_adjoint(self, signals: torch.Tensor) -> torch.Tensor:
        """Adjoint of :meth:`resolved`."""
        return self._over(signals).resolved_adjoint(signals) if self.active else signals

    def __call__(self, height: torch.Tensor) -> torch.Tensor:
        """Evaluate; differentiable in both modes.

        Parameters
        ----------
        height : torch.Tensor, shape (Y, X)
            nm.

        Returns
        -------
        torch.Tensor, shape (K, Y, X)
            Energy-weighted electrons per primary, to be added.
        """
        grids = self._over(height)
        centred = (height - height.detach().mean()) / self._rho50
        signals = _in_tiles(lambda part: self._signals(part, grids.pitch), grids.heights_to_working(centred))
        return grids.signals_to_data(signals)

    def _signals(self, height: torch.Tensor, pitch: float) -> torch.Tensor:
        found: torch.Tensor = self._network(height[None], self._conditions, pitch, self._mixing)[0]
        return found

    def _over(self, field: torch.Tensor) -> Grids:
        shape = (int(field.shape[-2]), int(field.shape[-1]))
        if shape not in self._grids:
            self._grids[shape] = Grids.over(
                shape, self._pixel, PITCH, _MARGIN, MULTIPLE, self._dtype, self._device
            )
        return self._grids[shape]


def _in_tiles(function: Callable[[torch.Tensor], torch.Tensor], field: torch.Tensor) -> torch.Tensor:
    """Apply a function to overlapping tiles and join their inner parts; small fields are one tile.

    Where a gradient is wanted of more than one tile, each is worked out again for it: memory stays that of one.
    """
    rows, columns = field.shape
    if max(rows, columns) <= _TILE + 2 * _OVERLAP:
        return function(field)
    bands = []
    for top, bottom in _spans(rows):
        parts = []
        for left, right in _spans(columns):
            first, last = max(0, top - _OVERLAP), min(rows, bottom + _OVERLAP)
            start, stop = max(0, left - _OVERLAP), min(columns, right + _OVERLAP)
            tile = field[first:last, start:stop]
            found: Any = checkpoint(function, tile, use_reentrant=False) if tile.requires_grad else function(tile)
            parts.append(found[..., top - first : bottom - first, left - start : right - start])
        bands.append(torch.cat(parts, dim=-1))
    return torch.cat(bands, dim=-2)


def _spans(length: int) -> list[tuple[int, int]]:
    return [(start, min(start + _TILE, length)) for start in range(0, length, _TILE)]
