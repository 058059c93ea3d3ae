"""The mesh, its texture and the ray-cast, without a viewer."""

import numpy as np
import pytest
from conftest_helpers import letter_f

from napari_sem4d.widgets import raycast
from napari_sem4d.widgets.mesh import grid_mesh
from napari_sem4d.widgets.shading import hillshade, relief_factor, sem_texture


def texel_under(texture, texcoords):
    """Texel that OpenGL reads at texture coordinates: v = 0 is the last row of the array."""
    rows, cols = texture.shape
    col = np.clip((texcoords[:, 0] * cols).astype(int), 0, cols - 1)
    row = np.clip(((1 - texcoords[:, 1]) * rows).astype(int), 0, rows - 1)
    return texture[row, col]


def test_every_vertex_of_an_f_carries_its_own_pixel_of_the_texture():
    height = letter_f((192, 256))
    grid = grid_mesh(height.shape, 64)
    vertices, _, _ = grid.vertices(height, (0, 100))
    texture = (height * 2.5).astype(np.uint8)
    np.testing.assert_array_equal(texel_under(texture, grid.texcoords[:-2]), vertices[:-2, 0] * 2.5)


def test_vertices_of_an_f_stand_at_their_pixels_unmirrored():
    height = letter_f()
    vertices, _, values = grid_mesh(height.shape, 20).vertices(height, (0, 100))
    z, row, col = vertices[:-2].T
    np.testing.assert_array_equal(z, height[row.astype(int), col.astype(int)])
    np.testing.assert_array_equal(values[:-2], z)
    assert z[(row < 24) & (col > 40)].max() == 100  # the long bar: top right
    assert z[(row > 30) & (col > 30)].max() == 0  # nothing at the bottom right


def test_faces_look_upwards_seen_from_the_pole_piece():
    vertices, faces, _ = grid_mesh((8, 8)).vertices(np.zeros((8, 8)), (0, 1))
    x, y = vertices[:, 2], -vertices[:, 1]  # y up on the screen
    a, b, c = faces.T
    assert np.all((x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a]) > 0)


def test_the_mesh_has_at_most_the_given_side_and_reaches_all_corners():
    grid = grid_mesh((1024, 700), 256)
    assert len(grid.rows) == len(grid.cols) == 256
    assert grid.rows[[0, -1]].tolist() == [0, 1023]
    assert grid.cols[[0, -1]].tolist() == [0, 699]


def test_nan_leaves_a_hole_and_no_nan_vertex():
    height = letter_f()
    height[10:20, 20:30] = np.nan
    vertices, faces, _ = grid_mesh(height.shape).vertices(height, (0, 100))
    assert np.isfinite(vertices).all()
    index = np.flatnonzero(np.isnan(height.ravel()))
    assert not np.isin(faces, index).any()
    assert len(faces) > 0


def test_a_frame_without_any_height_gives_a_mesh_that_shows_nothing():
    vertices, faces, _ = grid_mesh((6, 6)).vertices(np.full((6, 6), np.nan), (0, 1))
    assert np.isfinite(vertices).all()
    assert faces.tolist() == [[0, 0, 0]]


def test_pinned_vertices_hold_the_z_range_and_belong_to_no_face():
    vertices, faces, _ = grid_mesh((6, 6)).vertices(np.ones((6, 6)), (-30, 70))
    assert vertices[:, 0].min() == -30
    assert vertices[:, 0].max() == 70
    assert faces.max() == 35


def test_a_flat_mesh_has_one_z_so_that_no_slider_appears():
    vertices, _, values = grid_mesh((6, 6)).vertices(letter_f((6, 6)) + 5, (-30, 70), flat=True)
    assert np.ptp(vertices[:, 0]) == 0
    assert values.max() > 0


def test_light_from_the_upper_left_brightens_slopes_that_face_it():
    y, x = np.mgrid[:40, :40].astype(float)
    cone = -np.hypot(y - 20, x - 20)
    shade = hillshade(cone, 1.0)
    assert shade[10, 10] > shade[10, 30] > shade[30, 30]


def test_the_relief_factor_makes_a_shallow_surface_readable():
    shallow = letter_f() * 1e-3
    factor = relief_factor(shallow + np.linspace(0, 0.1, 64), 5.0)
    assert factor > 10
    assert np.ptp(hillshade(shallow, 5.0, factor).astype(int)) > 50


def test_the_sem_texture_is_the_mean_of_the_segments_in_fixed_limits():
    signal = np.stack([np.full((4, 4), 10.0), np.full((4, 4), 20.0)])
    assert np.all(sem_texture(signal, (10, 20)) == 127)


@pytest.mark.parametrize("row,col", [(10.0, 18.0), (30.5, 45.25), (24.0, 30.0), (5.0, 60.0)])
def test_a_ray_from_straight_above_meets_the_pixel_below_it(row, col):
    found = raycast.hit(letter_f(), np.array([1000.0, row, col]), np.array([-1.0, 0.0, 0.0]))
    assert found == pytest.approx((row, col))


def test_an_oblique_ray_meets_a_sine_surface_where_the_closed_form_says():
    x = np.arange(400)
    height = np.repeat((20 * np.sin(x / 30))[None], 50, axis=0)
    col = 123.4
    z = 20 * np.sin(col / 30)
    direction = np.array([-1.0, 0.1, 0.7])
    start = np.array([z, 25.0, col]) - 40 * direction
    row_hit, col_hit = raycast.hit(height, start, direction)
    assert col_hit == pytest.approx(col, abs=0.05)
    assert row_hit == pytest.approx(25.0, abs=0.05)


def test_the_hill_in_front_hides_the_plain_behind_it():
    height = np.zeros((20, 100))
    height[:, 50] = 30.0
    _, col = raycast.hit(height, np.array([20.0, 10.0, 0.0]), np.array([-0.2, 0.0, 1.0]))
    assert 49 <= col <= 50


def test_a_ray_beside_the_map_and_a_map_without_heights_are_missed():
    assert raycast.hit(letter_f(), np.array([500.0, -5.0, 3.0]), np.array([-1.0, 0, 0])) is None
    assert raycast.hit(np.full((4, 4), np.nan), np.array([5.0, 1.0, 1.0]), np.array([-1.0, 0, 0])) is None
