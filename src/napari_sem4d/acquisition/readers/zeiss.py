"""Zeiss SmartSEM TIFF: metadata of tag 34118."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tifffile

from napari_sem4d.acquisition.readers.collected import Collected
from napari_sem4d.acquisition.readers.values import english_date, length_nm, number, positive

NAME = "Zeiss"
_TAG = 34118
_DISPLAY_COLUMNS = 1024
_CURRENT_NA = {"a": 1e9, "ma": 1e6, "µa": 1e3, "ua": 1e3, "na": 1.0, "pa": 1e-3, "fa": 1e-6}
_ENERGY_KEV = {"kv": 1.0, "v": 1e-3}
_BSD = re.compile(r"bsd|asb|qbs|cad", re.IGNORECASE)
_CHANNEL = re.compile(r"(?P<detector>.*?)\s*(?P<segment>(?:ch|q)\s?\d)", re.IGNORECASE)


def matches(tiff: tifffile.TiffFile) -> bool:
    """Whether the file holds the vendor's metadata."""
    return _TAG in tiff.pages.first.tags


def describe(tiff: tifffile.TiffFile, path: Path, shape: tuple[int, int]) -> Collected:
    """Collect what the header says about the file's images (see ``FrameHeader`` for names and units).

    The data bar is drawn over the image and no field tells its rows: it is looked for in the pixels when the
    series is checked. ``ap_tilt_angle`` (tilt compensation) and ``dp_dwell_time`` (not the scan's) are not used.
    """
    meta: dict[str, Any] = tiff.sem_metadata or {}
    found = Collected("Zeiss field")

    def value(key: str) -> Any:
        field = meta.get(key)
        return field[1] if isinstance(field, tuple) and len(field) > 1 else None

    def unit(key: str) -> str:
        field = meta.get(key)
        return str(field[2]) if isinstance(field, tuple) and len(field) > 2 else ""

    def take(name: str, key: str, scales: dict[str, float] | None = None, *, zero: bool = True) -> None:
        parsed = number(value(key)) if zero else positive(value(key))
        scale = 1.0 if scales is None else scales.get(unit(key).strip().lower())
        found.put(name, None if parsed is None or scale is None else parsed * scale, key)

    pixel, place = _pixel_nm(meta, shape[1], value, unit)
    found.put("pixel_nm", pixel, place)
    take("energy_kev", "ap_actualkv", _ENERGY_KEV, zero=False)
    take("energy_kev", "ap_manualkv", _ENERGY_KEV, zero=False)
    wd = length_nm(value("ap_wd"), unit("ap_wd"))
    found.put("working_distance_mm", None if wd is None else wd * 1e-6, "ap_wd")
    take("tilt_deg", "ap_stage_at_t")
    rotation_on = value("dp_scan_rot")
    if rotation_on is False or str(rotation_on).lower() == "off":
        found.put("scan_rotation_deg", 0.0, "dp_scan_rot (off)")
    else:
        take("scan_rotation_deg", "ap_scanrotation")
    take("current_na", "ap_iprobe", _CURRENT_NA, zero=False)
    take("gamma", "ap_gamma", zero=False)
    take("contrast", "ap_contrast")
    take("brightness", "ap_brightness")
    found.put("acquired", english_date(str(value("ap_date")), str(value("ap_time"))), "ap_date")
    _detector(found, str(value("dp_detector_channel") or value("dp_detector_type") or "").strip(), value)
    if value("dp_stage_bias_high") is True:
        found.notes.append(
            f"Beam deceleration was on when {path.name} was taken: the landing energy is below the accelerating "
            "voltage; give beam.energy_kev."
        )
    return found


def _pixel_nm(
    meta: dict[str, Any], columns: int, value: Callable[[str], Any], unit: Callable[[str], str]
) -> tuple[float | None, str]:
    """Pixel size in nm and the field that it came from.

    ``ap_pixel_size`` is not used: it is that of a display 1024 pixels wide, off by 2 in an image of 512. So is
    the 4th value of the unnamed field, but it is not rounded to four digits: rescaled to the image's width it
    refines what ``ap_image_pixel_size`` or ``ap_width`` say.
    """
    image, width = "ap_image_pixel_size", "ap_width"
    coarse, place = length_nm(value(image), unit(image)), image
    if coarse is None:
        field_nm = length_nm(value(width), unit(width))
        coarse, place = None if field_nm is None else field_nm / columns, f"{width} / {columns} columns"
    unnamed = meta.get("")
    metres = positive(unnamed[3]) if isinstance(unnamed, tuple) and len(unnamed) > 3 else None
    if metres is not None:
        fine = metres * 1e9 * _DISPLAY_COLUMNS / columns
        if coarse is None or abs(fine / coarse - 1) < 1e-3:
            return fine, f"'' (4th value, x {_DISPLAY_COLUMNS} / {columns} columns)"
    return coarse, place


def _detector(found: Collected, channel: str, value: Any) -> None:
    """Detector, and the segment or combination: a backscatter image with one quadrant on is that segment."""
    named = _CHANNEL.fullmatch(channel)
    if named and named["detector"]:
        found.put("detector", named["detector"], "dp_detector_channel")
        found.put("segment", named["segment"].replace(" ", ""), "dp_detector_channel")
    found.put("detector", channel or None, "dp_detector_channel")
    if not _BSD.search(channel):
        if re.search(r"se|inlens", channel, re.IGNORECASE):
            found.put("specimen_signal", "SE", "dp_detector_channel")
        return
    found.put("specimen_signal", "BSE", "dp_detector_channel")
    if "segment" in found.values:
        return
    states = {f"Q{i}": value(f"dp_4qbsd_q{i}") for i in range(1, 5)}
    if any(state is None for state in states.values()):
        return
    on = [
        name for name, state in states.items() if state is not False and str(state).lower() not in ("off", "0", "")
    ]
    inverted = [name for name in on if str(states[name]).lower().startswith("inv")]
    formula = "".join(f"{'-' if name in inverted else '+'}{name}" for name in on).removeprefix("+")
    if len(on) == 1 and not inverted:
        found.put("segment", on[0], "dp_4qbsd_q1 to q4")
    elif on:
        found.put("combination", f"{'TOPO' if inverted else 'COMPO'}: {formula}", "dp_4qbsd_q1 to q4")
