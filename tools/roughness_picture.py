"""Make docs/images/roughness.png: the Roughness dock on the sample series, reconstructed with posterior draws.

xvfb-run -a -s "-screen 0 1600x1000x24" python tools/roughness_picture.py
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_sem4d import api
from napari_sem4d.settings import Settings

REPO = Path(__file__).resolve().parent.parent
LIMIT_S = 120.0


def wait(until: Callable[[], bool], settle_s: float = 1.0) -> None:
    """Let the window work until something is there, and a little longer."""
    start = time.monotonic()
    while not until() and time.monotonic() - start < LIMIT_S:
        QApplication.processEvents()
        time.sleep(0.01)
    end = time.monotonic() + settle_s
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def main() -> None:
    sample = Path(api.sample_series())
    calibration = api.load_calibration(sample.parent / "calibration.yaml")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = Settings.model_validate({"inversion": {"draws": 16}})
        store = api.reconstruct(api.open_series(sample), Path(folder) / "redox.zarr", settings, calibration)
        viewer = napari.Viewer(title="SEM 4D nanometrology", show=True)
        viewer.window.resize(1400, 900)
        viewer.open(str(store), plugin="napari-sem4d")
        _, dock = viewer.window.add_plugin_dock_widget("napari-sem4d", "Roughness")
        dock.treatment_row.filters["S"].setValue(40.0)
        viewer.dims.set_current_step(0, 11)
        corners = 12.0 * np.array([(16, 12), (16, 112), (108, 112), (108, 12)])
        dock.regions.draw("rectangle", dock.chooser.source).add([corners], shape_type="rectangle")
        dock.regions.select()
        dock.regions.layer.selected_data = set()
        wait(lambda: dock.answer is not None and dock.answer.with_intervals)
        dock.all_button.click()
        wait(lambda: not dock.frames_job.running)
        dock.table.choose("Sq")
        wait(lambda: True)
        viewer.screenshot(str(REPO / "docs" / "images" / "roughness.png"), canvas_only=False, flash=False)
        viewer.close()


if __name__ == "__main__":
    main()
