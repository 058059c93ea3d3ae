import numpy as np
import pytest
from imprint_images import Truth

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument
from napari_sem4d.errors import InputError, SettingsError
from napari_sem4d.inversion.calibration import Calibration, describe
from napari_sem4d.inversion.imprint_fit import cyclic_order, fit_imprint
from napari_sem4d.inversion.imprint_model import EngineRegions, PlanarRegions
from napari_sem4d.inversion.leave_one_out import leave_one_face_out
from napari_sem4d.inversion.vickers import (
    FACE_NAMES,
    VickersSettings,
    calibrate_vickers,
    make_problem,
    measure_regions,
    nominal_segments,
)
from napari_sem4d.physics.materials import material

TRUTH = Truth()


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate_vickers(TRUTH.series())


def _turn(a: float, b: float) -> float:
    return (a - b + 180.0) % 360.0 - 180.0


def test_truth_lies_within_the_stated_uncertainty(calibration: Calibration) -> None:
    stated = {p.name: p for p in calibration.parameters}
    for segment in TRUTH.segments:
        gain, offset = stated[f"gain {segment.name}"], stated[f"offset {segment.name}"]
        assert abs(gain.value - segment.gain) < 2 * gain.standard_uncertainty
        assert abs(offset.value - segment.offset) < 2 * offset.standard_uncertainty
    azimuth = stated["azimuth A"]
    error = _turn(azimuth.value, TRUTH.first_azimuth_deg)
    assert abs(error) < 3 * azimuth.standard_uncertainty
    assert abs(error) < 1.0
    for axis, tilt in zip("xy", TRUTH.axis_tilt_deg, strict=True):
        found = stated[f"axis tilt {axis}"]
        assert abs(found.value - tilt) < 3 * found.standard_uncertainty
    for limit, truth in zip(("inner", "outer"), (28.0 - 25.0, 62.0 - 65.0), strict=True):
        found = stated[f"polar change {limit}"]
        assert abs(found.value - truth) < 2 * found.standard_uncertainty


def test_order_of_the_segments_is_found_from_the_images(calibration: Calibration) -> None:
    assert calibration.chirality == -1
    assert calibrate_vickers(Truth(chirality=1).series()).chirality == 1
    assert cyclic_order(np.array([0.0, 180.0, 90.0, 270.0])) == 0


def test_left_out_faces_are_predicted_on_planar_data(calibration: Calibration) -> None:
    assert len(calibration.left_out_faces) == 4
    assert max(face.normal_error_deg for face in calibration.left_out_faces) < 1.0
    assert calibration.residuals is not None
    assert calibration.residuals.rms_percent < 0.5
    assert 0 < (calibration.scale_uncertainty or 0) < 0.15
    assert calibration.z_amplification == 1.0
    assert "face 3" in describe(calibration)


def test_permuted_segments_give_the_same_calibration(calibration: Calibration) -> None:
    order = [2, 0, 1]
    images = TRUTH.images()[order]
    series = TRUTH.series(images)
    series = type(series)(
        series.signal.assign_coords(segment=[TRUTH.segments[k].name for k in order]),
        series.instrument,
        series.pixel_nm,
        series.material,
    )
    other = {s.name: s for s in calibrate_vickers(series).segments}
    for segment in calibration.segments:
        assert other[segment.name].gain == pytest.approx(segment.gain, rel=1e-3)
        assert abs(_turn(other[segment.name].azimuth_centre_deg, segment.azimuth_centre_deg)) < 0.01


def test_four_quadrants_in_any_file_order_are_sorted_by_the_images() -> None:
    truth = Truth(count=4, chirality=1, first_azimuth_deg=30.0)
    order = [0, 2, 1, 3]
    found = calibrate_vickers(truth.series(truth.images()[order]))
    for segment, k in zip(found.segments, order, strict=True):
        assert abs(_turn(segment.azimuth_centre_deg, truth.segments[k].azimuth_centre_deg)) < 1.0
    assert found.chirality == 0


def test_a_described_detector_in_another_order_is_said() -> None:
    mirrored = tuple(
        s.model_copy(update={"azimuth_deg": (120.0 * k, 120.0 * k + 120.0), "gain": 1.0, "offset": 0.0})
        for k, s in enumerate(TRUTH.segments)
    )
    found = calibrate_vickers(TRUTH.series(detector=Detector(segments=mirrored)))
    assert any("another order" in w for w in found.warnings)


def test_scan_rotation_is_taken_off_the_azimuths(calibration: Calibration) -> None:
    series = TRUTH.series()
    instrument = Instrument(beam=Beam(energy_kev=7.0, scan_rotation_deg=30.0))
    turned = calibrate_vickers(type(series)(series.signal, instrument, series.pixel_nm, series.material))
    for a, b in zip(turned.segments, calibration.segments, strict=True):
        assert abs(_turn(a.azimuth_centre_deg, b.azimuth_centre_deg - 30.0)) < 0.01


def test_amplification_beside_gains_and_offsets_is_refused() -> None:
    with pytest.raises(SettingsError, match="z amplification cannot be told"):
        calibrate_vickers(TRUTH.series(), VickersSettings(free_z_amplification=True))


def test_amplification_is_found_where_gains_offsets_and_polar_range_are_given() -> None:
    detector = Detector(segments=TRUTH.segments)
    settings = VickersSettings(
        free_z_amplification=True, free_gains=False, free_offsets=False, free_polar=False, inclination_deg=24.0
    )
    found = calibrate_vickers(TRUTH.series(detector=detector), settings)
    # The images are those of 22 degree faces; told that they are 24 degrees, heights must be stretched.
    assert found.z_amplification == pytest.approx(np.tan(np.radians(24)) / np.tan(np.radians(22)), rel=0.03)


def test_saturated_faces_are_censored_and_said() -> None:
    images = TRUTH.images()
    clipped = np.minimum(images, np.quantile(images, 0.985, axis=(1, 2), keepdims=True))
    series = TRUTH.series(clipped)
    found = calibrate_vickers(series)
    assert any("saturated" in w for w in found.warnings)
    assert max(face.normal_error_deg for face in found.left_out_faces) < 1.5


def test_any_engine_can_take_the_place_of_the_planar_law() -> None:
    truth = Truth()
    data = measure_regions(truth.images())
    iron = material("Fe")
    planar, engine = PlanarRegions(iron, 7.0), EngineRegions("local", iron, 7.0)
    np.testing.assert_allclose(
        engine(truth.segments, truth.slopes), planar(truth.segments, truth.slopes), rtol=2e-4
    )
    settings = VickersSettings()
    problem = make_problem(data, nominal_segments(truth.series(), settings), settings, planar)
    faces = leave_one_face_out(problem, FACE_NAMES)
    assert max(face.normal_error_deg for face in faces) < 1.0


def test_two_segments_are_refused() -> None:
    settings = VickersSettings()
    data = measure_regions(TRUTH.images())
    problem = make_problem(
        data, nominal_segments(TRUTH.series(), settings)[:2], settings, PlanarRegions(material("Fe"), 7.0)
    )
    with pytest.raises(InputError, match="at least three segments"):
        fit_imprint(problem)


def test_unknown_energy_or_material_is_asked_for() -> None:
    series = TRUTH.series()
    with pytest.raises(SettingsError, match="energy"):
        calibrate_vickers(type(series)(series.signal, Instrument(), series.pixel_nm, "Fe"))
    with pytest.raises(SettingsError, match="material"):
        calibrate_vickers(type(series)(series.signal, series.instrument, series.pixel_nm, None))
