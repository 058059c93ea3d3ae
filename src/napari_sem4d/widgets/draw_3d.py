"""Shift-drag on the 3D surface draws profile lines."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from skimage.measure import approximate_polygon

from napari_sem4d.widgets.height_source import HeightSource
from napari_sem4d.widgets.line_book import LineBook
from napari_sem4d.widgets.profile_model import Line, colour_of
from napari_sem4d.widgets.result_view import ResultView

LEFT_BUTTON = 1


class DrawIn3D:
    """Draws a line, a polyline (freehand) or a rectangle while Shift is held in the 3D view.

    The callback belongs to the viewer, not to the Surface layer, which is slow to hover over while it is active.

    Parameters
    ----------
    viewer : ViewerModel
        The viewer.
    book : LineBook
        Gets the lines.
    target : callable
        Gives the result whose surface is measured and its source of heights; None where there is no surface.
    kind : callable
        Gives the kind of shape to draw, see :data:`profile_model.SHAPES`.
    """

    def __init__(
        self,
        viewer: Any,
        book: LineBook,
        target: Callable[[], tuple[ResultView, HeightSource] | None],
        kind: Callable[[], str],
    ) -> None:
        self.viewer = viewer
        self.book = book
        self._target = target
        self._kind = kind
        viewer.mouse_drag_callbacks.append(self._on_drag)

    def _on_drag(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        if self.viewer.dims.ndisplay != 3 or "Shift" not in event.modifiers or event.button != LEFT_BUTTON:
            return
        target = self._target()
        if target is None:
            return
        result, source = target
        first = self._world(result, source, event)
        if first is None:
            return
        camera = self.viewer.scene.camera
        panned, camera.mouse_pan = camera.mouse_pan, False
        before, name, kind = self.book.lines, self.book.free_name(), self._kind()
        trail = [first]
        drawn = before
        try:
            yield
            while event.type == "mouse_move":
                point = self._world(result, source, event)
                if point is not None and np.any(point != trail[-1]):
                    trail.append(point)
                    shape = shape_points(kind, np.array(trail), max(source.pixel))
                    if shape is not None:
                        drawn = (*before, Line(name, colour_of(name), kind, shape))
                        self.book.preview(drawn)
                yield
        finally:
            camera.mouse_pan = panned
            self.book.commit(drawn)

    @staticmethod
    def _world(result: ResultView, source: HeightSource, event: Any) -> np.ndarray | None:
        """Point (y, x) in the world, in the unit of the lines, under the mouse."""
        pixel = result.pixel_under(event.position, event.view_direction)
        if pixel is None:
            return None
        return np.array(pixel) * np.array(source.pixel) + np.array(source.origin)

    def close(self) -> None:
        """Let go of the viewer."""
        if self._on_drag in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._on_drag)


def shape_points(kind: str, trail: np.ndarray, pixel: float) -> np.ndarray | None:
    """Points of a shape from the way of the mouse; None while it has no size.

    Parameters
    ----------
    kind : str
        "line", "path" or "rectangle".
    trail : ndarray, shape (P, 2)
        (y, x) of the mouse.
    pixel : float
        Size of a pixel, same unit: a polyline keeps to the way within twice that.
    """
    start, end = trail[0], trail[-1]
    if kind == "path":
        points = np.asarray(approximate_polygon(trail, 2.0 * pixel))
        return points if np.ptp(points, axis=0).max() > 0 else None
    if kind == "rectangle":
        if np.any(start == end):
            return None
        return np.array([start, (start[0], end[1]), end, (end[0], start[1])])
    return np.array([start, end]) if np.any(start != end) else None
