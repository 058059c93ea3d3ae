"""Read and write height maps of any known format; formats are told by content, not by extension."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_sem4d.errors import InputError, StoreError
from napari_sem4d.io import sur_map
from napari_sem4d.io.figure import write_figure
from napari_sem4d.io.gwyddion_map import GSF_MAGIC, is_gwy, read_gsf, read_gwy, write_gsf, write_gwy
from napari_sem4d.io.height_map import HeightMap
from napari_sem4d.io.mesh import write_glb, write_ply, write_stl
from napari_sem4d.io.other_surfaces import can_read_others, read_other
from napari_sem4d.io.sur_map import read_sur, write_sur
from napari_sem4d.io.tiff_map import read_tiff, write_tiff
from napari_sem4d.io.x3p_map import read_x3p, write_x3p
from napari_sem4d.io.xyz_map import read_xyz, write_csv, write_xyz

WRITERS: dict[str, Callable[[Path, HeightMap], None]] = {
    ".tif": write_tiff,
    ".tiff": write_tiff,
    ".gwy": write_gwy,
    ".gsf": write_gsf,
    ".x3p": write_x3p,
    ".sur": write_sur,
    ".xyz": write_xyz,
    ".txt": write_xyz,
    ".csv": write_csv,
    ".stl": write_stl,
    ".ply": write_ply,
    ".glb": write_glb,
    ".png": write_figure,
    ".svg": write_figure,
}
COLOURED: dict[str, Callable[[Path, HeightMap, np.ndarray | None], None]] = {".ply": write_ply, ".glb": write_glb}
READABLE = (".tif", ".tiff", ".gwy", ".gsf", ".x3p", ".sur", ".xyz", ".txt", ".csv", ".asc")


def read_surface(
    path: str | Path,
    *,
    pixel_nm: tuple[float, float] | None = None,
    unit: str | None = None,
    channel: int = 0,
) -> HeightMap:
    """Read a height map.

    Parameters
    ----------
    path : path
        Float TIFF, .gwy, .gsf, .x3p, .sur or XYZ text; with the extra ``surface-io`` many more.
    pixel_nm : (y, x), optional
        Pixel size for files that do not say it (TIFF), nm.
    unit : str, optional
        Unit of the heights (TIFF) or of all columns (XYZ) for files that do not say it.
    channel : int
        Which image or channel of a file that holds several.

    Returns
    -------
    HeightMap
        Its ``questions`` say what looks implausible and should be asked.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, of an unknown format, or does not say what it must.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"There is no file {file}: check its name.")
    try:
        with file.open("rb") as stream:
            head = stream.read(64)
        if not head:
            raise InputError(f"{file.name} is empty (0 bytes): copy it again.")
        if is_gwy(head):
            return read_gwy(file, channel)
        if head.startswith(GSF_MAGIC):
            return read_gsf(file)
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return read_tiff(file, pixel_nm, unit, channel)
        if head.startswith((sur_map.MAGIC, sur_map.COMPRESSED)):
            return read_sur(file)
        if head.startswith(b"PK") and file.suffix.lower() in (".x3p", ".zip"):
            return read_x3p(file)
        if _is_text(head) and file.suffix.lower() in (".xyz", ".txt", ".csv", ".asc"):
            return read_xyz(file, unit)
    except OSError as error:
        raise InputError(f"{file.name} cannot be read ({error}): copy it to another place.") from error
    if can_read_others():
        return read_other(file, channel)
    raise InputError(
        f"{file.name} is none of the surface formats {', '.join(READABLE)}. For files of force microscopes "
        "and profilometers install the extra: pip install 'napari-sem4d[surface-io]'."
    )


def write_surface(
    path: str | Path,
    surface: HeightMap,
    *,
    overwrite: bool = False,
    colours: np.ndarray | None = None,
) -> Path:
    """Write a height map in the format of the file's extension (maps, meshes and pictures, see ``WRITERS``).

    Parameters
    ----------
    path : path
        Where to write.
    surface : HeightMap
        What to write.
    overwrite : bool
        Nothing is overwritten without it.
    colours : ndarray of uint8, shape (Y, X, 3), optional
        Colours of the mesh for .ply (vertices) and .glb (texture); formats without colours ignore them.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the extension is unknown.
    StoreError
        If the file exists already or cannot be written.
    """
    file = Path(path)
    writer = WRITERS.get(file.suffix.lower())
    if writer is None:
        raise InputError(
            f"Height maps are written as {', '.join(WRITERS)}, not {file.suffix or 'without extension'}."
        )
    coloured = COLOURED.get(file.suffix.lower())
    if coloured is not None and colours is not None:
        return write_whole(file, lambda part: coloured(part, surface, colours), overwrite)
    return write_whole(file, lambda part: writer(part, surface), overwrite)


def write_whole(path: Path, write: Callable[[Path], None], overwrite: bool = False) -> Path:
    """Write a file so that no half of it is ever seen under its name.

    Parameters
    ----------
    path : Path
        The file.
    write : callable
        Writes it under the name that it is given.
    overwrite : bool
        Nothing is overwritten without it.

    Raises
    ------
    StoreError
        If the file exists already or cannot be written.
    """
    file = Path(path)
    if file.exists() and not overwrite:
        raise StoreError(f"{file} exists already: choose another name, or allow overwriting.")
    # A half-written file under the final name would pass for a whole one.
    part = file.with_name(f"{file.stem}.part{file.suffix}")
    try:
        write(part)
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(
            f"{file} cannot be written ({error}): choose another folder or free some space."
        ) from error
    return file


def numbered(path: Path, frame: int, frames: int) -> Path:
    """Name of one of several files: the frame's number, with zeros so that names sort, before the extension."""
    return path.with_name(f"{path.stem}_{frame:0{max(4, len(str(frames - 1)))}d}{path.suffix}")


def _is_text(head: bytes) -> bool:
    return all(byte in (9, 10, 13) or 32 <= byte < 127 or byte >= 128 for byte in head)
