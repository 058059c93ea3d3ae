"""What is read off a profile line: cursors and steps with their uncertainties (no Qt).

With posterior draws the half width of the 95 % interval comes from them and from the uncertainty of the height
scale. With only a standard uncertainty for each pixel, its noise is taken as fully correlated inside a level and
as independent between the two ends: an upper estimate for neighbouring points, whose errors go together.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_sem4d.errors import DomainError
from napari_sem4d.metrology.edges import EdgeWidth, edge_width, find_edges
from napari_sem4d.metrology.profile import Profile, read_cursors
from napari_sem4d.metrology.step import StepHeight, Stretch, fit_stretches, groove_height, step_height
from napari_sem4d.widgets.profile_model import Line, StepMarks, two_digits

NORMAL_95 = 1.959964
FROM_DRAWS = "half width of the 95 % interval, from the posterior draws"
FROM_STD = (
    "half width of the 95 % interval, from the standard uncertainties of the two ends, their noise taken as "
    "independent (an upper estimate for neighbouring points; reconstruct with draws for a better one)"
)


@dataclass(frozen=True)
class CursorFigures:
    """Between the two cursors of a line: ``distance`` and ``height`` in their units, ``angle`` in degrees.

    ``half`` is half of the 95 % interval of ``height`` (NaN where nothing says), ``origin`` where it comes from.
    """

    length: float
    distance: float
    height: float
    angle: float
    half: float
    origin: str


@dataclass(frozen=True)
class StepFigures:
    """A fitted step of a line; ``half`` and ``origin`` as in :class:`CursorFigures`, ``width`` of an edge."""

    fit: StepHeight
    half: float
    origin: str
    width: EdgeWidth | None


def cursor_figures(line: Line, profile: Profile, angles: bool = True) -> CursorFigures:
    """Read the cursor pair of a line; ``angles`` False where length and height are not in the same unit."""
    first, second = (part * profile.length_nm for part in line.cursors)
    reading = read_cursors(profile, first, second)
    half, origin, difference = float("nan"), "", reading.height_difference_nm
    if reading.interval is not None:
        half, origin = reading.interval.half_width, _shares(FROM_DRAWS, reading.interval.std, profile, difference)
    elif (noise := noise_std(profile)) is not None:
        own = float(np.hypot(*np.interp([first, second], profile.distance_nm, noise)))
        half = NORMAL_95 * float(np.hypot(own, profile.scale_std * difference))
        origin = _shares(FROM_STD, own, profile, difference)
    angle = reading.angle_deg if angles else float("nan")
    return CursorFigures(profile.length_nm, reading.distance_nm, difference, angle, half, origin)


def step_figures(marks: StepMarks, profile: Profile, quick: bool = False) -> StepFigures:
    """Fit the step of a line.

    Parameters
    ----------
    marks : StepMarks
        Kind and stretches.
    profile : Profile
        Sampled line.
    quick : bool
        Leave out the width of the edge (while something is dragged).

    Raises
    ------
    DomainError
        If there is no step, or a level has too few samples.
    """
    if marks.stretches is not None:
        length = profile.length_nm
        parts = tuple(Stretch(min(a, b) * length, max(a, b) * length, d) for a, b, d in marks.stretches)
        fit = fit_stretches(profile, parts)
    else:
        fit = {"groove": groove_height, "edge": step_height, "auto": automatic_height}[marks.kind](profile)
    half, origin = float("nan"), ""
    if (interval := fit.interval) is not None:
        half, origin = interval.half_width, _shares(FROM_DRAWS, interval.std, profile, fit.height_nm)
    elif (noise := noise_std(profile)) is not None:
        own = _correlated_std(profile, fit, noise)
        half = NORMAL_95 * float(np.hypot(own, profile.scale_std * fit.height_nm))
        origin = _shares(FROM_STD, own, profile, fit.height_nm)
    return StepFigures(fit, half, origin, None if quick else _width(profile, fit))


def automatic_height(profile: Profile) -> StepHeight:
    """Height of the highest ridge or deepest groove between two neighbouring edges, else of the single edge."""
    edges = find_edges(profile)
    pairs = [(a.position_nm, b.position_nm) for a, b in pairwise(edges) if a.sense != b.sense]
    fits = []
    for pair in pairs:
        try:
            fits.append(groove_height(profile, pair))
        except DomainError:  # one side of it is not on the line; another feature may be whole
            continue
    return max(fits, key=lambda fit: abs(fit.height_nm)) if fits else step_height(profile)


def noise_std(profile: Profile) -> np.ndarray | None:
    """Standard uncertainty of the samples without the share of the height scale; None where nothing is known."""
    if profile.height_std is None:
        return None
    scale = profile.scale_std * profile.height_nm
    return np.sqrt(np.maximum(profile.height_std**2 - scale**2, 0.0))


def _shares(origin: str, noise: float, profile: Profile, height: float) -> str:
    """Where an interval comes from, with its two standard uncertainties told apart."""
    if not profile.scale_std:
        return origin
    scale = two_digits(profile.scale_std * abs(height))
    return f"{origin}; standard uncertainty: noise {two_digits(noise)}, calibration {scale}"


def _correlated_std(profile: Profile, fit: StepHeight, noise: np.ndarray) -> float:
    """Standard uncertainty of the height where errors inside a level are fully correlated."""
    levels = []
    for d in (1, -1):
        inside = np.zeros(profile.distance_nm.size, dtype=bool)
        for part in fit.stretches:
            if part.d == d:
                inside |= (profile.distance_nm >= part.start_nm) & (profile.distance_nm <= part.end_nm)
        levels.append(float(np.nanmean(noise[inside & profile.valid])))
    return float(np.hypot(*levels))


def _width(profile: Profile, fit: StepHeight) -> EdgeWidth | None:
    """10-90 % width of a single edge; None where the profile does not pass through the levels."""
    if len(fit.stretches) != 2:
        return None
    first, second = sorted(fit.stretches, key=lambda part: part.start_nm)
    low, high = (fit.level(profile.distance_nm, d) for d in (-1, 1))
    try:
        return edge_width(profile, low, high, (first.end_nm + second.start_nm) / 2)
    except DomainError:
        return None
