"""Step and groove heights on profiles, after ISO 5436-1 (type A1).

A groove or ridge: least squares of ``z = a x + b + h d``, where d is of one sign on the middle third of
the feature and of the other sign on the stretches from w/3 to w beyond its edges (w is the width between
the edges); its height is 2 h. Where a neighbouring plateau ends sooner, the stretch is cut a third of that
plateau before its end. A single edge is not in the standard: here it is the same fit with one stretch on
each side of the edge.

Signs: d = +1 in the middle, so a ridge has a positive and a groove a negative height (its depth is the
modulus, as in the standard); a single step is positive when the profile is higher after the edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import DomainError
from napari_sem4d.metrology.edges import Edge, find_edges
from napari_sem4d.metrology.intervals import Interval, linear_interval, with_scale
from napari_sem4d.metrology.profile import Profile
from napari_sem4d.metrology.robust import robust_fit


@dataclass(frozen=True)
class Stretch:
    """A fitted part of a profile from ``start_nm`` to ``end_nm``; ``d`` is +1 or -1."""

    start_nm: float
    end_nm: float
    d: int


@dataclass(frozen=True)
class StepHeight:
    """Height of a step, groove or ridge with the fit that gave it.

    Attributes
    ----------
    height_nm : float
        Signed height 2 h, nm.
    slope : float
        a, nm/nm.
    offset_nm : float
        b, nm.
    stretches : tuple of Stretch
        What was fitted (to be shaded in a plot).
    noise_nm : float
        Robust standard deviation of the residuals, nm.
    std_nm : float or None
        Standard uncertainty from the posterior draws, nm; None without draws.
    draws_nm : ndarray or None
        The height in each draw, nm.
    scale_std : float
        Relative standard uncertainty of the height scale.
    """

    height_nm: float
    slope: float
    offset_nm: float
    stretches: tuple[Stretch, ...]
    noise_nm: float
    std_nm: float | None = None
    draws_nm: np.ndarray | None = None
    scale_std: float = 0.0

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the height from the draws and the height scale; None without draws."""
        if self.draws_nm is None:
            return None
        return with_scale(linear_interval(self.height_nm, self.draws_nm), self.scale_std)

    def level(self, distance_nm: np.ndarray, d: int) -> np.ndarray:
        """The fitted line of the stretches with that d (+1 or -1) at these distances, nm."""
        return self.slope * np.asarray(distance_nm) + self.offset_nm + d * self.height_nm / 2.0


def fit_stretches(profile: Profile, stretches: tuple[Stretch, ...], robust: bool = True) -> StepHeight:
    """Fit two parallel lines to marked stretches.

    Parameters
    ----------
    profile : Profile
        Heights in nm, with draws if there are some.
    stretches : tuple of Stretch
        At least one with d = +1 and one with d = -1; the height is that of the former above the latter.
    robust : bool
        Tukey's loss, so that single outliers do not count; False gives the plain fit of the standard.

    Returns
    -------
    StepHeight

    Raises
    ------
    DomainError
        If one of the levels has fewer than 3 valid samples.
    """
    x = profile.distance_nm
    d = np.zeros(x.size)
    for part in stretches:
        d[(x >= part.start_nm - 1e-9) & (x <= part.end_nm + 1e-9)] = part.d
    use = (d != 0) & profile.valid
    for side in (1, -1):
        if (d[use] == side).sum() < 3:
            raise DomainError("A level has fewer than 3 valid samples: take a longer line or mark more of it.")
    centre, half = float(x[use].mean()), max(float(np.ptp(x[use])) / 2, 1e-300)
    design = np.column_stack([(x[use] - centre) / half, np.ones(int(use.sum())), d[use]])
    fit = robust_fit(design, profile.height_nm[use], robust=robust)
    a, b, h = fit.coefficients
    drawn = std = None
    if profile.draws is not None and profile.draws.shape[0] > 1:
        # The weights stay those of the fit, so the height is linear in the data and so are the draws.
        drawn = 2.0 * (profile.draws[:, use] @ fit.functional(design, 2))
        std = float(drawn.std(ddof=1))
    return StepHeight(
        height_nm=float(2.0 * h),
        slope=float(a / half),
        offset_nm=float(b - a / half * centre),
        stretches=stretches,
        noise_nm=fit.noise,
        std_nm=std,
        draws_nm=drawn,
        scale_std=profile.scale_std,
    )


