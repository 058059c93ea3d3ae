"""What ViFT's correction is added to in training."""

import numpy as np
import pytest
import torch

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.local import LocalEngine
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.scenes import make_scene
from napari_sem4d.surrogate.baseline import FACETS, baseline
from napari_sem4d.surrogate.directions import acceptance

THRESHOLDS = (0.0, 0.35)


@pytest.fixture(scope="module")
def height():
    scene = make_scene("bumps", (48, 48), 0.5, 1.0, 3, size=8.0, slope_deg=45.0)
    return torch.as_tensor(scene.height_nm, dtype=torch.float32)


@pytest.mark.parametrize("probe", [0.0, 1.6])
def test_surroundings_that_are_left_out_still_cast_shadows_and_send_electrons(height, probe):
    physics = baseline("Al", 2.0, 5, THRESHOLDS)
    whole = physics(height, 0.5, probe)
    inner = physics(height, 0.5, probe, 8)
    assert inner.shape == (2, 21, 32, 32)
    # The probe's blur meets the border of what is worked out, but no farther than its reach.
    assert inner.numpy() == pytest.approx(whole[..., 8:-8, 8:-8].numpy(), abs=1e-5)


@pytest.mark.parametrize("number", [0, 1])
def test_its_coefficients_give_the_signals_of_the_local_engine(height, number):
    threshold = THRESHOLDS[number] * 2.0
    whole = Segment(name="all", polar_deg=(0.0, 90.0), azimuth_deg=(0.0, 360.0), threshold_kev=threshold)
    instrument = Instrument(beam=Beam(energy_kev=2.0), detector=Detector(segments=(whole,)))
    engine = LocalEngine(ForwardSetup(instrument, material("Al"), 0.5), facets_nm=FACETS)
    exact = engine.expected_signals(height, torch.ones_like(height))[0].numpy()
    found = baseline("Al", 2.0, 5, THRESHOLDS)(height, 0.5, 0.0)[number]
    said = np.einsum("c,cyx->yx", acceptance(5, (whole,))[0], found.numpy())
    # Bins cut horizons more finely than one wide segment does: the two differ where shadows fall.
    difference = (said - exact) / float(engine.flat_signals[0])
    assert float(np.sqrt(np.mean(difference**2))) < 0.02
    assert abs(float(difference.mean())) < 0.01
