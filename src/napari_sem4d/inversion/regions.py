"""Mean signals of regions: robust against saturation, with standard errors measured from the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.optimize import minimize
from scipy.special import log_ndtr

from napari_sem4d.errors import InputError

_MOST_CLIPPED = 0.6  # beyond this share of saturated pixels a mean is an extrapolation
_LEAST_PIXELS = 30
_NEIGHBOURHOOD = 5  # pixels over which noise is averaged before debris is told from it
_OUTLIER = 3.5


@dataclass(frozen=True)
class RegionMeans:
    """Mean signal of every region and segment.

    Attributes
    ----------
    mean, standard_error : numpy.ndarray, shape (R, K)
        Signal units. The standard error comes from the spread between blocks of the region, so that texture
        and correlated noise count.
    clipped : numpy.ndarray, shape (R, K)
        Share of saturated pixels, 0 to 1.
    pixels : numpy.ndarray, shape (R,)
        Number of pixels.
    """

    mean: np.ndarray
    standard_error: np.ndarray
    clipped: np.ndarray
    pixels: np.ndarray


def region_means(
    signals: np.ndarray,
    masks: np.ndarray,
    saturation: float | None = None,
    block: int = 32,
    trend: np.ndarray | None = None,
) -> RegionMeans:
    """Mean signals with saturated pixels censored (not averaged in, not dropped).

    A bright face of an 8-bit image is often cut off at the top of the scale: averaging what is left, or
    dropping the pixels at the limit, makes it too dark. The mean is that of the normal distribution of which
    the pixels below the limit are seen and the others are known to lie above (Tobin, Econometrica 26, 24,
    1958). Debris is left out (:func:`without_debris`).

    Parameters
    ----------
    signals : numpy.ndarray, shape (K, Y, X)
        NaN where invalid.
    masks : numpy.ndarray of bool, shape (R, Y, X)
    saturation : float, optional
        Signal at and above which a pixel is saturated; None: the image's largest value where it is repeated.
    block : int
        Edge of the blocks whose spread gives the standard error, pixels.
    trend : numpy.ndarray, optional, shape (K, Y, X)
        Shading that is subtracted (zero mean where it was fitted), signal units.

    Raises
    ------
    InputError
        If a region has too few valid pixels, or is saturated in most of them.
    """
    masks = np.stack([without_debris(signals, mask) for mask in masks])
    regions, segments = len(masks), len(signals)
    mean, error, clipped = (np.full((regions, segments), np.nan) for _ in range(3))
    pixels = masks.sum((1, 2))
    for k, image in enumerate(signals):
        limit = saturation_limit(image) if saturation is None else saturation
        shade = np.zeros_like(image) if trend is None else trend[k]
        for r, mask in enumerate(masks):
            rows, cols = np.nonzero(mask & np.isfinite(image))
            if rows.size < _LEAST_PIXELS:
                raise InputError(
                    f"region {r + 1} has only {rows.size} valid pixels in segment {k + 1}: too few for a mean; "
                    "use an image of higher magnification or mark a larger region"
                )
            values = image[rows, cols].astype(np.float64)
            high = values >= limit
            clipped[r, k] = high.mean()
            if clipped[r, k] > _MOST_CLIPPED:
                raise InputError(
                    f"region {r + 1} of segment {k + 1} is saturated in {clipped[r, k]:.0%} of its pixels, so its "
                    "signal is not known; record it again with less contrast or brightness on this segment"
                )
            values -= shade[rows, cols]
            mean[r, k] = censored_mean(values, high)
            error[r, k] = _block_error(values, high, rows // block, cols // block)
    return RegionMeans(mean, error, clipped, pixels)


def without_debris(signals: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Region without the spots that stand out from it in any segment: particles, pores, scratches.

    Parameters
    ----------
    signals : numpy.ndarray, shape (K, Y, X)
    mask : numpy.ndarray of bool, shape (Y, X)

    Returns
    -------
    numpy.ndarray of bool, shape (Y, X)
        Pixels whose neighbourhood (5 x 5) lies within 3.5 robust standard deviations of the region's median, and
        which are more than two pixels away from any that does not.
    """
    rows, cols = np.nonzero(mask)
    if rows.size == 0:
        return mask
    box = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    inside = mask[box]
    odd = np.zeros(inside.shape, bool)
    for image in signals:
        valid = np.isfinite(image[box]) & inside
        share = ndimage.uniform_filter(valid.astype(np.float64), _NEIGHBOURHOOD)
        total = ndimage.uniform_filter(np.where(valid, image[box], 0.0).astype(np.float64), _NEIGHBOURHOOD)
        with np.errstate(invalid="ignore", divide="ignore"):
            local = np.where(valid, total / share, np.nan)
        middle = np.nanmedian(local)
        spread = 1.4826 * np.nanmedian(np.abs(local - middle))
        with np.errstate(invalid="ignore"):
            odd |= np.abs(local - middle) > _OUTLIER * spread
    out = np.zeros_like(mask)
    out[box] = inside & ~ndimage.binary_dilation(odd, iterations=2)
    return out if out.sum() >= 0.5 * rows.size else mask


