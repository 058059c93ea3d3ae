import numpy as np
import pytest

from napari_sem4d.errors import SettingsError
from napari_sem4d.frames import slopes
from napari_sem4d.physics.scenes import make_scene, parameters_of, random_parameters, scene_names


def steepness(scene):
    p, q = slopes(scene.height_nm.astype(float), scene.pixel_nm)
    return np.degrees(np.arctan(np.hypot(p, q)))


def test_every_family_of_the_library_is_there():
    wanted = {
        "sine", "grating", "step", "ridge", "trench", "pyramid", "etched_pit", "islands", "terraces",
        "fractal", "crystals", "sphere", "vickers", "wire", "bumps", "polyhedra", "domes",
    }  # fmt: skip
    assert wanted <= set(scene_names())


@pytest.mark.parametrize("name", scene_names())
def test_scene_scales_with_rho50_and_repeats_with_its_seed(name):
    a = make_scene(name, (48, 64), 5.0, 20.0, seed=3)
    b = make_scene(name, (48, 64), 10.0, 40.0, seed=3)
    assert a.height_nm.shape == (48, 64)
    assert a.height_nm.dtype == np.float32
    assert np.isfinite(a.height_nm).all()
    assert np.ptp(a.height_nm) > 0
    assert b.height_nm == pytest.approx(2 * a.height_nm, rel=1e-5, abs=1e-4)
    assert a.material_index.shape == (48, 64)
    assert np.array_equal(make_scene(name, (48, 64), 5.0, 20.0, seed=3).height_nm, a.height_nm)


@pytest.mark.parametrize("name", scene_names())
def test_random_scenes_are_finite_and_no_steeper_than_a_height_map_can_hold(name):
    rng = np.random.default_rng(5)
    for _ in range(4):
        parameters = random_parameters(name, rng)
        assert set(parameters) == set(parameters_of(name))
        scene = make_scene(name, (40, 40), 4.0, 16.0, seed=1, **parameters)
        assert np.isfinite(scene.height_nm).all()
        if name != "fractal":
            # Waving edges of terraces stand a little steeper than their straight parts.
            assert steepness(scene).max() < (84.0 if name == "terraces" else 76.5)


@pytest.mark.parametrize(
    ("name", "angle"),
    [("pyramid", 45.0), ("ridge", 60.0), ("etched_pit", 54.74), ("step", 70.0), ("vickers", 22.0)],
)
def test_facets_have_the_angle_of_their_name(name, angle):
    steep = steepness(make_scene(name, (96, 96), 4.0, 20.0))
    flanks = steep[steep > 0.9 * angle]
    assert flanks.size > 60
    assert np.median(flanks) == pytest.approx(angle, abs=0.2)


def test_step_rises_towards_its_azimuth_with_y_up():
    towards_top = make_scene("step", (32, 32), 10.0, 20.0, azimuth_deg=90.0).height_nm
    assert towards_top[0].mean() > towards_top[-1].mean()
    to_the_right = make_scene("step", (32, 32), 10.0, 20.0, azimuth_deg=0.0).height_nm
    assert to_the_right[:, -1].mean() > to_the_right[:, 0].mean()
    assert np.ptp(to_the_right) == pytest.approx(6.0 * 20.0, rel=1e-6)


def test_fractal_has_its_slope_its_band_and_is_periodic():
    scene = make_scene("fractal", (128, 128), 5.0, 20.0, seed=2, slope_deg=30.0, shortest=3.0, longest=30.0)
    h = scene.height_nm.astype(float) / 5.0
    p = np.fft.ifft2(2j * np.pi * np.fft.fftfreq(128)[None, :] * np.fft.fft2(h)).real
    q = np.fft.ifft2(2j * np.pi * np.fft.fftfreq(128)[:, None] * np.fft.fft2(h)).real
    assert np.sqrt((p**2 + q**2).mean()) == pytest.approx(np.tan(np.radians(30.0)), rel=1e-3)
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(128, 0.25), np.fft.fftfreq(128, 0.25)))
    power = np.abs(np.fft.fft2(h)) ** 2
    assert power[(k > 1 / 3.0 + 1e-9) | (k < 1 / 30.0 - 1e-9)].sum() < 1e-9 * power.sum()


def test_islands_cover_what_was_asked_and_are_the_second_material():
    scene = make_scene("islands", (160, 160), 6.0, 12.0, seed=4, coverage=0.4, size=6.0)
    assert scene.material_index.mean() == pytest.approx(0.4, abs=0.12)
    assert np.array_equal(scene.material_index > 0, scene.height_nm > 0)


def test_sphere_is_a_sphere_where_it_is_not_steep():
    scene = make_scene("sphere", (101, 101), 5.0, 10.0, diameter=30.0)
    centre = scene.height_nm[50, 50]
    assert centre == pytest.approx(150.0)
    beside = scene.height_nm[50, 60]
    assert beside == pytest.approx(np.sqrt(150.0**2 - 50.0**2), rel=1e-5)


def test_unknown_scenes_and_parameters_are_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match="crystals"):
        make_scene("volcano", (8, 8), 1.0, 1.0)
    with pytest.raises(SettingsError, match="slope_deg"):
        make_scene("pyramid", (8, 8), 1.0, 1.0, steepness=3.0)
    with pytest.raises(SettingsError, match="positive"):
        make_scene("pyramid", (8, 8), 0.0, 1.0)
