"""Small surfaces and results for the tests of the viewer, and a hand for the mouse."""

import numpy as np
import xarray as xr
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QWidget


def letter_f(shape=(48, 64), height_nm=100.0):
    """A raised letter F, upright in the array: neither mirrored nor turned copies look the same."""
    image = np.zeros(shape, dtype=np.float32)
    image[8:40, 16:22] = height_nm  # the stem, left
    image[8:14, 16:48] = height_nm  # the long bar, top
    image[21:27, 16:36] = height_nm  # the short bar, below it
    return image


def result_dataset(frames=3, shape=(48, 64), pixel_nm=5.0, scale_status="calibrated", heights=None):
    """A result as the store gives it, frame i being (i + 1) times a letter F."""
    if heights is None:
        heights = np.stack([(i + 1) * letter_f(shape) for i in range(frames)])
    frames, *shape = heights.shape
    flat = np.ones_like(heights)
    return xr.Dataset(
        {
            "height": (("time", "y", "x"), heights.astype(np.float32)),
            "height_std": (("time", "y", "x"), 1.5 * flat),
            "relative_yield": (("time", "y", "x"), flat),
        },
        coords={
            "time": ("time", 4.0 * np.arange(frames), {"units": "s"}),
            "y": ("y", pixel_nm * np.arange(shape[0]), {"units": "nm"}),
            "x": ("x", pixel_nm * np.arange(shape[1]), {"units": "nm"}),
        },
        attrs={"pixel_nm": pixel_nm, "scale_status": scale_status},
    )


def canvas():
    """The Qt widget that draws the viewer which is open."""
    for window in QApplication.topLevelWidgets():
        for child in window.findChildren(QWidget):
            if type(child).__name__ == "CanvasBackendDesktop" and child.isVisible():
                return child
    raise AssertionError("no viewer is open")


def screen_point(viewer, y, x):
    """Where a point of the world is on the canvas (2D view)."""
    widget, camera = canvas(), viewer.scene.camera
    return QPoint(
        round(widget.width() / 2 + (x - camera.center[-1]) * camera.zoom),
        round(widget.height() / 2 + (y - camera.center[-2]) * camera.zoom),
    )


def drag(qtbot, viewer, start, end, moves=5, each=None):
    """Drag the mouse between two points (y, x) of the world."""
    drag_on_canvas(qtbot, screen_point(viewer, *start), screen_point(viewer, *end), moves, each)


def drag_on_canvas(qtbot, start, end, moves=5, each=None, modifiers=Qt.KeyboardModifier.NoModifier):
    """Drag the mouse between two pixels of the canvas, with keys held."""
    left = Qt.MouseButton.LeftButton
    widget = canvas()
    qtbot.mouseMove(widget, start)
    qtbot.mousePress(widget, left, modifiers, start)
    for part in np.linspace(0, 1, moves + 1)[1:]:
        move_pressed(widget, start + (end - start) * float(part), modifiers)
        qtbot.wait(20)
        if each is not None:
            each()
    qtbot.mouseRelease(widget, left, modifiers, end)
    qtbot.wait(20)


def move_pressed(widget, point, modifiers=Qt.KeyboardModifier.NoModifier):
    """A move with the button held (QTest sends moves without it)."""
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent

    left = Qt.MouseButton.LeftButton
    where = QPointF(point)
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        where,
        QPointF(widget.mapToGlobal(point)),
        Qt.MouseButton.NoButton,
        left,
        modifiers,
    )
    QApplication.sendEvent(widget, event)
