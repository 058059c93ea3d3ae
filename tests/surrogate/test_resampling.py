"""Grids: planes stay planes, constants stay constants, what is resolved survives."""

import numpy as np
import pytest
import torch

from napari_sem4d.surrogate.resampling import Grids

PIXELS = [0.2, 0.25, 0.37, 0.5, 0.8, 1.0, 2.0]


def grids(pixel, shape=(80, 90)):
    return Grids.over(shape, pixel, 0.5, 16, 16, torch.float64)


@pytest.mark.parametrize("pixel", PIXELS)
def test_a_plane_stays_a_plane_of_the_same_slope(pixel):
    g = grids(pixel)
    y, x = np.indices(g.shape) * pixel
    working = g.heights_to_working(torch.as_tensor(0.3 * y - 0.7 * x))
    assert working.shape == g.working_shape
    assert working.shape[0] % 16 == 0
    assert torch.allclose(torch.diff(working, dim=0), torch.tensor(0.3 * 0.5, dtype=torch.float64), atol=2e-3)
    inner = working[20:-20, 20:-20] if pixel > 0.3 else working[16:-16, 16:-16]
    assert torch.allclose(torch.diff(inner, dim=1), torch.tensor(-0.7 * 0.5, dtype=torch.float64), atol=5e-3)


@pytest.mark.parametrize("pixel", PIXELS)
def test_a_constant_signal_comes_back(pixel):
    g = grids(pixel)
    ones = torch.ones(3, *g.working_shape, dtype=torch.float64)
    assert torch.allclose(g.signals_to_data(ones), torch.ones(3, *g.shape, dtype=torch.float64))
    data = torch.ones(3, *g.shape, dtype=torch.float64)
    assert torch.allclose(g.resolved(data), data)


@pytest.mark.parametrize("pixel", PIXELS)
def test_a_long_wave_survives_the_way_there_and_back(pixel):
    shape = (int(32 / pixel), int(32 / pixel))
    g = grids(pixel, shape)
    y, x = np.indices(shape) * pixel
    wave = torch.as_tensor(np.sin(2 * np.pi * x / 12.0) * np.cos(2 * np.pi * y / 15.0))
    back = g.signals_to_data(g.heights_to_working(wave))
    inner = slice(shape[0] // 5, -shape[0] // 5)
    assert float((back - wave)[inner, inner].abs().max()) < (0.25 if pixel == 2.0 else 0.08)


def test_waves_shorter_than_the_working_pixel_are_not_resolved():
    g = grids(0.125, (96, 96))
    x = torch.arange(96, dtype=torch.float64) * 0.125
    short = torch.sin(2 * np.pi * x / 0.5).expand(96, 96)
    assert float(g.resolved(short)[20:-20, 20:-20].abs().max()) < 0.05
    assert float(g.resolved(torch.sin(2 * np.pi * x / 6.0).expand(96, 96))[20:-20, 20:-20].abs().max()) > 0.97


def test_waves_of_four_pixels_reach_the_network_unweakened():
    """Else the local law's contrast of them, which the network takes away, would stay in the signals."""
    pixel = 0.56
    g = grids(pixel, (90, 90))
    wave = torch.cos(2 * np.pi * torch.arange(90, dtype=torch.float64) / 4.0).expand(90, 90)
    working = g.heights_to_working(wave)[30:-30, 30:-30]
    assert float(working.std() / wave.std()) == pytest.approx(1.0, abs=0.1)
