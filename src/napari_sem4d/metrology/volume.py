"""Volume above and below a level, section areas, and the change of volume between two times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.metrology.pixels import PixelNm, height_map, pixel_yx
from napari_sem4d.metrology.profile import Profile


@dataclass(frozen=True)
class Volume:
    """Material above and void below a level: volumes in nm3, areas in nm2.

    ``net_nm3`` (above minus below) is linear in the heights, so its standard uncertainty ``net_std_nm3``
    comes straight from the draws (None without). The other two are not linear: noise adds to both alike.
    """

    above_nm3: float
    below_nm3: float
    net_nm3: float
    area_above_nm2: float
    area_nm2: float
    net_std_nm3: float | None = None


@dataclass(frozen=True)
class SectionArea:
    """Area between a profile and a base line, nm2, above and below it."""

    above_nm2: float
    below_nm2: float
    net_nm2: float


def volume(
    height: np.ndarray,
    pixel_nm: PixelNm,
    level_nm: float | np.ndarray = 0.0,
    mask: np.ndarray | None = None,
    draws: np.ndarray | None = None,
) -> Volume:
    """Volume between the surface and a level.

    Each pixel is a column of its own height.

    Parameters
    ----------
    height : ndarray, shape (Y, X)
        nm; NaN is left out.
    pixel_nm : float or (y, x)
        nm.
    level_nm : float or ndarray, shape (Y, X)
        The level, or a reference surface (a plane, the same area at another time), nm.
    mask : ndarray of bool, shape (Y, X), optional
        Where to sum.
    draws : ndarray, shape (D, Y, X), optional
        Posterior draws of the height, nm (of the difference, if the level is uncertain too).

    Returns
    -------
    Volume

    Raises
    ------
    DomainError
        If no valid pixel is left.
    """
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    use = np.isfinite(surface) & np.isfinite(np.broadcast_to(level_nm, surface.shape))
    if mask is not None:
        if np.shape(mask) != surface.shape:
            raise InputError(f"The mask has shape {np.shape(mask)}, but the height map {surface.shape}.")
        use &= np.asarray(mask, dtype=bool)
    if not use.any():
        raise DomainError("No valid pixel is left inside the region: choose another one.")
    pixel_area = py * px
    z = (surface - level_nm)[use].astype(np.float64)
    above, below = float(z[z > 0].sum()) * pixel_area, -float(z[z < 0].sum()) * pixel_area
    std = None
    if draws is not None and len(draws) > 1:
        sums = np.array([np.asarray(draw)[use].sum(dtype=np.float64) for draw in draws])
        std = float(sums.std(ddof=1)) * pixel_area
    return Volume(above, below, above - below, float((z > 0).sum()) * pixel_area, z.size * pixel_area, std)


def section_area(
    profile: Profile,
    base: tuple[float, float] | None = None,
    start_nm: float | None = None,
    end_nm: float | None = None,
) -> SectionArea:
    """Area between a profile (straight between its samples) and a base line.

    Parameters
    ----------
    profile : Profile
        Heights in nm.
    base : (slope, offset in nm), optional
        The base line; the chord through the two ends of the stretch if not given.
    start_nm, end_nm : float, optional
        The stretch; the whole profile if not given.

    Raises
    ------
    DomainError
        If the stretch has fewer than 2 samples or an invalid one, because an area cannot skip a gap.
    """
    x = profile.distance_nm
    use = (x >= (0.0 if start_nm is None else start_nm)) & (x <= (x[-1] if end_nm is None else end_nm))
    if use.sum() < 2 or not profile.valid[use].all():
        raise DomainError("The stretch is too short or holds invalid samples: choose one without gaps.")
    s, z = x[use], profile.height_nm[use]
    slope, offset = base if base is not None else _chord(s, z)
    d = z - slope * s - offset
    # Between a positive and a negative end the line crosses zero: each part is a triangle.
    a, b, step = d[:-1], d[1:], np.diff(s)
    crosses = a * b < 0
    with np.errstate(invalid="ignore", divide="ignore"):
        up = np.where(crosses, 0.5 * np.maximum(a, b) ** 2 / np.abs(a - b), np.maximum(0.5 * (a + b), 0.0))
        down = np.where(crosses, 0.5 * np.minimum(a, b) ** 2 / np.abs(a - b), np.maximum(-0.5 * (a + b), 0.0))
    above, below = float(up @ step), float(down @ step)
    return SectionArea(above, below, above - below)


def _chord(s: np.ndarray, z: np.ndarray) -> tuple[float, float]:
    slope = float((z[-1] - z[0]) / (s[-1] - s[0]))
    return slope, float(z[0] - slope * s[0])
