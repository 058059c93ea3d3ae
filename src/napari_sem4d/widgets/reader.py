"""napari contributions that open things: SEM images, descriptions, results, height maps, the sample series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_sem4d.errors import Sem4dError
from napari_sem4d.widgets import height_files
from napari_sem4d.widgets.series_layer import series_layer_data

LayerData = tuple[Any, ...]
NOTHING: list[LayerData] = [(None,)]
"""What a reader returns when it has dealt with a path and there is no layer to add."""


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return the reader for what was opened or dropped; None for what is not ours.

    Parameters
    ----------
    path : str or sequence of str
        Files or folders.
    """
    paths = _paths(path)
    if not paths:
        return None
    if all(_is_zarr(p) for p in paths):
        return read_results if all((p / "zarr.json").is_file() for p in paths) else None
    if height_files.is_height_file(paths[0]):
        return read_height_maps if all(height_files.is_height_file(p) for p in paths[1:]) else None
    if all(p.is_dir() or p.suffix.lower() in (".tif", ".tiff") or p.name == "acquisition.yaml" for p in paths):
        return read_series
    return None


def read_series(path: str | Sequence[str]) -> list[LayerData]:
    """Open images as one series and make it the one that the docks work on."""
    from napari_sem4d import api

    paths = _paths(path)
    try:
        series = api.open_series(_as_inputs(paths))
    except Sem4dError as error:
        return _tell(error)
    _in_viewer(lambda viewer: _use_series(viewer, series, paths))
    return [series_layer_data(series, paths)]


def read_results(path: str | Sequence[str]) -> list[LayerData]:
    """Open result stores; where there is a viewer with a window, their surface follows the time slider."""
    from napari_sem4d import api
    from napari_sem4d.widgets.maps import image_layer_data
    from napari_sem4d.widgets.result_data import from_dataset
    from napari_sem4d.widgets.result_view import ResultView
    from napari_sem4d.widgets.workspace import workspace_of

    layers: list[LayerData] = []
    for store in _paths(path):
        try:
            data = from_dataset(api.open_result(store), store)
        except Sem4dError as error:
            return _tell(error)
        layers += image_layer_data(data)
        _in_viewer(lambda viewer, data=data: workspace_of(viewer).add_result(ResultView(viewer, data)))
    return layers


def read_height_maps(path: str | Sequence[str]) -> list[LayerData]:
    """Open height maps of any instrument; what looks wrong in them is told, what they do not say is asked."""
    import napari
    from napari.utils.notifications import show_warning

    layers: list[LayerData] = []
    for file in _paths(path):
        try:
            data = height_files.height_layer_data(file, ask=napari.current_viewer() is not None)
        except Sem4dError as error:
            return _tell(error)
        for question in data[1]["metadata"]["sem4d"]["questions"]:
            show_warning(f"{file.name}: {question}")
        layers.append(data)
    _in_viewer(_show_scale)
    return layers


def _show_scale(viewer: Any) -> None:
    """Scale bar, and a colour bar on the newest height map."""
    from napari_sem4d.widgets.workspace import sem4d_metadata

    viewer.canvas.overlays.scale_bar.visible = True
    newest = [layer for layer in viewer.layers if sem4d_metadata(layer).get("role") == "height"][-1:]
    for layer in newest:
        layer.colorbar.visible = True


def sample_series() -> list[LayerData]:
    """Sample data: the simulated series that comes with the package."""
    from napari_sem4d import api

    return read_series(str(api.sample_series()))


def _use_series(viewer: Any, series: Any, paths: tuple[Path, ...]) -> None:
    from napari_sem4d.widgets.workspace import workspace_of

    workspace_of(viewer).set_series(series, paths)


def _in_viewer(action: Callable[[Any], Any]) -> None:
    """Run ``action(viewer)`` once napari has added the layers of this read; without a window, not at all."""
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return
    from qtpy.QtCore import QTimer

    QTimer.singleShot(0, lambda: action(viewer))


def _tell(error: Exception) -> list[LayerData]:
    from napari.utils.notifications import show_error

    show_error(str(error))
    return NOTHING


def _paths(path: str | Sequence[str]) -> tuple[Path, ...]:
    return (Path(path),) if isinstance(path, (str, Path)) else tuple(Path(p) for p in path)


def _as_inputs(paths: tuple[Path, ...]) -> Any:
    """A single acquisition.yaml stands for its folder."""
    if len(paths) == 1:
        return paths[0].parent if paths[0].name == "acquisition.yaml" else paths[0]
    return list(paths)


def _is_zarr(path: Path) -> bool:
    return path.suffix.lower() == ".zarr"
