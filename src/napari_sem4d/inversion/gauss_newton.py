"""The local part of the Gauss-Newton Hessian, and its inverse by preconditioned conjugate gradients."""

from __future__ import annotations

import torch

from napari_sem4d.forward.normal import Fields, Operator
from napari_sem4d.inversion.objective import Objective, State
from napari_sem4d.inversion.spectral import SpectralHessian


def local_hessian_operator(objective: Objective, state: State) -> Operator:
    """The local part of the Gauss-Newton Hessian: what each pixel's own slope and yield do, and their transfer.

    Close to the whole, which would be ``vjp`` of the weighted ``jvp``, and far cheaper.
    """
    normal = state.linearisation.local_normal_operator(state.active_weight)

    def product(height: torch.Tensor, relative_yield: torch.Tensor) -> Fields:
        data = normal(height, relative_yield)
        prior = objective.priors.apply(height, relative_yield)
        return data[0] + prior[0], data[1] + prior[1]

    return product


def local_inverse(
    objective: Objective, state: State, relative_tolerance: float, max_iterations: int = 60
) -> Operator:
    """Inverse of :func:`local_hessian_operator`, by conjugate gradients in the cosine basis."""
    hessian = local_hessian_operator(objective, state)
    precondition = SpectralHessian.of(objective, state).preconditioner()

    def solve(height: torch.Tensor, relative_yield: torch.Tensor) -> Fields:
        right = height, relative_yield
        return conjugate_gradients(hessian, right, precondition, relative_tolerance, max_iterations)

    return solve


def conjugate_gradients(
    hessian: Operator,
    right: Fields,
    precondition: Operator,
    relative_tolerance: float,
    max_iterations: int,
) -> Fields:
    """Preconditioned conjugate gradients on a pair of fields.

    Ends when the residual, measured in the preconditioner's norm, has fallen to ``relative_tolerance``.
    Scalar products are summed in float64.
    """
    x = (torch.zeros_like(right[0]), torch.zeros_like(right[1]))
    r = (right[0].clone(), right[1].clone())
    z = precondition(*r)
    direction = (z[0].clone(), z[1].clone())
    rho = first = dot(r, z)
    for _ in range(max_iterations):
        if rho <= 0 or rho <= relative_tolerance**2 * first:
            break
        product = hessian(*direction)
        curvature = dot(direction, product)
        if curvature <= 0:
            break
        alpha = rho / curvature
        for i in (0, 1):
            x[i].add_(direction[i], alpha=alpha)
            r[i].sub_(product[i], alpha=alpha)
        z = precondition(*r)
        previous, rho = rho, dot(r, z)
        for i in (0, 1):
            direction[i].mul_(rho / previous).add_(z[i])
    return x


def dot(a: Fields, b: Fields) -> float:
    """Scalar product of two pairs of fields, summed in float64."""
    return sum(float((x * y).sum(dtype=torch.float64)) for x, y in zip(a, b, strict=True))
