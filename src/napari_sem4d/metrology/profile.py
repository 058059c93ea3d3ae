"""Height profiles along lines, polylines and rectangles, with the true distance in nm.

Points are (row, column) in pixels, the centre of the first pixel being (0, 0). ``x_nm`` and ``y_nm`` are
column x pixel and row x pixel: y grows downwards like the array, as in the result store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_sem4d.errors import InputError
from napari_sem4d.metrology.intervals import Interval, linear_interval, with_scale
from napari_sem4d.metrology.pixels import PixelNm, height_map, pixel_yx

# A sample that is averaged over the width counts when at least this part of the width is valid.
_VALID_PART = 0.5
# Bilinear weights below this are rounding, so a NaN neighbour that carries one does no harm.
_NO_WEIGHT = 1e-9


@dataclass(frozen=True)
class Profile:
    """Heights along a path. All arrays have one entry for each of the N samples.

    Attributes
    ----------
    distance_nm : ndarray, shape (N,)
        Euclidean distance along the path from its start, nm, equally spaced.
    height_nm : ndarray, shape (N,)
        Mean height over the width, nm; NaN where invalid.
    x_nm, y_nm : ndarray, shape (N,)
        Where the sample lies: column x pixel and row x pixel, nm.
    valid : ndarray of bool, shape (N,)
        False outside the map and where the map is invalid.
    width_nm : float
        Width over which heights are averaged, nm (0: a bare line).
    row, column : ndarray, shape (N,)
        Where the sample lies, in pixels.
    height_std : ndarray, shape (N,), or None
        Standard uncertainty of ``height_nm``, nm.
    draws : ndarray, shape (D, N), or None
        The same profile through each posterior draw, nm; differences along the profile take their
        interval from these, because neighbouring errors are correlated.
    scale_std : float
        Relative standard uncertainty of the height scale; ``draws`` do not hold it, ``height_std`` does.
    """

    distance_nm: np.ndarray
    height_nm: np.ndarray
    x_nm: np.ndarray
    y_nm: np.ndarray
    valid: np.ndarray
    width_nm: float
    row: np.ndarray
    column: np.ndarray
    height_std: np.ndarray | None = None
    draws: np.ndarray | None = None
    scale_std: float = 0.0

    @property
    def length_nm(self) -> float:
        """Length of the path in nm."""
        return float(self.distance_nm[-1])

    @property
    def spacing_nm(self) -> float:
        """Distance between samples in nm (0 for a single sample)."""
        return float(self.distance_nm[1]) if self.distance_nm.size > 1 else 0.0

    def with_heights(self, height_nm: np.ndarray) -> Profile:
        """Give the same path with other heights (levelled, filtered), nm; uncertainties are kept."""
        return replace(self, height_nm=height_nm, valid=np.isfinite(height_nm))


@dataclass(frozen=True)
class CursorReading:
    """What two cursors on a profile say: nm, degrees.

    ``height_difference_std`` (nm) and ``interval`` (95 % of the difference, nm) are None without draws.
    """

    distance_nm: float
    height_difference_nm: float
    angle_deg: float
    height_difference_std: float | None
    interval: Interval | None = None


@dataclass(frozen=True)
class Kymograph:
    """Profiles along one path through time: ``height_nm`` has shape (T, N), ``distance_nm`` (N,)."""

    distance_nm: np.ndarray
    height_nm: np.ndarray
    width_nm: float


def sample_line(
    height: np.ndarray,
    pixel_nm: PixelNm,
    start_rc: tuple[float, float],
    end_rc: tuple[float, float],
    width_px: float = 1.0,
    *,
    draws: np.ndarray | None = None,
    height_std: np.ndarray | None = None,
    scale_std: float = 0.0,
    spacing_nm: float | None = None,
) -> Profile:
    """Sample the heights along a straight line.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        nm; NaN is invalid.
    pixel_nm : float or (y, x)
        nm.
    start_rc, end_rc : (row, column)
        Ends in pixels; both are sampled. Parts outside the map come back invalid.
    width_px : float
        Width of the average across the line, in pixels (for oblong pixels of their geometric mean).
    draws : ndarray, shape (D, Y, X), optional
        Posterior draws of the height, nm.
    height_std : ndarray, shape (Y, X), optional
        Standard uncertainty of a pixel, nm, used where there are no draws; errors inside the width are
        then taken as fully correlated, because nothing says otherwise.
    scale_std : float
        Relative standard uncertainty of the height scale, which draws do not hold: it joins them in quadrature.
    spacing_nm : float, optional
        Largest distance between samples, nm; the smaller pixel edge if not given.

    Returns
    -------
    Profile

    Raises
    ------
    InputError
        If a point is not finite, or shapes do not fit.
    """
    return sample_polyline(
        height,
        pixel_nm,
        np.array([start_rc, end_rc], dtype=float),
        width_px,
        draws=draws,
        height_std=height_std,
        scale_std=scale_std,
        spacing_nm=spacing_nm,
    )


def sample_polyline(
    height: np.ndarray,
    pixel_nm: PixelNm,
    points_rc: np.ndarray,
    width_px: float = 1.0,
    *,
    draws: np.ndarray | None = None,
    height_std: np.ndarray | None = None,
    scale_std: float = 0.0,
    spacing_nm: float | None = None,
) -> Profile:
    """Sample the heights along a path of straight pieces; see :func:`sample_line`.

    Samples are equally spaced in arc length from the first point to the last one; ``points_rc`` has
    shape (P, 2), P >= 2.
    """
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    path = _path(points_rc, (py, px), spacing_nm)
    pitch = float(np.sqrt(py * px))
    if not np.isfinite(width_px) or width_px < 0:
        raise InputError(f"The width of a profile must be 0 or more pixels, not {width_px}.")
    rows, columns = _across(path, (py, px), pitch, max(1, round(float(width_px))))
    values = _sample_mean(surface[None], rows, columns)[0]
    drawn = None
    std = None
    if draws is not None:
        drawn = _sample_mean(_stack(draws, surface.shape, "posterior draws"), rows, columns)
        if drawn.shape[0] > 1:
            std = np.hypot(drawn.std(axis=0, ddof=1), scale_std * values)
    elif height_std is not None:
        std = _sample_mean(_stack(height_std[None], surface.shape, "height_std"), rows, columns)[0]
    return Profile(
        distance_nm=path.distance,
        height_nm=values,
        x_nm=path.column * px,
        y_nm=path.row * py,
        valid=np.isfinite(values),
        width_nm=(rows.shape[0] - 1) * pitch,
        row=path.row,
        column=path.column,
        height_std=std,
        draws=drawn,
        scale_std=scale_std,
    )


def sample_rectangle(
    height: np.ndarray,
    pixel_nm: PixelNm,
    corners_rc: np.ndarray,
    *,
    along: str = "long",
    draws: np.ndarray | None = None,
    height_std: np.ndarray | None = None,
    scale_std: float = 0.0,
) -> Profile:
    """Sample along the middle of a rectangle (in any direction), averaged over its whole width.

    Parameters
    ----------
    height, pixel_nm, draws, height_std, scale_std
        As in :func:`sample_line`.
    corners_rc : ndarray, shape (4, 2)
        Corners (row, column) in order around the rectangle.
    along : {"long", "first", "second"}
        Run along the longer side (nm), or along the side from corner 0 to 1, or from corner 1 to 2.

    Returns
    -------
    Profile

    Raises
    ------
    InputError
        If there are not four corners, or ``along`` is unknown.
    """
    points, width = rectangle_axis(corners_rc, pixel_nm, along=along)
    return sample_polyline(
        height, pixel_nm, points, width, draws=draws, height_std=height_std, scale_std=scale_std
    )


def rectangle_axis(corners_rc: np.ndarray, pixel_nm: PixelNm, *, along: str = "long") -> tuple[np.ndarray, float]:
    """Middle line of a rectangle, shape (2, 2), and its width, both in pixels; see :func:`sample_rectangle`."""
    corners = np.asarray(corners_rc, dtype=float)
    if corners.shape != (4, 2):
        raise InputError(f"A rectangle has four corners (row, column), not an array of shape {corners.shape}.")
    pixel = np.array(pixel_yx(pixel_nm))
    sides = [float(np.linalg.norm((corners[i + 1] - corners[i]) * pixel)) for i in (0, 1)]
    choices = {"first": 0, "second": 1, "long": int(sides[1] > sides[0])}
    if along not in choices:
        raise InputError(f"A rectangle is sampled along {sorted(choices)}, not {along!r}: choose one of them.")
    if choices[along] == 0:
        start, end, width = (corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2, sides[1]
    else:
        start, end, width = (corners[0] + corners[1]) / 2, (corners[3] + corners[2]) / 2, sides[0]
    pitch = float(np.sqrt(pixel.prod()))
    # n samples one pitch apart cover n - 1 pitches between the outer ones.
    return np.stack([start, end]), width / pitch + 1


def sample_kymograph(
    heights: np.ndarray, pixel_nm: PixelNm, points_rc: np.ndarray, width_px: float = 1.0
) -> Kymograph:
    """Sample one path in every frame of ``heights``, shape (T, Y, X), nm, reading one frame at a time.

    ``heights`` may be any object with that shape that gives a frame when indexed (dask, zarr).
    """
    frames = [sample_polyline(np.asarray(heights[t]), pixel_nm, points_rc, width_px) for t in range(len(heights))]
    if not frames:
        raise InputError("The series holds no frame, so there is no kymograph: choose at least one time.")
    return Kymograph(frames[0].distance_nm, np.stack([p.height_nm for p in frames]), frames[0].width_nm)


def read_cursors(profile: Profile, first_nm: float, second_nm: float) -> CursorReading:
    """Read distance, height difference (second minus first) and angle between two cursors.

    Heights are interpolated linearly between samples; the angle is atan(difference / distance), degrees,
    positive where the surface rises from the first cursor to the second. The interval of the difference comes from
    the draws and the uncertainty of the height scale.

    Parameters
    ----------
    profile : Profile
        The sampled line.
    first_nm, second_nm : float
        Positions along the path, nm; clipped to its ends.
    """
    where = np.clip([first_nm, second_nm], 0.0, profile.length_nm)
    low, high = (float(v) for v in _read(profile.distance_nm, profile.height_nm, where))
    distance = float(where[1] - where[0])
    interval = None
    if profile.draws is not None and profile.draws.shape[0] > 1:
        ends = _read(profile.distance_nm, profile.draws, where)
        interval = with_scale(linear_interval(high - low, ends[:, 1] - ends[:, 0]), profile.scale_std)
    angle = float(np.degrees(np.arctan2(high - low, abs(distance)))) if distance else float("nan")
    return CursorReading(abs(distance), high - low, angle, interval.std if interval else None, interval)


@dataclass(frozen=True)
class _Path:
    row: np.ndarray
    column: np.ndarray
    distance: np.ndarray
    direction: np.ndarray  # (N, 2) unit vectors (y, x) in nm space


def _path(points_rc: np.ndarray, pixel: tuple[float, float], spacing_nm: float | None) -> _Path:
    points = np.asarray(points_rc, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or points.shape[0] < 2:
        raise InputError(f"A profile needs two or more points (row, column), not shape {points.shape}.")
    if not np.isfinite(points).all():
        raise InputError("A point of the profile is not a finite number: draw the line again.")
    steps = np.diff(points * np.array(pixel), axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    keep = lengths > 0
    if not keep.any():
        one = points[:1]
        return _Path(one[:, 0], one[:, 1], np.zeros(1), np.array([[0.0, 1.0]]))
    points = np.concatenate([points[:1], points[1:][keep]])
    steps, lengths = steps[keep], lengths[keep]
    knots = np.concatenate([[0.0], np.cumsum(lengths)])
    spacing = min(pixel) if spacing_nm is None else float(spacing_nm)
    if not np.isfinite(spacing) or spacing <= 0:
        raise InputError(f"The spacing of samples must be a positive length in nm, not {spacing_nm}.")
    # A hair is taken off, so that a length of exactly n pixels gives n + 1 samples in spite of rounding.
    count = max(1, int(np.ceil(knots[-1] / spacing - 1e-9)))
    distance = np.linspace(0.0, knots[-1], count + 1)
    piece = np.clip(np.searchsorted(knots, distance, side="right") - 1, 0, len(lengths) - 1)
    return _Path(
        np.interp(distance, knots, points[:, 0]),
        np.interp(distance, knots, points[:, 1]),
        distance,
        (steps / lengths[:, None])[piece],
    )


def _across(path: _Path, pixel: tuple[float, float], pitch: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, shape (count, N), of the samples across the path, perpendicular in nm."""
    offset = (np.arange(count) - (count - 1) / 2)[:, None] * pitch
    rows = path.row + offset * (-path.direction[:, 1]) / pixel[0]
    columns = path.column + offset * path.direction[:, 0] / pixel[1]
    return rows, columns


