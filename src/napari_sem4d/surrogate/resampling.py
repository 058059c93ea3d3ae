"""From the data's grid to ViFT's working grid and back: one matrix along each axis, its transpose the adjoint."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from napari_sem4d.surrogate.lean import product

_ALIKE = 0.03
"""Relative difference of pitches that is not worth resampling."""


@dataclass(frozen=True)
class Grids:
    """A data grid and the working grid over the same area.

    Attributes
    ----------
    shape : (int, int)
        Of the data.
    working_shape : (int, int)
        Of the working grid, with its surroundings.
    pitch : float
        Of the working grid, in the unit of the data's pixel size.
    """

    shape: tuple[int, int]
    working_shape: tuple[int, int]
    pitch: float
    _heights: tuple[torch.Tensor, torch.Tensor]
    _signals: tuple[torch.Tensor, torch.Tensor]
    _smooth: tuple[torch.Tensor, torch.Tensor] | None

    @classmethod
    def over(
        cls,
        shape: tuple[int, int],
        pixel: float,
        pitch: float,
        margin: int,
        multiple: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Grids:
        """Lay a working grid over data.

        Parameters
        ----------
        shape : (int, int)
            Of the data, (Y, X).
        pixel, pitch : float
            Edges of a pixel of the data and of the working grid wanted, in one unit.
        margin : int
            Working pixels of surroundings on every side, at least.
        multiple : int
            The working grid's edges become multiples of this.
        """
        if abs(pixel / pitch - 1.0) < _ALIKE:
            pitch = pixel
        axes = [_axis(n, pixel / pitch, margin, multiple) for n in shape]

        def tensors(number: int) -> tuple[torch.Tensor, torch.Tensor]:
            rows, columns = (torch.as_tensor(a[number], dtype=dtype, device=device) for a in axes)
            return rows, columns

        return cls(
            shape=shape,
            working_shape=(axes[0][0].shape[0], axes[1][0].shape[0]),
            pitch=pitch,
            _heights=tensors(0),
            _signals=tensors(1),
            _smooth=tensors(2) if pixel < pitch else None,
        )

    def heights_to_working(self, height: torch.Tensor) -> torch.Tensor:
        """Heights (Y, X) on the working grid; a plane stays one, also beyond the border."""
        return _along_both(self._heights, height)

    def signals_to_data(self, signals: torch.Tensor) -> torch.Tensor:
        """Signals (..., rows, columns) of the working grid on the data's."""
        return _along_both(self._signals, signals)

    def resolved(self, signals: torch.Tensor) -> torch.Tensor:
        """Signals (..., Y, X) of the data's grid without what the working grid cannot hold."""
        if self._smooth is None:
            return signals
        return _along_both(self._smooth, signals)

    def resolved_adjoint(self, signals: torch.Tensor) -> torch.Tensor:
        """Adjoint of :meth:`resolved`."""
        if self._smooth is None:
            return signals
        rows, columns = self._smooth
        return _along_both((rows.T, columns.T), signals)


def _along_both(matrices: tuple[torch.Tensor, torch.Tensor], fields: torch.Tensor) -> torch.Tensor:
    """Fields (..., Y, X) by a matrix (rows, Y) and one (columns, X) to (..., rows, columns)."""
    rows, columns = matrices
    return product(product(fields, columns).mT, rows).mT


def _axis(n: int, ratio: float, margin: int, multiple: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices along one axis; ``ratio`` is the data's pixel over the working pitch."""
    total = -(-(math.ceil(n * ratio) + 2 * margin) // multiple) * multiple
    if ratio == 1.0:
        first = (total - n) // 2
        heights = _interpolate(np.arange(total) - float(first), n, planar=True)
        back = np.zeros((n, total))
        back[np.arange(n), first + np.arange(n)] = 1.0
        return heights, back, np.eye(n)
    # Both grids are centred on the same place; positions count in pixels of the other one.
    working = 0.5 * (n - 1) + (np.arange(total) - 0.5 * (total - 1)) / ratio
    data = 0.5 * (total - 1) + (np.arange(n) - 0.5 * (n - 1)) * ratio
    if ratio > 1.0:  # the working grid is finer: interpolate heights, average signals
        return _interpolate(working, n, planar=True), _average(data, ratio, total), np.eye(n)
    back = _interpolate(data, total)
    return _average(working, 1.0 / ratio, n, planar=True), back, back @ _average(working, 1.0 / ratio, n)


def _average(centres: np.ndarray, width: float, n: int, *, planar: bool = False) -> np.ndarray:
    """Matrix (centres, n) of means over intervals of a width (in cells) of what is interpolated between cells."""
    count = 4 * int(np.ceil(width))
    offsets = width * ((np.arange(count) + 0.5) / count - 0.5)
    return np.mean([_interpolate(centres + o, n, planar=planar) for o in offsets], axis=0)


def _interpolate(positions: np.ndarray, n: int, *, planar: bool = False) -> np.ndarray:
    """Matrix (positions, n) of interpolation; beyond the border by point reflection or by the border's value.

    By cubic convolution (Keys, IEEE Trans. ASSP 29, 1153 (1981)): linear interpolation takes a quarter of waves of
    four pixels from the heights that the network sees, and the local law's contrast there stays uncorrected.
    """
    matrix = np.zeros((positions.size, n))
    cell = np.floor(positions).astype(int)
    t = positions - cell
    weights = {
        -1: -0.5 * t**3 + t**2 - 0.5 * t,
        0: 1.5 * t**3 - 2.5 * t**2 + 1.0,
        1: -1.5 * t**3 + 2.0 * t**2 + 0.5 * t,
        2: 0.5 * t**3 - 0.5 * t**2,
    }
    rows = np.arange(positions.size)
    for offset, weight in weights.items():
        _add(matrix, rows, cell + offset, weight, planar)
    return matrix


def _add(matrix: np.ndarray, rows: np.ndarray, at: np.ndarray, weight: np.ndarray, planar: bool) -> None:
    n = matrix.shape[1]
    low, high = at < 0, at >= n
    if not planar or n == 1:
        np.add.at(matrix, (rows, np.clip(at, 0, n - 1)), weight)
        return
    ok = ~(low | high)
    np.add.at(matrix, (rows[ok], at[ok]), weight[ok])
    np.add.at(matrix, (rows[low], np.zeros(low.sum(), int)), 2.0 * weight[low])
    np.add.at(matrix, (rows[low], np.clip(-at[low], 0, n - 1)), -weight[low])
    np.add.at(matrix, (rows[high], np.full(high.sum(), n - 1)), 2.0 * weight[high])
    np.add.at(matrix, (rows[high], np.clip(2 * (n - 1) - at[high], 0, n - 1)), -weight[high])