def groove_height(
    profile: Profile, edges_nm: tuple[float, float] | None = None, *, robust: bool = True
) -> StepHeight:
    """Height of one groove or ridge by ISO 5436-1 (negative for a groove; its depth is the modulus).

    Parameters
    ----------
    profile : Profile
        Must hold the feature and its surroundings on both sides.
    edges_nm : (float, float), optional
        Positions of the two edges; the two strongest edges of opposite sense if not given.
    robust : bool
        See :func:`fit_stretches`.

    Returns
    -------
    StepHeight

    Raises
    ------
    DomainError
        If no such edges are found, or too little of the levels lies on the line.
    """
    if edges_nm is None:
        edges = find_edges(profile, 2)
        if edges[0].sense == edges[1].sense:
            raise DomainError("The two strongest edges have the same sense and bound no groove or ridge: mark it.")
        left, right = edges[0].position_nm, edges[1].position_nm
    else:
        left, right = sorted(float(e) for e in edges_nm)
    return _feature(profile, left, right, 0.0, profile.length_nm, robust)


def grating_heights(profile: Profile, *, robust: bool = True) -> list[StepHeight]:
    """Height of every groove of a grating, each by ISO 5436-1 against the ridges on both sides.

    The stretches on the ridges begin w/3 beyond the edge and end a third of the ridge before its other edge,
    so asymmetric gratings are measured right; tilt is part of each fit.

    Raises
    ------
    DomainError
        If no complete groove lies on the line.
    """
    edges = find_edges(profile)
    found = []
    for k in range(len(edges) - 1):
        if not (edges[k].sense == -1 and edges[k + 1].sense == 1):
            continue
        left, right = edges[k].position_nm, edges[k + 1].position_nm
        low = edges[k - 1].position_nm if k > 0 else 0.0
        high = edges[k + 2].position_nm if k + 2 < len(edges) else profile.length_nm
        try:
            found.append(_feature(profile, left, right, low, high, robust))
        except DomainError:
            # A groove cut by the end of the line lacks one side; the others are measured.
            continue
    if not found:
        raise DomainError("No complete groove with a ridge on each side lies on this line: draw a longer one.")
    return found


def step_height(
    profile: Profile, edge_nm: float | None = None, *, exclude_nm: float | None = None, robust: bool = True
) -> StepHeight:
    """Height of a single edge: two parallel lines before and after it.

    Parameters
    ----------
    profile : Profile
        Heights in nm.
    edge_nm : float, optional
        Where the edge is; the strongest edge if not given.
    exclude_nm : float, optional
        What is left out on each side of the edge; twice its 10-90 % width, at least 3 samples, if not given.
    robust : bool
        See :func:`fit_stretches`.

    Returns
    -------
    StepHeight

    Raises
    ------
    DomainError
        If no edge is found or a side is too short.
    """
    edge = find_edges(profile, 1)[0] if edge_nm is None else Edge(float(edge_nm), 1, 0.0)
    where, end = edge.position_nm, profile.length_nm
    # An edge given by hand has no width yet; three samples then have to do.
    gap = max(2 * edge.width_nm, 3 * profile.spacing_nm) if exclude_nm is None else float(exclude_nm)
    stretches = (Stretch(0.0, where - gap, -1), Stretch(where + gap, end, 1))
    return fit_stretches(profile, stretches, robust)


def _feature(profile: Profile, left: float, right: float, low: float, high: float, robust: bool) -> StepHeight:
    """Fit the feature between two edges; ``low`` and ``high`` bound the plateaus beside it, nm."""
    w = right - left
    # On a plateau that is another ridge its last third is left out like the first third of the side.
    before = max(left - w, low + (left - low) / 3 if low > 0 else 0.0), left - min(w, left - low) / 3
    after = (
        right + min(w, high - right) / 3,
        min(right + w, high - (high - right) / 3 if high < profile.length_nm else high),
    )
    stretches = (
        Stretch(before[0], before[1], -1),
        Stretch(left + w / 3, right - w / 3, 1),
        Stretch(after[0], after[1], -1),
    )
    for part in (stretches[0], stretches[2]):
        inside = (profile.distance_nm >= part.start_nm) & (profile.distance_nm <= part.end_nm) & profile.valid
        if inside.sum() < 2:
            raise DomainError(
                "Too little of the surface beside the feature lies on the line: draw it longer on both sides."
            )
    return fit_stretches(profile, stretches, robust)
