"""The stated uncertainty of height is the one that repeats show."""

from dataclasses import replace

import pytest
import torch
from inversion_scenes import make_scene, random_relief, relief_of_white_curvature, solve

from napari_sem4d.inversion.gauge import to_datum
from napari_sem4d.inversion.gauss_newton import conjugate_gradients, local_inverse
from napari_sem4d.inversion.height_error import height_std, noise_colour, posterior_draws
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.inversion.priors import EXPECTED_LEVEL

SHAPE = (64, 80)
VALID = torch.ones(SHAPE, dtype=torch.bool)


@pytest.fixture(scope="module")
def solved():
    scene = make_scene(random_relief(SHAPE, 0.4), 0.1)
    return scene, solve(scene, scene.noisy(0))


def draws(scene, solution, count, remove_plane=False):
    def noise(i):
        generator = torch.Generator().manual_seed(1000 + i)
        return scene.sigma * torch.randn(scene.signals.shape, generator=generator)

    found = posterior_draws(solution.objective, solution.state, count, 0, noise, VALID, remove_plane)
    return torch.stack(list(found))


@pytest.mark.parametrize("remove_plane", [False, True])
def test_the_closed_form_agrees_with_posterior_draws(solved, remove_plane):
    scene, solution = solved
    closed = height_std(solution.objective, solution.state, None, remove_plane)
    drawn = draws(scene, solution, 60, remove_plane).std(0)
    assert float(closed.mean() / drawn.mean()) == pytest.approx(1.0, abs=0.05)
    assert float((closed / drawn).std()) < 0.2


def test_repeats_scatter_no_more_than_stated(solved):
    scene, solution = solved
    fixed = InversionSettings(curvature_weight=solution.objective.priors.curvature_weight)
    errors = torch.stack([scene.error(solve(scene, scene.noisy(i), fixed).state.height) for i in range(30)])
    stated = height_std(solution.objective, solution.state, None, False)
    ratio = float(errors.square().mean().sqrt() / stated.square().mean().sqrt())
    assert 0.8 < ratio < 1.1


@pytest.mark.parametrize("strength", [1.0, 30.0])
def test_repeats_are_off_by_as_much_as_stated_under_a_weight_that_is_too_strong_as_well(strength):
    scene = make_scene(relief_of_white_curvature(SHAPE), 0.1)
    weight = strength * solve(scene, scene.noisy(0)).objective.priors.curvature_weight
    fixed = InversionSettings(curvature_weight=weight)
    repeats = [solve(scene, scene.noisy(i), fixed) for i in range(8)]
    errors = torch.stack([scene.error(repeat.state.height) for repeat in repeats])

    def error_over_stated(objective):
        stated = height_std(objective, repeats[0].state, None, False)
        return float(errors.square().mean().sqrt() / stated.square().mean().sqrt())

    objective = repeats[0].objective
    usual = objective.with_priors(objective.priors.with_curvature_level(EXPECTED_LEVEL))
    assert error_over_stated(objective) == pytest.approx(1.0, abs=0.08)
    assert strength == 1.0 or error_over_stated(usual) > 1.3


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_masked_pixels_between_good_ones_cost_as_much_as_draws_show(share):
    scene = make_scene(random_relief(SHAPE, 0.4), 0.1)
    data = scene.noisy(0)
    bad = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) < share
    solution = solve(scene, replace(data, weight=torch.where(bad, 0.0, data.weight)))
    closed = height_std(solution.objective, solution.state, None, False)
    drawn = draws(scene, solution, 60).std(0)
    assert float(closed.mean() / drawn.mean()) == pytest.approx(1.0, abs=0.1)


def test_draws_scatter_about_the_solution(solved):
    scene, solution = solved
    found = draws(scene, solution, 40)
    centre = to_datum(solution.state.height, VALID, False)
    error_of_mean = float((found.mean(0) - centre).std())
    assert error_of_mean < 2 * float(found.std(0).mean()) / 40**0.5


@pytest.mark.parametrize(("rms_slope", "share"), [(0.3, 0.01), (0.8, 0.1)])
def test_draws_by_the_local_hessian_spread_as_by_the_whole_one(rms_slope, share):
    scene = make_scene(random_relief((32, 40), rms_slope, size_px=4.0), 0.05)
    solution = solve(scene, scene.noisy(0))
    objective, state = solution.objective, solution.state
    linearisation, weight = state.linearisation, state.active_weight

    def hessian(height, relative_yield):
        data = linearisation.vjp(weight * linearisation.jvp(height, relative_yield))
        prior = objective.priors.apply(height, relative_yield)
        return data[0] + prior[0], data[1] + prior[1]

    def noise(i):
        generator = torch.Generator().manual_seed(1000 + i)
        return scene.sigma * torch.randn(scene.signals.shape, generator=generator)

    valid = torch.ones(state.height.shape, dtype=torch.bool)
    inverse = local_inverse(objective, state, 1e-3)
    by_local = by_whole = 0.0
    for i, draw in enumerate(posterior_draws(objective, state, 5, 0, noise, valid, False)):
        prior = objective.priors.sample_gradient((32, 40), torch.Generator().manual_seed(i), state.height)
        data = linearisation.vjp(weight * noise(i))
        right = data[0] + prior[0], data[1] + prior[1]
        change, _ = conjugate_gradients(hessian, right, inverse, 1e-2, 8)
        by_whole += float((change - change.mean()).square().sum())
        by_local += float((draw - to_datum(state.height, valid, False)).square().sum())
    assert (by_local / by_whole) ** 0.5 == pytest.approx(1.0, abs=share)


def test_the_same_seed_gives_the_same_draws(solved):
    scene, solution = solved
    assert torch.equal(draws(scene, solution, 2), draws(scene, solution, 2))


def test_correlated_noise_raises_the_uncertainty(solved):
    _, solution = solved
    colour = noise_colour(SHAPE, [0.4], [], solution.state.height)
    white = height_std(solution.objective, solution.state, None, False)
    assert float(height_std(solution.objective, solution.state, colour, False).mean()) > 1.1 * float(white.mean())
    assert float(noise_colour(SHAPE, [0.4], [0.2], solution.state.height).mean()) == pytest.approx(1.0, abs=0.05)


def test_long_waves_are_less_certain_than_short_ones(solved):
    scene, solution = solved
    found = draws(scene, solution, 30) - to_datum(solution.state.height, VALID, False)
    near = (found[:, :, 1:] - found[:, :, :-1]).std()
    far = (found[:, :, 40:] - found[:, :, :-40]).std()
    assert float(far) > 1.5 * float(near)


def test_the_datum_is_mean_zero_over_the_valid_pixels():
    height = torch.randn(20, 30, generator=torch.Generator().manual_seed(2)) + 50
    valid = torch.zeros(20, 30, dtype=torch.bool)
    valid[:10] = True
    assert abs(float(to_datum(height, valid, False)[valid].mean())) < 1e-5


def test_a_free_plane_is_removed():
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    plane = 3 * x - 2 * y + 7
    assert float(to_datum(plane, torch.ones(20, 30, dtype=torch.bool), True).abs().max()) < 1e-4
