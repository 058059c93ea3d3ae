from threading import Event

import numpy as np
import pytest

from napari_sem4d.errors import Cancelled, DomainError, StoreError
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import (
    Binning,
    Specimen,
    estimate_memory,
    simulate,
    simulate_plane,
    tables,
)

CU = material("Cu")
BINS = Binning(4, 8, 8)


def rough(shape=(12, 10), pixel=12.0, seed=0, sigma=15.0):
    return Specimen.around(np.random.default_rng(seed).normal(0.0, sigma, shape), pixel, CU, 5.0)


def test_difference_of_two_runs_has_the_counting_variance():
    specimen = Specimen.around(np.zeros((40, 40)), 12.0, CU, 5.0)
    a = simulate(specimen, 5.0, 60, seed=1, binning=BINS)
    b = simulate(specimen, 5.0, 60, seed=2, binning=BINS)
    difference = a.counts.sum(axis=(2, 3)).astype(float) - b.counts.sum(axis=(2, 3))
    measured = 0.5 * difference.var(axis=0, ddof=0).sum()
    p = a.counts.sum(axis=(2, 3)).mean(axis=0) / 60
    counting = (60 * p * (1 - p)).sum()
    # 1,600 pixels x 4 channels: the variance itself is known to 1.8 %.
    assert measured == pytest.approx(counting, rel=0.05)


def test_neighbouring_pixels_are_independent():
    specimen = Specimen.around(np.zeros((40, 40)), 12.0, CU, 5.0)
    image = simulate(specimen, 5.0, 60, seed=3, binning=BINS).counts.sum(axis=(1, 2, 3)).reshape(40, 40)
    noise = image - image.mean()
    correlation = (noise[:, 1:] * noise[:, :-1]).mean() / noise.var()
    assert abs(correlation) < 3.5 / np.sqrt(1560)


def test_same_seed_same_answer_for_any_number_of_threads_and_any_choice_of_pixels():
    specimen = rough()
    one = simulate(specimen, 5.0, 50, seed=5, binning=BINS, threads=1)
    two = simulate(specimen, 5.0, 50, seed=5, binning=BINS, threads=2)
    assert np.array_equal(one.counts, two.counts)
    assert all(np.array_equal(one.tally[k], two.tally[k]) for k in one.tally)
    some = simulate(specimen, 5.0, 50, seed=5, binning=BINS, pixels=(np.array([3, 7]), np.array([4, 9])))
    assert np.array_equal(some.counts, one.counts[[34, 79]])
    other = simulate(specimen, 5.0, 50, seed=6, binning=BINS)
    assert not np.array_equal(one.counts, other.counts)
    planes = [simulate_plane(CU, 5.0, 30_000, seed=5, threads=t) for t in (1, 2)]
    assert np.array_equal(planes[0].counts, planes[1].counts)
    assert planes[0].energy_laid == planes[1].energy_laid


