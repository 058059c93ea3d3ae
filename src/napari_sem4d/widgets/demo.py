"""The demonstration: napari on the sample series with the reconstruction already under way.

Run by ``sem4d demo``, or ``python -m napari_sem4d.widgets.demo [--headless] [--screenshot PICTURE.png]``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

TIMEOUT_MS = 10 * 60 * 1000
SETTLE_MS = 1500
WINDOW = (1500, 930)


def run(headless: bool = False, screenshot: Path | None = None) -> int:
    """Open the viewer, load the sample series, start its reconstruction.

    Parameters
    ----------
    headless : bool
        End when the reconstruction is done; otherwise the window stays until the user closes it.
    screenshot : Path, optional
        Picture of the whole window at the end of the reconstruction (PNG).

    Returns
    -------
    int
        0 when it went well, 1 when the reconstruction failed or did not end in ten minutes.
    """
    import napari
    from qtpy.QtCore import QTimer

    from napari_sem4d import api
    from napari_sem4d.records import Finished

    sample = Path(api.sample_series())
    viewer = napari.Viewer(title="SEM 4D nanometrology", show=True)
    docks = open_docks(viewer)
    viewer.window.resize(*WINDOW)
    outcome: dict[str, Any] = {"code": 1 if headless else 0}
    folder = tempfile.TemporaryDirectory(prefix="sem4d-demo-", ignore_cleanup_errors=True)

    def started(series: Any) -> None:
        if series is None or docks["reconstruct"].runner.running:
            return
        known = sample.parent / "calibration.yaml"
        if known.is_file():
            docks["reconstruct"].calibration.load(known)
        docks["reconstruct"].output.setText(str(Path(folder.name) / "demo.zarr"))
        docks["reconstruct"].start()
        look_from_above(docks["reconstruct"].runner.view)

    def ended(record: Any) -> None:
        if isinstance(record, Finished) and not record.cancelled:
            outcome["code"] = 0
        elif headless:
            print(f"sem4d demo: {getattr(record, 'message', 'the run was cancelled')}", file=sys.stderr)
        show_middle(docks["reconstruct"].runner.view)
        draw_example_line(docks["profile"])
        QTimer.singleShot(SETTLE_MS, finish)

    def finish() -> None:
        if screenshot is not None:
            screenshot.parent.mkdir(parents=True, exist_ok=True)
            viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
        if headless:
            viewer.close()

    docks["load"].space.series_changed.connect(started)
    docks["reconstruct"].runner.ended.connect(ended)
    docks["load"].open_paths((sample,))
    if headless:
        QTimer.singleShot(TIMEOUT_MS, viewer.close)
    napari.run()
    folder.cleanup()
    return int(outcome["code"])


def open_docks(viewer: Any) -> dict[str, Any]:
    """The three docks: Load series and Reconstruct share a place, Profile is below them."""
    from napari_sem4d.widgets.load_series import LoadSeries
    from napari_sem4d.widgets.profile import Profile
    from napari_sem4d.widgets.reconstruct import Reconstruct

    load, reconstruct, profile = LoadSeries(viewer), Reconstruct(viewer), Profile(viewer)
    viewer.window.add_dock_widget(load, name="Load series", area="right")
    viewer.window.add_dock_widget(reconstruct, name="Reconstruct", area="right", tabify=True)
    viewer.window.add_dock_widget(profile, name="Profile", area="right")
    return {"load": load, "reconstruct": reconstruct, "profile": profile}


def look_from_above(view: Any) -> None:
    """3D from above."""
    if view is not None:
        view.show_3d()


def show_middle(view: Any) -> None:
    """The frame in the middle of the series: the oxide has grown, its reduction begins."""
    if view is not None:
        dims = view.viewer.dims
        dims.set_current_step(len(dims.current_step) - 4, view.data.frames // 2)


def draw_example_line(profile: Any) -> None:
    """One profile line across the middle, so that the plot shows what it is for."""
    if profile.source is None:
        return
    rows, cols = profile.source.layer.data.shape[-2:]
    dy, dx = profile.source.pixel
    y, x0, x1 = 0.4 * rows * dy, 0.05 * cols * dx, 0.95 * cols * dx
    profile.add_line([(y, x0), (y, x1)])


def main() -> int:
    """Command line of the demonstration."""
    parser = argparse.ArgumentParser(description="napari on the sample series, reconstruction under way")
    parser.add_argument("--headless", action="store_true", help="end when the reconstruction is done")
    parser.add_argument("--screenshot", type=Path, help="save a picture of the window there (PNG)")
    given = parser.parse_args()
    return run(given.headless, given.screenshot)


if __name__ == "__main__":
    sys.exit(main())
