import numpy as np
import pytest
from metrology_surfaces import PIXEL, correlated, grid

from napari_sem4d.errors import DomainError
from napari_sem4d.frames import slopes
from napari_sem4d.metrology.areal_feature import significant_peaks
from napari_sem4d.metrology.areal_height import height_parameters
from napari_sem4d.metrology.areal_hybrid import sdq, sdr, squared_gradient
from napari_sem4d.metrology.areal_spatial import autocorrelation, central_lobe, texture_direction
from napari_sem4d.metrology.material_ratio import MaterialRatioCurve


@pytest.fixture(scope="module")
def sine():
    x, _ = grid()
    return 50.0 * np.sin(2 * np.pi * x / 1280.0)


def test_a_sine_has_its_closed_form_heights_slope_and_area(sine):
    heights = height_parameters(sine)
    # Sampling 128 times a period: the mean modulus is off by (pi/128)^2 / 12 of itself.
    assert heights.sa == pytest.approx(100 / np.pi, rel=3e-4)
    assert heights.sq == pytest.approx(50 / np.sqrt(2), rel=1e-12)
    assert (heights.sz, heights.sku, heights.ssk) == pytest.approx((100.0, 1.5, 0.0), abs=1e-9)
    gradient = squared_gradient(sine, PIXEL)
    assert sdq(gradient) == pytest.approx(0.17355, abs=1e-5)
    assert sdr(gradient) == pytest.approx(1.48939, abs=1e-4)


def test_the_central_formula_damps_a_sine_by_its_known_factor(sine):
    step = 2 * np.pi / 128
    inner = squared_gradient(sine, PIXEL, "central")[:, 1:-1]
    exact = squared_gradient(sine, PIXEL)[:, 1:-1]
    assert sdq(inner) / sdq(exact) == pytest.approx(np.sin(step) / step, rel=1e-5)


def test_a_step_has_equal_sa_and_sq_and_least_kurtosis():
    x, _ = grid()
    heights = height_parameters(np.where(x >= 5120, 100.0, 0.0))
    assert (heights.sa, heights.sq, heights.sku) == pytest.approx((50.0, 50.0, 1.0))


def test_a_pyramid_has_its_slope_and_area_away_from_its_edges():
    x, y = grid()
    pyramid = -0.3 * np.maximum(abs(x - 5115), abs(y - 5115))
    gradient = squared_gradient(pyramid, PIXEL)
    # Edges and tip take about 4 x 1024 of 1024^2 pixels; there the slope of the formula is another one.
    assert sdq(gradient) == pytest.approx(0.3, rel=2e-3)
    assert sdr(gradient) == pytest.approx(4.4031, rel=4e-3)
    face = gradient[400:600, 10:300]
    assert (sdq(face), sdr(face)) == pytest.approx((0.3, 100 * (1.09**0.5 - 1)), rel=1e-6)


def test_gaussian_heights_have_their_core_and_volume_parameters():
    curve = MaterialRatioCurve(np.random.default_rng(0).normal(0, 20, (1024, 1024)))
    core = curve.core
    # Scatter of one million independent heights, about 1e-3 of each figure.
    assert core.sk == pytest.approx(51.479, rel=3e-3)
    assert (core.spk, core.svk) == pytest.approx((18.901, 18.901), rel=5e-3)
    assert (core.smrk1, 100 - core.smrk2) == pytest.approx((9.905, 9.905), rel=7e-3)
    assert curve.vmp == pytest.approx(0.94686, rel=5e-3)
    assert curve.vvv == pytest.approx(2.23275, rel=5e-3)
    assert curve.sxp == pytest.approx(1.95996 * 20, rel=3e-3)
    assert not curve.is_bimodal


def test_material_ratio_and_height_are_inverse_and_volumes_of_a_wedge_are_triangles():
    x, _ = grid()
    curve = MaterialRatioCurve(x / x.max() * 100.0)
    assert curve.ratio_at(curve.height_at(30.0)) == pytest.approx(30.0, abs=0.1)
    assert curve.vmp == pytest.approx(0.5, rel=0.02)
    assert curve.vmc == pytest.approx(32.0 - 0.5, rel=0.02)
    assert curve.vvv == pytest.approx(2.0, rel=0.02)
    assert curve.vvc == pytest.approx(40.5 - 2.0, rel=0.02)
    assert curve.core.sk == pytest.approx(100.0, rel=0.01)


def test_two_levels_are_bimodal_and_one_skewed_level_is_not():
    rng = np.random.default_rng(4)
    x, _ = grid(256)
    assert MaterialRatioCurve(np.where(x > 1280, 100.0, 0.0) + rng.normal(0, 2, x.shape)).is_bimodal
    assert not MaterialRatioCurve(rng.exponential(10, x.shape)).is_bimodal
    assert not MaterialRatioCurve(rng.uniform(0, 10, x.shape)).is_bimodal


