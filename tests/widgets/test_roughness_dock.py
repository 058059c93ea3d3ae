"""The Roughness dock, by clicks, keys and drags."""

import csv
import io
import threading
import time

import numpy as np
import pytest
from conftest_helpers import drag
from height_results import NOISE_NM, make_result, map_layer, waves
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_sem4d import api
from napari_sem4d.metrology.evaluate import evaluate
from napari_sem4d.metrology.registry import AREAL
from napari_sem4d.metrology.surface import Treatment, prepare_surface
from napari_sem4d.widgets.latest_job import LatestJob
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result
from napari_sem4d.widgets.roughness import Roughness
from napari_sem4d.widgets.roughness_plots import TITLES

LEFT = Qt.MouseButton.LeftButton


def open_dock(viewer, qtbot):
    dock = Roughness(viewer)
    qtbot.addWidget(dock)
    return dock


def settle(dock, qtbot):
    """Wait until nothing is computed any more."""
    qtbot.waitUntil(lambda: not dock._timer.isActive() and not dock.job.running, timeout=20_000)


@pytest.fixture
def map_dock(viewer_model, qtbot):
    """A map of two halves: flat on the left, waves of 20 nm on the right."""
    heights = waves(20.0)
    heights[:, :48] = 0.0
    viewer_model.add_layer(map_layer(heights))
    dock = open_dock(viewer_model, qtbot)
    settle(dock, qtbot)
    yield dock
    dock.close()


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roughness")
    return {
        "calibrated": make_result(folder / "islands.zarr"),
        "relative": make_result(folder / "relative.zarr", "relative", draws=0),
    }


@pytest.fixture
def result_dock(viewer_model, qtbot, stores):
    show_result(viewer_model, from_dataset(api.open_result(stores["calibrated"]), stores["calibrated"]))
    viewer_model.dims.set_current_step(0, 1)
    dock = open_dock(viewer_model, qtbot)
    settle(dock, qtbot)
    yield dock
    dock.close()


def value(dock, name):
    return dock.table.figures[name].value


def rectangle(dock, rows, columns, edge=5.0):
    """Draw a rectangle over whole pixels, as the end of a drag does."""
    (r0, r1), (c0, c1) = rows, columns
    corners = np.array([(r0, c0), (r0, c1 - 1), (r1 - 1, c1 - 1), (r1 - 1, c0)], dtype=float) * edge
    dock.regions.layer.add([corners], shape_type="rectangle")


def test_the_table_holds_the_full_set_with_definitions_and_the_cores_values(map_dock):
    heights = waves(20.0)
    heights[:, :48] = 0.0
    expected = {f.name: f for f in evaluate(prepare_surface(heights.astype(np.float32), 5.0))}
    assert list(map_dock.table.figures) == list(AREAL)
    for name, figure in expected.items():
        assert value(map_dock, name) == pytest.approx(figure.value, nan_ok=True)
    assert map_dock.table.cell("Sq", 3) == "nm"
    assert "Root mean square height" in map_dock.table.tip("Sq") and "ISO 25178-2:2021" in map_dock.table.tip("Sq")
    assert map_dock.table.cell("Sdq", 1) == "–" and "choose an S nesting index" in map_dock.table.tip("Sdq")
    assert map_dock.table.isColumnHidden(2), "no draws, no interval"


def test_a_rectangle_is_drawn_by_its_button_and_measured(map_dock, qtbot):
    whole = value(map_dock, "Sq")
    qtbot.mouseClick(map_dock.region_row.tools["rectangle"], LEFT)
    layer = map_dock.regions.layer
    assert layer.mode == "add_rectangle" and layer.ndim == 2
    rectangle(map_dock, (8, 56), (48, 96))
    assert map_dock.region_row.box.currentText() == "rectangle 1"
    settle(map_dock, qtbot)
    assert value(map_dock, "Sq") > 1.2 * whole
    qtbot.keyClicks(map_dock.treatment_row.levelling, "mean")
    settle(map_dock, qtbot)
    assert value(map_dock, "Sq") == pytest.approx(20 / np.sqrt(2), rel=1e-3)
    assert "rectangle 1, 240 nm × 240 nm, levelling mean" in map_dock.under.text()


