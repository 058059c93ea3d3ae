"""The Profile dock, by clicks and drags."""

import csv
import io

import numpy as np
import pytest
from conftest_helpers import drag, letter_f, result_dataset
from profile_helpers import LEFT, draw, ramp_dataset
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_sem4d.widgets.profile import Profile
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result


@pytest.fixture
def dock(viewer_model, qtbot):
    show_result(viewer_model, from_dataset(ramp_dataset()))
    viewer_model.dims.set_current_step(0, 0)
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    yield dock
    dock.close()


def test_a_line_shows_the_heights_under_it(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    distance, height = dock.plot.curve("line 1")
    np.testing.assert_allclose(height, 10 + 2 * distance / 5, rtol=1e-5)
    assert distance[-1] == 250


def test_a_diagonal_has_its_true_length(dock, qtbot):
    draw(dock, qtbot, [(0, 0), (150, 200)])
    assert dock.profiles[0][1].length_nm == pytest.approx(250.0)
    assert dock.table.item(0, 1).text() == "250"


def test_lines_lie_over_all_times_and_the_plot_follows_the_slider(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    _, before = dock.plot.curve("line 1")
    dock.viewer.dims.set_current_step(0, 2)
    qtbot.wait(20)
    _, after = dock.plot.curve("line 1")
    np.testing.assert_allclose(after, 3 * before, rtol=1e-5)
    assert dock.lines.layer.ndim == 2


def test_the_plot_moves_with_a_drag_before_it_ends(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    dock.lines.layer.selected_data = {0}
    states = len(dock.book._undo)
    dock.lines.layer._data_view.shift(0, (50.0, 0.0))  # what napari does at every move of a drag
    dock.lines.layer.events.set_data()
    qtbot.wait(20)
    _, height = dock.plot.curve("line 1")
    assert height[0] == pytest.approx(20.0)
    assert len(dock.book._undo) == states


def test_undo_takes_back_line_after_line_and_removal(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    draw(dock, qtbot, [(100, 0), (100, 250)])
    assert [line.name for line, _ in dock.profiles] == ["line 1", "line 2"]
    dock.table.selectRow(0)
    qtbot.mouseClick(dock.tools.actions_["remove"], LEFT)
    qtbot.wait(20)
    assert [line.name for line, _ in dock.profiles] == ["line 2"]
    qtbot.mouseClick(dock.tools.actions_["undo"], LEFT)
    qtbot.wait(20)
    assert [line.name for line, _ in dock.profiles] == ["line 1", "line 2"]
    qtbot.mouseClick(dock.tools.actions_["undo"], LEFT)
    qtbot.mouseClick(dock.tools.actions_["undo"], LEFT)
    qtbot.wait(20)
    assert dock.profiles == []
    assert len(dock.lines.layer.data) == 0
    assert not dock.tools.actions_["undo"].isEnabled()


def test_a_line_removed_on_the_layer_leaves_the_plot_and_the_others_keep_names_and_colours(dock, qtbot):
    for row in (50, 75, 100):
        draw(dock, qtbot, [(row, 0), (row, 250)])
    dock.lines.layer.selected_data = {0}
    dock.lines.layer.remove_selected()
    qtbot.wait(20)
    assert [line.name for line, _ in dock.profiles] == ["line 2", "line 3"]
    assert dock.profiles[0][1].height_nm[0] == pytest.approx(15.0)


def test_cursors_give_distance_height_difference_and_angle_of_their_line(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 200)])
    dock.plot.cursors[0].setValue(50.0)
    dock.plot.cursors[1].setValue(150.0)
    qtbot.wait(20)
    assert dock.table.texts()[0][2:] == ["1 to 2 (nm)", "height (nm)", "± (nm)", "angle (°)"]
    # 1.5 nm at both ends: 1.96 x sqrt(2) x 1.5
    assert dock.table.texts()[1][2:] == ["100", "40.0", "4.2", "21.80"]
    draw(dock, qtbot, [(0, 50), (150, 50)])
    assert dock.table.item(0, 2).text() == "100"  # the first line keeps its own pair


def test_averaging_over_a_width_flattens_a_bump_on_the_line(dock, qtbot, viewer_model):
    heights = np.zeros((1, 40, 60), dtype=np.float32)
    heights[0, 10, :] = 30.0
    show_result(viewer_model, from_dataset(result_dataset(heights=heights)))
    draw(dock, qtbot, [(50, 0), (50, 250)])
    assert dock.profiles[0][1].height_nm.max() == pytest.approx(30.0)
    dock.width.setValue(3)
    qtbot.wait(20)
    np.testing.assert_allclose(dock.profiles[0][1].height_nm, 10.0, rtol=1e-5)


def test_a_rectangle_is_averaged_over_its_width(dock, qtbot):
    draw(dock, qtbot, [(40, 0), (40, 200), (60, 200), (60, 0)], "rectangle")
    np.testing.assert_allclose(dock.profiles[0][1].height_nm[[0, -1]], [10.0, 90.0], rtol=1e-5)


def test_csv_has_units_in_its_columns_and_every_sample(dock, qtbot, tmp_path, monkeypatch):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    target = tmp_path / "Ätzgrube 1.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    qtbot.mouseClick(dock.files.csv_button, LEFT)
    rows = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"))))
    assert len(rows) == 51
    assert float(rows[-1]["distance (nm)"]) == 250
    assert float(rows[-1]["height (nm)"]) == pytest.approx(110.0)
    assert float(rows[-1]["height_std (nm)"]) == pytest.approx(1.5)
    assert rows[0]["line"] == "line 1"
    assert rows[0]["time"] == "t = 0 s"


def test_copy_puts_a_table_on_the_clipboard(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    dock.files.copy_profiles.trigger()
    first = QGuiApplication.clipboard().text().splitlines()[0].split("\t")
    assert first[:4] == ["line", "time", "distance (nm)", "height (nm)"]


def test_relative_heights_stay_relative_in_table_plot_and_csv(dock, qtbot, viewer_model):
    show_result(viewer_model, from_dataset(ramp_dataset("relative")))
    draw(dock, qtbot, [(50, 0), (50, 250)])
    assert "relative_height (nm)" in dock.files.text()
    assert "height_std" not in dock.files.text()
    assert "relative" in dock.plot.getAxis("left").labelText


def test_removing_the_height_layer_keeps_the_lines_for_the_next_one(dock, qtbot, viewer_model):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    viewer_model.layers.remove(dock.source.layer)
    for layer in [entry for entry in viewer_model.layers if "relative yield" in entry.name]:
        viewer_model.layers.remove(layer)
    qtbot.wait(20)
    assert dock.profiles == []
    show_result(viewer_model, from_dataset(ramp_dataset(frames=2)))
    qtbot.wait(20)
    assert dock.profiles[0][1].length_nm == pytest.approx(250.0)


def test_removing_the_line_layer_can_be_undone(dock, qtbot, viewer_model):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    viewer_model.layers.remove(dock.lines.layer)
    qtbot.wait(20)
    assert dock.profiles == []
    qtbot.mouseClick(dock.tools.actions_["undo"], LEFT)
    qtbot.wait(20)
    assert [line.name for line, _ in dock.profiles] == ["line 1"]
    assert len(dock.lines.layer.data) == 1


def test_a_height_map_of_others_can_be_measured(viewer_model, qtbot):
    viewer_model.add_image(letter_f(), scale=(2, 2), units=("nm", "nm"), name="AFM")
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    draw(dock, qtbot, [(20, 0), (20, 120)])
    distance, height = dock.plot.curve("line 1")
    assert distance[-1] == 120
    assert height.max() == pytest.approx(100.0)
    dock.close()


def test_drawing_without_a_height_is_told_in_the_dock(viewer_model, qtbot):
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    qtbot.mouseClick(dock.tools.tools["line"], LEFT)
    assert "no height to measure" in dock.message.text()
    assert not dock.tools.kind
    dock.close()


@pytest.mark.gl
def test_a_line_is_drawn_moved_and_undone_with_the_mouse(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    show_result(viewer, from_dataset(ramp_dataset()))
    viewer.dims.set_current_step(0, 0)
    dock = Profile(viewer)
    viewer.window.add_dock_widget(dock, area="right")
    qtbot.wait(100)
    viewer.reset_view()
    qtbot.mouseClick(dock.tools.tools["line"], LEFT)
    seen = []
    drag(qtbot, viewer, (50.0, 50.0), (50.0, 250.0), each=lambda: seen.append(len(dock.profiles)))
    qtbot.waitUntil(lambda: len(dock.profiles) == 1)
    assert 1 in seen  # live, before the button was released
    distance, height = dock.plot.curve("line 1")
    assert distance[-1] == pytest.approx(200, abs=5)
    assert height[0] == pytest.approx(10 + 20, abs=2)
    assert height[-1] - height[0] == pytest.approx(80, abs=3)

    qtbot.mouseClick(dock.tools.tools["line"], LEFT)  # now lines can be moved
    drag(qtbot, viewer, (50.0, 150.0), (100.0, 150.0))
    qtbot.waitUntil(lambda: dock.plot.curve("line 1")[1][0] > 35)
    assert dock.plot.curve("line 1")[1][0] == pytest.approx(40, abs=3)

    qtbot.mouseClick(dock.tools.actions_["undo"], LEFT)
    qtbot.waitUntil(lambda: dock.plot.curve("line 1")[1][0] < 35)
    qtbot.mouseClick(dock.tools.actions_["undo"], LEFT)
    qtbot.waitUntil(lambda: not dock.profiles)
    dock.close()
