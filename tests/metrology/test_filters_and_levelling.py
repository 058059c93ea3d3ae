import numpy as np
import pytest
from metrology_surfaces import PIXEL, correlated, grid

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.metrology.filters import (
    gaussian_filter,
    gaussian_filter_profile,
    gaussian_transmission,
    l_filter,
    robust_gaussian_filter,
    robust_gaussian_filter_profile,
    s_filter,
)
from napari_sem4d.metrology.levelling import (
    level_facet,
    level_lines,
    level_plane,
    level_polynomial,
    level_three_point,
)


@pytest.mark.parametrize(
    ("nesting", "ratio", "truth"),
    [(640.0, 1, 0.5), (640.0, 0.5, 0.0625), (640.0, 2, 0.8409), (640.0, 4, 0.9576), (30.0, 1, 0.5)],
)
def test_the_areal_filter_transmits_what_the_standard_says(nesting, ratio, truth):
    x, y = grid(512)
    wavelength = ratio * nesting
    wave = np.cos(2 * np.pi * (x * 0.6 + y * 0.8) / wavelength)
    kept = s_filter(wave, PIXEL, nesting)
    inner = (slice(160, -160),) * 2
    transmission = (kept[inner] * wave[inner]).sum() / (wave[inner] ** 2).sum()
    assert transmission == pytest.approx(truth, abs=6e-4)
    assert gaussian_transmission(wavelength, nesting) == pytest.approx(truth, abs=1e-4)


def test_s_and_l_filter_add_up_and_the_profile_filter_is_the_areal_one():
    surface = correlated(200, 200, 20, 3, n=128)
    assert s_filter(surface, PIXEL, 200) + l_filter(surface, PIXEL, 200) == pytest.approx(surface)
    lines = np.tile(surface[40], (128, 1))
    assert gaussian_filter(lines, PIXEL, 200)[64] == pytest.approx(gaussian_filter_profile(lines[0], PIXEL, 200))


def test_ends_and_holes_keep_a_constant_and_order_one_keeps_a_tilt():
    x, y = grid(128)
    level = np.full(x.shape, 7.0)
    level[40:50, 60:80] = np.nan
    kept = gaussian_filter(level, PIXEL, 300)
    assert np.nanmax(abs(kept - 7.0)) < 1e-9
    assert np.isnan(kept).sum() == 200
    tilt = 0.3 * x - 0.2 * y
    tilt[40:50, 60:80] = np.nan
    assert np.nanmax(abs(gaussian_filter(tilt, (PIXEL, PIXEL), 300, order=1) - tilt)) < 1e-4
    assert np.nanmax(abs(gaussian_filter_profile(tilt[0], PIXEL, 300, order=1) - tilt[0])) < 1e-4


def test_oblong_pixels_filter_by_nm():
    x, y = grid(256)
    surface = np.cos(2 * np.pi * (x + y) / 500.0)
    every = gaussian_filter(surface, PIXEL, 400)
    half = gaussian_filter(surface[::2], (2 * PIXEL, PIXEL), 400)
    assert np.abs(every[::2] - half)[30:-30, 60:-60].max() < 1e-3


def test_the_robust_filter_is_not_drawn_by_spikes():
    x, y = grid(128)
    form = 30 * np.sin(2 * np.pi * x / 2500) + 0.1 * y
    rng = np.random.default_rng(2)
    spiked = form + rng.normal(0, 1, x.shape)
    spiked[rng.random(x.shape) < 0.05] += 200.0
    plain = np.abs(gaussian_filter(spiked, PIXEL, 500) - form)
    robust = np.abs(robust_gaussian_filter(spiked, PIXEL, 500) - form)
    assert np.median(plain) > 8.0
    assert np.median(robust) < 1.0
    line = robust_gaussian_filter_profile(spiked[64], PIXEL, 500)
    assert np.median(np.abs(line - form[64])) < 1.0


def test_a_nesting_index_below_three_pixels_is_refused():
    with pytest.raises(DomainError, match="three pixels"):
        gaussian_filter(np.zeros((16, 16)), PIXEL, 29.0)
    with pytest.raises(InputError, match="nesting index"):
        gaussian_filter(np.zeros((16, 16)), PIXEL, -1.0)


def test_a_polynomial_and_a_plane_are_removed_exactly_in_spite_of_holes():
    x, y = grid(100)
    u, v = x / 1000, y / 1000
    surface = 3 + 40 * u - 20 * v + 15 * u**2 - 9 * u * v + 4 * v**3
    surface[10:40, 20:60] = np.nan
    assert np.nanmax(abs(level_polynomial(surface, PIXEL, 3).height)) < 1e-9
    plane = level_plane(2 + u + v, (5.0, 10.0))
    assert np.abs(plane.height).max() < 1e-12
    assert plane.method == "plane"


def test_a_mask_says_where_the_plane_is_fitted():
    x, y = grid(100)
    surface = 0.1 * x + 0.02 * y
    surface[:, 50:] += 100.0
    left = x < 450
    levelled = level_plane(surface, PIXEL, left).height
    assert np.abs(levelled[:, :50]).max() < 1e-9
    assert levelled[:, 50:] == pytest.approx(np.full((100, 50), 100.0))


def test_three_points_become_level():
    x, y = grid(60)
    surface = 0.3 * x - 0.1 * y + 12.0
    levelled = level_three_point(surface, PIXEL, [(5, 5), (50, 8), (20, 55)])
    assert np.abs(levelled.height).max() < 1e-9
    with pytest.raises(DomainError, match="one line"):
        level_three_point(surface, PIXEL, [(5, 5), (10, 10), (50, 50)])


def test_facet_levelling_is_not_drawn_by_a_step_where_a_plane_is():
    x, y = grid(300)
    tilt = 0.08 * x - 0.03 * y
    rng = np.random.default_rng(0)
    surface = tilt + np.where(x > 1000, 100.0, 0.0) + rng.normal(0, 1, x.shape)
    facet = level_facet(surface, PIXEL)
    plane = level_plane(surface, PIXEL)
    assert np.ptp(facet.reference - tilt) < 3.0
    assert np.ptp(plane.reference - tilt) > 80.0


@pytest.mark.parametrize("method", ["median", "median_difference", "polynomial"])
def test_jumps_between_lines_are_removed(method):
    x, _ = grid(80)
    rng = np.random.default_rng(1)
    jumps = rng.normal(0, 30, (80, 1)).cumsum(axis=0)
    surface = 5 * np.sin(x / 50) + jumps
    levelled = level_lines(surface, method).height
    rows = levelled.mean(axis=1)
    assert np.ptp(rows) < 1e-6
    surface[3] = np.nan
    assert np.isfinite(level_lines(surface, method).height[4:]).all()


def test_too_few_pixels_and_unknown_methods_are_refused():
    empty = np.full((10, 10), np.nan)
    with pytest.raises(DomainError, match="No valid pixel"):
        level_plane(empty, PIXEL)
    empty[2, 2] = 1.0
    with pytest.raises(DomainError, match="Too few"):
        level_plane(empty, PIXEL)
    with pytest.raises(InputError, match="median"):
        level_lines(np.zeros((4, 4)), "mode")
