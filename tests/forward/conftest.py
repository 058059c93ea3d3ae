"""Setups and surfaces that every engine is judged on."""

import itertools

import numpy as np
import pytest
import torch

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_simulator
from napari_sem4d.physics.materials import material

DIFFERENTIABLE = ("local", "vift")
OPTIONS = {"local": {}, "vift": {}, "monte_carlo": {"electrons": 30}}


@pytest.fixture(params=DIFFERENTIABLE)
def engine_name(request):
    return request.param


def quadrants(start_deg: float = 0.0, **changes) -> tuple[Segment, ...]:
    """Four equal segments, the first from ``start_deg`` on."""
    return tuple(
        Segment(
            name=f"S{i}", polar_deg=(20, 45), azimuth_deg=(start_deg + 90 * i, start_deg + 90 * (i + 1)), **changes
        )
        for i in range(4)
    )


@pytest.fixture
def build(engine_name):
    """Make the engine for segments, a pixel and a scan rotation, in float64."""

    seeds = itertools.count()

    def make(segments=None, pixel_nm=20.0, rotation_deg=0.0, dtype=torch.float64, **options):
        instrument = Instrument(
            beam=Beam(energy_kev=10.0, scan_rotation_deg=rotation_deg),
            detector=Detector(segments=segments or quadrants()),
        )
        chosen = dict(OPTIONS[engine_name])
        if chosen:
            # Independent electrons in every engine, unless a test wants them to be the same.
            chosen |= {"seed": next(seeds)} | options
        return make_simulator(engine_name, ForwardSetup(instrument, material("Cu"), pixel_nm), dtype, **chosen)

    return make


@pytest.fixture
def surface() -> torch.Tensor:
    """An asymmetric smooth surface of 40 x 40 pixels of 20 nm, slopes up to about 0.8."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:40, 0:40] / 40.0
    height = np.zeros((40, 40))
    for _ in range(12):
        kx, ky, phase = rng.integers(-3, 4), rng.integers(-3, 4), rng.uniform(0, 2 * np.pi)
        height += rng.normal() * 10 * np.cos(2 * np.pi * (kx * x + ky * y) + phase)
    return torch.as_tensor(height)
