"""Layers of a result in a viewer model."""

import numpy as np
import pytest
from conftest_helpers import letter_f, result_dataset

from napari_sem4d.records import FrameDone
from napari_sem4d.widgets.frame_store import FrameStore, LayerArray
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result
from napari_sem4d.widgets.workspace import sem4d_metadata, workspace_of


@pytest.fixture
def view(viewer_model):
    return show_result(viewer_model, from_dataset(result_dataset()))


def pending_result(frames=3, scale_status="calibrated"):
    heights = np.full((frames, 48, 64), np.nan, dtype=np.float32)
    return from_dataset(result_dataset(heights=heights, scale_status=scale_status))


def test_the_f_is_unmirrored_in_the_height_image(view):
    np.testing.assert_array_equal(np.asarray(view.height.data[1])[0], 2 * letter_f())


def test_the_world_x_of_the_f_grows_to_the_right_and_its_y_downwards(view):
    corner = view.height.data_to_world((0, 0, 10, 40))
    assert corner[-2:] == pytest.approx((50.0, 200.0))
    assert min(view.height.scale) > 0
    assert min(view.surface.layer.scale) > 0


def test_the_surface_in_3d_is_the_f_of_the_frame_under_the_slider(view, qtbot):
    view.viewer.dims.ndisplay = 3
    view.viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: view.surface.frame == 2)
    z, row, col = view.surface.layer.vertices[:-2].T
    np.testing.assert_array_equal(z, 3 * letter_f()[row.astype(int), col.astype(int)])


def test_image_in_2d_and_surface_in_3d(view):
    assert view.height.visible
    assert not view.surface.layer.visible
    view.viewer.dims.ndisplay = 3
    assert not view.height.visible
    assert view.surface.layer.visible
    view.viewer.dims.ndisplay = 2
    assert view.height.visible
    assert not view.surface.layer.visible


def test_the_only_slider_in_2d_is_time_even_after_a_look_in_3d(view):
    view.viewer.dims.ndisplay = 3
    view.viewer.dims.ndisplay = 2
    assert [n for n, d in zip(view.viewer.dims.nsteps, view.viewer.dims.axis_labels, strict=True) if n > 1] == [
        3,
        48,
        64,
    ]


def test_another_layer_than_the_surface_is_active_in_3d(view):
    view.viewer.dims.ndisplay = 3
    assert view.viewer.layers.selection.active is view.height


def test_many_slider_events_become_one_update(view, qtbot, monkeypatch):
    view.viewer.dims.ndisplay = 3
    shown = []
    monkeypatch.setattr(view.surface, "show_frame", lambda frame: shown.append(frame))
    for step in [1, 2] * 10:
        view.viewer.dims.set_current_step(0, step)
    qtbot.wait(30)
    assert shown == [2]


def test_every_layer_has_units_scale_and_axis_labels(view):
    assert view.viewer.layers.units is not None
    for layer in view.layers:
        assert str(layer.units[-1]) == "nanometer"
        assert layer.axis_labels[-3:] == ("z", "y", "x")
        assert tuple(layer.scale[-2:]) == (5.0, 5.0)
    assert str(view.height.units[0]) == "second"


def test_contrast_limits_span_all_frames_and_do_not_move_with_time(view):
    limits = tuple(view.height.contrast_limits)
    assert limits == (0.0, pytest.approx(300.0))
    assert tuple(view.surface.layer.contrast_limits) == limits
    view.viewer.dims.set_current_step(0, 2)
    assert tuple(view.height.contrast_limits) == limits


def test_the_z_range_of_the_viewer_stays_while_heights_move(view, qtbot):
    view.viewer.dims.ndisplay = 3
    before = view.viewer.dims.range[1]
    view.viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: view.surface.frame == 2)
    assert view.viewer.dims.range[1] == before


def test_exaggeration_stretches_the_screen_and_leaves_the_heights_that_are_read(view):
    view.viewer.dims.ndisplay = 3
    view.viewer.dims.set_current_step(0, 0)
    view.surface.set_exaggeration(7.0)
    assert view.surface.layer.scale[0] == 7.0
    above = (0.0, 7 * 500.0, 10 * 5.0, 30 * 5.0)
    assert view.reading_at(above, (0, -1, 0, 0)) == "100 nm ± 1.5 nm"


def test_the_reading_in_2d_is_the_pixel_under_the_cursor(view):
    view.viewer.dims.set_current_step(0, 1)
    assert view.reading_at((4.0, 0.0, 50.0, 200.0)) == "200 nm ± 1.5 nm"
    assert view.reading_at((4.0, 0.0, -50.0, 200.0)) is None


