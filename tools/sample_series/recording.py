"""What a microscope makes of the electrons: amplifier, gains, brightness, digitiser, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import yaml

from napari_sem4d.acquisition.instrument import Segment

GAINS = (1.00, 0.93, 1.08, 1.02)
BRIGHTNESS = (900.0, 1100.0, 1000.0, 950.0)
"""Gain and brightness of the segments: unknown to the user until the calibration."""
GREY_PER_SIGNAL = 2.0e5
"""Grey levels of a segment with gain 1 for one energy-weighted electron per primary; copper lies near 6,000."""
AMPLIFIER = 6.0e-4
"""Standard deviation of the amplifier's noise, in signal: 2 % of flat copper."""
PATTERN = "{time:04d}_{segment}.tif"


def record(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images (K, Y, X), uint16, of signals (energy-weighted electrons per primary) of the same shape."""
    heard = signal + AMPLIFIER * rng.normal(size=signal.shape)
    gains, brightness = np.array(GAINS)[:, None, None], np.array(BRIGHTNESS)[:, None, None]
    grey = brightness + gains * GREY_PER_SIGNAL * heard
    return np.clip(np.round(grey), 0, 65535).astype(np.uint16)


def write_series(
    folder: Path, frames: list[np.ndarray], segments: tuple[Segment, ...], known: dict[str, Any]
) -> None:
    """Write frames as single TIFFs, and acquisition.yaml: what the user of a microscope knows."""
    folder.mkdir(parents=True)
    for t, images in enumerate(frames):
        for segment, image in zip(segments, images, strict=True):
            name = PATTERN.format(time=t, segment=segment.name)
            tifffile.imwrite(
                folder / name, image, compression="zlib", compressionargs={"level": 9}, predictor=True
            )
    detector = {
        "name": "annular-4-quadrant",
        "working_distance_mm": 6.0,
        "segments": [
            s.model_dump(mode="json", include={"name", "polar_deg", "azimuth_deg", "threshold_kev"})
            for s in segments
        ],
    }
    text = yaml.safe_dump(known | {"detector": detector, "files": PATTERN}, sort_keys=False)
    (folder / "acquisition.yaml").write_text(text, encoding="utf-8")
