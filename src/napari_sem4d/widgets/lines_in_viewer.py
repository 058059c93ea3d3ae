"""Profile lines in the viewer: flat on the image, draped over the surface, drawn on either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_sem4d.widgets.draped_lines import DrapedLines
from napari_sem4d.widgets.draw_3d import DrawIn3D
from napari_sem4d.widgets.height_source import HeightSource
from napari_sem4d.widgets.line_book import LineBook
from napari_sem4d.widgets.lines_layer import LinesLayer
from napari_sem4d.widgets.profile_model import Sampled
from napari_sem4d.widgets.result_view import ResultView
from napari_sem4d.widgets.workspace import workspace_of

HINT_2D = "Choose a tool, then drag across the height image."
HINT_3D = "Hold Shift and drag across the surface."
LINE_WIDTH = 1 / 250
"""Width of a line on the screen, as a part of the longer side of the map."""
MODES = {"line": "add_line", "path": "add_polyline", "rectangle": "add_rectangle"}


class LinesInViewer:
    """The layers and mouse actions of a book of lines.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Gets the layers.
    book : LineBook
        The lines.
    kind : callable
        Gives the kind of shape that a Shift-drag draws.
    """

    def __init__(self, viewer: Any, book: LineBook, kind: Callable[[], str]) -> None:
        self.viewer = viewer
        self.flat = LinesLayer(viewer, book)
        self.draped = DrapedLines(viewer)
        self.draw_3d = DrawIn3D(viewer, book, self._target, kind)
        self.source: HeightSource | None = None

    def set_source(self, source: HeightSource | None) -> None:
        """Draw on another map."""
        self.source = source
        if source is not None:
            sides = zip(source.layer.data.shape[-2:], source.pixel, strict=True)
            self.flat.set_edge(source.length_unit, max(n * edge for n, edge in sides) * LINE_WIDTH)

    def result(self) -> ResultView | None:
        """The result whose heights are measured, where it is the one that is looked at."""
        if self.source is None:
            return None
        shown = [r for r in workspace_of(self.viewer).results if r.height is self.source.layer and r.shown]
        return shown[0] if shown else None

    def _target(self) -> tuple[ResultView, HeightSource] | None:
        result = self.result()
        return None if result is None or self.source is None else (result, self.source)

    @property
    def _on_surface(self) -> bool:
        return self.viewer.dims.ndisplay == 3 and self.result() is not None

    def hint(self) -> str:
        """How a line is drawn in the present view."""
        return HINT_3D if self._on_surface else HINT_2D

    def take_tool(self, kind: str) -> str:
        """Make the mouse draw a kind of shape (empty: choose and move); the answer says how, where it must."""
        if not kind:
            if self.flat.layer is not None and self.viewer.dims.ndisplay == 2:
                self.flat.layer.mode = "select"
            return ""
        if self._on_surface:
            return HINT_3D
        self.viewer.dims.ndisplay = 2
        layer = self.flat.ensure()
        layer.visible = True
        self.viewer.layers.selection.active = layer
        layer.mode = MODES[kind]
        return ""

    def show(self, profiles: Sampled) -> None:
        """Lay lines and outlines of rectangles over the surface; nothing is shown in 2D."""
        if self.source is None:
            return
        outlines: Sampled = []
        if self._on_surface:
            height = self.source.height(self.source.index(self.viewer.dims))
            outlines = [
                (line, line.outline(self.source, height)) for line, _ in profiles if line.kind == "rectangle"
            ]
        self.draped.show([*profiles, *outlines], self.result(), self.source.length_unit)

    def close(self, *_: object) -> None:
        """Let go of the viewer; the layers stay."""
        for part in (self.flat, self.draped, self.draw_3d):
            part.close()
