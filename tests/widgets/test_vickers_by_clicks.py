"""The whole path on real images, through the docks."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_sem4d.widgets.demo import open_docks

LEFT = Qt.MouseButton.LeftButton
MINUTES = 180_000


@pytest.mark.gl
@pytest.mark.slow
def test_a_vickers_imprint_is_loaded_calibrated_reconstructed_and_measured_by_clicks(
    make_napari_viewer_proxy, qtbot, shared_data, tmp_path, monkeypatch
):
    viewer = make_napari_viewer_proxy(show=True)
    docks = open_docks(viewer)
    load, reconstruct, profile = docks["load"], docks["reconstruct"], docks["profile"]

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(shared_data / "vickers"))
    qtbot.mouseClick(load.folder_button, LEFT)
    qtbot.waitUntil(lambda: load.space.series is not None, timeout=MINUTES)
    assert "material, detector" in load.message.text()
    qtbot.keyClicks(load.material.lineEdit(), "Fe")
    qtbot.keyClick(load.material.lineEdit(), Qt.Key.Key_Return)
    load.detector.setCurrentIndex(load.detector.findData("annular-3-segment"))
    load.detector.activated.emit(load.detector.currentIndex())
    assert load.space.series.missing() == ()

    box = reconstruct.calibration
    box.reference.setCurrentText("Vickers imprint")
    box.reference.activated.emit(box.reference.currentIndex())
    qtbot.mouseClick(box.button, LEFT)
    qtbot.waitUntil(lambda: load.space.calibration is not None, timeout=MINUTES)
    assert "Residual" in box.state.text()
    assert "correlations" in box.text.toPlainText()

    # ViFT's grid would have sixteen times the image's pixels.
    reconstruct.engine.choice.setFocus()
    qtbot.keyClick(reconstruct.engine.choice, Qt.Key.Key_Up)
    assert reconstruct.settings().engine == "local"
    reconstruct.output.setText(str(tmp_path / "vickers.zarr"))
    qtbot.mouseClick(reconstruct.start_button, LEFT)
    qtbot.waitUntil(lambda: not reconstruct.runner.running, timeout=MINUTES)
    assert reconstruct.progress_label.text().startswith("Done")
    view = reconstruct.space.results[-1]
    assert view.height.name.startswith("height (nm)")  # calibrated, so not "relative height"

    height = view.data.height.frame(0)
    deepest = np.unravel_index(np.nanargmin(height), height.shape)
    assert abs(deepest[0] - 512) < 60
    assert abs(deepest[1] - 768) < 60
    qtbot.mouseClick(profile.tools.tools["line"], LEFT)
    edge = view.data.pixel_nm
    row, col = (float(v) * edge for v in deepest)
    profile.lines.layer.add([np.array([[row, col - 15_000], [row, col + 15_000]])], shape_type="line")
    qtbot.waitUntil(lambda: bool(profile.profiles))
    distance, along = profile.plot.curve("line 1")
    rim = 0.5 * (along[distance < 3000].mean() + along[distance > 27_000].mean())
    depth = rim - along.min()
    # the diagonal is about 17 um, and a Vickers imprint a seventh of it deep, less what recovers elastically
    assert 1200 < depth < 3200
    assert "±" in view.reading_at((0, 0, row, col))
    view.show_3d()
    qtbot.wait(200)
    assert viewer.screenshot(canvas_only=True, flash=False)[..., :3].std() > 10
