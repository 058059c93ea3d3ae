"""The Export dock, by clicks: every format, one and all frames, nothing overwritten."""

import numpy as np
import pytest
from conftest_helpers import letter_f
from height_results import make_result, map_layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_sem4d import api
from napari_sem4d.io.surfaces import WRITERS, read_surface
from napari_sem4d.widgets import export_model as model
from napari_sem4d.widgets.export import ALL, ExportDock
from napari_sem4d.widgets.height_source import height_source
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def answer_dialog(monkeypatch):
    """The path that the file dialog gives back."""
    answer = {}
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(answer.get("path", "")), ""))
    return answer


def open_dock(viewer, qtbot):
    dock = ExportDock(viewer)
    qtbot.addWidget(dock)
    return dock


def save(dock, qtbot, extension):
    dock.format.setCurrentIndex(dock.format.findData(extension))
    qtbot.mouseClick(dock.save_button, LEFT)
    qtbot.waitUntil(lambda: not dock.job.running, timeout=20_000)


@pytest.fixture
def result_dock(viewer_model, qtbot, tmp_path_factory):
    maps = [(i + 1) * letter_f() for i in range(3)]
    store = make_result(tmp_path_factory.mktemp("export") / "islands.zarr", maps=maps, draws=0)
    show_result(viewer_model, from_dataset(api.open_result(store), store))
    viewer_model.dims.set_current_step(0, 1)
    dock = open_dock(viewer_model, qtbot)
    yield dock
    dock.close()


def test_every_format_that_can_be_written_is_offered(viewer_model, qtbot):
    dock = open_dock(viewer_model, qtbot)
    offered = {dock.format.itemData(i) for i in range(dock.format.count())}
    assert offered == set(WRITERS) - {".tiff", ".txt"}
    dock.close()


@pytest.mark.parametrize("extension", [".tif", ".gwy", ".gsf", ".x3p", ".sur", ".xyz", ".csv"])
def test_the_frame_that_is_shown_comes_back_upright(result_dock, qtbot, answer_dialog, tmp_path, extension):
    answer_dialog["path"] = tmp_path / f"Höhe{extension}"
    save(result_dock, qtbot, extension)
    found = read_surface(answer_dialog["path"])
    np.testing.assert_allclose(found.height, 2 * letter_f(), atol=1e-3)
    assert found.pixel_nm == pytest.approx((5.0, 5.0)) and not found.relative
    assert "Saved to" in result_dock.message.text()


def test_all_frames_are_numbered_and_none_is_overwritten(result_dock, qtbot, answer_dialog, tmp_path):
    result_dock.frames.setCurrentText(ALL)
    answer_dialog["path"] = tmp_path / "h.gsf"
    save(result_dock, qtbot, ".gsf")
    assert sorted(p.name for p in tmp_path.glob("h_*")) == ["h_0000.gsf", "h_0001.gsf", "h_0002.gsf"]
    assert read_surface(tmp_path / "h_0002.gsf").height.max() == pytest.approx(300.0)
    assert "Saved 3 of 3 files" in result_dock.message.text()
    save(result_dock, qtbot, ".gsf")
    assert "h_0000.gsf and 2 more exists already" in result_dock.message.text()


def test_the_extension_of_the_format_is_put_behind_a_name_without_one(result_dock, qtbot, answer_dialog, tmp_path):
    answer_dialog["path"] = tmp_path / "v1.2 islands"
    save(result_dock, qtbot, ".gwy")
    assert [p.name for p in tmp_path.glob("v1*")] == ["v1.2 islands.gwy"]


