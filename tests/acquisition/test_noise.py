"""The noise that is measured is the noise that was put in, whatever the structure below it."""

import numpy as np
import pytest

from napari_sem4d.acquisition.noise import NoiseModel, estimate_noise, noise_from_repeats
from napari_sem4d.acquisition.opening import open_series
from napari_sem4d.errors import InputError

CORRELATIONS = [
    ((1.0,), (1.0,)),
    ((1.0, 0.5, 0.15), (1.0,)),
    ((1.0, 0.65, 0.2, 0.05), (1.0, 0.12)),
    ((1.0, 0.78, 0.37, 0.1), (1.0, 0.3)),
]


def scene():
    """Hills, a plateau, terraces, ripples of 19 pixels and a slope; three segments of different mean."""
    y, x = np.mgrid[:384, :512]
    s = 100 + 40 * np.sin(x / 37.0) * np.cos(y / 53.0) + 0.1 * x
    s += 30 * ((x - 200) ** 2 + (y - 150) ** 2 < 70**2) + 25 * ((x + y) % 90 < 30)
    s += 20 * np.sin(x / 3.0 + y / 7.0) * ((x > 350) & (y < 150))
    return np.stack([s, s[::-1], 0.6 * s])


def model(rho_x, rho_y, segments=3):
    return NoiseModel((20.0,) * segments, (0.8,) * segments, (1.0,) * segments, rho_x, rho_y)


@pytest.mark.parametrize(("rho_x", "rho_y"), CORRELATIONS)
def test_variance_is_right_within_ten_percent_on_a_structured_surface(rho_x, rho_y):
    signal, true = scene(), model(rho_x, rho_y)
    found = estimate_noise((signal + true.sample(np.random.default_rng(0), signal)).astype(np.float32))
    levels = np.array([[80.0, 100.0, 140.0], [80.0, 100.0, 140.0], [50.0, 60.0, 80.0]])
    np.testing.assert_allclose(found.variance(levels) / true.variance(levels), 1.0, atol=0.10)


@pytest.mark.parametrize(("rho_x", "rho_y"), CORRELATIONS)
def test_correlation_is_found_on_a_smooth_surface(rho_x, rho_y):
    y, x = np.mgrid[:384, :512]
    signal = np.stack([100 + 40 * np.sin(x / 37.0) * np.cos(y / 53.0) + 0.1 * x] * 3)
    true = model(rho_x, rho_y)
    found = estimate_noise(signal + true.sample(np.random.default_rng(0), signal))
    for rho, expected in ((found.correlation_x, rho_x), (found.correlation_y, rho_y)):
        padded = np.zeros(6)
        padded[: len(rho)] = rho
        padded[: len(expected)] -= expected
        np.testing.assert_allclose(padded, 0.0, atol=0.03)
    np.testing.assert_allclose(found.sigma(signal).mean() / true.sigma(signal).mean(), 1.0, atol=0.03)


@pytest.mark.parametrize(("rho_x", "rho_y"), CORRELATIONS)
def test_repeats_give_variance_and_correlation_within_seven_percent(rho_x, rho_y):
    signal, true, rng = scene(), model(rho_x, rho_y), np.random.default_rng(1)
    first, second = (signal + true.sample(rng, signal) for _ in range(2))
    found = noise_from_repeats(first, second + 3.0)
    levels = np.array([[80.0, 100.0, 140.0], [80.0, 100.0, 140.0], [50.0, 60.0, 80.0]])
    np.testing.assert_allclose(found.variance(levels) / true.variance(levels), 1.0, atol=0.07)
    np.testing.assert_allclose(found.correlation_x[: len(rho_x)][:2], rho_x[:2], atol=0.03)


def test_samples_have_the_variance_and_correlation_of_the_model():
    true = model((1.0, 0.5, 0.15), (1.0, 0.2), segments=2)
    signal = np.stack([np.full((400, 500), 50.0), np.full((400, 500), 200.0)])
    noise = true.sample(np.random.default_rng(2), signal)
    np.testing.assert_allclose(noise.var(axis=(1, 2)), [60.0, 180.0], rtol=0.02)
    unit = noise / noise.std(axis=(1, 2), keepdims=True)
    assert np.mean(unit[:, :, 1:] * unit[:, :, :-1]) == pytest.approx(0.5, abs=0.02)
    assert np.mean(unit[:, :, 2:] * unit[:, :, :-2]) == pytest.approx(0.15, abs=0.02)
    assert np.mean(unit[:, 1:] * unit[:, :-1]) == pytest.approx(0.2, abs=0.02)
    assert np.mean(unit[0] * unit[1]) == pytest.approx(0.0, abs=0.02)


def test_correlation_area_predicts_the_variance_of_a_mean():
    true = model((1.0, 0.5, 0.15), (1.0, 0.2), segments=1)
    signal = np.full((1, 1600, 1600), 100.0)
    noise = true.sample(np.random.default_rng(3), signal)[0]
    means = noise.reshape(40, 40, 40, 40).mean(axis=(1, 3))
    predicted = 100.0 * true.correlation_area / 1600
    # 1600 independent means: the variance is known to 3.5 %; edges of the blocks lower it by about 2 %.
    assert means.var() == pytest.approx(predicted, rel=0.12)


def test_variance_never_falls_to_zero_outside_of_the_signals_seen():
    signal = np.stack([np.linspace(500, 1000, 256 * 256).reshape(256, 256)] * 3)
    # A dark level of 400: variance 2 (signal - 400), so the line reaches zero at 400.
    noise = np.sqrt(2.0 * (signal - 400)) * np.random.default_rng(4).standard_normal(signal.shape)
    found = estimate_noise(signal + noise)
    np.testing.assert_allclose(found.slope, 2.0, rtol=0.1)
    assert all(floor < 0 for floor in found.floor)
    assert np.all(found.variance(np.zeros((3, 1))) > 0)


def test_saturated_masked_and_invalid_pixels_do_not_count():
    rng = np.random.default_rng(5)
    frame = rng.normal(100.0, 10.0, (3, 256, 256))
    clean = estimate_noise(frame)
    spoiled = frame.copy()
    spoiled[:, 40:80, 40:80] = 5000.0
    spoiled[:, 100:120, :] = np.nan
    mask = np.ones((256, 256), dtype=bool)
    mask[200:, :60] = False
    spoiled[:, 200:, :60] *= 7
    found = estimate_noise(spoiled, saturation=4000.0, mask=mask)
    level = np.full((3, 1), 100.0)
    np.testing.assert_allclose(found.variance(level) / clean.variance(level), 1.0, atol=0.05)


def test_too_few_pixels_are_refused():
    with pytest.raises(InputError, match="Segment 1 of the frame has too few valid pixels to measure its noise"):
        estimate_noise(np.full((3, 64, 64), np.nan))


def test_real_vickers_images_have_eight_to_nine_percent_noise(shared_data):
    series = open_series(shared_data / "vickers")
    frame = series.signal[0].values
    found = estimate_noise(frame, series.saturation)
    middle = np.median(frame, axis=(1, 2))[:, None]
    share = found.sigma(middle) / middle
    assert np.all((share > 0.078) & (share < 0.093)), share
