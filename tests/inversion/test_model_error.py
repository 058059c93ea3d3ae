"""The engine's own error: what the table says of a surface, and what it does to heights."""

import numpy as np
import pytest
import torch
from inversion_scenes import PIXEL_NM, make_engine_for, make_scene, random_relief, solve

from napari_sem4d.forward.model_error import local_model_error, vift_model_error
from napari_sem4d.inversion.model_height_error import height_model_error
from napari_sem4d.inversion.model_noise import ModelNoise

SHAPE = (64, 80)


@pytest.fixture(scope="module")
def solution():
    scene = make_scene(random_relief(SHAPE, 0.4), 0.05)
    return solve(scene, scene.noisy(1))


def test_a_plane_is_known_better_than_a_kink_of_the_same_slope():
    engine = make_engine_for()
    x = torch.arange(80.0).expand(SHAPE) * PIXEL_NM
    plane, roof = 0.6 * x, 0.6 * (x - x.mean()).abs()
    on_plane, on_roof = (ModelNoise.of(engine, h).power[20:40] for h in (plane, roof))
    assert float(on_roof[:, 38:42].mean()) > 4 * float(on_plane[:, 38:42].mean())
    assert float(on_roof[:, 5].mean()) == pytest.approx(float(on_plane[:, 5].mean()))


def test_signal_errors_go_with_the_gain():
    once, twice = make_engine_for(), make_engine_for()
    twice._gain = 2 * twice._gain
    height = random_relief(SHAPE, 0.4)
    a, b = (ModelNoise.of(engine, height).variance() for engine in (once, twice))
    assert torch.allclose(b, 4 * a)


def test_all_segments_err_as_much_on_average_over_azimuths():
    noise = ModelNoise.of(make_engine_for(8), random_relief(SHAPE, 0.4))
    share = noise.patterns.square().sum(1) / make_engine_for(8).flat_signals.square()
    assert float(share.max() / share.min()) < 1.5


def test_draws_of_the_height_error_have_the_standard_uncertainty(solution):
    error = height_model_error(solution)
    valid = torch.ones(SHAPE, dtype=torch.bool)
    std = error.std(valid, False, seed=0)
    generator = torch.Generator().manual_seed(99)
    drawn = torch.stack([error.draw(generator) for _ in range(200)])
    drawn = drawn - drawn.mean(dim=(1, 2), keepdim=True)
    assert float(drawn.std(0).square().mean().sqrt() / std.square().mean().sqrt()) == pytest.approx(1.0, abs=0.15)


def test_the_error_of_heights_is_that_of_the_slopes_summed_up(solution):
    """A slope error that is known everywhere comes back as its surface."""
    error = height_model_error(solution)
    wave = 30.0 * torch.cos(2 * np.pi * (torch.arange(80.0) + 0.5) / 80).expand(SHAPE)
    from napari_sem4d.cosine import dct2, idct2
    from napari_sem4d.frames import slopes, slopes_adjoint

    information = solution.state.linearisation.information(solution.state.active_weight).mean(dim=(1, 2))
    p, q = slopes(wave, PIXEL_NM)
    found = idct2(dct2(slopes_adjoint(information[0] * p, information[1] * q, PIXEL_NM)) * error.gain)
    assert float((found - wave)[:, 4:-4].abs().max()) < 0.03 * 30.0


def test_an_engine_without_spread_does_not_know_short_waves():
    """What its images would have lost counts as uncertain, the more the shorter the waves."""
    stds = []
    for period in (8, 40):
        wave = 0.3 * period * PIXEL_NM / (2 * np.pi) * torch.cos(2 * np.pi * torch.arange(80.0) / period)
        scene = make_scene(wave.expand(SHAPE).contiguous(), 0.02)
        error = height_model_error(solve(scene, scene.noisy(1)))
        stds.append(float(error.common.std() / wave.std()))
    assert stds[0] > 0.3
    assert stds[1] < 0.5 * stds[0]


def test_what_is_explained_is_less_than_the_misfit_to_the_noise(solution):
    assert 0.0 < solution.explained_chi_square < solution.reduced_chi_square


def test_a_table_of_other_weights_is_not_taken():
    table = local_model_error().model_copy(update={"weights": "a" * 64})
    card = {"model_error": table.model_dump(mode="json")}
    assert vift_model_error(card, "a" * 64) is not None
    assert vift_model_error(card, "b" * 64) is None
    assert vift_model_error({}, "a" * 64) is None
