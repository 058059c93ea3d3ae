"""The detector's geometry from the images of an unknown surface: joint with its heights and relative yield."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from napari_sem4d.acquisition.instrument import Instrument, Segment
from napari_sem4d.forward.engine import DifferentiableEngine
from napari_sem4d.inversion.gauss_newton import dot, local_inverse
from napari_sem4d.inversion.geometry import Geometry
from napari_sem4d.inversion.objective import Objective, State
from napari_sem4d.inversion.quasi_newton import minimise

EngineFor = Callable[[Instrument], DifferentiableEngine]

_STEPS = 12
_SETTLED = 0.02  # standard uncertainties
_DIFFERENCE = {"deg": 0.5, "1": 0.01}
_LONGEST = {"deg": 4.0, "1": 0.06}
_GAIN_STD = 0.1
_TOLERANCE = 1e-3
_RESPONSE_TOLERANCE = 0.01
_SEED = 7


@dataclass(frozen=True)
class GeometryFit:
    """The geometry that the images call for.

    Attributes
    ----------
    names, units : tuple of str
    values, std : ndarray, shape (P,)
        In those units; the standard uncertainty holds the noise.
    correlation : ndarray, shape (P, P)
    instrument : Instrument
        With the segments that were found (and gains, where these were free).
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    std: np.ndarray
    correlation: np.ndarray
    instrument: Instrument


def fit_geometry(
    objective: Objective,
    state: State,
    geometry: Geometry,
    engine_for: EngineFor,
    *,
    gains_free: bool,
    correlation_area: float = 1.0,
    max_steps: int = 30,
    on_step: Callable[[State], None] | None = None,
) -> tuple[GeometryFit, Objective, State]:
    """Alternate between surface and geometry: Gauss-Newton on the geometry, the surface eliminated.

    What a change of the geometry does to the signals is found by finite differences of the engine; what the
    surface could do to make up for it is taken out (Schur complement of the Gauss-Newton system with priors). A
    rotation shows because slopes turned by a wrong angle are no gradient of any surface. Polar edges and working
    distance scale the relief and are not found here: the objective's minimum drifts with them, as a more sensitive
    detector lets the surface follow more of the noise.

    Parameters
    ----------
    objective, state
        Of one frame, at the minimum for the geometry as given, the prior's weight found.
    geometry : Geometry
        What is free, with the segments of the engine's instrument.
    engine_for : callable
        Instrument to an engine like that of the objective.
    gains_free : bool
        Whether the segments' gains are unknown as well (no calibration): known within 10 %.
    correlation_area : float
        Pixels that share one independent value of noise.
    max_steps : int
        Of the surface's solver.
    on_step : callable, optional
        Called with every accepted state; may raise to cancel.
    """
    instrument = objective.engine.setup.instrument
    x = geometry.start
    log_gains = np.zeros(len(geometry.segments))
    steps = np.array([_DIFFERENCE[u] for u in geometry.units])
    longest = np.array([_LONGEST[u] for u in geometry.units])

    def at(x: np.ndarray) -> Instrument:
        return _with(instrument, geometry.moved(x), log_gains)

    def by_parameter(state: State) -> list[torch.Tensor]:
        signals = state.linearisation.signals
        out = []
        for step, scale in zip(np.diag(steps), steps, strict=True):
            moved = engine_for(at(x + step)).expected_signals(state.height, state.relative_yield)
            out.append((moved - signals) / scale)
        return out + (_gain_columns(state, at(x).detector.segments) if gains_free else [])

    for _ in range(_STEPS):
        columns = by_parameter(state)
        information, gradient, surface = _reduced(objective, state, columns)
        information /= correlation_area
        gradient /= correlation_area
        count = len(x)
        if gains_free:
            information[count:, count:] += np.eye(len(log_gains)) / _GAIN_STD**2
            gradient[count:] += log_gains / _GAIN_STD**2
        covariance = np.linalg.pinv(information, hermitian=True)
        step = -covariance @ gradient
        std = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        shrink = min(1.0, 1.0 / max(np.max(np.abs(step[:count]) / longest), 1e-12))
        step *= shrink
        x = x + step[:count]
        if gains_free:
            log_gains = log_gains + step[count:]
        height = state.height + sum(float(s) * h for s, (h, _) in zip(step, surface, strict=True))
        relative_yield = state.relative_yield + sum(float(s) * y for s, (_, y) in zip(step, surface, strict=True))
        objective = Objective(engine_for(at(x)), objective.data, objective.priors)
        state = minimise(objective, objective.at(height, relative_yield), max_steps, _TOLERANCE, on_step)
        if np.all(np.abs(step[:count]) < _SETTLED * std[:count]):
            break
    count = len(x)
    # The solution's own noise looks like relief that tells something: what it alone would tell is taken off.
    flat = _noise_alone(objective, state)
    information[:count, :count] -= (
        _reduced(objective, flat, by_parameter(flat))[0][:count, :count] / correlation_area
    )
    covariance = np.linalg.pinv(information, hermitian=True)
    variance = np.diag(covariance)[:count]
    told = np.linalg.eigvalsh(information)[0] > 0
    std = np.sqrt(np.maximum(variance, 0.0)) if told else np.full(count, np.inf)
    fit = GeometryFit(
        geometry.names,
        geometry.units,
        x,
        std,
        covariance[:count, :count] / np.outer(std, std) if told else np.eye(count),
        at(x),
    )
    return fit, objective, state