def test_a_region_that_is_dragged_is_measured_anew(map_dock, qtbot):
    qtbot.mouseClick(map_dock.region_row.tools["rectangle"], LEFT)
    rectangle(map_dock, (8, 56), (48, 96))
    settle(map_dock, qtbot)
    on_waves = value(map_dock, "Sq")
    layer = map_dock.regions.layer
    layer.selected_data = {0}
    layer._data_view.shift(0, (0.0, -240.0))  # what napari does at every move of a drag
    layer.events.set_data()
    settle(map_dock, qtbot)
    assert value(map_dock, "Sq") < 0.01 * on_waves
    layer.remove_selected()
    settle(map_dock, qtbot)
    assert map_dock.region_row.box.currentText() == "whole map"


def test_a_polygon_and_a_label_are_measured(map_dock, qtbot, viewer_model):
    qtbot.mouseClick(map_dock.region_row.tools["polygon"], LEFT)
    assert map_dock.regions.layer.mode == "add_polygon"
    map_dock.regions.layer.add([np.array([(0, 0), (0, 200), (300, 200), (300, 0)], float)], shape_type="polygon")
    settle(map_dock, qtbot)
    assert map_dock.region_row.box.currentText() == "polygon 1"
    assert value(map_dock, "Sq") == pytest.approx(0.0, abs=1e-4)
    labels = np.zeros((64, 96), dtype=int)
    labels[:, 48:] = 3
    layer = viewer_model.add_labels(labels, name="grains", scale=(5, 5), units=("nm", "nm"))
    layer.selected_label = 3
    box = map_dock.region_row.box
    box.setCurrentIndex(box.findText("label 3 of grains"))
    settle(map_dock, qtbot)
    assert value(map_dock, "Sq") == pytest.approx(20 / np.sqrt(2), rel=0.1)
    layer.selected_label = 7
    box.setCurrentIndex(box.findText("label 7 of grains"))
    settle(map_dock, qtbot)
    assert "No pixel has the label 7" in map_dock.message.text() and map_dock.answer is None


def test_filters_reach_the_figures_and_a_contradiction_is_told(map_dock, qtbot):
    s_box, l_box = map_dock.treatment_row.filters.values()
    s_box.lineEdit().selectAll()
    qtbot.keyClicks(s_box, "25")
    qtbot.keyClick(s_box, Qt.Key.Key_Return)
    settle(map_dock, qtbot)
    assert map_dock.table.figures["Sdq"].refusal is None
    assert map_dock.table.figures["Sdq"].s_nm == 25 and "S 25 nm" in map_dock.under.text()
    l_box.setValue(20.0)
    settle(map_dock, qtbot)
    assert "must be smaller than the L nesting index" in map_dock.message.text()
    l_box.setValue(400.0)
    settle(map_dock, qtbot)
    assert map_dock.table.figures["Sq"].l_nm == 400 and map_dock.message.text() == ""


def test_draws_give_intervals_and_take_the_noise_off(result_dock):
    figure = result_dock.table.figures["Sq"]
    truth = float(np.std(waves(20.0)))
    assert figure.low < figure.value < figure.high
    assert figure.bias == pytest.approx(np.hypot(truth, NOISE_NM) - truth, rel=0.3)
    assert not result_dock.table.isColumnHidden(2) and " to " in result_dock.table.cell("Sq", 2)
    assert "Noise had added" in result_dock.table.tip("Sq")
    assert "Intervals hold noise and calibration (3\u00a0%)" in result_dock.under.text()
    assert figure.scale_std == pytest.approx(0.03 * figure.value)
    assert "noise" in result_dock.table.tip("Sq") and "calibration" in result_dock.table.tip("Sq")


def test_the_table_follows_the_time_slider(result_dock, qtbot):
    second = value(result_dock, "Sq")
    result_dock.viewer.dims.set_current_step(0, 2)
    settle(result_dock, qtbot)
    assert value(result_dock, "Sq") == pytest.approx(1.5 * second, rel=0.05)


