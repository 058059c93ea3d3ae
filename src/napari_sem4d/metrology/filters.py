"""Linear and robust Gaussian filters with nesting indices, for profiles and areas, with end correction.

ISO 16610-21 (profiles) and ISO 16610-61 (areas): the weighting function is
``exp(-pi (x / (alpha L))^2) / (alpha L)`` with ``alpha = sqrt(ln 2 / pi)``, so the transmission of a
wavelength w is ``exp(-ln 2 (L / w)^2)``: 0.5 at the nesting index L. Ends and holes: the weights that
fall on valid data are normalised to one (moment criterion of order 0, ISO 16610-28), or, with order 1, the
weighted least-squares plane is taken, which passes a tilt through unchanged. The robust filter is that of
ISO 16610-31/-71: the same regression with Tukey's biweight, its limit 4.4478 times the median deviation.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.metrology.pixels import PixelNm, height_map, pixel_yx

# Least nesting index in samples: ISO 25178-3 asks for a sampling distance of at most a third of it.
LEAST_SAMPLES = 3.0
_TUKEY = 4.4478


def gaussian_transmission(wavelength_nm: np.ndarray | float, nesting_nm: float) -> np.ndarray:
    """Transmission (0 to 1) of the Gaussian low-pass filter for a wavelength in nm."""
    return np.exp(-np.log(2.0) * (nesting_nm / np.asarray(wavelength_nm, dtype=float)) ** 2)


def gaussian_filter(height: np.ndarray, pixel_nm: PixelNm, nesting_nm: float, *, order: int = 0) -> np.ndarray:
    """Low-pass a height map: what an S filter keeps, and what an L filter removes.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        nm; NaN is invalid and stays so.
    pixel_nm : float or (y, x)
        nm.
    nesting_nm : float
        Nesting index (cutoff wavelength), nm.
    order : {0, 1}
        End correction: normalised weights, or local plane.

    Returns
    -------
    ndarray of float64, shape (Y, X)
        nm.

    Raises
    ------
    DomainError
        If the nesting index is shorter than three pixels.
    InputError
        If ``order`` is neither 0 nor 1.
    """
    surface = height_map(height)
    pixel = pixel_yx(pixel_nm)
    _check_nesting(nesting_nm, max(pixel))
    valid = np.isfinite(surface)
    mean = _regress(surface, valid.astype(np.float64), pixel, nesting_nm, order, valid.all())
    mean[~valid] = np.nan
    return mean


def gaussian_filter_profile(
    height: np.ndarray, spacing_nm: float, nesting_nm: float, *, order: int = 0
) -> np.ndarray:
    """Low-pass a profile, shape (N,), by ISO 16610-21; parameters as in :func:`gaussian_filter`."""
    profile = height_map(height, ndim=1)
    _check_nesting(nesting_nm, spacing_nm)
    valid = np.isfinite(profile)
    mean = _regress(profile, valid.astype(np.float64), (spacing_nm,), nesting_nm, order, valid.all())
    mean[~valid] = np.nan
    return mean


def s_filter(height: np.ndarray, pixel_nm: PixelNm, nesting_nm: float) -> np.ndarray:
    """Remove lateral scales below the S nesting index, nm (low-pass)."""
    return gaussian_filter(height, pixel_nm, nesting_nm)


def l_filter(height: np.ndarray, pixel_nm: PixelNm, nesting_nm: float) -> np.ndarray:
    """Remove lateral scales above the L nesting index, nm (height minus its low-pass)."""
    return np.asarray(height, dtype=np.float64) - gaussian_filter(height, pixel_nm, nesting_nm)


def robust_gaussian_filter(
    height: np.ndarray, pixel_nm: PixelNm, nesting_nm: float, *, order: int = 1, iterations: int = 20
) -> np.ndarray:
    """Low-pass a height map without being drawn by spikes, pits or steps (ISO 16610-71).

    Parameters
    ----------
    height, pixel_nm, nesting_nm, order
        As in :func:`gaussian_filter`.
    iterations : int
        At most so many reweightings; fewer when the surface moves by less than 1e-4 of the limit.

    Returns
    -------
    ndarray of float64, shape (Y, X)
        nm, NaN where the height is invalid.
    """
    surface = height_map(height)
    pixel = pixel_yx(pixel_nm)
    _check_nesting(nesting_nm, max(pixel))
    return _robust(surface, pixel, nesting_nm, order, iterations)


def robust_gaussian_filter_profile(
    height: np.ndarray, spacing_nm: float, nesting_nm: float, *, order: int = 1, iterations: int = 20
) -> np.ndarray:
    """Low-pass a profile robustly (ISO 16610-31); parameters as in :func:`robust_gaussian_filter`."""
    profile = height_map(height, ndim=1)
    _check_nesting(nesting_nm, spacing_nm)
    return _robust(profile, (spacing_nm,), nesting_nm, order, iterations)


def _check_nesting(nesting_nm: float, spacing_nm: float) -> None:
    if not np.isfinite(nesting_nm) or nesting_nm <= 0:
        raise InputError(f"A nesting index is a positive wavelength in nm, not {nesting_nm}.")
    # A hair of slack, so that three pixels of 1/3 nm are three pixels.
    if nesting_nm < LEAST_SAMPLES * spacing_nm * (1 - 1e-9):
        raise DomainError(
            f"A nesting index of {nesting_nm:g} nm is shorter than three pixels of {spacing_nm:g} nm and "
            f"cannot be realised: choose at least {LEAST_SAMPLES * spacing_nm:g} nm."
        )


def _robust(
    surface: np.ndarray, pixel: tuple[float, ...], nesting_nm: float, order: int, iterations: int
) -> np.ndarray:
    valid = np.isfinite(surface)
    weight = valid.astype(np.float64)
    filled = np.where(valid, surface, 0.0).astype(np.float64)
    mean = _regress(surface, weight, pixel, nesting_nm, order, valid.all())
    for _ in range(iterations):
        residual = filled - mean
        limit = _TUKEY * float(np.median(np.abs(residual[valid])))
        if limit == 0.0:
            break
        weight = np.where(valid, np.clip(1.0 - (residual / limit) ** 2, 0.0, None) ** 2, 0.0)
        moved = _regress(surface, weight, pixel, nesting_nm, order, False)
        # Where every weight is zero nothing says better: the last estimate stays.
        moved = np.where(np.isfinite(moved), moved, mean)
        change, mean = float(np.max(np.abs(moved - mean)[valid])), moved
        if change < 1e-4 * limit:
            break
    mean[~valid] = np.nan
    return mean


def _regress(
    surface: np.ndarray, weight: np.ndarray, pixel: tuple[float, ...], nesting_nm: float, order: int, full: bool
) -> np.ndarray:
    """Local weighted mean (order 0) or the value of the local weighted line or plane (order 1)."""
    filled = surface.astype(np.float64) if full else np.where(weight > 0, surface, 0.0).astype(np.float64)
    convolve = _Convolution(surface.shape, pixel, nesting_nm)
    if order == 0:
        total = convolve(filled if full else filled * weight)
        below = convolve.of_ones() if full else convolve(weight)
        return _divide(total, below)
    if order != 1:
        raise InputError(f"The end correction has order 0 or 1, not {order}.")
    axes = range(surface.ndim)
    size = surface.ndim + 1
    one = convolve(weight)
    first = [convolve(weight, (k,)) for k in axes]
    matrix = np.empty((*surface.shape, size, size))
    vector = np.empty((*surface.shape, size))
    matrix[..., 0, 0] = one
    vector[..., 0] = convolve(filled * weight)
    for k in axes:
        matrix[..., 0, k + 1] = matrix[..., k + 1, 0] = first[k]
        vector[..., k + 1] = convolve(filled * weight, (k,))
        for m in range(k, surface.ndim):
            matrix[..., k + 1, m + 1] = matrix[..., m + 1, k + 1] = convolve(weight, (k, m))
    # Where too few weights are left the plane is not fixed: a small ridge falls back to the mean.
    ridge = 1e-9 * np.maximum(one, 1e-12)[..., None]
    matrix[..., range(1, size), range(1, size)] += ridge
    with np.errstate(invalid="ignore"):
        solved = np.linalg.solve(matrix + 1e-15 * np.eye(size), vector[..., None])[..., 0, 0]
    return np.where(one > 1e-9, solved, np.nan)


def _divide(total: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 1e-9, total / below, np.nan)


class _Convolution:
    """Convolution with the Gaussian weight (times coordinates, in sigmas) on a zero-padded grid."""

    def __init__(self, shape: tuple[int, ...], pixel: tuple[float, ...], nesting_nm: float) -> None:
        self.shape = shape
        # The weight is 4e-7 of its peak one nesting index away; short kernels keep 16 pixels for their tails.
        pads = [min(n, max(16, int(np.ceil(nesting_nm / p)))) for n, p in zip(shape, pixel, strict=True)]
        self.padded = [fft.next_fast_len(n + pad, real=True) for n, pad in zip(shape, pads, strict=True)]
        # The transmission exp(-ln 2 (L f)^2) is exp(-u^2 / 2) with u = f L sqrt(2 ln 2).
        self.scaled = nesting_nm * np.sqrt(2 * np.log(2.0))
        last = len(shape) - 1
        self.frequency = [
            (fft.rfftfreq(n, p) if k == last else fft.fftfreq(n, p)) * self.scaled
            for k, (n, p) in enumerate(zip(self.padded, pixel, strict=True))
        ]

    def __call__(self, array: np.ndarray, moments: tuple[int, ...] = ()) -> np.ndarray:
        spectrum = fft.rfftn(array, self.padded, workers=2)
        for axis, u in enumerate(self.frequency):
            along = [1] * len(self.shape)
            along[axis] = -1
            spectrum *= self._factor(u, moments.count(axis)).reshape(along)
        result = fft.irfftn(spectrum, self.padded, workers=2, overwrite_x=True)
        return result[tuple(slice(0, n) for n in self.shape)]

    def of_ones(self) -> np.ndarray:
        """The weight inside the map around each pixel, as a product of one vector for each axis."""
        parts = []
        for n, padded, u in zip(self.shape, self.padded, self.frequency, strict=True):
            half = np.abs(u[: padded // 2 + 1])
            spectrum = fft.rfft(np.ones(n), padded) * np.exp(-(half**2) / 2)
            parts.append(fft.irfft(spectrum, padded)[:n])
        return parts[0] if len(parts) == 1 else np.multiply.outer(parts[0], parts[1])

    @staticmethod
    def _factor(u: np.ndarray, power: int) -> np.ndarray:
        # Fourier transforms of g(t), t g(t), t^2 g(t) with t = (x' - x) / sigma, x' the place of the datum.
        base = np.exp(-(u**2) / 2)
        if power == 0:
            return base
        if power == 1:
            return 1j * u * base
        return (1 - u**2) * base
