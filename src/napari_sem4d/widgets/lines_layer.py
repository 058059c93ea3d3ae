"""The Shapes layer on which profile lines are drawn, and what stands on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Shapes
from psygnal import Signal

from napari_sem4d.widgets.profile_model import SHAPES, Line, UndoList, colour_of, new_name
from napari_sem4d.widgets.workspace import METADATA_KEY

NAME = "profile lines"


class LinesLayer:
    """Lines on a two-dimensional Shapes layer, so that they lie over all times.

    ``moved`` is emitted at every move of a drag, ``changed`` when a drawing, a drag, a removal or an undo ends.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Gets the layer when the first line is to be drawn.
    unit : str
        "nm" or "pixel": unit of the world's y and x.
    edge_width : float
        Width of the lines in that unit.
    """

    moved = Signal()
    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.layer: Shapes | None = None
        self.lines: tuple[Line, ...] = ()
        self.undo_list = UndoList()
        self._busy = False
        self._unwritten = False
        self._hidden_for_3d = False
        self._closed = False
        viewer.dims.events.ndisplay.connect(self._on_ndisplay)

    def ensure(self, unit: str, edge_width: float) -> Shapes:
        """The layer, made anew where it is not there."""
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
                metadata={METADATA_KEY: {"path": "", "role": "profile_lines", "scale_status": ""}},
            )
            layer.current_edge_width = edge_width
            layer.events.set_data.connect(self._on_move)
            layer.events.data.connect(self._on_commit)
            layer.bind_key("Control-Z", lambda _: self.undo())
            self.layer = layer
            self.viewer.add_layer(layer)
            if self.viewer.dims.ndisplay == 3:
                self._hidden_for_3d, layer.visible = True, False
            self.viewer.layers.events.removed.connect(self._on_removed)
        return self.layer

    # --- from the layer -------------------------------------------------------------------------------

    def _read(self) -> tuple[Line, ...]:
        """The lines that stand on the layer; new shapes get a name and a colour."""
        if self.layer is None:
            return ()
        known = {line.name: line for line in self.lines}
        names = [str(n) for n in self.layer.features["name"]] if len(self.layer.features) else []
        names += [""] * (len(self.layer.data) - len(names))
        lines: list[Line] = []
        seen: set[str] = set()
        for points, kind, name in zip(self.layer.data, self.layer.shape_type, names, strict=False):
            if kind not in SHAPES or np.ptp(np.asarray(points), axis=0).max() <= 0:
                continue
            if name in ("", "nan", "None") or name in seen:
                name = new_name({*names, *seen})
            seen.add(name)
            old = known.get(name)
            cursors = old.cursors if old else (0.25, 0.75)
            lines.append(Line(name, colour_of(name), kind, np.array(points, dtype=float), cursors))
        return tuple(lines)

    def _on_move(self, event: Any = None) -> None:
        if not self._busy:
            self.lines = self._read()
            self.moved.emit()

    def _on_commit(self, event: Any = None) -> None:
        action = str(getattr(event, "action", ""))
        if self._busy or action.endswith(("adding", "removing", "changing")):
            return  # a "changed", "added" or "removed" follows
        self.commit()

    def commit(self) -> None:
        """Take the lines on the layer as the new state; the one before can be had back."""
        lines = self._read()
        before = self._committed
        if _same(before, lines):
            return
        self.undo_list.remember(before)
        self.lines = self._committed = lines
        self._dress()
        self.changed.emit()

    _committed: tuple[Line, ...] = ()

    def _dress(self) -> None:
        """Write names and colours onto the layer, so that picture and plot agree."""
        if self.layer is None or len(self.lines) != len(self.layer.data):
            return
        self._quietly(self._write_dress)

    def _write_dress(self) -> None:
        assert self.layer is not None
        self.layer.features = {"name": np.array([line.name for line in self.lines], dtype=object)}
        self.layer.feature_defaults = {"name": ""}
        if self.lines:
            self.layer.edge_color = [line.colour for line in self.lines]

    # --- to the layer ---------------------------------------------------------------------------------

    def set_lines(self, lines: tuple[Line, ...]) -> None:
        """Put other lines onto the layer (undo, removal by the dock)."""
        self.lines = self._committed = lines

        if self.viewer.dims.ndisplay == 3:  # napari cannot change two-dimensional shapes in a 3D view
            self._unwritten = True
        elif self.layer is not None:
            self._quietly(self._write_lines)
        self.changed.emit()

    def _write_lines(self) -> None:
        assert self.layer is not None
        self.layer.selected_data = set()
        self.layer.data = []
        if self.lines:
            self.layer.add(
                [line.points for line in self.lines],
                shape_type=[line.kind for line in self.lines],
                edge_width=self.layer.current_edge_width,
                edge_color=[line.colour for line in self.lines],
            )
        self._write_dress()

    def _on_ndisplay(self, event: Any = None) -> None:
        """Hide the flat lines in 3D (they are draped there); write what was changed meanwhile."""
        if self.layer is None:
            return
        if self.viewer.dims.ndisplay == 3:
            self._hidden_for_3d = self.layer.visible
            self.layer.visible = False
            return
        if self._unwritten:
            self._unwritten = False
            self._quietly(self._write_lines)
        if self._hidden_for_3d:
            self._hidden_for_3d = False
            self.layer.visible = True

    def undo(self) -> bool:
        """Take back the last change; False when there is none."""
        state = self.undo_list.undo()
        if state is None:
            return False
        self.set_lines(state)
        return True

    def remove(self, name: str) -> None:
        """Remove a line; it can be had back by undo."""
        self.undo_list.remember(self._committed)
        self.set_lines(tuple(line for line in self.lines if line.name != name))

    def set_cursors(self, name: str, cursors: tuple[float, float]) -> None:
        """Move the cursor pair of a line (parts of its length)."""
        self.lines = tuple(
            Line(line.name, line.colour, line.kind, line.points, cursors) if line.name == name else line
            for line in self.lines
        )
        self._committed = self.lines

    def _quietly(self, action: Callable[[], None]) -> None:
        self._busy = True
        try:
            action()
        finally:
            self._busy = False

    def _on_removed(self, event: Any) -> None:
        if self.layer is not None and event.value is self.layer:
            self.viewer.layers.events.removed.disconnect(self._on_removed)
            self.layer = None
            self.undo_list.remember(self._committed)
            self.lines = self._committed = ()
            self.changed.emit()

    def close(self) -> None:
        """Let go of the viewer; the layer stays. May be called again."""
        if self._closed:
            return
        self._closed = True
        self.viewer.dims.events.ndisplay.disconnect(self._on_ndisplay)
        if self.layer is not None:
            self.layer.events.set_data.disconnect(self._on_move)
            self.layer.events.data.disconnect(self._on_commit)
            self.viewer.layers.events.removed.disconnect(self._on_removed)
            self.layer = None


def _same(a: tuple[Line, ...], b: tuple[Line, ...]) -> bool:
    return len(a) == len(b) and all(
        x.name == y.name and x.kind == y.kind and np.array_equal(x.points, y.points)
        for x, y in zip(a, b, strict=True)
    )
