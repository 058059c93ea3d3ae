"""Planes of a TIFF file: where they are, whether the file is whole, and their pixels as float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_sem4d.acquisition.sniffing import require_tiff
from napari_sem4d.errors import InputError

LOSSY_COMPRESSIONS = frozenset({6, 7, 33003, 33004, 33005, 34712, 34892, 50001, 50002})
_PALETTE = 3
# A difference of colour channels up to this share of full scale still counts as grey (rounding of converters).
_GREY_TOLERANCE = 0.012


@dataclass(frozen=True)
class PlaneLayout:
    """The stack of equal images that a TIFF file holds.

    Attributes
    ----------
    planes : int
        Number of images.
    shape : tuple of int
        Rows and columns.
    channels : int
        Samples per pixel.
    axes, lengths : str, tuple of int
        Axes in front of the image plane and their lengths, for example "TC", (10, 4).
    skipped : int
        Images of other sizes in the file (thumbnails, previews), which are left out.
    """

    planes: int
    shape: tuple[int, int]
    channels: int
    axes: str
    lengths: tuple[int, ...]
    skipped: int


@contextmanager
def open_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file; whatever goes wrong with its bytes becomes an InputError that names the file."""
    require_tiff(path)
    try:
        with tifffile.TiffFile(path) as tiff:
            if not tiff.pages:
                raise InputError(f"{path} holds no image; copy it again from the microscope.")
            yield tiff
    except InputError:
        raise
    except (tifffile.TiffFileError, OSError, ValueError, KeyError, IndexError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{path} cannot be read: it is damaged or cut short ({error}); copy it again from the microscope."
        ) from error


def main_series(tiff: tifffile.TiffFile) -> Any:
    """Return the series of the file with the most pixels: previews and thumbnails are smaller."""
    return max(tiff.series, key=lambda series: int(np.prod(series.shape)))


def layout(tiff: tifffile.TiffFile) -> PlaneLayout:
    """Tell the planes of the file from its header."""
    series = main_series(tiff)
    sizes = dict(zip(series.axes, series.shape, strict=True))
    front = [(axis, n) for axis, n in zip(series.axes, series.shape, strict=True) if axis not in "YXS"]
    return PlaneLayout(
        planes=int(np.prod([n for _, n in front], dtype=np.int64)),
        shape=(int(sizes["Y"]), int(sizes["X"])),
        channels=int(sizes.get("S", 1)),
        axes="".join(axis for axis, _ in front),
        lengths=tuple(int(n) for _, n in front),
        skipped=len(tiff.series) - 1,
    )


def require_whole(tiff: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file that ends before its pixels do (told from the header, without reading them).

    Raises
    ------
    InputError
        With the bytes that are there and those that should be.
    """
    size = path.stat().st_size
    series = main_series(tiff)
    end = 0
    for page in series.pages:
        if page is None or not len(page.dataoffsets):
            raise InputError(
                f"{path} is cut short: an image in it has no pixels; copy it again from the microscope."
            )
        end = max(end, *(o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)))
    if series.dataoffset is not None:
        end = max(end, series.dataoffset + series.nbytes)
    if end > size:
        raise InputError(
            f"{path} is cut short: it has {size} bytes, its pixels end at byte {end}; copy it again from the "
            "microscope."
        )


def read_plane(path: Path, plane: int, rows: int | None = None) -> np.ndarray:
    """Read the pixels of one plane.

    Drawn annotation (coloured entries of a palette, coloured pixels of an RGB image) becomes NaN.

    Parameters
    ----------
    path : Path
        TIFF file.
    plane : int
        Number of the plane in the file's main series.
    rows : int or None
        Rows to keep, from the top.

    Returns
    -------
    ndarray, shape (rows, X)
        float32, in the file's units.

    Raises
    ------
    InputError
        If the file is damaged, cut short, or its compression is unknown.
    """
    with open_tiff(path) as tiff:
        series = main_series(tiff)
        info = layout(tiff)
        if len(series.pages) == info.planes:
            page = series.pages[plane]
            pixels = page.asarray()
        else:
            # One directory entry describes a contiguous stack (large ImageJ files).
            nbytes = series.nbytes // info.planes
            with path.open("rb") as file:
                file.seek(series.dataoffset + plane * nbytes)
                raw = file.read(nbytes)
            dtype = series.dtype.newbyteorder(tiff.byteorder)
            pixels = np.frombuffer(raw, dtype).reshape(
                (*info.shape, info.channels) if info.channels > 1 else info.shape
            )
        keyframe = series.keyframe
        channels_first = info.channels > 1 and series.axes.index("S") < series.axes.index("Y")
        colormap = keyframe.colormap if keyframe.photometric == _PALETTE else None
    if info.channels > 1:
        pixels = _grey(np.moveaxis(pixels, 0, -1) if channels_first else pixels)
        pixels = pixels[:rows]
    else:
        pixels = pixels[:rows]
        if colormap is not None:
            return _from_palette(pixels, colormap)
    return np.ascontiguousarray(pixels, dtype=np.float32)


def coloured_entries(colormap: np.ndarray) -> np.ndarray:
    """Entries of a palette (3, N) that are no grey: colours of drawn annotation. Boolean, shape (N,)."""
    spread = colormap.max(axis=0).astype(np.int64) - colormap.min(axis=0)
    return spread > _GREY_TOLERANCE * 65535


def _from_palette(index: np.ndarray, colormap: np.ndarray) -> np.ndarray:
    # Microscopes store grey values as indices and reserve some entries for drawing: the index is the signal,
    # unless the grey ramp says otherwise (an inverted or stretched table).
    drawn = coloured_entries(colormap)
    grey = colormap[0].astype(np.float64) * (len(colormap[0]) - 1) / 65535.0
    ramp = np.arange(len(grey), dtype=np.float64)
    values = ramp if np.all(np.abs(grey - ramp)[~drawn] < 1.0) else grey
    values = values.astype(np.float32)
    values[drawn] = np.nan
    return values[index]


def _grey(pixels: np.ndarray) -> np.ndarray:
    colour = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1]
    scale = np.iinfo(colour.dtype).max if np.issubdtype(colour.dtype, np.integer) else 1.0
    spread = colour.max(axis=-1).astype(np.float64) - colour.min(axis=-1)
    grey = colour.mean(axis=-1, dtype=np.float64).astype(np.float32)
    grey[spread > _GREY_TOLERANCE * scale] = np.nan
    return grey
