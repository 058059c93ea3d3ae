"""How much Monte Carlo shows of waves that an engine shows in full: measured, kept in a table, read out of it."""

import numpy as np
import pytest
import torch

from napari_sem4d.forward.model_error import local_model_error, vift_model_error
from napari_sem4d.surrogate.directions import terms
from napari_sem4d.surrogate.model_error_measure import _WAVES, _by_wave, _filled
from napari_sem4d.surrogate.weights import load_weights

PITCH = 0.5


def test_the_share_of_waves_is_what_monte_carlo_left_of_them():
    """An engine that shows waves of 2.2 rho50 twice as strong, and those of 8 rho50 as they are."""
    y, x = np.indices((64, 64)) * PITCH
    short, long = np.cos(2 * np.pi * x / 2.2), np.cos(2 * np.pi * y / 8.0)
    seen = np.stack([short + long, long])
    engine = np.stack([2 * short + long, long])
    error = torch.zeros(len(terms(1)), 64, 64)
    for row, m in enumerate((1, -1)):
        error[terms(1).index((1, m))] = torch.as_tensor(seen[row] - engine[row])
    both, own = _by_wave(error, seen, PITCH)
    bands = np.digitize((2.2, 8.0), _WAVES) - 1
    assert both[bands] / own[bands] == pytest.approx([0.5, 1.0], abs=0.02)


def test_a_table_tells_the_share_of_a_wave_whatever_the_pixel():
    table = local_model_error()
    for length, share in zip(table.waves_rho50, table.shown, strict=True):
        for rho50_px in (1.0, 4.0):
            frequency = torch.tensor([2 * np.pi / (length * rho50_px)])
            assert float(table.shown_share(frequency, rho50_px)) == pytest.approx(share, abs=1e-5)


def test_very_long_waves_and_the_mean_are_shown_in_full():
    table = local_model_error()
    assert table.shown_share(torch.tensor([0.0, 1e-3]), 2.0).tolist() == [1.0, 1.0]


def test_the_local_law_shows_too_much_the_more_the_shorter_the_wave():
    shown = np.array(local_model_error().shown)
    assert (np.diff(shown) > 0).all()
    assert shown[0] < 0.2
    assert shown[-1] > 0.8


def test_a_table_without_waves_takes_all_for_shown():
    table = local_model_error().model_copy(update={"waves_rho50": (), "shown": ()})
    assert table.shown_share(torch.tensor([0.5, 2.0]), 2.0).tolist() == [1.0, 1.0]


def test_a_band_whose_error_is_lost_in_the_noise_is_not_taken_for_free_of_errors():
    power, count = np.array([[4.0, 8.0], [-1.0, 0.0], [9.0, 2.0]]), np.array([[400, 400], [400, 10], [10, 400]])
    assert _filled(power, count, 1.0) == ((0.01, 0.02), (0.01, 0.01), (0.01, 0.005))
    vift = vift_model_error(load_weights().card, load_weights().sha256)
    for table in (local_model_error(), vift):
        assert np.array(table.power).min() > 0.0
