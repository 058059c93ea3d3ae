"""What is exported: a height map with its colours, of one or all times (no Qt)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sem4d.errors import InputError, StoreError
from napari_sem4d.io.figure import write_figure
from napari_sem4d.io.height_map import HeightMap, height_map
from napari_sem4d.io.surfaces import numbered, write_surface, write_whole
from napari_sem4d.metrology.surface import Treatment
from napari_sem4d.widgets.shading import hillshade, relief_factor, sem_texture, signal_limits

if TYPE_CHECKING:
    import threading

    from napari_sem4d.acquisition.series import SemSeries
    from napari_sem4d.widgets.height_source import HeightSource

FORMATS = {
    ".tif": "Float TIFF, nm (Fiji, Gwyddion)",
    ".gwy": "Gwyddion",
    ".gsf": "Gwyddion simple field",
    ".x3p": "X3P (ISO 25178-72)",
    ".sur": "Digital Surf",
    ".xyz": "XYZ text",
    ".csv": "CSV of x, y, height",
    ".stl": "STL mesh",
    ".ply": "PLY mesh with colours",
    ".glb": "GLB mesh with texture",
    ".png": "PNG picture with scale bars",
    ".svg": "SVG picture with scale bars",
}
PICTURES = (".png", ".svg")
COLOURED = (".ply", ".glb")
COLOURS = ("height and shading", "height", "shading", "SEM image")


@dataclass(frozen=True)
class Export:
    """What is written.

    Attributes
    ----------
    source : HeightSource
        The layer.
    treatment : Treatment
        Levelling and filters before writing.
    colours : str
        One of :data:`COLOURS`, for meshes.
    series : SemSeries or None
        Where the SEM image comes from.
    """

    source: HeightSource
    treatment: Treatment
    colours: str = COLOURS[0]
    series: SemSeries | None = None


def map_of(what: Export, index: tuple[int, ...]) -> HeightMap:
    """One frame as it is written, nm.

    Raises
    ------
    InputError
        If it holds no height.
    """
    source = what.source
    time = source.time_text(index) if source.frames > 1 else ""
    # The layer's name says quantity and unit, which every format says by itself.
    name = source.name.removeprefix("relative ").removeprefix("height (nm), ")
    title = f"{name}, {time}" if time else name
    heights = height_map(source.read_height(index), source.pixel, title, relative=source.relative)
    treated = what.treatment.apply(heights.height, source.pixel)
    return height_map(treated, source.pixel, title, relative=source.relative)


def write_frames(
    path: Path, what: Export, frames: list[tuple[int, ...]], overwrite: bool, cancel: threading.Event
) -> Iterator[Path]:
    """Write one file, or one for each of several frames, and yield each.

    Raises
    ------
    StoreError
        If one is there already: then none is written.
    """
    several = len(frames) > 1
    targets = [numbered(path, index[0], what.source.frames) if several else path for index in frames]
    there = [target.name for target in targets if target.exists()]
    if there and not overwrite:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise StoreError(f"{there[0]}{more} exists already in {path.parent}: choose another name.")
    for target, index in zip(targets, frames, strict=True):
        if cancel.is_set():
            return
        yield write_one(target, what, index, overwrite)


def write_one(path: Path, what: Export, index: tuple[int, ...], overwrite: bool = False) -> Path:
    """Write one frame; the extension says the format.

    Raises
    ------
    InputError, StoreError
        If there is no height, the extension is unknown, or the file cannot be written.
    """
    surface = map_of(what, index)
    kind = path.suffix.lower()
    layer = what.source.layer
    if kind in PICTURES:
        colours = np.asarray(layer.colormap.map(np.linspace(0, 1, 256)))
        # The limits of the screen hold for the heights that are seen there, not for levelled ones.
        low, high = (float(v) * what.source.value_scale for v in layer.contrast_limits)
        limits = (low, high) if what.treatment == Treatment("none") else None
        return write_whole(
            path, lambda part: write_figure(part, surface, colormap=colours, limits_nm=limits), overwrite
        )
    colours = mesh_colours(what, surface, index) if kind in COLOURED else None
    return write_surface(path, surface, overwrite=overwrite, colours=colours)


def mesh_colours(what: Export, surface: HeightMap, index: tuple[int, ...]) -> np.ndarray:
    """Colours (Y, X, 3) uint8 of a mesh.

    Raises
    ------
    InputError
        If the SEM image is asked for and not at hand.
    """
    if what.colours == "SEM image":
        if what.series is None:
            raise InputError("The SEM images of this map are not open, so they cannot be its texture: open them.")
        signal = what.series.signal.isel(time=index[0] if index else 0).mean("segment").values
        return _rgb(sem_texture(signal, signal_limits(signal)))
    height = surface.height
    edge = float(np.sqrt(surface.pixel_nm[0] * surface.pixel_nm[1]))
    shade = hillshade(height, edge, relief_factor(height, edge))
    if what.colours == "shading":
        return _rgb(shade)
    low, high = np.nanpercentile(height, [0.1, 99.9])
    level = np.nan_to_num((height - low) / max(float(high - low), 1e-12))
    flat = np.asarray(what.source.layer.colormap.map(np.clip(level, 0, 1).ravel()))[:, :3]
    coloured = flat.reshape(*height.shape, 3)
    if what.colours == "height and shading":
        coloured = coloured * (shade[..., None] / 255.0)
    return np.rint(255 * coloured).astype(np.uint8)


def _rgb(grey: np.ndarray) -> np.ndarray:
    grey = np.asarray(grey, dtype=np.uint8)
    return np.repeat(grey[..., None], 3, axis=2) if grey.ndim == 2 else grey[..., :3]


def series_of(space: Any, source: HeightSource) -> SemSeries | None:
    """The SEM images that a result was made from, where they are open."""
    found = [result.data.series for result in space.results if result.height is source.layer]
    return found[0] if found else None
