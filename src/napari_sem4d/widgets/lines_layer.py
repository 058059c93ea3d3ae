"""The Shapes layer on which profile lines are drawn, kept in step with the book of lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Shapes

from napari_sem4d.widgets.line_book import LineBook
from napari_sem4d.widgets.profile_model import SHAPES, Line, Lines, colour_of, new_name, same_lines
from napari_sem4d.widgets.workspace import METADATA_KEY, sem4d_metadata

NAME = "profile lines"
ROLE = "profile_lines"
FRESH = ("", "nan", "None")
"""What stands for the name of a shape that was just drawn."""


class LinesLayer:
    """Lines on a two-dimensional Shapes layer, so that they lie over all times.

    napari cannot change two-dimensional shapes in a 3D view. There the book alone counts: the layer is hidden and
    neither read nor written until the view is 2D again.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Gets the layer when the first line is to be drawn; one that is there already is taken over.
    book : LineBook
        The lines.
    """

    def __init__(self, viewer: Any, book: LineBook) -> None:
        self.viewer = viewer
        self.book = book
        self.layer: Shapes | None = None
        self._unit, self._edge_width = "nm", 1.0
        self._busy = False
        self._unwritten = False
        self._hidden_for_3d = False
        self._closed = False
        viewer.dims.events.ndisplay.connect(self._on_ndisplay)
        viewer.layers.events.removed.connect(self._on_removed)
        book.changed.connect(self.write)
        left = [layer for layer in viewer.layers if sem4d_metadata(layer).get("role") == ROLE]
        if left:  # by a dock that was closed
            self._edge_width = float(left[-1].current_edge_width)
            self._take_over(left[-1])
            self._unwritten = self._in_3d
            self._hidden_for_3d = self._in_3d and bool(len(left[-1].data))
            book.commit(self._read())

    def set_edge(self, unit: str, edge_width: float) -> None:
        """Suit the map that is measured.

        Parameters
        ----------
        unit : str
            "nm" or "pixel": unit of the world's y and x.
        edge_width : float
            Width of new lines on the screen, in that unit.
        """
        self._unit, self._edge_width = unit, edge_width
        if self.layer is not None and not self._in_3d:
            self._quietly(lambda: setattr(self.layer, "current_edge_width", edge_width))

    def ensure(self) -> Shapes:
        """The layer, made anew where it is not there."""
        unit, edge_width = self._unit, self._edge_width
        if self.layer is None:
            layer = Shapes(
                ndim=2,
                name=NAME,
                edge_width=edge_width,
                face_color="transparent",
                edge_color=colour_of(""),
                features={"name": np.array([], dtype=object)},
                units=(unit, unit),
                axis_labels=("y", "x"),
                metadata={METADATA_KEY: {"path": "", "role": ROLE, "scale_status": ""}},
            )
            layer.current_edge_width = edge_width
            active = self.viewer.layers.selection.active
            self.viewer.add_layer(layer)
            self._take_over(layer)
            self.viewer.layers.selection.active = active
            if self._in_3d:
                self._hidden_for_3d, layer.visible = True, False
        assert self.layer is not None
        return self.layer

    def _take_over(self, layer: Shapes) -> None:
        layer.events.set_data.connect(self._on_move)
        layer.events.data.connect(self._on_commit)
        layer.bind_key("Control-Z", lambda _: self.book.undo(), overwrite=True)
        layer.bind_key("Control-Shift-Z", lambda _: self.book.redo(), overwrite=True)
        self.layer = layer

    @property
    def _in_3d(self) -> bool:
        return self.viewer.dims.ndisplay == 3

    # --- from the layer -------------------------------------------------------------------------------

    def _read(self) -> Lines:
        """The lines that stand on the layer; new shapes get a name and a colour."""
        if self.layer is None:
            return ()
        known = {line.name: line for line in self.book.lines}
        names = [str(n) for n in self.layer.features["name"]] if len(self.layer.features) else []
        names += [""] * (len(self.layer.data) - len(names))
        colours = [_hex(rgba) for rgba in self.layer.edge_color]
        lines: list[Line] = []
        seen: set[str] = set()
        for points, kind, name, colour in zip(
            self.layer.data, self.layer.shape_type, names, colours, strict=False
        ):
            if kind not in SHAPES or np.ptp(np.asarray(points), axis=0).max() <= 0:
                continue
            if name in FRESH or name in seen:
                name = new_name({*names, *seen})
                colour = colour_of(name)
            seen.add(name)
            corners = np.array(points, dtype=float)
            old = known.get(name)
            lines.append(replace(old, points=corners) if old else Line(name, colour, kind, corners))
        return tuple(lines)

    def _on_move(self, event: Any = None) -> None:
        """Follow a drag. napari tells the same when it slices, and then nothing has changed."""
        if self._busy or self._unwritten or self._in_3d:
            return
        lines = self._read()
        if not same_lines(lines, self.book.lines):
            self.book.preview(lines)

    def _on_commit(self, event: Any = None) -> None:
        action = str(getattr(event, "action", ""))
        if self._busy or self._unwritten or self._in_3d or action.endswith(("adding", "removing", "changing")):
            return  # a "changed", "added" or "removed" follows
        self.book.commit(self._read())

    # --- to the layer ---------------------------------------------------------------------------------

    def write(self) -> None:
        """Put the lines of the book onto the layer."""
        if self.layer is None:
            if not self.book.lines:
                return
            self.ensure()  # the user removed the layer and undid it
        if self._in_3d:
            self._unwritten = True
            return
        self._unwritten = False
        self._quietly(self._write_lines)

    def _write_lines(self) -> None:
        assert self.layer is not None
        lines = self.book.lines
        there = self.layer.data
        if len(there) != len(lines) or not all(
            kind == line.kind and np.array_equal(np.asarray(points), line.points)
            for points, kind, line in zip(there, self.layer.shape_type, lines, strict=True)
        ):
            self.layer.selected_data = set()
            self.layer.data = []
            if lines:
                self.layer.add(
                    [line.points for line in lines],
                    shape_type=[line.kind for line in lines],
                    edge_width=self._edge_width,
                    edge_color=[line.colour for line in lines],
                )
        self.layer.features = {"name": np.array([line.name for line in lines], dtype=object)}
        self.layer.feature_defaults = {"name": ""}
        if lines and [_hex(rgba) for rgba in self.layer.edge_color] != [line.colour for line in lines]:
            self.layer.edge_color = [line.colour for line in lines]

    def _on_ndisplay(self, event: Any = None) -> None:
        """Hide the flat lines in 3D (they are draped there); write what was changed meanwhile."""
        if self.layer is None:
            return
        if self._in_3d:
            self._hidden_for_3d = self.layer.visible
            self.layer.visible = False
            return
        if self._unwritten:
            self.write()
        if self._hidden_for_3d:
            self._hidden_for_3d = False
            self.layer.visible = True

    def _quietly(self, action: Callable[[], None]) -> None:
        self._busy = True
        try:
            action()
        finally:
            self._busy = False

    def _on_removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer:
            self._let_go()
            self.book.commit(())

    def _let_go(self) -> None:
        if self.layer is not None:
            self.layer.events.set_data.disconnect(self._on_move)
            self.layer.events.data.disconnect(self._on_commit)
            self.layer = None
        self._unwritten = False

    def close(self) -> None:
        """Let go of the viewer; the layer stays. May be called again."""
        if self._closed:
            return
        self._closed = True
        self.viewer.dims.events.ndisplay.disconnect(self._on_ndisplay)
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        self.book.changed.disconnect(self.write)
        self._let_go()


def _hex(rgba: np.ndarray) -> str:
    """A colour of napari as #rrggbb."""
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in rgba[:3])
