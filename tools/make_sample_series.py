"""Make the sample series: growing islands on copper, and a Vickers imprint to calibrate on.

Regenerate with ``python tools/make_sample_series.py`` (seconds; the seed is fixed). Images are simulated with the
local engine, counting noise and amplifier noise, and stored as a microscope would store them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import tifffile
import torch
import yaml
from scipy.ndimage import gaussian_filter

from napari_sem4d import api
from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.acquisition.presets import load_preset
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.physics.materials import material

PLACE = Path(__file__).resolve().parent.parent / "src" / "napari_sem4d" / "sample_data"
SEED = 20261122
FRAMES, SIZE, PIXEL_NM, STEP_S = 8, 128, 12.0, 30.0
ENERGY_KEV, WORKING_DISTANCE_MM, ELECTRONS = 10.0, 6.0, 20000
AMPLIFIER = 0.02  # noise of the amplifier, share of the mean signal
# What the microscope does to each segment, unknown to the user until the calibration: gain and brightness.
GAINS = (1.00, 0.93, 1.08, 1.02)
BRIGHTNESS = (900.0, 1100.0, 1000.0, 950.0)
LEVEL = 9000.0  # mean grey level of a flat, above the brightness


def growing_islands(rng: np.random.Generator) -> np.ndarray:
    """Heights in nm, (FRAMES, SIZE, SIZE): facetted islands that nucleate, grow and meet on a rolling ground."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] * PIXEL_NM
    ground = 4.0 * gaussian_filter(rng.normal(size=(SIZE, SIZE)), 12) * 12
    extent = SIZE * PIXEL_NM
    seeds = []
    while len(seeds) < 11:  # the corner at the top left stays bare: a static region
        cx, cy = rng.uniform(0.05, 0.95, 2) * extent
        if cx > 0.3 * extent or cy > 0.3 * extent:
            seeds.append((cx, cy, rng.uniform(0, np.pi / 2), rng.uniform(0, 0.45), rng.uniform(0.7, 1.3)))
    heights = []
    for frame in range(FRAMES):
        time = frame / (FRAMES - 1)
        surface = ground.copy()
        for cx, cy, turn, birth, speed in seeds:
            radius = 260.0 * speed * max(0.0, time - birth)
            if radius <= 0:
                continue
            u = np.abs((x - cx) * np.cos(turn) + (y - cy) * np.sin(turn))
            v = np.abs((y - cy) * np.cos(turn) - (x - cx) * np.sin(turn))
            roof = np.tan(np.radians(38.0)) * (radius - np.maximum(u, v))
            surface = np.maximum(surface, ground + np.minimum(roof, 0.45 * radius))
        heights.append(gaussian_filter(surface, 0.8))
    return np.array(heights)


def vickers_imprint() -> np.ndarray:
    """A Vickers pit, nm, (SIZE, SIZE): four faces of 22 degrees, turned by 20 degrees."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] * PIXEL_NM
    centre = 0.5 * (SIZE - 1) * PIXEL_NM
    turn = np.radians(20.0)
    u = np.abs((x - centre) * np.cos(turn) + (y - centre) * np.sin(turn))
    v = np.abs((y - centre) * np.cos(turn) - (x - centre) * np.sin(turn))
    return np.minimum(0.0, np.tan(np.radians(22.0)) * (np.maximum(u, v) - 0.24 * SIZE * PIXEL_NM))


def record(height: np.ndarray, instrument: Instrument, rng: np.random.Generator) -> np.ndarray:
    """Images (K, Y, X) as uint16: counting noise, amplifier, gain, brightness, digitiser."""
    engine = make_engine("local", ForwardSetup(instrument, material("Cu"), PIXEL_NM), dtype=torch.float64)
    surface = torch.as_tensor(height)
    fraction = engine.expected_signals(surface, torch.ones_like(surface)).numpy()
    counted = rng.poisson(fraction * ELECTRONS) / ELECTRONS
    counted += rng.normal(size=counted.shape) * AMPLIFIER * fraction.mean()
    flat = engine.expected_signals(torch.zeros_like(surface), torch.ones_like(surface)).mean().item()
    grey = [b + g * LEVEL * s / flat for g, b, s in zip(GAINS, BRIGHTNESS, counted, strict=True)]
    return np.clip(np.round(grey), 0, 65535).astype(np.uint16)


def describe(folder: Path, detector: Detector, frames: int) -> None:
    """Write acquisition.yaml: what the user of a microscope knows."""
    known = {
        "beam": {"energy_kev": ENERGY_KEV, "probe_nm": 2.0, "current_na": 0.5},
        "material": "Cu",
        "pixel_nm": PIXEL_NM,
        "detector": {
            "name": detector.name,
            "working_distance_mm": WORKING_DISTANCE_MM,
            "segments": [
                s.model_dump(mode="json", include={"name", "polar_deg", "azimuth_deg", "threshold_kev"})
                for s in detector.segments
            ],
        },
        "files": "{time:04d}_{segment}.tif",
    }
    if frames > 1:
        known["time"] = {"start_s": 0.0, "step_s": STEP_S}
    (folder / "acquisition.yaml").write_text(yaml.safe_dump(known, sort_keys=False), encoding="utf-8")


def write(folder: Path, frames: list[np.ndarray], detector: Detector) -> None:
    """Write frames as single TIFFs."""
    folder.mkdir(parents=True)
    for t, images in enumerate(frames):
        for segment, image in zip(detector.segments, images, strict=True):
            tifffile.imwrite(folder / f"{t:04d}_{segment.name}.tif", image, compression="zlib", predictor=True)
    describe(folder, detector, len(frames))


def main() -> None:
    """Write everything anew."""
    rng = np.random.default_rng(SEED)
    detector = load_preset("annular-4-quadrant", WORKING_DISTANCE_MM)
    plain = tuple(Segment.model_validate(s.model_dump() | {"gain": 1.0, "offset": 0.0}) for s in detector.segments)
    instrument = Instrument(
        beam=Beam(energy_kev=ENERGY_KEV), detector=detector.model_copy(update={"segments": plain})
    )
    for name in ("islands", "vickers"):
        shutil.rmtree(PLACE / name, ignore_errors=True)
    heights = growing_islands(rng)
    write(PLACE / "islands", [record(h, instrument, rng) for h in heights], detector)
    write(PLACE / "vickers", [record(vickers_imprint(), instrument, rng)], detector)
    (PLACE / "truth").mkdir(exist_ok=True)
    tifffile.imwrite(
        PLACE / "truth" / "islands_height_nm.tif", heights.astype(np.float32), compression="zlib", predictor=3
    )
    calibration = PLACE / "calibration.yaml"
    calibration.unlink(missing_ok=True)
    api.calibrate(api.open_series(PLACE / "vickers"), "vickers").save(calibration)


if __name__ == "__main__":
    main()
