"""Readers of microscope files. A new vendor is one module with NAME, matches and describe, listed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tifffile

from napari_sem4d.acquisition.readers import plain, thermo, zeiss
from napari_sem4d.acquisition.readers.collected import Collected
from napari_sem4d.acquisition.readers.header import FrameHeader
from napari_sem4d.acquisition.readers.tiff_planes import (
    LOSSY_COMPRESSIONS,
    layout,
    main_series,
    open_tiff,
    require_whole,
)


class VendorReader(Protocol):
    """What a vendor's module offers."""

    NAME: str

    def matches(self, tiff: tifffile.TiffFile) -> bool:
        """Whether this module understands the file."""
        ...

    def describe(self, tiff: tifffile.TiffFile, path: Path, shape: tuple[int, int]) -> Collected:
        """What the header says; ``shape`` is rows and columns in the file."""
        ...


READERS: tuple[VendorReader, ...] = (thermo, zeiss, plain)
"""Asked in this order; the first that matches reads the file."""


def read_headers(path: Path) -> tuple[FrameHeader, ...]:
    """Read what a file says about each of its images, without reading pixels.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, cut short, or no TIFF.
    """
    with open_tiff(path) as tiff:
        require_whole(tiff, path)
        info = layout(tiff)
        series = main_series(tiff)
        reader = next(reader for reader in READERS if reader.matches(tiff))
        found = reader.describe(tiff, path, info.shape)
        notes = list(found.notes)
        if info.skipped:
            notes.append(f"{path.name} holds {info.skipped} further image(s) of another size, which are left out.")
        values = dict(found.values)
        common: dict[str, Any] = {
            "path": path,
            "vendor": reader.NAME,
            "shape": info.shape,
            "dtype": np.dtype(series.dtype),
            "image_rows": values.pop("image_rows", info.shape[0]),
            "bar_known": "image_rows" in found.values,
            "channels": info.channels,
            "palette": series.keyframe.photometric == 3,
            "lossy": int(series.keyframe.compression) in LOSSY_COMPRESSIONS,
            "origins": {name: f"{origin} of {path.name}" for name, origin in found.origins.items()},
            "notes": tuple(notes),
            **values,
        }
    return tuple(
        FrameHeader(page=plane, **common, **_place(plane, info.axes, info.lengths)) for plane in range(info.planes)
    )


def _place(plane: int, axes: str, lengths: tuple[int, ...]) -> dict[str, Any]:
    """Time and segment index of a plane of a stack that names its axes T and C."""
    index = dict(zip(axes, np.unravel_index(plane, lengths), strict=True)) if lengths else {}
    names = {"T": "time_index", "C": "segment_index"}
    return {names[axis]: int(i) for axis, i in index.items() if axis in names}


__all__ = ["READERS", "FrameHeader", "VendorReader", "read_headers"]
