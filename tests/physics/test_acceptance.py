"""The acceptance turns an emission into a signal."""

import numpy as np
import pytest

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.physics.acceptance import RingResponse, directions, planar_response
from napari_sem4d.physics.local_law import AnalyticLaw, law_for
from napari_sem4d.physics.materials import material

LAWS = {"tabulated": law_for(material("Cu"), 10.0), "analytic": AnalyticLaw.of(material("Cu"), 10.0)}


def segment(polar=(20.0, 45.0), azimuth=(-45.0, 45.0)):
    return Segment(name="A", polar_deg=polar, azimuth_deg=azimuth)


def test_directions_fill_the_solid_angle():
    _, _, weight = directions(segment())
    exact = np.pi / 2 * (np.cos(np.radians(20)) - np.cos(np.radians(45)))
    assert weight.sum() == pytest.approx(exact, rel=1e-12)


def test_all_directions_together_collect_the_energy_weighted_yield():
    law = LAWS["analytic"]
    everything = planar_response(law, segment((0, 90), (0, 360)), np.zeros(1), np.zeros(1))[0]
    assert everything == pytest.approx(law.eta0 * law.mean_energy_fraction, rel=2e-3)


def test_a_lambert_flat_sends_sin_squared_into_a_ring():
    law = LAWS["analytic"]
    inner = planar_response(law, segment((0, 30), (0, 360)), np.zeros(1), np.zeros(1))[0]
    assert inner == pytest.approx(0.25 * law.eta0 * law.mean_energy_fraction, rel=1e-3)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("azimuth", [(-45.0, 45.0), (100.0, 220.0)])
def test_the_series_in_azimuth_equals_the_quadrature(law, azimuth):
    p, q = np.random.default_rng(0).normal(size=(2, 300))
    part = segment(azimuth=azimuth)
    exact = planar_response(LAWS[law], part, p, q)
    series = RingResponse(LAWS[law], part.polar_deg, np.radians(88)).response(part, p, q)
    flat = planar_response(LAWS[law], part, np.zeros(1), np.zeros(1))
    assert np.abs(series - exact).max() < 5e-4 * flat


@pytest.mark.parametrize("law", LAWS)
def test_neighbouring_segments_add_up(law):
    p, q = np.random.default_rng(1).normal(size=(2, 50)) * 0.5
    parts = sum(planar_response(LAWS[law], segment(azimuth=a), p, q) for a in ((0.0, 100.0), (100.0, 240.0)))
    whole = planar_response(LAWS[law], segment(azimuth=(0.0, 240.0)), p, q)
    assert np.allclose(parts, whole, rtol=3e-3)


def test_the_tabulated_law_has_no_cusp_at_a_flat():
    ring, step = segment(azimuth=(0.0, 360.0)), 0.02
    response = planar_response(LAWS["tabulated"], ring, np.array([0.0, step, 2 * step]), np.zeros(3))
    # Even in the slope: the change grows with its square.
    assert (response[2] - response[0]) / (response[1] - response[0]) == pytest.approx(4.0, rel=0.1)
