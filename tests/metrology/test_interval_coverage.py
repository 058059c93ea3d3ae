"""Coverage of 95 % intervals: independent realisations of correlated noise on known surfaces, 32 draws each."""

import numpy as np
import pytest
from metrology_surfaces import PIXEL, correlated, grid
from scipy import stats

from napari_sem4d.metrology.evaluate import evaluate
from napari_sem4d.metrology.intervals import (
    bootstrap_interval,
    linear_interval,
    noise_power,
    quadratic_interval,
    with_scale,
)
from napari_sem4d.metrology.profile import read_cursors, sample_line
from napari_sem4d.metrology.spectrum import power_spectrum_1d
from napari_sem4d.metrology.step_area import areal_step_height
from napari_sem4d.metrology.surface import Treatment, prepare_surface

SIZE, REALISATIONS, DRAWS = 64, 600, 32


def correlated_errors(rng, count, sigma=3.0):
    """Errors whose power grows with wavelength, as those of an integrated height."""
    k = 2 * np.pi * np.fft.fftfreq(SIZE, PIXEL)
    square = k[:, None] ** 2 + k**2
    short, long = np.exp(-square * 40**2 / 4), np.exp(-square * 200**2 / 4)
    gain = np.sqrt(0.7 * short / short.mean() + 0.3 * long / long.mean())
    white = np.fft.fft2(rng.normal(size=(count, SIZE, SIZE)))
    return sigma * np.fft.ifft2(white * gain).real


def check(hits, widths, estimates):
    low, high = stats.binomtest(hits, len(widths)).proportion_ci(0.95, method="exact")
    assert low <= 0.95 <= high, f"{hits} of {len(widths)} cover the truth: {low:.3f} to {high:.3f}"
    # The scatter of the estimate over realisations is what the known covariance would give.
    ideal = 2 * 1.96 * np.std(estimates)
    assert np.median(widths) <= 1.2 * ideal, f"width {np.median(widths):.3g} against {ideal:.3g}"


@pytest.mark.slow
def test_intervals_of_sq_and_sa_cover_the_truth():
    truth = correlated(100, 100, 20, 0, n=SIZE)
    treatment = Treatment("plane", s_nm=30)
    names = ("Sq", "Sa", "Sdq")
    true = {f.name: f.value for f in evaluate(prepare_surface(truth, PIXEL, treatment), names)}
    found = {name: [] for name in names}
    for seed in range(REALISATIONS):
        errors = correlated_errors(np.random.default_rng(seed), DRAWS + 1)
        height = truth + errors[0]
        surface = prepare_surface(height, PIXEL, treatment, draws=height + errors[1:])
        for figure in evaluate(surface, names):
            found[figure.name].append(figure)
    for name, figures in found.items():
        hits = sum(f.low <= true[name] <= f.high for f in figures)
        check(hits, [f.high - f.low for f in figures], [f.value for f in figures])


@pytest.mark.slow
def test_intervals_of_a_step_and_of_a_height_difference_cover_the_truth():
    x, _ = grid(SIZE)
    truth = 100.0 * (x > 300)
    upper, lower = x > 340, x < 260
    steps, differences = [], []
    for seed in range(REALISATIONS):
        errors = correlated_errors(np.random.default_rng(seed), DRAWS + 1)
        height = truth + errors[0]
        draws = height + errors[1:]
        step = areal_step_height(height, PIXEL, upper=upper, lower=lower, draws=draws)
        steps.append(linear_interval(step.height_nm, step.draws_nm))
        line = sample_line(height, PIXEL, (20, 5), (50, 55), draws=draws)
        reading = read_cursors(line, 50.0, 450.0)
        assert reading.interval is not None
        differences.append(reading.interval)
    for intervals in (steps, differences):
        hits = sum(i.low <= 100.0 <= i.high for i in intervals)
        check(hits, [i.high - i.low for i in intervals], [i.value for i in intervals])


