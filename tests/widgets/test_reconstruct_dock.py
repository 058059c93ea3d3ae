"""The Reconstruct dock, by clicks, on a small synthetic series."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from synthetic_series import island, write_series

from napari_sem4d import api
from napari_sem4d.records import Failed, Notice, Preview, Progress
from napari_sem4d.widgets.reconstruct import Reconstruct
from napari_sem4d.widgets.run_model import OneJob, guarded, new_output, progress_text
from napari_sem4d.widgets.workspace import workspace_of

LEFT = Qt.MouseButton.LeftButton
SECONDS = 60_000


@pytest.fixture
def dock(viewer_model, qtbot):
    dock = Reconstruct(viewer_model)
    dock.engine.set_value("local")  # made the images
    qtbot.addWidget(dock)
    dock.show()
    yield dock
    dock.runner.cancel()
    qtbot.waitUntil(lambda: not dock.runner.running, timeout=SECONDS)
    qtbot.waitUntil(lambda: dock.device.text() != "Device: …", timeout=SECONDS)
    dock.close()


def load(dock, folder, shape=(36, 48), **kwargs):
    write_series(folder, shape=shape, **kwargs)
    workspace_of(dock.viewer).set_series(api.open_series(folder), (folder,))
    return folder


def wait_for_end(dock, qtbot):
    qtbot.waitUntil(lambda: not dock.runner.running, timeout=SECONDS)


def test_a_series_is_reconstructed_by_one_click(dock, qtbot, tmp_path):
    load(dock, tmp_path / "Probe ä", frames=2)
    qtbot.mouseClick(dock.start_button, LEFT)
    assert not dock.start_button.isEnabled()
    wait_for_end(dock, qtbot)
    assert dock.progress_label.text().startswith("Done")
    store = tmp_path / "Probe ä-height-001.zarr"
    stored = api.open_result(store)["height"].values
    view = dock.space.results[-1]
    for frame in range(2):
        shown = np.asarray(view.height.data[frame, 0])
        np.testing.assert_allclose(shown, stored[frame], rtol=1e-6)
        assert np.corrcoef(shown.ravel(), island((36, 48), 1.0).ravel())[0, 1] > 0.9  # a hill, where it was
    assert dock.viewer.dims.current_step[0] == 1  # the slider followed the newest frame


def test_without_calibration_heights_are_relative_everywhere(dock, qtbot, tmp_path):
    load(dock, tmp_path / "s", frames=1)
    qtbot.mouseClick(dock.start_button, LEFT)
    wait_for_end(dock, qtbot)
    view = dock.space.results[-1]
    assert "relative height" in view.height.name
    assert "relative" in view.reading_at((0, 0, 100.0, 100.0))
    assert "relative" in dock.log.toPlainText()


def test_missing_metadata_stops_the_start_with_a_sentence(dock, qtbot, tmp_path):
    load(dock, tmp_path / "s", described=False)
    qtbot.mouseClick(dock.start_button, LEFT)
    assert not dock.runner.running
    assert "pixel size" in dock.message.text()


def test_without_a_series_the_dock_says_what_to_do(dock, qtbot):
    qtbot.mouseClick(dock.start_button, LEFT)
    assert "Open a series first" in dock.message.text()


def test_a_second_run_gets_a_new_name_and_an_existing_one_is_refused(dock, qtbot, tmp_path):
    load(dock, tmp_path / "s", frames=1)
    qtbot.mouseClick(dock.start_button, LEFT)
    wait_for_end(dock, qtbot)
    assert dock.output.text().endswith("s-height-002.zarr")
    dock.output.setText(str(tmp_path / "s-height-001.zarr"))
    before = api.open_result(tmp_path / "s-height-001.zarr")["height"].values
    qtbot.mouseClick(dock.start_button, LEFT)
    assert not dock.runner.running
    assert "exists already and is not overwritten" in dock.message.text()
    np.testing.assert_array_equal(api.open_result(tmp_path / "s-height-001.zarr")["height"].values, before)


def test_cancel_keeps_finished_frames_and_resume_goes_on(dock, qtbot, tmp_path, monkeypatch):
    load(dock, tmp_path / "s", frames=12)  # more than are done before the click arrives
    qtbot.mouseClick(dock.start_button, LEFT)
    qtbot.waitUntil(lambda: bool(dock.runner.view.data._reader.done), timeout=SECONDS)
    qtbot.mouseClick(dock.cancel_button, LEFT)
    wait_for_end(dock, qtbot)
    assert "Cancelled" in dock.progress_label.text()
    store = tmp_path / "s-height-001.zarr"
    states = api.open_result(store)["frame_state"].values
    done = int((states == 1).sum())
    assert 1 <= done < 12
    kept = api.open_result(store)["height"].values[0]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(store))
    qtbot.mouseClick(dock.resume_button, LEFT)
    assert dock.runner.running
    wait_for_end(dock, qtbot)
    assert (api.open_result(store)["frame_state"].values == 1).all()
    np.testing.assert_array_equal(api.open_result(store)["height"].values[0], kept)
    np.testing.assert_array_equal(np.asarray(dock.space.results[-1].height.data[0, 0]), kept)


def test_a_wrong_setting_is_named_and_nothing_starts(dock, qtbot, tmp_path):
    load(dock, tmp_path / "s", frames=1)
    qtbot.mouseClick(dock.settings_button, LEFT)
    dock.form.groups["inversion"].fields["yield_length_px"].value = "-4"
    qtbot.mouseClick(dock.start_button, LEFT)
    assert not dock.runner.running
    assert "yield length px" in dock.message.text()


def test_the_settings_of_the_form_reach_the_store(dock, qtbot, tmp_path):
    import json

    load(dock, tmp_path / "s", frames=1)
    dock.form.groups["inversion"].fields["yield_length_px"].value = "11.5"
    qtbot.mouseClick(dock.start_button, LEFT)
    wait_for_end(dock, qtbot)
    settings = json.loads(api.open_result(tmp_path / "s-height-001.zarr").attrs["settings"])
    assert settings["inversion"]["yield_length_px"] == 11.5


def test_only_one_job_runs_at_a_time(dock, qtbot, tmp_path):
    load(dock, tmp_path / "s", frames=1)
    assert OneJob.take()
    try:
        qtbot.mouseClick(dock.start_button, LEFT)
        assert "running already" in dock.message.text()
        assert not dock.runner.running
        assert not workspace_of(dock.viewer).results
    finally:
        OneJob.give_back()


def test_removing_the_layers_during_a_run_leaves_run_and_viewer_alive(dock, qtbot, tmp_path):
    load(dock, tmp_path / "s", frames=3)
    qtbot.mouseClick(dock.start_button, LEFT)
    dock.viewer.layers.clear()
    wait_for_end(dock, qtbot)
    assert (api.open_result(tmp_path / "s-height-001.zarr")["frame_state"].values == 1).all()
    dock.viewer.dims.ndisplay = 3


def test_the_user_who_looks_at_another_frame_is_not_pulled_away(dock, qtbot, tmp_path):
    load(dock, tmp_path / "s", frames=4)
    qtbot.mouseClick(dock.start_button, LEFT)
    qtbot.waitUntil(lambda: bool(dock.runner.view.data._reader.done), timeout=SECONDS)
    dock.viewer.dims.set_current_step(0, 3)
    assert not dock.runner.follow
    wait_for_end(dock, qtbot)
    assert dock.viewer.dims.current_step[0] == 3


def test_the_device_is_shown(dock, qtbot):
    qtbot.waitUntil(lambda: dock.device.text() != "Device: …", timeout=SECONDS)
    assert "CPU" in dock.device.text() or "GPU" in dock.device.text()


def test_calibrating_on_a_flat_area_shows_residual_and_stays_relative(dock, qtbot, tmp_path):
    load(dock, tmp_path / "s", frames=1, shape=(48, 64))
    dock.calibration.reference.setCurrentText("flat area")
    dock.calibration.reference.activated.emit(1)
    qtbot.mouseClick(dock.calibration.area_button, LEFT)
    layer = dock.viewer.layers["calibration area"]
    layer.add([[[30, 34], [30, 63], [47, 63], [47, 34]]], shape_type="rectangle")
    qtbot.mouseClick(dock.calibration.button, LEFT)
    qtbot.waitUntil(lambda: dock.space.calibration is not None, timeout=SECONDS)
    assert "flat reference" in dock.calibration.state.text()
    assert "no height scale" in dock.calibration.state.text()
    assert "gain A" in dock.calibration.text.toPlainText()


def test_a_calibration_is_saved_and_loaded_again(dock, qtbot, tmp_path, monkeypatch):
    load(dock, tmp_path / "s", frames=1)
    calibration = api.calibrate(dock.space.series, "flat")
    dock.space.set_calibration(calibration)
    target = tmp_path / "cal.yaml"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    qtbot.mouseClick(dock.calibration.save_button, LEFT)
    dock.space.set_calibration(None)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(target), ""))
    dock.calibration.ask_file()
    assert dock.space.calibration.id == calibration.id
    target.write_text("nonsense: 1", encoding="utf-8")
    dock.calibration.ask_file()
    assert "not a valid calibration" in dock.message.text()
    assert dock.space.calibration.id == calibration.id


def test_an_imprint_that_is_not_there_is_told(dock, qtbot, tmp_path):
    load(dock, tmp_path / "s", frames=1, shape=(48, 64), top_nm=0.0)
    dock.calibration.reference.setCurrentText("Vickers imprint")
    dock.calibration.reference.activated.emit(2)
    qtbot.mouseClick(dock.calibration.button, LEFT)
    qtbot.waitUntil(lambda: dock.message.kind == "error", timeout=SECONDS)
    assert "Traceback" not in dock.message.text()
    assert dock.space.calibration is None


def test_previews_come_at_most_five_times_a_second_and_the_rest_always(tmp_path):
    image = np.zeros((2, 2))
    steps = [Preview(0, image), Preview(0, image), Progress(0.5, "x"), Preview(0, image), Notice("n")]
    kinds = [type(r).__name__ for r in guarded(iter(steps), tmp_path)]
    assert kinds == ["Preview", "Progress", "Notice"]


def test_an_exception_in_the_thread_becomes_a_record(tmp_path):
    def steps():
        yield Progress(0.1, "x")
        raise ZeroDivisionError("by nought")

    *_, last = guarded(steps(), tmp_path)
    assert isinstance(last, Failed)
    assert "by nought" in last.message


def test_a_new_result_never_takes_an_existing_name(tmp_path):
    folder = tmp_path / "series 1.5"
    folder.mkdir()
    first = new_output((folder,))
    assert first == tmp_path / "series 1.5-height-001.zarr"
    first.mkdir()
    assert new_output((folder,)) == tmp_path / "series 1.5-height-002.zarr"


def test_progress_is_told_with_the_time_left():
    assert "25 s left" in progress_text(Progress(0.4, "solving", seconds_left=25.2))
    assert "12 min left" in progress_text(Progress(0.4, "solving", seconds_left=720))
