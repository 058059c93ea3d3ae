"""Controls of the 3D view."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from conftest_helpers import letter_f, result_dataset
from qtpy.QtCore import Qt

from napari_sem4d.acquisition.series import SemSeries
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result
from napari_sem4d.widgets.surface_view import nice_exaggeration
from napari_sem4d.widgets.view_controls import ViewControls

LEFT = Qt.MouseButton.LeftButton


def f_series(frames=3):
    """Images whose first segment is a bright F."""
    signal = np.stack([np.stack([letter_f() * 10 + 100, np.full((48, 64), 100.0)])] * frames)
    array = xr.DataArray(
        da.from_array(signal.astype(np.float32)),
        dims=("time", "segment", "y", "x"),
        coords={"time": np.arange(frames), "segment": ["A", "B"]},
    )
    return SemSeries(array, pixel_nm=5.0)


@pytest.fixture
def controls(viewer_model, qtbot):
    show_result(viewer_model, from_dataset(result_dataset(), series=f_series()))
    controls = ViewControls(viewer_model)
    qtbot.addWidget(controls)
    return controls


def test_buttons_switch_between_2d_and_3d_from_above(controls, qtbot):
    qtbot.mouseClick(controls.button_3d, LEFT)
    assert controls.viewer.dims.ndisplay == 3
    assert tuple(controls.viewer.scene.camera.angles) == (0.0, 0.0, -50.0)
    qtbot.mouseClick(controls.button_2d, LEFT)
    assert controls.viewer.dims.ndisplay == 2


def test_the_drape_of_the_sem_image_is_its_unmirrored_f(controls, qtbot):
    qtbot.mouseClick(controls.button_3d, LEFT)
    controls.drape.setCurrentText("SEM image")
    texture = controls.space.results[-1].surface.layer.texture
    np.testing.assert_array_equal(texture == 255, letter_f() > 0)


def test_an_exaggeration_that_the_user_chose_stays_when_frames_come_in(controls, qtbot):
    view = controls.space.results[-1]
    controls.exaggeration.setValue(3.0)
    assert view.surface.layer.scale[0] == 3.0
    view.data.height.set_frame(0, 50 * letter_f())
    view.frame_changed(0)
    assert view.surface.layer.scale[0] == 3.0


def test_the_first_exaggeration_is_round_and_1_for_a_relief_that_shows():
    assert nice_exaggeration((0.0, 300.0), 1000.0) == 1.0
    assert nice_exaggeration((0.0, 10.0), 1000.0) == 20.0
    assert nice_exaggeration((0.0, 5000.0), 1000.0) == 0.2


def test_controls_wait_for_a_result(viewer_model, qtbot):
    controls = ViewControls(viewer_model)
    qtbot.addWidget(controls)
    assert not controls.isEnabled()
    show_result(viewer_model, from_dataset(result_dataset()))
    assert controls.isEnabled()
