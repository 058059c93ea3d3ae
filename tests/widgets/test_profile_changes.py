"""Lines of the Profile dock: names, colours, undo and redo, view modes, layers that come and go."""

import numpy as np
import pytest
from conftest_helpers import result_dataset
from profile_helpers import LEFT, drag_on_plot, draw, ramp_dataset
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog

from napari_sem4d.widgets.profile import Profile
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result


@pytest.fixture
def dock(viewer_model, qtbot):
    show_result(viewer_model, from_dataset(ramp_dataset()))
    viewer_model.dims.set_current_step(0, 0)
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    dock.show()
    yield dock
    dock.close()


def names(dock):
    return [line.name for line in dock.book.lines]


def test_lines_set_in_3d_outlive_slicing_of_their_layer(dock, qtbot, viewer_model):
    viewer_model.dims.ndisplay = 3
    dock.add_line([(50, 0), (50, 250)])
    dock.lines.layer.visible = True
    dock.lines.layer.refresh()  # what a new frame, a new layer or the end of a run brings about
    qtbot.wait(20)
    assert names(dock) == ["line 1"]
    assert dock.plot.keys == ["line 1"]
    viewer_model.dims.ndisplay = 2
    np.testing.assert_allclose(dock.lines.layer.data[0], [(50, 0), (50, 250)])
    assert dock.lines.layer.features["name"][0] == "line 1"


def test_a_line_set_when_a_run_ends_stays(dock, qtbot, viewer_model):
    view = dock.space.results[-1]
    view.show_3d()
    dock.add_line([(50, 0), (50, 250)])
    view.fix_limits()
    view.frame_changed(view.frame)
    show_result(viewer_model, from_dataset(ramp_dataset(frames=4)))
    qtbot.wait(20)
    assert names(dock) == ["line 1"]
    assert len(dock.profiles) == 1


def test_a_polyline_runs_along_its_pieces(dock, qtbot):
    draw(dock, qtbot, [(0, 0), (0, 100), (150, 100)], "path")
    profile = dock.profiles[0][1]
    assert profile.length_nm == 250
    # 2 nm a column for 20 columns, then 1 nm a row for 30 rows
    assert profile.height_nm[20] == pytest.approx(40)
    assert profile.height_nm[-1] == pytest.approx(70)


