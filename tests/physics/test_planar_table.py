from pathlib import Path

import numpy as np
import pytest

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.physics import planar_table
from napari_sem4d.physics.acceptance import planar_response
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, detector_weights, simulate_plane
from napari_sem4d.physics.planar_fit import TERMS
from napari_sem4d.physics.planar_table import PlanarTable, TabulatedLaw, make_table, read_table, write_tables

CU = material("Cu")


@pytest.fixture
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(planar_table, "_cache_file", lambda key: tmp_path / "Schränke 1" / f"{key}.npz")
    monkeypatch.setattr(planar_table, "_memory", {})
    return tmp_path


def sphere(polar=60, azimuth=120):
    """Directions over the whole sphere with their solid angles."""
    cosine = -1 + 2 * (np.arange(polar) + 0.5) / polar
    angle = 2 * np.pi * (np.arange(azimuth) + 0.5) / azimuth
    p, a = np.meshgrid(np.arccos(cosine), angle, indexing="ij")
    return p.ravel(), a.ravel(), 4 * np.pi / (polar * azimuth)


@pytest.mark.parametrize("name", ["Cu", "Si", "Au", "Fe", "Cu2O"])
@pytest.mark.parametrize("kv", [5.0, 10.0, 20.0])
def test_common_materials_are_shipped(name, kv, no_cache, monkeypatch):
    monkeypatch.setattr(planar_table, "make_table", lambda *a, **k: pytest.fail("made instead of shipped"))
    table = planar_table.planar_table(material(name), kv)
    assert table.electrons >= 50_000
    assert table.rho50_nm == pytest.approx(material(name).rho50_nm(kv), rel=0.2)


@pytest.mark.parametrize("kv", [5.0, 20.0])
@pytest.mark.parametrize("tilt", [0.0, 40.0, 70.0])
def test_law_integrates_to_the_energy_that_leaves_a_plane(kv, tilt):
    polar, azimuth, solid = sphere()
    law = TabulatedLaw(CU, kv)
    total = law.emission(np.radians(tilt), polar, azimuth).sum() * solid
    plane = simulate_plane(CU, kv, 30_000, tilt=np.radians(tilt), seed=21)
    expected = plane.energy_left / plane.electrons / kv
    assert total == pytest.approx(expected, rel=0.025)


@pytest.mark.parametrize("tilt", [0.0, 30.0, 60.0])
def test_segments_see_what_they_see_of_a_plane_simulated_directly(tilt):
    # Directly: electrons counted about the normal, turned to the optical axis, weighed by the acceptance.
    segments = [
        Segment(name=str(i), polar_deg=(15, 65), azimuth_deg=(90 * i - 45, 90 * i + 45), threshold_kev=1.0)
        for i in range(4)
    ]
    law = TabulatedLaw(CU, 5.0, 1.0)
    slope = np.tan(np.radians(tilt))
    # A surface that falls towards +x leans its normal there.
    fitted = [planar_response(law, s, np.array([-slope]), np.array([0.0]))[0] for s in segments]
    assert fitted[1] == pytest.approx(fitted[3], rel=1e-6)
    from napari_sem4d.physics.monte_carlo import Specimen, simulate

    size, pixel = 86, 10.0
    height = np.broadcast_to(-slope * pixel * np.arange(size), (size, size)).copy()
    specimen = Specimen(height, pixel, (CU,), np.zeros((size, size), np.uint8), 40)
    bins = Binning(24, 16, 20)
    result = simulate(specimen, 5.0, 4_000, seed=22, binning=bins, reentry=False)
    mean, error = result.signals(detector_weights(segments, bins, 5.0))
    direct, spread = mean.mean(axis=1), np.sqrt((error**2).sum(axis=1)) / mean.shape[1]
    assert np.abs(fitted - direct).max() < 4 * spread.max() + 0.015 * direct.max()


def test_nothing_leaves_below_the_plane_and_all_is_symmetric_about_the_plane_of_incidence():
    law = TabulatedLaw(CU, 10.0, 0.5)
    polar, azimuth, _ = sphere(30, 60)
    for tilt in (0.0, 0.5, 1.2):
        emission = law.emission(tilt, polar, azimuth)
        outward = np.sin(tilt) * np.sin(polar) * np.cos(azimuth) + np.cos(tilt) * np.cos(polar)
        assert np.all(emission[outward <= 0] == 0)
        assert np.all(emission[outward > 0.02] > 0)
        assert law.emission(tilt, polar, -azimuth) == pytest.approx(emission)
    flat = law.emission(0.0, np.full(5, 0.6), np.linspace(0, 5, 5))
    assert flat == pytest.approx(np.full(5, flat[0]), rel=0.03)


