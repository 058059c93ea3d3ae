"""A small series on disk, made by the engine itself: four segments, 16-bit TIFF, its acquisition.yaml."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

SIDE = 40
PIXEL_NM = 20.0
SEGMENTS = ("A", "B", "C", "D")
LEVEL = 400_000.0
ACQUISITION = """\
beam: {energy_kev: 10}
material: Cu
pixel_nm: 20
time: {start_s: 0, step_s: 4}
detector:
  working_distance_mm: 8
  segments:
    - {name: A, polar_deg: [15, 45], azimuth_deg: [-45, 45]}
    - {name: B, polar_deg: [15, 45], azimuth_deg: [45, 135]}
    - {name: C, polar_deg: [15, 45], azimuth_deg: [135, 225]}
    - {name: D, polar_deg: [15, 45], azimuth_deg: [225, 315]}
files: "{time:04d}_{segment}.tif"
"""


def truth(frame: int) -> np.ndarray:
    """Height of a bump that grows with time, nm."""
    row, column = np.mgrid[:SIDE, :SIDE]
    bump = np.exp(-((row - 18) ** 2 + (column - 22) ** 2) / (2 * 5.0**2))
    return (30.0 + 4.0 * frame) * bump


def write_series(folder: Path, frames: int, description: str = ACQUISITION) -> Path:
    import torch

    from napari_sem4d.acquisition.description import AcquisitionSettings
    from napari_sem4d.acquisition.instrument import Instrument
    from napari_sem4d.acquisition.yaml_settings import parse_yaml
    from napari_sem4d.forward.engine import ForwardSetup
    from napari_sem4d.forward.registry import make_engine
    from napari_sem4d.physics.materials import material

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "acquisition.yaml").write_text(description, encoding="utf-8")
    known = parse_yaml(ACQUISITION, AcquisitionSettings, "test")
    setup = ForwardSetup(Instrument(beam=known.beam, detector=known.detector), material("Cu"), PIXEL_NM)
    engine = make_engine("local", setup)
    rng = np.random.default_rng(0)
    for frame in range(frames):
        height = torch.as_tensor(truth(frame), dtype=torch.float32)
        signals = engine.expected_signals(height, torch.ones_like(height)).numpy()
        noisy = LEVEL * signals * (1 + 0.02 * rng.normal(size=signals.shape))
        for name, image in zip(SEGMENTS, noisy, strict=True):
            tifffile.imwrite(folder / f"{frame:04d}_{name}.tif", image.clip(0, 65535).astype(np.uint16))
    return folder


@pytest.fixture(scope="session")
def series_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames in a folder whose name has a space and an umlaut."""
    return write_series(tmp_path_factory.mktemp("cli") / "Kupfer größer", 3)


@pytest.fixture
def bare_folder(series_folder: Path, tmp_path: Path) -> Path:
    """The same images without their acquisition.yaml: nothing says pixel, energy, material."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for image in series_folder.glob("*.tif"):
        (folder / image.name).write_bytes(image.read_bytes())
    return folder


@pytest.fixture(scope="session")
def long_series_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen frames: a run that can be interrupted."""
    return write_series(tmp_path_factory.mktemp("cli") / "long", 16)
