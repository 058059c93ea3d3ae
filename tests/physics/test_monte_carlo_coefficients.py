import numpy as np
import pytest
from physics_reference import JOY, MEAN_ENERGY, TILT_CU_20

from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, simulate_plane

_TOLERANCE = {"Cu": (2, 0.04), "Si": (5, 0.05), "Au": (5, 0.05)}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Si", "Cu", "Au"])
def test_backscatter_coefficient_agrees_with_the_median_of_published_measurements(name):
    from_kv, tolerance = _TOLERANCE[name]
    for kv, (median, _, _) in JOY[name].items():
        if kv >= from_kv:
            result = simulate_plane(material(name), float(kv), 150_000, seed=11)
            assert result.coefficient == pytest.approx(median, rel=tolerance), f"{name} at {kv} kV"


@pytest.mark.slow
def test_backscatter_coefficient_of_carbon_lies_in_the_published_range():
    for kv, (_, lowest, highest) in JOY["C"].items():
        if kv >= 5:
            eta = simulate_plane(material("C"), float(kv), 600_000, seed=12).coefficient
            assert 0.95 * lowest <= eta <= 1.05 * highest, f"C at {kv} kV: {eta:.4f}"


@pytest.mark.slow
def test_coefficient_rises_with_tilt_as_in_an_independent_simulation_and_near_the_tilt_law():
    eta_0 = None
    for degrees, expected in TILT_CU_20.items():
        eta = simulate_plane(material("Cu"), 20.0, 60_000, tilt=np.radians(degrees), seed=13).coefficient
        eta_0 = eta_0 or eta
        law = 0.89 * (eta_0 / 0.89) ** np.cos(np.radians(degrees))
        assert eta == pytest.approx(expected, rel=0.03)
        assert eta == pytest.approx(law, rel=0.09)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MEAN_ENERGY))
def test_mean_energy_of_backscattered_electrons(name):
    result = simulate_plane(material(name), 15.0, 60_000, seed=14)
    assert result.mean_energy_fraction == pytest.approx(MEAN_ENERGY[name], abs=0.015)


def test_exit_directions_at_normal_incidence_are_close_to_lambert_and_fall_short_at_grazing():
    result = simulate_plane(material("Cu"), 10.0, 60_000, seed=15, binning=Binning(12, 8, 8))
    by_polar = result.counts.sum(axis=(1, 2))
    lambert = by_polar.sum() / 12
    # Lambert's law fills bins uniform in sin^2 equally; its mean cosine is 2/3.
    assert by_polar[:8] == pytest.approx(np.full(8, lambert), rel=0.12)
    assert 0.55 < by_polar[11] / lambert < 0.85
    edges = np.sqrt(1.0 - np.linspace(0.0, 1.0, 13))
    mean_cosine = (by_polar * 0.5 * (edges[1:] + edges[:-1])).sum() / by_polar.sum()
    assert mean_cosine == pytest.approx(0.68, abs=0.01)
    by_azimuth = result.counts.sum(axis=(0, 2))
    chi_square = ((by_azimuth - by_azimuth.mean()) ** 2 / by_azimuth.mean()).sum()
    assert chi_square < 24.3  # 99.9 % of 7 degrees of freedom


def test_a_forward_lobe_appears_only_at_steep_tilt():
    def forward_share(degrees):
        result = simulate_plane(
            material("Cu"), 10.0, 30_000, tilt=np.radians(degrees), seed=16, binning=Binning(6, 4, 8)
        )
        by_azimuth = np.roll(result.counts, 1, axis=1).sum(axis=(0, 2)).astype(float)
        return (by_azimuth[0] + by_azimuth[1]) / by_azimuth.sum()

    assert forward_share(0.0) == pytest.approx(0.5, abs=0.015)
    assert forward_share(30.0) < 0.57
    assert forward_share(75.0) > 0.66


def test_cuprous_oxide_lies_between_its_elements_and_near_its_published_yield():
    oxide = simulate_plane(material("Cu2O"), 10.0, 40_000, seed=17).coefficient
    copper = simulate_plane(material("Cu"), 10.0, 40_000, seed=17).coefficient
    assert oxide == pytest.approx(0.295, abs=0.012)
    assert oxide < copper


def test_median_exit_radius_scales_with_the_range():
    shares = [
        simulate_plane(material("Cu"), kv, 30_000, seed=18).rho50_nm / material("Cu").range_nm(kv)
        for kv in (5.0, 15.0)
    ]
    assert shares[0] == pytest.approx(0.15, rel=0.05)
    assert shares[1] == pytest.approx(0.15, rel=0.05)
