"""Height and relative yield come out of the signals."""

import dataclasses

import pytest
import torch
from inversion_scenes import PIXEL_NM, make_engine_for, make_scene, random_relief, solve

from napari_sem4d.cosine import _dct_last, _idct_last, dct2, idct2
from napari_sem4d.frames import slopes
from napari_sem4d.inversion.objective import Objective
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.inversion.priors import Priors

SHAPE = (128, 160)


@pytest.fixture(scope="module")
def steep():
    return make_scene(random_relief(SHAPE, 0.5), 0.05)


def test_noise_free_signals_give_the_surface_back():
    scene = make_scene(random_relief(SHAPE, 0.5), 1e-3)
    solution = solve(scene, scene.data(scene.signals))
    assert float(scene.error(solution.state.height).std()) < 0.005 * float(scene.height.std())


def test_the_full_solution_corrects_the_steep_slopes_of_the_preview(steep):
    from napari_sem4d.inversion.preview import linear_preview

    data, setup = steep.noisy(1), steep.engine.setup
    preview = linear_preview(data.signals.numpy(), setup.instrument, setup.material, setup.pixel_nm)
    full = solve(steep, data)
    before = float(steep.error(torch.as_tensor(preview.height)).std())
    after = float(steep.error(full.state.height).std())
    assert before < 0.25 * float(steep.height.std())
    assert after < 0.5 * before


def test_the_misfit_is_explained_to_the_noise(steep):
    assert solve(steep, steep.noisy(1)).reduced_chi_square == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_the_weight_found_is_nearly_the_best_one(noise):
    scene = make_scene(random_relief(SHAPE, 0.3), noise)
    data = scene.noisy(2)
    found = solve(scene, data)
    weight = found.objective.priors.curvature_weight

    def error(factor):
        fixed = InversionSettings(curvature_weight=weight * factor)
        return float(scene.error(solve(scene, data, fixed).state.height).std())

    best = min(error(f) for f in (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0))
    assert error(1.0) < 1.3 * best


def test_a_stronger_prior_never_lowers_the_misfit(steep):
    data = steep.noisy(3)
    misfits = [solve(steep, data, InversionSettings(curvature_weight=w)).state.misfit for w in (1e2, 1e4, 1e6)]
    assert misfits == sorted(misfits)


def test_a_tilted_plane_costs_the_prior_nothing():
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="ij")
    plane = 3.0 * x - 2.0 * y
    assert Priors(1.0, 0.0, PIXEL_NM).value(plane, torch.ones_like(plane)) < 1e-12


def test_the_priors_gradient_is_that_of_their_value():
    priors = Priors(3.0, 2.0, 1.5)
    generator = torch.Generator().manual_seed(0)
    height = torch.randn(9, 11, generator=generator, dtype=torch.float64)
    relative_yield = torch.randn(9, 11, generator=generator, dtype=torch.float64)
    to_height, to_yield = priors.apply(height, relative_yield)
    twice = float((to_height * height).sum() + (to_yield * relative_yield).sum())
    assert twice == pytest.approx(2 * priors.value(height, relative_yield), rel=1e-12)


def test_composition_is_told_apart_from_slope():
    x = torch.arange(float(SHAPE[1])).expand(SHAPE)
    relative_yield = 1.0 + 0.15 * torch.tanh((x - 80) / 20)
    scene = make_scene(random_relief(SHAPE, 0.2), 0.02, relative_yield=relative_yield)
    state = solve(scene, scene.noisy(4)).state
    assert float((state.relative_yield - relative_yield).std()) < 0.01
    assert float(scene.error(state.height).std()) < 0.05 * float(scene.height.std())


def test_masked_pixels_do_not_matter(steep):
    data = steep.noisy(5)
    masked = data.weight.clone()
    masked[:, 40:44, 50:54] = 0.0
    wrong = data.signals.clone()
    wrong[:, 40:44, 50:54] = 1e6
    solution = solve(steep, dataclasses.replace(data, signals=torch.where(masked > 0, wrong, 0.0), weight=masked))
    assert float(steep.error(solution.state.height).std()) < 0.1 * float(steep.height.std())


