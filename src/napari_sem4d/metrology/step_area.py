"""Step height on an area: ``z = a x + c y + b + h d`` with a robust loss, d = +1 above and -1 below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.metrology.intervals import Interval, linear_interval, with_scale
from napari_sem4d.metrology.levelling import level_facet
from napari_sem4d.metrology.material_ratio import MaterialRatioCurve
from napari_sem4d.metrology.pixels import PixelNm, height_map, pixel_yx
from napari_sem4d.metrology.robust import LinearFit, robust_fit


@dataclass(frozen=True)
class ArealStep:
    """Height between two parallel planes, nm, always positive (upper minus lower).

    Attributes
    ----------
    height_nm : float
        2 h.
    upper, lower : ndarray of bool, shape (Y, X)
        The pixels that were fitted.
    plane : ndarray, shape (Y, X)
        The plane half-way between the two, nm.
    noise_nm : float
        Robust standard deviation of the residuals, nm.
    std_nm : float or None
        Standard uncertainty from the draws, nm.
    draws_nm : ndarray or None
        The height in each draw, nm.
    scale_std : float
        Relative standard uncertainty of the height scale.
    """

    height_nm: float
    upper: np.ndarray
    lower: np.ndarray
    plane: np.ndarray
    noise_nm: float
    std_nm: float | None = None
    draws_nm: np.ndarray | None = None
    scale_std: float = 0.0

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the height from the draws and the height scale; None without draws."""
        if self.draws_nm is None:
            return None
        return with_scale(linear_interval(self.height_nm, self.draws_nm), self.scale_std)


def areal_step_height(
    height: np.ndarray,
    pixel_nm: PixelNm,
    *,
    upper: np.ndarray | None = None,
    lower: np.ndarray | None = None,
    exclude_nm: float | None = None,
    draws: np.ndarray | None = None,
    scale_std: float = 0.0,
) -> ArealStep:
    """Measure the height between two levels of a map (step, grating, islands), tilt included in the fit.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        nm; NaN is invalid.
    pixel_nm : float or (y, x)
        nm.
    upper, lower : ndarray of bool, optional
        The two levels, both or none; found by themselves if not given.
    exclude_nm : float, optional
        Pixels nearer than this to the border between found levels are left out; if not given a third of the
        narrower level's width, but at most a tenth of the map.
    draws : ndarray, shape (D, Y, X), optional
        Posterior draws, nm.
    scale_std : float
        Relative standard uncertainty of the height scale; joins the noise in the interval.

    Returns
    -------
    ArealStep

    Raises
    ------
    DomainError
        If the map does not show two levels, or one has too few pixels.
    InputError
        If only one of the two masks is given.
    """
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    if (upper is None) != (lower is None):
        raise InputError("Mark both the upper and the lower level, or neither.")
    valid = np.isfinite(surface)
    rows, columns = np.indices(surface.shape)
    scale = 0.5 * max(surface.shape)
    x, y = columns / scale - 1.0, rows / scale - 1.0
    if upper is not None and lower is not None:
        up, low = np.asarray(upper, dtype=bool) & valid, np.asarray(lower, dtype=bool) & valid & ~np.asarray(upper)
        fit, design, use = _fit(surface, x, y, up, low)
    else:
        facet = level_facet(surface, pixel_nm).height
        flat = _smooth(facet, valid)
        low_end, high_end = np.percentile(flat[valid], [2, 98])
        clipped = np.clip(flat, low_end, high_end)
        if not MaterialRatioCurve(clipped).is_bimodal:
            raise DomainError("This map does not show two separate levels: mark the upper and the lower one.")
        above = flat > threshold_otsu(clipped[valid])
        for _ in range(3):
            up, low = _inner(above, valid, (py, px), exclude_nm)
            fit, design, use = _fit(surface, x, y, up, low)
            middle = fit.coefficients[0] * x + fit.coefficients[1] * y + fit.coefficients[2]
            again = _smooth(surface - middle, valid) > 0
            if np.array_equal(again, above):
                break
            above = again
    a, c, b, h = fit.coefficients
    if h < 0:
        up, low = low, up
    drawn = std = None
    if draws is not None and len(draws) > 1:
        vector = fit.functional(design, 3) * np.sign(h or 1.0)
        drawn = np.array([2.0 * float(vector @ np.asarray(draw)[use]) for draw in draws])
        std = float(drawn.std(ddof=1))
    return ArealStep(2.0 * abs(float(h)), up, low, a * x + c * y + b, fit.noise, std, drawn, scale_std)


def _fit(
    surface: np.ndarray, x: np.ndarray, y: np.ndarray, up: np.ndarray, low: np.ndarray
) -> tuple[LinearFit, np.ndarray, np.ndarray]:
    """The fit, its design matrix (N, 4) and the pixels that it used (Y, X)."""
    use = up | low
    for part, name in ((up, "upper"), (low, "lower")):
        if part.sum() < 9:
            raise DomainError(f"The {name} level has fewer than 9 valid pixels inside its border: mark more.")
    design = np.column_stack([x[use], y[use], np.ones(int(use.sum())), np.where(up[use], 1.0, -1.0)])
    return robust_fit(design, surface[use].astype(np.float64)), design, use


def _smooth(surface: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Median over 3 x 3, which takes single outliers and keeps edges; invalid pixels take the median of all."""
    return ndimage.median_filter(np.where(valid, surface, np.median(surface[valid])), 3)


def _inner(
    above: np.ndarray, valid: np.ndarray, pixel: tuple[float, float], exclude_nm: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Both levels without a margin along their border."""
    depth_up = ndimage.distance_transform_edt(above, sampling=pixel)
    depth_low = ndimage.distance_transform_edt(~above, sampling=pixel)
    if exclude_nm is None:
        size = min(above.shape[0] * pixel[0], above.shape[1] * pixel[1])
        # The deepest pixel of a stripe lies half its width inside.
        exclude_nm = min(2.0 * min(depth_up.max(), depth_low.max()) / 3.0, 0.1 * size)
    return (depth_up > exclude_nm) & valid, (depth_low > exclude_nm) & valid
