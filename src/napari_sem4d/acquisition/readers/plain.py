"""TIFF without a vendor's metadata: ImageJ, OME, or nothing but pixels."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import tifffile

from napari_sem4d.acquisition.readers.collected import Collected
from napari_sem4d.acquisition.readers.values import length_nm, positive

NAME = "TIFF"


def matches(tiff: tifffile.TiffFile) -> bool:
    """Every TIFF can be read as a plain one."""
    return True


def describe(tiff: tifffile.TiffFile, path: Path, shape: tuple[int, int]) -> Collected:
    """Collect pixel size and frame interval (see ``FrameHeader``). Dots per inch are not a pixel size."""
    found = Collected("TIFF")
    if tiff.is_imagej:
        _imagej(tiff, found)
    if tiff.is_ome:
        _ome(tiff, found)
    return found


def _imagej(tiff: tifffile.TiffFile, found: Collected) -> None:
    meta = tiff.imagej_metadata or {}
    unit = str(meta.get("unit", ""))
    for name, tag in (("pixel_nm", "XResolution"), ("pixel_y_nm", "YResolution")):
        resolution = tiff.pages.first.tags.get(tag)
        if resolution is None:
            continue
        numerator, denominator = resolution.value
        if numerator:
            found.put(name, length_nm(denominator / numerator, unit), f"ImageJ {tag} with unit {unit}")
    found.put("frame_interval_s", positive(meta.get("finterval")), "ImageJ finterval")


_SECONDS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "min": 60.0, "h": 3600.0}


def _ome(tiff: tifffile.TiffFile, found: Collected) -> None:
    try:
        root = ElementTree.fromstring(tiff.ome_metadata or "")
    except ElementTree.ParseError:
        found.notes.append("The OME metadata of this file cannot be parsed; its values are not used.")
        return
    pixels = next((node for node in root.iter() if node.tag.endswith("}Pixels") or node.tag == "Pixels"), None)
    if pixels is None:
        return
    for name, key in (("pixel_nm", "PhysicalSizeX"), ("pixel_y_nm", "PhysicalSizeY")):
        # The OME schema's default unit is the micrometre.
        size = length_nm(pixels.get(key), pixels.get(f"{key}Unit", "µm"))
        found.put(name, size, f"OME {key}")
    step = positive(pixels.get("TimeIncrement"))
    scale = _SECONDS.get(pixels.get("TimeIncrementUnit", "s"))
    found.put("frame_interval_s", None if step is None or scale is None else step * scale, "OME TimeIncrement")
