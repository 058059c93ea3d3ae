"""A result keeps the terms of its uncertainty apart, and says what its images cannot show."""

import json

import numpy as np
import pytest
import tifffile
import torch

from napari_sem4d import api
from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.physics.materials import material
from napari_sem4d.settings import Settings

SHAPE = (40, 48)
PIXEL_NM = 10.0


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """One frame of a bump, reconstructed by the engine local with draws."""
    folder = tmp_path_factory.mktemp("series")
    names = "ABCD"
    segments = tuple(
        Segment(name=n, polar_deg=(20, 45), azimuth_deg=(90 * i, 90 * i + 90), gain=1e6, offset=500.0)
        for i, n in enumerate(names)
    )
    instrument = Instrument(beam=Beam(energy_kev=10.0), detector=Detector(segments=segments))
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    height = torch.as_tensor(60.0 * np.exp(-((x - 20) ** 2 + (y - 18) ** 2) / 60.0), dtype=torch.float32)
    engine = make_engine("local", ForwardSetup(instrument, material("Cu"), PIXEL_NM))
    signals = engine.expected_signals(height, torch.ones_like(height)).numpy()
    noisy = signals + np.random.default_rng(1).normal(size=signals.shape) * 0.03 * signals.mean()
    for name, image in zip(names, noisy, strict=True):
        tifffile.imwrite(folder / f"0000_{name}.tif", np.round(image).astype(np.uint16))
    known = {
        "beam": {"energy_kev": 10.0},
        "material": "Cu",
        "pixel_nm": PIXEL_NM,
        "detector": {"segments": [s.model_dump(mode="json") for s in segments]},
        "files": "{time:04d}_{segment}.tif",
    }
    (folder / "acquisition.yaml").write_text(json.dumps(known), encoding="utf-8")
    settings = Settings.model_validate({"engine": "local", "inversion": {"draws": 16}})
    path = api.reconstruct(api.open_series(folder, settings), folder / "r.zarr", settings)
    return api.open_result(path)


def test_noise_and_model_add_in_quadrature(result):
    noise, model, total = (
        result[name].values[0] for name in ("height_std_noise", "height_std_model", "height_std")
    )
    assert noise.min() > 0
    assert model.mean() > 0
    np.testing.assert_allclose(np.hypot(noise, model), total, rtol=1e-4)


def test_draws_spread_by_noise_and_model_together(result):
    spread = result["draws"].values[0].std(axis=0)
    both = result["height_std"].values[0]
    ratio = float(np.sqrt(np.mean(spread**2) / np.mean(both**2)))
    assert ratio == pytest.approx(1.0, abs=0.4)
    assert np.mean(spread**2) > 1.5 * np.mean(result["height_std_noise"].values[0] ** 2)


def test_the_misfit_is_held_against_noise_and_against_noise_with_the_engines_error(result):
    assert 0 < result["misfit_explained"].values[0] < result["misfit"].values[0]


def test_the_length_that_leaves_no_contrast_is_told(result):
    length = result.attrs["resolution_nm"]
    assert length == pytest.approx(0.3 * material("Cu").range_nm(10.0))
    assert any(f"{length:.3g} nm" in warning for warning in json.loads(result.attrs["warnings"]))
