"""Detector presets: packaged data that become segments at a working distance."""

import math

import pytest

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.acquisition.orientation import segments_in_image
from napari_sem4d.acquisition.presets import load_preset, preset, preset_names
from napari_sem4d.errors import SettingsError


def test_the_first_presets_are_packaged():
    assert {"annular-3-segment", "annular-4-quadrant"} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_states_that_it_is_typical_and_covers_the_circle_once(name):
    assert "typical" in preset(name).note.casefold()
    detector = load_preset(name)
    assert sum(segment.azimuth_width_deg for segment in detector.segments) == pytest.approx(360.0)
    assert detector.name == name


def test_polar_range_follows_the_working_distance():
    near, far = load_preset("annular-4-quadrant", 6.0), load_preset("annular-4-quadrant", 12.0)
    assert near.segments[0].polar_deg[0] == pytest.approx(math.degrees(math.atan(2.5 / 4.5)), abs=1e-3)
    assert far.segments[0].polar_deg[1] == pytest.approx(math.degrees(math.atan(8.0 / 10.5)), abs=1e-3)
    assert near.working_distance_mm == 6.0


def test_quadrant_one_lies_between_right_and_up():
    first = load_preset("annular-4-quadrant").segments[0]
    assert (first.name, first.azimuth_centre_deg) == ("Q1", 45.0)


def test_a_detector_that_does_not_fit_is_refused():
    with pytest.raises(
        SettingsError, match=r"hangs 1\.5 mm below the pole piece and does not fit a working distance of 1 mm"
    ):
        load_preset("annular-4-quadrant", 1.0)


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(
        SettingsError, match=r"no detector preset 'quad'; known are: annular-3-segment, annular-4-quadrant"
    ):
        load_preset("quad")


def test_scan_rotation_turns_the_segments_counter_clockwise_with_the_image():
    right = Segment(name="right", polar_deg=(15, 45), azimuth_deg=(-45, 45))
    instrument = Instrument(beam=Beam(scan_rotation_deg=90), detector=Detector(segments=(right,)))
    turned = segments_in_image(instrument)
    # What the column has on the right stands at the top of an image that is turned by +90 degrees.
    assert turned[0].azimuth_centre_deg == pytest.approx(90.0)
    assert turned[0].azimuth_width_deg == pytest.approx(90.0)
    assert turned[0].polar_deg == right.polar_deg
    assert instrument.detector.segments[0].azimuth_deg == (-45, 45)


def test_without_scan_rotation_segments_stay_where_they_are():
    detector = load_preset("annular-3-segment")
    assert segments_in_image(Instrument(detector=detector)) == detector.segments
