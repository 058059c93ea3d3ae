"""Edges on a profile: where they are, and how wide (10 to 90 %)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize, special

from napari_sem4d.errors import DomainError
from napari_sem4d.metrology.profile import Profile

# Between 10 and 90 % of a Gaussian-blurred edge lie 2 x 1.2816 standard deviations.
_TEN_TO_NINETY = 2.0 * 1.2815515655446004


@dataclass(frozen=True)
class Edge:
    """An edge at ``position_nm`` along the profile, rising (+1) or falling (-1), about ``width_nm`` wide."""

    position_nm: float
    sense: int
    width_nm: float


@dataclass(frozen=True)
class EdgeWidth:
    """Distance between 10 % and 90 % of a step, nm.

    ``crossing_nm`` is read from the profile (linear interpolation), ``gaussian_nm`` from the least-squares
    error function (an edge blurred by a Gaussian), which noise disturbs less; ``position_nm`` its middle.
    """

    crossing_nm: float
    gaussian_nm: float
    position_nm: float


def find_edges(profile: Profile, count: int | None = None, smooth_nm: float | None = None) -> list[Edge]:
    """Find the steep places of a profile, from left to right.

    Parameters
    ----------
    profile : Profile
        Heights in nm.
    count : int, optional
        Return the strongest so many; without it all that reach a third of the strongest.
    smooth_nm : float, optional
        Standard deviation of the Gaussian whose derivative looks for edges; 2 samples if not given.

    Returns
    -------
    list of Edge

    Raises
    ------
    DomainError
        If no edge stands out of the noise, or fewer than ``count``.
    """
    heights = _filled(profile)
    sigma = 2.0 if smooth_nm is None else max(0.5, smooth_nm / profile.spacing_nm)
    # Single outliers would look like two edges: a median over five samples takes them and keeps edges.
    clean = ndimage.median_filter(heights, 5, mode="nearest")
    steepness = ndimage.gaussian_filter1d(clean, sigma, order=1, mode="nearest")
    steepness -= np.median(steepness)
    noise = 1.4826 * float(np.median(np.abs(steepness)))
    strongest = float(np.abs(steepness).max())
    if strongest <= 5.0 * noise or strongest <= 1e-9 * max(1.0, float(np.abs(heights).max())):
        raise DomainError("No edge stands out of the noise of this profile: mark the regions by hand.")
    threshold = max(5.0 * noise, strongest / 3.0)
    edges: list[tuple[float, Edge]] = []
    for sense in (1, -1):
        labels, number = ndimage.label(sense * steepness > threshold)
        for k in range(1, number + 1):
            inside = np.flatnonzero(labels == k)
            # The whole flank, down to where the slope has its normal value again.
            peak = int(inside[np.argmax(sense * steepness[inside])])
            low, high = _flank(sense * steepness, peak, 0.02 * strongest + noise)
            weight = np.clip(sense * steepness[low : high + 1], 0.0, None)
            where = float(weight @ np.arange(low, high + 1) / weight.sum())
            rise = float(weight.sum())
            second = float(weight @ (np.arange(low, high + 1) - where) ** 2 / weight.sum())
            width = _TEN_TO_NINETY * np.sqrt(max(second - sigma**2, 0.0)) * profile.spacing_nm
            edges.append((rise, Edge(where * profile.spacing_nm, sense, float(width))))
    if count is not None:
        if len(edges) < count:
            raise DomainError(f"Only {len(edges)} of {count} edges stand out of noise: mark the regions by hand.")
        edges = sorted(edges, key=lambda pair: -pair[0])[:count]
    return sorted((edge for _, edge in edges), key=lambda edge: edge.position_nm)


def edge_width(profile: Profile, low_level_nm: np.ndarray, high_level_nm: np.ndarray, near_nm: float) -> EdgeWidth:
    """Measure the 10-90 % width of the edge near a position.

    Parameters
    ----------
    profile : Profile
        Heights in nm.
    low_level_nm, high_level_nm : ndarray, shape (N,)
        The two levels at every sample (the lines of a step fit).
    near_nm : float
        About where the edge is.

    Returns
    -------
    EdgeWidth

    Raises
    ------
    DomainError
        If the profile does not pass through 10, 50 and 90 %.
    """
    use = profile.valid
    x, z = profile.distance_nm[use], profile.height_nm[use]
    t = (z - low_level_nm[use]) / (high_level_nm - low_level_nm)[use]
    middle = _crossings(x, t, 0.5)
    if middle.size == 0:
        raise DomainError("The profile does not pass from one level to the other: check the regions of the step.")
    centre = float(middle[np.argmin(np.abs(middle - near_nm))])
    rising = float(np.mean(t[x > centre])) > float(np.mean(t[x < centre]))
    before, after = (0.1, 0.9) if rising else (0.9, 0.1)
    left, right = _crossings(x, t, before), _crossings(x, t, after)
    left, right = left[left <= centre], right[right >= centre]
    if left.size == 0 or right.size == 0:
        raise DomainError("The profile does not reach 10 and 90 % of the step: take a longer line.")
    crossing = float(right[0] - left[-1])
    reach = max(3.0 * crossing, 8.0 * profile.spacing_nm)
    part = np.abs(x - centre) <= reach
    sign = 1.0 if rising else -1.0

    def misfit(p: np.ndarray) -> np.ndarray:
        return 0.5 * (1.0 + sign * special.erf((x[part] - p[0]) / (np.sqrt(2.0) * np.abs(p[1])))) - t[part]

    start = [centre, max(crossing / _TEN_TO_NINETY, 0.2 * profile.spacing_nm)]
    fit = optimize.least_squares(misfit, start, x_scale=profile.spacing_nm, loss="soft_l1", f_scale=0.1)
    return EdgeWidth(crossing, _TEN_TO_NINETY * abs(float(fit.x[1])), float(fit.x[0]))


def _crossings(x: np.ndarray, t: np.ndarray, level: float) -> np.ndarray:
    above = t >= level
    i = np.flatnonzero(above[1:] != above[:-1])
    return x[i] + (level - t[i]) / (t[i + 1] - t[i]) * (x[i + 1] - x[i])


def _flank(steepness: np.ndarray, peak: int, floor: float) -> tuple[int, int]:
    low = high = peak
    while low > 0 and steepness[low - 1] > floor:
        low -= 1
    while high < steepness.size - 1 and steepness[high + 1] > floor:
        high += 1
    return low, high


def _filled(profile: Profile) -> np.ndarray:
    """Heights with gaps bridged by straight lines, for finding edges only."""
    use = profile.valid
    if use.sum() < 10:
        raise DomainError("The profile has fewer than 10 valid samples: draw a longer line.")
    return np.interp(profile.distance_nm, profile.distance_nm[use], profile.height_nm[use])
