"""Meshes of a height map: STL, PLY and GLB, seen as on the screen (x right, y up, z towards the viewer).

STL and PLY hold nm. GLB is in metres by its standard and has y as its vertical: one node scales by 1e-9 and turns
z into y, the vertices inside are in nm. Each square of four valid pixels gives two triangles; pixel centres
are the vertices; heights are not exaggerated.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np

from napari_sem4d.errors import InputError
from napari_sem4d.io.height_map import HeightMap


def triangles(surface: HeightMap) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3) in nm, triangles (T, 3), and the flat pixel index of every vertex (V,).

    Raises
    ------
    InputError
        If no square of four neighbouring pixels is valid.
    """
    rows, columns = surface.height.shape
    valid = np.isfinite(surface.height)
    square = valid[:-1, :-1] & valid[1:, :-1] & valid[:-1, 1:] & valid[1:, 1:]
    corner = np.flatnonzero(np.pad(square, ((0, 1), (0, 1))).ravel())
    if corner.size == 0:
        raise InputError("No four neighbouring pixels are valid, so there is no surface to export.")
    # Counter-clockwise seen from above with y up: upper left, lower left, lower right, upper right.
    a, b, c, d = corner, corner + columns, corner + columns + 1, corner + 1
    faces = np.concatenate([np.stack([a, b, d], axis=1), np.stack([b, c, d], axis=1)])
    used = np.zeros(rows * columns, dtype=bool)
    used[faces.ravel()] = True
    pixel = np.flatnonzero(used)
    number = np.cumsum(used) - 1
    row, column = np.divmod(pixel, columns)
    py, px = surface.pixel_nm
    vertices = np.column_stack([column * px, (rows - 1 - row) * py, surface.height.ravel()[pixel]])
    return vertices.astype(np.float32), number[faces].astype(np.uint32), pixel


def write_stl(path: Path, surface: HeightMap) -> None:
    """Write a binary STL in nm (the format has no unit: its header text says it)."""
    vertices, faces, _ = triangles(surface)
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    table = np.zeros(len(faces), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    table["normal"], table["corners"] = normals, corners
    # A header that began with "solid" would be taken for a text STL.
    header = f"binary stl unit=nm {'relative height ' if surface.relative else ''}napari-sem4d".encode("ascii")
    path.write_bytes(header.ljust(80)[:80] + struct.pack("<I", len(faces)) + table.tobytes())


def write_ply(path: Path, surface: HeightMap, colours: np.ndarray | None = None) -> None:
    """Write a binary PLY in nm, with colours (Y, X, 3) uint8 for the vertices if given."""
    vertices, faces, pixel = triangles(surface)
    kinds: list[tuple[str, str]] = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
    lines = [f"property float {axis}" for axis in "xyz"]
    if colours is not None:
        kinds += [(name, "u1") for name in ("red", "green", "blue")]
        lines += [f"property uchar {name}" for name in ("red", "green", "blue")]
    points = np.zeros(len(vertices), dtype=kinds)
    for k, axis in enumerate("xyz"):
        points[axis] = vertices[:, k]
    if colours is not None:
        flat = _colours(colours, surface).reshape(-1, 3)[pixel]
        for k, name in enumerate(("red", "green", "blue")):
            points[name] = flat[:, k]
    table = np.zeros(len(faces), dtype=[("count", "u1"), ("index", "<i4", 3)])
    table["count"], table["index"] = 3, faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"comment unit nm, x right, y up, z height{' (relative)' if surface.relative else ''}",
        f"element vertex {len(points)}",
        *lines,
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    path.write_bytes("\n".join(header).encode("ascii") + points.tobytes() + table.tobytes())


def write_glb(path: Path, surface: HeightMap, texture: np.ndarray | None = None) -> None:
    """Write a binary glTF 2.0 with a texture: ``texture`` (Y, X, 3) uint8, or the heights in grey."""
    vertices, faces, pixel = triangles(surface)
    rows, columns = surface.height.shape
    picture = _colours(texture, surface) if texture is not None else _grey(surface.height)
    row, column = np.divmod(pixel, columns)
    # Texture coordinates count from the top left corner; a pixel's centre is half a pixel inside.
    places = np.column_stack([(column + 0.5) / columns, (row + 0.5) / rows]).astype("<f4")
    blocks = [vertices.astype("<f4").tobytes(), places.tobytes(), faces.astype("<u4").tobytes(), _png(picture)]
    views, start = [], 0
    for k, block in enumerate(blocks):
        view: dict[str, int] = {"buffer": 0, "byteOffset": start, "byteLength": len(block)}
        if k < 3:
            view["target"] = 34962 if k < 2 else 34963
        views.append(view)
        blocks[k] = block + b"\0" * (-len(block) % 4)
        start += len(blocks[k])
    document = {
        "asset": {"version": "2.0", "generator": "napari-sem4d"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {
                "mesh": 0,
                "name": surface.title,
                "scale": [1e-9, 1e-9, 1e-9],
                # A quarter turn about x: z, the height, becomes the vertical y of glTF.
                "rotation": [-(0.5**0.5), 0.0, 0.0, 0.5**0.5],
                "extras": {"vertex_unit": "nm", "relative_height": surface.relative},
            }
        ],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}]},
        ],
        "materials": [
            {
                "doubleSided": True,
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0,
                    "roughnessFactor": 1,
                },
            }
        ],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"wrapS": 33071, "wrapT": 33071}],
        "images": [{"bufferView": 3, "mimeType": "image/png"}],
        "buffers": [{"byteLength": start}],
        "bufferViews": views,
        "accessors": [
            {
                "bufferView": 0,
                "componentType": 5126,
                "count": len(vertices),
                "type": "VEC3",
                "min": vertices.min(axis=0).tolist(),
                "max": vertices.max(axis=0).tolist(),
            },
            {"bufferView": 1, "componentType": 5126, "count": len(vertices), "type": "VEC2"},
            {"bufferView": 2, "componentType": 5125, "count": faces.size, "type": "SCALAR"},
        ],
    }
    text = json.dumps(document).encode("utf-8")
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", start, b"BIN\0") + b"".join(blocks)
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body)


def _colours(colours: np.ndarray, surface: HeightMap) -> np.ndarray:
    if colours.shape != (*surface.height.shape, 3) or colours.dtype != np.uint8:
        raise InputError(
            f"A texture is an 8-bit RGB image of {surface.height.shape}, not {colours.dtype} {colours.shape}."
        )
    return colours


def _grey(height: np.ndarray) -> np.ndarray:
    low, high = float(np.nanmin(height)), float(np.nanmax(height))
    level = np.nan_to_num((height - low) / max(high - low, 1e-300))
    return np.repeat(np.rint(255 * level).astype(np.uint8)[..., None], 3, axis=2)


def _png(picture: np.ndarray) -> bytes:
    """Encode 8-bit RGB, no filter."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows, columns, _ = picture.shape
    lines = np.zeros((rows, 1 + 3 * columns), dtype=np.uint8)
    lines[:, 1:] = picture.reshape(rows, -1)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    compressed = zlib.compress(lines.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", compressed) + chunk(b"IEND", b"")
