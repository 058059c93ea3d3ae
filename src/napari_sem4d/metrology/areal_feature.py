"""Feature parameters of ISO 25178-2:2021, clause 5: Spd, Svd, Spc, Svc, S5p, S5v, S10z.

Hills and dales are found as in a change tree with Wolf pruning: a peak counts when it stands at least the
nesting index (5 % of Sz) above the highest saddle that joins it to a higher peak.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import DomainError
from napari_sem4d.metrology.pixels import PixelNm, height_map, pixel_yx

WOLF_PRUNING = 0.05
# Half of the eight neighbours; the other half are the same pairs seen from the other side.
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True)
class SignificantPeaks:
    """Peaks that survive the pruning, highest first.

    ``row``, ``column`` in pixels; ``height_nm`` above the mean of the map; ``curvature_per_nm`` the
    arithmetic mean of the two curvatures (positive on a peak; NaN where a neighbour is missing);
    ``area_nm2`` the valid area of the map.
    """

    row: np.ndarray
    column: np.ndarray
    height_nm: np.ndarray
    curvature_per_nm: np.ndarray
    area_nm2: float

    @property
    def density_per_nm2(self) -> float:
        """Number of peaks per area."""
        return self.row.size / self.area_nm2

    @property
    def mean_curvature_per_nm(self) -> float:
        """Arithmetic mean peak curvature, 1/nm; NaN without a peak inside the map."""
        known = self.curvature_per_nm[np.isfinite(self.curvature_per_nm)]
        return float(known.mean()) if known.size else float("nan")

    @property
    def five_highest_nm(self) -> float:
        """Mean height of the five highest peaks, nm.

        Raises
        ------
        DomainError
            If there are fewer than five.
        """
        if self.row.size < 5:
            raise DomainError(
                f"The region holds only {self.row.size} significant peaks or pits of the five that the figure "
                "averages: choose a larger region."
            )
        return float(self.height_nm[:5].mean())


def significant_peaks(height: np.ndarray, pixel_nm: PixelNm, pruning: float = WOLF_PRUNING) -> SignificantPeaks:
    """Find the significant peaks of a map; those of ``-height`` are its pits.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        nm; NaN is invalid.
    pixel_nm : float or (y, x)
        nm.
    pruning : float
        Wolf pruning, as a part of Sz.

    Returns
    -------
    SignificantPeaks

    Raises
    ------
    DomainError
        If no pixel is valid or the surface is flat.
    """
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    valid = np.isfinite(surface)
    number = int(valid.sum())
    if number == 0:
        raise DomainError("There is no valid height in this region: choose another one.")
    mean = surface.mean(dtype=np.float64, where=valid)
    z = (surface - mean).astype(np.float32)
    if number < z.size:
        z = np.where(valid, z, np.float32(-np.inf))
    top, bottom = float(surface.max(initial=-np.inf, where=valid)), float(surface.min(initial=np.inf, where=valid))
    if top <= bottom:
        raise DomainError("The surface is flat, so it has neither peaks nor pits: nothing to measure.")
    summit = _summits(z)
    peaks, persistence = _persistence(z, summit)
    keep = peaks[persistence >= pruning * (top - bottom)]
    row, column = np.divmod(keep, z.shape[1])
    level = surface[row, column] - mean
    order = np.argsort(-level)
    row, column = row[order], column[order]
    return SignificantPeaks(row, column, level[order], _curvature(surface, row, column, py, px), number * py * px)


def _summits(z: np.ndarray) -> np.ndarray:
    """For each pixel the flat index of the local maximum at which its steepest ascent ends."""
    ny, nx = z.shape
    flat = np.arange(ny * nx, dtype=np.int32).reshape(ny, nx)
    best, target = z.copy(), flat.copy()
    # Equal heights are ordered by index, so a plateau climbs towards its last pixel and never runs in circles.
    for dy, dx in _NEIGHBOURS:
        here, there = _pair(dy, dx)
        rise = (z[there] >= best[here]).astype(bool)
        np.copyto(best[here], z[there], where=rise)
        np.copyto(target[here], flat[there], where=rise)
    for dy, dx in _NEIGHBOURS:
        here, there = _pair(dy, dx)
        rise = z[here] > best[there]
        np.copyto(best[there], z[here], where=rise)
        np.copyto(target[there], flat[here], where=rise)
    pointer = target.ravel()
    while True:
        further = pointer[pointer]
        if np.array_equal(further, pointer):
            return pointer.reshape(ny, nx)
        pointer = further


def _pair(dy: int, dx: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of all pixels that have the neighbour (dy, dx), and of these neighbours (dy >= 0)."""
    rows = slice(None, -dy or None), slice(dy, None)
    columns = (slice(None, -dx or None), slice(dx, None)) if dx >= 0 else (slice(-dx, None), slice(None, dx))
    return (rows[0], columns[0]), (rows[1], columns[1])


