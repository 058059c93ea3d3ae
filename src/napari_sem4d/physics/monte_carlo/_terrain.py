"""Device functions on a height map: bilinear height, clearance below it, flight above it. Imports numba.

Coordinates are those of the array: x along columns, y along rows (downwards on the screen), both in pixels with
nodes at whole numbers, z in pixels too. Beyond its border the terrain goes on at the height of the border.
"""

from __future__ import annotations

import numpy as np
from numba import njit

HIT, GONE, LOST = 0, 1, 2
"""Outcomes of a flight: met the surface, left upwards, left the terrain sideways."""
_FINE_STEP = 0.5
NUDGE = 1e-7
"""Distance in pixels at which a point that crossed the surface is set down beyond it."""


@njit(inline="always")
def cell_of(position: float, nodes: int) -> int:
    """Number of the cell between two nodes that holds a position, clamped to the terrain."""
    return min(max(int(position), 0), nodes - 2)


@njit
def height_at(height: np.ndarray, x: float, y: float) -> float:
    """Bilinear height at a point."""
    rows, columns = height.shape
    x = min(max(x, 0.0), columns - 1.0)
    y = min(max(y, 0.0), rows - 1.0)
    i = min(int(y), rows - 2)
    j = min(int(x), columns - 2)
    t = x - j
    top = height[i, j] + t * (height[i, j + 1] - height[i, j])
    bottom = height[i + 1, j] + t * (height[i + 1, j + 1] - height[i + 1, j])
    return top + (y - i) * (bottom - top)


@njit
def clearance(low: np.ndarray, x: float, y: float, z: float) -> float:
    """Path length within which an electron at a point inside cannot reach the surface (0 if unknown)."""
    i = cell_of(y, low.shape[1])
    j = cell_of(x, low.shape[2])
    best = 0.0
    radius = 1.0
    for k in range(low.shape[0]):
        depth = low[k, i, j] - z
        if depth <= radius:
            return max(best, depth)
        best = radius
        radius *= 2.0
    return max(best, low[low.shape[0] - 1, i, j] - z)


@njit
def depth_within(low: np.ndarray, x: float, y: float, z: float, distance: float) -> float:
    """Depth below the lowest surface within a lateral distance (or farther)."""
    level = 0
    radius = 1.0
    while radius < distance and level < low.shape[0] - 1:
        radius *= 2.0
        level += 1
    return low[level, cell_of(y, low.shape[1]), cell_of(x, low.shape[2])] - z


@njit
def crossing(
    height: np.ndarray, x: float, y: float, z: float, u: float, v: float, w: float, step: float, above: float
) -> float:
    """Share of a step at which it crosses the surface: bisection, then interpolation (exact on a plane).

    ``above`` is the height over the surface at the end of the step; start and end lie on different sides. The
    start may lie so close to the surface that interpolation alone would stay there for ever.
    """
    low, high = 0.0, 1.0
    f_low, f_high = z - height_at(height, x, y), above
    for _ in range(3):
        middle = 0.5 * (low + high)
        s = middle * step
        f = z + w * s - height_at(height, x + u * s, y + v * s)
        if (f > 0.0) == (f_high > 0.0):
            high, f_high = middle, f
        else:
            low, f_low = middle, f
    difference = f_low - f_high
    if difference == 0.0:
        return high
    return low + (high - low) * min(max(f_low / difference, 0.0), 1.0)


@njit
def fly(
    height: np.ndarray, high: np.ndarray, top: float, x: float, y: float, z: float, u: float, v: float, w: float
) -> tuple[int, float, float, float]:
    """Follow a straight flight above the surface until it meets the terrain or leaves it.

    ``high`` is the pyramid of maxima: where the surface cannot be near, the flight leaps by its radius. An
    electron that leaves the terrain sideways is gone if it rises and lost if it falls.
    """
    rows, columns = height.shape
    level = 0
    while True:
        if w > 0.0 and z >= top:
            return GONE, x, y, z
        if x < -1.0 or y < -1.0 or x > columns or y > rows:
            return (GONE if w > 0.0 else LOST), x, y, z
        i = cell_of(y, rows)
        j = cell_of(x, columns)
        step = float(1 << level)
        if min(z, z + w * step) > high[level, i, j]:
            x += u * step
            y += v * step
            z += w * step
            level = min(level + 1, high.shape[0] - 1)
            continue
        if level > 0:
            level -= 1
            continue
        new_x = x + u * _FINE_STEP
        new_y = y + v * _FINE_STEP
        new_z = z + w * _FINE_STEP
        above = new_z - height_at(height, new_x, new_y)
        if above < 0.0:
            s = crossing(height, x, y, z, u, v, w, _FINE_STEP, above) * _FINE_STEP
            x += u * s
            y += v * s
            return HIT, x, y, height_at(height, x, y) - NUDGE
        x, y, z = new_x, new_y, new_z