def test_a_line_is_renamed_in_the_table_and_keeps_its_place(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    draw(dock, qtbot, [(75, 0), (75, 250)])
    item = dock.table.item(0, 0)
    dock.table.setCurrentItem(item)
    dock.table.editItem(item)
    editor = dock.table.focusWidget()
    editor.selectAll()
    qtbot.keyClicks(editor, " scratch A ")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.wait(20)
    assert names(dock) == ["scratch A", "line 2"]
    assert dock.chosen == "scratch A"
    assert list(dock.lines.layer.features["name"]) == ["scratch A", "line 2"]
    assert sorted(dock.plot.keys) == ["line 2", "scratch A"]


def test_a_name_that_is_taken_is_refused(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    draw(dock, qtbot, [(75, 0), (75, 250)])
    dock.table.item(1, 0).setText("line 1")
    assert "called 'line 1' already" in dock.message.text()
    assert [dock.table.item(i, 0).text() for i in (0, 1)] == ["line 1", "line 2"]


def test_a_colour_is_the_same_on_picture_plot_and_table_and_can_be_undone(dock, qtbot, monkeypatch):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    before = dock.book.lines[0].colour
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor("#102030"))
    dock.table.menu_of(0).actions()[1].trigger()
    qtbot.wait(20)
    assert dock.plot._curves["line 1"].opts["pen"].color().name() == "#102030"
    np.testing.assert_allclose(dock.lines.layer.edge_color[0][:3] * 255, [16, 32, 48], atol=0.5)
    qtbot.mouseClick(dock.tools.actions_["undo"], LEFT)
    assert dock.book.lines[0].colour == before


def test_delete_in_the_table_removes_the_chosen_line(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    draw(dock, qtbot, [(75, 0), (75, 250)])
    dock.table.setCurrentCell(0, 0)
    qtbot.keyClick(dock.table, Qt.Key.Key_Delete)
    qtbot.wait(20)
    assert names(dock) == ["line 2"]


def test_redo_does_again_what_undo_took_back_until_something_else_is_done(dock, qtbot):
    undo, redo = (dock.tools.actions_[name] for name in ("undo", "redo"))
    draw(dock, qtbot, [(50, 0), (50, 250)])
    draw(dock, qtbot, [(75, 0), (75, 250)])
    qtbot.mouseClick(undo, LEFT)
    qtbot.wait(20)
    assert names(dock) == ["line 1"]
    qtbot.mouseClick(redo, LEFT)
    qtbot.wait(20)
    assert names(dock) == ["line 1", "line 2"]
    assert len(dock.lines.layer.data) == 2
    qtbot.mouseClick(undo, LEFT)
    qtbot.wait(20)
    draw(dock, qtbot, [(100, 0), (100, 250)])
    assert not redo.isEnabled()


def test_a_cursor_is_dragged_live_and_its_drag_undone_as_one(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 200)])
    qtbot.wait(50)
    middle = float(np.mean(dock.plot.curve("line 1")[1]))
    readings = []
    drag_on_plot(
        qtbot, dock.plot, (50, middle), (100, middle), each=lambda: readings.append(dock.table.item(0, 2).text())
    )
    assert len(set(readings)) > 2
    assert dock.book.lines[0].cursors[0] == pytest.approx(0.5, abs=0.02)
    assert float(dock.table.item(0, 2).text()) == pytest.approx(50, abs=4)
    dock.undo()
    qtbot.wait(20)
    assert dock.book.lines[0].cursors == (0.25, 0.75)
    assert dock.table.item(0, 2).text() == "100"