def test_saturated_pixels_pull_only_upwards(steep):
    clip = float(steep.signals.quantile(0.95))
    signals = steep.signals.clamp_max(clip)
    exact = dataclasses.replace(steep, sigma=1e-3 * float(steep.signals.mean()))
    data = dataclasses.replace(exact.data(signals), censored=signals >= clip)
    ignored = exact.data(signals)
    error = float(exact.error(solve(exact, data).state.height).std())
    assert error < 0.3 * float(exact.error(solve(exact, ignored).state.height).std())


def test_the_misfit_of_saturated_pixels_has_the_slope_of_its_likelihood():
    scene = make_scene(random_relief((20, 24), 0.3).double(), 0.1, engine=make_engine_for(dtype=torch.float64))
    limit = float(scene.signals.quantile(0.6))
    noisy = scene.noisy(1)
    data = dataclasses.replace(noisy, signals=noisy.signals.clamp_max(limit), censored=noisy.signals >= limit)
    objective = Objective(scene.engine, data, Priors(1.0, 0.0, PIXEL_NM))
    change = torch.randn(20, 24, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    one = torch.ones_like(scene.height)

    def misfit(step):
        return objective.at(scene.height + step * change, one).misfit

    state = objective.at(scene.height, one)
    to_height, _ = state.linearisation.vjp(state.active_weight * state.residual)
    slope = float((to_height * change).sum())
    assert slope == pytest.approx((misfit(1e-3) - misfit(-1e-3)) / 2e-3, rel=1e-5)


def test_the_order_of_segments_does_not_matter(steep):
    data = steep.noisy(6)
    fixed = InversionSettings(curvature_weight=1e4)
    here = solve(steep, data, fixed).state.height
    order = [2, 0, 3, 1]
    engine = make_engine_for()
    segments = tuple(engine.setup.instrument.detector.segments[i] for i in order)
    detector = engine.setup.instrument.detector.model_copy(update={"segments": segments})
    instrument = engine.setup.instrument.model_copy(update={"detector": detector})
    permuted = type(engine)(dataclasses.replace(engine.setup, instrument=instrument))
    there = solve(
        dataclasses.replace(steep, engine=permuted),
        dataclasses.replace(data, signals=data.signals[order], weight=data.weight[order]),
        fixed,
    )
    assert float((there.state.height - here).abs().max()) < 0.02 * float(here.std())


def test_the_answer_does_not_depend_on_the_number_of_threads(steep):
    data, fixed = steep.noisy(7), InversionSettings(curvature_weight=1e4)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = solve(steep, data, fixed).state.height
        torch.set_num_threads(2)
        two = solve(steep, data, fixed).state.height
    finally:
        torch.set_num_threads(threads)
    assert float((one - two).abs().max()) < 1e-3 * float(one.std())


def test_a_letter_f_comes_out_unmirrored():
    letter = torch.zeros(64, 64)
    letter[10:54, 14:20] = 1  # the stem on the left
    letter[10:16, 14:46] = 1  # the long bar at the top
    letter[28:34, 14:36] = 1
    kernel = torch.ones(1, 1, 5, 5) / 25
    soft = torch.nn.functional.conv2d(letter[None, None], kernel, padding=2)[0, 0] * 20.0
    scene = make_scene(soft, 0.01)
    height = solve(scene, scene.noisy(8)).state.height
    correlation = [
        float(torch.corrcoef(torch.stack([height.ravel(), other.ravel()]))[0, 1])
        for other in (soft, soft.flip(0), soft.flip(1), soft.T, -soft)
    ]
    assert correlation[0] > 0.98
    assert max(correlation[1:]) < 0.8


def test_the_cosine_transform_by_fft_is_that_of_scipy():
    array = torch.randn(13, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    by_fft = _dct_last(_dct_last(array).T).T
    assert torch.allclose(by_fft, dct2(array), atol=1e-12)
    assert torch.allclose(_idct_last(_idct_last(by_fft).T).T, array, atol=1e-12)
    assert torch.allclose(idct2(dct2(array)), array, atol=1e-12)


def test_slopes_follow_the_screen():
    height = torch.zeros(5, 5)
    height[:, 3:] = 10.0  # rises to the right
    height[:2] += 20.0  # rises to the top
    p, q = slopes(height, 10.0)
    assert float(p.sum()) > 0
    assert float(q.sum()) > 0
