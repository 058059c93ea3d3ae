"""Regions of a height map that are measured: rectangles and polygons drawn by the user, and labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Shapes
from psygnal import Signal

from napari_sem4d.errors import InputError
from napari_sem4d.metrology.surface import polygon_region
from napari_sem4d.widgets.workspace import METADATA_KEY, sem4d_metadata

if TYPE_CHECKING:
    from napari_sem4d.widgets.height_source import HeightSource

NAME = "measured regions"
ROLE = "measured_region"
COLOUR = "#ffd24c"
KINDS = {"rectangle": "add_rectangle", "polygon": "add_polygon"}
MaskOf = Callable[[tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class Region:
    """One region: its name, and its mask (Y, X) for the index of a frame (any thread); None is the whole map."""

    name: str
    mask: MaskOf | None = None


WHOLE = Region("whole map")


class RegionLayer:
    """The Shapes layer on which regions are drawn. ``changed`` is emitted at every move and at the end."""

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self._watched: Shapes | None = None

    @property
    def layer(self) -> Shapes | None:
        """The layer, None while nothing was drawn."""
        found = [layer for layer in self.viewer.layers if sem4d_metadata(layer).get("role") == ROLE]
        return found[-1] if found else None

    def draw(self, kind: str, source: HeightSource) -> Shapes:
        """Let the user draw a "rectangle" or a "polygon" over a map (2D view)."""
        if self.viewer.dims.ndisplay == 3:
            self.viewer.dims.ndisplay = 2
        layer = self.layer
        if layer is None:
            unit = source.length_unit
            width = max(n * p for n, p in zip(source.layer.data.shape[-2:], source.pixel, strict=True)) / 300
            layer = Shapes(
                ndim=2,
                name=NAME,
                edge_color=COLOUR,
                face_color="transparent",
                edge_width=width,
                units=(unit, unit),
                axis_labels=("y", "x"),
                metadata={METADATA_KEY: {"path": "", "role": ROLE, "scale_status": ""}},
            )
            layer.current_edge_width = width
            self.viewer.add_layer(layer)
        self.watch()
        self.viewer.layers.selection.active = layer
        layer.mode = KINDS[kind]
        return layer

    def select(self) -> None:
        """End drawing: shapes can be moved now."""
        if self.layer is not None and self.layer.mode != "select":
            self.layer.mode = "select"

    def watch(self) -> None:
        """Listen to the layer that is there now."""
        layer = self.layer
        if layer is self._watched:
            return
        self.let_go()
        self._watched = layer
        if layer is not None:
            layer.events.set_data.connect(self._moved)
            layer.events.data.connect(self._moved)

    def let_go(self) -> None:
        """Listen no more."""
        if self._watched is not None:
            self._watched.events.set_data.disconnect(self._moved)
            self._watched.events.data.disconnect(self._moved)
            self._watched = None

    def _moved(self, event: Any = None) -> None:
        self.changed.emit()

    def regions(self, source: HeightSource) -> list[Region]:
        """What is drawn, in the order of drawing."""
        layer = self.layer
        if layer is None:
            return []
        found = []
        for number, (points, kind) in enumerate(zip(layer.data, layer.shape_type, strict=True), start=1):
            corners = np.asarray(points, dtype=float)[:, -2:]
            if len(corners) >= 3 and kind in KINDS and np.ptp(corners, axis=0).min() > 0:
                found.append(Region(f"{kind} {number}", _polygon(source, corners)))
        return found


def label_regions(layers: Any, source: HeightSource) -> list[Region]:
    """The selected label of every Labels layer that fits the map."""
    rows_columns = source.layer.data.shape[-2:]
    return [
        Region(f"label {layer.selected_label} of {layer.name}", _label(layer, source))
        for layer in layers
        if isinstance(layer, Labels) and layer.data.shape[-2:] == rows_columns
    ]


def _polygon(source: HeightSource, corners: np.ndarray) -> MaskOf:
    points, shape = source.pixels(corners), source.layer.data.shape[-2:]
    return lambda _: polygon_region(shape, points)


def _label(layer: Labels, source: HeightSource) -> MaskOf:
    data, value, name = layer.data, int(layer.selected_label), str(layer.name)
    leading = source.layer.data.shape[:-2]

    def mask(index: tuple[int, ...]) -> np.ndarray:
        # Labels of one image lie over all times; those of a series belong to their frames.
        of_frame = tuple(
            i if n == m else 0 for i, n, m in zip(index[::-1], data.shape[:-2][::-1], leading[::-1], strict=False)
        )[::-1]
        of_frame = (0,) * (data.ndim - 2 - len(of_frame)) + of_frame
        found = np.asarray(data[of_frame]) == value
        if not found.any():
            raise InputError(f"No pixel has the label {value} of {name}: choose another label in its controls.")
        return found

    return mask