def test_a_plain_interval_from_the_draws_would_count_the_noise_of_sq_twice():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 20, 40_000)
    truth -= truth.mean()
    errors = rng.normal(0, 3, (33, truth.size))
    noisy = truth + errors[0]

    def rms(values):
        return np.sqrt(np.mean(values**2, axis=-1))

    plain = rms(noisy + errors[1:])
    found = quadratic_interval(float(rms(noisy)), plain, rms(errors[1:]))
    true = float(rms(truth))
    assert plain.min() > true
    assert found.low < true < found.high
    assert found.bias == pytest.approx(9 / (2 * true), rel=0.05)


def test_the_noise_power_is_subtracted_from_a_spectrum():
    truth = correlated(150, 150, 20, 0, n=256)
    errors = np.random.default_rng(0).normal(0, 2, (17, 256, 256))
    spectra = [power_spectrum_1d(e, PIXEL).power_nm3 for e in errors[1:]]
    noisy = power_spectrum_1d(truth + errors[0], PIXEL)
    signal, noise = noise_power(spectra, noisy.power_nm3)
    short = noisy.wavelength_nm < 100
    # White noise of 2 nm: 2 x 4 nm2 x pixel, one-sided.
    assert noise[short].mean() == pytest.approx(2 * 4 * PIXEL, rel=0.02)
    assert signal[short].mean() < 0.1 * noise[short].mean()


def test_an_interval_below_the_noise_reaches_down_to_zero():
    rng = np.random.default_rng(1)
    errors = rng.normal(0, 3, (33, 5000))
    values = np.sqrt(np.mean((errors[:1] + errors[1:]) ** 2, axis=-1))
    alone = np.sqrt(np.mean(errors[1:] ** 2, axis=-1))
    found = quadratic_interval(float(np.sqrt(np.mean(errors[0] ** 2))), values, alone)
    assert found.low == 0.0
    assert found.high < 1.5


def test_an_interval_with_the_uncertainty_of_the_height_scale_covers_the_truth():
    rng = np.random.default_rng(4)
    truth, noise, scale_std = 100.0, 1.0, 0.02
    scales = rng.normal(1.0, scale_std, REALISATIONS)
    found = scales * truth + noise * rng.normal(size=REALISATIONS)
    draws = found[:, None] + noise * rng.normal(size=(REALISATIONS, DRAWS))
    without = [linear_interval(value, sample) for value, sample in zip(found, draws, strict=True)]
    intervals = [with_scale(interval, scale_std) for interval in without]
    hits = sum(i.low <= truth <= i.high for i in intervals)
    check(hits, [i.high - i.low for i in intervals], found)
    assert sum(i.low <= truth <= i.high for i in without) < 0.8 * REALISATIONS
    assert intervals[0].std == without[0].std
    assert intervals[0].scale_std == pytest.approx(scale_std * found[0])


def test_the_height_scale_widens_each_figure_by_its_power_and_leaves_ratios_alone():
    truth = correlated(100, 100, 20, 0, n=SIZE)
    errors = correlated_errors(np.random.default_rng(0), 9)
    height = truth + errors[0]

    def figures(scale_std):
        treatment = Treatment("plane", s_nm=30)
        surface = prepare_surface(height, PIXEL, treatment, draws=height + errors[1:], scale_std=scale_std)
        return {f.name: f for f in evaluate(surface, ("Sq", "Sa", "Sdr", "Sku", "Sal"))}

    plain, scaled = figures(0.0), figures(0.05)
    for name, power in {"Sq": 1, "Sa": 1, "Sdr": 2, "Sku": 0, "Sal": 0}.items():
        one, two = plain[name], scaled[name]
        assert two.value == one.value and two.std == one.std
        assert two.scale_std == pytest.approx(power * 0.05 * one.value)
        expected = one.value + np.hypot(one.high - one.value, 1.959964 * power * 0.05 * one.value)
        assert two.high == pytest.approx(expected)


def test_what_cannot_be_negative_ends_at_zero_below_the_noise():
    noisy = 5.0 + np.random.default_rng(0).normal(0, 0.5, 32)
    found = bootstrap_interval(3.0, 1.0, noisy, signed=False)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(2.04 * noisy.std(ddof=1), rel=0.05)
    assert bootstrap_interval(3.0, 1.0, noisy).value < 0
