import numpy as np
import pytest

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, Specimen, detector_weights, simulate, simulate_plane
from napari_sem4d.physics.monte_carlo.pyramid import extrema_pyramid

CU, SI, AU = material("Cu"), material("Si"), material("Au")
BINS = Binning(6, 8, 8)


def plane_specimen(tilt_deg, azimuth_deg=0.0, pixel=10.0, border=40, scan=6):
    size = scan + 2 * border
    x = (np.arange(size) - size / 2) * pixel
    slope = np.tan(np.radians(tilt_deg))
    # The normal leans towards azimuth_deg, so the surface falls that way; y points up against the rows.
    fall = np.cos(np.radians(azimuth_deg)) * x[None, :] - np.sin(np.radians(azimuth_deg)) * x[:, None]
    height = -slope * fall
    return Specimen(height, pixel, (CU,), np.zeros(height.shape, np.uint8), border)


def test_pyramid_bounds_every_node_within_reach():
    height = np.random.default_rng(0).normal(size=(13, 17))
    low = extrema_pyramid(height, 3, lowest=True)
    high = extrema_pyramid(height, 3, lowest=False)
    for k in range(3):
        r = 2**k
        for i in range(12):
            for j in range(16):
                near = height[max(i - r, 0) : i + 2 + r, max(j - r, 0) : j + 2 + r]
                assert near.min() - 1e-6 < low[k, i, j] <= near.min()
                assert near.max() + 1e-6 > high[k, i, j] >= near.max()


@pytest.mark.slow
@pytest.mark.parametrize(("tilt", "azimuth"), [(0.0, 0.0), (30.0, 0.0), (45.0, 90.0), (60.0, 200.0)])
def test_planes_without_reentry_equal_the_half_space(tilt, azimuth):
    # A tilted plane on a clamped grid is a half-space only if electrons may leave downwards uncaught.
    specimen = plane_specimen(tilt, azimuth)
    field = simulate(specimen, 5.0, 6_000, seed=1, binning=BINS, reentry=False)
    left = (field.tally["escaped"] + field.tally["below"] + field.tally["lost"]).sum()
    n = 36 * 6_000
    plane = simulate_plane(CU, 5.0, n, tilt=np.radians(tilt), seed=2)
    assert left / n == pytest.approx(plane.coefficient, abs=4.0 * np.sqrt(2) * plane.coefficient_error)
    assert field.tally["energy_left"].sum() / n == pytest.approx(plane.energy_left / n, rel=0.012)
    shares, n_down = turned(plane, tilt, azimuth)
    assert field.tally["below"].sum() == pytest.approx(n_down, abs=5 * np.sqrt(n_down + 1) + 0.03 * n_down)
    measured = field.counts.sum(axis=(0, 3))
    sigma = np.sqrt(measured + shares + 1.0)
    # The plane's counts are turned bin by bin, which smears them by the size of its (fine) bins.
    assert np.abs((measured - shares) / np.maximum(sigma, 0.03 * measured)).max() < 4.5


def turned(plane, tilt_deg, azimuth_deg):
    """Counts of a plane in BINS about the optical axis, and those below its horizon."""
    fine = simulate_plane(
        CU, 5.0, plane.electrons, tilt=plane.tilt, seed=3, binning=Binning(96, 144, 8)
    ).counts.sum(axis=2)
    sine = np.sqrt((np.arange(96) + 0.5) / 96)[:, None]
    angle = (np.arange(144) + 0.5) * 2 * np.pi / 144
    u, v, w = sine * np.cos(angle), sine * np.sin(angle), np.sqrt(1 - sine**2) + 0 * angle
    t, a = np.radians(tilt_deg), np.radians(azimuth_deg)
    x, z = u * np.cos(t) + w * np.sin(t), -u * np.sin(t) + w * np.cos(t)
    x, y = x * np.cos(a) - v * np.sin(a), x * np.sin(a) + v * np.cos(a)
    up = z > 0
    p = np.minimum(((1 - z**2) * 6).astype(int), 5)
    q = ((np.arctan2(y, x) % (2 * np.pi)) / (2 * np.pi) * 8).astype(int) % 8
    out = np.zeros((6, 8))
    np.add.at(out, (p[up], q[up]), fine[up])
    return out, fine[~up].sum()


