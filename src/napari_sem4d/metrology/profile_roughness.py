"""Profile parameters of ISO 21920-2:2021: Ra Rq Rp Rv Rz Rt Rsk Rku Rdq Rsm Rc.

Over the evaluation length: Ra, Rq, Rsk, Rku, Rdq, Rt, Rsm, Rc. Means over section lengths, as the standard
has them: Rp, Rv, Rz. The profile should have been filtered (S and L) before. Profile elements
(Rsm, Rc) are hills and dales that pass 10 % of Rp above or 10 % of Rv below the mean line, in both
directions of travel.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_sem4d.errors import DomainError
from napari_sem4d.metrology.areal_hybrid import SEVEN_POINT
from napari_sem4d.metrology.pixels import height_map

_THRESHOLD = 0.1


@dataclass(frozen=True)
class ProfileParameters:
    """ra, rq, rp, rv, rz, rt, rc, rsm in nm; rsk, rku, rdq without unit; NaN where a figure has no meaning.

    ``sections`` is how many section lengths the means of rp, rv and rz run over.
    """

    ra: float
    rq: float
    rp: float
    rv: float
    rz: float
    rt: float
    rsk: float
    rku: float
    rdq: float
    rsm: float
    rc: float
    sections: int


@dataclass(frozen=True)
class ProfileElements:
    """Spacings and heights (nm) of the profile elements found in both directions."""

    spacing_nm: np.ndarray
    height_nm: np.ndarray


def profile_parameters(
    height: np.ndarray, spacing_nm: float, section_nm: float | None = None
) -> ProfileParameters:
    """Compute the parameters of a filtered profile.

    Parameters
    ----------
    height : ndarray, shape (N,)
        nm; NaN is left out of the height figures; slopes and elements need valid neighbours.
    spacing_nm : float
        Distance between samples, nm.
    section_nm : float, optional
        Section length, nm (the standard takes the L nesting index); a fifth of the profile if not
        given. Only whole sections count.

    Returns
    -------
    ProfileParameters

    Raises
    ------
    DomainError
        If there are fewer than 10 valid samples, or no whole section fits.
    """
    z = height_map(height, ndim=1).astype(np.float64)
    valid = np.isfinite(z)
    if valid.sum() < 10:
        raise DomainError("The profile has fewer than 10 valid samples: draw a longer line.")
    z = z - z[valid].mean()
    inside = z[valid]
    length = (z.size - 1) * spacing_nm
    section = length / 5.0 if section_nm is None else float(section_nm)
    count = int(length / section + 1e-6) if section > 0 else 0
    if count < 1:
        raise DomainError(
            f"The profile of {length:g} nm is shorter than one section of {section:g} nm: draw a longer line or "
            "choose a shorter L nesting index."
        )
    rims = np.rint(np.arange(count + 1) * section / spacing_nm).astype(int)
    rims[-1] = min(rims[-1] + 1, z.size)
    peaks, pits = [], []
    for start, end in pairwise(rims):
        part = z[start:end][valid[start:end]]
        if part.size:
            peaks.append(max(float(part.max()), 0.0))
            pits.append(max(-float(part.min()), 0.0))
    rp, rv = float(np.mean(peaks)), float(np.mean(pits))
    variance = float(np.mean(inside**2))
    flat = variance <= (1e-12 * max(1.0, float(np.nanmax(np.abs(height))))) ** 2
    slope = _slope(z, spacing_nm)
    slope = slope[np.isfinite(slope)]
    elements = profile_elements(z, spacing_nm, _THRESHOLD * rp, _THRESHOLD * rv)
    return ProfileParameters(
        ra=float(np.mean(np.abs(inside))),
        rq=float(np.sqrt(variance)),
        rp=rp,
        rv=rv,
        rz=float(np.mean(np.add(peaks, pits))),
        rt=float(np.ptp(inside)),
        rsk=float("nan") if flat else float(np.mean(inside**3)) / variance**1.5,
        rku=float("nan") if flat else float(np.mean(inside**4)) / variance**2,
        rdq=float(np.sqrt(np.mean(slope**2))) if slope.size else float("nan"),
        rsm=float(elements.spacing_nm.mean()) if elements.spacing_nm.size else float("nan"),
        rc=float(elements.height_nm.mean()) if elements.height_nm.size else float("nan"),
        sections=count,
    )


def profile_elements(z: np.ndarray, spacing_nm: float, above_nm: float, below_nm: float) -> ProfileElements:
    """Find the profile elements: a hill and the dale after it, or a dale and the hill after it.

    Parameters
    ----------
    z : ndarray, shape (N,)
        Heights about the mean line, nm; gaps are bridged by straight lines.
    spacing_nm : float
        nm.
    above_nm, below_nm : float
        A hill must pass the one above, a dale the other below the mean line.

    Returns
    -------
    ProfileElements
        From both directions of travel together.
    """
    index = np.arange(z.size)
    valid = np.isfinite(z)
    filled = np.interp(index, index[valid], z[valid])
    spacings, heights = [], []
    for line in (filled, filled[::-1]):
        sign = np.where(line > above_nm, 1, np.where(line < -below_nm, -1, 0))
        marked = np.flatnonzero(sign)
        turns = np.flatnonzero(np.diff(sign[marked]))
        # The element ends where, travelling on, the line is first crossed on the way to the other side.
        crossings = np.array([_first_crossing(line, marked[k], marked[k + 1]) for k in turns])
        for start, end in zip(crossings[:-2], crossings[2:], strict=True):
            part = line[int(np.ceil(start)) : int(np.floor(end)) + 1]
            spacings.append((end - start) * spacing_nm)
            heights.append(float(np.ptp(part)))
    return ProfileElements(np.array(spacings), np.array(heights))


def _first_crossing(line: np.ndarray, start: int, end: int) -> float:
    part = line[start : end + 1]
    i = int(np.argmax(part[1:] * part[0] <= 0))
    a, b = part[i], part[i + 1]
    return float(start + i + (a / (a - b) if a != b else 0.0))


def _slope(z: np.ndarray, spacing_nm: float) -> np.ndarray:
    """Seven-point slope of the standard, NaN within three samples of an end or gap."""
    if z.size < 7:
        return np.full(z.size, np.nan)
    return np.convolve(z, SEVEN_POINT[::-1], mode="valid") / spacing_nm