@pytest.mark.parametrize("colours", ["height and shading", "height", "shading"])
def test_a_mesh_carries_the_chosen_colours_upright(result_dock, qtbot, answer_dialog, tmp_path, colours):
    trimesh = pytest.importorskip("trimesh")
    result_dock.colours.setCurrentText(colours)
    answer_dialog["path"] = tmp_path / "f.ply"
    save(result_dock, qtbot, ".ply")
    mesh = trimesh.load(answer_dialog["path"], process=False)
    points = np.asarray(mesh.vertices)
    assert np.ptp(points, axis=0) == pytest.approx((315.0, 235.0, 200.0))
    high = points[points[:, 2] > 100]
    top = high[high[:, 1] > 200 * 0.9]
    assert top[:, 0].max() == pytest.approx(47 * 5.0), "the long bar is on top, y up"
    rgb = np.asarray(mesh.visual.vertex_colors)[:, :3].astype(int)
    grey = np.ptp(rgb, axis=1).max() == 0
    assert grey == (colours == "shading")
    if colours == "height":
        assert np.array_equal(np.unique(rgb[points[:, 2] > 199], axis=0), [[253, 231, 37]])  # top of viridis


def test_the_sem_image_is_a_texture_only_where_it_is_open(result_dock, qtbot, answer_dialog, tmp_path):
    result_dock.colours.setCurrentText("SEM image")
    answer_dialog["path"] = tmp_path / "f.glb"
    save(result_dock, qtbot, ".glb")
    assert "not open" in result_dock.message.text() and not answer_dialog["path"].exists()


def test_pictures_have_colour_bar_scale_bar_and_unit(result_dock, qtbot, answer_dialog, tmp_path):
    answer_dialog["path"] = tmp_path / "f.svg"
    save(result_dock, qtbot, ".svg")
    text = answer_dialog["path"].read_text(encoding="utf-8")
    assert "height (nm)" in text and "100 nm" in text and "islands, t = 4 s" in text


def test_levelling_is_done_before_writing(viewer_model, qtbot, answer_dialog, tmp_path):
    tilt = np.tile(np.arange(64.0), (48, 1))
    viewer_model.add_layer(map_layer(letter_f() + tilt, scale_status="relative"))
    dock = open_dock(viewer_model, qtbot)
    assert "relative height" in dock.about.text() and dock.frames.isHidden()
    dock.levelling.setCurrentText("facet")
    answer_dialog["path"] = tmp_path / "flat.gwy"
    save(dock, qtbot, ".gwy")
    found = read_surface(answer_dialog["path"])
    assert np.ptp(found.height) == pytest.approx(100.0, abs=3) and found.relative
    dock.close()


def test_a_folder_that_cannot_be_written_is_told(result_dock, qtbot, answer_dialog, tmp_path):
    answer_dialog["path"] = tmp_path / "missing folder" / "h.tif"
    save(result_dock, qtbot, ".tif")
    assert "cannot be written" in result_dock.message.text()
    assert result_dock.save_button.text() == "Save…"


def test_without_a_height_or_its_unit_the_dock_asks(viewer_model, qtbot, answer_dialog, tmp_path):
    dock = open_dock(viewer_model, qtbot)
    qtbot.mouseClick(dock.save_button, LEFT)
    assert "no height to export" in dock.message.text()
    viewer_model.add_image(letter_f(), name="bare", scale=(2, 2), units=("nm", "nm"))
    qtbot.mouseClick(dock.save_button, LEFT)
    assert "unit of the heights of bare is not known" in dock.message.text()
    dock.chooser.unit.setCurrentText("Å")
    dock.chooser.unit.activated.emit(dock.chooser.unit.currentIndex())
    answer_dialog["path"] = tmp_path / "b.gsf"
    save(dock, qtbot, ".gsf")
    assert read_surface(answer_dialog["path"]).height.max() == pytest.approx(10.0)
    dock.close()


def test_a_cancelled_dialog_writes_nothing(result_dock, qtbot, answer_dialog, tmp_path):
    qtbot.mouseClick(result_dock.save_button, LEFT)
    assert not result_dock.job.running and not list(tmp_path.glob("*.*"))


def test_a_pixel_of_two_edges_keeps_them_in_a_texture(viewer_model):
    layer = viewer_model.add_layer(map_layer(letter_f()))
    layer.scale = (10.0, 5.0)
    source = height_source(layer)
    what = model.Export(source, model.Treatment("none"))
    surface = model.map_of(what, ())
    assert surface.pixel_nm == (10.0, 5.0)
    assert model.mesh_colours(what, surface, ()).shape == (48, 64, 3)
