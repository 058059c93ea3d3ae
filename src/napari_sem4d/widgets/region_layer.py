"""A rectangle that the user draws to say which area of the images is meant."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Shapes

from napari_sem4d.widgets.workspace import METADATA_KEY, sem4d_metadata

NAME = "calibration area"
Region = tuple[int, int, int, int]


def area_layer(viewer: Any) -> Shapes | None:
    """The layer with the area, where there is one."""
    found = [layer for layer in viewer.layers if sem4d_metadata(layer).get("role") == "calibration_area"]
    return found[-1] if found else None


def mark_area(viewer: Any, pixel_nm: float | None) -> Shapes:
    """Let the user draw a rectangle on the images (2D view)."""
    if viewer.dims.ndisplay == 3:
        viewer.dims.ndisplay = 2
    layer = area_layer(viewer)
    if layer is None:
        edge = pixel_nm or 1.0
        unit = "nm" if pixel_nm else "pixel"
        layer = Shapes(
            ndim=2,
            name=NAME,
            edge_color="#4cc3ff",
            face_color="transparent",
            edge_width=3,
            scale=(edge, edge),
            units=(unit, unit),
            axis_labels=("y", "x"),
            metadata={METADATA_KEY: {"path": "", "role": "calibration_area", "scale_status": ""}},
        )
        viewer.add_layer(layer)
    viewer.layers.selection.active = layer
    layer.mode = "add_rectangle"
    return layer


def marked_region(viewer: Any, shape: tuple[int, int]) -> Region | None:
    """First row, first column, rows and columns of the last rectangle; None means the whole image.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Where the rectangle was drawn.
    shape : tuple of int
        (Y, X) of the images; the rectangle is clipped to them.
    """
    layer = area_layer(viewer)
    if layer is None or not len(layer.data):
        return None
    corners = np.asarray(layer.data[-1])[:, -2:]
    first = np.clip(np.floor(corners.min(axis=0) + 0.5), 0, np.array(shape) - 1).astype(int)
    last = np.clip(np.floor(corners.max(axis=0) + 0.5), first + 1, shape).astype(int)
    rows, cols = last - first
    return int(first[0]), int(first[1]), int(rows), int(cols)
