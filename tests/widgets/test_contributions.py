"""The manifest and what it contributes, in a real viewer where a screen is needed."""

from pathlib import Path

import numpy as np
import pytest
from conftest_helpers import canvas, letter_f, result_dataset
from npe2 import PluginManifest
from qtpy.QtWidgets import QApplication
from synthetic_series import write_series

from napari_sem4d import api
from napari_sem4d.settings import Settings
from napari_sem4d.widgets import reader
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result
from napari_sem4d.widgets.workspace import sem4d_metadata, workspace_of

DOCKS = ["Load series", "Reconstruct", "Profile", "Roughness", "Export"]
REPO = Path(__file__).resolve().parents[2]


def test_the_manifest_is_valid_and_everything_it_names_can_be_imported():
    manifest = PluginManifest.from_distribution("napari-sem4d")
    manifest.validate_imports()
    assert [w.display_name for w in manifest.contributions.widgets] == DOCKS
    assert manifest.contributions.readers[0].accepts_directories
    assert manifest.contributions.keybindings in (None, [])


def test_the_manifest_at_the_top_is_a_link_to_the_one_in_the_package():
    link = REPO / "napari.yaml"
    assert link.is_symlink()
    assert link.resolve() == REPO / "src" / "napari_sem4d" / "napari.yaml"


def test_the_reader_takes_images_folders_descriptions_and_results_and_nothing_else(tmp_path):
    folder = write_series(tmp_path / "s", frames=1)
    assert reader.get_reader(str(folder)) is reader.read_series
    assert reader.get_reader([str(folder / "0000_A.tif"), str(folder / "0000_B.tif")]) is reader.read_series
    assert reader.get_reader(str(folder / "acquisition.yaml")) is reader.read_series
    assert reader.get_reader(str(tmp_path / "notes.txt")) is None
    foreign = tmp_path / "foreign.zarr"
    foreign.mkdir()
    assert reader.get_reader(str(foreign)) is None


@pytest.mark.parametrize("what", ["folder", "description"])
def test_a_folder_and_its_description_give_the_same_lazy_layer(tmp_path, what):
    folder = write_series(tmp_path / "s", frames=2)
    path = folder if what == "folder" else folder / "acquisition.yaml"
    ((data, kwargs, kind),) = reader.get_reader(str(path))(str(path))
    assert kind == "image"
    assert data.shape == (4, 2, 1, 48, 64)
    assert hasattr(data, "dask")
    assert kwargs["units"] == ("pixel", "s", "nm", "nm", "nm")


def test_a_folder_that_is_no_series_adds_nothing_and_is_told(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_error", told.append)
    assert reader.read_series(str(tmp_path)) == [(None,)]
    assert len(told) == 1
    assert "Traceback" not in told[0]


def test_a_result_opens_as_calibrated_or_relative_height_layers(tmp_path):
    folder = write_series(tmp_path / "s", frames=1)
    store = api.reconstruct(api.open_series(folder), tmp_path / "r.zarr", Settings(engine="local"))
    layers = reader.get_reader(str(store))(str(store))
    names = [kwargs["name"] for _, kwargs, _ in layers]
    assert names == ["relative yield (1 = Cu), r", "relative height (nm), r"]
    assert layers[-1][1]["metadata"]["sem4d"]["path"] == str(store)
    assert np.isfinite(np.asarray(layers[-1][0][0, 0])).all()


def test_a_damaged_frame_is_told_under_the_cursor_and_the_others_stay(tmp_path):
    folder = write_series(tmp_path / "s", frames=2)
    store = api.reconstruct(api.open_series(folder), tmp_path / "r.zarr", Settings(engine="local"))
    (chunk,) = [p for p in (store / "height" / "c" / "1").rglob("*") if p.is_file()]
    chunk.write_bytes(b"broken")
    data = from_dataset(api.open_result(store), store)
    assert "nm" in data.reading(0, 5, 5)
    assert "damaged" in data.reading(1, 5, 5)


@pytest.mark.gl
def test_a_result_opened_in_the_viewer_gets_its_surface(make_napari_viewer_proxy, qtbot, tmp_path):
    folder = write_series(tmp_path / "s", frames=2)
    store = api.reconstruct(api.open_series(folder), tmp_path / "r.zarr", Settings(engine="local"))
    viewer = make_napari_viewer_proxy(show=True)
    viewer.open(str(store), plugin="napari-sem4d")
    qtbot.waitUntil(lambda: len(workspace_of(viewer).results) == 1)
    roles = sorted(sem4d_metadata(layer)["role"] for layer in viewer.layers)
    assert roles == ["height", "relative_yield", "surface"]


@pytest.mark.gl
def test_the_sample_series_opens_and_the_docks_know_it(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    viewer.open_sample("napari-sem4d", "sem_series")
    qtbot.waitUntil(lambda: workspace_of(viewer).series is not None)
    assert workspace_of(viewer).series.missing() == ()
    assert viewer.layers[0].axis_labels[0] == "segment"


@pytest.mark.gl
def test_the_docks_open_from_the_manifest_and_close(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    for name in DOCKS:
        dock, widget = viewer.window.add_plugin_dock_widget("napari-sem4d", name)
        qtbot.wait(50)
        assert widget.isVisible()
        viewer.window.remove_dock_widget(dock)
    qtbot.wait(50)
    viewer.add_image(np.zeros((4, 4)))
    viewer.dims.ndisplay = 3


@pytest.mark.gl
@pytest.mark.parametrize("ndisplay", [2, 3])
def test_the_f_looks_like_an_f_on_the_screen(make_napari_viewer_proxy, qtbot, ndisplay):
    """What is drawn is compared with upright, mirrored and turned copies of the letter."""
    viewer = make_napari_viewer_proxy(show=True)
    height = np.repeat(np.repeat(letter_f(), 4, axis=0), 4, axis=1)
    view = show_result(viewer, from_dataset(result_dataset(heights=height[None])))
    if ndisplay == 3:
        view.show_3d()
        view.surface.set_drape("none")
        viewer.scene.camera.angles = (0, 0, 0)  # straight from above
    for overlay in ("text", "scale_bar"):
        viewer.canvas.overlays[overlay].visible = False
    view.height.colorbar.visible = view.surface.layer.colorbar.visible = False
    viewer.reset_view()
    qtbot.wait(200)
    QApplication.processEvents()
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    assert canvas() is not None
    drawn = picture.sum(axis=2) > 0
    rows, cols = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    seen = picture[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1, 1]  # green grows with height in viridis
    row = np.linspace(0, seen.shape[0] - 1, 48).round().astype(int)
    col = np.linspace(0, seen.shape[1] - 1, 64).round().astype(int)
    seen = seen[np.ix_(row, col)]
    letter = letter_f()
    copies = {
        "upright": letter,
        "left-right": letter[:, ::-1],
        "upside down": letter[::-1],
        "turned": letter[::-1, ::-1],
    }
    agreement = {name: np.corrcoef(seen.ravel(), copy.ravel())[0, 1] for name, copy in copies.items()}
    assert agreement["upright"] > 0.85
    assert max(agreement, key=agreement.get) == "upright"
