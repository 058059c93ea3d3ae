"""Comparison of two height maps of the same area: registration, difference, amplitude; noise from two repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.frames import slopes
from napari_sem4d.metrology.levelling import level_plane
from napari_sem4d.metrology.pixels import PixelNm, height_map, masked_gaussian, pixel_yx


@dataclass(frozen=True)
class Comparison:
    """Two maps laid over each other; a plane between them is always removed.

    Attributes
    ----------
    shift_nm : (x, y)
        Where the moving map's features lie, seen from the reference: right and up, nm.
    amplitude : float
        Height of the moving map per height of the reference, by least squares with the reference taken as exact.
    rms_nm : float
        Root mean square of the difference, amplitudes left as they are, nm.
    rms_scaled_nm : float
        The same after dividing the moving map by ``amplitude``, nm.
    correlation : float
        Correlation coefficient over the common area.
    overlap : float
        Part of the reference that both maps cover, 0 to 1.
    difference : ndarray, shape (Y, X)
        Moving minus reference on the reference's grid, nm; NaN outside the common area.
    """

    shift_nm: tuple[float, float]
    amplitude: float
    rms_nm: float
    rms_scaled_nm: float
    correlation: float
    overlap: float
    difference: np.ndarray


def compare(
    reference: np.ndarray,
    reference_pixel_nm: PixelNm,
    moving: np.ndarray,
    moving_pixel_nm: PixelNm,
    *,
    largest_shift_nm: float | None = None,
) -> Comparison:
    """Register a map to a reference by a shift and compare the heights.

    The shift comes from the cross-correlation of the levelled maps and is refined by Gauss-Newton steps
    together with amplitude and plane. Rotation and scan distortion are not corrected.

    Parameters
    ----------
    reference, moving : ndarray, shapes (Y, X)
        nm; NaN is invalid. The finer map is averaged to the pixels of the reference.
    reference_pixel_nm, moving_pixel_nm : float or (y, x)
        nm.
    largest_shift_nm : float, optional
        Shifts beyond this are not searched; half the reference if not given.

    Returns
    -------
    Comparison

    Raises
    ------
    DomainError
        If the common area is smaller than a tenth of the reference, or the maps do not resemble each other.
    """
    fixed = height_map(reference)
    py, px = pixel_yx(reference_pixel_nm)
    fixed = level_plane(fixed, (py, px)).height
    other = _prepared(moving, pixel_yx(moving_pixel_nm), (py, px))
    ratio = py / pixel_yx(moving_pixel_nm)[0], px / pixel_yx(moving_pixel_nm)[1]
    first = _sampled(other, ratio, fixed.shape, (0.0, 0.0))
    limit = 0.5 * min(fixed.shape[0] * py, fixed.shape[1] * px) if largest_shift_nm is None else largest_shift_nm
    shift = _coarse_shift(fixed, first, (limit / py, limit / px))
    for _ in range(20):
        placed = _sampled(other, ratio, fixed.shape, shift)
        step = _joint_fit(fixed, placed)[1]
        shift = shift[0] + step[0], shift[1] + step[1]
        if max(abs(step[0]), abs(step[1])) < 1e-3:
            break
    placed = _sampled(other, ratio, fixed.shape, shift)
    common = np.isfinite(placed) & np.isfinite(fixed)
    amplitude = _joint_fit(fixed, placed)[0]
    # Both are levelled on what they share, so that their planes do not enter the difference.
    a = level_plane(np.where(common, fixed, np.nan), (py, px)).height
    b = level_plane(np.where(common, placed, np.nan), (py, px)).height
    correlation = float(np.corrcoef(a[common], b[common])[0, 1])
    if not correlation > 0.2:
        raise DomainError(
            f"The two maps do not resemble each other (correlation {correlation:.2f}): check that they show "
            "the same area, upright, and that the pixel sizes are right."
        )
    return Comparison(
        shift_nm=(shift[1] * px, -shift[0] * py),
        amplitude=amplitude,
        rms_nm=float(np.sqrt(np.mean((b - a)[common] ** 2))),
        rms_scaled_nm=float(np.sqrt(np.mean((b / amplitude - a)[common] ** 2))),
        correlation=correlation,
        overlap=float(common.mean()),
        difference=b - a,
    )


def measurement_noise(first: np.ndarray, second: np.ndarray, pixel_nm: PixelNm) -> float:
    """Measurement noise (ISO 25178-600): Sq of the levelled difference of two repeats over sqrt(2), nm.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    a, b = height_map(first), height_map(second)
    if a.shape != b.shape:
        raise InputError(f"Two repeats of one area have the same shape, not {a.shape} and {b.shape}.")
    difference = level_plane(a.astype(np.float64) - b, pixel_nm).height
    return float(np.nanstd(difference) / np.sqrt(2.0))


