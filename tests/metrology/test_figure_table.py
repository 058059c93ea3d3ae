import numpy as np
import pytest
from metrology_surfaces import PIXEL, correlated, grid

from napari_sem4d.errors import InputError
from napari_sem4d.metrology.evaluate import evaluate, evaluate_profile
from napari_sem4d.metrology.profile import sample_line
from napari_sem4d.metrology.registry import AREAL, PROFILE
from napari_sem4d.metrology.surface import Treatment, polygon_region, prepare_surface


@pytest.fixture(scope="module")
def texture():
    return correlated(150, 150, 20, 0, n=256)


def by_name(table):
    return {figure.name: figure for figure in table}


def test_every_figure_of_the_set_is_computed_and_says_how(texture):
    surface = prepare_surface(texture, PIXEL, Treatment("plane", s_nm=50, l_nm=1500))
    table = evaluate(surface)
    assert [figure.name for figure in table] == list(AREAL)
    for figure in table:
        assert figure.refusal is None and np.isfinite(figure.value), figure
        assert (figure.s_nm, figure.l_nm, figure.levelling) == (50, 1500, "plane")
        assert figure.definition.endswith(".") and "25178-2:2021" in figure.standard
        assert figure.low is None
    named = by_name(table)
    assert named["Sz"].value == pytest.approx(named["Sp"].value + named["Sv"].value)
    assert named["S10z"].value == pytest.approx(named["S5p"].value + named["S5v"].value)


def test_slopes_without_an_s_filter_are_refused_and_the_rest_is_given(texture):
    table = by_name(evaluate(prepare_surface(texture, PIXEL)))
    for name in ("Sdq", "Sdr", "Spc", "Svc"):
        assert np.isnan(table[name].value)
        assert "S filter" in table[name].refusal and "30 nm" in table[name].refusal
    assert table["Sq"].refusal is None


def test_noise_that_would_treble_the_slope_is_filtered_before(texture):
    noisy = correlated(200, 200, 20, 1) + np.random.default_rng(0).normal(0, 3, (1024, 1024))
    figure = evaluate(prepare_surface(noisy, PIXEL, Treatment("plane", s_nm=120)), ["Sdq"])[0]
    assert figure.value == pytest.approx(0.2, rel=0.06)


def test_the_core_of_a_surface_with_two_levels_is_refused():
    x, _ = grid(200)
    surface = 100.0 * (x > 1000) + np.random.default_rng(0).normal(0, 3, x.shape)
    table = by_name(evaluate(prepare_surface(surface, PIXEL, Treatment("mean")), ["Sk", "Smrk1", "Sq"]))
    assert "two separate levels" in table["Sk"].refusal
    assert "two separate levels" in table["Smrk1"].refusal
    assert table["Sq"].value == pytest.approx(50.0, rel=0.01)


def test_wavelengths_outside_the_reliable_band_are_refused(texture):
    band = (100.0, 1500.0)
    for treatment, word in ((Treatment("plane", 50, 1500), "shorter"), (Treatment("plane", 100, None), "longer")):
        figure = evaluate(prepare_surface(texture, PIXEL, treatment, reliable_nm=band), ["Sq"])[0]
        assert word in figure.refusal
    inside = prepare_surface(texture, PIXEL, Treatment("plane", 100, 1500), reliable_nm=band)
    assert evaluate(inside, ["Sq"])[0].refusal is None


def test_a_relative_height_gives_no_nanometres_and_no_interval(texture):
    draws = texture + np.random.default_rng(0).normal(0, 1, (8, *texture.shape))
    surface = prepare_surface(texture, PIXEL, draws=draws, relative=True)
    refused = by_name(evaluate(surface, ["Sq", "Ssk", "Sal"]))
    assert "relative" in refused["Sq"].refusal and np.isnan(refused["Sq"].value)
    assert refused["Ssk"].refusal is None and refused["Ssk"].low is not None
    given = by_name(evaluate(surface, ["Sq"], unscaled=True))["Sq"]
    assert (given.unit, given.low, given.refusal) == ("nm (relative)", None, None)
    assert given.value == pytest.approx(20, rel=0.2)


