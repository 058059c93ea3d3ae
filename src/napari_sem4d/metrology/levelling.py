"""Levelling (the F operation): what is removed from a height map before anything is measured on it.

Every function returns a :class:`Levelled` map whose ``reference`` is what was subtracted, so that the
operation can be shown and undone. Fits use the valid pixels inside the optional mask; the reference is
subtracted everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.frames import slopes
from napari_sem4d.metrology.pixels import PixelNm, height_map, masked_gaussian, pixel_yx


@dataclass(frozen=True)
class Levelled:
    """A levelled map: ``height`` and the subtracted ``reference`` in nm, shape (Y, X), and how in words."""

    height: np.ndarray
    reference: np.ndarray
    method: str


def level_plane(height: np.ndarray, pixel_nm: PixelNm, mask: np.ndarray | None = None) -> Levelled:
    """Subtract the least-squares plane. ``mask`` (Y, X) is True where the plane is fitted."""
    return level_polynomial(height, pixel_nm, 1, mask)


def level_polynomial(
    height: np.ndarray, pixel_nm: PixelNm, degree: int = 2, mask: np.ndarray | None = None
) -> Levelled:
    """Subtract the least-squares polynomial of total degree ``degree`` in x and y.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        nm; NaN is invalid.
    pixel_nm : float or (y, x)
        nm; a polynomial of total degree is the same for any pixel size, so it is only checked.
    degree : int
        0 (mean) to 8.
    mask : ndarray of bool, shape (Y, X), optional
        True where the polynomial is fitted.

    Returns
    -------
    Levelled

    Raises
    ------
    InputError
        If the degree is out of range.
    DomainError
        If there are too few valid pixels to fix the polynomial.
    """
    surface = height_map(height)
    pixel_yx(pixel_nm)
    if not 0 <= degree <= 8:
        raise InputError(f"A levelling polynomial has degree 0 to 8, not {degree}.")
    weight = _fit_weight(surface, mask)
    rows, columns = (np.polynomial.legendre.legvander(np.linspace(-1, 1, n), degree) for n in surface.shape)
    i, j = (index.ravel() for index in np.indices((degree + 1, degree + 1)))
    terms = i + j <= degree
    i, j = i[terms], j[terms]
    # The basis is a product of one polynomial in y and one in x, so all sums are two matrix products.
    row_pairs = (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
    column_pairs = (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)
    moments = (row_pairs.T @ weight @ column_pairs).reshape((degree + 1,) * 4)
    normal = moments[i[:, None], i[None, :], j[:, None], j[None, :]]
    filled = np.where(weight > 0, surface, 0.0).astype(np.float64)
    right = (rows.T @ filled @ columns)[i, j]
    if weight.sum() < len(i) or np.linalg.matrix_rank(normal, hermitian=True) < len(i):
        raise DomainError(
            f"Too few valid pixels to fit a polynomial of degree {degree}: choose a lower degree or a larger area."
        )
    coefficients = np.zeros((degree + 1, degree + 1))
    coefficients[i, j] = np.linalg.solve(normal, right)
    reference = rows @ coefficients @ columns.T
    name = {0: "mean", 1: "plane"}.get(degree, f"polynomial of degree {degree}")
    return Levelled(surface - reference, reference, name)


def level_three_point(
    height: np.ndarray, pixel_nm: PixelNm, points_rc: np.ndarray, radius_px: float = 1.5
) -> Levelled:
    """Subtract the plane through three points, each the mean height within ``radius_px`` pixels.

    ``points_rc`` has shape (3, 2): (row, column). Raises DomainError if the points lie on one line or on
    invalid pixels.
    """
    surface = height_map(height)
    pixel_yx(pixel_nm)
    points = np.asarray(points_rc, dtype=float)
    if points.shape != (3, 2):
        raise InputError(f"Three-point levelling needs three points (row, column), not shape {points.shape}.")
    rows, columns = np.ogrid[: surface.shape[0], : surface.shape[1]]
    levels = np.empty(3)
    for k, (r, c) in enumerate(points):
        near = surface[((rows - r) ** 2 + (columns - c) ** 2) <= max(radius_px, 0.71) ** 2]
        near = near[np.isfinite(near)]
        if near.size == 0:
            raise DomainError(f"Point {k + 1} lies outside the map or on invalid pixels: move it.")
        levels[k] = near.mean()
    design = np.column_stack([points, np.ones(3)])
    if abs(np.linalg.det(design)) < 1.0:
        raise DomainError("The three points lie on one line, which fixes no plane: move one of them away.")
    a, b, c = np.linalg.solve(design, levels)
    reference = a * rows + b * columns + c
    return Levelled(surface - reference, reference, "three points")


def level_facet(height: np.ndarray, pixel_nm: PixelNm, mask: np.ndarray | None = None) -> Levelled:
    """Make the commonest facet horizontal: robust against steps, particles and grooves.

    The commonest slope is found by mean shift in the plane of local slopes, its bandwidth shrinking from
    the whole spread to that of the facet itself; then the median height is set to zero.

    Raises
    ------
    DomainError
        If fewer than 9 slopes can be computed.
    """
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    weight = _fit_weight(surface, mask) > 0
    # Noise would spread the slopes of a facet; a 5-pixel Gaussian keeps facets of some ten pixels apart.
    smooth = masked_gaussian(np.where(weight, surface, np.nan), (2.0, 2.0))
    sx, sy = slopes(smooth, 1.0)
    usable = weight & np.isfinite(sx) & np.isfinite(sy)
    p, q = sx[usable] / px, sy[usable] / py
    if p.size < 9:
        raise DomainError("Too few valid pixels to find a facet: choose a larger area.")
    stride = max(1, p.size // 200_000)
    p, q = p[::stride], q[::stride]
    centre = np.array([np.median(p), np.median(q)])
    width = 1.4826 * np.median(np.hypot(p - centre[0], q - centre[1])) + 1e-12
    for _ in range(60):
        near = np.exp(-((p - centre[0]) ** 2 + (q - centre[1]) ** 2) / (2 * width**2))
        moved = np.array([near @ p, near @ q]) / near.sum()
        spread = np.sqrt(near @ ((p - moved[0]) ** 2 + (q - moved[1]) ** 2) / near.sum() / 2)
        shift, centre = float(np.hypot(*(moved - centre))), moved
        narrower = max(min(width, 2.0 * float(spread)), 1e-12)
        if shift < 1e-9 + 1e-5 * width and narrower > 0.99 * width:
            break
        width = narrower
    rows, columns = np.ogrid[: surface.shape[0], : surface.shape[1]]
    reference = centre[0] * px * columns - centre[1] * py * rows
    reference = reference + np.median((surface - reference)[weight])
    return Levelled(surface - reference, reference, "commonest facet")


def level_lines(
    height: np.ndarray, method: str = "median", mask: np.ndarray | None = None, degree: int = 1
) -> Levelled:
    """Level every row by itself, against jumps between scan lines.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        nm.
    method : {"median", "median_difference", "polynomial"}
        Subtract the row's median; make the median step between neighbouring rows zero (keeps a surface
        that really changes from row to row only on average); or subtract a polynomial fitted to each row.
    mask : ndarray of bool, optional
        True where rows are fitted.
    degree : int
        Of the polynomial, 0 to 4.

    Returns
    -------
    Levelled
        Rows without valid pixels are left as they are.

    Raises
    ------
    InputError
        If the method is unknown.
    """
    surface = height_map(height)
    use = _fit_weight(surface, mask) > 0
    masked = np.where(use, surface, np.nan)
    filled = use.any(axis=1)
    reference = np.zeros(surface.shape)
    if method == "median":
        reference[filled] = np.nanmedian(masked[filled], axis=1)[:, None]
    elif method == "median_difference":
        step = np.diff(masked, axis=0)
        both = np.isfinite(step).any(axis=1)
        jumps = np.zeros(len(step))
        jumps[both] = np.nanmedian(step[both], axis=1)
        reference += np.concatenate([[0.0], np.cumsum(jumps)])[:, None]
        reference += np.nanmean((masked - reference)[filled])
    elif method == "polynomial":
        basis = np.polynomial.legendre.legvander(np.linspace(-1, 1, surface.shape[1]), min(max(degree, 0), 4))
        pairs = (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), -1)
        normal = (use @ pairs).reshape(-1, basis.shape[1], basis.shape[1])
        right = np.where(use, surface, 0.0) @ basis
        fixed = use.sum(axis=1) >= 2 * basis.shape[1]
        reference[fixed] = np.linalg.solve(normal[fixed], right[fixed][..., None])[..., 0] @ basis.T
    else:
        raise InputError(
            f"Rows are levelled by 'median', 'median_difference' or 'polynomial', not {method!r}: choose one."
        )
    return Levelled(surface - reference, reference, f"line by line, {method.replace('_', ' ')}")


def _fit_weight(surface: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    valid = np.isfinite(surface)
    if mask is not None:
        chosen = np.asarray(mask, dtype=bool)
        if chosen.shape != surface.shape:
            raise InputError(f"The mask has shape {chosen.shape}, but the height map {surface.shape}.")
        valid &= chosen
    if not valid.any():
        raise DomainError("No valid pixel is left inside the region: choose another one.")
    return valid.astype(np.float64)
