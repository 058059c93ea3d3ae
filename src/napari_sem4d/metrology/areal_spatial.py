"""Autocorrelation and the spatial parameters of ISO 25178-2:2021, clause 4.3: Sal, Str, Std.

The autocorrelation is formed without wrapping round, each lag divided by the number of valid pairs of
pixels, and normalised to one at lag zero. Lags up to half the map are kept: longer ones rest on too few pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage, signal
from skimage import measure

from napari_sem4d.errors import DomainError
from napari_sem4d.metrology.pixels import PixelNm, height_map, pixel_yx

# Fastest decay: the level that ISO 25178-3 gives as default for Sal and Str.
DECAY = 0.2


@dataclass(frozen=True)
class Autocorrelation:
    """``values`` (2 My + 1, 2 Mx + 1) for lags -M to M, 1 in the middle; pixel size (y, x) in nm."""

    values: np.ndarray
    pixel_nm: tuple[float, float]

    @property
    def centre(self) -> tuple[int, int]:
        """Index of lag zero."""
        return self.values.shape[0] // 2, self.values.shape[1] // 2


@dataclass(frozen=True)
class CentralLobe:
    """The part of the autocorrelation above the level around lag zero: nearest and farthest rim, nm.

    ``farthest_nm`` is None where the lobe leaves the map of lags: the texture is longer than half the map.
    """

    nearest_nm: float
    farthest_nm: float | None


def autocorrelation(height: np.ndarray, pixel_nm: PixelNm) -> Autocorrelation:
    """Autocorrelation of a height map, shape (Y, X), NaN left out.

    Raises
    ------
    DomainError
        If the map is flat or has fewer than 4 x 4 pixels.
    """
    surface = height_map(height)
    pixel = pixel_yx(pixel_nm)
    if min(surface.shape) < 4:
        raise DomainError("An autocorrelation needs at least 4 x 4 pixels: choose a larger area.")
    valid = np.isfinite(surface)
    full = bool(valid.all())
    mean = surface.mean(dtype=np.float64) if full else np.nanmean(surface, dtype=np.float64)
    # Single precision is enough: the figures read the place of 0.2 on a curve whose noise is far larger.
    z = (surface - mean).astype(np.float32)
    if not full:
        z = np.where(valid, z, np.float32(0))
    half = [n // 2 for n in z.shape]
    padded = [fft.next_fast_len(n + m + 1, real=True) for n, m in zip(z.shape, half, strict=True)]
    products = _correlate(z, padded, half)
    if full:
        pairs = [n - np.abs(np.arange(-m, m + 1.0)) for n, m in zip(z.shape, half, strict=True)]
        counts = np.multiply.outer(*pairs)
    else:
        counts = np.maximum(np.round(_correlate(valid.astype(np.float32), padded, half)), 0.0)
    middle = products[half[0], half[1]] / max(1.0, float(counts[half[0], half[1]]))
    if not middle > (1e-7 * max(1e-30, float(np.abs(mean)))) ** 2:
        raise DomainError("The surface is flat, so it has no autocorrelation: nothing to measure.")
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(counts > 0, products / counts / middle, np.nan)
    return Autocorrelation(values.astype(np.float32), pixel)


def _correlate(z: np.ndarray, padded: list[int], half: list[int]) -> np.ndarray:
    spectrum = fft.rfft2(z, padded, workers=2)
    power = spectrum.real**2 + spectrum.imag**2
    lags = fft.irfft2(power, padded, workers=2)
    return np.roll(lags, half, axis=(0, 1))[: 2 * half[0] + 1, : 2 * half[1] + 1]


def central_lobe(correlation: Autocorrelation, level: float = DECAY) -> CentralLobe:
    """Measure the lobe around lag zero above ``level`` (0 to 1), interpolating between lags.

    Raises
    ------
    DomainError
        If the autocorrelation nowhere falls to the level.
    """
    values, (py, px) = correlation.values, correlation.pixel_nm
    cy, cx = correlation.centre
    above = np.nan_to_num(values, nan=-1.0) >= level
    labels, _ = ndimage.label(above, structure=np.ones((3, 3)))
    lobe = labels == labels[cy, cx]
    rows, columns = np.flatnonzero(lobe.any(axis=1)), np.flatnonzero(lobe.any(axis=0))
    touches = rows[0] == 0 or columns[0] == 0 or rows[-1] == lobe.shape[0] - 1 or columns[-1] == lobe.shape[1] - 1
    box = (
        slice(max(rows[0] - 1, 0), rows[-1] + 2),
        slice(max(columns[0] - 1, 0), columns[-1] + 2),
    )
    # Other islands above the level are pushed under it, so that only the rim of this lobe is drawn.
    part = np.where(lobe[box] | ~above[box], values[box], level - 1e-3)
    rims = measure.find_contours(np.nan_to_num(part, nan=level - 1.0), level)
    if not rims:
        raise DomainError(
            f"The autocorrelation stays above {level:g} over half the map: use a larger one or an L filter."
        )
    rim = np.concatenate(rims)
    distance = np.hypot((rim[:, 0] + box[0].start - cy) * py, (rim[:, 1] + box[1].start - cx) * px)
    return CentralLobe(float(distance.min()), None if touches else float(distance.max()))


def texture_direction(height: np.ndarray, pixel_nm: PixelNm) -> float:
    """Std: direction of the absolute maximum of the angular power spectrum, degrees in [0, 180).

    Counter-clockwise on the screen from +x. It is the direction in which heights vary most strongly, that is
    across the lay. The spectrum is that of the Hann-windowed map (otherwise its rims would shine along the
    axes), integrated over wavelengths in bins of one degree, smoothed over three degrees.

    Raises
    ------
    DomainError
        If the map is flat or has fewer than 16 x 16 pixels.
    """
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    if min(surface.shape) < 16:
        raise DomainError("A texture direction needs at least 16 x 16 pixels: choose a larger area.")
    z = surface - np.nanmean(surface, dtype=np.float64)
    z = np.nan_to_num(z).astype(np.float32)
    windows = [signal.windows.hann(n, sym=False).astype(np.float32) for n in z.shape]
    z = z * windows[0][:, None] * windows[1]
    spectrum = fft.rfft2(z, workers=2)
    power = spectrum.real**2 + spectrum.imag**2
    fy = fft.fftfreq(z.shape[0], py)[:, None]
    fx = fft.rfftfreq(z.shape[1], px)[None, :]
    # A ring thinner than the pixels of the spectrum holds no angle, and the longest waves are form.
    radius_y, radius_x = np.abs(fy) * py * z.shape[0], fx * px * z.shape[1]
    keep = np.hypot(radius_y, radius_x) > 2.5
    # Waves that carry almost no power do not decide, and leaving them out saves most of the arctangents.
    keep &= power > 1e-6 * power[keep].max(initial=0.0)
    if not keep.any():
        raise DomainError("The surface is flat, so it has no texture direction: nothing to measure.")
    rows, columns = np.nonzero(keep)
    # Rows grow downwards, y up: the frequency along y changes its sign.
    angles = np.degrees(np.arctan2(-fy[rows, 0], fx[0, columns])) % 180.0
    weights = power[rows, columns].astype(np.float64)
    # The half plane of rfft2 holds the column fx = 0 twice over (both signs of fy).
    weights[columns == 0] *= 0.5
    sums = np.bincount((angles + 0.5).astype(int) % 180, weights=weights, minlength=180)
    smooth = ndimage.convolve1d(sums, np.ones(3) / 3, mode="wrap")
    best = int(np.argmax(smooth))
    near = (best + np.arange(-2, 3)) % 180
    offset = float(np.arange(-2, 3) @ sums[near] / max(sums[near].sum(), 1e-300))
    return (best + offset) % 180.0
