"""What leaves the Profile dock and comes back: lines, figures, clipboard."""

import json

import numpy as np
import pytest
from PIL import Image
from profile_helpers import draw, ramp_dataset, step_dataset
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_sem4d.errors import InputError
from napari_sem4d.widgets.profile import Profile
from napari_sem4d.widgets.profile_model import StepMarks
from napari_sem4d.widgets.profile_session import load_session
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result


@pytest.fixture
def dock(viewer_model, qtbot):
    show_result(viewer_model, from_dataset(step_dataset()))
    viewer_model.dims.set_current_step(0, 0)
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    yield dock
    dock.close()


def choose_file(monkeypatch, path):
    for name in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: (str(path), ""))


def fill(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    draw(dock, qtbot, [(0, 0), (0, 100), (150, 100)], "path")
    draw(dock, qtbot, [(40, 0), (40, 200), (60, 200), (60, 0)], "rectangle")
    dock.rename("line 1", "Ätzgrube")
    dock.book.change("line 2", colour="#123456", cursors=(0.1, 0.6))
    dock.book.change("line 3", step=StepMarks("edge", ((0.0, 0.3, -1), (0.8, 1.0, 1))))
    dock.width.setValue(5)
    qtbot.wait(20)


def test_lines_come_back_from_their_file_as_they_were(dock, qtbot, tmp_path, monkeypatch, viewer_model):
    fill(dock, qtbot)
    kept, table = dock.book.lines, dock.table.texts()
    choose_file(monkeypatch, tmp_path / "Linien ü.json")
    dock.files.save_lines_action.trigger()
    assert "Saved to" in dock.message.text()
    while dock.book.lines:
        dock.remove()
        qtbot.wait(20)
    dock.width.setValue(1)
    dock.files.load_lines_action.trigger()
    qtbot.wait(20)
    assert len(dock.book.lines) == 3
    assert all(a.same(b) for a, b in zip(dock.book.lines, kept, strict=True))
    assert dock.width.value() == 5
    assert sorted(dock.table.texts()) == sorted(table)
    assert len(dock.lines.layer.data) == 3
    dock.undo()
    assert dock.book.lines == ()


def test_lines_are_loaded_in_a_viewer_with_another_result_and_it_is_said(
    dock, qtbot, tmp_path, monkeypatch, viewer_model
):
    fill(dock, qtbot)
    choose_file(monkeypatch, tmp_path / "lines.json")
    dock.files.save_lines_action.trigger()
    other = from_dataset(ramp_dataset())
    other.name = "other"
    show_result(viewer_model, other)
    dock.files.load_lines_action.trigger()
    qtbot.wait(20)
    assert "drawn on 'height (nm), result'" in dock.message.text()
    assert len(dock.profiles) == 3


def saved(tmp_path, **changes):
    line = {
        "name": "a",
        "colour": "#ff0000",
        "kind": "line",
        "points": [[0, 0], [0, 100]],
        "cursors": [0.25, 0.75],
    }
    entry = {"format": "sem4d-profile-lines", "version": 1, "length_unit": "nm", "lines": [line]}
    path = tmp_path / "lines.json"
    path.write_text(json.dumps(entry | changes), encoding="utf-8")
    return path


def test_a_file_with_defaults_left_out_is_read(tmp_path):
    (line,) = load_session(saved(tmp_path)).as_lines()
    assert line.step.stretches is None
    np.testing.assert_array_equal(line.points, [[0, 0], [0, 100]])


BAD_LINE = {"name": "a", "colour": "red", "kind": "line", "points": [[0, 0], [0, 1]], "cursors": [0, 1]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "something"}, "is not a file of profile lines"),
        ({"version": 2}, "later version"),
        ({"colour": "red"}, "damaged at colour"),
        ({"lines": [BAD_LINE]}, "damaged at lines.0.colour"),
        ({"lines": [BAD_LINE | {"colour": "#000000", "kind": "rectangle"}]}, "4 points"),
        ({"lines": [BAD_LINE | {"colour": "#000000", "points": [[0, 0], [0, float("nan")]]}]}, "points.1"),
        ({"lines": [BAD_LINE | {"colour": "#000000"}] * 2}, "same name"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place_of_the_damage(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        load_session(saved(tmp_path, **changes))


def test_a_file_that_is_no_json_is_refused_in_the_dock_and_nothing_is_lost(dock, qtbot, tmp_path, monkeypatch):
    fill(dock, qtbot)
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x00\xff")
    choose_file(monkeypatch, path)
    dock.files.load_lines_action.trigger()
    assert "is not JSON text" in dock.message.text()
    assert dock.message.kind == "error"
    assert len(dock.book.lines) == 3


def test_lines_in_pixels_are_not_taken_for_nanometres(dock, qtbot, tmp_path, monkeypatch):
    choose_file(monkeypatch, saved(tmp_path, length_unit="pixel"))
    dock.files.load_lines_action.trigger()
    assert "in pixel, but the map that is measured is in nm" in dock.message.text()
    assert dock.book.lines == ()


def test_a_figure_is_saved_as_png_with_map_and_plot(dock, qtbot, tmp_path, monkeypatch):
    fill(dock, qtbot)
    choose_file(monkeypatch, tmp_path / "Bild 1.png")
    dock.files.figure_button.click()
    assert "Saved to" in dock.message.text()
    with Image.open(tmp_path / "Bild 1.png") as picture:
        assert picture.size == (1300, 1300)
        assert np.asarray(picture)[..., :3].std() > 20


def test_a_figure_as_svg_holds_units_scale_names_and_the_step(dock, qtbot, tmp_path, monkeypatch):
    draw(dock, qtbot, [(100, 0), (100, 290)])
    dock.modes.tabs.setCurrentIndex(1)
    qtbot.wait(20)
    choose_file(monkeypatch, tmp_path / "figure.svg")
    dock.files.figure_button.click()
    text = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    for words in ("height (nm)", "distance (nm)", "100 nm", "line 1: step height 100.0", "bands: 95 %"):
        assert words in text, words


def test_a_figure_of_the_kymograph_has_a_time_axis(dock, qtbot, tmp_path, monkeypatch):
    draw(dock, qtbot, [(100, 0), (100, 290)])
    dock.modes.tabs.setCurrentIndex(2)
    qtbot.waitUntil(lambda: dock.history is not None, timeout=3000)
    choose_file(monkeypatch, tmp_path / "figure.svg")
    dock.files.figure_button.click()
    text = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert "time (s)" in text
    assert "distance along line 1 (nm)" in text


def test_a_figure_with_an_unknown_ending_and_a_folder_that_is_not_there_are_told(
    dock, qtbot, tmp_path, monkeypatch
):
    draw(dock, qtbot, [(100, 0), (100, 290)])
    choose_file(monkeypatch, tmp_path / "figure.docx")
    dock.files.figure_button.click()
    assert "saved as .png, .svg, .pdf, not as '.docx'" in dock.message.text()
    choose_file(monkeypatch, tmp_path / "nowhere" / "profiles.csv")
    dock.files.csv_button.click()
    assert "could not be written" in dock.message.text()


def test_the_table_goes_to_the_clipboard_with_its_units(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    dock.files.copy_table.trigger()
    rows = [line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()]
    assert rows[0] == ["line", "length (nm)", "1 to 2 (nm)", "height (nm)", "± (nm)", "angle (°)"]
    assert rows[1][:3] == ["line 1", "250", "125"]


def test_nothing_to_save_is_told_with_what_to_do(dock, qtbot):
    dock.files.csv_button.click()
    assert "no line yet" in dock.message.text()
