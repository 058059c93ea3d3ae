"""Gauss-Newton with preconditioned conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch

from napari_sem4d.inversion.objective import Objective, State
from napari_sem4d.inversion.spectral import SpectralHessian

_CG_TOLERANCE = 0.03

Fields = tuple[torch.Tensor, torch.Tensor]


def minimise(
    objective: Objective,
    state: State,
    max_steps: int,
    tolerance: float,
    on_step: Callable[[State], None] | None = None,
) -> State:
    """Minimise the objective from a state.

    Each step solves the linearised problem by conjugate gradients; it is kept only if the true objective falls,
    and halved until it does.

    Parameters
    ----------
    objective : Objective
    state : State
        Where to start (of this objective).
    max_steps : int
        Most Gauss-Newton steps.
    tolerance : float
        Ends when a further step's expected decrease is below this share of the objective.
    on_step : callable, optional
        Called with every accepted state; may raise to cancel.

    Returns
    -------
    State
        With an objective not above that of the start.
    """
    for step in range(max_steps):
        gradient = objective.gradient(state)
        change, expected = newton_step(objective, state, gradient, _CG_TOLERANCE)
        if expected < tolerance * state.objective and step > 0:
            break
        candidate = _search(objective, state, change)
        if candidate is None:
            break
        # The step was as good as its linear model: what that missed is what a further step could gain.
        missed = abs(state.objective - candidate.objective - expected)
        state = candidate
        if on_step is not None:
            on_step(state)
        if missed < tolerance * state.objective:
            break
    return state


def newton_step(
    objective: Objective, state: State, gradient: Fields, relative_tolerance: float, max_iterations: int = 60
) -> tuple[Fields, float]:
    """Solve the linearised problem for a gradient; return the change and the expected decrease."""
    precondition = SpectralHessian.of(objective, state).preconditioner()
    right = (-gradient[0], -gradient[1])
    return conjugate_gradients(
        hessian_operator(objective, state), right, precondition, relative_tolerance, max_iterations
    )


def hessian_operator(objective: Objective, state: State) -> Callable[[torch.Tensor, torch.Tensor], Fields]:
    """The Gauss-Newton Hessian of data and priors as a function of (height, relative yield)."""
    normal = state.linearisation.normal_operator(state.active_weight)

    def product(height: torch.Tensor, relative_yield: torch.Tensor) -> Fields:
        data = normal(height, relative_yield)
        prior = objective.priors.apply(height, relative_yield)
        return data[0] + prior[0], data[1] + prior[1]

    return product


def conjugate_gradients(
    hessian: Callable[[torch.Tensor, torch.Tensor], Fields],
    right: Fields,
    precondition: Callable[[torch.Tensor, torch.Tensor], Fields],
    relative_tolerance: float,
    max_iterations: int,
) -> tuple[Fields, float]:
    """Preconditioned conjugate gradients on a pair of fields.

    Ends when the residual, measured in the preconditioner's norm, has fallen to ``relative_tolerance``.
    Scalar products are summed in float64. Returns the solution x and ``1/2 x . right``, by which the quadratic
    falls.
    """
    x = (torch.zeros_like(right[0]), torch.zeros_like(right[1]))
    r = (right[0].clone(), right[1].clone())
    z = precondition(*r)
    direction = (z[0].clone(), z[1].clone())
    rho = first = _dot(r, z)
    for _ in range(max_iterations):
        if rho <= 0 or rho <= relative_tolerance**2 * first:
            break
        product = hessian(*direction)
        curvature = _dot(direction, product)
        if curvature <= 0:
            break
        alpha = rho / curvature
        for i in (0, 1):
            x[i].add_(direction[i], alpha=alpha)
            r[i].sub_(product[i], alpha=alpha)
        z = precondition(*r)
        previous, rho = rho, _dot(r, z)
        for i in (0, 1):
            direction[i].mul_(rho / previous).add_(z[i])
    return x, 0.5 * _dot(x, right)


def _search(objective: Objective, state: State, change: Fields) -> State | None:
    length = 1.0
    for _ in range(6):
        candidate = objective.at(state.height + length * change[0], state.relative_yield + length * change[1])
        if candidate.objective < state.objective:
            return candidate
        length *= 0.5
    return None


def _dot(a: Fields, b: Fields) -> float:
    return sum(float((x * y).sum(dtype=torch.float64)) for x, y in zip(a, b, strict=True))
