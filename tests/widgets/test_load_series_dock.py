"""The Load series dock, by clicks and keys."""

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QThreadPool, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog
from synthetic_series import write_series

from napari_sem4d.widgets.load_series import LoadSeries
from napari_sem4d.widgets.workspace import sem4d_metadata

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def dock(viewer_model, qtbot):
    dock = LoadSeries(viewer_model)
    qtbot.addWidget(dock)
    dock.show()
    yield dock
    dock.hide()
    QThreadPool.globalInstance().waitForDone(20000)


def open_folder(dock, qtbot, monkeypatch, folder):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    qtbot.mouseClick(dock.folder_button, LEFT)
    qtbot.waitUntil(lambda: dock.folder_button.isEnabled(), timeout=20000)


def enter(qtbot, edit, text):
    edit.setFocus()
    edit.selectAll()
    qtbot.keyClicks(edit, text)
    qtbot.keyClick(edit, Qt.Key.Key_Return)


def table(dock):
    rows = range(dock.metadata.rowCount())
    return {dock.metadata.item(i, 0).text(): [dock.metadata.item(i, j).text() for j in (1, 2, 3)] for i in rows}


def test_a_described_folder_is_shown_with_value_unit_and_origin(dock, qtbot, monkeypatch, tmp_path):
    open_folder(dock, qtbot, monkeypatch, write_series(tmp_path / "Ölprobe 1"))
    rows = table(dock)
    assert rows["pixel size"][:2] == ["10", "nm"]
    assert "acquisition.yaml" in rows["pixel size"][2]
    assert rows["landing energy"][:2] == ["10", "keV"]
    assert rows["segments"][0].startswith("4 (")
    assert rows["time between frames"][:2] == ["4", "s"]
    assert "Everything is known" in dock.message.text()
    assert dock.space.series.frames == 3


def test_thumbnails_come_for_every_frame_and_segment(dock, qtbot, monkeypatch, tmp_path):
    open_folder(dock, qtbot, monkeypatch, write_series(tmp_path / "s"))
    model = dock.frames.frames
    assert (model.rowCount(), model.columnCount()) == (3, 4)
    dock.resize(500, 700)
    qtbot.waitUntil(lambda: (0, 0) in model.pictures, timeout=10000)
    assert model.pictures[0, 0].width() > 0


def test_missing_metadata_is_asked_for_and_taken_from_the_keyboard(dock, qtbot, monkeypatch, tmp_path):
    open_folder(dock, qtbot, monkeypatch, write_series(tmp_path / "s", described=False))
    assert dock.space.series.missing() == ("pixel_nm", "beam.energy_kev", "material", "detector.segments")
    for word in ("pixel size", "landing energy", "material", "detector"):
        assert word in dock.message.text()
    marked = (dock.pixel, dock.energy, dock.material, dock.detector)
    assert all(widget.property("missing") for widget in marked)
    enter(qtbot, dock.pixel, "12.5")
    enter(qtbot, dock.energy, "10")
    enter(qtbot, dock.material.lineEdit(), "Cu")
    dock.detector.setCurrentIndex(dock.detector.findData("annular-4-quadrant"))
    dock.detector.activated.emit(dock.detector.currentIndex())
    series = dock.space.series
    assert series.missing() == ()
    assert (series.pixel_nm, series.instrument.beam.energy_kev, series.material) == (12.5, 10.0, "Cu")
    assert [s.name for s in series.instrument.detector.segments] == list(series.segment_names)
    assert "Load series dock" in table(dock)["pixel size"][2]
    assert "Everything is known" in dock.message.text()
    assert not any(widget.property("missing") for widget in marked)


@pytest.mark.parametrize("text", ["-5", "many", "0"])
def test_a_wrong_pixel_size_is_told_and_not_taken(dock, qtbot, monkeypatch, tmp_path, text):
    open_folder(dock, qtbot, monkeypatch, write_series(tmp_path / "s"))
    enter(qtbot, dock.pixel, text)
    assert "positive number in nm" in dock.message.text()
    assert dock.message.kind == "error"
    assert dock.space.series.pixel_nm == 10.0


def test_a_material_that_there_is_not_is_told(dock, qtbot, monkeypatch, tmp_path):
    open_folder(dock, qtbot, monkeypatch, write_series(tmp_path / "s"))
    enter(qtbot, dock.material.lineEdit(), "Kryptonite")
    assert dock.message.kind == "error"
    assert "Kryptonite" in dock.message.text()
    assert dock.space.series.material == "Cu"


