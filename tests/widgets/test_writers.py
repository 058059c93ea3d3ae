"""Height layers saved through napari, and height maps opened by dropping them: upright, in nm."""

import json
import shutil

import numpy as np
import pytest
from conftest_helpers import letter_f
from height_results import make_result, map_layer
from npe2 import PluginManager
from npe2 import write as npe2_write

from napari_sem4d import api
from napari_sem4d.errors import InputError
from napari_sem4d.io.height_map import height_map
from napari_sem4d.io.surfaces import read_surface, write_surface
from napari_sem4d.widgets import height_files, reader, writer
from napari_sem4d.widgets.height_source import height_source
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result
from napari_sem4d.widgets.workspace import sem4d_metadata

MAPS = (".tif", ".gwy", ".gsf", ".x3p", ".sur", ".xyz")
PLUGIN = "napari-sem4d"
KINDS = (".tif", ".png", ".gwy", ".glb")


@pytest.fixture(scope="module", autouse=True)
def _plugins():
    """What napari does when it starts."""
    from napari.plugins import _initialize_plugins

    _initialize_plugins()


@pytest.mark.parametrize("extension", [*MAPS, ".csv", ".stl", ".ply", ".glb", ".png", ".svg"])
def test_a_height_layer_is_saved_by_every_writer(tmp_path, extension):
    layer = map_layer(letter_f())
    path = str(tmp_path / f"Größe{extension}")
    assert npe2_write(path, [layer], plugin_name=PLUGIN) == [path]
    if extension in (*MAPS, ".csv"):
        found = read_surface(path)
        np.testing.assert_allclose(found.height, letter_f(), atol=1e-3)
        assert found.pixel_nm == pytest.approx((5.0, 5.0))


@pytest.mark.parametrize("extension", MAPS)
def test_what_was_saved_is_dropped_on_the_window_and_is_the_same_height_layer(tmp_path, extension):
    rows_columns = height_map(letter_f(), (8.0, 5.0), "letter F", relative=True)
    path = write_surface(tmp_path / f"F{extension}", rows_columns)
    read = reader.get_reader(str(path))
    assert read is reader.read_height_maps
    ((data, kwargs, kind),) = read(str(path))
    assert kind == "image" and kwargs["name"].startswith("relative height (nm)")
    np.testing.assert_allclose(data, letter_f(), atol=1e-3)
    from napari.layers import Image

    source = height_source(Image(data, **kwargs))
    assert (source.length_unit, source.value_unit, source.relative) == ("nm", "nm", True)
    assert source.pixel == pytest.approx((8.0, 5.0))


def test_plain_pictures_and_notes_are_not_taken_for_heights(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "sem.tif", np.zeros((8, 8), np.uint16))
    tifffile.imwrite(tmp_path / "float.tif", np.zeros((8, 8), np.float32))
    (tmp_path / "notes.txt").write_text("PixelSize=4\n", encoding="utf-8")
    assert reader.get_reader(str(tmp_path / "sem.tif")) is reader.read_series
    assert reader.get_reader(str(tmp_path / "float.tif")) is reader.read_series
    assert reader.get_reader(str(tmp_path / "notes.txt")) is None