def test_a_region_is_cut_levelled_and_measured_alone(texture):
    x, y = grid(256)
    surface = texture + 5 * np.maximum(x - 1280, 0)
    region = (x > 300) & (x < 1200) & (y > 500) & (y < 1900) & (x + y > 1000)
    alone = np.where(region, texture, np.nan)
    found = by_name(evaluate(prepare_surface(surface, PIXEL, region=region), ["Sq", "Sz"]))
    truth = by_name(evaluate(prepare_surface(alone, PIXEL), ["Sq", "Sz"]))
    assert found["Sq"].value == pytest.approx(truth["Sq"].value, rel=1e-9)
    assert found["Sz"].value == pytest.approx(truth["Sz"].value, rel=1e-9)
    assert found["Sq"].masked_fraction == 0.0
    assert truth["Sq"].masked_fraction > 0.5


def test_jumps_between_scan_lines_and_a_tilt_leave_no_trace_in_the_figures(texture):
    y, x = np.mgrid[: texture.shape[0], : texture.shape[1]]
    jumps = np.random.default_rng(0).normal(0, 30, (len(texture), 1))
    spoilt = texture + jumps + 0.5 * x - 0.2 * y
    how = Treatment("lines")
    found = by_name(evaluate(prepare_surface(spoilt, PIXEL, how), ["Sq", "Sa"]))
    clean = by_name(evaluate(prepare_surface(texture, PIXEL, how), ["Sq", "Sa"]))
    for name in ("Sq", "Sa"):
        assert found[name].value == pytest.approx(clean[name].value, rel=0.01)
    assert by_name(evaluate(prepare_surface(spoilt, PIXEL), ["Sq"]))["Sq"].value > 1.3 * clean["Sq"].value


def test_noise_power_is_subtracted_from_sq_and_slope(texture):
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 5.0, (17, *texture.shape))
    noisy = texture + noise[0]
    treatment = Treatment("plane", s_nm=40)
    truth = by_name(evaluate(prepare_surface(texture, PIXEL, treatment), ["Sq", "Sa", "Sdq", "Sdr"]))
    surface = prepare_surface(noisy, PIXEL, treatment, draws=noisy + noise[1:])
    for figure in evaluate(surface, ["Sq", "Sa", "Sdq", "Sdr"]):
        true = truth[figure.name].value
        assert figure.low < true < figure.high, figure
        assert figure.bias > 0
        assert abs(figure.value - true) < 0.5 * figure.bias


def test_a_direction_carries_no_interval_across_its_jump_at_180_degrees():
    x, _ = grid(64)
    waves = 10 * np.sin(2 * np.pi * x / 160)
    draws = waves + np.random.default_rng(0).normal(0, 2, (8, *x.shape))
    figure = evaluate(prepare_surface(waves, PIXEL, Treatment("mean"), draws=draws), ["Std"])[0]
    assert min(figure.value, 180 - figure.value) < 1.0
    assert figure.low is None


def test_profile_figures_come_with_intervals_and_section_lengths(texture):
    rng = np.random.default_rng(2)
    noisy = texture + rng.normal(0, 1, texture.shape)
    draws = noisy + rng.normal(0, 1, (16, *texture.shape))
    line = sample_line(noisy, PIXEL, (100, 0), (100, 255), width_px=3, draws=draws)
    table = evaluate_profile(line, s_nm=40, l_nm=500)
    assert [figure.name for figure in table] == list(PROFILE)
    for figure in table:
        assert np.isfinite(figure.value) and figure.low < figure.value < figure.high, figure
    refused = by_name(evaluate_profile(line))
    assert "S filter" in refused["Rdq"].refusal


def test_unknown_names_and_crossed_filters_are_refused(texture):
    with pytest.raises(InputError, match="Unknown figure Sx"):
        evaluate(prepare_surface(texture, PIXEL), ["Sx"])
    with pytest.raises(InputError, match="smaller than the L"):
        Treatment("plane", 500, 100)
    with pytest.raises(InputError, match="polynomial2"):
        Treatment("spline")


def test_the_input_is_never_changed(texture):
    before = texture.copy()
    evaluate(prepare_surface(texture, PIXEL, Treatment("plane", 50, 1000)))
    assert np.array_equal(before, texture)


def test_a_polygon_marks_the_pixels_inside():
    region = polygon_region((20, 30), [(2, 3), (2, 13), (12, 13), (12, 3)])
    rows, columns = np.nonzero(region)
    assert rows.mean() == pytest.approx(7, abs=0.6) and columns.mean() == pytest.approx(8, abs=0.6)
    assert 90 <= region.sum() <= 121
    assert not region[15:].any() and not region[:, 20:].any()
    with pytest.raises(InputError, match="three or more"):
        polygon_region((20, 30), [(2, 3), (2, 13)])
