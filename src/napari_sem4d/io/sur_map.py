"""Digital Surf surfaces (.sur), uncompressed: a header of 512 bytes, then integers, rows from the top."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from napari_sem4d.errors import InputError
from napari_sem4d.io.height_map import HeightMap, height_map, unit_nm

MAGIC, COMPRESSED = b"DIGITAL SURF", b"DSCOMPRESSED"
# Signature; format, objects, version, type; two names; ...; bits; range; sizes; spacings; units; ...
_HEADER = struct.Struct("<12s4h30s30s5hfihii3i3f48s48s48s3f3h12s7hfI6shh128s5f13s13s")
_SURFACE_TYPE = 2


def write_sur(path: Path, surface: HeightMap) -> None:
    """Write 32-bit heights in steps of a two-thousand-millionth of the largest one; NaN as not measured."""
    rows, columns = surface.height.shape
    low, high = float(np.nanmin(surface.height)), float(np.nanmax(surface.height))
    # Some programs ignore the offset of z, so heights are counted from zero.
    step = np.float32(max(abs(high), abs(low), 1e-6) / 2e9)
    points = np.rint(np.nan_to_num(surface.height, nan=low) / float(step)).astype(np.int64)
    smallest, largest = int(points.min()), int(points.max())
    missing = np.isnan(surface.height)
    points[missing] = smallest - 2
    name = (surface.title + (" (relative)" if surface.relative else ""))[:30].encode("latin-1", errors="replace")
    units = [unit.ljust(16).encode("ascii") for unit in ("X", "Y", "Z", "nm", "nm", "nm", "nm", "nm", "nm")]
    header = _HEADER.pack(
        MAGIC,
        *(0, 1, 1, _SURFACE_TYPE),
        name.ljust(30),
        b"napari-sem4d".ljust(30),
        *(0, 0, 0, 1, 0),
        0.0,
        0,
        32,
        *(smallest, largest),
        *(columns, rows, columns * rows),
        *(surface.pixel_nm[1], surface.pixel_nm[0], step),
        b"".join(units[:3]),
        b"".join(units[3:6]),
        b"".join(units[6:]),
        *(1.0, 1.0, 1.0),
        *(0, 0, 0),
        b"",
        *(0, 0, 0, 1, 1, 1970, 0),
        0.0,
        0,
        b"",
        *(0, 0),
        b"",
        *(0.0, 0.0, 0.0, 0.0, 0.0),
        b"",
        b"",
    )
    path.write_bytes(header + points.astype("<i4").tobytes())


def read_sur(path: Path) -> HeightMap:
    """Read an uncompressed surface.

    Raises
    ------
    InputError
        If the file is compressed, truncated, or holds no surface.
    """
    content = path.read_bytes()
    if content[:12] == COMPRESSED:
        raise InputError(
            f"{path.name} is a compressed Digital Surf file: save it uncompressed, or as .x3p or .gwy."
        )
    if len(content) < _HEADER.size:
        raise InputError(f"{path.name} ends inside its header: it is truncated, copy it again.")
    f = _HEADER.unpack_from(content)
    special, bits, smallest = f[10], f[14], f[15]
    columns, rows = f[17], f[18]
    spacings, step_units = f[20:23], f[24]
    comment, private, z_offset = f[43], f[44], f[48]
    if bits not in (16, 32) or columns < 1 or rows < 1:
        raise InputError(f"{path.name} holds no surface of 16 or 32 bits: export it again.")
    start, size = _HEADER.size + comment + private, columns * rows * bits // 8
    if len(content) < start + size:
        raise InputError(f"{path.name} holds fewer heights than its header says: it is truncated, copy it again.")
    points = np.frombuffer(content, dtype=f"<i{bits // 8}", count=columns * rows, offset=start)
    scales = [_scale(step_units[16 * k : 16 * k + 16], path.name) for k in range(3)]
    heights = (points.astype(np.float64) * spacings[2] + z_offset) * scales[2]
    if special:
        heights[points == smallest - 2] = np.nan
    title = f[5].split(b"\0")[0].decode("latin-1").strip() or path.stem
    return height_map(
        heights.reshape(rows, columns),
        (spacings[1] * scales[1], spacings[0] * scales[0]),
        title.removesuffix(" (relative)"),
        relative=title.endswith("(relative)"),
    )


def _scale(unit: bytes, name: str) -> float:
    # Units are latin-1 text: the micro sign is one byte there.
    return unit_nm(unit.split(b"\0")[0].decode("latin-1").strip(), name)
