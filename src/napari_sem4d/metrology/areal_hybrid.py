"""Hybrid parameters of ISO 25178-2:2021, clause 4.4: Sdq and Sdr, with the formula of the slope named.

Programs differ because they take other finite differences. Default here is the seven-point formula of the
profile standards, which is exact for polynomials of degree 6 and passes short waves nearly unchanged;
where a neighbour is missing (rim, holes) the central difference stands in, and a one-sided one at the
very rim. ``central`` uses the central difference everywhere.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.frames import slopes
from napari_sem4d.metrology.pixels import PixelNm, height_map, pixel_yx

FORMULAS = ("seven_point", "central")
SEVEN_POINT = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60.0


def squared_gradient(height: np.ndarray, pixel_nm: PixelNm, formula: str = "seven_point") -> np.ndarray:
    """Squared local gradient ``(dh/dx)^2 + (dh/dy)^2``, shape (Y, X), dimensionless.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        nm; NaN is invalid.
    pixel_nm : float or (y, x)
        nm.
    formula : {"seven_point", "central"}
        Finite difference for the slope.

    Returns
    -------
    ndarray
        NaN where no slope can be formed.

    Raises
    ------
    InputError
        If the formula is unknown.
    DomainError
        If the map is smaller than 2 x 2 pixels.
    """
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    if formula not in FORMULAS:
        raise InputError(f"The slope formula is one of {', '.join(FORMULAS)}, not {formula!r}: choose one.")
    if min(surface.shape) < 2:
        raise DomainError("A map of one row or column has no areal slope: choose a larger area.")
    along_x, along_y = slopes(surface, 1.0)
    if formula == "seven_point":
        for axis, slope in ((1, along_x), (0, along_y)):
            if surface.shape[axis] < 7:
                continue
            # Only squares are used below, so the sense of the axis plays no part here.
            seven = ndimage.correlate1d(surface, SEVEN_POINT, axis=axis)
            inner = [slice(None), slice(None)]
            inner[axis] = slice(3, -3)
            part, better = slope[tuple(inner)], seven[tuple(inner)]
            np.copyto(part, better, where=np.isfinite(better))
    along_x *= along_x
    along_y *= along_y
    along_x /= px * px
    along_y /= py * py
    along_x += along_y
    return along_x


def sdq(squared: np.ndarray) -> float:
    """Root mean square gradient (dimensionless) from :func:`squared_gradient`."""
    return float(np.sqrt(_valid(squared).mean(dtype=np.float64)))


def sdr(squared: np.ndarray) -> float:
    """Developed interfacial area ratio in percent: the mean of ``sqrt(1 + gradient^2) - 1``."""
    values = _valid(squared).astype(np.float64)
    # s / (1 + sqrt(1 + s)) is sqrt(1 + s) - 1 without the loss of digits at small slopes.
    return float(100.0 * (values / (1.0 + np.sqrt(1.0 + values))).mean())


def _valid(squared: np.ndarray) -> np.ndarray:
    values = squared[np.isfinite(squared)]
    if values.size == 0:
        raise DomainError("No slope can be formed, no two valid pixels being neighbours: choose another area.")
    return values