def test_a_damaged_map_adds_nothing_and_is_told(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_error", told.append)
    path = write_surface(tmp_path / "F.gwy", height_map(letter_f(), (5, 5), "letter F"))
    path.write_bytes(path.read_bytes()[:500])
    assert reader.read_height_maps(str(path)) == [(None,)]
    assert len(told) == 1 and "F.gwy" in told[0]


def test_a_table_of_points_without_a_unit_is_asked(tmp_path, monkeypatch):
    lines = [f"{x} {y} {x * y}" for y in range(5) for x in range(6)]
    path = tmp_path / "points.xyz"
    path.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(height_files, "_asked_unit", lambda _: "um")
    data, kwargs, _ = height_files.height_layer_data(path, ask=True)
    assert data.shape == (5, 6) and kwargs["scale"] == pytest.approx((1000.0, 1000.0))
    with pytest.raises(InputError, match="unit"):
        height_files.height_layer_data(path)


def test_heights_that_look_wrong_are_questioned(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    path = write_surface(tmp_path / "F.gsf", height_map(1e4 * letter_f(), (5, 5), "letter F"))
    reader.read_height_maps(str(path))
    assert "more than its width" in told[0]


def test_the_first_channel_with_heights_is_taken(tmp_path):
    from gwyfile.objects import GwyContainer, GwyDataField

    container = GwyContainer()
    for number, (unit, factor) in enumerate((("V", 1.0), ("m", 1e-9))):
        container[f"/{number}/data/title"] = "deflection" if unit == "V" else "topography"
        container[f"/{number}/data"] = GwyDataField(
            factor * letter_f().astype(float), xreal=3.2e-7, yreal=2.4e-7, si_unit_xy="m", si_unit_z=unit
        )
    path = tmp_path / "two.gwy"
    container.tofile(str(path))
    data, kwargs, _ = height_files.height_layer_data(path)
    assert "topography" in kwargs["name"]
    np.testing.assert_allclose(data, letter_f(), atol=1e-3)


def test_a_real_map_of_another_instrument_becomes_a_height_layer(shared_data):
    data, kwargs, _ = height_files.height_layer_data(shared_data / "afm" / "x3p-2.x3p")
    assert data.shape == (650, 650) and kwargs["units"] == ("nm", "nm")
    assert kwargs["scale"] == pytest.approx((314.58, 127.66), rel=1e-4)


@pytest.mark.parametrize("name", ["di-3.di", "mi-1.mi", "top-1.top", "al3d-1.al3d", "stp-1.stp", "sdf-1.sdf"])
def test_files_of_force_microscopes_open_with_the_extra(shared_data, name):
    pytest.importorskip("SurfaceTopography")
    path = shared_data / "afm" / name
    assert reader.get_reader(str(path)) is reader.read_height_maps
    data, kwargs, _ = height_files.height_layer_data(path)
    assert np.isfinite(data).any() and sem4d_metadata(type("L", (), kwargs))["unit"] == "nm"


def test_an_image_of_something_else_is_not_written_as_heights(tmp_path):
    from napari.layers import Image, Surface

    entry = {"sem4d": {"path": "", "role": "height_std", "scale_status": "calibrated"}}
    with pytest.raises(InputError, match="holds no heights"):
        writer.write_image(str(tmp_path / "x.gwy"), *Image(letter_f(), metadata=entry).as_layer_data_tuple()[:2])
    with pytest.raises(InputError, match="pixel size"):
        writer.write_image(str(tmp_path / "x.gwy"), *Image(letter_f()).as_layer_data_tuple()[:2])
    mesh = Surface((np.eye(3), np.array([[0, 1, 2]])))
    with pytest.raises(InputError, match="shows no height map"):
        writer.write_surface(str(tmp_path / "x.stl"), *mesh.as_layer_data_tuple()[:2])
    assert not list(tmp_path.iterdir())


def test_pictures_and_tiffs_of_any_image_stay_with_napari():
    """Saving an ordinary image without choosing a writer must not end at ours."""
    writers = {kind: PluginManager.instance().get_writer(f"x{kind}", ["image"])[0].plugin_name for kind in KINDS}
    assert writers == {".tif": "napari", ".png": "napari", ".gwy": PLUGIN, ".glb": PLUGIN}


@pytest.mark.gl
def test_the_frame_under_the_slider_is_saved_from_image_and_surface(make_napari_viewer_proxy, qtbot, tmp_path):
    viewer = make_napari_viewer_proxy(show=True)
    maps = [(i + 1) * letter_f() for i in range(3)]
    store = make_result(tmp_path / "islands.zarr", maps=maps, draws=0)
    view = show_result(viewer, from_dataset(api.open_result(store), store))
    viewer.dims.set_current_step(0, 2)
    qtbot.wait(50)
    image, surface = str(tmp_path / "i.gsf"), str(tmp_path / "s.gsf")
    viewer.layers.selection = {view.height}
    assert viewer.layers.save(image, selected=True, plugin=PLUGIN) == [image]
    viewer.layers.selection = {view.surface.layer}
    assert viewer.layers.save(surface, selected=True, plugin=PLUGIN) == [surface]
    for path in (image, surface):
        np.testing.assert_allclose(read_surface(path).height, 3 * letter_f(), atol=1e-3)


@pytest.mark.gl
def test_a_dropped_height_map_is_measured_by_the_docks(make_napari_viewer_proxy, qtbot, tmp_path):
    viewer = make_napari_viewer_proxy(show=True)
    path = write_surface(tmp_path / "Größe F.gwy", height_map(letter_f(), (5.0, 5.0), "letter F"))
    _, roughness = viewer.window.add_plugin_dock_widget(PLUGIN, "Roughness")
    _, profile = viewer.window.add_plugin_dock_widget(PLUGIN, "Profile")
    viewer.open(str(path), plugin=PLUGIN)
    qtbot.waitUntil(lambda: roughness.answer is not None, timeout=20_000)
    assert roughness.table.figures["Sz"].value == pytest.approx(100.0, rel=0.3)
    assert profile.source is not None and profile.source.value_unit == "nm"
    assert viewer.canvas.overlays.scale_bar.visible


def test_json_of_the_metadata_of_a_layer_can_be_written():
    """napari keeps metadata in session files: plain values only."""
    data = height_files.layer_data
    from pathlib import Path

    from napari_sem4d.io.heights import from_map

    kwargs = data(from_map(height_map(letter_f(), (5.0, 5.0), "F"), Path("F.gwy")))[1]
    json.dumps(kwargs["metadata"])


def test_moving_a_map_to_another_place_keeps_it_readable(tmp_path):
    path = write_surface(tmp_path / "F.sur", height_map(letter_f(), (5.0, 5.0), "F"))
    (tmp_path / "Ordner mit Umläuten").mkdir()
    moved = shutil.move(path, tmp_path / "Ordner mit Umläuten" / "F.SUR")
    assert reader.get_reader(str(moved)) is reader.read_height_maps
    assert height_files.height_layer_data(moved)[0].shape == (48, 64)
