"""Uncertainty and relative yield as layers: chosen by one control, in step with the time slider."""

import numpy as np
import pytest
from conftest_helpers import letter_f, result_dataset
from qtpy.QtCore import Qt

from napari_sem4d.records import FrameDone
from napari_sem4d.widgets.maps import KINDS, map_limits
from napari_sem4d.widgets.result_data import RunningResult, from_dataset
from napari_sem4d.widgets.result_view import show_result
from napari_sem4d.widgets.view_controls import ViewControls


def with_parts(scale_status="calibrated"):
    """A result whose uncertainty and yield change in time."""
    dataset = result_dataset(scale_status=scale_status)
    ones = np.ones_like(dataset["height"].values)
    growing = ones * np.arange(1, 4, dtype=np.float32)[:, None, None]
    dims = ("time", "y", "x")
    return dataset.assign(
        height_std=(dims, 5.0 * growing + 0.01 * np.stack([letter_f()] * 3)),
        height_std_noise=(dims, 3.0 * growing),
        height_std_model=(dims, 4.0 * growing),
        relative_yield=(dims, 1.0 + 0.05 * (growing - 1.0)),
        misfit=("time", [1.0, 1.1, np.nan]),
    ).assign_attrs(material="Cu", engine="vift", warnings='["Mind the gap."]')


@pytest.fixture
def controls(viewer_model, qtbot):
    view = show_result(viewer_model, from_dataset(with_parts()))
    controls = ViewControls(viewer_model)
    qtbot.addWidget(controls)
    controls.show()
    controls.result = view
    return controls


def choose(controls, qtbot, title):
    """Choose a map by keys."""
    controls.map.setFocus()
    qtbot.keyClick(controls.map, Qt.Key.Key_Home)
    for _ in range(controls.map.findText(title)):
        qtbot.keyClick(controls.map, Qt.Key.Key_Down)
    assert controls.map.currentText() == title


def shown(controls):
    return [layer.name.split(",")[0] for layer in controls.viewer.layers if layer.visible]


def test_every_map_is_offered_and_only_the_chosen_one_is_shown(controls, qtbot):
    titles = [controls.map.itemText(i) for i in range(controls.map.count())]
    assert titles == [kind.title for kind in KINDS.values()]
    assert shown(controls) == ["height (nm)"]
    for title, name in (
        ("uncertainty", "height std (nm)"),
        ("uncertainty: noise", "height std from noise (nm)"),
        ("uncertainty: model", "height std from model (nm)"),
        ("relative yield", "relative yield (1 = Cu)"),
        ("height", "height (nm)"),
    ):
        choose(controls, qtbot, title)
        assert shown(controls) == [name]


def test_the_maps_follow_the_time_slider(controls, qtbot):
    choose(controls, qtbot, "uncertainty: noise")
    layer = next(x for x in controls.viewer.layers if x.visible)
    for frame in (0, 2):
        controls.viewer.dims.set_current_step(0, frame)
        np.testing.assert_array_equal(np.asarray(layer.data[frame, 0]), 3.0 * (frame + 1))


def test_the_surface_in_3d_takes_the_colours_of_the_map_and_keeps_its_shape(controls, qtbot):
    view = controls.result
    choose(controls, qtbot, "relative yield")
    qtbot.mouseClick(controls.button_3d, Qt.MouseButton.LeftButton)
    controls.viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: view.surface.frame == 2)
    vertices, _, values = view.surface.layer.data
    np.testing.assert_allclose(values[:-2], 1.1, rtol=1e-6)
    assert vertices[:-2, 0].max() == 300.0
    assert view.surface.layer.colormap.name == "PiYG"
    assert "relative yield (1 = Cu)" in view.surface.layer.name
    choose(controls, qtbot, "height")
    assert view.surface.layer.colormap.name == "viridis"
    assert view.surface.layer.data[2][:-2].max() == 300.0


def test_uncertainties_share_limits_from_zero_and_yields_are_symmetric_about_one(controls):
    data = controls.result.data
    limits = map_limits(data, "height_std")
    assert limits[0] == 0.0
    assert limits[1] == pytest.approx(16.0, abs=0.1)
    assert map_limits(data, "height_std_noise") == limits
    assert map_limits(data, "relative_yield") == pytest.approx((0.9, 1.1))


def test_the_reading_under_the_cursor_tells_the_map_that_is_shown(controls, qtbot):
    controls.viewer.dims.set_current_step(0, 2)
    choose(controls, qtbot, "relative yield")
    assert controls.result.reading_at((8.0, 0.0, 50.0, 200.0)) == "300 nm ± 16 nm, relative yield (1 = Cu): 1.1"


def test_relative_heights_offer_no_uncertainty_and_say_why(viewer_model, qtbot):
    show_result(viewer_model, from_dataset(with_parts("relative")))
    controls = ViewControls(viewer_model)
    qtbot.addWidget(controls)
    assert [controls.map.itemText(i) for i in range(controls.map.count())] == ["height", "relative yield"]
    assert "no uncertainty in nm" in controls.map.toolTip()


def test_a_result_without_the_parts_offers_the_whole_only(viewer_model, qtbot):
    show_result(viewer_model, from_dataset(result_dataset()))
    controls = ViewControls(viewer_model)
    qtbot.addWidget(controls)
    titles = [controls.map.itemText(i) for i in range(controls.map.count())]
    assert titles == ["height", "uncertainty", "relative yield"]


def test_what_is_known_of_a_result_comes_with_it():
    data = from_dataset(with_parts())
    assert data.engine == "vift"
    assert data.warnings == ["Mind the gap."]
    assert data.misfit[:2].tolist() == [1.0, 1.1]


def test_parts_that_a_run_begins_to_write_get_their_layers(viewer_model):
    whole = with_parts()
    pending = from_dataset(whole)
    running = RunningResult(**{f: getattr(pending, f) for f in pending.__dataclass_fields__} | {"parts": {}})

    class Reader:
        def __init__(self):
            self.done = set()

        def holds(self, name):
            return bool(self.done) and name in whole

        def read(self, name, frame):
            return whole[name].values[frame]

        def number(self, name, frame):
            return 1.02

    running._reader = Reader()
    view = show_result(viewer_model, running)
    count = len(viewer_model.layers)
    record = FrameDone(0, letter_f(), np.ones((48, 64)), np.ones((48, 64)), 1.3)
    running.frame_done(record)
    view.frame_changed(0)
    assert len(viewer_model.layers) == count + 2
    assert running.misfit[0] == 1.3
    assert running.misfit_explained[0] == 1.02
    view.show_map("height_std_model")
    assert [x.name.split(",")[0] for x in viewer_model.layers if x.visible] == ["height std from model (nm)"]
