"""Pyramids of minima and maxima of a height map, which tell the kernels where the surface cannot be."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def extrema_pyramid(height: np.ndarray, levels: int, lowest: bool) -> np.ndarray:
    """Lowest or highest surface within growing distances of every cell.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        Heights, any unit.
    levels : int
        Level ``k`` looks ``2^k`` pixels around the cell.
    lowest : bool
        Minima if true, else maxima.

    Returns
    -------
    ndarray, shape (levels, Y, X), float32
        Entry ``[k, i, j]`` bounds all nodes from ``i - 2^k`` to ``i + 1 + 2^k`` and likewise in ``j``: what
        a path of at most ``2^k`` from the cell between nodes ``i`` and ``i + 1`` can meet. Rounded outwards.
    """
    filter_1d = ndimage.minimum_filter1d if lowest else ndimage.maximum_filter1d
    outwards = np.float32(-np.inf if lowest else np.inf)
    pyramid = np.empty((levels, *height.shape), np.float32)
    for k in range(levels):
        size = 2 * 2**k + 2
        rows = filter_1d(height, size, axis=0, mode="nearest", origin=-1)
        pyramid[k] = np.nextafter(
            filter_1d(rows, size, axis=1, mode="nearest", origin=-1).astype(np.float32), outwards
        )
    return pyramid


def levels_for(shape: tuple[int, int], reach_px: float) -> int:
    """Levels whose last one looks as far as an electron can go, or over the whole map."""
    farthest = min(reach_px, float(max(shape)))
    return max(1, int(np.ceil(np.log2(max(farthest, 1.0)))) + 1)
