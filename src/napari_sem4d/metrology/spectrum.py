"""Power spectra of surfaces and profiles; scale-dependent slope and height.

Conventions: frequencies in 1/nm (1 / wavelength). The 1D spectrum is one-sided, in nm3: its integral over
frequency is the variance of the lines. The 2D spectrum is two-sided, in nm4: its integral over both
frequencies is the variance of the map. Windows are normalised to keep the variance. Invalid pixels count
as the mean and the window is renormalised to the valid ones; above a fifth of them a spectrum is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, signal

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.metrology.pixels import PixelNm, height_map, pixel_yx

_MOST_INVALID = 0.2


@dataclass(frozen=True)
class Spectrum:
    """One-sided spectrum: ``frequency_per_nm`` (N,) without zero, ``power_nm3`` (N,)."""

    frequency_per_nm: np.ndarray
    power_nm3: np.ndarray

    @property
    def wavelength_nm(self) -> np.ndarray:
        """1 / frequency, nm."""
        return 1.0 / self.frequency_per_nm

    def band_rms(self, shortest_nm: float, longest_nm: float) -> float:
        """Root mean square height of the wavelengths in a band, nm."""
        f = self.frequency_per_nm
        inside = (f >= 1.0 / longest_nm) & (f <= 1.0 / shortest_nm)
        return float(np.sqrt(self.power_nm3[inside].sum() * (f[1] - f[0] if f.size > 1 else f[0])))


@dataclass(frozen=True)
class Spectrum2D:
    """Two-sided spectrum, zero frequency in the middle; frequency axes in 1/nm (rows grow downwards), nm4."""

    frequency_y_per_nm: np.ndarray
    frequency_x_per_nm: np.ndarray
    power_nm4: np.ndarray


@dataclass(frozen=True)
class RadialSpectrum:
    """Mean of the 2D spectrum over directions: frequency (N,) in 1/nm, power (N,) in nm4."""

    frequency_per_nm: np.ndarray
    power_nm4: np.ndarray


@dataclass(frozen=True)
class ScaleDependence:
    """Root mean square slope and height difference over a distance: ``scale_nm``, ``slope``, ``height_nm``."""

    scale_nm: np.ndarray
    slope: np.ndarray
    height_nm: np.ndarray


def power_spectrum_1d(height: np.ndarray, pixel_nm: PixelNm, axis: str = "x", window: str = "hann") -> Spectrum:
    """Mean one-sided spectrum of the lines along x (rows) or y (columns).

    Parameters
    ----------
    height : ndarray, shape (Y, X) or (N,)
        nm; each line has its own mean removed. Level the surface first.
    pixel_nm : float or (y, x)
        nm.
    axis : {"x", "y"}
        Direction of the lines.
    window : {"hann", "none"}
        Hann keeps the steps at the ends of lines from leaking into short wavelengths.

    Returns
    -------
    Spectrum

    Raises
    ------
    DomainError
        If lines have fewer than 8 samples or more than a fifth of the samples is invalid.
    """
    lines = height_map(height, np.ndim(height)) if np.ndim(height) in (1, 2) else height_map(height)
    py, px = pixel_yx(pixel_nm)
    if axis not in ("x", "y"):
        raise InputError(f"Spectra run along 'x' or 'y', not {axis!r}: choose one.")
    lines = np.atleast_2d(lines)
    if axis == "y":
        lines = lines.T
    spacing = px if axis == "x" else py
    n = lines.shape[1]
    valid = _check(lines, (n,))
    weight = _window(window, n) * valid
    use = valid.sum(axis=1) >= (1 - _MOST_INVALID) * n
    if not use.any():
        raise DomainError("Every line misses more than a fifth of its samples: choose a region with fewer gaps.")
    z, weight = np.where(valid, lines, 0.0)[use].astype(np.float64), weight[use]
    z -= (z * valid[use]).sum(axis=1, keepdims=True) / valid[use].sum(axis=1, keepdims=True)
    transform = fft.rfft(z * weight, axis=1)
    power = (transform.real**2 + transform.imag**2) / (weight**2).sum(axis=1, keepdims=True)
    one_sided = np.full(power.shape[1], 2.0)
    if n % 2 == 0:
        one_sided[-1] = 1.0
    return Spectrum(fft.rfftfreq(n, spacing)[1:], (power.mean(axis=0) * one_sided * spacing)[1:])


def power_spectrum_2d(height: np.ndarray, pixel_nm: PixelNm, window: str = "hann") -> Spectrum2D:
    """Two-sided 2D spectrum of a map, shape (Y, X); parameters as in :func:`power_spectrum_1d`."""
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    valid = _check(surface, surface.shape)
    if valid.mean() < 1 - _MOST_INVALID:
        raise DomainError("More than a fifth of the pixels is invalid: choose a region with fewer gaps.")
    weight = np.multiply.outer(_window(window, surface.shape[0]), _window(window, surface.shape[1])) * valid
    z = np.where(valid, surface, 0.0).astype(np.float64)
    z -= z[valid].mean()
    power = np.abs(fft.fft2(z * weight, workers=2)) ** 2 * (px * py / float((weight**2).sum()))
    return Spectrum2D(
        fft.fftshift(fft.fftfreq(surface.shape[0], py)),
        fft.fftshift(fft.fftfreq(surface.shape[1], px)),
        fft.fftshift(power),
    )


def radial_spectrum(spectrum: Spectrum2D) -> RadialSpectrum:
    """Average a 2D spectrum over all directions, in rings as wide as the coarser frequency step."""
    fy, fx = spectrum.frequency_y_per_nm, spectrum.frequency_x_per_nm
    step = max(float(fy[1] - fy[0]), float(fx[1] - fx[0]))
    ring = np.rint(np.hypot(fy[:, None], fx[None, :]) / step).astype(int)
    last = int(min(-fy[0], -fx[0]) / step)
    number = np.bincount(ring.ravel())[1 : last + 1]
    total = np.bincount(ring.ravel(), weights=spectrum.power_nm4.ravel())[1 : last + 1]
    return RadialSpectrum(np.arange(1, last + 1) * step, total / number)


def scale_dependence(height: np.ndarray, pixel_nm: PixelNm, axis: str = "x", points: int = 40) -> ScaleDependence:
    """Root mean square of ``h(x + l) - h(x)`` over distances l (as a height, and divided by l as a slope).

    Distances are whole pixels, evenly spread in their logarithm, up to half the map. The height is the
    square root of the structure function; for l much larger than the texture it is sqrt(2) Sq.
    """
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    if axis not in ("x", "y"):
        raise InputError(f"Scales run along 'x' or 'y', not {axis!r}: choose one.")
    lines, spacing = (surface, px) if axis == "x" else (surface.T, py)
    longest = lines.shape[1] // 2
    if longest < 1:
        raise DomainError("A scale dependence needs at least 2 pixels along the axis: choose a larger area.")
    lags = np.unique(np.rint(np.geomspace(1, longest, points)).astype(int))
    rms = np.array([_rms(lines[:, lag:] - lines[:, :-lag]) for lag in lags])
    scale = lags * spacing
    return ScaleDependence(scale, rms / scale, rms)


def _rms(difference: np.ndarray) -> float:
    values = difference[np.isfinite(difference)]
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2))) if values.size else float("nan")


def _window(name: str, n: int) -> np.ndarray:
    if name == "hann":
        return signal.windows.hann(n, sym=False)
    if name == "none":
        return np.ones(n)
    raise InputError(f"The window is 'hann' or 'none', not {name!r}: choose one.")


def _check(array: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    if min(sizes) < 8:
        raise DomainError("A spectrum needs at least 8 samples along each axis: choose a larger region.")
    valid = np.isfinite(array)
    if not valid.any():
        raise DomainError("There is no valid height in this region: choose another one.")
    return valid
