import numpy as np
import pytest
from imprint_images import PIXEL_NM, Truth

from napari_sem4d.errors import InputError
from napari_sem4d.inversion.imprint import find_imprint
from napari_sem4d.inversion.imprint_geometry import measure_imprint


@pytest.mark.parametrize("rotation_deg", [-40.0, 8.0, 30.0])
def test_outline_is_found_to_a_pixel_and_half_a_degree(rotation_deg: float) -> None:
    truth = Truth(rotation_deg=rotation_deg, axis_tilt_deg=(0.0, 0.0))
    found = find_imprint(truth.images())
    centre = (truth.side - 1) / 2
    assert abs(found.row - centre) < 0.5
    assert abs(found.col - centre) < 0.5
    turn = np.degrees(found.rotation_rad) - rotation_deg
    assert abs((turn + 45) % 90 - 45) < 0.5
    assert -45.001 <= np.degrees(found.rotation_rad) <= 45.001
    assert found.half_diagonals == pytest.approx([truth.half_diagonal] * 4, abs=1.0)


def test_debris_beside_and_inside_does_not_move_the_outline() -> None:
    truth = Truth(axis_tilt_deg=(0.0, 0.0))
    images = truth.images()
    images[:, 14:24, 116:126] *= 0.1
    images[:, 82:86, 84:88] *= 0.1
    clean, dirty = find_imprint(truth.images()), find_imprint(images)
    assert np.hypot(dirty.row - clean.row, dirty.col - clean.col) < 0.5
    assert dirty.half_diagonals == pytest.approx(clean.half_diagonals, abs=1.0)


def test_an_image_without_imprint_is_refused() -> None:
    noise = 1000 + 50 * np.random.default_rng(3).normal(size=(3, 160, 200))
    with pytest.raises(InputError, match="no imprint was found"):
        find_imprint(noise)
    with pytest.raises(InputError, match="no imprint was found"):
        find_imprint(np.full((3, 160, 200), 7.0))
    stripe = noise.copy()
    stripe[:, :, 80:120] += 500
    with pytest.raises(InputError, match="no imprint was found"):
        find_imprint(stripe)


def test_an_imprint_over_the_border_is_refused() -> None:
    images = Truth().images()[:, :, 50:]
    with pytest.raises(InputError, match=r"border|no imprint"):
        find_imprint(images)


def test_faces_of_a_true_pit_are_measured() -> None:
    truth = Truth(axis_tilt_deg=(0.0, 0.0))
    outline = find_imprint(truth.images())
    geometry = measure_imprint(truth.height(), PIXEL_NM, outline)
    assert geometry.mean_inclination_deg == pytest.approx(22.0, abs=0.01)
    assert geometry.opposite_angle_deg == pytest.approx((136.0, 136.0), abs=0.01)
    assert geometry.azimuth_step_deg == pytest.approx([90.0] * 4, abs=0.01)
    assert geometry.is_pit
    # Geometry of the indenter: depth = diagonal / (2 sqrt 2 tan 68 deg) = diagonal / 7.0
    assert geometry.depth_over_seventh_of_diagonal == pytest.approx(1.0, abs=0.02)
    pyramid = measure_imprint(-truth.height(), PIXEL_NM, outline)
    assert not pyramid.is_pit
    assert pyramid.depth_nm < 0


def test_a_leaning_axis_keeps_the_angles_between_faces() -> None:
    truth = Truth(axis_tilt_deg=(2.0, -1.0))
    geometry = measure_imprint(truth.height(), PIXEL_NM, find_imprint(truth.images()))
    assert np.ptp(geometry.inclination_deg) > 1.0
    assert geometry.opposite_angle_deg == pytest.approx((136.0, 136.0), abs=0.01)
    assert geometry.azimuth_step_deg == pytest.approx([90.0] * 4, abs=0.01)
    assert np.abs(np.diff(geometry.azimuth_deg) % 360 - 90.0).max() > 2.0
    assert geometry.axis_tilt_deg == pytest.approx(np.hypot(2.0, 1.0), abs=0.02)


def test_missing_heights_are_said() -> None:
    truth = Truth()
    with pytest.raises(InputError, match="too few for a plane"):
        measure_imprint(np.full((truth.side, truth.side), np.nan), PIXEL_NM, find_imprint(truth.images()))
