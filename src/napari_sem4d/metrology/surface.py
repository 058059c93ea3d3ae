"""A height map made ready for roughness figures: region, levelling (F), S and L filter, in this order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.metrology.filters import l_filter, s_filter
from napari_sem4d.metrology.levelling import level_facet, level_lines, level_polynomial
from napari_sem4d.metrology.pixels import PixelNm, height_map, pixel_yx


@dataclass(frozen=True)
class Treatment:
    """What is done to a map before it is measured.

    Attributes
    ----------
    levelling : str
        "none", "mean", "plane", "facet", "lines" (the plane, then each row's median), or "polynomial2" to
        "polynomial8".
    s_nm, l_nm : float or None
        Nesting indices of the S and the L filter, nm; None: that filter is not used.
    """

    levelling: str = "plane"
    s_nm: float | None = None
    l_nm: float | None = None

    def __post_init__(self) -> None:
        if self.s_nm is not None and self.l_nm is not None and self.s_nm >= self.l_nm:
            raise InputError(
                f"The S nesting index ({self.s_nm:g} nm) must be smaller than the L nesting index "
                f"({self.l_nm:g} nm), because S removes what is shorter and L what is longer."
            )
        self._degree()

    def _degree(self) -> int | None:
        fixed = {"none": None, "facet": None, "mean": 0, "plane": 1, "lines": 1}
        if self.levelling in fixed:
            return fixed[self.levelling]
        if self.levelling.startswith("polynomial") and self.levelling[10:].isdecimal():
            return int(self.levelling[10:])
        raise InputError(
            f"Levelling is none, mean, plane, facet, lines or polynomial2 to polynomial8, not "
            f"{self.levelling!r}: choose one."
        )

    def apply(self, height: np.ndarray, pixel_nm: PixelNm) -> np.ndarray:
        """Treat a map, shape (Y, X), nm; NaN stays NaN."""
        degree = self._degree()
        if self.levelling == "facet":
            height = level_facet(height, pixel_nm).height
        elif degree is not None:
            height = level_polynomial(height, pixel_nm, degree).height
        if self.levelling == "lines":
            height = level_lines(height).height
        if self.s_nm is not None:
            height = s_filter(height, pixel_nm, self.s_nm)
        if self.l_nm is not None:
            height = l_filter(height, pixel_nm, self.l_nm)
        return height


@dataclass(frozen=True)
class Surface:
    """A treated map and what its figures must know about it.

    Attributes
    ----------
    height : ndarray, shape (Y, X)
        Treated heights, nm; NaN outside the region and where invalid.
    pixel_nm : (y, x)
        nm.
    treatment : Treatment
        How it was treated.
    masked_fraction : float
        Part of the region without valid height, 0 to 1.
    relative : bool
        True: no reference has fixed the height scale.
    reliable_nm : (shortest, longest) or None
        Band of wavelengths that the instrument gives reliably, nm.
    scale_std : float
        Relative standard uncertainty of the height scale from the calibration (0 where none is known).
    raw, raw_draws : ndarray, shapes (Y, X) and (D, Y, X), or None
        The untreated heights, from which treated draws are made one at a time.
    """

    height: np.ndarray
    pixel_nm: tuple[float, float]
    treatment: Treatment
    masked_fraction: float
    relative: bool
    reliable_nm: tuple[float, float] | None
    raw: np.ndarray
    raw_draws: np.ndarray | None
    scale_std: float = 0.0

    @property
    def number_of_draws(self) -> int:
        """How many posterior draws there are (0 without)."""
        return 0 if self.raw_draws is None else len(self.raw_draws)

    def errors(self) -> Iterator[np.ndarray]:
        """Treated draw minus treated height for each draw: samples of the error, nm, shape (Y, X)."""
        if self.raw_draws is None:
            return
        for draw in self.raw_draws:
            treated = self.treatment.apply(np.where(np.isfinite(self.raw), draw, np.nan), self.pixel_nm)
            yield treated - self.height


def polygon_region(shape: tuple[int, int], points_rc: np.ndarray) -> np.ndarray:
    """Mask (Y, X) of the pixels whose centres lie inside a polygon or on its rim.

    Parameters
    ----------
    shape : (Y, X)
        Of the map.
    points_rc : ndarray, shape (P, 2)
        Corners (row, column) in pixels; where the polygon crosses itself, what is enclosed twice is outside.
    """
    points = np.asarray(points_rc, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise InputError(f"A region needs three or more points (row, column), not shape {points.shape}.")
    if not np.isfinite(points).all():
        raise InputError("A corner of the region is not a finite number: draw it again.")
    inside = np.zeros(shape, dtype=bool)
    # A rule for crossings must count each rim once; the four together count all of it as inside.
    for rim in ((True, True), (True, False), (False, True), (False, False)):
        inside |= _even_odd(shape, points, *rim)
    return inside


def _even_odd(shape: tuple[int, int], points: np.ndarray, with_top: bool, with_left: bool) -> np.ndarray:
    """Pixels with an odd number of edges to their left, one rim of the two in each direction counted as inside."""
    odd = np.zeros(shape, dtype=bool)
    columns = np.arange(shape[1])
    for (r0, c0), (r1, c1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        low, high = min(r0, r1), max(r0, r1)
        first, end = (np.ceil(low), np.ceil(high)) if with_top else (np.floor(low) + 1, np.floor(high) + 1)
        rows = np.arange(max(first, 0), min(end, shape[0]), dtype=int)
        if rows.size == 0:
            continue
        crossing = (c0 + (rows - r0) * ((c1 - c0) / (r1 - r0)))[:, None]
        odd[rows[0] : rows[-1] + 1] ^= columns >= crossing if with_left else columns > crossing
    return odd


def prepare_surface(
    height: np.ndarray,
    pixel_nm: PixelNm,
    treatment: Treatment | None = None,
    *,
    region: np.ndarray | None = None,
    draws: np.ndarray | None = None,
    relative: bool = False,
    reliable_nm: tuple[float, float] | None = None,
    scale_std: float = 0.0,
) -> Surface:
    """Cut out a region, level it and filter it.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        nm; NaN is invalid.
    pixel_nm : float or (y, x)
        nm.
    treatment : Treatment, optional
        Plane levelling without filters if not given.
    region : ndarray of bool, shape (Y, X), optional
        Rectangle, polygon or label to measure; the map is cut to its bounding box first.
    draws : ndarray, shape (D, Y, X), optional
        Posterior draws, nm.
    relative : bool
        Whether the height scale is relative (not calibrated).
    reliable_nm : (float, float), optional
        Reliable band of wavelengths, nm.
    scale_std : float
        Relative standard uncertainty of the height scale; joins the noise in every interval.

    Returns
    -------
    Surface

    Raises
    ------
    DomainError
        If the region holds no valid pixel, or a filter does not fit the pixels.
    InputError
        If shapes do not fit.
    """
    surface = height_map(height)
    pixel = pixel_yx(pixel_nm)
    treatment = treatment or Treatment()
    if draws is not None and np.shape(draws)[1:] != surface.shape:
        raise InputError(
            f"The posterior draws have shape {np.shape(draws)}, but the height map {surface.shape}: "
            "take the same frame."
        )
    box = (slice(None), slice(None))
    inside = np.ones(surface.shape, dtype=bool)
    if region is not None:
        inside = np.asarray(region, dtype=bool)
        if inside.shape != surface.shape:
            raise InputError(f"The region has shape {inside.shape}, but the height map {surface.shape}.")
        if not inside.any():
            raise DomainError("The region holds no pixel: draw a larger one.")
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    inside = inside[box]
    cut = surface[box] if inside.all() else np.where(inside, surface[box], np.nan)
    valid = np.isfinite(cut).sum()
    if valid == 0:
        raise DomainError("There is no valid height in this region: choose another one.")
    return Surface(
        height=treatment.apply(cut, pixel),
        pixel_nm=pixel,
        treatment=treatment,
        masked_fraction=1.0 - float(valid) / float(inside.sum()),
        relative=relative,
        reliable_nm=reliable_nm,
        raw=cut,
        raw_draws=None if draws is None else np.asarray(draws)[(slice(None), *box)],
        scale_std=0.0 if relative else float(scale_std),
    )
