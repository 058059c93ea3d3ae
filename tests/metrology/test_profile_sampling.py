import numpy as np
import pytest

from napari_sem4d.errors import InputError
from napari_sem4d.metrology.profile import (
    read_cursors,
    sample_kymograph,
    sample_line,
    sample_polyline,
    sample_rectangle,
)


def plane(shape=(40, 60), slope_row=2.0, slope_column=3.0):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return slope_row * rows + slope_column * columns


def test_a_diagonal_has_its_euclidean_length_and_the_heights_of_a_plane():
    profile = sample_line(plane(), 10.0, (3, 4), (33, 44))
    assert profile.length_nm == pytest.approx(500.0, abs=1e-9)
    assert profile.height_nm == pytest.approx(2 * profile.row + 3 * profile.column)
    assert profile.height_nm[[0, -1]] == pytest.approx([18.0, 198.0])
    assert np.ptp(np.diff(profile.distance_nm)) < 1e-9


def test_anisotropic_pixels_give_the_true_length_and_positions():
    profile = sample_line(plane(), (20.0, 5.0), (0, 0), (30, 40))
    assert profile.length_nm == pytest.approx(np.hypot(600.0, 200.0))
    assert (profile.x_nm[-1], profile.y_nm[-1]) == pytest.approx((200.0, 600.0))
    along = np.hypot(profile.x_nm - profile.x_nm[0], profile.y_nm - profile.y_nm[0])
    assert along == pytest.approx(profile.distance_nm)


def test_the_average_over_the_width_is_perpendicular_in_nm_on_oblong_pixels():
    rows, columns = np.mgrid[:60, :80]
    y, x = rows * 20.0, columns * 5.0
    u = np.array([600.0, 200.0]) / np.hypot(600.0, 200.0)  # (y, x)
    across = -x * u[0] + y * u[1]
    profile = sample_line(across, (20.0, 5.0), (10, 30), (40, 70), width_px=7)
    assert profile.height_nm == pytest.approx(np.full(profile.height_nm.size, profile.height_nm[0]), abs=1e-9)
    assert profile.width_nm == pytest.approx(60.0)


def test_averaging_reduces_white_noise_by_the_root_of_the_width():
    noise = np.random.default_rng(1).normal(0, 5, (400, 400))
    single = sample_line(noise, 1.0, (200, 10), (200, 390))
    wide = sample_line(noise, 1.0, (200, 10), (200, 390), width_px=25)
    assert wide.height_nm.std() / single.height_nm.std() == pytest.approx(0.2, rel=0.15)


def test_invalid_pixels_make_only_their_own_samples_invalid():
    height = plane()
    height[10, 20] = np.nan
    profile = sample_line(height, 10.0, (10, 0), (10, 59))
    assert np.flatnonzero(~profile.valid).tolist() == [20]
    wide = sample_line(height, 10.0, (10, 0), (10, 59), width_px=5)
    assert wide.valid.all()


def test_parts_outside_the_map_are_invalid():
    profile = sample_line(plane(), 10.0, (5, -10), (5, 10))
    assert profile.valid.tolist() == [False] * 10 + [True] * 11


def test_a_polyline_adds_its_pieces_and_spaces_its_samples_equally():
    profile = sample_polyline(plane(), 10.0, [(5, 5), (5, 25), (5, 25), (20, 25)])
    assert profile.length_nm == pytest.approx(350.0)
    assert np.ptp(np.diff(profile.distance_nm)) < 1e-9
    assert profile.height_nm == pytest.approx(2 * profile.row + 3 * profile.column)


def test_a_rectangle_averages_over_its_short_side_and_runs_along_the_long_one():
    height = np.zeros((30, 80))
    height[:, 40:] = 100.0
    height[10:20] += np.array([-10, 10] * 5)[:, None]
    corners = [(10, 10), (10, 70), (19, 70), (19, 10)]
    profile = sample_rectangle(height, 2.0, corners)
    assert profile.length_nm == pytest.approx(120.0)
    assert profile.height_nm == pytest.approx(np.where(profile.column >= 40, 100.0, 0.0), abs=1e-9)
    across = sample_rectangle(height, 2.0, corners, along="second")
    assert across.length_nm == pytest.approx(18.0)


def test_draws_give_the_spread_of_a_height_difference_with_its_correlation():
    rng = np.random.default_rng(3)
    common = rng.normal(0, 50, (400, 1, 1))
    draws = plane()[None] + common + rng.normal(0, 1, (400, 40, 60))
    profile = sample_line(plane(), 10.0, (10, 5), (10, 50), draws=draws)
    assert profile.height_std.mean() == pytest.approx(50, rel=0.1)
    reading = read_cursors(profile, 0.0, 400.0)
    assert reading.height_difference_std == pytest.approx(np.sqrt(2), rel=0.1)
    assert reading.height_difference_nm == pytest.approx(120.0)
    assert reading.angle_deg == pytest.approx(np.degrees(np.arctan(0.3)))


def test_a_kymograph_holds_one_profile_for_each_time():
    series = np.stack([plane() * t for t in range(3)])
    kymograph = sample_kymograph(series, 10.0, [(0, 0), (0, 20)])
    assert kymograph.height_nm[:, -1] == pytest.approx([0, 60, 120])


def test_points_that_are_no_numbers_and_draws_of_another_shape_are_refused():
    with pytest.raises(InputError, match="finite"):
        sample_line(plane(), 10.0, (np.nan, 0), (1, 1))
    with pytest.raises(InputError, match="same frame"):
        sample_line(plane(), 10.0, (0, 0), (1, 1), draws=np.zeros((2, 3, 3)))
    with pytest.raises(InputError, match="pixel size"):
        sample_line(plane(), -1.0, (0, 0), (1, 1))


def test_a_line_of_no_length_gives_a_single_sample():
    profile = sample_line(plane(), 10.0, (2, 3), (2, 3))
    assert (profile.length_nm, profile.height_nm.tolist()) == (0.0, [13.0])
