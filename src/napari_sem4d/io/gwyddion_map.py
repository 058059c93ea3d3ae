"""Gwyddion files: .gwy through gwyfile (MIT), and the simple field .gsf.

.gsf: a text header padded with one to four zero bytes to a multiple of four, then float32, little-endian.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from napari_sem4d.errors import InputError
from napari_sem4d.io.height_map import HeightMap, height_map, unit_nm

GSF_MAGIC = b"Gwyddion Simple Field 1.0\n"


def write_gwy(path: Path, surface: HeightMap) -> None:
    """Write one channel in metres; invalid pixels get the mean height and a mask."""
    from gwyfile.objects import GwyContainer, GwyDataField

    rows, columns = surface.height.shape
    size = {"xreal": columns * surface.pixel_nm[1] * 1e-9, "yreal": rows * surface.pixel_nm[0] * 1e-9}
    invalid = np.isnan(surface.height)
    filled = np.where(invalid, np.nanmean(surface.height), surface.height) * 1e-9
    container = GwyContainer()
    # gwyfile writes a title of one letter as a single character, which Gwyddion then refuses.
    title = surface.title if len(surface.title) > 1 else f"height {surface.title}"
    container["/0/data/title"] = f"{title} (relative)" if surface.relative else title
    container["/0/data"] = GwyDataField(filled, si_unit_xy="m", si_unit_z="m", **size)
    if invalid.any():
        container["/0/mask"] = GwyDataField(invalid.astype(np.float64), si_unit_xy="m", si_unit_z="", **size)
    container.tofile(str(path))


def read_gwy(path: Path, channel: int = 0) -> HeightMap:
    """Read one channel of a .gwy file; masked pixels become NaN.

    Raises
    ------
    InputError
        If the file is damaged, has no such channel, or the channel is no height.
    """
    import gwyfile

    try:
        container = gwyfile.load(str(path))
        channels = gwyfile.util.get_datafields(container)
    # gwyfile raises what struct and numpy raise on damaged files, by version.
    except Exception as error:
        raise InputError(f"{path.name} is damaged and cannot be read ({error}): export it again.") from error
    if not 0 <= channel < len(channels):
        raise InputError(
            f"{path.name} has {len(channels)} channels, there is no channel {channel}: choose another."
        )
    title, field = list(channels.items())[channel]
    rows, columns = field.data.shape
    lateral = unit_nm(_unit(field, "si_unit_xy"), f"The width of {path.name}")
    heights = np.array(field.data, dtype=np.float64) * unit_nm(_unit(field, "si_unit_z"), f"Channel {title!r}")
    mask = _mask_of(container, field)
    if mask is not None and mask.shape == heights.shape:
        heights[mask > 0.5] = np.nan
    pixel = (field.yreal / rows * lateral, field.xreal / columns * lateral)
    return height_map(heights, pixel, title.removesuffix(" (relative)"), relative=title.endswith("(relative)"))


def _unit(field: object, name: str) -> str:
    unit = getattr(field, name, None)
    return str(getattr(unit, "unitstr", "") or "")


def _mask_of(container: dict, field: object) -> np.ndarray | None:
    for key, value in container.items():
        if value is field and key.endswith("/data"):
            mask = container.get(f"{key.removesuffix('/data')}/mask")
            return None if mask is None else np.asarray(mask.data)
    return None


def write_gsf(path: Path, surface: HeightMap) -> None:
    """Write float32 heights in metres; NaN stays NaN."""
    rows, columns = surface.height.shape
    title = " ".join(surface.title.split()) + (" (relative)" if surface.relative else "")
    header = (
        f"XRes = {columns}\nYRes = {rows}\n"
        f"XReal = {columns * surface.pixel_nm[1] * 1e-9:.9e}\nYReal = {rows * surface.pixel_nm[0] * 1e-9:.9e}\n"
        f"XYUnits = m\nZUnits = m\nTitle = {title}\n"
    )
    text = GSF_MAGIC + header.encode("utf-8")
    data = (surface.height * 1e-9).astype("<f4").tobytes()
    path.write_bytes(text + b"\0" * (4 - len(text) % 4) + data)


def read_gsf(path: Path) -> HeightMap:
    """Read a simple field.

    Raises
    ------
    InputError
        If the header or the data are incomplete.
    """
    content = path.read_bytes()
    end = content.find(b"\0")
    fields = {}
    for line in content[len(GSF_MAGIC) : max(end, 0)].decode("utf-8", errors="replace").splitlines():
        key, _, value = line.partition("=")
        fields[key.strip().lower()] = value.strip()
    try:
        columns, rows = int(fields["xres"]), int(fields["yres"])
        width, height = float(fields.get("xreal", 1.0)), float(fields.get("yreal", 1.0))
    except (KeyError, ValueError) as error:
        raise InputError(f"The header of {path.name} is incomplete ({error}): export it again.") from error
    start = end + 4 - end % 4
    if columns < 1 or rows < 1 or len(content) - start < 4 * rows * columns:
        raise InputError(f"{path.name} holds fewer values than its header says: it is truncated, copy it again.")
    lateral = unit_nm(fields.get("xyunits", ""), f"The width of {path.name}")
    scale = unit_nm(fields.get("zunits", ""), path.name)
    data = np.frombuffer(content, dtype="<f4", count=rows * columns, offset=start).reshape(rows, columns)
    title = fields.get("title", path.stem) or path.stem
    pixel = (height / rows * lateral, width / columns * lateral)
    return height_map(
        data.astype(np.float64) * scale,
        pixel,
        title.removesuffix(" (relative)"),
        relative=title.endswith("(relative)"),
    )


def is_gwy(head: bytes) -> bool:
    """Whether a file with these first bytes is a .gwy file."""
    return head[:4] == struct.pack("4s", b"GWYP")