def _prepared(moving: np.ndarray, own: tuple[float, float], wanted: tuple[float, float]) -> np.ndarray:
    """Levelled, and averaged where its pixels are finer than the wanted ones."""
    surface = level_plane(height_map(moving), own).height.astype(np.float64)
    # A Gaussian of this width has the second moment of the wanted pixel less that of the own one.
    sigma = [np.sqrt(max((w / o) ** 2 - 1.0, 0.0) / 12.0) for w, o in zip(wanted, own, strict=True)]
    return surface if max(sigma) < 0.3 else masked_gaussian(surface, (sigma[0], sigma[1]))


def _sampled(
    surface: np.ndarray, ratio: tuple[float, float], shape: tuple[int, ...], shift: tuple[float, float]
) -> np.ndarray:
    """The moving map on the reference's grid, read ``shift`` reference pixels (row, column) further."""
    # Pixel (0, 0) has its centre half a pixel inside the corner that the two maps share at shift zero.
    rows, columns = ((np.arange(n) + 0.5 + s) * r - 0.5 for n, s, r in zip(shape, shift, ratio, strict=True))
    places = np.meshgrid(rows, columns, indexing="ij")
    valid = np.isfinite(surface)
    values = ndimage.map_coordinates(np.where(valid, surface, 0.0), places, order=3, mode="nearest")
    inside = (
        (places[0] >= -0.5)
        & (places[0] <= surface.shape[0] - 0.5)
        & (places[1] >= -0.5)
        & (places[1] <= surface.shape[1] - 0.5)
    )
    if not valid.all():
        inside &= ndimage.map_coordinates(valid.astype(np.float64), places, order=1, mode="nearest") > 0.999
    return np.where(inside, values, np.nan)


def _coarse_shift(fixed: np.ndarray, moving: np.ndarray, limit: tuple[float, float]) -> tuple[float, float]:
    """Whole-pixel shift (row, column) at which the normalised cross-correlation is highest."""
    padded = [fft.next_fast_len(2 * n, real=True) for n in fixed.shape]

    def spectrum(array: np.ndarray) -> np.ndarray:
        return fft.rfft2(array, padded, workers=2)

    maps = [np.nan_to_num(m) for m in (fixed, moving)]
    masks = [np.isfinite(m).astype(np.float64) for m in (fixed, moving)]

    def cross(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        return fft.irfft2(np.conj(spectrum(one)) * spectrum(two), padded, workers=2)

    count = np.maximum(cross(masks[0], masks[1]), 0.0)
    power = np.sqrt(np.maximum(cross(maps[0] ** 2, masks[1]) * cross(masks[0], maps[1] ** 2), 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(count > 0.1 * masks[0].sum(), cross(maps[0], maps[1]) / power, -np.inf)
    rows, columns = fft.fftfreq(padded[0], 1 / padded[0]), fft.fftfreq(padded[1], 1 / padded[1])
    score[np.abs(rows) > limit[0]] = -np.inf
    score[:, np.abs(columns) > limit[1]] = -np.inf
    best = np.unravel_index(int(np.nanargmax(score)), score.shape)
    return float(rows[best[0]]), float(columns[best[1]])


def _joint_fit(fixed: np.ndarray, placed: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Amplitude, and the further shift (row, column) in pixels, with a plane in the same fit."""
    right, up = slopes(placed, 1.0)
    use = np.isfinite(fixed) & np.isfinite(placed) & np.isfinite(right) & np.isfinite(up)
    if use.sum() < max(100, 0.1 * fixed.size):
        raise DomainError(
            "The two maps share less than a tenth of the reference: check that they show the same area."
        )
    rows, columns = np.nonzero(use)
    # placed + shift x slope = amplitude x fixed + plane; rows grow downwards, slopes have y up.
    design = np.column_stack(
        [fixed[use], up[use], -right[use], rows / fixed.shape[0], columns / fixed.shape[1], np.ones(rows.size)]
    )
    solution, *_ = np.linalg.lstsq(design, placed[use], rcond=None)
    down, across = (float(np.clip(s, -2.0, 2.0)) for s in solution[1:3])
    return float(solution[0]), (down, across)
