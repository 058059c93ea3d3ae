"""A layer of one material on another in the Monte Carlo: Cu2O on Cu, and gold on carbon where it shows most."""

import numpy as np
import pytest

from napari_sem4d.errors import InputError
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, Specimen, simulate
from napari_sem4d.physics.scenes import make_scene

CU, OXIDE, C, AU = (material(name) for name in ("Cu", "Cu2O", "C", "Au"))
BINS = Binning(6, 8, 8)
ELECTRONS = 500


@pytest.fixture(scope="module")
def rough():
    """Facetted islands with slopes of 45 degrees, nm, pixels of 12 nm."""
    return make_scene("islands", (24, 24), 12.0, 22.0, seed=3, size=6.0, slope_deg=45).height_nm.astype(float)


def counts(height, materials, layer_nm=None, *, seed=1, electrons=ELECTRONS):
    thickness = None if layer_nm is None else np.broadcast_to(layer_nm, height.shape)
    specimen = Specimen.around(height, 12.0, materials, 5.0, layer_nm=thickness)
    return simulate(specimen, 5.0, electrons, seed=seed, binning=BINS)


def yield_of(field):
    """Escaped electrons per primary, and the error of that."""
    n = field.electrons * len(field.counts)
    share = field.tally["escaped"].sum() / n
    return share, np.sqrt(share * (1 - share) / n)


def test_a_layer_without_thickness_is_the_substrate_electron_by_electron(rough):
    bare, covered = counts(rough, (CU, OXIDE)), counts(rough, (CU, OXIDE), 0.0)
    assert bare.counts.sum() > 90_000
    assert np.array_equal(bare.counts, covered.counts)


def test_a_layer_of_the_same_material_changes_nothing(rough):
    layered = yield_of(counts(rough, (CU, CU), 30.0, seed=2))
    bare = yield_of(counts(rough, CU))
    assert layered[0] == pytest.approx(bare[0], abs=4 * np.hypot(layered[1], bare[1]))


def test_a_layer_thicker_than_the_range_is_its_material(rough):
    thick, solid = counts(rough, (CU, OXIDE), 400.0, seed=2), counts(rough, OXIDE)
    (one, one_error), (two, two_error) = yield_of(thick), yield_of(solid)
    assert one == pytest.approx(two, abs=4 * np.hypot(one_error, two_error))
    a, b = thick.counts.sum(axis=(0, 3)).astype(float), solid.counts.sum(axis=(0, 3)).astype(float)
    assert np.abs((a - b) / np.sqrt(a + b)).max() < 4.5


def test_the_yield_goes_from_substrate_to_layer_as_it_thickens():
    flat = np.zeros((12, 12))
    found = np.array([yield_of(counts(flat, (C, AU), d, electrons=1500)) for d in (0, 3, 8, 15, 25)])
    yields, errors = found.T
    assert (np.diff(yields) > 5 * errors[1:]).all()
    assert yields[0] < 0.1 < 0.4 < yields[-1]


def test_a_thin_gold_film_backscatters_by_its_areal_mass():
    # Single scattering: at first the yield grows in proportion to the thickness.
    flat = np.zeros((12, 12))
    found = np.array([yield_of(counts(flat, (C, AU), d, electrons=6000)) for d in (0.0, 0.5, 1.0)])
    (first, second), errors = found[1:, 0] - found[0, 0], np.hypot(found[1:, 1], found[0, 1])
    gain = second / first
    error = gain * np.hypot(errors[0] / first, errors[1] / second)
    assert gain == pytest.approx(2.0, abs=4 * error)
    assert error < 0.3


def test_only_what_is_covered_changes():
    flat = np.zeros((40, 40))
    layer = np.zeros(flat.shape)
    layer[:, 20:] = 50.0
    field = counts(flat, (C, AU), layer)
    per_column = field.counts.sum(axis=(1, 2, 3)).reshape(40, 40).mean(axis=0) / ELECTRONS
    gold, carbon = yield_of(counts(flat[:8], (C, AU), 50.0))[0], yield_of(counts(flat[:8], C))[0]
    assert per_column[:6].mean() == pytest.approx(carbon, abs=0.01)
    assert per_column[-6:].mean() == pytest.approx(gold, abs=0.01)


def test_bad_layers_are_refused():
    flat = np.zeros((8, 8))
    with pytest.raises(InputError, match="nowhere below 0 nm"):
        Specimen.around(flat, 12.0, (CU, OXIDE), 5.0, layer_nm=flat - 1.0)
    with pytest.raises(InputError, match="shape"):
        Specimen.around(flat, 12.0, (CU, OXIDE), 5.0, layer_nm=np.zeros((4, 8)))
