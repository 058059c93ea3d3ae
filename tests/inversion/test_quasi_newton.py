"""The solver reaches the minimum of an engine whose Hessian it knows only in part, in few evaluations."""

from itertools import pairwise

import torch
from inversion_scenes import PIXEL_NM, make_engine_for, make_scene, random_relief

from napari_sem4d.inversion.objective import Objective
from napari_sem4d.inversion.priors import Priors
from napari_sem4d.inversion.quasi_newton import Learnt, minimise


class Counting:
    """An engine that counts how often it is linearised."""

    def __init__(self, engine):
        self._engine = engine
        self.setup = engine.setup
        self.count = 0

    def linearise(self, height, relative_yield):
        self.count += 1
        return self._engine.linearise(height, relative_yield)


def problem(rms_slope):
    engine = make_engine_for(dtype=torch.float64)
    scene = make_scene(random_relief((48, 56), rms_slope, size_px=5.0).double(), 0.02, engine=engine)
    counting = Counting(engine)
    return scene, counting, Objective(counting, scene.noisy(0), Priors(3e3, 5e4, PIXEL_NM))


def test_the_gradient_of_the_whole_engine_vanishes_at_the_minimum_on_steep_slopes():
    scene, _, objective = problem(0.7)
    start = objective.at(0.8 * scene.height, scene.relative_yield)
    found = minimise(objective, start, 30, 1e-9)
    before, after = (objective.gradient(s)[0].norm() for s in (start, found))
    assert float(after / before) < 1e-4
    assert float(scene.error(found.height).std()) < 0.03 * float(scene.height.std())


def test_few_evaluations_are_enough():
    scene, engine, objective = problem(0.5)
    minimise(objective, objective.at(0.8 * scene.height, scene.relative_yield), 15, 1e-4)
    assert engine.count <= 10


def test_what_steps_teach_saves_evaluations(monkeypatch):
    scene, _, objective = problem(0.7)
    best = minimise(objective, objective.at(scene.height, scene.relative_yield), 40, 1e-10).objective

    def excess():
        start = objective.at(0.8 * scene.height, scene.relative_yield)
        return minimise(objective, start, 6, 1e-12).objective - best

    learning = excess()
    monkeypatch.setattr("napari_sem4d.inversion.quasi_newton._LEAST_CURVATURE", float("inf"))
    assert learning < 0.5 * excess()


def test_every_step_lowers_the_objective():
    scene, _, objective = problem(0.7)
    start = objective.at(torch.zeros_like(scene.height), scene.relative_yield)
    values = [start.objective]
    minimise(objective, start, 12, 1e-9, lambda s: values.append(s.objective))
    assert len(values) > 3
    assert all(later < earlier for earlier, later in pairwise(values))


def test_what_a_step_has_shown_is_the_gradients_change_under_any_prior():
    scene, _, weak = problem(0.5)
    strong = weak.with_priors(weak.priors.with_curvature_weight(1e5))
    heights = 0.8 * scene.height, 0.9 * scene.height
    ones = scene.relative_yield
    learnt = Learnt()
    first, second = (weak.gradient(weak.at(h, ones)) for h in heights)
    step = heights[1] - heights[0], torch.zeros_like(ones)
    learnt.add(weak, step, (second[0] - first[0], second[1] - first[1]))
    (pair,) = learnt.under(strong)
    first, second = (strong.gradient(strong.at(h, ones)) for h in heights)
    for found, before, after in zip(pair.change, first, second, strict=True):
        assert torch.allclose(found, after - before, rtol=1e-9, atol=1e-12 * float(after.abs().max()))


def test_what_was_learnt_under_a_weak_prior_saves_evaluations_under_another():
    counts, minima = [], []
    for keep in (False, True):
        scene, counting, weak = problem(0.7)
        learnt = Learnt()
        state = minimise(weak, weak.at(0.8 * scene.height, scene.relative_yield), 30, 1e-2, learnt=learnt)
        strong = weak.with_priors(weak.priors.with_curvature_weight(2e4))
        counting.count = 0
        found = minimise(strong, strong.again(state), 30, 1e-7, learnt=learnt if keep else None)
        counts.append(counting.count)
        minima.append(found.objective)
    assert counts[1] <= counts[0]
    assert abs(minima[1] / minima[0] - 1.0) < 1e-5