def test_a_detector_with_another_number_of_segments_is_refused(dock, qtbot, monkeypatch, tmp_path):
    open_folder(dock, qtbot, monkeypatch, write_series(tmp_path / "s"))
    dock.detector.setCurrentIndex(dock.detector.findData("annular-3-segment"))
    dock.detector.activated.emit(dock.detector.currentIndex())
    assert "has 3 segments, the series has 4" in dock.message.text()
    assert len(dock.space.series.instrument.detector.segments) == 4


def test_a_folder_without_images_gives_a_sentence(dock, qtbot, monkeypatch, tmp_path):
    open_folder(dock, qtbot, monkeypatch, tmp_path)
    assert dock.message.kind == "error"
    assert dock.message.text()
    assert "Traceback" not in dock.message.text()
    assert dock.space.series is None


def test_show_images_adds_one_layer_with_sliders_for_segment_and_time(
    dock, qtbot, monkeypatch, tmp_path, viewer_model
):
    open_folder(dock, qtbot, monkeypatch, write_series(tmp_path / "s"))
    qtbot.mouseClick(dock.show_button, LEFT)
    qtbot.mouseClick(dock.show_button, LEFT)
    (layer,) = viewer_model.layers
    assert layer.axis_labels == ("segment", "time", "z", "y", "x")
    assert layer.data.shape == (4, 3, 1, 48, 64)
    expected = tifffile.imread(tmp_path / "s" / "0002_B.tif")
    np.testing.assert_array_equal(np.asarray(layer.data[1, 2, 0]), expected)
    assert sem4d_metadata(layer)["role"] == "series"
    assert tuple(layer.scale[-2:]) == (10.0, 10.0)


def test_a_corrected_pixel_size_rescales_the_images(dock, qtbot, monkeypatch, tmp_path, viewer_model):
    open_folder(dock, qtbot, monkeypatch, write_series(tmp_path / "s", described=False))
    qtbot.mouseClick(dock.show_button, LEFT)
    layer = viewer_model.layers[0]
    assert str(layer.units[-1]) == "pixel"
    enter(qtbot, dock.pixel, "25")
    assert tuple(layer.scale[-2:]) == (25.0, 25.0)
    assert str(layer.units[-1]) == "nanometer"


def test_a_folder_can_be_dropped(dock, qtbot, tmp_path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(write_series(tmp_path / "dropped here")))])
    how = (Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)
    enter_event, drop_event = QDragEnterEvent(QPoint(5, 5), *how), QDropEvent(QPointF(5, 5), *how)
    QApplication.sendEvent(dock, enter_event)
    QApplication.sendEvent(dock, drop_event)
    qtbot.waitUntil(lambda: dock.space.series is not None, timeout=20000)
    assert dock.source.text() == "dropped here"


def test_the_folder_is_remembered(dock, qtbot, monkeypatch, tmp_path):
    folder = write_series(tmp_path / "s")
    open_folder(dock, qtbot, monkeypatch, folder)
    asked = []
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *a: asked.append(a[2]) or ([], ""))
    qtbot.mouseClick(dock.files_button, LEFT)
    assert asked == [str(folder)]


def test_the_sketch_puts_a_segment_at_90_degrees_at_the_top(dock, qtbot, monkeypatch, tmp_path):
    from napari_sem4d.widgets.polar_sketch import polar_point

    open_folder(dock, qtbot, monkeypatch, write_series(tmp_path / "s"))
    assert "azimuth 90 to 180" in dock.sketch.toolTip()
    top, right = polar_point(QPointF(0, 0), 10, 90), polar_point(QPointF(0, 0), 10, 0)
    assert top.y() == pytest.approx(-10)
    assert right.x() == pytest.approx(10)
    dock.tabs.setCurrentWidget(dock.sketch)
    picture = dock.sketch.grab().toImage()
    centre, reach = picture.rect().center(), min(picture.width(), picture.height()) // 4
    first = picture.pixelColor(centre.x() + reach * 2 // 3, centre.y() - reach * 2 // 3)  # A: 0 to 90 degrees
    second = picture.pixelColor(centre.x() - reach * 2 // 3, centre.y() - reach * 2 // 3)  # B: 90 to 180
    assert first.blue() > first.red()
    assert second.red() > second.blue()


def test_the_vickers_folder_is_recognised(dock, qtbot, monkeypatch, shared_data):
    open_folder(dock, qtbot, monkeypatch, shared_data / "vickers")
    series = dock.space.series
    assert (series.frames, series.segment_names, series.shape) == (1, ("A", "B", "C"), (1024, 1536))
    assert table(dock)["landing energy"][:2] == ["7", "keV"]
    assert "Thermo" in table(dock)["landing energy"][2]
    assert "material" in dock.message.text()
