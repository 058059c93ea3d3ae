"""Float TIFF with the pixel size and the unit of the heights (ImageJ tags, read by Fiji, Gwyddion and others)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from napari_sem4d.acquisition.readers.values import length_nm
from napari_sem4d.errors import InputError
from napari_sem4d.io.height_map import HeightMap, UnknownUnitError, height_map, unit_nm


def write_tiff(path: Path, surface: HeightMap) -> None:
    """Write float32 heights in nm; pixels in nm as resolution, height unit as ImageJ's value unit."""
    py, px = surface.pixel_nm
    tifffile.imwrite(
        path,
        surface.height.astype(np.float32),
        imagej=True,
        resolution=(1.0 / px, 1.0 / py),
        metadata={
            "unit": "nm",
            # A straight calibration line of slope 1: ImageJ then shows values in that unit.
            "cf": 0,
            "c0": 0.0,
            "c1": 1.0,
            "vunit": "nm (relative)" if surface.relative else "nm",
            "Info": f"height map: {surface.title}",
        },
    )


def read_tiff(path: Path, pixel_nm: tuple[float, float] | None, height_unit: str | None, frame: int) -> HeightMap:
    """Read one page of a TIFF as heights.

    Raises
    ------
    InputError
        If the file is damaged, in colour, or does not say pixel size or height unit and they are not given.
    """
    try:
        with tifffile.TiffFile(path) as tif:
            series = tif.series[0]
            planes = series.asarray()
            tags = tif.imagej_metadata or {}
            page = tif.pages.first
            resolution = [
                page.tags[name].value if name in page.tags else None for name in ("XResolution", "YResolution")
            ]
            colour = page.photometric == tifffile.PHOTOMETRIC.RGB
    except (tifffile.TiffFileError, OSError, ValueError, IndexError, KeyError) as error:
        raise InputError(f"{path.name} is no readable TIFF ({error}): export it again.") from error
    if colour or planes.ndim < 2:
        raise InputError(f"{path.name} is a colour picture and holds no heights: export the data as a float TIFF.")
    planes = planes.reshape(-1, *planes.shape[-2:])
    if not 0 <= frame < len(planes):
        raise InputError(f"{path.name} has {len(planes)} images, there is no image {frame}: choose another one.")
    found = pixel_nm or _pixel(resolution, str(tags.get("unit", "")))
    if found is None:
        raise InputError(
            f"{path.name} does not say its pixel size in nm (a resolution in dpi is none): "
            "give it (pixel_nm in Python, --pixel-nm on the command line)."
        )
    named = str(tags.get("vunit", ""))
    relative = named.endswith("(relative)")
    unit = height_unit or named.removesuffix("(relative)").strip()
    if not unit:
        raise UnknownUnitError(f"{path.name} does not say the unit of its heights: give it, for example nm.")
    return height_map(planes[frame] * unit_nm(unit, path.name), found, path.stem, relative=relative)


def holds_heights(path: Path) -> bool:
    """Whether a file is a TIFF of real numbers whose value unit is a length: a height map, no picture."""
    try:
        with tifffile.TiffFile(path) as tif:
            tags, kind = tif.imagej_metadata or {}, tif.pages.first.dtype
    # Whatever is wrong with it, it is told when the file is read.
    except Exception:
        return False
    named = str(tags.get("vunit", "")).removesuffix("(relative)").strip()
    return kind is not None and kind.kind == "f" and length_nm(1.0, named) is not None


def _pixel(resolution: list[tuple[int, int] | None], unit: str) -> tuple[float, float] | None:
    """Pixel size (y, x) in nm from ImageJ's unit; None without one."""
    scale = length_nm(1.0, unit)
    if scale is None or any(value is None or 0 in value for value in resolution):
        return None
    sizes = [value[1] / value[0] * scale for value in resolution if value is not None]
    return sizes[1], sizes[0]
