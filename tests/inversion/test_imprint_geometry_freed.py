"""The detector's geometry on an imprint: azimuth of each segment, working distance, polar edges."""

from functools import cache

import numpy as np
import pytest
from imprint_images import ENERGY_KEV, Truth

from napari_sem4d.errors import SettingsError
from napari_sem4d.inversion.geometry import Geometry, check_free, moved_segment, refuse_undetermined
from napari_sem4d.inversion.imprint_fit import ImprintFit, fit_imprint
from napari_sem4d.inversion.imprint_model import PlanarRegions
from napari_sem4d.inversion.imprint_problem import ImprintProblem
from napari_sem4d.inversion.vickers import check_geometry
from napari_sem4d.physics.materials import material

NOISE, MODEL_ERROR = 0.002, 0.002
TRUTH = Truth(count=4, chirality=1)
TURNS = (3.0, 5.0, 2.0, 4.0)
DISTANCE = 1.05


@cache
def signals(distance=1.0, own=True):
    """Mean signals of faces and flat from planes, the detector turned and moved."""
    turns = TURNS if own else (3.0,) * 4
    segments = [
        moved_segment(s, turn, np.zeros(2), distance) for s, turn in zip(TRUTH.segments, turns, strict=True)
    ]
    response = PlanarRegions(material("Fe"), ENERGY_KEV)(segments, TRUTH.slopes)
    return response * np.array([s.gain for s in segments]) + np.array([s.offset for s in segments])


def fitted(geometry, clean, seed=0, **options) -> ImprintFit:
    rng = np.random.default_rng(seed)
    flat = np.abs(clean[4])
    problem = ImprintProblem(
        mean=clean + np.hypot(NOISE, MODEL_ERROR) * flat * rng.normal(size=clean.shape),
        standard_error=NOISE * flat * np.ones_like(clean),
        face_azimuths_rad=TRUTH.face_azimuths_rad,
        inclination_rad=np.radians(22.0),
        segments=TRUTH.segments,
        model=PlanarRegions(material("Fe"), ENERGY_KEV),
        geometry=geometry,
        model_error=MODEL_ERROR,
        **options,
    )
    return fit_imprint(problem)


def found(fit, name):
    i = fit.names.index(name)
    return fit.values[i], fit.std[i]


def test_a_longer_working_distance_makes_both_polar_edges_smaller():
    segment = TRUTH.segments[0]
    moved = moved_segment(segment, 0.0, np.zeros(2), 1.25)
    radii = np.tan(np.radians(segment.polar_deg))
    assert np.tan(np.radians(moved.polar_deg)) == pytest.approx(radii / 1.25)
    assert moved.azimuth_deg == segment.azimuth_deg


def test_parameters_move_the_segments_that_they_name():
    geometry = Geometry(TRUTH.segments, ("azimuth", "segment_azimuths", "polar"))
    assert geometry.names[:2] == ("rotation", "azimuth change B")
    moved = geometry.moved(np.array([3.0, 1.0, 0.0, -2.0, 0.5, -1.5]))
    turned = [m.azimuth_deg[0] - s.azimuth_deg[0] for m, s in zip(moved, TRUTH.segments, strict=True)]
    assert turned == pytest.approx([3.0, 4.0, 3.0, 1.0])
    assert moved[2].polar_deg == pytest.approx((28.5, 60.5))


def test_the_azimuth_of_every_segment_is_found_within_its_uncertainty():
    fit = fitted(("segment_azimuths",), signals())
    for name, want in zip("BCD", np.array(TURNS[1:]) - TURNS[0], strict=True):
        value, std = found(fit, f"azimuth change {name}")
        assert abs(value - want) < 3 * std
        assert std < 0.6
    value, std = found(fit, "azimuth A")
    assert abs(value - (TRUTH.first_azimuth_deg + TURNS[0])) < 3 * std
    check_geometry(fit, ("segment_azimuths",))


def test_a_working_distance_that_is_5_percent_off_is_found_with_a_dark_reference():
    fit = fitted(("working_distance",), signals(DISTANCE, own=False), offset_std=0.01)
    value, std = found(fit, "working distance")
    assert abs(value - DISTANCE) < 3 * std
    assert std < 0.012
    check_geometry(fit, ("working_distance",))
    assert fit.segments[0].polar_deg == pytest.approx(
        moved_segment(TRUTH.segments[0], 0.0, np.zeros(2), DISTANCE).polar_deg, abs=0.8
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_intervals_of_azimuths_and_working_distance_hold_the_truth():
    clean = signals(DISTANCE)
    want = {f"azimuth change {n}": t - TURNS[0] for n, t in zip("BCD", TURNS[1:], strict=True)}
    want["working distance"] = DISTANCE
    inside = {name: 0 for name in want}
    runs = 24
    for seed in range(runs):
        fit = fitted(("segment_azimuths", "working_distance"), clean, seed, offset_std=0.01)
        for name, value in want.items():
            estimate, std = found(fit, name)
            inside[name] += abs(estimate - value) < 1.96 * std
    # Binomial, 24 runs of 95 %: 19 and more hold 99.9 %.
    assert min(inside.values()) >= 19, inside


def test_without_a_dark_reference_the_working_distance_is_refused():
    fit = fitted(("working_distance",), signals(DISTANCE, own=False))
    with pytest.raises(SettingsError, match=r"cannot tell 'working distance' from 'offset .*dark reference"):
        check_geometry(fit, ("working_distance",))


def test_polar_edges_are_refused_where_they_hardly_matter():
    fit = fitted(("polar",), signals())
    with pytest.raises(SettingsError, match="polar change"):
        check_geometry(fit, ("polar",))


def test_polar_edges_and_working_distance_together_are_refused():
    with pytest.raises(SettingsError, match="moves both edges"):
        check_free(("polar", "working_distance"), 4)
    with pytest.raises(SettingsError, match="at least three segments"):
        check_free(("segment_azimuths",), 2)


def test_a_correlation_above_the_limit_is_refused_by_name():
    correlation = np.array([[1.0, 0.97], [0.97, 1.0]])
    with pytest.raises(SettingsError, match=r"'a' from 'b' \(correlation 0.970"):
        refuse_undetermined(("a", "b"), np.array([0.1, 0.1]), np.array([10.0]), correlation, "Do this.")
    refuse_undetermined(("a", "b"), np.array([0.1, 0.1]), np.array([10.0]), 0.9 * correlation, "")
    with pytest.raises(SettingsError, match=r"do not determine 'a'.*Do this"):
        refuse_undetermined(("a",), np.array([9.0]), np.array([10.0]), np.eye(1), "Do this.")