def saturation_limit(image: np.ndarray) -> float:
    """Largest value of an image if more than one pixel in 10,000 has it, else infinity."""
    top = float(np.nanmax(image))
    return top if np.mean(image == top) > 1e-4 else np.inf


def censored_mean(values: np.ndarray, high: np.ndarray) -> float:
    """Mean of a normal sample in which ``high`` marks the values that are only known to be larger.

    Parameters
    ----------
    values : numpy.ndarray, shape (N,)
        For marked pixels, the limit.
    high : numpy.ndarray of bool, shape (N,)
    """
    if not high.any():
        return float(values.mean())
    seen, limits = values[~high], values[high]
    if seen.size < 3:
        return float(values.mean())
    start, spread = float(values.mean()), max(float(values.std()), 1e-12)
    seen, limits = (seen - start) / spread, (limits - start) / spread

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        # Olsen's parametrisation (inverse spread h, mean over spread d) is concave.
        d, h = x
        z, t = h * seen - d, h * limits - d
        tail = log_ndtr(-t)
        hazard = np.exp(-0.5 * t * t - 0.5 * np.log(2 * np.pi) - tail)
        value = -seen.size * np.log(h) + 0.5 * (z @ z) - tail.sum()
        return value, np.array([-z.sum() - hazard.sum(), -seen.size / h + z @ seen + hazard @ limits])

    result = minimize(loss, [0.0, 1.0], jac=True, method="L-BFGS-B", bounds=[(None, None), (1e-3, None)])
    d, h = result.x
    return start + spread * float(d / h)


def _block_error(values: np.ndarray, high: np.ndarray, block_row: np.ndarray, block_col: np.ndarray) -> float:
    """Standard error of the mean from the spread of block means (weighted by their pixels)."""
    key = block_row * (block_col.max() + 1) + block_col
    _, index, count = np.unique(key, return_inverse=True, return_counts=True)
    large = np.flatnonzero(count >= max(_LEAST_PIXELS, 0.25 * count.max()))
    if large.size < 4:
        return float(values.std() / np.sqrt(max(values.size / 9, 1)))
    means = np.array([censored_mean(values[index == b], high[index == b]) for b in large])
    weight = count[large] / count[large].sum()
    centre = weight @ means
    variance = weight @ (means - centre) ** 2 / (1 - weight @ weight)
    return float(np.sqrt(variance * (weight @ weight)))


def plane_trend(signals: np.ndarray, mask: np.ndarray, row: float, col: float) -> np.ndarray:
    """Linear shading of the surroundings, zero at (row, col), shape (K, Y, X), signal units.

    A detector that is not quite centred makes a flat brighter on one side; across an imprint this is up to a
    per cent of the signal.
    """
    rows, cols = np.nonzero(mask & np.isfinite(signals).all(0))
    design = np.stack([np.ones(rows.size), rows - row, cols - col], axis=1)
    all_rows, all_cols = np.indices(signals.shape[1:])
    out = np.empty(signals.shape)
    for k, image in enumerate(signals):
        values = image[rows, cols].astype(np.float64)
        keep = np.ones(values.size, bool)
        for _ in range(3):
            plane = np.linalg.lstsq(design[keep], values[keep], rcond=None)[0]
            rest = values - design @ plane
            keep = np.abs(rest) <= 3 * rest[keep].std() + 1e-12
        out[k] = plane[1] * (all_rows - row) + plane[2] * (all_cols - col)
    return out
