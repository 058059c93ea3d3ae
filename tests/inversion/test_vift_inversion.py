"""Surfaces through the engine vift: its blur is undone, and it starts from the local engine's answer."""

import numpy as np
import pytest
import torch

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.inversion.frame import first_guess, solve_frame
from napari_sem4d.inversion.objective import FrameData
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.physics.materials import material

PIXEL_NM = 12.0
SIDE = 64


def engine_of(name):
    ring = tuple(
        Segment(name=f"S{i}", polar_deg=(15, 65), azimuth_deg=(45 * i, 45 * i + 45), gain=1e4) for i in range(8)
    )
    instrument = Instrument(beam=Beam(energy_kev=5.0), detector=Detector(segments=ring))
    return make_engine(name, ForwardSetup(instrument, material("Cu"), PIXEL_NM))


@pytest.fixture(scope="module")
def found():
    """Heights of islands about two ranges wide: the truth, and what both engines make of vift's noisy signals."""
    rows, columns = np.indices((SIDE, SIDE)) - 0.5 * (SIDE - 1)
    hills = np.maximum(60.0 - 0.6 * PIXEL_NM * np.hypot(rows + 8, columns - 6), 0.0)
    hills = np.maximum(hills, np.maximum(40.0 - 0.5 * PIXEL_NM * np.abs(rows - 14), 0.0))
    truth = torch.as_tensor(hills, dtype=torch.float32)
    signals = engine_of("vift").expected_signals(truth, torch.ones_like(truth)).detach()
    sigma = 0.1 * float(signals.mean())
    noise = torch.randn(signals.shape, generator=torch.Generator().manual_seed(1))
    weight = torch.full_like(signals, sigma**-2)
    data = FrameData(signals + sigma * noise, weight, torch.zeros_like(signals, dtype=torch.bool))
    heights = {}
    for name in ("local", "vift"):
        settings = InversionSettings()
        guess = first_guess(engine_of(name), data, settings, torch.zeros_like(truth), 1.0)
        heights[name] = solve_frame(*guess, settings)
    return truth, heights


def error(height, truth):
    difference = (height - truth)[6:-6, 6:-6]
    return float((difference - difference.mean()).square().mean().sqrt())


def test_vift_finds_its_own_surface_much_better_than_the_local_law(found):
    truth, heights = found
    by = {name: error(solution.state.height, truth) for name, solution in heights.items()}
    assert by["vift"] < 0.6 * by["local"]


def test_the_misfit_of_vift_is_explained_to_the_noise(found):
    _, heights = found
    assert heights["vift"].reduced_chi_square == pytest.approx(1.0, abs=0.1)
    assert heights["local"].reduced_chi_square > 1.1


def test_vift_starts_from_the_local_engine():
    assert engine_of("vift").start.name == "local"
    assert engine_of("local").start is None
