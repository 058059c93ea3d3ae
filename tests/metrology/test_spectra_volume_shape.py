import numpy as np
import pytest
from metrology_surfaces import PIXEL, correlated, grid

from napari_sem4d.errors import DomainError
from napari_sem4d.metrology.profile import sample_line
from napari_sem4d.metrology.shape import (
    angle_between,
    circle_radius,
    fit_face,
    line_angle,
    point_distance,
    sphere_radius,
)
from napari_sem4d.metrology.spectrum import power_spectrum_1d, power_spectrum_2d, radial_spectrum, scale_dependence
from napari_sem4d.metrology.volume import section_area, volume


def test_the_spectra_integrate_to_the_variance():
    surface = correlated(200, 200, 20, 1, n=512)
    line = power_spectrum_1d(surface, PIXEL, window="none")
    lines = surface - surface.mean(axis=1, keepdims=True)
    step = line.frequency_per_nm[0]
    assert line.power_nm3.sum() * step == pytest.approx(np.mean(lines**2), rel=1e-9)
    assert line.band_rms(20, 1e9) == pytest.approx(lines.std(), rel=1e-9)
    assert line.band_rms(20, 400) < 0.5 * lines.std()
    area = power_spectrum_2d(surface, PIXEL, window="none")
    assert area.power_nm4.sum() * step**2 == pytest.approx(400.0, rel=1e-9)


def test_the_spectra_of_a_gaussian_texture_are_gaussian():
    surface = correlated(200, 200, 20, 2)
    f = power_spectrum_1d(surface, PIXEL)
    theory = 2 * 400 * 200 * np.sqrt(np.pi) * np.exp(-((np.pi * f.frequency_per_nm * 200) ** 2))
    band = (f.wavelength_nm > 250) & (f.wavelength_nm < 2000)
    assert np.mean(f.power_nm3[band] / theory[band]) == pytest.approx(1.0, abs=0.1)
    radial = radial_spectrum(power_spectrum_2d(surface, PIXEL))
    theory = 400 * np.pi * 200**2 * np.exp(-((np.pi * radial.frequency_per_nm * 200) ** 2))
    band = (radial.frequency_per_nm > 1 / 2000) & (radial.frequency_per_nm < 1 / 300)
    assert np.mean(radial.power_nm4[band] / theory[band]) == pytest.approx(1.0, abs=0.1)


def test_a_wave_stands_at_its_wavelength_and_along_its_axis():
    _, y = grid(256)
    surface = 10 * np.sin(2 * np.pi * y / 160)
    down = power_spectrum_1d(surface[:, ::2], (PIXEL, 2 * PIXEL), axis="y")
    assert down.wavelength_nm[down.power_nm3.argmax()] == pytest.approx(160)
    assert power_spectrum_1d(surface, PIXEL).band_rms(20, 1e9) < 1e-9
    area = power_spectrum_2d(surface, PIXEL)
    row, column = np.unravel_index(area.power_nm4.argmax(), area.power_nm4.shape)
    assert abs(area.frequency_y_per_nm[row]) == pytest.approx(1 / 160)
    assert area.frequency_x_per_nm[column] == 0.0


def test_a_few_holes_leave_the_spectrum_and_many_are_refused():
    surface = correlated(200, 200, 20, 3, n=256)
    holes = surface.copy()
    holes[100:108, 50:58] = np.nan
    whole, pierced = (power_spectrum_1d(s, PIXEL).band_rms(300, 2000) for s in (surface, holes))
    assert pierced == pytest.approx(whole, rel=0.03)
    holes[:, ::3] = np.nan
    with pytest.raises(DomainError, match="fifth"):
        power_spectrum_1d(holes, PIXEL)
    with pytest.raises(DomainError, match="fifth"):
        power_spectrum_2d(holes, PIXEL)


