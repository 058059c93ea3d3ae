"""The basis of directions: orthonormal, exact for fields within it, and the same after a turn."""

import numpy as np
import pytest

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.surrogate.directions import (
    acceptance,
    as_detectors_see,
    bin_means,
    evaluate,
    projection,
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


def test_a_field_within_the_basis_is_found_again_from_its_bins():
    wanted = np.random.default_rng(2).normal(size=len(terms(ORDER)))
    per_bin = wanted @ bin_means(ORDER, 8, 16) / (8 * 16)
    assert np.allclose(projection(ORDER, 8, 16) @ per_bin, wanted, atol=1e-10)


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
    rng = np.random.default_rng(6)
    found = []
    for number in range(4000):
        low, high = np.sort(rng.uniform(0.0, 90.0, 2))
        low, high = (0.0, high) if number % 3 == 0 else (low, max(high, low + 10.0))
        width, start = (rng.uniform(30.0, 180.0) if number % 4 else 359.9), rng.uniform(0.0, 360.0)
        ends = start % 360.0, (start + width) % 360.0
        a = acceptance(ORDER, [Segment(name="s", polar_deg=(low, min(high, 90.0)), azimuth_deg=ends)])[0]
        found.append([(a @ error) ** 2 / a[0], a[0]])
    expected = np.mean(found, axis=0)
    assert np.sum((seen.T @ error) ** 2) == pytest.approx(expected[0] / expected[1], rel=0.08)


def test_turned_detectors_see_the_same():
    seen = as_detectors_see(ORDER)
    for turns in range(4):
        for mirrored in (False, True):
            move = turned(ORDER, turns, mirrored)
            assert np.allclose(move @ seen @ seen.T @ move.T, seen @ seen.T, atol=1e-12)
