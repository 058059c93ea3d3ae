"""The engine vift says where a series lies outside its training; the engine local knows no such limit."""

import pytest

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.physics.materials import material

SEGMENTS = tuple(Segment(name=str(i), polar_deg=(15, 60), azimuth_deg=(90 * i, 90 * i + 90)) for i in range(4))


def engine(name, pixel_nm=12.0, **beam):
    instrument = Instrument(beam=Beam(**{"energy_kev": 5.0, **beam}), detector=Detector(segments=SEGMENTS))
    return make_engine(name, ForwardSetup(instrument, material("Cu"), pixel_nm))


def test_copper_at_5_kv_is_known():
    assert engine("vift").beyond == ()


@pytest.mark.parametrize(("beam", "words"), [({"probe_nm": 90.0}, "probe"), ({"tilt_deg": 15.0}, "tilted stage")])
def test_a_wide_probe_and_a_tilted_stage_are_told(beam, words):
    assert words in engine("vift", **beam).beyond[0]
    assert engine("local", **beam).beyond == ()


def test_where_no_network_runs_nothing_is_beyond_it():
    assert engine("vift", pixel_nm=500.0, tilt_deg=15.0).beyond == ()
