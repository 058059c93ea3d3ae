"""A small series of four segments, written to TIFF with its description, from the local engine."""

import numpy as np
import tifffile
import torch
import yaml

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.physics.materials import material

PIXEL_NM = 10.0


def island(shape, top_nm):
    """A smooth hill, off the centre."""
    row, col = np.mgrid[: shape[0], : shape[1]]
    away = ((row - 0.4 * shape[0]) / (0.18 * shape[0])) ** 2 + ((col - 0.35 * shape[1]) / (0.18 * shape[1])) ** 2
    return (top_nm * np.exp(-away)).astype(np.float32)


def write_series(folder, frames=3, shape=(48, 64), described=True, seed=0, top_nm=40.0):
    """Write ``0000_A.tif`` ... and, where ``described``, an ``acquisition.yaml``; a hill that grows."""
    torch.set_num_threads(1)  # tiny images: more threads only wait for one another
    names = "ABCD"
    segments = tuple(
        Segment(name=n, polar_deg=(20, 50), azimuth_deg=(90 * i, 90 * i + 90), gain=40000.0)
        for i, n in enumerate(names)
    )
    instrument = Instrument(
        beam=Beam(energy_kev=10), detector=Detector(name="BSE", working_distance_mm=5, segments=segments)
    )
    engine = make_engine("local", ForwardSetup(instrument, material("Cu"), PIXEL_NM))
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(frames):
        height = torch.as_tensor(island(shape, top_nm * (1 + 0.5 * frame)))
        with torch.no_grad():
            signal = engine.expected_signals(height, torch.ones_like(height)).numpy()
        noisy = rng.normal(signal, np.sqrt(np.maximum(signal, 1)))
        for name, image in zip(names, noisy, strict=True):
            tifffile.imwrite(folder / f"{frame:04d}_{name}.tif", np.clip(image, 0, 65535).astype(np.uint16))
    if described:
        description = {
            "beam": {"energy_kev": 10},
            "material": "Cu",
            "pixel_nm": PIXEL_NM,
            "time": {"start_s": 0, "step_s": 4},
            "detector": Detector.model_validate(instrument.detector).model_dump(mode="json"),
            "files": "{time:04d}_{segment}.tif",
        }
        text = yaml.safe_dump(description, sort_keys=False)
        (folder / "acquisition.yaml").write_text(text, encoding="utf-8")
    return folder
