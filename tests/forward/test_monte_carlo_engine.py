"""What only the Monte Carlo engine does: errors, chosen pixels, parts on disk, bins that fit the segments."""

import threading

import numpy as np
import pytest
import torch

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.acquisition.presets import load_preset, preset_names
from napari_sem4d.errors import Cancelled, SettingsError
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.monte_carlo import MonteCarloEngine, binning_for
from napari_sem4d.forward.registry import make_simulator
from napari_sem4d.physics.acceptance import planar_response
from napari_sem4d.physics.local_law import law_for
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo.scoring import direction_weights
from napari_sem4d.settings import Settings

SEGMENTS = tuple(
    Segment(name=f"S{i}", polar_deg=(20, 50), azimuth_deg=(90 * i - 45, 90 * i + 45), gain=1000.0, offset=5.0)
    for i in range(4)
)


def engine(electrons, seed=0, **options):
    instrument = Instrument(beam=Beam(energy_kev=2.0), detector=Detector(segments=SEGMENTS))
    setup = ForwardSetup(instrument, material("Cu"), 10.0)
    return MonteCarloEngine(setup, torch.float64, electrons=electrons, seed=seed, **options)


def relief(shape=(24, 24)):
    rng = np.random.default_rng(4)
    y, x = np.indices(shape)
    return 15.0 * np.sin(x / 5.0) * np.cos(y / 7.0) + rng.normal(size=shape)


def test_the_standard_errors_are_the_scatter_between_seeds():
    height = torch.as_tensor(relief())
    one, error_one = engine(150, 1).signals_with_errors(height, torch.ones_like(height))
    two, error_two = engine(150, 2).signals_with_errors(height, torch.ones_like(height))
    expected = (error_one**2 + error_two**2).mean((1, 2))
    assert ((one - two) ** 2).mean((1, 2)) / expected == pytest.approx(torch.ones(4), abs=0.25)


def test_chosen_pixels_show_what_they_show_among_all():
    height = relief()
    ones = np.ones_like(height)
    rows, columns = np.array([3, 17, 22]), np.array([8, 0, 21])
    all_of_them = engine(50).at_pixels(height, ones)[0].reshape(4, *height.shape)
    chosen = engine(50).at_pixels(height, ones, (rows, columns))[0]
    # The electrons are the same; the order in which a product adds them up depends on processor and size.
    np.testing.assert_allclose(chosen, all_of_them[:, rows, columns], rtol=1e-12)


def test_a_flat_agrees_with_the_tabulated_local_law():
    height = torch.zeros(24, 24, dtype=torch.float64)
    ours = engine(300)
    signals, errors = ours.signals_with_errors(height, torch.ones_like(height))
    law = make_simulator("local", ours.setup, torch.float64).expected_signals(height, torch.ones_like(height))
    n = height.numel()
    error = (errors**2).sum((1, 2)).sqrt() / n
    assert torch.all((signals.mean((1, 2)) - law.mean((1, 2))).abs() < 4 * error + 0.005 * law.mean())


def test_a_cancelled_simulation_goes_on_from_its_parts(tmp_path):
    height = relief()
    ones = np.ones_like(height)
    stop = threading.Event()
    halted = engine(1000, cancel=stop)
    with pytest.raises(Cancelled):
        for _ in halted.blocks(height, ones, checkpoint=tmp_path):
            stop.set()
    kept = sorted(tmp_path.glob("part-*.npz"))
    before = kept[0].stat().st_mtime_ns
    whole = np.concatenate([b.signals for b in engine(1000).blocks(height, ones, checkpoint=tmp_path)], axis=1)
    assert kept[0].stat().st_mtime_ns == before
    assert np.array_equal(whole, engine(1000).at_pixels(height, ones)[0])


def test_progress_runs_to_one():
    shares = []
    engine(1000, progress=shares.append).at_pixels(relief(), np.ones((24, 24)))
    assert len(shares) > 1
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("name", preset_names())
def test_the_bins_of_a_shipped_detector_represent_its_segments(name):
    segments = load_preset(name, 6.0).segments
    bins = binning_for(segments)
    law = law_for(material("Cu"), 10.0)
    fine = 8
    sin2 = (np.arange(bins.polar * fine) + 0.5) / (bins.polar * fine)
    polar = np.arcsin(np.sqrt(sin2))
    azimuth = 2 * np.pi * (np.arange(bins.azimuth * fine) + 0.5) / (bins.azimuth * fine)
    # d(solid angle) = d(sin^2) d(azimuth) / (2 cos)
    per_sample = 2 * np.pi / (sin2.size * azimuth.size) / (2 * np.cos(polar))[:, None]
    for slope, downhill in ((0.0, 0.0), (0.6, 0.3), (1.5, 4.0)):
        emission = law.emission(np.arctan(slope), polar[:, None], azimuth[None, :] - downhill) * per_sample
        counted = emission.reshape(bins.polar, fine, bins.azimuth, fine).sum((1, 3))
        p, q = np.array([-slope * np.cos(downhill)]), np.array([-slope * np.sin(downhill)])
        for segment in segments:
            flat = planar_response(law, segment, np.zeros(1), np.zeros(1))[0]
            exact = planar_response(law, segment, p, q)[0]
            assert abs((counted * direction_weights(bins, segment)).sum() - exact) < 1e-3 * flat


def test_the_solver_refuses_an_engine_without_a_derivative():
    with pytest.raises(ValueError, match="has no derivative"):
        Settings(engine="monte_carlo")


def test_an_engine_without_energy_asks_for_it():
    instrument = Instrument(detector=Detector(segments=SEGMENTS))
    with pytest.raises(SettingsError, match=r"set beam\.energy_kev"):
        MonteCarloEngine(ForwardSetup(instrument, material("Cu"), 10.0))
