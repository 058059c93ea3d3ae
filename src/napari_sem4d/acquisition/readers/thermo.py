"""Thermo Fisher / FEI TIFF: metadata of tags 34680 and 34682."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tifffile

from napari_sem4d.acquisition.readers.collected import Collected
from napari_sem4d.acquisition.readers.values import date_and_time, is_combination, number, positive

NAME = "Thermo"
_TAGS = (34680, 34682)
_DATES = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S")
_SEGMENT = re.compile(r"[A-H]|[QS]?\d{1,2}", re.IGNORECASE)


def matches(tiff: tifffile.TiffFile) -> bool:
    """Whether the file holds the vendor's metadata."""
    return any(tag in tiff.pages.first.tags for tag in _TAGS)


def describe(tiff: tifffile.TiffFile, path: Path, shape: tuple[int, int]) -> Collected:
    """Collect what the header says about the file's images (see ``FrameHeader`` for names and units)."""
    meta: dict[str, dict[str, Any]] = tiff.fei_metadata or {}
    found = Collected("Thermo tag")

    def raw(section: str, key: str) -> Any:
        return (meta.get(section) or {}).get(key)

    def text(section: str, key: str) -> str:
        value = raw(section, key)
        return "" if value is None else str(value).strip()

    def take(name: str, section: str, key: str, parse: Callable[[Any], float | None], scale: float = 1.0) -> None:
        value = parse(raw(section, key))
        found.put(name, None if value is None else value * scale, f"{section}.{key}")

    beam = text("Beam", "Beam") or "EBeam"
    for section in dict.fromkeys((text("Beam", "Scan") or "EScan", "EScan", "Scan")):
        take("pixel_nm", section, "PixelWidth", positive, 1e9)
        take("pixel_y_nm", section, "PixelHeight", positive, 1e9)
        take("dwell_us", section, "Dwell", positive, 1e6)
    take("dwell_us", "Scan", "Dwelltime", positive, 1e6)
    # LandingEnergy holds a stale value while the deceleration is off.
    if text("EBeamDeceleration", "ModeOn").lower() in ("on", "yes", "true"):
        take("energy_kev", "EBeamDeceleration", "LandingEnergy", positive, 1e-3)
    for section in ("Beam", beam):
        take("energy_kev", section, "HV", positive, 1e-3)
        take("scan_rotation_deg", section, "ScanRotation", number, 180 / math.pi)
    take("current_na", beam, "BeamCurrent", positive, 1e9)
    take("working_distance_mm", "Stage", "WorkingDistance", positive, 1e3)
    take("working_distance_mm", beam, "WD", positive, 1e3)
    take("tilt_deg", "Stage", "StageT", number, 180 / math.pi)
    take("gamma", "Image", "DigitalGamma", positive)

    detector, mode = text("Detectors", "Name"), text("Detectors", "Mode")
    found.put("detector", detector or None, "Detectors.Name")
    take("contrast", detector, "Contrast", number)
    take("brightness", detector, "Brightness", number)
    if _SEGMENT.fullmatch(mode):
        found.put("segment", mode.upper(), "Detectors.Mode")
    elif is_combination(mode):
        found.put("combination", mode, "Detectors.Mode")
    for signal, place in (
        (mode.upper(), "Detectors.Mode"),
        (text(detector, "Signal").upper(), f"{detector}.Signal"),
    ):
        if signal in ("SE", "BSE"):
            found.put("specimen_signal", signal, place)

    date, time = text("User", "Date"), text("User", "Time")
    found.put("acquired", date_and_time(f"{date} {time}", _DATES), "User.Date")
    created = date_and_time(text("PrivateFei", "TimeOfCreation"), ("%d.%m.%Y %H:%M:%S",))
    found.put("acquired", created, "PrivateFei.TimeOfCreation")

    rows, columns = positive(raw("Image", "ResolutionY")), positive(raw("Image", "ResolutionX"))
    if rows is not None and rows <= shape[0] and (columns is None or int(columns) == shape[1]):
        found.put("image_rows", int(rows), "Image.ResolutionY")

    found.notes += _notes(path, beam, detector, text(beam, "TiltCorrectionIsOn"))
    return found


def _notes(path: Path, beam: str, detector: str, tilt_correction: str) -> list[str]:
    notes = []
    if beam.startswith("IR") or "cam" in detector.lower():
        notes.append(
            f"{path.name} is a picture of the chamber or navigation camera ({detector or beam}), not of the "
            "electron beam: no height can be had from it; leave it out."
        )
    elif beam.startswith("I"):
        notes.append(f"{path.name} was taken with the ion beam ({beam}), not with electrons; leave it out.")
    if tilt_correction.lower() in ("yes", "on", "true"):
        notes.append(
            f"Tilt correction was on when {path.name} was taken, so its y direction is stretched already; set "
            "beam.tilt_deg to what remains."
        )
    return notes