def test_a_threshold_takes_electrons_away_and_near_the_primary_energy_leaves_none():
    at = [float(TabulatedLaw(CU, 10.0, t).emission(0.3, 0.5, 1.0)) for t in (0.0, 2.0, 5.0, 10.0)]
    assert at[0] > at[1] > at[2] > at[3]
    assert at[3] == pytest.approx(0.0, abs=1e-9)


def test_emission_is_smooth_in_the_tilt():
    law = TabulatedLaw(CU, 10.0)
    tilt = np.radians(np.linspace(0.0, 80.0, 801))
    emission = law.emission(tilt, 0.6, 1.0)
    second = np.diff(emission, 2) / np.diff(tilt)[0] ** 2
    assert np.abs(np.diff(second)).max() < 0.02 * np.abs(second).max() + 0.05 * emission.max()


def test_an_unknown_material_is_simulated_once_and_then_read_from_the_cache(no_cache, monkeypatch):
    monkeypatch.setattr(planar_table, "ELECTRONS", 2_000)
    titania = material("TiO2@4.23")
    shares = []
    made = planar_table.planar_table(titania, 3.0, progress=shares.append)
    assert shares[-1] == 1.0
    assert len(list(no_cache.rglob("*.npz"))) == 1
    monkeypatch.setattr(planar_table, "_memory", {})
    monkeypatch.setattr(planar_table, "make_table", lambda *a, **k: pytest.fail("made twice"))
    again = planar_table.planar_table(titania, 3.0)
    assert np.array_equal(again.coefficients, made.coefficients)
    assert again.eta0 == made.eta0
    denser = planar_table.planar_table(material("TiO2@8.46"), 3.0)
    assert denser.rho50_nm == pytest.approx(made.rho50_nm / 2)


def test_damaged_foreign_and_outdated_tables_are_passed_over(tmp_path, monkeypatch):
    table = PlanarTable(np.zeros((TERMS, planar_table.ENERGY_BINS), np.float32), 5.0, 0.3, 0.7, 20.0, 10)
    file = tmp_path / "a b.npz"
    write_tables(file, {"k": (table, 8.96)})
    assert read_table(file, "k") is not None
    assert read_table(file, "other") is None
    assert read_table(tmp_path / "absent.npz", "k") is None
    monkeypatch.setattr(planar_table, "VERSION", planar_table.VERSION + 1)
    assert read_table(file, "k") is None
    monkeypatch.undo()
    file.write_bytes(file.read_bytes()[:200])
    assert read_table(file, "k") is None
    np.savez(tmp_path / "pickled.npz", about=np.array({"version": 1}, dtype=object))
    assert read_table(tmp_path / "pickled.npz", "k") is None


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kv"), [("C", 5.0), ("Au", 10.0)])
def test_fit_describes_planes_that_it_has_not_seen_to_counting_noise(name, kv):
    from napari_sem4d.physics.planar_fit import bin_means

    table = make_table(material(name), kv, 60_000, seed=5)
    for degrees in (4.0, 20.0, 45.0, 60.0, 72.0, 80.0):
        n = 60_000
        plane = simulate_plane(
            material(name), kv, n, tilt=np.radians(degrees), seed=77, binning=Binning(16, 24, 8)
        )
        folded = (plane.counts[:, :12] + plane.counts[:, :11:-1]).sum(axis=2).ravel()
        expected = bin_means(np.radians(degrees), 16, 24) @ table.coefficients.astype(float).sum(axis=1)
        expected *= n * 2 / (16 * 24)
        chi_square = ((folded - expected) ** 2 / np.maximum(expected, 5.0)).mean()
        assert chi_square < 1.35, f"{degrees} degrees"
        assert expected.sum() == pytest.approx(plane.coefficient * n, rel=0.02)


def test_shipped_files_are_small():
    files = sorted((Path(planar_table.__file__).parent / planar_table.SHIPPED).glob("*.npz"))
    assert len(files) >= 5
    assert all(f.stat().st_size < 100_000 for f in files)
