"""Surfaces and a hand for the tests of the Profile dock."""

import numpy as np
from conftest_helpers import move_pressed, result_dataset
from qtpy.QtCore import QPointF, Qt

LEFT = Qt.MouseButton.LeftButton


def ramp_dataset(scale_status="calibrated", frames=3):
    """Heights that grow by 2 nm a column and 1 nm a row, times the frame number."""
    row, col = np.mgrid[:40, :60].astype(np.float32)
    heights = np.stack([(i + 1) * (2 * col + row) for i in range(frames)])
    return result_dataset(heights=heights, scale_status=scale_status)


def step_dataset(height_nm=100.0, tilt=0.02, frames=2):
    """A step at column 30 on a tilted plane (pixels of 5 nm); the second frame is twice as high."""
    _, col = np.mgrid[:40, :60].astype(np.float32)
    plane = tilt * 5.0 * col
    heights = np.stack([plane + (i + 1) * height_nm * (col >= 30) for i in range(frames)])
    return result_dataset(heights=heights)


def with_draws(dataset, spread_nm, draws=200):
    """Posterior draws whose error is one constant for the left and one for the right half of the map."""
    rng = np.random.default_rng(1)
    frames, _, columns = dataset["height"].shape
    sides = rng.normal(0, spread_nm, (frames, draws, 1, 2))
    error = np.repeat(sides, [columns // 2, columns - columns // 2], axis=3)
    dataset["draws"] = (("time", "draw", "y", "x"), (dataset["height"].values[:, None] + error).astype(np.float32))
    return dataset


def draw(dock, qtbot, points, shape_type="line"):
    """Add a shape as the end of a drawing does."""
    if not dock.tools.kind:
        qtbot.mouseClick(dock.tools.tools["line"], LEFT)
    dock.lines.layer.add([np.array(points, dtype=float)], shape_type=shape_type)
    qtbot.wait(20)


def drag_on_plot(qtbot, plot, start, end, moves=6, each=None):
    """Drag between two points (x, y) in the units of a plot."""

    def pixel(x, y):
        scene = plot.getPlotItem().vb.mapViewToScene(QPointF(x, y))
        return plot.mapFromScene(scene)

    view = plot.viewport()
    # The axes may move while dragging, so the way is fixed on the screen.
    a, b = pixel(*start), pixel(*end)
    qtbot.mouseMove(view, a)
    qtbot.mousePress(view, LEFT, pos=a)
    for part in np.linspace(0, 1, moves + 1)[1:]:
        move_pressed(view, a + (b - a) * float(part))
        qtbot.wait(10)
        if each is not None:
            each()
    qtbot.mouseRelease(view, LEFT, pos=b)
    qtbot.wait(30)
