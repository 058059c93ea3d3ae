import numpy as np
import pytest
from metrology_surfaces import PIXEL, grid
from scipy import special

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.metrology.edges import edge_width, find_edges
from napari_sem4d.metrology.profile import sample_line
from napari_sem4d.metrology.step import grating_heights, groove_height, step_height
from napari_sem4d.metrology.step_area import areal_step_height


def scene(kind, seed, n=1024):
    """100 nm features on a tilt, with 2 nm noise and one per cent of outliers of 100 nm."""
    rng = np.random.default_rng(seed)
    x, y = grid(n)
    raised = {"step": x > 5000, "groove": (x < 3400) | (x > 6800), "grating": (x % 700) < 200}[kind]
    surface = 0.05 * x - 0.03 * y + 100.0 * raised + rng.normal(0, 2, x.shape)
    outliers = rng.random(x.shape) < 0.01
    surface[outliers] += rng.normal(0, 100, outliers.sum())
    return surface


def profile_height(kind, line):
    if kind == "step":
        return step_height(line).height_nm
    if kind == "groove":
        return -groove_height(line).height_nm
    return -np.mean([g.height_nm for g in grating_heights(line)])


@pytest.mark.parametrize("kind", ["step", "groove", "grating"])
def test_noise_outliers_and_tilt_leave_an_areal_height_within_a_tenth_of_a_nanometre(kind):
    for seed in range(2):
        assert areal_step_height(scene(kind, seed), PIXEL).height_nm == pytest.approx(100.0, abs=0.1)


@pytest.mark.parametrize("kind", ["step", "groove", "grating"])
def test_single_lines_scatter_by_less_than_three_tenths_of_a_nanometre(kind):
    surface = scene(kind, 7)
    lines = [sample_line(surface, PIXEL, (row, 0), (row, 1023)) for row in range(12, 1012, 20)]
    heights = np.array([profile_height(kind, line) for line in lines])
    assert heights.std(ddof=1) < 0.3
    assert heights.mean() == pytest.approx(100.0, abs=4 * 0.3 / np.sqrt(len(lines)))


def test_a_histogram_is_wrong_on_the_tilted_grating_that_the_fit_gets_right():
    surface = scene("grating", 3)
    counts, rims = np.histogram(surface, bins=256)
    middle = 0.5 * (rims[1:] + rims[:-1])
    split = middle[len(middle) // 2]
    upper, lower = middle > split, middle <= split
    modes = middle[upper][counts[upper].argmax()] - middle[lower][counts[lower].argmax()]
    assert abs(modes - 100.0) > 5.0
    assert areal_step_height(surface, PIXEL).height_nm == pytest.approx(100.0, abs=0.1)


def test_a_groove_is_negative_a_ridge_positive_and_a_falling_step_negative():
    x, _ = grid(300)
    groove = 0.1 * x - 40.0 * ((x > 1000) & (x < 1800))
    line = sample_line(groove, PIXEL, (5, 0), (5, 299))
    fit = groove_height(line)
    assert (fit.height_nm, fit.slope, fit.offset_nm) == pytest.approx((-40.0, 0.1, -20.0))
    assert fit.level(np.array([1400.0]), 1) == pytest.approx(0.1 * 1400.0 - 40.0)
    assert fit.level(np.array([100.0]), -1) == pytest.approx(10.0)
    assert groove_height(sample_line(-groove, PIXEL, (5, 0), (5, 299))).height_nm == pytest.approx(40.0)
    falling = sample_line(-50.0 * (x > 1500), PIXEL, (5, 0), (5, 299))
    assert step_height(falling).height_nm == pytest.approx(-50.0)


def test_the_stretches_are_those_of_the_standard():
    x, _ = grid(400)
    line = sample_line(-40.0 * ((x > 1495) & (x < 2395)), PIXEL, (5, 0), (5, 399))
    starts = groove_height(line, (1500.0, 2400.0)).stretches
    expected = [(600, 1200, -1), (1800, 2100, 1), (2700, 3300, -1)]
    for part, (start, end, d) in zip(starts, expected, strict=True):
        assert (part.start_nm, part.end_nm, part.d) == pytest.approx((start, end, d))


def test_draws_carry_the_correlation_of_errors_into_the_step():
    rng = np.random.default_rng(0)
    x, _ = grid(100)
    truth = 100.0 * (x > 500)
    # Each draw adds a common height, a tilt and an error of the step itself: only the last one counts.
    parts = rng.normal(0, 1, (300, 3))
    draws = truth + 50 * parts[:, :1, None] + 0.02 * parts[:, 1:2, None] * x + 3 * parts[:, 2:, None] * (x > 500)
    area = areal_step_height(truth + rng.normal(0, 0.1, x.shape), PIXEL, draws=draws)
    assert area.std_nm == pytest.approx(3.0, rel=0.12)
    line = step_height(sample_line(truth, PIXEL, (50, 0), (50, 99), draws=draws), 500.0)
    assert line.std_nm == pytest.approx(3.0, rel=0.12)


def test_marked_levels_are_taken_as_they_are_and_oblong_pixels_change_nothing():
    x, y = grid(120)
    surface = 0.2 * y + 30.0 * (x > 600)
    upper, lower = x > 700, x < 500
    assert areal_step_height(surface, PIXEL, upper=upper, lower=lower).height_nm == pytest.approx(30.0)
    assert areal_step_height(surface[::2], (2 * PIXEL, PIXEL)).height_nm == pytest.approx(30.0)
    with pytest.raises(InputError, match="neither"):
        areal_step_height(surface, PIXEL, upper=upper)


def test_holes_do_not_change_the_height():
    surface = scene("step", 1, n=1024)[:256, 372:628]
    surface[50:90, 20:200] = np.nan
    assert areal_step_height(surface, PIXEL).height_nm == pytest.approx(100.0, abs=0.4)


def test_a_surface_without_a_step_is_refused():
    noise = np.random.default_rng(0).normal(0, 2, (128, 128))
    with pytest.raises(DomainError, match="two separate levels"):
        areal_step_height(noise, PIXEL)
    with pytest.raises(DomainError, match="noise"):
        find_edges(sample_line(noise, PIXEL, (3, 0), (3, 127)), 8)


def test_the_width_of_a_blurred_edge_is_found_within_noise():
    x, _ = grid(300)
    sigma = 60.0
    blurred = 0.05 * x + 50.0 * (1 + special.erf((x - 1503.0) / (np.sqrt(2) * sigma)))
    line = sample_line(blurred, PIXEL, (0, 0), (0, 299))
    fit = step_height(line, 1503.0, exclude_nm=250.0)
    low, high = fit.level(line.distance_nm, -1), fit.level(line.distance_nm, 1)
    width = edge_width(line, low, high, 1500.0)
    assert (width.gaussian_nm, width.position_nm) == pytest.approx((2.5631 * sigma, 1503.0), rel=2e-3)
    assert width.crossing_nm == pytest.approx(2.5631 * sigma, rel=5e-3)
    noisy = line.with_heights(line.height_nm + np.random.default_rng(1).normal(0, 1, 300))
    assert edge_width(noisy, low, high, 1500.0).gaussian_nm == pytest.approx(2.5631 * sigma, rel=0.05)
    edges = find_edges(noisy)
    assert [edge.sense for edge in edges] == [1]
    assert (edges[0].position_nm, edges[0].width_nm) == pytest.approx((1503.0, 2.5631 * sigma), rel=0.1)