def _noise_alone(objective: Objective, state: State) -> State:
    """A flat surface with the heights that the solver makes of the images' noise (one realisation)."""
    generator = torch.Generator().manual_seed(_SEED)
    weight = state.active_weight
    noise = torch.randn(weight.shape, generator=generator, dtype=weight.dtype).to(weight.device)
    solve = local_inverse(objective, state, _RESPONSE_TOLERANCE, 100)
    height, _ = solve(*state.linearisation.vjp(weight.sqrt() * noise))
    return objective.at(height, torch.full_like(height, float(state.relative_yield.mean())))


def _with(instrument: Instrument, segments: tuple[Segment, ...], log_gains: np.ndarray) -> Instrument:
    scaled = tuple(
        s.model_copy(update={"gain": float(s.gain * np.exp(g))}) for s, g in zip(segments, log_gains, strict=True)
    )
    detector = instrument.detector.model_copy(update={"segments": scaled})
    return instrument.model_copy(update={"detector": detector})


def _gain_columns(state: State, segments: tuple[Segment, ...]) -> list[torch.Tensor]:
    """Change of the signals with the logarithm of each gain."""
    out = []
    for k, segment in enumerate(segments):
        column = torch.zeros_like(state.linearisation.signals)
        column[k] = state.linearisation.signals[k] - segment.offset
        out.append(column)
    return out


def _reduced(
    objective: Objective, state: State, columns: list[torch.Tensor]
) -> tuple[np.ndarray, np.ndarray, list[tuple[torch.Tensor, torch.Tensor]]]:
    """Information about the parameters with the surface eliminated, the gradient, and the surface's response.

    The response comes from the local part of the Hessian. The information is the square of what it leaves with the
    whole derivative, which is second order in the error of the response and never negative.
    """
    solve = local_inverse(objective, state, _RESPONSE_TOLERANCE, 100)
    weight, linear = state.active_weight, state.linearisation
    response = [(-h, -y) for h, y in (solve(*linear.vjp(weight * c)) for c in columns)]
    left = [c + linear.jvp(*x) for c, x in zip(columns, response, strict=True)]
    bent = [objective.priors.apply(*x) for x in response]
    rest = objective.gradient(state)
    size = len(columns)
    information, gradient = np.empty((size, size)), np.empty(size)
    for i in range(size):
        own = (columns[i] * weight * state.residual).sum(dtype=torch.float64)
        gradient[i] = float(own) + dot(response[i], rest)
        for j in range(i + 1):
            data = float((left[i] * weight * left[j]).sum(dtype=torch.float64))
            information[i, j] = information[j, i] = data + dot(response[i], bent[j])
    return information, gradient, response
