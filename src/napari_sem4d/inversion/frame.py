"""One frame: from its images to height and relative yield."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_sem4d.forward.engine import DifferentiableEngine
from napari_sem4d.inversion.edges import edge_share
from napari_sem4d.inversion.evidence import evidence_weight, marginal_level, provisional_weight, reduced_chi_square
from napari_sem4d.inversion.model_noise import ModelNoise
from napari_sem4d.inversion.objective import FrameData, Objective, State
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.inversion.priors import Priors
from napari_sem4d.inversion.quasi_newton import Learnt, minimise
from napari_sem4d.inversion.spectral import SpectralHessian

_WEAK = 0.03
"""Share of the provisional weight at which the prior hardly touches a solution: what the weight is told from."""
_LESS = 0.1
"""The same of the weight of a quicker engine, which is about thrice too high: its own error passes for noise."""
_ROUGH = 0.05
"""Tolerance of the solutions that tell the weight, and where edges are."""
_TOO_STRONG = 10.0
"""From how many times the weight that is looked for a prior hides what tells it."""


@dataclass(frozen=True)
class FrameSolution:
    """The minimum of one frame's objective.

    Attributes
    ----------
    objective : Objective
        With the priors that were used: its curvature weight is the one to freeze.
    state : State
        Height (nm) and relative yield at the minimum.
    reduced_chi_square : float
        Misfit over its expectation from the noise alone: 1 means explained to the noise.
    model_noise : ModelNoise or None
        The engine's own error at this surface, where it is known.
    explained_chi_square : float
        The same over the expectation from noise and the engine's error; NaN where that is not known.
    """

    objective: Objective
    state: State
    reduced_chi_square: float
    model_noise: ModelNoise | None
    explained_chi_square: float


def first_guess(
    engine: DifferentiableEngine,
    data: FrameData,
    settings: InversionSettings,
    height: torch.Tensor,
    mean_yield: float,
    on_step: Callable[[State], None] | None = None,
) -> tuple[Objective, State]:
    """The objective and its state where the solver starts: at the preview, or at a quicker engine's solution.

    Parameters
    ----------
    engine : DifferentiableEngine
    data : FrameData
    settings : InversionSettings
    height : torch.Tensor, shape (Y, X)
        Height of the preview, nm.
    mean_yield : float
        Mean relative yield of the preview (the frame's common gain).
    on_step : callable, optional
        Called with every accepted state of the quicker engine; may raise to cancel.

    Returns
    -------
    objective : Objective
        With the settings' curvature weight; where that is None, with one near that of the quicker engine, or
        without such an engine a weak one.
    state : State
        Of that objective.
    """
    weight = settings.curvature_weight
    if engine.start is not None:
        open_weight = settings.model_copy(update={"curvature_weight": None})
        quick = solve_frame(
            *first_guess(engine.start, data, open_weight, height, mean_yield), open_weight, on_step
        )
        height, mean_yield = quick.state.height, float(quick.state.relative_yield.mean())
        weight = weight or _LESS * quick.objective.priors.curvature_weight
    pixel_nm = engine.setup.pixel_nm
    objective = Objective(engine, data, Priors(weight or 1.0, 0.0, pixel_nm))
    state = objective.at(height, torch.full_like(height, mean_yield))
    hessian = SpectralHessian.of(objective, state)
    weight = weight or _WEAK * provisional_weight(hessian)
    # The prior on yield equals the signals for waves of 2 pi yield_length_px.
    yield_weight = float(hessian.yield_total[0, 0]) * settings.yield_length_px**2
    objective = objective.with_priors(Priors(weight, yield_weight, pixel_nm))
    return objective, objective.again(state)


def find_weight(
    objective: Objective,
    state: State,
    settings: InversionSettings,
    on_step: Callable[[State], None] | None = None,
    learnt: Learnt | None = None,
) -> tuple[float, State]:
    """The curvature weight that one frame calls for, and the solution under the objective's own that told it."""
    state = minimise(objective, state, settings.max_steps, _ROUGH, on_step, learnt)
    model = ModelNoise.of(objective.engine, state.height)
    weight = evidence_weight(objective, state, None if model is None else model.variance())
    if weight * _TOO_STRONG < objective.priors.curvature_weight:
        objective = objective.with_priors(objective.priors.with_curvature_weight(weight))
        return find_weight(objective, objective.again(state), settings, on_step, learnt)
    return weight, state


def solve_frame(
    objective: Objective,
    state: State,
    settings: InversionSettings,
    on_step: Callable[[State], None] | None = None,
) -> FrameSolution:
    """Minimise from the first guess; find the curvature weight where the settings leave it open, and edges.

    Parameters
    ----------
    objective, state
        As :func:`first_guess` returns them.
    settings : InversionSettings
    on_step : callable, optional
        Called with every accepted state; may raise to cancel.
    """
    learnt = Learnt()
    if settings.curvature_weight is None:
        weight, state = find_weight(objective, state, settings, on_step, learnt)
        objective = objective.with_priors(objective.priors.with_curvature_weight(weight))
    state = minimise(objective, objective.again(state), settings.max_steps, _ROUGH, on_step, learnt)
    model = ModelNoise.of(objective.engine, state.height)
    level = marginal_level(objective, state, None if model is None else model.variance())
    priors = objective.priors.with_curvature_level(level)
    objective = objective.with_priors(priors.with_share(edge_share(priors, state.height)))
    state = minimise(objective, objective.again(state), settings.max_steps, settings.tolerance, on_step, learnt)
    model = ModelNoise.of(objective.engine, state.height)
    explained = math.nan if model is None else reduced_chi_square(objective, state, model.variance())
    return FrameSolution(objective, state, reduced_chi_square(objective, state), model, explained)
