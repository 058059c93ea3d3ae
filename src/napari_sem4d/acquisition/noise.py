"""Noise of the images, measured from the images: variance against signal, and correlation between pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.ndimage import uniform_filter

from napari_sem4d.acquisition.noise_statistics import (
    bin_variances,
    correlation_along,
    fit_line,
    quiet_tiles,
    second_difference,
    tile_means,
)
from napari_sem4d.errors import InputError

# Spacing of the second difference is raised until neighbours are nearly independent, but not further: structure
# leaks in with the fourth power of the spacing.
_MAX_SPACING = 3
_MIN_GAIN = 2.0
_SMOOTHING = 9


@dataclass(frozen=True)
class NoiseModel:
    """Noise of K segments: variance = floor + slope * signal, with correlation between neighbouring pixels.

    Attributes
    ----------
    floor, slope : tuple of float, length K
        Variance at signal 0 (signal units squared; negative where the signal has a positive dark level) and its
        increase with the signal (signal units).
    least : tuple of float, length K
        The variance is never taken below this: outside of the signals that were seen the line may reach zero.
    correlation_x, correlation_y : tuple of float
        Normalised autocorrelation at lags 0, 1, 2, ... pixels along a row (video bandwidth) and along a column;
        zero beyond. The noise is taken as separable: rho(dy, dx) = rho_y(dy) * rho_x(dx).
    """

    floor: tuple[float, ...]
    slope: tuple[float, ...]
    least: tuple[float, ...]
    correlation_x: tuple[float, ...] = (1.0,)
    correlation_y: tuple[float, ...] = (1.0,)

    def variance(self, signal: np.ndarray) -> np.ndarray:
        """Variance of a pixel, signal units squared, for noise-free signals of shape (K, ...)."""
        signal = np.asarray(signal, dtype=np.float64)
        across = (len(self.floor),) + (1,) * (signal.ndim - 1)
        floor, slope, least = (np.reshape(v, across) for v in (self.floor, self.slope, self.least))
        return np.asarray(np.maximum(floor + slope * signal, least))

    def sigma(self, signal: np.ndarray) -> np.ndarray:
        """Standard deviation of a pixel, signal units, for noise-free signals of shape (K, ...)."""
        return np.sqrt(self.variance(signal))

    @property
    def correlation_area(self) -> float:
        """Pixels that share one independent value: the sum of the autocorrelation over all lags.

        The variance of a mean over many pixels is ``variance * correlation_area / pixels``.
        """
        x, y = (2 * sum(rho) - rho[0] for rho in (self.correlation_x, self.correlation_y))
        return float(max(x, 0.0) * max(y, 0.0))

    def sample(self, rng: np.random.Generator, signal: np.ndarray) -> np.ndarray:
        """Draw noise with the model's variance and correlation.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of random numbers.
        signal : ndarray, shape (K, Y, X)
            Noise-free signals.

        Returns
        -------
        ndarray, shape (K, Y, X)
            Noise of mean zero, float64, signal units; independent between segments.
        """
        white = rng.standard_normal(np.shape(signal))
        for axis, rho in ((-1, self.correlation_x), (-2, self.correlation_y)):
            white = _colour(white, rho, axis)
        return white * self.sigma(signal)


def _colour(white: np.ndarray, rho: tuple[float, ...], axis: int) -> np.ndarray:
    """Give white noise the autocorrelation rho along an axis (periodic), keeping unit variance."""
    if len(rho) == 1:
        return white
    n = white.shape[axis]
    covariance = np.zeros(n)
    covariance[0] = rho[0]
    for lag, value in enumerate(rho[1:], start=1):
        if 2 * lag < n:
            covariance[lag] = covariance[-lag] = value
    # A measured autocorrelation may have a spectrum that dips below zero by its error.
    power = np.maximum(scipy.fft.fft(covariance).real, 0.0)
    power /= power.mean()
    half = np.sqrt(power[: n // 2 + 1])
    shape = [1] * white.ndim
    shape[axis] = len(half)
    spectrum = scipy.fft.rfft(white, axis=axis) * half.reshape(shape)
    return np.asarray(scipy.fft.irfft(spectrum, n=n, axis=axis))


def estimate_noise(
    frame: np.ndarray, saturation: float | None = None, mask: np.ndarray | None = None
) -> NoiseModel:
    """Measure the noise of one frame.

    Structure is removed by second differences, first along one axis to find the correlation along the other, then
    along both to find the variance, which is corrected for the correlation. Of the tiles of the image, in bins of
    the signal, only those with the least structure at longer wavelengths count. (After J. Immerkaer, Computer
    Vision and Image Understanding 64 (1996) 300, extended to correlated and signal-dependent noise.)

    Parameters
    ----------
    frame : ndarray, shape (K, Y, X)
        Signals; NaN is left out.
    saturation : float or None
        Pixels at or above this are left out, signal units.
    mask : ndarray of bool, shape (Y, X) or (K, Y, X), or None
        True where a pixel may be used.

    Returns
    -------
    NoiseModel

    Raises
    ------
    InputError
        If fewer than about 1,000 valid pixels are left in a segment.
    """
    images = _valid(frame, saturation, mask)
    quiet = [quiet_tiles(image, _SMOOTHING) for image in images]
    rho_x = correlation_along(1, [second_difference(image, 0) for image in images], quiet)
    rho_y = correlation_along(0, [second_difference(image, 1) for image in images], quiet)

    residuals, gain = [], 1.0
    axes = [(axis, *_spacing(rho)) for axis, rho in ((0, rho_y), (1, rho_x))]
    # Second differences of strongly correlated noise are mostly error: use such an axis only if both are so.
    used = [entry for entry in axes if entry[2] >= _MIN_GAIN] or [max(axes, key=lambda entry: entry[2])]
    for image in images:
        residual = image
        for axis, spacing, _ in used:
            residual = second_difference(residual, axis, spacing)
        residuals.append(residual)
    for _, _, axis_gain in used:
        gain *= axis_gain
    return _model(images, residuals, gain, quiet, rho_x, rho_y)


def noise_from_repeats(
    first: np.ndarray, second: np.ndarray, saturation: float | None = None, mask: np.ndarray | None = None
) -> NoiseModel:
    """Measure the noise from two images of the same area taken under the same conditions.

    Better than :func:`estimate_noise` on surfaces with structure at the scale of a pixel, if nothing moved.

    Parameters
    ----------
    first, second : ndarray, shape (K, Y, X)
        The two frames. A slow change of brightness between them is removed.
    saturation, mask
        As in :func:`estimate_noise`.

    Raises
    ------
    InputError
        If the shapes differ, or fewer than about 1,000 valid pixels are left in a segment.
    """
    if first.shape != second.shape:
        raise InputError(
            f"The two frames have different shapes, {first.shape} and {second.shape}; give equal ones."
        )
    a, b = _valid(first, saturation, mask), _valid(second, saturation, mask)
    window = 31
    residuals = []
    for one, two in zip(a, b, strict=True):
        difference = (one - two) / np.sqrt(2.0)
        valid = np.isfinite(difference)
        weight = uniform_filter(valid.astype(np.float64), window)
        slow = uniform_filter(np.where(valid, difference, 0.0), window) / np.maximum(weight, 1e-9)
        residuals.append(difference - slow)
    images = [0.5 * (one + two) for one, two in zip(a, b, strict=True)]
    quiet = [quiet_tiles(image, _SMOOTHING) for image in images]
    rho_x, rho_y = correlation_along(1, residuals, quiet), correlation_along(0, residuals, quiet)
    area = float((2 * sum(rho_x) - 1) * (2 * sum(rho_y) - 1))
    return _model(images, residuals, 1.0 - area / window**2, quiet, rho_x, rho_y)


def _valid(frame: np.ndarray, saturation: float | None, mask: np.ndarray | None) -> list[np.ndarray]:
    """Images as float64 with NaN where a pixel must not be used."""
    frame = np.asarray(frame)
    if frame.ndim != 3:
        raise InputError(
            f"Noise is measured on a frame of shape (segment, y, x); this one has shape {frame.shape}."
        )
    images = frame.astype(np.float64)
    if saturation is not None:
        images[images >= saturation] = np.nan
    if mask is not None:
        images[~np.broadcast_to(mask, images.shape)] = np.nan
    return list(images)


def _spacing(rho: tuple[float, ...]) -> tuple[int, float]:
    """Spacing of the second difference along an axis, and the factor on the noise variance there.

    The second difference [1, -2, 1] of spacing m has the autocorrelation 6, -4, 1 at lags 0, m, 2m.
    """

    def at(lag: int) -> float:
        return rho[lag] if lag < len(rho) else 0.0

    spacing = next((m for m in range(1, _MAX_SPACING) if abs(at(m)) < 0.2), _MAX_SPACING)
    return spacing, 6.0 - 8.0 * at(spacing) + 2.0 * at(2 * spacing)


def _model(
    images: list[np.ndarray],
    residuals: list[np.ndarray],
    gain: float,
    quiet: list[np.ndarray],
    rho_x: tuple[float, ...],
    rho_y: tuple[float, ...],
) -> NoiseModel:
    floors, slopes, least = [], [], []
    for k, (image, residual, tiles) in enumerate(zip(images, residuals, quiet, strict=True)):
        levels, variances, weights = bin_variances(tile_means(image)[tiles], tile_means(residual**2)[tiles] / gain)
        if not len(levels):
            raise InputError(
                f"Segment {k + 1} of the frame has too few valid pixels to measure its noise; check saturation "
                "and mask, or use a larger image."
            )
        floor, slope = fit_line(levels, variances, weights)
        floors.append(floor)
        slopes.append(slope)
        least.append(0.5 * float(variances.min()))
    return NoiseModel(tuple(floors), tuple(slopes), tuple(least), rho_x, rho_y)
