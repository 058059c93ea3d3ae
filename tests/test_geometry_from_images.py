"""A reconstruction that finds the detector's azimuth from the images; the result keeps it."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter

from napari_sem4d import api
from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.acquisition.series import DIMS, SemSeries
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.io.store import ResultStore
from napari_sem4d.physics.materials import material
from napari_sem4d.records import Failed, Finished, Notice
from napari_sem4d.run_geometry import ATTRIBUTE
from napari_sem4d.settings import Settings

TURN, SIDE, PIXEL_NM = 4.0, 48, 12.0
SETTINGS = Settings(engine="local", free_geometry=("azimuth",))


def instrument(turn_deg):
    segments = tuple(
        Segment(name=n, polar_deg=(20, 50), azimuth_deg=(90 * i + turn_deg, 90 * i + 90 + turn_deg), gain=1e5)
        for i, n in enumerate("ABCD")
    )
    return Instrument(beam=Beam(energy_kev=10), detector=Detector(segments=segments))


def series(slope=0.4, seed=0):
    """Images by a detector that is turned by 4 degrees against what the series says."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    height = gaussian_filter(rng.normal(size=(SIDE + 40, SIDE + 40)), 6.0)[20:-20, 20:-20]
    p, q = np.gradient(height, PIXEL_NM)
    height *= slope / np.sqrt(np.mean(p**2 + q**2))
    engine = make_engine("local", ForwardSetup(instrument(TURN), material("Cu"), PIXEL_NM))
    surface = torch.as_tensor(height, dtype=torch.float32)
    images = engine.expected_signals(surface, torch.ones_like(surface)).numpy()
    images = images + 0.05 * images.mean() * rng.normal(size=images.shape)
    array = xr.DataArray(images[None], dims=DIMS, coords={"time": [0.0], "segment": list("ABCD")})
    return SemSeries(array, instrument(0.0), pixel_nm=PIXEL_NM, material="Cu")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    out = tmp_path_factory.mktemp("geometry") / "r.zarr"
    return out, list(api.reconstruct_steps(series(), out, SETTINGS))


def test_the_rotation_is_found_told_and_kept(result):
    out, records = result
    assert isinstance(records[-1], Finished)
    kept = json.loads(api.open_result(out).attrs[ATTRIBUTE])
    assert kept["names"] == ["rotation"]
    (value,), (std,) = kept["values"], kept["standard_uncertainties"]
    assert abs(value - TURN) < 3 * std
    assert std < 0.8
    assert kept["correlation"] == [[1.0]]
    assert [s["azimuth_deg"][0] for s in kept["segments"]] == pytest.approx(value + 90 * np.arange(4))
    assert any(isinstance(r, Notice) and "rotation" in r.message and "+-" in r.message for r in records)


def test_a_resumed_run_takes_the_geometry_that_was_found(result):
    out, _ = result
    before = api.open_result(out)["height"].values
    ResultStore(out)._arrays["frame_state"][0] = 0
    kept = api.open_result(out).attrs[ATTRIBUTE]
    *_, last = api.reconstruct_steps(series(), out, SETTINGS, resume=True)
    assert isinstance(last, Finished)
    assert api.open_result(out).attrs[ATTRIBUTE] == kept
    # The solver starts elsewhere than in the first run; without the rotation the heights would be off by 1 nm.
    assert np.std(api.open_result(out)["height"].values - before) < 0.1


def test_images_that_do_not_determine_it_are_refused_with_a_sentence(tmp_path):
    *_, last = api.reconstruct_steps(series(slope=0.003), tmp_path / "flat.zarr", SETTINGS)
    assert isinstance(last, Failed)
    assert "do not determine 'rotation'" in last.message
    assert "free_geometry" in last.message
