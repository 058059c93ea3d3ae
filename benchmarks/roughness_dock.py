"""From a change of region to the new table in the Roughness dock, and how long the window stood still meanwhile.

    python benchmarks/roughness_dock.py [--size 1024] [--repeats 5] [--json OUT.json]

The time runs from the change to the shown table, the wait for the mouse to rest included. The longest
pause is the longest time between two turns of the window's event loop until curves and spectra were shown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from qtpy.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).resolve().parent))
from machine import conditions, print_figures
from roughness_speed import PIXEL_NM, surface


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    start_conditions = conditions()

    from napari.components import ViewerModel

    from napari_sem4d.widgets.roughness import WAIT_MS, Roughness

    app = QApplication.instance() or QApplication([])
    viewer = ViewerModel()
    entry = {"path": "", "role": "height", "scale_status": "calibrated", "unit": "nm"}
    viewer.add_image(
        surface(options.size), scale=(PIXEL_NM, PIXEL_NM), units=("nm", "nm"), metadata={"sem4d": entry}
    )
    dock = Roughness(viewer)
    dock.treatment_row.filters["S"].setValue(50.0)
    dock.show()
    layer = dock.regions.draw("rectangle", dock.chooser.source)

    def turn(until) -> float:
        """Longest time between two turns of the event loop, s."""
        longest, last = 0.0, time.perf_counter()
        while not until():
            app.processEvents()
            time.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        return longest

    tables, pauses, processor = [], [], []
    for number in range(options.repeats + 1):
        # Within a pixel of the whole map, so that the work is that of the full size.
        edge = PIXEL_NM * (options.size - 1 - number % 2)
        dock.answer, start, used = None, time.perf_counter(), time.process_time()
        layer.data = [(np.array([[0, 0], [0, edge], [edge, edge], [edge, 0]]), "rectangle")]
        pause = turn(lambda: dock.answer is not None)
        tables.append(1e3 * (time.perf_counter() - start))
        processor.append(1e3 * (time.process_time() - used))
        pauses.append(1e3 * max(pause, turn(lambda: not dock.job.running)))
        assert dock.answer.request.region_name == "rectangle 1"
    figures = {
        **start_conditions,
        "pixels": options.size,
        "figures in the table": len(dock.table.figures),
        "wait for the mouse to rest, ms": WAIT_MS,
        # The first time loads what is loaded only when it is used.
        "change of region to table, median ms": statistics.median(tables[1:]),
        "change of region to table, fastest ms": min(tables[1:]),
        # On two threads; where other programs run beside it, this says more than the wall time.
        "change of region to table, processor ms": statistics.median(processor[1:]),
        "longest pause of the window, median ms": statistics.median(pauses[1:]),
        "longest pause of the window, worst ms": max(pauses[1:]),
    }
    print_figures(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    dock.close()


if __name__ == "__main__":
    main()