def test_ctrl_z_in_the_dock_takes_back_and_ctrl_shift_z_does_again(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    dock.activateWindow()
    dock.table.setFocus()
    with qtbot.waitActive(dock, timeout=2000):
        pass
    qtbot.keyClick(dock.table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.wait(20)
    assert names(dock) == []
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(dock.table, Qt.Key.Key_Z, modifiers)
    qtbot.wait(20)
    assert names(dock) == ["line 1"]


def test_the_line_that_moved_last_has_the_cursors(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    draw(dock, qtbot, [(75, 0), (75, 200)])
    assert dock.chosen == "line 2"
    dock.lines.layer._data_view.shift(0, (5.0, 0.0))
    dock.lines.layer.events.set_data()
    qtbot.wait(20)
    assert dock.chosen == "line 1"


def test_a_dock_that_is_opened_again_finds_the_lines_that_are_there(dock, qtbot, viewer_model):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    dock.rename("line 1", "scratch")
    dock.shown.close()
    again = Profile(viewer_model)
    qtbot.addWidget(again)
    qtbot.wait(20)
    assert names(again) == ["scratch"]
    assert again.lines.layer in viewer_model.layers
    assert sum(layer.name == "profile lines" for layer in viewer_model.layers) == 1
    again.close()


def test_a_result_opened_again_is_the_one_that_is_measured(dock, qtbot, viewer_model):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    viewer_model.layers.remove(dock.source.layer)
    doubled = ramp_dataset()
    doubled["height"] *= 2
    show_result(viewer_model, from_dataset(doubled))
    viewer_model.dims.set_current_step(0, 0)
    qtbot.wait(20)
    assert dock.plot.curve("line 1")[1][0] == pytest.approx(20)


def test_another_layer_that_is_chosen_in_the_viewer_changes_nothing(dock, qtbot, viewer_model):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    viewer_model.add_labels(np.ones((40, 60), dtype=int), scale=(5, 5), units=("nm", "nm"))
    qtbot.wait(20)
    assert len(dock.profiles) == 1
    assert len(dock.lines.layer.data) == 1


def test_a_map_with_micrometres_and_an_offset_is_measured_where_it_lies(viewer_model, qtbot):
    _, col = np.mgrid[:30, :40].astype(float)
    viewer_model.add_image(3 * col, scale=(0.01, 0.02), translate=(0.1, 0.2), units=("um", "um"), name="AFM")
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    draw(dock, qtbot, [(200, 300), (200, 500)])  # nm; columns 5 to 15 of 20 nm
    distance, height = dock.plot.curve("line 1")
    assert distance[-1] == 200
    assert (height[0], height[-1]) == (pytest.approx(15), pytest.approx(45))
    dock.close()


def test_a_map_without_a_unit_is_asked_for_one_and_has_angles_only_then(viewer_model, qtbot):
    _, col = np.mgrid[:30, :40].astype(float)
    layer = viewer_model.add_image(0.002 * col, scale=(2, 2), units=("nm", "nm"), name="AFM")
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    dock.show()
    draw(dock, qtbot, [(20, 0), (20, 60)])
    assert dock.chooser.unit.isVisible()
    assert not any("angle" in title for title in dock.table.texts()[0])
    assert "height (value)" in dock.plot.getAxis("left").labelText
    dock.chooser.unit.setCurrentText("µm")
    dock.chooser.unit.activated.emit(dock.chooser.unit.currentIndex())
    qtbot.wait(20)
    assert dock.source.layer is layer
    assert dock.plot.curve("line 1")[1][-1] == pytest.approx(60)  # 0.002 um a column of 2 nm
    assert dock.table.texts()[1][-1] == "45.00"
    assert dock.chooser.unit.isVisible()  # a wrong answer can be mended
    dock.close()


def test_a_map_without_a_pixel_size_is_measured_in_pixels_until_it_is_given(viewer_model, qtbot):
    viewer_model.add_image(np.tile(np.arange(40.0), (30, 1)), name="map")
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    dock.show()
    draw(dock, qtbot, [(10, 0), (10, 20)])
    assert dock.table.texts()[0][1] == "length (pixel)"
    dock.chooser.pixel.setValue(4.0)
    qtbot.wait(20)
    assert dock.table.texts()[0][1] == "length (nm)"
    dock.close()


def test_a_turned_map_is_not_offered_and_it_is_said(viewer_model, qtbot):
    layer = viewer_model.add_image(np.random.default_rng(0).random((30, 40)), name="AFM", rotate=20)
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    assert dock.chooser.box.count() == 0 and dock.source is None
    assert "'AFM': rotated" in dock.chooser.turned.text() and not dock.chooser.turned.isHidden()
    layer.rotate = 0
    assert dock.source is not None and dock.chooser.turned.isHidden()
    layer.affine = [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert dock.source is None and "'AFM'" in dock.chooser.turned.text()
    dock.close()


def test_relative_heights_say_so_and_have_neither_uncertainty_nor_angle(viewer_model, qtbot):
    show_result(viewer_model, from_dataset(ramp_dataset("relative")))
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    draw(dock, qtbot, [(50, 0), (50, 250)])
    assert "Relative height" in dock.message.text()
    assert dock.table.texts()[0] == ["line", "length (nm)", "1 to 2 (nm)", "rel. height (nm)"]
    assert dock.plot.banded == []
    dock.close()


def test_a_line_on_a_single_point_is_no_line(dock, qtbot):
    draw(dock, qtbot, [(50, 50), (50, 50)])
    assert dock.profiles == []


def test_a_hole_in_the_map_breaks_the_curve_and_nothing_else(viewer_model, qtbot):
    heights = np.ones((1, 40, 60), dtype=np.float32)
    heights[0, :, 20:30] = np.nan
    show_result(viewer_model, from_dataset(result_dataset(heights=heights)))
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    draw(dock, qtbot, [(50, 0), (50, 250)])
    height = dock.plot.curve("line 1")[1]
    assert np.isnan(height[20:30]).all()
    assert np.isfinite(height[:20]).all()
    dock.close()
