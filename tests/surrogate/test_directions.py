"""The basis of directions: orthonormal, exact for fields within it, and the same after a turn."""

import numpy as np
import pytest

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.surrogate.directions import (
    acceptance,
    as_detectors_see,
    bin_segments,
    evaluate,
    fitted,
    shortened,
    terms,
    turned,
)

ORDER = 5


def _disc(count=200_000):
    rng = np.random.default_rng(1)
    return np.sqrt(rng.random(count)), 2 * np.pi * rng.random(count)


def test_polynomials_are_orthonormal_under_lamberts_measure():
    values = evaluate(ORDER, *_disc())
    assert np.allclose(values @ values.T / values.shape[1], np.eye(len(terms(ORDER))), atol=0.015)


def test_a_field_within_the_basis_is_found_again_from_fine_bins():
    wanted = np.random.default_rng(2).normal(size=len(terms(ORDER)))
    per_bin = acceptance(ORDER, bin_segments(64, 64)) @ wanted
    assert np.allclose(fitted(ORDER, 64, 64) @ per_bin, wanted, atol=0.02)


def random_segments(count, seed):
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        low, high = np.sort(rng.uniform(0.0, 90.0, 2))
        low, high = (0.0, high) if number % 3 == 0 else (low, max(high, low + 10.0))
        width, start = (rng.uniform(30.0, 180.0) if number % 4 else 359.9), rng.uniform(0.0, 360.0)
        ends = start % 360.0, (start + width) % 360.0
        found.append(Segment(name="s", polar_deg=(low, min(high, 90.0)), azimuth_deg=ends))
    return found


def test_detectors_see_a_lobe_better_by_fitted_coefficients_than_by_its_integrals():
    polar, azimuth = np.radians(70.0), np.radians(30.0)
    own = evaluate(ORDER, np.array([np.sin(polar)]), np.array([azimuth]))[:, 0]
    bins = np.zeros((32, 64))
    bins[int(np.sin(polar) ** 2 * 32), int(azimuth / (2 * np.pi) * 64)] = 1.0
    best = fitted(ORDER, 32, 64) @ bins.ravel()
    segments = random_segments(4000, 6)
    seen = acceptance(ORDER, segments)
    inside = np.array(
        [
            s.polar_deg[0] <= 70.0 < s.polar_deg[1] and (30.0 - s.azimuth_deg[0]) % 360.0 < s.azimuth_width_deg
            for s in segments
        ]
    )
    by_own, by_best = (np.mean((seen @ c - inside) ** 2 / seen[:, 0]) for c in (own, best))
    assert by_best < 0.98 * by_own


def test_fitted_coefficients_turn_with_the_bins():
    bins = np.random.default_rng(3).random((8, 16))
    fit = fitted(ORDER, 8, 16)
    quarter = np.roll(bins, 4, axis=1)
    assert np.allclose(fit @ quarter.ravel(), turned(ORDER, 1, False) @ (fit @ bins.ravel()), atol=1e-12)
    # Bin i lies at (i + 1/2)/16 of a turn; its mirror image left to right at 1/2 less that.
    mirrored = bins[:, (7 - np.arange(16)) % 16]
    assert np.allclose(fit @ mirrored.ravel(), turned(ORDER, 0, True) @ (fit @ bins.ravel()), atol=1e-12)


def test_fewer_coefficients_are_chosen_for_what_detectors_see():
    assert np.allclose(shortened(ORDER, ORDER), np.eye(len(terms(ORDER))), atol=1e-10)
    whole = np.random.default_rng(8).normal(size=len(terms(ORDER)))
    count, seen = len(terms(3)), as_detectors_see(ORDER)

    def error(few):
        return np.sum((seen.T @ (whole - np.pad(few, (0, len(whole) - count)))) ** 2)

    best = shortened(3, ORDER) @ whole
    assert error(best) < error(whole[:count])
    for change in 1e-2 * np.eye(count):
        assert error(best) < min(error(best + change), error(best - change))


def test_a_segment_receives_the_integral_of_the_field_over_it():
    radius, azimuth = _disc(400_000)
    segment = Segment(name="s", polar_deg=(20, 50), azimuth_deg=(300, 60))
    polar = np.degrees(np.arcsin(radius))
    turn = np.degrees(azimuth)
    inside = (polar > 20) & (polar < 50) & ((turn > 300) | (turn < 60))
    expected = (evaluate(ORDER, radius, azimuth) * inside).mean(axis=1)
    assert np.allclose(acceptance(ORDER, [segment])[0], expected, atol=0.004)


def test_segments_that_fill_the_disc_receive_the_total_yield():
    quarters = [Segment(name=str(i), polar_deg=(0, 90), azimuth_deg=(90 * i, 90 * i + 90)) for i in range(4)]
    total = acceptance(ORDER, quarters).sum(axis=0)
    assert np.allclose(total, np.eye(len(terms(ORDER)))[0], atol=1e-12)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_coefficients_turn_with_the_image(turns, mirrored):
    coefficients = np.random.default_rng(3).normal(size=len(terms(ORDER)))
    radius, azimuth = _disc(100)
    moved = (np.pi - azimuth if mirrored else azimuth) + turns * np.pi / 2
    expected = coefficients @ evaluate(ORDER, radius, azimuth)
    found = (turned(ORDER, turns, mirrored) @ coefficients) @ evaluate(ORDER, radius, moved)
    assert np.allclose(found, expected, atol=1e-10)


def test_what_detectors_see_is_the_mean_square_of_their_errors_over_their_signals():
    seen = as_detectors_see(ORDER)
    error = np.random.default_rng(5).normal(size=len(terms(ORDER)))
    a = acceptance(ORDER, random_segments(4000, 6))
    found = np.stack([(a @ error) ** 2 / a[:, 0], a[:, 0]], axis=1)
    expected = np.mean(found, axis=0)
    assert np.sum((seen.T @ error) ** 2) == pytest.approx(expected[0] / expected[1], rel=0.08)


def test_turned_detectors_see_the_same():
    seen = as_detectors_see(ORDER)
    for turns in range(4):
        for mirrored in (False, True):
            move = turned(ORDER, turns, mirrored)
            assert np.allclose(move @ seen @ seen.T @ move.T, seen @ seen.T, atol=1e-12)
