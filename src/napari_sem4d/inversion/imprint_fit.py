"""Least-squares fit of the detector to the mean signals of an imprint's faces and of the flat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import OptimizeResult, least_squares

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.errors import InputError
from napari_sem4d.inversion.geometry import ASSUMED_STD
from napari_sem4d.inversion.imprint_model import RegionModel
from napari_sem4d.inversion.imprint_problem import POLAR_UNIT_DEG, ImprintProblem, Layout

_LITTLE_LEARNT = 0.8
_TRIAL_STEPS = 10
_RENEWALS = 5
_SETTLED = 5e-4  # change of the modelled signals, in units of the flat's, at which the model counts as renewed


@dataclass(frozen=True)
class ImprintFit:
    """The fitted detector.

    ``x`` and ``covariance_x`` are internal parameters of ``layout``; ``values``, ``std`` and ``correlation`` are
    the same in the units of ``units``. ``segments`` have azimuths in the image's frame. ``data_correlation`` is
    the multiple correlation of each parameter with all others in the signals alone, without the priors.
    """

    layout: Layout
    x: np.ndarray
    covariance_x: np.ndarray
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    std: np.ndarray
    correlation: np.ndarray
    data_correlation: np.ndarray
    segments: tuple[Segment, ...]
    slopes: np.ndarray
    amplification: float
    face_yield: float
    residual_of_flat: np.ndarray
    chi_square: float
    reduced_chi_square: float
    chirality: int
    order_changed: bool
    hardly_determined: tuple[tuple[str, float], ...]
    rejected_chi_square: float


def fit_imprint(problem: ImprintProblem, start: RegionModel | None = None) -> ImprintFit:
    """Fit the free parameters; the order of the segments around the column is tried both ways.

    A slow model (an engine on a modelled pit) is replaced by a quick one that agrees with it at the current
    geometry, which is renewed until the signals settle.

    Parameters
    ----------
    problem : ImprintProblem
    start : RegionModel, optional
        Quick model to start with, for example that of a fit to nearly the same data.

    Raises
    ------
    InputError
        If there are fewer than three segments, or the faces leave no contrast.
    """
    if len(problem.segments) < 3:
        raise InputError(
            "an imprint calibrates detectors of at least three segments, these images have "
            f"{len(problem.segments)}; with fewer, slope and azimuth cannot both be told"
        )
    measured = segment_azimuths(problem)
    solutions = []
    for base in _arrangements(problem, measured):
        difference = np.radians(np.degrees(measured) - base)
        rotation = float(np.angle(np.exp(1j * difference).sum()))
        layout = Layout.of(problem, base, rotation, start)
        start = layout.model

        # A few steps tell the right arrangement from the mirrored one; only the better one is carried on.
        first = _minimise(layout, layout.start(), _TRIAL_STEPS)
        solutions.append((float(first.cost), layout, first.x))
    solutions.sort(key=lambda s: s[0])
    _, layout, x = solutions[0]
    for _ in range(_RENEWALS):
        before = layout.signals(x)
        layout = layout.renewed(x)
        result = _minimise(layout, x, 100)
        x = result.x
        if np.abs((layout.signals(x) - before) / problem.flat).max() < _SETTLED:
            break
    return _finish(problem, layout, x, np.asarray(result.jac), 2 * solutions[1][0])


def _minimise(layout: Layout, x: np.ndarray, steps: int) -> OptimizeResult:
    def residual(x: np.ndarray) -> np.ndarray:
        return np.concatenate([layout.misfit(x), layout.priors(x)])

    return least_squares(residual, x, x_scale="jac", max_nfev=steps)


def segment_azimuths(problem: ImprintProblem) -> np.ndarray:
    """Direction from which each segment looks, by regression on the faces of the pit, rad, shape (K,).

    A face rises away from the centre, so its normal leans towards the centre: a segment on the left brightens
    the face on the right.
    """
    used = np.flatnonzero(problem.used[:4])
    azimuth = problem.face_azimuths_rad[used]
    design = np.stack([np.ones(used.size), -np.cos(azimuth), -np.sin(azimuth)], axis=1)
    _, east, north = np.linalg.lstsq(design, problem.mean[used] / problem.flat, rcond=None)[0]
    if np.hypot(east, north).max() < 3 * problem.model_error:
        raise InputError(
            "the faces of the imprint are equally bright in every segment, so the segments' azimuths cannot be "
            "told; check that these are single segments and not their sum"
        )
    azimuths: np.ndarray = np.arctan2(north, east)
    return azimuths


def _arrangements(problem: ImprintProblem, measured: np.ndarray) -> list[np.ndarray]:
    """Azimuths of the segments' middles (deg, up to a common rotation): as found or described, and mirrored."""
    centres = np.array([s.azimuth_centre_deg for s in problem.segments])
    if not _equal_ring(problem.segments):
        return [centres, -centres]
    count = len(centres)
    rank = np.empty(count)
    rank[np.argsort(measured % (2 * np.pi))] = np.arange(count)
    spaced = rank * 360.0 / count
    return [spaced, -spaced]


