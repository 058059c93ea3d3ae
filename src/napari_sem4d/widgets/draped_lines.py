"""Profile lines laid over the surface in 3D."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Vectors
from napari.utils.colormaps.standardize_color import transform_color

from napari_sem4d.widgets.workspace import METADATA_KEY

if TYPE_CHECKING:
    from napari_sem4d.metrology.profile import Profile
    from napari_sem4d.widgets.profile_model import Line
    from napari_sem4d.widgets.result_view import ResultView

NAME = "profile lines 3D"
LIFT = 0.01
"""Lift over the surface, as a share of the z range: otherwise half of a line drowns in it."""


def draped_vectors(profiles: list[tuple[Line, Profile]], lift_nm: float) -> tuple[np.ndarray, list[str]]:
    """Pieces of all lines on the surface.

    Parameters
    ----------
    profiles : list of (Line, Profile)
        Sampled lines.
    lift_nm : float
        Height over the surface, nm.

    Returns
    -------
    vectors : ndarray, shape (N, 2, 3)
        Start and direction of every piece, (z, y, x) in nm; pieces that touch an invalid sample are left out.
    colours : list of str
        Colour of every piece.
    """
    pieces, colours = [np.empty((0, 2, 3))], []
    for line, profile in profiles:
        points = np.stack([profile.height_nm + lift_nm, profile.y_nm, profile.x_nm], axis=1)
        piece = np.stack([points[:-1], np.diff(points, axis=0)], axis=1)
        piece = piece[np.isfinite(piece).all(axis=(1, 2))]
        pieces.append(piece)
        colours += [line.colour] * len(piece)
    return np.concatenate(pieces), colours


class DrapedLines:
    """A Vectors layer that is there only while lines are looked at in 3D.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Gets the layer.
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.layer: Vectors | None = None
        self._closed = False
        viewer.layers.events.removed.connect(self._on_removed)

    def show(self, profiles: list[tuple[Line, Profile]], result: ResultView | None, unit: str) -> None:
        """Lay the lines over the surface of ``result``; nothing is shown in 2D or without a surface."""
        wanted = self.viewer.dims.ndisplay == 3 and result is not None and result.shown and bool(profiles)
        if not wanted or result is None:
            if self.layer is not None and self.layer.visible:
                flat = np.array(self.layer.data)
                flat[..., 0] = 0.0  # heights would make a false z slider in the 2D view
                self.layer.data = flat  # before it is hidden: napari does not ask a hidden layer for its extent
                self.layer.visible = False
            return
        low, high = result.surface.z_range
        vectors, colours = draped_vectors(profiles, LIFT * (high - low))
        if not len(vectors):
            return
        scale = (result.surface.exaggeration, 1.0, 1.0)
        width = max(result.data.shape) * result.data.pixel_nm / 250
        if self.layer is None:
            layer = Vectors(
                vectors,
                name=NAME,
                edge_width=width,
                edge_color=transform_color(colours),
                vector_style="line",
                scale=scale,
                units=(unit,) * 3,
                axis_labels=("z", "y", "x"),
                metadata={METADATA_KEY: {"path": "", "role": "draped_lines", "scale_status": ""}},
            )
            active = self.viewer.layers.selection.active
            self.viewer.add_layer(layer)
            self.layer = layer
            self.viewer.layers.selection.active = active
        else:
            self.layer.data = vectors
            self.layer.edge_color = transform_color(colours)
            self.layer.scale = scale
        self.layer.visible = True

    def _on_removed(self, event: Any) -> None:
        if event.value is self.layer:
            self.layer = None

    def close(self) -> None:
        """Let go of the viewer. May be called again."""
        if not self._closed:
            self._closed = True
            self.viewer.layers.events.removed.disconnect(self._on_removed)
