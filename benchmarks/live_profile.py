"""Time of one move of a drag in the Profile dock: three lines of 1000 points on a 1024 x 1024 map.

    python benchmarks/live_profile.py [--size 1024] [--points 1000] [--moves 200] [--width 1] [--json OUT.json]

Measured: sampling, plot, bands, cursors and table (``refresh``), and the painting of plot and table by Qt. A line
is moved a little before each measurement, as napari does at every move of the mouse; the heights are smooth hills
with 1 nm of noise. Runs without a window. Times on the clock, and of the processor, which other programs do not
lengthen: all of it is in one thread, so on an idle computer the two agree.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path

import numpy as np
from machine import Times, conditions, print_figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--moves", type=int, default=200)
    parser.add_argument("--width", type=int, default=1, help="width of the average, pixels")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    figures: dict[str, float | int | str] = {**conditions()}

    import xarray as xr
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QApplication
    from scipy import ndimage

    from napari_sem4d.widgets.profile import Profile
    from napari_sem4d.widgets.result_data import from_dataset
    from napari_sem4d.widgets.result_view import show_result

    application = QApplication.instance() or QApplication([])
    rng = np.random.default_rng(0)
    size = options.size
    hills = ndimage.gaussian_filter(rng.normal(0, 1, (size, size)), 15)
    height = (20 * hills / hills.std() + rng.normal(0, 1, hills.shape))[None].astype(np.float32)
    axes = ("time", "y", "x")
    dataset = xr.Dataset(
        {"height": (axes, height), "height_std": (axes, np.full_like(height, 2.0))},
        attrs={"pixel_nm": 5.0, "scale_status": "calibrated"},
    )
    viewer = ViewerModel()
    show_result(viewer, from_dataset(dataset))
    dock = Profile(viewer)
    dock.resize(340, 560)
    dock.show()
    length = 5.0 * (options.points - 1)
    for row in (0.2, 0.5, 0.8):
        dock.add_line([(5.0 * row * size, 20.0), (5.0 * row * size, 20.0 + length)])
    dock.width.setValue(options.width)
    application.processEvents()
    dock.tools.choose("line")
    layer = dock.lines.layer
    assert layer is not None
    for mode, name in enumerate(("cursors", "step")):
        dock.modes.tabs.setCurrentIndex(mode)
        application.processEvents()
        refreshed, painted = Times(), Times()
        for i in range(options.moves):
            layer._data_view.shift(i % 3, (5.0 if i % 2 else -5.0, 0.0))
            layer.events.set_data()
            refreshed.add(dock.refresh)
            painted.add(lambda: (dock.plot.viewport().repaint(), dock.table.viewport().repaint()))
        for clock in ("wall", "processor"):
            parts = [np.array(getattr(times, clock)) for times in (refreshed, painted)]
            total = sum(parts)
            figures |= {
                f"{name}: sampling, plot and table, {clock}, median ms": statistics.median(parts[0]),
                f"{name}: painting, {clock}, median ms": statistics.median(parts[1]),
                f"{name}: whole update, {clock}, median ms": statistics.median(total),
                f"{name}: whole update, {clock}, 95th percentile ms": float(np.percentile(total, 95)),
            }
    figures["points in a line"] = int(dock.profiles[0][1].distance_nm.size)
    print_figures(figures)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    dock.close()


if __name__ == "__main__":
    main()
