"""Step mode of the Profile dock."""

import numpy as np
import pytest
from conftest_helpers import result_dataset
from profile_helpers import LEFT, drag_on_plot, draw, step_dataset, with_draws
from qtpy.QtCore import QRect

from napari_sem4d.widgets.profile import Profile
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result


def make_dock(viewer_model, qtbot, dataset):
    show_result(viewer_model, from_dataset(dataset))
    viewer_model.dims.set_current_step(0, 0)
    dock = Profile(viewer_model)
    qtbot.addWidget(dock)
    dock.resize(360, 560)
    dock.show()
    return dock


def to_tab(dock, qtbot, number):
    rect: QRect = dock.modes.tabs.tabRect(number)
    qtbot.mouseClick(dock.modes.tabs, LEFT, pos=rect.center())
    qtbot.wait(30)


def height_shown(dock, row=0):
    return float(dock.table.item(row, 1).text())


def test_a_tilted_step_is_found_shaded_and_fitted(viewer_model, qtbot):
    dock = make_dock(viewer_model, qtbot, step_dataset())
    draw(dock, qtbot, [(100, 0), (100, 290)])
    to_tab(dock, qtbot, 1)
    assert height_shown(dock) == pytest.approx(100, abs=0.1)
    first, second = (region.getRegion() for region in dock.plot.step.regions)
    assert first[1] < 147.5 < second[0]
    upper = dock.plot.step.levels[0].getData()
    assert upper[1] == pytest.approx([100, 100 + 0.02 * 290], abs=0.1)  # parallel to the plane
    assert not dock.plot.cursors[0].isVisible()
    dock.close()


def test_the_step_follows_the_time_slider(viewer_model, qtbot):
    dock = make_dock(viewer_model, qtbot, step_dataset())
    draw(dock, qtbot, [(100, 0), (100, 290)])
    to_tab(dock, qtbot, 1)
    viewer_model.dims.set_current_step(0, 1)
    qtbot.wait(30)
    assert height_shown(dock) == pytest.approx(200, abs=0.1)
    dock.close()


def test_dragging_a_stretch_changes_the_fit_live_and_undo_finds_it_again(viewer_model, qtbot):
    heights = step_dataset().height.values.copy()
    heights[:, :, :10] += 50.0  # a ledge at the left end that the first stretch must not hold
    dock = make_dock(viewer_model, qtbot, result_dataset(heights=heights))
    draw(dock, qtbot, [(100, 0), (100, 290)])
    dock.book.change("line 1", cursors=(0.1, 0.9))
    to_tab(dock, qtbot, 1)
    dock.modes.kind.setCurrentIndex(1)
    dock.modes.kind.activated.emit(1)
    qtbot.wait(30)
    before = height_shown(dock)
    assert abs(before - 100) > 1
    live = []

    def watch():
        if dock.book.lines[0].step.stretches is not None:
            live.append((dock.book.lines[0].step.stretches[0][0], height_shown(dock)))

    start = dock.plot.step.regions[0].getRegion()[0]
    drag_on_plot(qtbot, dock.plot, (start + 0.5, 80), (75, 80), each=watch)
    starts, fitted = zip(*live, strict=True)
    assert len(set(starts)) > 2
    assert all(abs(height - before) > 1 for height in fitted)  # the ledge no longer has the majority
    assert height_shown(dock) == pytest.approx(100, abs=0.1)
    marks = dock.book.lines[0].step
    assert marks.stretches[0][0] == pytest.approx(75 / 290, abs=0.03)
    dock.undo()
    qtbot.wait(30)
    assert dock.book.lines[0].step.stretches is None
    assert height_shown(dock) == pytest.approx(before)
    dock.redo()
    qtbot.mouseClick(dock.modes.find, LEFT)
    qtbot.wait(30)
    assert height_shown(dock) == pytest.approx(before)
    dock.close()


def test_a_groove_is_recognised_and_measured_by_the_standard(viewer_model, qtbot):
    _, col = np.mgrid[:40, :90]
    heights = (0.1 * col - 60.0 * ((col >= 35) & (col < 55)))[None].astype(np.float32)
    dock = make_dock(viewer_model, qtbot, result_dataset(heights=heights))
    draw(dock, qtbot, [(100, 0), (100, 445)])
    to_tab(dock, qtbot, 1)
    assert height_shown(dock) == pytest.approx(-60, abs=0.1)
    assert [part.d for part in dock.shown_step().fit.stretches] == [-1, 1, -1]
    dock.close()


def test_the_uncertainty_of_a_step_comes_from_the_draws(viewer_model, qtbot):
    dock = make_dock(viewer_model, qtbot, with_draws(step_dataset(), 3.0))
    draw(dock, qtbot, [(100, 0), (100, 290)])
    to_tab(dock, qtbot, 1)
    # both sides err by 3 nm, each for itself: 1.97 x sqrt(2) x 3 nm
    qtbot.waitUntil(lambda: float(dock.table.item(0, 2).text()) > 6, timeout=3000)
    assert float(dock.table.item(0, 2).text()) == pytest.approx(8.4, rel=0.15)
    assert "draws" in dock.table.item(0, 2).toolTip()
    dock.close()


def test_a_line_without_a_step_is_told_in_words(viewer_model, qtbot):
    dock = make_dock(viewer_model, qtbot, result_dataset(heights=np.zeros((1, 40, 60))))
    draw(dock, qtbot, [(100, 0), (100, 290)])
    to_tab(dock, qtbot, 1)
    assert "No edge stands out" in dock.message.text()
    assert dock.table.item(0, 1).text() == "-"
    assert dock.plot.step.regions == []
    dock.close()
