"""napari contributions that save a height layer as a map, a mesh or a picture (File > Save Selected Layers)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.layers import Image

from napari_sem4d.errors import InputError
from napari_sem4d.metrology.surface import Treatment
from napari_sem4d.widgets.export_model import Export, series_of, write_one
from napari_sem4d.widgets.height_source import HeightSource, height_source, require_lengths
from napari_sem4d.widgets.workspace import METADATA_KEY, sem4d_metadata, workspace_of


def write_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the frame under the time slider of a height image; the extension says the format.

    Parameters
    ----------
    path : str
        File to write; napari has asked whether it may be overwritten.
    data : array
        Data of the layer.
    attributes : dict
        Its state.

    Returns
    -------
    list of str
        The file.

    Raises
    ------
    InputError
        If the layer holds no heights, or its units are not known.
    """
    viewer = _viewer()
    shown = [] if viewer is None else [layer for layer in viewer.layers if getattr(layer, "data", None) is data]
    source = height_source(shown[0] if shown else _image(data, attributes))
    if source is None:
        raise InputError(f"The layer {attributes.get('name', '')} holds no heights: choose a height layer.")
    return _write(Path(path), source, viewer if shown else None)


def write_surface(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the heights that a 3D surface of ours shows, at full resolution.

    Raises
    ------
    InputError
        If it is a surface of another kind, or its heights are not open any more.
    """
    entry = dict(attributes.get("metadata", {}).get(METADATA_KEY, {}))
    name = attributes.get("name", "")
    if entry.get("role") != "surface":
        raise InputError(f"The surface {name} shows no height map, so it cannot be written as one.")
    viewer = _viewer()
    layers = [] if viewer is None else list(viewer.layers)
    heights = [
        layer
        for layer in layers
        if sem4d_metadata(layer).get("role") == "height" and sem4d_metadata(layer).get("path") == entry.get("path")
    ]
    source = height_source(heights[-1]) if heights else None
    if source is None:
        raise InputError(f"The height image that belongs to {name} is not open: open the result again.")
    return _write(Path(path), source, viewer)


def _write(path: Path, source: HeightSource, viewer: Any) -> list[str]:
    require_lengths(source)
    index = (0,) * (source.layer.ndim - 2) if viewer is None else source.index(viewer.dims)
    series = None if viewer is None else series_of(workspace_of(viewer), source)
    return [str(write_one(path, Export(source, Treatment("none"), series=series), index, overwrite=True))]


def _viewer() -> Any:
    import napari

    return napari.current_viewer()


def _image(data: Any, attributes: dict[str, Any]) -> Image:
    """A layer out of its data, where a script saves without a viewer."""
    kept = ("name", "scale", "translate", "units", "metadata", "colormap", "contrast_limits", "rgb")
    return Image(data, **{key: attributes[key] for key in kept if key in attributes})
