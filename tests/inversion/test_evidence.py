"""The weight of the prior by the evidence, and what a misfit is held against."""

import pytest
import torch
from inversion_scenes import make_scene, random_relief, relief_of_white_curvature, solve

from napari_sem4d.inversion.evidence import evidence_weight, reduced_chi_square
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.inversion.priors import EXPECTED_LEVEL

SHAPE = (64, 80)


def solved_with(scene, weight):
    return solve(scene, scene.noisy(3), InversionSettings(curvature_weight=weight))


def test_the_weight_hardly_depends_on_the_one_it_was_found_under():
    scene = make_scene(random_relief(SHAPE, 0.3), 0.1)
    found = [evidence_weight(s.objective, s.state) for s in (solved_with(scene, w) for w in (30.0, 300.0, 3000.0))]
    assert max(found) < 1.5 * min(found)


def test_the_weight_does_not_depend_on_the_level_that_the_noise_was_taken_for():
    """A noise estimate that is wrong scales data and prior alike: the height stays."""
    scene = make_scene(random_relief(SHAPE, 0.3), 0.1)
    solution = solved_with(scene, 300.0)
    right = evidence_weight(solution.objective, solution.state)
    data = solution.objective.data
    wrong = type(data)(data.signals, data.weight / 4, data.censored)
    objective = type(solution.objective)(
        solution.objective.engine, wrong, solution.objective.priors.with_curvature_weight(75.0)
    )
    state = objective.at(solution.state.height, solution.state.relative_yield)
    assert evidence_weight(objective, state) == pytest.approx(right / 4, rel=0.3)


def test_a_rougher_surface_gets_a_weaker_prior():
    weights = []
    for slope in (0.1, 0.4):
        scene = make_scene(random_relief(SHAPE, slope), 0.1)
        solution = solved_with(scene, 300.0)
        weights.append(evidence_weight(solution.objective, solution.state))
    assert weights[1] < 0.5 * weights[0]


def test_a_misfit_is_explained_by_as_much_error_as_there_is():
    scene = make_scene(random_relief(SHAPE, 0.3), 0.1)
    solution = solved_with(scene, 300.0)
    as_noise = torch.full_like(scene.signals, scene.sigma**2)
    alone = reduced_chi_square(solution.objective, solution.state)
    assert reduced_chi_square(solution.objective, solution.state, as_noise) == pytest.approx(alone / 2, rel=1e-4)


def test_an_error_that_is_not_there_does_not_weaken_the_prior():
    scene = make_scene(random_relief(SHAPE, 0.3), 0.1)
    solution = solved_with(scene, 300.0)
    feared = torch.full_like(scene.signals, 9 * scene.sigma**2)
    alone = evidence_weight(solution.objective, solution.state)
    assert evidence_weight(solution.objective, solution.state, feared) == pytest.approx(alone, rel=0.1)


def level(scene, solution):
    """The true mean square of the curvature times the weight."""
    priors = solution.objective.priors
    return priors.curvature_weight * float(priors.squared_curvature(scene.height)[4:-4, 4:-4].mean())


@pytest.mark.parametrize("strength", [0.3, 1.0, 10.0, 100.0])
def test_the_curvature_of_relief_as_the_prior_takes_it_is_found_whatever_the_weight(strength):
    scene = make_scene(relief_of_white_curvature(SHAPE), 0.1)
    weight = strength * solve(scene, scene.noisy(3)).objective.priors.curvature_weight
    solution = solved_with(scene, weight)
    assert solution.objective.priors.curvature_level == pytest.approx(level(scene, solution), rel=0.2)


def test_smooth_relief_is_pulled_less_than_its_prior_would_have_it():
    scene = make_scene(random_relief(SHAPE, 0.3), 0.1)
    solution = solve(scene, scene.noisy(3))
    assert solution.objective.priors.curvature_level < 0.5 * EXPECTED_LEVEL
    assert solution.objective.priors.curvature_level == pytest.approx(level(scene, solution), abs=0.1)


def test_few_waves_leave_the_curvature_near_the_usual_one():
    scene = make_scene(random_relief((8, 8), 0.3), 0.1)
    solution = solved_with(scene, 300.0)
    assert EXPECTED_LEVEL / 3 < solution.objective.priors.curvature_level < 3 * EXPECTED_LEVEL


def test_a_prior_that_pulls_nothing_leaves_the_usual_curvature():
    scene = make_scene(random_relief((16, 16), 0.3), 0.1)
    assert solved_with(scene, 1e-9).objective.priors.curvature_level == EXPECTED_LEVEL
