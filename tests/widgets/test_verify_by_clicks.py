"""Verify a result from the Reconstruct dock, by clicks and keys; what is kept is shown when it is opened again."""

import dataclasses
import shutil

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from synthetic_series import write_series

from napari_sem4d import api
from napari_sem4d.io.store import ResultStore
from napari_sem4d.settings import Settings
from napari_sem4d.widgets import reconstruct
from napari_sem4d.widgets.reconstruct import Reconstruct
from napari_sem4d.widgets.result_data import from_dataset
from napari_sem4d.widgets.result_view import show_result
from napari_sem4d.widgets.run_model import Effort, OneJob

LEFT = Qt.MouseButton.LeftButton
SECONDS = 120_000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A series of two frames and its result."""
    folder = write_series(tmp_path_factory.mktemp("Größe") / "Bilder", frames=2, shape=(36, 48))
    series = api.open_series(folder)
    return api.reconstruct(series, folder.parent / "Bilder-height-001.zarr", Settings(engine="local"))


@pytest.fixture
def result(made, tmp_path):
    """A copy of the result beside a copy of its images."""
    shutil.copytree(made.parent / "Bilder", tmp_path / "Bilder")
    return shutil.copytree(made, tmp_path / made.name)


@pytest.fixture
def dock(viewer_model, qtbot, monkeypatch):
    monkeypatch.setattr(reconstruct, "EFFORTS", (Effort("quick", 200, 40), Effort("usual", 300, 60)))
    dock = Reconstruct(viewer_model)
    assert dock.settings().engine == "vift"
    dock.engine.set_value("local")  # made the images
    qtbot.addWidget(dock)
    dock.show()
    yield dock
    dock.verifier.cancel()
    qtbot.waitUntil(lambda: not dock.verifier.running, timeout=SECONDS)
    qtbot.waitUntil(lambda: dock.device.text() != "Device: …", timeout=SECONDS)
    dock.close()


def show(dock, path):
    return show_result(dock.viewer, from_dataset(api.open_result(path), path))


def verify(dock, qtbot):
    qtbot.mouseClick(dock.result_box.button, LEFT)
    assert dock.verifier.running
    qtbot.waitUntil(lambda: not dock.verifier.running, timeout=SECONDS)


def test_without_a_result_there_is_nothing_to_verify(dock):
    assert not dock.result_box.isVisible()


def test_a_click_gives_a_verdict_with_effect_intervals_and_table(dock, qtbot, result):
    show(dock, result)
    box = dock.result_box
    assert "Not verified" in box.verdict.text()
    told = []
    dock.verifier.progress.connect(lambda record: told.append(dock.progress_label.text()))
    verify(dock, qtbot)
    kept = api.kept_verifications(api.open_result(result))[0].verification
    scale, effect = kept.comparison.height_scale, kept.comparison.effect
    assert box.verdict.text().startswith(kept.verdict.capitalize())
    assert f"height scale {scale.value:.3f} ({scale.low:.3f} to {scale.high:.3f})" in box.verdict.text()
    assert f"{effect.value:.3f} ({effect.low:.3f} to {effect.high:.3f})" in box.verdict.text()
    assert kept.sentences[1] in box.verdict.toolTip()
    assert [box.table.horizontalHeaderItem(k).text() for k in range(4)] == list("ABCD")
    cells = [box.table.item(r, c) for r in range(box.table.rowCount()) for c in range(4)]
    assert sum(bool(item.text()) for item in cells) == len(kept.comparison.bands)
    assert any("would have been found" in item.toolTip() for item in cells)
    assert any(text.endswith("left") for text in told)
    assert "Verified" in dock.progress_label.text()


def test_a_result_opened_again_shows_the_same(dock, qtbot, result):
    first = show(dock, result)
    dock.viewer.dims.set_current_step(0, 1)
    verify(dock, qtbot)
    before = (dock.result_box.misfit.text(), dock.result_box.verdict.text(), dock.log.toPlainText())
    assert "gain of every segment was free" in before[2]
    dock.viewer.layers.clear()
    assert not dock.result_box.isVisible()
    again = show(dock, result)
    assert again is not first
    dock.viewer.dims.set_current_step(0, 1)
    assert (dock.result_box.misfit.text(), dock.result_box.verdict.text(), dock.log.toPlainText()) == before
    dock.viewer.dims.set_current_step(0, 0)
    assert dock.result_box.verdict.text() == "Frame 1 is not verified; verified: 2."
    assert not dock.result_box.table.isVisible()


def test_misfit_and_warnings_are_those_of_the_result(dock, qtbot, result):
    ResultStore(result).add_warning("Segment B is noisy.")
    show(dock, result)
    misfit = api.open_result(result)["misfit"].values
    for frame in (1, 0):
        dock.viewer.dims.set_current_step(0, frame)
        assert f"Misfit {misfit[frame]:.2f}" in dock.result_box.misfit.text()
    assert "Engine local" in dock.result_box.name.text()
    assert "Segment B is noisy." in dock.log.toPlainText()
    assert dock.log.isVisible()


def test_a_verification_can_be_cancelled_and_leaves_no_verdict(dock, qtbot, result, monkeypatch):
    monkeypatch.setattr(reconstruct, "EFFORTS", (Effort("quick", 1700, 5_000),) * 2)
    show(dock, result)
    qtbot.mouseClick(dock.result_box.button, LEFT)
    assert not dock.start_button.isEnabled()
    assert not dock.result_box.button.isEnabled()
    qtbot.waitUntil(lambda: "electrons" in dock.progress_label.text(), timeout=SECONDS)
    qtbot.mouseClick(dock.cancel_button, LEFT)
    qtbot.waitUntil(lambda: not dock.verifier.running, timeout=SECONDS)
    assert "Cancelled" in dock.progress_label.text()
    assert api.kept_verifications(api.open_result(result)) == {}
    assert dock.result_box.button.isEnabled()


def test_only_one_job_runs_at_a_time(dock, qtbot, result):
    show(dock, result)
    assert OneJob.take()
    try:
        qtbot.mouseClick(dock.result_box.button, LEFT)
        assert "running already" in dock.message.text()
        assert not dock.verifier.running
    finally:
        OneJob.give_back()


def test_moved_images_are_asked_for_in_words_and_found_by_a_click(dock, qtbot, result, tmp_path, monkeypatch):
    (tmp_path / "anderswo" / "tief").mkdir(parents=True)
    shutil.move(tmp_path / "Bilder", tmp_path / "anderswo" / "tief" / "Bilder")
    show(dock, result)
    verify(dock, qtbot)
    assert dock.message.kind == "error"
    assert "'Images…'" in dock.message.text()
    assert "--images" not in dock.message.text()
    folder = str(tmp_path / "anderswo" / "tief" / "Bilder")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: folder)
    qtbot.mouseClick(dock.result_box.images_button, LEFT)
    qtbot.waitUntil(lambda: not dock.verifier.running, timeout=SECONDS)
    assert list(api.kept_verifications(api.open_result(result))) == [0]
    assert not dock.message.text()


def test_how_much_is_simulated_is_chosen_by_keys(dock, qtbot, result):
    show(dock, result)
    dock.result_box.effort.setFocus()
    qtbot.keyClick(dock.result_box.effort, Qt.Key.Key_Up)
    verify(dock, qtbot)
    kept = api.kept_verifications(api.open_result(result))[0].verification
    assert (kept.pixels, kept.electrons) == (200, 40)


def test_the_engine_is_chosen_by_keys_and_reaches_the_settings(dock, qtbot):
    dock.engine.choice.setFocus()
    assert dock.settings().engine == "local"
    local = dock.engine.choice.toolTip()
    qtbot.keyClick(dock.engine.choice, Qt.Key.Key_Down)
    assert dock.settings().engine == "vift"
    assert "transformer" in dock.engine.choice.toolTip()
    assert "transformer" not in local


def test_the_chooser_says_what_the_electrons_resolve(dock, qtbot, made):
    series = api.open_series(made.parent / "Bilder")
    dock.space.set_series(series, (made.parent / "Bilder",))
    qtbot.waitUntil(lambda: "leave within" in dock.engine.hint.text(), timeout=SECONDS)
    assert "too low" in dock.engine.hint.text()
    for pixel_nm, told in ((100.0, "points a pixel"), (5000.0, "vanishes")):
        coarse = dataclasses.replace(series, pixel_nm=pixel_nm)
        dock.space.set_series(coarse, (made.parent / "Bilder",))
        dock.engine.set_value("vift")
        qtbot.waitUntil(lambda told=told: told in dock.engine.hint.text(), timeout=SECONDS)


def test_finished_runs_show_their_misfit(dock, qtbot, made, tmp_path):
    folder = shutil.copytree(made.parent / "Bilder", tmp_path / "neu")
    dock.space.set_series(api.open_series(folder), (folder,))
    qtbot.mouseClick(dock.start_button, LEFT)
    qtbot.waitUntil(lambda: not dock.runner.running, timeout=SECONDS)
    frame = dock.space.results[-1].frame
    stored = api.open_result(tmp_path / "neu-height-001.zarr")["misfit"].values
    assert np.isfinite(stored).all()
    assert f"Misfit {stored[frame]:.2f}" in dock.result_box.misfit.text()
    verify(dock, qtbot)
    assert frame in api.kept_verifications(api.open_result(tmp_path / "neu-height-001.zarr"))
