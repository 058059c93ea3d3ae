"""Eight-bit textures for the surface: hillshade, or the SEM image draped over it (no Qt)."""

from __future__ import annotations

import numpy as np

from napari_sem4d.frames import slopes

AMBIENT = 90
"""Darkest grey of a hillshade: the texture multiplies the height colours, black would hide them."""


def relief_factor(height: np.ndarray, pixel_nm: float) -> float:
    """Factor on the slopes that makes the hillshade of a shallow (or steep) surface readable.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        Height, nm; NaN allowed.
    pixel_nm : float
        Pixel edge, nm.

    Returns
    -------
    float
        Such that the 90th percentile of the slope is shown as 0.7; between 0.05 and 200. It changes the
        shading only, never a height.
    """
    step = max(1, max(height.shape) // 512)
    dx, dy = slopes(height, pixel_nm)
    steep = np.hypot(dx[::step, ::step], dy[::step, ::step])
    steep = steep[np.isfinite(steep)]
    high = float(np.percentile(steep, 90)) if steep.size else 0.0
    return float(np.clip(0.7 / high, 0.05, 200.0)) if high > 0 else 1.0


def hillshade(
    height: np.ndarray,
    pixel_nm: float,
    relief: float = 1.0,
    azimuth_deg: float = 135.0,
    elevation_deg: float = 55.0,
) -> np.ndarray:
    """Grey of a surface under one distant light.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        Height, nm. NaN is shown in the darkest grey.
    pixel_nm : float
        Pixel edge, nm.
    relief : float
        Factor on the slopes (see :func:`relief_factor`).
    azimuth_deg, elevation_deg : float
        Where the light stands; the azimuth counter-clockwise on the screen from +x (135: upper left).

    Returns
    -------
    ndarray of uint8, shape (Y, X)
    """
    p, q = slopes(np.asarray(height, dtype=np.float32) * np.float32(relief), pixel_nm)
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    lx, ly = np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation)
    light = (np.sin(elevation) - p * np.float32(lx) - q * np.float32(ly)) / np.sqrt(1 + p * p + q * q)
    grey = AMBIENT + (255 - AMBIENT) * np.clip(light, 0, 1)
    return np.nan_to_num(grey, nan=AMBIENT).astype(np.uint8)


def sem_texture(signal: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Grey of an SEM image, to be draped over the surface.

    Parameters
    ----------
    signal : ndarray, shape (Y, X) or (K, Y, X)
        Signal of one segment, or of all (their mean is shown).
    limits : tuple of float, optional
        Signal shown as black and white; the 0.5 and 99.5 percentiles when left out.

    Returns
    -------
    ndarray of uint8, shape (Y, X)
    """
    image = np.asarray(signal, dtype=np.float32)
    if image.ndim == 3:
        image = image.mean(axis=0)
    low, high = limits or signal_limits(image)
    return np.nan_to_num(np.clip((image - low) / max(high - low, 1e-30), 0, 1) * 255).astype(np.uint8)


def signal_limits(image: np.ndarray) -> tuple[float, float]:
    """0.5 and 99.5 percentiles of an image, from about 250 000 of its pixels at most."""
    step = max(1, int(np.sqrt(image.size / 250_000)))
    sample = image[..., ::step, ::step]
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 1.0
    low, high = np.percentile(sample, [0.5, 99.5])
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)
