"""Profile lines on the 3D surface."""

import numpy as np
import pytest
from conftest_helpers import canvas, drag_on_canvas
from profile_helpers import LEFT, ramp_dataset
from qtpy.QtCore import QPoint, Qt

from napari_sem4d.widgets.draw_3d import shape_points
from napari_sem4d.widgets.profile import Profile
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result

SHIFT = Qt.KeyboardModifier.ShiftModifier


def test_a_freehand_way_becomes_a_polyline_of_few_points():
    along = np.linspace(0, 100, 60)
    trail = np.concatenate([np.stack([0 * along, along], 1), np.stack([along, 100 + 0 * along], 1)])
    points = shape_points("path", trail, 1.0)
    np.testing.assert_allclose(points, [(0, 0), (0, 100), (100, 100)])


def test_a_rectangle_needs_two_sides():
    assert shape_points("rectangle", np.array([(0.0, 0.0), (0.0, 5.0)]), 1.0) is None
    assert shape_points("rectangle", np.array([(0.0, 0.0), (4.0, 5.0)]), 1.0).shape == (4, 2)


def test_lines_that_were_draped_leave_no_z_slider_in_2d(viewer_model, qtbot):
    view = show_result(viewer_model, from_dataset(ramp_dataset()))
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    dock.add_line([(50, 0), (50, 250)])
    view.show_3d()
    qtbot.wait(30)
    assert dock.shown.draped.layer.visible
    assert viewer_model.dims.range[-3].stop > 50
    viewer_model.dims.ndisplay = 2
    qtbot.wait(30)
    assert viewer_model.dims.range[-3][:2] == (0, 0)
    assert not dock.shown.draped.layer.visible
    dock.close()


@pytest.mark.gl
def test_shift_drag_on_the_surface_draws_a_line_that_lies_on_it(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    view = show_result(viewer, from_dataset(ramp_dataset()))
    dock = Profile(viewer)
    viewer.window.add_dock_widget(dock, area="right")
    viewer.dims.set_current_step(0, 0)
    view.show_3d()
    qtbot.wait(200)
    angles = viewer.scene.camera.angles
    middle = canvas().rect().center()
    live = []
    drag_on_canvas(
        qtbot,
        middle - QPoint(80, 0),
        middle + QPoint(80, 0),
        each=lambda: live.append(len(dock.profiles)),
        modifiers=SHIFT,
    )
    qtbot.waitUntil(lambda: len(dock.profiles) == 1)
    assert 1 in live  # while the button was down
    assert viewer.scene.camera.mouse_pan
    np.testing.assert_allclose(viewer.scene.camera.angles, angles)
    line, profile = dock.profiles[0]
    assert line.kind == "line"
    assert profile.length_nm > 30
    # the piece on the surface begins where the heights say
    start = dock.shown.draped.layer.data[0, 0]
    row, col = start[1] / 5, start[2] / 5
    lift = 0.01 * (view.surface.z_range[1] - view.surface.z_range[0])
    assert start[0] == pytest.approx(2 * col + row + lift, abs=0.5)

    qtbot.mouseClick(dock.tools.tools["rectangle"], LEFT)
    assert viewer.dims.ndisplay == 3
    drag_on_canvas(qtbot, middle - QPoint(60, 20), middle + QPoint(60, 30), modifiers=SHIFT)
    qtbot.waitUntil(lambda: len(dock.profiles) == 2)
    assert dock.profiles[1][0].kind == "rectangle"

    qtbot.mouseClick(dock.tools.actions_["undo"], LEFT)
    qtbot.waitUntil(lambda: len(dock.profiles) == 1)
    drag_on_canvas(qtbot, middle - QPoint(60, 20), middle + QPoint(60, 30))  # without Shift the camera turns
    qtbot.wait(50)
    assert len(dock.profiles) == 1
    assert not np.allclose(viewer.scene.camera.angles, angles)
    viewer.dims.ndisplay = 2
    qtbot.wait(50)
    np.testing.assert_allclose(dock.lines.layer.data[0], line.points)
    dock.close()
