"""Pixel sizes, checked once: everything in this room takes them as one number or as (y, x), in nm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from napari_sem4d.errors import InputError

PixelNm = float | Sequence[float]


def pixel_yx(pixel_nm: PixelNm) -> tuple[float, float]:
    """Give the pixel size as (y, x) in nm.

    Parameters
    ----------
    pixel_nm : float or (float, float)
        Edge of a square pixel, or (row spacing, column spacing), nm.

    Returns
    -------
    (float, float)
        Row spacing and column spacing in nm.

    Raises
    ------
    InputError
        If a size is missing, not finite, or not positive.
    """
    sizes = np.atleast_1d(np.asarray(pixel_nm, dtype=float))
    if sizes.shape not in {(1,), (2,)}:
        raise InputError(f"A pixel size is one number or (y, x) in nm, not {pixel_nm!r}: give one of the two.")
    if not np.all(np.isfinite(sizes)) or np.any(sizes <= 0):
        raise InputError(f"The pixel size {pixel_nm!r} nm is not a positive number: give the true size in nm.")
    return float(sizes[0]), float(sizes[-1])


def height_map(height: np.ndarray, ndim: int = 2) -> np.ndarray:
    """Give the height as a float array of ``ndim`` axes, infinities turned into NaN (invalid).

    Parameters
    ----------
    height : array
        Heights in nm; NaN marks invalid pixels.
    ndim : int
        How many axes are wanted.

    Returns
    -------
    ndarray
        float32 stays float32, everything else becomes float64. The input is never changed.

    Raises
    ------
    InputError
        If the number of axes differs, an axis is empty, or the values are not real numbers.
    """
    array = np.asarray(height)
    if array.ndim != ndim:
        raise InputError(f"A height array of {ndim} axes is needed, not of shape {array.shape}: pick one frame.")
    if array.size == 0:
        raise InputError(f"The height array is empty (shape {array.shape}): choose a region that holds pixels.")
    if array.dtype.kind not in "fiub":
        raise InputError(f"Heights must be real numbers, not {array.dtype}: convert the array first.")
    if array.dtype != np.float32:
        array = array.astype(np.float64)
    if not np.isinf(array).any():
        return array
    return np.where(np.isinf(array), np.nan, array)


def masked_gaussian(surface: np.ndarray, sigma_px: tuple[float, float]) -> np.ndarray:
    """Gaussian mean of the valid pixels, shape (Y, X), sigma (y, x) in pixels; NaN stays NaN.

    For preparing a map (looking for facets, averaging pixels); figures take the filters with nesting indices.
    """
    valid = np.isfinite(surface)
    weight = ndimage.gaussian_filter(valid.astype(np.float64), sigma_px, mode="constant")
    total = ndimage.gaussian_filter(np.where(valid, surface, 0.0).astype(np.float64), sigma_px, mode="constant")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(valid, total / weight, np.nan)
