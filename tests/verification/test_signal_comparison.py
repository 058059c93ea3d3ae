"""The statistics of a verification on signals whose truth is known."""

import numpy as np
import pytest

from napari_sem4d.verification.comparison import Interval, Signals, compare
from napari_sem4d.verification.report import Tolerances, judge
from napari_sem4d.verification.sampling import SLOPE_EDGES_DEG, draw_sample

SEGMENTS, PIXELS = 4, 600


def made_up(rng, scale=1.0, gain=1.0, noise=0.1, slope=0.4, groups=None, extra=0.0):
    """Signals linear in slope whose surface must be multiplied by ``scale`` to match."""
    towards = slope * rng.normal(size=(2, PIXELS))
    facing = np.stack([towards[0], towards[1], -towards[0], -towards[1]])
    expected = 1.0 + 0.8 * facing

    def noisy(values, sigma):
        return values + sigma * rng.normal(size=values.shape)

    measured = gain * (1.0 + 0.8 * scale * facing + extra * (facing > 0.3))
    simulated = noisy(expected, noise)
    return Signals(
        measured=noisy(measured, noise),
        simulated=simulated,
        of_scaled=noisy(1.0 + 0.8 * 0.8 * facing, 2 * noise),
        scaled_by=0.8,
        law=expected,
        law_by_scale=1.3 * (expected - 1.0),  # the law exaggerates: blur is not in it
        facing_deg=np.degrees(np.arctan(facing)),
        weight=np.full(PIXELS, 1.0 / PIXELS),
        gain_group=groups or (0,) * SEGMENTS,
        inflation=1.0,
    )


def test_intervals_of_scale_and_gain_hold_the_truth_in_95_percent():
    rng = np.random.default_rng(1)
    runs = [compare(made_up(rng, scale=0.93, gain=1.2), rng) for _ in range(120)]
    scale = sum(r.height_scale.low < 0.93 < r.height_scale.high for r in runs)
    gain = sum(r.gains[0].low < 1.2 < r.gains[0].high for r in runs)
    # Binomial, 120 runs of 95 %: 107 to 119 hold 99 %.
    assert 107 <= scale <= 120
    assert 107 <= gain <= 120
    assert np.mean([r.height_scale.value for r in runs]) == pytest.approx(0.93, abs=0.006)


def test_the_effect_is_the_systematic_difference_without_the_noise():
    rng = np.random.default_rng(2)
    none = [compare(made_up(rng), rng).effect for _ in range(40)]
    # The noise of a pixel is 0.14; what it leaves in the mean square over bands has mean zero.
    assert np.mean([e.value**2 for e in none]) < 0.012**2
    assert np.mean([e.low == 0.0 for e in none]) > 0.85
    some = [compare(made_up(rng, extra=0.1), rng).effect for _ in range(40)]
    assert all(e.low > 0.0 for e in some)


def test_an_effect_of_the_stated_power_is_found_in_most_runs():
    rng = np.random.default_rng(3)
    power = np.mean([compare(made_up(rng), rng).height_scale.detectable for _ in range(10)])
    found = [compare(made_up(rng, scale=1.0 + power), rng).height_scale for _ in range(60)]
    assert 0.65 < np.mean([s.low > 1.0 for s in found]) < 0.95


def test_free_gains_of_the_segments_take_no_part_of_the_scale():
    rng = np.random.default_rng(4)
    signals = made_up(rng, scale=0.9, groups=(0, 1, 2, 3))
    measured = signals.measured * np.array([0.7, 1.0, 1.3, 2.0])[:, None]
    found = compare(Signals(**{**vars(signals), "measured": measured}), rng)
    assert [g.value for g in found.gains] == pytest.approx([0.7, 1.0, 1.3, 2.0], rel=0.03)
    assert found.height_scale.low < 0.9 < found.height_scale.high


def test_noise_that_pixels_share_lengthens_the_intervals():
    signals = made_up(np.random.default_rng(5))
    one = compare(signals, np.random.default_rng(6)).height_scale
    two = compare(Signals(**{**vars(signals), "inflation": 2.0}), np.random.default_rng(6)).height_scale
    assert (two.high - two.low) == pytest.approx(2.0 * (one.high - one.low))


def test_a_flat_surface_tells_nothing_about_its_scale():
    rng = np.random.default_rng(7)
    found = compare(made_up(rng, slope=0.0), rng)
    assert found.height_scale is None
    verdict, sentences = judge(found, None, Tolerances(), "Cu", tuple("ABCD"))
    assert verdict == "too little data"
    assert any("flat" in s for s in sentences)


def test_the_verdict_follows_from_interval_and_tolerance():
    rng = np.random.default_rng(8)
    right = compare(made_up(rng, noise=0.02), rng)

    def verdict(brightness, tolerances=Tolerances()):  # noqa: B008
        return judge(right, brightness, tolerances, "Cu", tuple("ABCD"))[0]

    assert verdict(None) == "agrees"
    assert verdict(Interval(1.3, 1.25, 1.35, 0.1)) == "differs"
    assert verdict(Interval(1.1, 1.05, 1.15, 0.1)) == "too little data"
    assert verdict(None, Tolerances(height_scale=1e-4)) == "too little data"


def test_a_sample_sees_rare_slopes_and_weighs_them_by_their_area():
    rng = np.random.default_rng(9)
    tilt = np.radians(np.full((100, 100), 3.0))
    tilt[:5, :20] = np.radians(50.0)
    usable = np.ones(tilt.shape, bool)
    usable[90:] = False
    sample = draw_sample(tilt, usable, 200, rng)
    steep = tilt[sample.rows, sample.columns] > np.radians(SLOPE_EDGES_DEG[4])
    assert steep.sum() > 40
    assert sample.weight[steep].sum() == pytest.approx(100 / 9000)
    assert sample.weight.sum() == pytest.approx(1.0)
    assert sample.rows.max() < 90
    assert len(set(zip(sample.rows, sample.columns, strict=True))) == sample.rows.size
