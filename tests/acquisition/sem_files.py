"""Writes TIFF files as microscopes do, for the tests of the readers and of grouping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

THERMO_TAG = 34682
ZEISS_TAG = 34118


def noisy_image(rows: int = 40, columns: int = 48, seed: int = 0, level: float = 30000.0) -> np.ndarray:
    """A structureless uint16 image."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(level, 0.05 * level, (rows, columns)), 1, 65000).astype(np.uint16)


def thermo_text(
    segment: str = "A", detector: str = "ABS", rows: int = 32, columns: int = 48, **changes: str
) -> str:
    """Metadata of a Thermo file; changes as Section__Key=value."""
    values: dict[str, dict[str, str]] = {
        "User": {"Date": "09/12/2023", "Time": "05:00:10 PM"},
        "Beam": {"HV": "7000", "Beam": "EBeam", "Scan": "EScan", "ScanRotation": "0"},
        "EBeam": {"BeamCurrent": "5.248e-010", "WD": "0.005"},
        "EScan": {"PixelWidth": "6.51042e-008", "PixelHeight": "6.51042e-008", "Dwell": "2e-005"},
        "Stage": {"StageT": "0", "WorkingDistance": "0.005"},
        "Image": {"ResolutionX": str(columns), "ResolutionY": str(rows), "DigitalGamma": "1"},
        "Detectors": {"Number": "1", "Name": detector, "Mode": segment},
        detector: {"Contrast": "80", "Brightness": "90", "Signal": "BSE"},
    }
    for key, value in changes.items():
        section, name = key.split("__")
        values.setdefault(section, {})[name] = value
    return "\r\n".join(
        f"[{s}]\r\n" + "\r\n".join(f"{k}={v}" for k, v in keys.items()) for s, keys in values.items()
    )


def write_thermo(
    path: Path, image: np.ndarray | None = None, bar_rows: int = 8, text: str = "", **kwargs: str
) -> Path:
    """A Thermo file whose data bar (constant 64512) fills the rows below the image."""
    image = noisy_image(32, 48) if image is None else image
    bar = np.full((bar_rows, image.shape[1]), 64512, dtype=image.dtype)
    text = text or thermo_text(rows=image.shape[0], columns=image.shape[1], **kwargs)
    data = np.concatenate([image, bar])
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = text.encode("cp1252") + b"\x00"
    tags = [(THERMO_TAG, 2, len(raw), raw, True)]
    tifffile.imwrite(path, data, photometric="minisblack", metadata=None, extratags=tags)
    return path


def zeiss_text(**changes: str) -> str:
    """Metadata of a Zeiss file as 'KEY|label = value' lines; changes by key."""
    fields = {
        "AP_IMAGE_PIXEL_SIZE": "Image Pixel Size = 10.0 nm",
        "AP_PIXEL_SIZE": "Pixel Size = 5.0 nm",
        "AP_ACTUALKV": "EHT = 5.00 kV",
        "AP_WD": "WD = 6.0 mm",
        "AP_STAGE_AT_T": "Stage at T = 0.0 \xb0",
        "AP_TILT_ANGLE": "Tilt Angle = 70.0 \xb0",
        "DP_DETECTOR_CHANNEL": "Signal A = NTS BSD",
        "AP_DATE": "Date :23 Dec 2015",
        "AP_TIME": "Time :9:40:32",
    }
    fields.update(changes)
    lines = [line for key, value in fields.items() for line in (key, value)]
    return "\r\n".join(["0"] * 4 + lines) + "\r\n"


def write_zeiss(path: Path, image: np.ndarray | None = None, **changes: str) -> Path:
    """A Zeiss file."""
    image = noisy_image() if image is None else image
    raw = zeiss_text(**changes).encode("cp1252")
    tags = [(ZEISS_TAG, 2, len(raw), raw, True)]
    tifffile.imwrite(path, image, photometric="minisblack", metadata=None, extratags=tags)
    return path


def write_plain(path: Path, image: np.ndarray | None = None, **options: object) -> Path:
    """A TIFF with nothing but pixels."""
    image = noisy_image() if image is None else image
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, image, metadata=None, **options)
    return path
