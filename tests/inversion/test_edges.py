"""Steps keep their height, smooth relief keeps its prior."""

import numpy as np
import pytest
import torch
from inversion_scenes import PIXEL_NM, make_engine_for, make_scene, random_relief, solve

from napari_sem4d.inversion.edges import edge_share
from napari_sem4d.inversion.gauge import to_datum
from napari_sem4d.inversion.height_error import height_std, posterior_draws
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.inversion.priors import Priors
from napari_sem4d.inversion.quasi_newton import minimise

RISE_NM = 240.0
SHAPE = (48, 96)


def wall(degrees=65.0):
    x = torch.arange(SHAPE[1], dtype=torch.float32).expand(SHAPE) * PIXEL_NM
    half = 0.5 * RISE_NM
    return ((x - x.mean()) * np.tan(np.radians(degrees))).clamp(-half, half)


def rise(height):
    return float(height[:, -36:-12].mean() - height[:, 12:36].mean())


@pytest.fixture(scope="module")
def step():
    scene = make_scene(wall(), 0.1, make_engine_for(8))
    return scene, solve(scene, scene.noisy(3))


def test_a_steep_step_keeps_its_height(step):
    _, solution = step
    assert rise(solution.state.height) == pytest.approx(RISE_NM, rel=0.03)


def test_a_prior_that_treats_all_pixels_alike_takes_more_of_it(step):
    _, solution = step
    alike = solution.objective.with_priors(solution.objective.priors.with_share(None))
    found = minimise(alike, alike.again(solution.state), 20, InversionSettings().tolerance)
    assert RISE_NM - rise(found.height) > 1.5 * abs(RISE_NM - rise(solution.state.height))


def test_the_prior_counts_less_at_the_edge_and_in_full_beside_it(step):
    _, solution = step
    share = solution.objective.priors.share
    assert share is not None
    assert float(share.mean(0)[40:56].min()) < 0.2
    assert float(share[:, 8:32].mean()) > 0.95
    assert float(share[:, -32:-8].mean()) > 0.95


def test_smooth_relief_has_hardly_an_edge():
    scene = make_scene(random_relief((96, 96), 0.3), 0.1)
    share = solve(scene, scene.noisy(1)).objective.priors.share
    assert share is not None
    assert float(share.mean()) > 0.9


def test_a_plane_has_no_edge():
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    assert torch.equal(edge_share(Priors(1e6, 0.0, PIXEL_NM), 3.0 * x - 2.0 * y), torch.ones(20, 30))


def test_the_gradient_with_shares_is_that_of_the_value():
    generator = torch.Generator().manual_seed(0)
    share = torch.rand(9, 11, generator=generator, dtype=torch.float64)
    priors = Priors(3.0, 2.0, 1.5, share)
    height, relative_yield = torch.randn(2, 9, 11, generator=generator, dtype=torch.float64)
    to_height, to_yield = priors.apply(height, relative_yield)
    twice = float((to_height * height).sum() + (to_yield * relative_yield).sum())
    assert twice == pytest.approx(2 * priors.value(height, relative_yield), rel=1e-12)
    assert twice < 2 * Priors(3.0, 2.0, 1.5).value(height, relative_yield)


def test_draws_of_the_pull_have_the_curvature_that_is_expected():
    share = torch.rand(5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    priors, like = Priors(3.0, 2.0, 1.5, share), torch.zeros(5, 6, dtype=torch.float64)
    direction = torch.randn(5, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    drawn = [float((priors.sample_gradient((5, 6), generator, like)[0] * direction).sum()) for _ in range(4000)]
    # The square of its share times its curvature: as expected, and what its share fell for.
    curvature = 1 / 3 + 0.6 / share**0.5 - 0.6
    assert priors.pull_variance(share).numpy() == pytest.approx((share**2 * curvature).numpy())
    pulls = priors.with_share(priors.pull_variance(share))
    expected = float((pulls.apply(direction, like)[0] * direction).sum())
    assert np.var(drawn) == pytest.approx(expected, rel=0.1)


def test_the_uncertainty_grows_where_the_prior_counts_less(step):
    scene, solution = step
    objective, state = solution.objective, solution.state
    valid = torch.ones(SHAPE, dtype=torch.bool)

    def noise(i):
        generator = torch.Generator().manual_seed(500 + i)
        return scene.sigma * torch.randn(scene.signals.shape, generator=generator)

    drawn = torch.stack(list(posterior_draws(objective, state, 80, 0, noise, valid, True)))
    scatter = (drawn - to_datum(state.height, valid, True)).std(0)
    stated = height_std(objective, state, None, True)
    edge = objective.priors.share < 0.2
    assert float(scatter[edge].mean()) > 1.1 * float(scatter[~edge].mean())
    assert 0.6 < float((stated / scatter)[edge].mean()) < 1.4