def test_signal_is_brightest_on_the_side_that_the_surface_faces():
    specimen = plane_specimen(35.0, azimuth_deg=90.0, scan=4)
    counts = simulate(specimen, 5.0, 3_000, seed=4, binning=BINS, reentry=False).counts.sum(axis=(0, 1, 3))
    up, down = counts[:4].sum(), counts[4:].sum()
    assert up > 1.5 * down
    left, right = counts[2:6].sum(), counts[:2].sum() + counts[6:].sum()
    assert left == pytest.approx(right, rel=0.05)


def test_stage_tilt_equals_a_tilted_plane_and_lifts_the_top_edge():
    flat = Specimen.around(np.zeros((6, 6)), 10.0, CU, 5.0)
    tilted = simulate(flat, 5.0, 3_000, seed=5, binning=BINS, tilt_deg=40.0)
    plane = simulate_plane(CU, 5.0, 108_000, tilt=np.radians(40.0), seed=6)
    n = 108_000
    left = (tilted.tally["escaped"] + tilted.tally["below"]).sum()
    assert left / n == pytest.approx(plane.coefficient, abs=4 * np.sqrt(2) * plane.coefficient_error)
    counts = tilted.counts.sum(axis=(0, 1, 3))
    # The top edge rises, so the normal leans to the bottom of the image: azimuth 270 degrees.
    assert counts[4:].sum() > 1.6 * counts[:4].sum()


def test_walls_catch_what_leaves_the_floor_of_a_trench():
    height = np.zeros((40, 40))
    height[:, 15:25] = -150.0
    specimen = Specimen.around(height, 10.0, CU, 5.0, surroundings="edge")
    pixels = (np.full(6, 20), np.arange(17, 23))
    caught = simulate(specimen, 5.0, 4_000, seed=7, binning=BINS, pixels=pixels)
    free = simulate(specimen, 5.0, 4_000, seed=7, binning=BINS, pixels=pixels, reentry=False)
    flat = simulate_plane(CU, 5.0, 24_000, seed=7).coefficient
    deep, unscreened = caught.counts.sum() / 24_000, free.counts.sum() / 24_000
    assert deep < 0.75 * flat
    assert deep < 0.9 * unscreened
    assert caught.tally["below"].sum() == 0 < free.tally["below"].sum()


@pytest.mark.parametrize("surroundings", ["wrap", "reflect", "edge"])
def test_surroundings_go_on_as_asked(surroundings):
    height = np.arange(20.0).reshape(4, 5)
    specimen = Specimen.around(height, 100.0, CU, 5.0, surroundings=surroundings)
    b = specimen.border
    assert specimen.scan_shape == (4, 5)
    inner = specimen.height_nm[b:-b, b:-b]
    assert np.array_equal(inner, height)
    beside = {"wrap": 4.0, "reflect": 1.0, "edge": 0.0}[surroundings]
    assert specimen.height_nm[b, b - 1] == beside


