import numpy as np
import pytest
from imprint_images import Truth

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument
from napari_sem4d.errors import InputError, SettingsError
from napari_sem4d.inversion.calibration import Calibration, describe
from napari_sem4d.inversion.imprint_fit import ImprintFit, cyclic_order, fit_imprint
from napari_sem4d.inversion.imprint_model import EngineRegions, PlanarRegions
from napari_sem4d.inversion.vickers import (
    VickersSettings,
    calibrate_vickers,
    calibrated_segments,
    make_problem,
    measure_regions,
    nominal_segments,
)
from napari_sem4d.physics.materials import material

TRUTH = Truth()


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate_vickers(TRUTH.series(), engine="local")


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


def _planar_fit(truth: Truth, order: list[int], detector: Detector | None = None) -> ImprintFit:
    """Fit by planes alone: quick, and good enough where the order of the segments is asked."""
    settings = VickersSettings()
    series = truth.series(truth.images()[order], detector)
    data = measure_regions(series.signal[0].values)
    return fit_imprint(
        make_problem(data, nominal_segments(series, settings), settings, PlanarRegions(material("Fe"), 7.0))
    )


def test_order_of_the_segments_is_found_from_the_images(calibration: Calibration) -> None:
    assert calibration.chirality == -1
    fit = _planar_fit(Truth(chirality=1), [0, 1, 2])
    assert fit.chirality == 1
    assert fit.rejected_chi_square > 100 * fit.chi_square
    assert cyclic_order(np.array([0.0, 180.0, 90.0, 270.0])) == 0


def test_left_out_faces_are_predicted_on_planar_data(calibration: Calibration) -> None:
    assert len(calibration.left_out_faces) == 4
    assert max(face.normal_error_deg for face in calibration.left_out_faces) < 1.0
    assert calibration.residuals is not None
    assert calibration.residuals.rms_percent < 0.5
    assert 0 < (calibration.scale_uncertainty or 0) < 0.15
    assert calibration.z_amplification == 1.0
    assert "face 3" in describe(calibration)


def test_permuted_segments_give_the_same_calibration() -> None:
    order = [2, 0, 1]
    straight, other = _planar_fit(TRUTH, [0, 1, 2]), _planar_fit(TRUTH, order)
    for k, segment in zip(order, other.segments, strict=True):
        assert segment.gain == pytest.approx(straight.segments[k].gain, rel=1e-3)
        assert abs(_turn(segment.azimuth_centre_deg, straight.segments[k].azimuth_centre_deg)) < 0.01


def test_four_quadrants_in_any_file_order_are_sorted_by_the_images() -> None:
    truth = Truth(count=4, chirality=1, first_azimuth_deg=30.0)
    order = [0, 2, 1, 3]
    found = _planar_fit(truth, order)
    for segment, k in zip(found.segments, order, strict=True):
        assert abs(_turn(segment.azimuth_centre_deg, truth.segments[k].azimuth_centre_deg)) < 1.0
    assert found.chirality == 0


def test_a_described_detector_in_another_order_is_noticed() -> None:
    counter_clockwise = tuple(
        s.model_copy(update={"azimuth_deg": (120.0 * k, 120.0 * k + 120.0), "gain": 1.0, "offset": 0.0})
        for k, s in enumerate(TRUTH.segments)
    )
    assert _planar_fit(TRUTH, [0, 1, 2], Detector(segments=counter_clockwise)).order_changed
    assert not _planar_fit(TRUTH, [0, 1, 2], Detector(segments=TRUTH.segments)).order_changed


def test_scan_rotation_is_taken_off_the_azimuths() -> None:
    fit = _planar_fit(TRUTH, [0, 1, 2])
    turned = calibrated_segments(fit, Instrument(beam=Beam(scan_rotation_deg=30.0)))
    for column, image in zip(turned, fit.segments, strict=True):
        assert abs(_turn(column.azimuth_centre_deg, image.azimuth_centre_deg - 30.0)) < 1e-6


def test_amplification_beside_gains_and_offsets_is_refused() -> None:
    with pytest.raises(SettingsError, match="z amplification cannot be told"):
        calibrate_vickers(TRUTH.series(), VickersSettings(free_z_amplification=True), engine="local")


def test_amplification_is_found_where_gains_offsets_and_polar_range_are_given() -> None:
    detector = Detector(segments=TRUTH.segments)
    settings = VickersSettings(
        free_z_amplification=True, free_gains=False, free_offsets=False, free_polar=False, inclination_deg=24.0
    )
    found = calibrate_vickers(TRUTH.series(detector=detector), settings, engine="local")
    # The images are those of 22 degree faces; told that they are 24 degrees, heights must be stretched.
    assert found.z_amplification == pytest.approx(np.tan(np.radians(24)) / np.tan(np.radians(22)), rel=0.03)


def test_saturated_faces_are_censored_and_said() -> None:
    images = TRUTH.images()
    clipped = np.minimum(images, np.quantile(images, 0.99, axis=(1, 2), keepdims=True))
    series = TRUTH.series(clipped)
    found = calibrate_vickers(series, engine="local")
    assert any("saturated" in w for w in found.warnings)
    assert max(face.normal_error_deg for face in found.left_out_faces) < 1.5


def test_an_engine_that_sees_the_whole_pit_is_met_exactly() -> None:
    truth = Truth()
    data = measure_regions(truth.images())
    iron = material("Fe")
    settings = VickersSettings()
    engine = EngineRegions("local", iron, 7.0)
    fit = fit_imprint(make_problem(data, nominal_segments(truth.series(), settings), settings, engine))
    # At the solution the quick stand-in says what the engine says.
    exact = engine(fit.segments, fit.slopes)
    np.testing.assert_allclose(fit.layout.model(fit.segments, fit.slopes) / exact, 1.0, atol=1e-3)
    planar = PlanarRegions(iron, 7.0)
    fit = fit_imprint(make_problem(data, nominal_segments(truth.series(), settings), settings, planar))
    assert fit.layout.model is planar


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
        calibrate_vickers(type(series)(series.signal, Instrument(), series.pixel_nm, "Fe"), engine="local")
    with pytest.raises(SettingsError, match="material"):
        calibrate_vickers(type(series)(series.signal, series.instrument, series.pixel_nm, None), engine="local")
