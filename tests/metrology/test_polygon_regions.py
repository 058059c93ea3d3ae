"""Masks of drawn regions: the same pixels as an independent program, the rim included."""

import numpy as np
import pytest
from skimage.measure import points_in_poly

from napari_sem4d.errors import InputError
from napari_sem4d.metrology.surface import polygon_region

SHAPE = (40, 50)
CENTRES = np.stack(np.mgrid[:40, :50], axis=-1).reshape(-1, 2).astype(float)


@pytest.mark.parametrize("seed", range(6))
def test_polygons_hold_the_same_pixels_as_in_scikit_image(seed):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 9))
    radius = rng.uniform(4, 30, 9)  # concave, and partly outside of the map
    points = np.stack([20 + radius * np.sin(angle), 25 + radius * np.cos(angle)], axis=1)
    expected = points_in_poly(CENTRES, points).reshape(SHAPE)
    assert np.array_equal(polygon_region(SHAPE, points), expected)


@pytest.mark.parametrize("turn", range(4))
def test_a_rectangle_holds_its_rim_whichever_corner_comes_first(turn):
    corners = np.roll([(5, 10), (5, 19), (14, 19), (14, 10)], turn, axis=0)
    for points in (corners, corners[::-1]):
        mask = polygon_region(SHAPE, points)
        assert mask.sum() == 100 and mask[5:15, 10:20].all()


def test_what_lies_outside_of_the_map_is_cut_off():
    assert polygon_region(SHAPE, [(-9, -9), (-9, 99), (99, 99), (99, -9)]).all()
    assert not polygon_region(SHAPE, [(50, 60), (50, 70), (60, 70)]).any()


def test_too_few_corners_and_lost_ones_are_refused():
    with pytest.raises(InputError, match="three or more"):
        polygon_region(SHAPE, [(0, 0), (1, 1)])
    with pytest.raises(InputError, match="finite"):
        polygon_region(SHAPE, [(0, 0), (1, 1), (np.nan, 2)])
