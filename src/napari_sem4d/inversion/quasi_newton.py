"""Quasi-Newton steps along the true gradient, scaled by the local part of the Hessian."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from napari_sem4d.inversion.gauss_newton import Fields, dot, local_inverse
from napari_sem4d.inversion.objective import Objective, State

_CG_TOLERANCE = 0.03
_PAIRS = 6
_LEAST_DECREASE = 1e-4
"""Share of the slope's promise that a step must keep (Armijo's condition)."""
_TRIALS = 6
_SHORTEST, _LONGEST = 0.3, 1.0
"""Lengths that a step is first tried with: the one that would have been best for the step before."""
_LEAST_CURVATURE = 1e-6


def minimise(
    objective: Objective,
    state: State,
    max_steps: int,
    tolerance: float,
    on_step: Callable[[State], None] | None = None,
    learnt: Learnt | None = None,
) -> State:
    """Minimise the objective from a state.

    The gradient is that of the whole engine. What pixels do to one another is all but absent from the Hessian that
    can be inverted cheaply, its local part; limited-memory BFGS updates of that part (Nocedal & Wright, Numerical
    Optimization, 2nd ed., algorithm 7.4) learn it from the change of the gradient, in units of the engine's usual
    ratio to it. So a step costs one solution of the local problem by conjugate gradients, one evaluation of the
    engine and one of its vjp. It is kept only if the true objective falls.

    Parameters
    ----------
    objective : Objective
    state : State
        Where to start (of this objective).
    max_steps : int
        Most steps.
    tolerance : float
        Ends when further steps are expected to lower the objective by less than this share of it.
    on_step : callable, optional
        Called with every accepted state; may raise to cancel.
    learnt : Learnt, optional
        What the steps of minimisations before have shown of the same data; those of this one are added.

    Returns
    -------
    State
        With an objective not above that of the start.
    """
    learnt = Learnt() if learnt is None else learnt
    pairs = learnt.under(objective)
    gradient = objective.gradient(state)
    gains: list[float] = []
    length = 1.0
    for step in range(max_steps):
        change, expected = _direction(objective, state, gradient, pairs)
        if expected <= tolerance * state.objective and step > 0:
            break
        found = _search(objective, state, change, -2.0 * expected, length)
        if found is None:
            break
        candidate, length = found
        gains.append(state.objective - candidate.objective)
        previous, before = state, gradient
        state = candidate
        if on_step is not None:
            on_step(state)
        missed = abs(gains[-1] - expected)  # by the quadratic model: what it does not know, steps may still find
        if max(missed, _still_to_gain(gains)) < tolerance * state.objective:
            break
        if step + 1 < max_steps:
            gradient = objective.gradient(state)
            step_taken = state.height - previous.height, state.relative_yield - previous.relative_yield
            change = gradient[0] - before[0], gradient[1] - before[1]
            pairs.extend(_Pair.of(step_taken, change))
            learnt.add(objective, step_taken, change)
    return state


def _still_to_gain(gains: list[float]) -> float:
    """What all further steps together would gain, if each gains the same share of the one before."""
    if len(gains) < 2 or gains[-1] >= gains[-2]:
        return math.inf
    return gains[-1] ** 2 / (gains[-2] - gains[-1])


class Learnt:
    """What steps have shown of the data's curvature, to be used again under other priors."""

    def __init__(self) -> None:
        self._steps: deque[tuple[Fields, Fields]] = deque(maxlen=_PAIRS)

    def add(self, objective: Objective, step: Fields, change: Fields) -> None:
        """Keep a step and the change of the gradient that came with it, less that of the quadratic priors."""
        prior = objective.priors.apply(*step)
        self._steps.append((step, (change[0] - prior[0], change[1] - prior[1])))

    def under(self, objective: Objective) -> deque[_Pair]:
        """The pairs as they would be under an objective's priors."""
        pairs: deque[_Pair] = deque(maxlen=_PAIRS)
        for step, change in self._steps:
            prior = objective.priors.apply(*step)
            pairs.extend(_Pair.of(step, (change[0] + prior[0], change[1] + prior[1])))
        return pairs


@dataclass(frozen=True)
class _Pair:
    """A change of height and yield, and the change of the gradient that came with it."""

    step: Fields
    change: Fields
    product: float

    @classmethod
    def of(cls, step: Fields, change: Fields) -> list[_Pair]:
        """The pair of a step; none where the objective was not convex along it."""
        product = dot(step, change)
        least = _LEAST_CURVATURE * (dot(step, step) * dot(change, change)) ** 0.5
        return [cls(step, change, product)] if product > least else []


def _direction(objective: Objective, state: State, gradient: Fields, pairs: deque[_Pair]) -> tuple[Fields, float]:
    """The change that the quadratic model calls for, and the decrease that it expects."""
    solve = local_inverse(objective, state, _CG_TOLERANCE)
    rest = -gradient[0], -gradient[1]
    shares = []
    for pair in reversed(pairs):
        share = dot(pair.step, rest) / pair.product
        shares.append(share)
        _add(rest, pair.change, -share)
    if pairs:
        scale = 1.0 / state.linearisation.curvature_ratio
        rest = rest[0] * scale, rest[1] * scale
    change = solve(*rest)
    for pair, share in zip(pairs, reversed(shares), strict=True):
        _add(change, pair.step, share - dot(pair.change, change) / pair.product)
    expected = -0.5 * dot(change, gradient)
    if expected <= 0 and pairs:  # rounding has spoilt the pairs
        pairs.clear()
        return _direction(objective, state, gradient, pairs)
    return change, expected


def _search(
    objective: Objective, state: State, change: Fields, slope: float, length: float
) -> tuple[State, float] | None:
    """The first state along a change whose objective has fallen enough, by interpolated shortening.

    With it the length at which the parabola through value and slope at the start and the value there is lowest.
    """
    for _ in range(_TRIALS):
        candidate = objective.at(state.height + length * change[0], state.relative_yield + length * change[1])
        rise = candidate.objective - state.objective
        bend = (rise - length * slope) / length**2
        best = -0.5 * slope / bend if bend > 0 else _LONGEST
        if rise < _LEAST_DECREASE * length * slope:
            return candidate, min(max(best, _SHORTEST), _LONGEST)
        length *= min(max(best / length, 0.1), 0.5)
    return None


def _add(fields: Fields, other: Fields, factor: float) -> None:
    for a, b in zip(fields, other, strict=True):
        a.add_(b, alpha=factor)