def _persistence(z: np.ndarray, summit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of all local maxima and their height above the saddle to a higher one (nm)."""
    heights, label = z.ravel(), summit.ravel()
    maxima = np.flatnonzero((label == np.arange(label.size)) & np.isfinite(heights))
    number = np.zeros(label.size, dtype=np.int32)
    number[maxima] = np.arange(maxima.size)
    level = heights[maxima].astype(np.float64)
    first, second, saddle = [], [], []
    for dy, dx in _NEIGHBOURS:
        here, there = _pair(dy, dx)
        a, b = summit[here], summit[there]
        low = np.minimum(z[here], z[there])
        rim = (a != b) & np.isfinite(low)
        first.append(number[a[rim]])
        second.append(number[b[rim]])
        saddle.append(low[rim])
    persistence = np.full(maxima.size, np.inf)
    edges = np.concatenate(first), np.concatenate(second), np.concatenate(saddle).astype(np.float64)
    _merge(*_contract(*edges, level, persistence), level, persistence)
    return maxima, persistence


def _contract(
    a: np.ndarray, b: np.ndarray, saddle: np.ndarray, level: np.ndarray, persistence: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """End most summits at once (persistence is filled in place) and give the edges that are left.

    A summit whose highest pass leads to a higher one ends at that pass: nothing joins it before.
    """
    for _ in range(30):
        if a.size < 2000:
            break
        best = np.full(level.size, -np.inf)
        np.maximum.at(best, a, saddle)
        np.maximum.at(best, b, saddle)
        beyond = np.arange(level.size)
        for here, there in ((a, b), (b, a)):
            tied = np.flatnonzero(saddle == best[here])
            low, high = here[tied], there[tied]
            # Of passes of equal height the one to a higher summit is wanted, so it is written last.
            rises = level[high] > level[low]
            for chosen in (~rises, rises):
                beyond[low[chosen]] = high[chosen]
        ends = (level[beyond] > level) | ((level[beyond] == level) & (beyond > np.arange(level.size)))
        ends &= np.isfinite(best)
        persistence[ends] = level[ends] - best[ends]
        heir = np.where(ends, beyond, np.arange(level.size))
        while True:
            further = heir[heir]
            if np.array_equal(further, heir):
                break
            heir = further
        a, b = heir[a], heir[b]
        apart = a != b
        a, b, saddle = a[apart], b[apart], saddle[apart]
    return a, b, saddle


def _merge(a: np.ndarray, b: np.ndarray, saddle: np.ndarray, level: np.ndarray, persistence: np.ndarray) -> None:
    """Join the summits that are left from the highest pass down; the lower one of a pair ends there (in place)."""
    order = np.argsort(-saddle)
    parent: dict[int, int] = {}
    heights = level.tolist()

    def root(i: int) -> int:
        while (up := parent.get(i, i)) != i:
            parent[i] = parent.get(up, up)
            i = up
        return i

    for i, j, height in zip(a[order].tolist(), b[order].tolist(), saddle[order].tolist(), strict=True):
        low, high = root(i), root(j)
        if low == high:
            continue
        if heights[low] > heights[high]:
            low, high = high, low
        parent[low] = high
        persistence[low] = heights[low] - height


def _curvature(surface: np.ndarray, row: np.ndarray, column: np.ndarray, py: float, px: float) -> np.ndarray:
    """Minus half the sum of the second differences at the pixels, 1/nm; NaN at the rim and beside holes."""
    padded_rows, padded_columns = np.clip(row, 1, surface.shape[0] - 2), np.clip(column, 1, surface.shape[1] - 2)
    inner = (padded_rows == row) & (padded_columns == column)
    r, c = padded_rows, padded_columns
    middle = 2.0 * surface[r, c]
    bend = (surface[r, c - 1] + surface[r, c + 1] - middle) / px**2
    bend = bend + (surface[r - 1, c] + surface[r + 1, c] - middle) / py**2
    return np.where(inner, -0.5 * bend, np.nan)