def _stack(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    stack = np.asarray(array)
    if stack.ndim != 3 or stack.shape[1:] != shape:
        raise InputError(f"The {name} have shape {stack.shape}, but the height map {shape}: take the same frame.")
    return stack


def _sample_mean(stack: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear samples of (D, Y, X) at (W, N) positions, averaged over the valid ones of W: (D, N)."""
    ny, nx = stack.shape[-2:]
    # Half a pixel beyond the outer centres still belongs to the map.
    inside = (rows >= -0.5) & (rows <= ny - 0.5) & (columns >= -0.5) & (columns <= nx - 0.5)
    r, c = np.clip(rows, 0, ny - 1), np.clip(columns, 0, nx - 1)
    r0, c0 = np.minimum(r.astype(int), max(ny - 2, 0)), np.minimum(c.astype(int), max(nx - 2, 0))
    r1, c1 = np.minimum(r0 + 1, ny - 1), np.minimum(c0 + 1, nx - 1)
    fr, fc = r - r0, c - c0
    total = np.zeros((stack.shape[0], *rows.shape))
    good = np.broadcast_to(inside, total.shape).copy()
    for ri, ci, weight in (
        (r0, c0, (1 - fr) * (1 - fc)),
        (r0, c1, (1 - fr) * fc),
        (r1, c0, fr * (1 - fc)),
        (r1, c1, fr * fc),
    ):
        value = stack[:, ri, ci].astype(np.float64)
        bad = ~np.isfinite(value)
        good &= ~(bad & (weight > _NO_WEIGHT))
        total += np.where(bad, 0.0, value) * weight
    number = good.sum(axis=1)
    enough = number >= max(1.0, _VALID_PART * rows.shape[0])
    mean = np.where(good, total, 0.0).sum(axis=1) / np.maximum(number, 1)
    return np.where(enough, mean, np.nan)


def _read(distance: np.ndarray, heights: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Linear interpolation along the last axis; NaN where a neighbour that carries weight is NaN."""
    if distance.size == 1:
        return np.repeat(heights[..., :1], len(where), axis=-1)
    position = where / distance[-1] * (distance.size - 1)
    low = np.minimum(position.astype(int), distance.size - 2)
    part = position - low
    a, b = heights[..., low], heights[..., low + 1]
    return np.where(part <= _NO_WEIGHT, a, np.where(part >= 1 - _NO_WEIGHT, b, a * (1 - part) + b * part))