def test_slope_and_height_over_a_scale_follow_the_structure_function():
    surface = correlated(200, 200, 20, 4)
    found = scale_dependence(surface, PIXEL)
    truth = np.sqrt(2 * 400 * (1 - np.exp(-((found.scale_nm / 200) ** 2))))
    near = found.scale_nm < 400
    assert found.height_nm[near] == pytest.approx(truth[near], rel=0.05)
    assert found.slope[0] == pytest.approx(np.sqrt(2) * 20 / 200, rel=0.03)
    assert found.slope == pytest.approx(found.height_nm / found.scale_nm)


def test_the_volume_of_a_cone_and_its_uncertainty():
    x, y = grid(400)
    r = np.hypot(x - 2000, y - 2000)
    cone = np.maximum(0.0, 300.0 * (1 - r / 1000.0)) - 5.0
    found = volume(cone, PIXEL, -5.0)
    assert found.above_nm3 == pytest.approx(np.pi * 1000**2 * 300 / 3, rel=1e-3)
    assert found.area_above_nm2 == pytest.approx(np.pi * 1000**2, rel=1e-3)
    half = volume(cone[::2], (2 * PIXEL, PIXEL), -5.0, mask=r[::2] < 1200)
    assert half.net_nm3 == pytest.approx(found.net_nm3, rel=2e-3)
    rng = np.random.default_rng(0)
    shifts = rng.normal(0, 2.0, 200)
    drawn = volume(cone, PIXEL, draws=[cone + s for s in shifts])
    assert drawn.net_std_nm3 == pytest.approx(shifts.std(ddof=1) * 4000.0**2, rel=1e-9)
    with pytest.raises(DomainError, match="region"):
        volume(cone * np.nan, PIXEL)


def test_the_section_of_a_triangle_wave_is_cut_at_its_crossings():
    line = sample_line(np.tile([0.0, 10.0, -10.0, 0.0], (2, 1)), 10.0, (0, 0), (0, 3))
    area = section_area(line, base=(0.0, 0.0))
    assert (area.above_nm2, area.below_nm2, area.net_nm2) == pytest.approx((75.0, 75.0, 0.0))
    raised = line.with_heights(line.height_nm + 4 + 0.1 * line.distance_nm)
    assert section_area(raised).net_nm2 == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(DomainError, match="gaps"):
        section_area(line.with_heights(np.array([0.0, np.nan, 1.0, 2.0])))


def test_faces_angles_and_distances():
    x, y_down = grid(100)
    roof = -np.tan(np.radians(22)) * abs(x - 500)
    left, right = fit_face(roof, PIXEL, x < 400), fit_face(roof, PIXEL, x > 600)
    assert (left.polar_deg, right.polar_deg) == pytest.approx((22, 22))
    # The left face rises to the right, so its normal leans to the left.
    assert (left.azimuth_deg, right.azimuth_deg) == pytest.approx((180, 0), abs=1e-6)
    assert angle_between(left, right) == pytest.approx(44.0)
    up = fit_face(-0.1 * y_down, (PIXEL, PIXEL), x > -1)
    assert (up.slope_y, up.azimuth_deg) == pytest.approx((0.1, 270.0))
    far = point_distance(roof, (PIXEL, PIXEL), (50, 10), (10, 50))
    assert (far.lateral_nm, far.azimuth_deg) == pytest.approx((400 * np.sqrt(2), 45.0))
    line = sample_line(roof, PIXEL, (5, 0), (5, 99))
    assert line_angle(line, 0, 450) == pytest.approx(22.0)


def test_radii_of_bumps_and_hollows():
    x, y = grid(100)
    ball = np.sqrt(2000.0**2 - (x - 480) ** 2 - (y - 520) ** 2)
    noise = np.random.default_rng(0).normal(0, 1, x.shape)
    assert sphere_radius(ball, PIXEL, x > -1).radius_nm == pytest.approx(2000.0)
    assert sphere_radius(-ball + noise, PIXEL, x > -1).radius_nm == pytest.approx(-2000.0, rel=2e-3)
    line = sample_line(ball, PIXEL, (52, 0), (52, 99))
    assert circle_radius(line, 0, 1000).radius_nm == pytest.approx(2000.0)
    with pytest.raises(DomainError, match="plane"):
        sphere_radius(0.1 * x, PIXEL, x > -1)
