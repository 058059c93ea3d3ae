"""The engine vift says of a part of a surface what it says of the whole."""

import torch

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.vift import VisionEngine
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.planar_table import planar_table
from napari_sem4d.physics.scenes import make_scene

QUARTERS = tuple(
    Segment(name=str(a), polar_deg=(24.0, 60.0), azimuth_deg=(a - 45.0, a + 45.0)) for a in (0, 90, 180, 270)
)


def test_a_large_image_has_the_signals_of_its_parts():
    copper = material("Cu")
    rho50 = planar_table(copper, 5.0).rho50_nm
    scene = make_scene("domes", (256, 256), 0.5 * rho50, rho50, 5, size=12.0, aspect=1.0)
    whole = torch.as_tensor(scene.height_nm, dtype=torch.float32)
    part = whole[64:192, 64:192].contiguous()
    instrument = Instrument(beam=Beam(energy_kev=5.0), detector=Detector(segments=QUARTERS))
    engine = VisionEngine(ForwardSetup(instrument, copper, 0.5 * rho50))
    with torch.no_grad():
        large, small = (engine.expected_signals(h, torch.ones_like(h)) for h in (whole, part))
    inner = slice(32, 96)
    difference = (large[:, 64:192, 64:192] - small)[:, inner, inner] / engine.flat_signals.mean()
    # What lies beyond the part casts a few far shadows and sends a few electrons.
    assert float(difference.square().mean().sqrt()) < 0.01