def test_particles_and_energies_add_up():
    specimen = rough(sigma=30.0)
    result = simulate(specimen, 5.0, 80, seed=7, binning=BINS, probe_nm=5.0, tilt_deg=20.0)
    book = result.tally
    ends = sum(book[k] for k in ("escaped", "below", "lost", "stopped", "given_up"))
    assert np.array_equal(ends, np.full(120, 80.0))
    assert np.array_equal(book["escaped"], result.counts.sum(axis=(1, 2, 3)))
    energies = book["energy_left"] + book["energy_laid"] + book["energy_given_up"]
    assert energies == pytest.approx(np.full(120, 80 * 5.0), rel=1e-12)
    centres = (np.arange(8) + 0.5) / 8 * 5.0
    binned = (result.counts.sum(axis=(0, 1, 2)) * centres).sum()
    outside = book["below"].sum() + book["lost"].sum()
    assert binned == pytest.approx(book["energy_left"].sum() - outside * 3.5, rel=0.02)
    plane = simulate_plane(CU, 5.0, 20_000, seed=7)
    assert plane.counts.sum() + plane.stopped + plane.given_up == 20_000
    total = plane.energy_left + plane.energy_laid + plane.energy_given_up
    assert total == pytest.approx(20_000 * 5.0, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kv"), [("C", 10.0), ("Si", 5.0), ("Cu", 5.0), ("Au", 20.0)])
def test_giving_up_deep_electrons_changes_yield_and_energy_by_less_than_half_a_per_cent(name, kv):
    # Common random numbers: the difference is exact to the few electrons that it concerns.
    kept = simulate_plane(material(name), kv, 200_000, seed=8, reach=1e9)
    cut = simulate_plane(material(name), kv, 200_000, seed=8)
    assert kept.given_up == 0
    assert cut.given_up > 0.3 * cut.electrons
    assert cut.coefficient == pytest.approx(kept.coefficient, rel=0.005)
    assert cut.energy_left == pytest.approx(kept.energy_left, rel=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Si", "Cu", "Au"])
def test_the_cut_off_energy_changes_yield_and_energy_by_less_than_half_a_per_cent(name, monkeypatch):
    usual = simulate_plane(material(name), 5.0, 150_000, seed=18)
    monkeypatch.setattr(tables, "cut_off_kev", lambda energy: 0.05)
    followed = simulate_plane(material(name), 5.0, 150_000, seed=18)
    assert usual.coefficient != followed.coefficient
    assert usual.coefficient == pytest.approx(followed.coefficient, rel=0.005)
    assert usual.energy_left == pytest.approx(followed.energy_left, rel=0.001)


def test_giving_up_deep_electrons_does_not_bias_a_rough_surface():
    specimen = rough(sigma=30.0)
    kept = simulate(specimen, 5.0, 150, seed=9, binning=BINS, reach=1e9)
    cut = simulate(specimen, 5.0, 150, seed=9, binning=BINS)
    assert cut.tally["given_up"].sum() > 0.3 * 120 * 150
    assert cut.counts.sum() == pytest.approx(kept.counts.sum(), rel=0.005)


def test_standard_error_of_a_weighted_signal_is_the_spread_of_repeated_runs():
    specimen = Specimen.around(np.zeros((30, 30)), 12.0, CU, 5.0)
    result = simulate(specimen, 5.0, 100, seed=10, binning=BINS)
    weights = np.zeros((1, *BINS.shape))
    weights[0, :, :2, :] = np.linspace(0.0, 1.0, 8)
    mean, error = result.signals(weights)
    assert mean.std() == pytest.approx(np.sqrt((error**2).mean()), rel=0.1)


def test_a_cancelled_run_goes_on_from_its_checkpoint_to_the_same_answer(tmp_path):
    specimen = rough((40, 40))
    whole = simulate(specimen, 5.0, 40, seed=11, binning=BINS)
    file, stop, seen = tmp_path / "Prüfung a.npz", Event(), []

    def progress(share):
        seen.append(share)
        stop.set()

    arguments = {"seed": 11, "binning": BINS, "checkpoint": file, "threads": 1}
    with pytest.raises(Cancelled):
        simulate(specimen, 5.0, 40, cancel=stop, progress=progress, **arguments)
    assert 0.0 < seen[-1] < 1.0
    shares = []
    rest = simulate(specimen, 5.0, 40, progress=shares.append, **arguments)
    assert shares[0] > seen[-1]
    assert shares[-1] == 1.0
    assert np.array_equal(rest.counts, whole.counts)
    assert all(np.array_equal(rest.tally[k], whole.tally[k]) for k in whole.tally)
    with pytest.raises(StoreError, match="other inputs"):
        simulate(specimen, 5.0, 41, **arguments)
    file.write_bytes(b"PK damaged")
    with pytest.raises(StoreError, match="cannot be read"):
        simulate(specimen, 5.0, 40, **arguments)


def test_a_run_that_needs_too_much_memory_is_refused_with_its_size():
    specimen = Specimen.around(np.zeros((64, 64)), 50.0, CU, 5.0)
    needed = estimate_memory(specimen, 5.0, 4096, BINS)
    with pytest.raises(DomainError, match="GB"):
        simulate(specimen, 5.0, 10, binning=BINS, memory_limit=needed - 1)