def _equal_ring(segments: tuple[Segment, ...]) -> bool:
    centres = np.sort([s.azimuth_centre_deg for s in segments])
    gaps = np.diff(np.append(centres, centres[0] + 360.0))
    one_ring = len({s.polar_deg for s in segments}) == 1
    return one_ring and bool(np.all(np.abs(gaps - 360.0 / len(segments)) < 1.0))


def _finish(
    problem: ImprintProblem, layout: Layout, x: np.ndarray, jacobian: np.ndarray, rejected: float
) -> ImprintFit:
    misfit = layout.misfit(x)
    data, prior = jacobian[: misfit.size], jacobian[misfit.size :]
    plain = np.linalg.pinv(data.T @ data + prior.T @ prior)
    chi_square = float(misfit @ misfit)
    freedom = max(misfit.size - float(np.trace(data @ plain @ data.T)), 1.0)
    reduced = chi_square / freedom
    # A misfit beyond the declared errors is model error of unknown shape: it widens the uncertainty.
    covariance = np.linalg.pinv(data.T @ data / max(1.0, reduced) + prior.T @ prior)
    names, units, values, scale = layout.describe(x)
    std_x = np.sqrt(np.diag(covariance))
    state = layout.state(x)
    prior_std = np.full(layout.size, np.inf)
    prior_std[layout.blocks["offset"]] = problem.offset_std
    prior_std[layout.blocks["polar"]] = problem.polar_std_deg / POLAR_UNIT_DEG
    prior_std[layout.blocks["own"]] = np.radians(ASSUMED_STD["segment_azimuths"])
    prior_std[layout.blocks["distance"]] = ASSUMED_STD["working_distance"]
    learnt = std_x / prior_std
    centres = np.array([s.azimuth_centre_deg for s in state.segments])
    return ImprintFit(
        layout=layout,
        x=x,
        covariance_x=covariance,
        names=names,
        units=units,
        values=values,
        std=std_x * np.abs(scale),
        correlation=covariance / np.outer(std_x, std_x),
        data_correlation=_multiple_correlation(data.T @ data),
        segments=state.segments,
        slopes=state.slopes,
        amplification=state.amplification,
        face_yield=state.face_yield,
        residual_of_flat=(problem.mean - layout.signals(x)) / problem.flat,
        chi_square=chi_square,
        reduced_chi_square=reduced,
        chirality=cyclic_order(centres),
        order_changed=not _same_cyclic_order(centres, np.array([s.azimuth_centre_deg for s in problem.segments])),
        hardly_determined=tuple((names[i], float(learnt[i])) for i in np.flatnonzero(learnt > _LITTLE_LEARNT)),
        rejected_chi_square=rejected,
    )


def _multiple_correlation(information: np.ndarray) -> np.ndarray:
    """Multiple correlation of every parameter with the others, from the information matrix (1: not told apart)."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    normalised = information / np.outer(scale, scale)
    variance = np.diag(np.linalg.inv(normalised + 1e-9 * np.eye(len(scale))))
    correlation: np.ndarray = np.sqrt(np.clip(1 - 1 / variance, 0.0, 1.0))
    return correlation


def cyclic_order(azimuths_deg: np.ndarray) -> int:
    """1 if the azimuths run counter-clockwise once around, -1 if clockwise, 0 in any other order."""
    steps = np.diff(np.append(azimuths_deg, azimuths_deg[0])) % 360.0
    total = steps.sum()
    if np.isclose(total, 360.0):
        return 1
    return -1 if np.isclose(total, 360.0 * (len(azimuths_deg) - 1)) else 0


def _same_cyclic_order(a: np.ndarray, b: np.ndarray) -> bool:
    def ranks(angles: np.ndarray) -> np.ndarray:
        order = np.argsort(angles % 360.0)
        return np.roll(order, -int(np.flatnonzero(order == 0)[0]))

    return bool(np.array_equal(ranks(a), ranks(b)))