def test_all_times_give_the_course_of_the_chosen_figure_and_one_csv(result_dock, qtbot, tmp_path, monkeypatch):
    qtbot.mouseClick(result_dock.all_button, LEFT)
    qtbot.waitUntil(lambda: not result_dock.frames_job.running, timeout=20_000)
    result_dock.table.choose("Sa")
    x, y = result_dock.plots._course.getData()
    np.testing.assert_allclose(x, [0, 4, 8])
    np.testing.assert_allclose(y / y[0], [1, 2, 3], rtol=0.05)
    assert "Sa (nm)" in result_dock.plots.time.getAxis("left").labelText
    assert result_dock.plots._errors.isVisible()
    target = tmp_path / "Rauheit über Zeit.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    qtbot.mouseClick(result_dock.csv_button, LEFT)
    rows = [r for r in csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"))) if r["name"] == "Sa"]
    assert [(r["frame"], r["time"], r["unit"]) for r in rows] == [
        (str(i), f"t = {4 * i} s", "nm") for i in range(3)
    ]
    np.testing.assert_allclose([float(r["value"]) for r in rows], y, rtol=1e-5)
    assert float(rows[0]["low"]) < float(rows[0]["value"]) < float(rows[0]["high"])
    result_dock.treatment_row.levelling.setCurrentText("mean")  # figures of before do not belong to it
    assert result_dock.course == {}


def test_all_times_can_be_cancelled(result_dock, qtbot):
    qtbot.mouseClick(result_dock.all_button, LEFT)
    qtbot.waitUntil(lambda: len(result_dock.course) > 0, timeout=20_000)
    assert result_dock.all_button.text().startswith("Cancel")
    qtbot.mouseClick(result_dock.all_button, LEFT)
    qtbot.waitUntil(lambda: not result_dock.frames_job.running, timeout=20_000)
    assert result_dock.all_button.text() == "All times"


def test_copy_puts_the_table_on_the_clipboard(map_dock, qtbot):
    qtbot.mouseClick(map_dock.copy_button, LEFT)
    lines = [line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()]
    assert lines[0][:7] == ["map", "region", "frame", "time", "name", "value", "unit"]
    assert len(lines) == 1 + len(AREAL)
    assert "Copied" in map_dock.message.text()


def test_the_plots_show_the_measured_region(map_dock, qtbot):
    ratio, height = map_dock.plots._curve.getData()
    assert (ratio[0], ratio[-1]) == (0, 100) and np.all(np.diff(height) <= 1e-9)
    assert np.sum(map_dock.plots._bars.opts["height"]) == pytest.approx(100.0)
    wavelength, power = map_dock.plots._spectra["x"].getOriginalDataset()
    assert wavelength[np.argmax(power)] == pytest.approx(80.0)  # 16 pixels of 5 nm


def test_the_plot_that_is_shown_is_saved_as_columns_with_units(result_dock, qtbot, tmp_path, monkeypatch):
    def saved(title):
        target = tmp_path / f"{title}.csv"
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
        result_dock.plots.setCurrentIndex(TITLES.index(title))
        qtbot.mouseClick(result_dock.curves_button, LEFT)
        return list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8")))) if target.exists() else None

    ratio = saved("Ratio")
    assert (float(ratio[0]["material_ratio (%)"]), float(ratio[-1]["material_ratio (%)"])) == (0, 100)
    assert float(ratio[0]["height_from_mean (nm)"]) > 15
    assert sum(float(row["area (%)"]) for row in saved("Histogram")) == pytest.approx(100, abs=0.01)
    along_x = [row for row in saved("Spectrum") if row["kind"] == "x"]
    highest = max(along_x, key=lambda row: float(row["power"]))
    assert float(highest["wavelength_nm"]) == pytest.approx(80.0) and highest["unit"] == "nm3"
    assert float(highest["low"]) < float(highest["power"]) < float(highest["high"])
    assert saved("Time") is None and "nothing to save yet" in result_dock.message.text()
    qtbot.mouseClick(result_dock.all_button, LEFT)
    qtbot.waitUntil(lambda: not result_dock.frames_job.running, timeout=20_000)
    result_dock.table.choose("Sq")
    assert [row["time (s)"] for row in saved("Time")] == ["0", "4", "8"]


def test_a_relative_height_gives_no_nm_unless_relative_units_are_ticked(viewer_model, qtbot, stores):
    show_result(viewer_model, from_dataset(api.open_result(stores["relative"]), stores["relative"]))
    dock = open_dock(viewer_model, qtbot)
    settle(dock, qtbot)
    assert dock.table.cell("Sq", 1) == "–" and "relative" in dock.table.tip("Sq")
    assert dock.table.cell("Sku", 1) != "–"
    assert "Relative height" in dock.message.text()
    dock.unscaled.click()
    settle(dock, qtbot)
    assert dock.table.cell("Sq", 1) != "–" and dock.table.cell("Sq", 3) == "nm (relative)"
    assert dock.table.isColumnHidden(2)
    dock.close()


def test_a_map_without_units_is_asked_for_them(viewer_model, qtbot):
    viewer_model.add_image(waves(0.02), name="bare")
    dock = open_dock(viewer_model, qtbot)
    dock.show()
    settle(dock, qtbot)
    assert "pixel size of bare is not known" in dock.message.text()
    assert dock.chooser.pixel.isVisible() and dock.chooser.unit.isVisible()
    dock.chooser.pixel.setValue(5.0)
    settle(dock, qtbot)
    assert "unit of the heights of bare is not known" in dock.message.text()
    dock.chooser.unit.setCurrentText("µm")
    dock.chooser.unit.activated.emit(dock.chooser.unit.currentIndex())
    settle(dock, qtbot)
    assert value(dock, "Sq") == pytest.approx(20 / np.sqrt(2), rel=0.05)
    dock.close()


def test_without_a_map_the_dock_says_what_to_do_and_a_removed_one_empties_it(viewer_model, qtbot):
    dock = open_dock(viewer_model, qtbot)
    settle(dock, qtbot)
    assert "drop a height map" in dock.message.text()
    qtbot.mouseClick(dock.region_row.tools["rectangle"], LEFT)
    assert not dock.region_row.tools["rectangle"].isChecked()
    layer = viewer_model.add_layer(map_layer(waves(10.0)))
    settle(dock, qtbot)
    assert dock.answer is not None
    viewer_model.layers.remove(layer)
    settle(dock, qtbot)
    assert dock.answer is None and dock.table.figures == {}
    qtbot.mouseClick(dock.csv_button, LEFT)
    assert "no table to save" in dock.message.text()
    dock.close()


def test_only_the_answers_of_the_newest_request_are_heard(qtbot):
    job, heard, release = LatestJob(), [], threading.Event()
    job.answered.connect(heard.append)

    def slow(cancel):
        release.wait(10)
        yield "old"

    job.start(slow)
    job.start(lambda cancel: iter(["skipped"]))
    job.start(lambda cancel: iter(["new"]))
    release.set()
    qtbot.waitUntil(lambda: not job.running, timeout=5000)
    assert heard == ["new"]


def test_a_failure_in_the_thread_becomes_a_sentence(qtbot):
    job, heard = LatestJob(), []
    job.answered.connect(heard.append)

    def broken(cancel):
        yield 1
        raise ZeroDivisionError("wheels")

    job.start(broken)
    qtbot.waitUntil(lambda: not job.running, timeout=5000)
    assert heard[0] == 1 and "ZeroDivisionError: wheels" in heard[1]


def test_the_window_answers_while_a_large_map_is_measured(viewer_model, qtbot):
    rng = np.random.default_rng(0)
    viewer_model.add_layer(map_layer(rng.normal(size=(512, 512)).cumsum(axis=0), name="large"))
    dock = open_dock(viewer_model, qtbot)
    dock.refresh()
    turns, start = 0, time.monotonic()
    while dock.answer is None and time.monotonic() - start < 20:
        qtbot.wait(5)
        turns += 1
    assert dock.answer is not None and turns >= 5, "the event loop went on while the figures were computed"
    settle(dock, qtbot)
    dock.close()


def test_what_is_computed_is_dropped_when_the_dock_goes(viewer_model, qtbot):
    viewer_model.add_layer(map_layer(waves(10.0)))
    dock = open_dock(viewer_model, qtbot)
    dock.refresh()
    dock.close()
    qtbot.waitUntil(lambda: not dock.job.running, timeout=20_000)
    assert dock.answer is None


@pytest.mark.gl
def test_a_rectangle_is_drawn_with_the_mouse_in_the_window(make_napari_viewer_proxy, qtbot, stores):
    viewer = make_napari_viewer_proxy(show=True)
    show_result(viewer, from_dataset(api.open_result(stores["calibrated"]), stores["calibrated"]))
    _, dock = viewer.window.add_plugin_dock_widget("napari-sem4d", "Roughness")
    qtbot.wait(100)
    viewer.reset_view()
    qtbot.mouseClick(dock.region_row.tools["rectangle"], LEFT)
    drag(qtbot, viewer, (50.0, 100.0), (250.0, 400.0))
    qtbot.waitUntil(lambda: dock.region_row.box.currentText() == "rectangle 1")
    settle(dock, qtbot)
    assert dock.answer.request.region_name == "rectangle 1"
    rows, columns = dock.answer.shape
    assert abs(rows - 41) <= 3 and abs(columns - 61) <= 3
    assert isinstance(dock.answer.request.treatment, Treatment)
    dock.close()
