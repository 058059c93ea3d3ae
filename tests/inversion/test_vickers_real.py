"""The real imprint: geometry known from the indenter, images by a microscope."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_sem4d import api
from napari_sem4d.acquisition.series import SemSeries
from napari_sem4d.inversion.calibration import Calibration
from napari_sem4d.inversion.imprint_geometry import ImprintGeometry, measure_imprint
from napari_sem4d.inversion.vickers import calibrate_vickers, measure_regions
from napari_sem4d.settings import Settings

SETTINGS = Settings(engine="local", material="Fe")
# Room around the imprint; the whole frame is measured in benchmarks/vickers.py.
TOP, LEFT, SIDE = 250, 500, 530


@pytest.fixture(scope="module")
def series(shared_data: Path) -> SemSeries:
    return api.open_series(shared_data / "vickers", SETTINGS)


@pytest.fixture(scope="module")
def calibration(series: SemSeries) -> Calibration:
    return calibrate_vickers(series, engine="local")


@pytest.fixture(scope="module")
def geometry(
    series: SemSeries, calibration: Calibration, tmp_path_factory: pytest.TempPathFactory
) -> ImprintGeometry:
    outline = measure_regions(np.asarray(series.signal[0].values, dtype=np.float64)).outline
    part = replace(
        series,
        signal=series.signal[:, :, TOP : TOP + SIDE, LEFT : LEFT + SIDE],
        instrument=calibration.apply(series.instrument),
    )
    out = api.reconstruct(part, tmp_path_factory.mktemp("real") / "imprint.zarr", SETTINGS, calibration)
    with api.open_result(out) as result:
        assert result.attrs["scale_status"] == "calibrated"
        height = result.height[0].values
    return measure_imprint(height, float(series.pixel_nm or 0), outline.shifted(-TOP, -LEFT))


def test_the_outline_agrees_with_the_diagonals_read_by_eye(series: SemSeries) -> None:
    outline = measure_regions(np.asarray(series.signal[0].values, dtype=np.float64)).outline
    assert outline.diagonal == pytest.approx(285, rel=0.05)
    assert np.hypot(outline.row - 513, outline.col - 767) < 5


def test_the_model_leaves_less_than_one_per_cent_and_two_degrees(calibration: Calibration) -> None:
    assert calibration.residuals is not None
    assert calibration.residuals.rms_percent < 1.0
    assert max(face.normal_error_deg for face in calibration.left_out_faces) < 2.0
    assert calibration.chirality == -1
    assert len(calibration.inputs) == 3
    assert any("saturated" in w for w in calibration.warnings)


@pytest.mark.slow
def test_the_reconstructed_pit_has_the_indenters_angles(geometry: ImprintGeometry) -> None:
    assert geometry.is_pit
    assert geometry.mean_inclination_deg == pytest.approx(22.0, abs=0.5)
    assert geometry.opposite_angle_deg == pytest.approx((136.0, 136.0), abs=1.5)
    assert geometry.azimuth_step_deg == pytest.approx([90.0] * 4, abs=2.0)


@pytest.mark.slow
def test_the_depth_is_near_a_seventh_of_the_diagonal(geometry: ImprintGeometry) -> None:
    # Elastic recovery lowers it by some per cent; the rounded rim adds to that.
    assert geometry.depth_over_seventh_of_diagonal == pytest.approx(0.93, abs=0.07)
