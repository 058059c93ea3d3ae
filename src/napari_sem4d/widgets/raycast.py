"""Where a line of sight meets a height map (no Qt).

Asking an active Surface layer costs about 0.2 s a move; this costs a few milliseconds and answers with the
exact height of the array, whatever mesh is shown.
"""

from __future__ import annotations

import numpy as np


def hit(height: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> tuple[float, float] | None:
    """First point where a ray meets the surface.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        Heights in nm; NaN is a hole.
    origin, direction : array, shape (3,)
        A point of the ray and where it goes, as (z in nm, row, column).

    Returns
    -------
    tuple of float or None
        (row, column), or None when the ray misses.
    """
    origin, direction = np.asarray(origin, dtype=float), np.asarray(direction, dtype=float)
    finite = np.isfinite(height)
    if not finite.any() or not np.any(direction):
        return None
    low, high = float(np.nanmin(height)), float(np.nanmax(height))
    pad = 1e-6 * max(high - low, 1.0)
    bounds = ((low - pad, high + pad), (0.0, height.shape[0] - 1.0), (0.0, height.shape[1] - 1.0))
    start, stop = -np.inf, np.inf
    for o, d, (first, last) in zip(origin, direction, bounds, strict=True):
        if abs(d) < 1e-12:
            if not first <= o <= last:
                return None
            continue
        near, far = sorted(((first - o) / d, (last - o) / d))
        start, stop = max(start, near), min(stop, far)
    if not start <= stop or not np.isfinite(stop - start):
        return None
    run = (stop - start) * float(np.hypot(direction[1], direction[2]))  # pixels that the ray crosses
    t = np.linspace(start, stop, max(2, int(2 * run) + 2))
    above = origin[0] + t * direction[0] - _sample(height, origin, direction, t)
    known = np.isfinite(above)
    t, above = t[known], above[known]
    crossing = np.flatnonzero((above[:-1] >= 0) & (above[1:] < 0)) if len(t) > 1 else np.empty(0, dtype=int)
    if len(crossing):
        i = crossing[0]
        at = t[i] + (t[i + 1] - t[i]) * above[i] / (above[i] - above[i + 1])
    elif len(t) and abs(above[-1]) <= 2 * pad:  # straight down onto the lowest place, or a flat surface
        at = t[-1]
    else:
        return None
    return float(origin[1] + at * direction[1]), float(origin[2] + at * direction[2])


def _sample(height: np.ndarray, origin: np.ndarray, direction: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Bilinear heights under the points of a ray."""
    rows, cols = height.shape
    row = np.clip(origin[1] + t * direction[1], 0, rows - 1)
    col = np.clip(origin[2] + t * direction[2], 0, cols - 1)
    r, c = np.minimum(row.astype(int), max(rows - 2, 0)), np.minimum(col.astype(int), max(cols - 2, 0))
    r1, c1 = np.minimum(r + 1, rows - 1), np.minimum(c + 1, cols - 1)
    fr, fc = row - r, col - c
    upper = height[r, c] * (1 - fc) + height[r, c1] * fc
    lower = height[r1, c] * (1 - fc) + height[r1, c1] * fc
    return np.asarray(upper * (1 - fr) + lower * fr)