def test_relative_heights_are_called_relative_and_carry_no_uncertainty(viewer_model):
    view = show_result(viewer_model, from_dataset(result_dataset(scale_status="relative")))
    reading = view.reading_at((4.0, 0.0, 50.0, 200.0))
    assert "relative" in reading
    assert "±" not in reading
    assert all("std" not in layer.name for layer in viewer_model.layers)
    assert "relative height" in view.height.name


def test_layers_know_their_result(view):
    entry = sem4d_metadata(view.height)
    assert entry["role"] == "height"
    assert entry["scale_status"] == "calibrated"
    assert entry["unit"] == "nm"


def test_a_frame_that_comes_in_is_shown_and_widens_the_limits(viewer_model):
    data = pending_result()
    view = show_result(viewer_model, data)
    viewer_model.dims.set_current_step(0, 0)
    for frame, factor in [(0, 1), (1, -2)]:
        height = factor * letter_f()
        record = FrameDone(frame, height, np.ones_like(height), np.ones_like(height), 1.0)
        data.height.set_frame(record.frame, record.height)
        view.frame_changed(record.frame)
    np.testing.assert_array_equal(view.height.data[0, 0], letter_f())
    assert tuple(view.height.contrast_limits) == pytest.approx((-200.0, 100.0))
    assert view.data.reading(2, 1, 1) == "no height here"


def test_a_finished_frame_replaces_its_preview(viewer_model):
    data = pending_result()
    data.height.set_frame(0, letter_f() * 0.5, preview=True)
    assert data.height.frame(0).max() == 50
    data.height.set_frame(0, letter_f())
    assert data.height.frame(0).max() == 100


def test_removing_the_height_layer_lets_go_of_the_viewer(view):
    model = view.viewer
    model.layers.remove(view.height)
    assert view not in workspace_of(model).results
    assert view._on_mouse_move not in model.mouse_move_callbacks
    model.dims.set_current_step(0, 2)
    model.dims.ndisplay = 3


def test_a_second_result_hides_the_first_and_keeps_it(viewer_model):
    first = show_result(viewer_model, from_dataset(result_dataset()))
    second = show_result(viewer_model, from_dataset(result_dataset(frames=2)))
    assert first.height in viewer_model.layers
    assert not first.height.visible
    assert second.height.visible


def test_irregular_times_are_shown_as_frames_and_told_in_words():
    dataset = result_dataset().assign_coords(time=("time", [0.0, 1.0, 7.5], {"units": "s"}))
    data = from_dataset(dataset)
    assert data.axes.time_unit == "frame"
    assert data.time_text(2) == "frame 3 of 3, t = 7.5 s"


def test_only_a_few_frames_stay_in_memory():
    reads = []

    def read(i):
        reads.append(i)
        return np.full((4, 4), float(i))

    store = FrameStore(100, (4, 4), read, keep=5)
    for i in range(100):
        store.frame(i)
    assert len(store._cache) == 5
    store.frame(99)
    assert len(reads) == 100


def test_the_layer_array_indexes_like_a_numpy_array():
    stack = np.random.default_rng(0).normal(size=(4, 6, 5)).astype(np.float32)
    array = LayerArray(FrameStore(4, (6, 5), lambda i: stack[i]))
    full = stack[:, None]
    for key in [
        (2,),
        (1, 0),
        (slice(None), 0, 3, 2),
        (slice(1, 3), 0, slice(2, 5)),
        (3, 0, slice(None), 1),
        (-1,),
    ]:
        np.testing.assert_array_equal(array[key], full[key])
    np.testing.assert_array_equal(array[..., 2], full[..., 2])
    np.testing.assert_array_equal(np.asarray(array), full)


def test_no_z_slider_is_left_in_2d_by_the_surface_that_is_shown_nor_by_a_hidden_one(viewer_model, qtbot):
    show_result(viewer_model, from_dataset(result_dataset()))
    view = show_result(viewer_model, from_dataset(result_dataset()))
    for _ in range(2):
        view.show_3d()
        viewer_model.dims.set_current_step(0, 1)
        qtbot.wait(20)
        assert viewer_model.layers.extent.world[1, -3] > 0  # napari remembers it from here
        viewer_model.dims.ndisplay = 2
        qtbot.wait(20)
        assert viewer_model.layers.extent.world[:, -3].tolist() == [0, 0]
        assert viewer_model.dims.range[-3][:2] == (0, 0)