def test_a_gaussian_autocorrelation_gives_its_slope_length_and_aspect():
    lengths, aspects, gradients = [], [], []
    for seed in range(6):
        surface = correlated(200, 200, 20, seed)
        lobe = central_lobe(autocorrelation(surface, PIXEL))
        lengths += [lobe.nearest_nm, lobe.farthest_nm]
        aspects.append(lobe.nearest_nm / lobe.farthest_nm)
        gradients.append(sdq(squared_gradient(surface, PIXEL)))
    # About 600 correlation areas in one map: one per cent on each length; nearest and farthest straddle it.
    assert np.mean(gradients) == pytest.approx(0.2, rel=8e-3)
    assert np.mean(lengths) == pytest.approx(253.7, rel=0.02)
    assert 0.9 < np.mean(aspects) <= 1.0
    lobe = central_lobe(autocorrelation(correlated(200, 400, 20, 1), PIXEL))
    assert lobe.nearest_nm / lobe.farthest_nm == pytest.approx(0.5, abs=0.04)


def test_oblong_pixels_and_holes_do_not_change_the_texture():
    surface = correlated(200, 400, 20, 2)
    whole = central_lobe(autocorrelation(surface, PIXEL))
    oblong = central_lobe(autocorrelation(surface[::2], (2 * PIXEL, PIXEL)))
    holes = surface.copy()
    holes[np.random.default_rng(0).random(surface.shape) < 0.1] = np.nan
    pierced = central_lobe(autocorrelation(holes, PIXEL))
    for other in (oblong, pierced):
        assert other.nearest_nm == pytest.approx(whole.nearest_nm, rel=0.01)
        assert other.farthest_nm == pytest.approx(whole.farthest_nm, rel=0.01)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0])
def test_the_texture_direction_is_counted_counter_clockwise_on_the_screen(angle):
    x, y_down = grid(512)
    t = np.radians(angle)
    waves = np.sin(2 * np.pi * (x * np.cos(t) - y_down * np.sin(t)) / 300.0)
    difference = (texture_direction(waves, PIXEL) - angle + 90) % 180 - 90
    assert abs(difference) < 1.0


def test_seven_point_and_central_slopes_follow_the_one_slope_function():
    x, y_down = grid(64)
    surface = 0.2 * x - 0.1 * y_down
    dx, dy = slopes(surface, PIXEL)
    assert (dx.mean(), dy.mean()) == pytest.approx((0.2, 0.1))
    assert squared_gradient(surface, PIXEL) == pytest.approx(np.full(x.shape, 0.05))
    assert squared_gradient(surface, (PIXEL, 2 * PIXEL)) == pytest.approx(np.full(x.shape, 0.02))


def bumps(centres, heights, n=200, width=6.0):
    rows, columns = np.mgrid[:n, :n]
    return sum(
        h * np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / (2 * width**2))
        for (r, c), h in zip(centres, heights, strict=True)
    )


def test_peaks_are_counted_once_and_small_ones_are_pruned():
    centres = [(30, 30), (30, 150), (100, 90), (150, 40), (160, 160), (60, 100)]
    heights = [100.0, 90.0, 80.0, 70.0, 60.0, 3.0]
    found = significant_peaks(bumps(centres, heights), 10.0)
    assert sorted(zip(found.row.tolist(), found.column.tolist(), strict=True)) == sorted(centres[:5])
    assert found.density_per_nm2 == pytest.approx(5 / 2000.0**2)
    mean = bumps(centres, heights).mean()
    assert found.five_highest_nm == pytest.approx(80.0 - mean, rel=1e-3)
    # Second derivative of the Gaussian bump at its top, h / width^2 in each direction.
    assert found.curvature_per_nm == pytest.approx(np.array(heights[:5]) / 60.0**2, rel=0.02)
    assert significant_peaks(bumps(centres, heights), 10.0, pruning=0.02).row.size == 6


def test_the_pruned_height_is_that_above_the_highest_saddle():
    ridge = np.array([0, 5, 10, 6, 9, 2, 0], dtype=float)
    surface = np.tile(ridge, (3, 1)) * np.array([[0.5], [1.0], [0.5]])
    # The second summit stands 3 above the pass: 30 per cent of Sz.
    assert significant_peaks(surface, 1.0, pruning=0.31).row.size == 1
    assert significant_peaks(surface, 1.0, pruning=0.29).row.size == 2


def test_a_plateau_is_one_peak():
    surface = np.zeros((40, 40))
    surface[5:20, 5:25] = 10.0
    surface[30:35, 30:35] = 8.0
    assert significant_peaks(surface, 1.0).row.size == 2


def test_figures_that_have_no_meaning_are_refused_with_a_sentence():
    flat = np.zeros((32, 32))
    with pytest.raises(DomainError, match="flat"):
        autocorrelation(flat, 1.0)
    with pytest.raises(DomainError, match="flat"):
        significant_peaks(flat, 1.0)
    with pytest.raises(DomainError, match="no valid height"):
        height_parameters(flat * np.nan)
    x, _ = grid(64)
    with pytest.raises(DomainError, match="stays above"):
        central_lobe(autocorrelation(np.ones((64, 64)) + 1e-3 * (x > -1) + (x < 300), 1.0), level=-2.0)