def test_columns_far_from_a_border_show_their_own_materials():
    size, pixel = 40, 100.0
    columns = np.zeros((size, size), np.uint8)
    columns[:, size // 2 :] = 1
    specimen = Specimen.around(np.zeros((size, size)), pixel, [SI, AU], 5.0, columns=columns)
    rows = np.full(6, 20)
    left = simulate(specimen, 5.0, 4_000, seed=8, binning=BINS, pixels=(rows, np.arange(3, 9)))
    right = simulate(specimen, 5.0, 4_000, seed=8, binning=BINS, pixels=(rows, np.arange(31, 37)))
    for result, name in ((left, SI), (right, AU)):
        plane = simulate_plane(name, 5.0, 24_000, seed=9)
        error = np.sqrt(2) * plane.coefficient_error
        assert result.counts.sum() / 24_000 == pytest.approx(plane.coefficient, abs=4 * error)


def test_columns_of_one_material_twice_equal_one_material():
    checkers = (np.indices((16, 16)).sum(axis=0) % 2).astype(np.uint8)
    height = np.random.default_rng(1).normal(0.0, 10.0, (16, 16))
    mixed = Specimen.around(height, 10.0, [CU, CU], 5.0, columns=checkers, surroundings="wrap")
    pure = Specimen.around(height, 10.0, CU, 5.0, surroundings="wrap")
    a = simulate(mixed, 5.0, 400, seed=10, binning=BINS)
    b = simulate(pure, 5.0, 400, seed=11, binning=BINS)
    n = 256 * 400
    eta = b.counts.sum() / n
    assert a.counts.sum() / n == pytest.approx(eta, abs=4 * np.sqrt(2 * eta * (1 - eta) / n))
    energies = [r.tally["energy_left"].sum() / r.tally["escaped"].sum() for r in (a, b)]
    assert energies[0] == pytest.approx(energies[1], rel=0.01)


def test_probe_blurs_a_material_edge():
    columns = np.zeros((9, 40), np.uint8)
    columns[:, 20:] = 1
    specimen = Specimen.around(np.zeros((9, 40)), 100.0, [SI, AU], 5.0, columns=columns)
    pixels = (np.full(2, 4), np.array([17, 22]))
    sharp = simulate(specimen, 5.0, 6_000, seed=12, binning=BINS, pixels=pixels).counts.sum(axis=(1, 2, 3))
    wide = simulate(specimen, 5.0, 6_000, seed=12, binning=BINS, pixels=pixels, probe_nm=600.0)
    blurred = wide.counts.sum(axis=(1, 2, 3))
    assert blurred[0] > 1.15 * sharp[0]
    assert blurred[1] < 0.95 * sharp[1]


def test_weights_of_a_full_hemisphere_without_threshold_give_the_mean_energy():
    ring = Segment(name="all", polar_deg=(0, 90), azimuth_deg=(0, 360))
    quarter = Segment(name="A", polar_deg=(15, 45), azimuth_deg=(-45, 45), threshold_kev=1.0)
    bins = Binning(12, 16, 20)
    weights = detector_weights([ring, quarter], bins, 5.0)
    assert weights[0].mean(axis=(0, 1)) == pytest.approx((np.arange(20) + 0.5) / 20)
    share = weights[1, :, :, -1].sum() / (weights[0, :, :, -1].sum()) * (0.975 / 0.775)
    assert share == pytest.approx((np.sin(np.pi / 4) ** 2 - np.sin(np.radians(15)) ** 2) / 4, rel=1e-6)
    assert np.all(weights[1, :, 3:13] == 0)
    assert np.all(weights[1, :, :, :4] == 0)
    specimen = Specimen.around(np.zeros((4, 4)), 20.0, CU, 5.0)
    result = simulate(specimen, 5.0, 2_000, seed=13, binning=bins)
    mean, _ = result.signals(weights)
    assert mean[0].sum() == pytest.approx(result.tally["energy_left"].sum() / 5.0 / 2_000, rel=0.01)


def test_unusable_heights_and_energies_are_refused_in_words():
    with pytest.raises(InputError, match="not finite"):
        Specimen.around(np.array([[0.0, np.nan], [0.0, 0.0]]), 1.0, CU, 5.0)
    with pytest.raises(InputError, match="material map"):
        Specimen.around(np.zeros((3, 3)), 1.0, CU, 5.0, columns=np.ones((3, 3), int))
    with pytest.raises(DomainError, match=r"0\.5 to 60 keV"):
        simulate_plane(CU, 0.1, 10)
