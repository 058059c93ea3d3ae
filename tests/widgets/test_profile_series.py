"""The Profile dock through time: kymograph, several times and results over each other, draws."""

from dataclasses import replace

import numpy as np
import pytest
from conftest_helpers import result_dataset
from profile_helpers import LEFT, drag_on_plot, draw, ramp_dataset, with_draws

from napari_sem4d.widgets.profile import Profile
from napari_sem4d.widgets.profile_reading import cursor_figures
from napari_sem4d.widgets.profile_sampler import Sampler
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result


@pytest.fixture
def dock(viewer_model, qtbot):
    show_result(viewer_model, from_dataset(ramp_dataset(frames=4)))
    viewer_model.dims.set_current_step(0, 0)
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    dock.resize(360, 560)
    dock.show()
    yield dock
    dock.close()


def to_kymograph(dock, qtbot):
    qtbot.mouseClick(dock.modes.tabs, LEFT, pos=dock.modes.tabs.tabRect(2).center())
    qtbot.waitUntil(lambda: dock.history is not None, timeout=3000)
    qtbot.wait(30)


def test_the_kymograph_holds_the_line_at_all_times(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    to_kymograph(dock, qtbot)
    image = dock.kymograph_plot.image.image
    one = dock.profiles[0][1].height_nm
    np.testing.assert_allclose(image, [one, 2 * one, 3 * one, 4 * one], rtol=1e-5)
    assert dock.kymograph_plot.plot.getAxis("left").labelText == "time (s)"
    assert dock.stack.currentWidget() is dock.kymograph_plot


def test_a_rectangle_has_a_kymograph_averaged_over_its_width(dock, qtbot):
    draw(dock, qtbot, [(40, 0), (40, 200), (60, 200), (60, 0)], "rectangle")
    to_kymograph(dock, qtbot)
    np.testing.assert_allclose(dock.kymograph_plot.image.image[1], 2 * dock.profiles[0][1].height_nm, rtol=1e-5)


def test_the_line_in_the_kymograph_and_the_time_slider_move_each_other(dock, qtbot, viewer_model):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    to_kymograph(dock, qtbot)
    viewer_model.dims.set_current_step(0, 2)
    qtbot.wait(30)
    assert dock.kymograph_plot.now.value() == pytest.approx(8.0)
    drag_on_plot(qtbot, dock.kymograph_plot.plot, (100, 8.0), (100, 4.3))
    assert viewer_model.dims.current_step[0] == 1


def test_a_line_that_moves_gets_its_kymograph_anew(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    to_kymograph(dock, qtbot)
    dock.book.change("line 1", points=np.array([(100.0, 0.0), (100.0, 250.0)]))
    qtbot.waitUntil(lambda: dock.history is None)
    qtbot.waitUntil(lambda: dock.history is not None, timeout=3000)
    assert dock.kymograph_plot.image.image[0, 0] == pytest.approx(20)


def test_the_kymograph_has_a_csv_with_a_column_for_each_time(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    to_kymograph(dock, qtbot)
    lines = dock.files.text().splitlines()
    assert lines[0].split(",")[:3] == ["distance (nm)", "height (nm) at 0 s", "height (nm) at 4 s"]
    assert [float(v) for v in lines[-1].split(",")] == pytest.approx([250, 110, 220, 330, 440])


def test_a_single_map_has_no_kymograph_and_says_so(viewer_model, qtbot):
    viewer_model.add_image(np.ones((30, 40)), scale=(2, 2), units=("nm", "nm"), name="AFM")
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    dock.show()
    draw(dock, qtbot, [(20, 0), (20, 60)])
    qtbot.mouseClick(dock.modes.tabs, LEFT, pos=dock.modes.tabs.tabRect(2).center())
    qtbot.waitUntil(lambda: "needs a series" in dock.message.text(), timeout=2000)
    dock.close()


def test_other_times_lie_over_the_chosen_line(dock, qtbot, viewer_model):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    dock.compare.ends.trigger()
    qtbot.wait(30)
    assert dock.plot.keys == ["line 1", "line 1, t = 12 s"]
    np.testing.assert_allclose(dock.plot.curve("line 1, t = 12 s")[1], 4 * dock.plot.curve("line 1")[1], rtol=1e-5)
    viewer_model.dims.set_current_step(0, 1)
    qtbot.wait(30)
    assert dock.plot.keys == ["line 1", "line 1, t = 12 s", "line 1, t = 0 s"]
    assert "t = 12 s" in dock.files.text()
    dock.compare.clear_action.trigger()
    qtbot.wait(30)
    assert dock.plot.keys == ["line 1"]


def test_the_time_of_the_slider_can_be_kept(dock, qtbot, viewer_model):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    dock.compare.keep.trigger()
    viewer_model.dims.set_current_step(0, 3)
    qtbot.wait(30)
    assert dock.plot.keys == ["line 1", "line 1, t = 0 s"]


def test_another_result_lies_over_it_at_the_same_time_and_goes_with_its_layer(dock, qtbot, viewer_model):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    older = dock.source.layer
    halved = ramp_dataset(frames=2)
    halved["height"] *= 0.5
    show_result(viewer_model, from_dataset(halved))
    viewer_model.dims.set_current_step(0, 1)
    qtbot.wait(30)
    dock.compare.update_menu()
    dock.compare.others.actions()[0].trigger()
    qtbot.wait(30)
    (other,) = [key for key in dock.plot.keys if key != "line 1"]
    np.testing.assert_allclose(dock.plot.curve(other)[1], 2 * dock.plot.curve("line 1")[1], rtol=1e-5)
    viewer_model.layers.remove(older)
    qtbot.wait(30)
    assert dock.plot.keys == ["line 1"]


def test_relative_and_calibrated_heights_do_not_share_an_axis(dock, qtbot, viewer_model):
    show_result(viewer_model, from_dataset(ramp_dataset("relative")))
    qtbot.wait(30)
    dock.compare.update_menu()
    assert dock.compare.others.isEmpty()


def test_the_band_is_there_for_calibrated_heights_and_can_be_switched_off(dock, qtbot):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    assert dock.plot.banded == ["line 1"]
    low, high = dock.curves[0].band()
    np.testing.assert_allclose(high - low, 2 * 1.96 * 1.5, rtol=1e-3)
    dock.compare.band.trigger()
    qtbot.wait(30)
    assert dock.plot.banded == []


def test_cursors_take_their_interval_from_the_draws(viewer_model, qtbot):
    show_result(viewer_model, from_dataset(with_draws(ramp_dataset(), 5.0)))
    viewer_model.dims.set_current_step(0, 0)
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    draw(dock, qtbot, [(50, 0), (50, 290)])
    draw(dock, qtbot, [(60, 0), (60, 100)])

    def half(row):
        return float(dock.table.item(row, 4).text())

    # across the middle both ends err for themselves; on one side they err together, so nothing is left
    qtbot.waitUntil(lambda: half(0) > 10, timeout=3000)
    assert half(0) == pytest.approx(1.97 * np.sqrt(2) * 5, rel=0.15)
    assert half(1) < 0.01
    dock.close()


def test_the_calibration_joins_the_noise_by_the_height_difference_not_by_the_heights(viewer_model, qtbot):
    # On the ramp the height is 2 nm a column: from 20 to 100 nm on this line, at 5 % of scale and 1 nm of noise.
    dataset = ramp_dataset()
    noise, scale = 1.0, 0.05
    dataset["height_std"] = np.hypot(noise, scale * dataset["height"])
    dataset.attrs["scale_uncertainty"] = scale
    show_result(viewer_model, from_dataset(dataset))
    viewer_model.dims.set_current_step(0, 0)
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    draw(dock, qtbot, [(0, 50), (0, 250)])
    (line, profile), *_ = dock.profiles
    read = cursor_figures(line, profile)
    expected = 1.959964 * np.hypot(noise * 2**0.5, scale * read.height)
    assert read.half == pytest.approx(expected, rel=1e-3)
    assert "noise 1.4, calibration" in read.origin
    drawn = replace(profile, draws=profile.height_nm + np.zeros((8, profile.height_nm.size)))
    assert cursor_figures(line, drawn).half == pytest.approx(1.959964 * scale * read.height)
    dock.close()


def test_a_drag_samples_only_what_has_moved(dock, qtbot, monkeypatch):
    draw(dock, qtbot, [(50, 0), (50, 250)])
    draw(dock, qtbot, [(75, 0), (75, 250)])
    sampled = []
    line = type(dock.book.lines[0])
    original = line.sample
    monkeypatch.setattr(line, "sample", lambda self, *a, **k: sampled.append(self.name) or original(self, *a, **k))
    dock.lines.layer._data_view.shift(0, (5.0, 0.0))
    dock.lines.layer.events.set_data()
    qtbot.wait(30)
    assert sampled == ["line 1"]
    assert dock.plot.curve("line 1")[1][0] == pytest.approx(11)


def test_damaged_draws_leave_the_standard_uncertainties(viewer_model, qtbot):
    def unreadable(frame):
        raise OSError(5, "Input/output error")

    data = from_dataset(ramp_dataset())
    data.draws = unreadable
    show_result(viewer_model, data)
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    draw(dock, qtbot, [(50, 0), (50, 250)])
    qtbot.waitUntil(lambda: dock.sampler._key is not None, timeout=3000)
    dock.refresh()
    assert dock.table.item(0, 4).text() == "4.2"
    dock.close()


def test_results_of_unequal_length_are_read_at_the_time_of_the_slider(viewer_model, qtbot):
    heights = np.arange(6, dtype=np.float32)[:, None, None] * np.ones((1, 40, 60), dtype=np.float32)
    fine = result_dataset(heights=heights)
    fine = fine.assign_coords(time=("time", 2.0 * np.arange(6), {"units": "s"}))
    show_result(viewer_model, from_dataset(ramp_dataset(frames=3)))  # every 4 s
    show_result(viewer_model, from_dataset(fine))  # every 2 s
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    viewer_model.dims.set_point(0, 4.0)
    by_frames = {source.frames: source for source in dock.sources}
    assert by_frames[6].index(viewer_model.dims)[0] == 2
    assert by_frames[3].index(viewer_model.dims)[0] == 1
    dock.close()


def test_the_sampler_tells_nothing_after_it_was_closed():
    told = []
    sampler = Sampler(lambda: told.append(1))
    sampler._wanted = ("layer", 0)
    sampler.close()
    sampler._take((("layer", 0), np.ones((2, 3, 3))))
    assert told == []
