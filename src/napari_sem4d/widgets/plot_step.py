"""Step mode on the plot: shaded stretches that can be dragged, and the two fitted levels."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QColor

from napari_sem4d.widgets.profile_model import Line
from napari_sem4d.widgets.profile_reading import StepFigures

UPPER, LOWER = (90, 200, 120, 55), (90, 150, 230, 55)
EDGE = (150, 150, 150, 160)
"""Shades of the stretches with d = +1 and d = -1."""


class StepItems(QObject):
    """Regions and levels on one plot.

    ``moved`` carries the stretches (start, end, d) as parts of the length, and whether the drag is over.

    Parameters
    ----------
    plot : pyqtgraph.PlotItem
        Where they are drawn.
    """

    moved = Signal(object, bool)

    def __init__(self, plot: pg.PlotItem) -> None:
        super().__init__()
        self.plot = plot
        self.regions: list[pg.LinearRegionItem] = []
        self._d: list[int] = []
        self._length = 0.0
        self._busy = False
        self.levels = tuple(pg.PlotCurveItem() for _ in (1, -1))
        for level in self.levels:
            level.setZValue(8)
            level.hide()
            plot.addItem(level, ignoreBounds=True)

    def set_ink(self, ink: QColor) -> None:
        """Draw the levels in the colour of the text."""
        for level in self.levels:
            level.setPen(pg.mkPen(ink, width=1.5, style=Qt.PenStyle.DashLine))

    def show(self, line: Line | None, step: StepFigures | None, length: float) -> None:
        """Show the step of a line; its stretches stay where they were dragged even where no fit is possible."""
        self._length = length
        stretches: list[tuple[float, float, int]] = []
        if line is not None and step is not None:
            stretches = [(s.start_nm, s.end_nm, s.d) for s in step.fit.stretches]
        elif line is not None and line.step.stretches is not None:
            stretches = [(a * length, b * length, d) for a, b, d in line.step.stretches]
        self._make([d for *_, d in stretches])
        self._busy = True
        for region, (start, end, _) in zip(self.regions, stretches, strict=True):
            region.setBounds((0.0, length))
            if not np.allclose(region.getRegion(), (start, end), rtol=0, atol=1e-9 * max(length, 1.0)):
                region.setRegion((start, end))
        self._busy = False
        for level, d in zip(self.levels, (1, -1), strict=True):
            level.setVisible(step is not None)
            if step is not None:
                ends = np.array([0.0, length])
                level.setData(ends, step.fit.level(ends, d))

    def _make(self, senses: list[int]) -> None:
        """As many regions as there are stretches."""
        if senses == self._d:
            return
        for region in self.regions:
            self.plot.removeItem(region)
        self._d = list(senses)
        self.regions = []
        for d in senses:
            region = pg.LinearRegionItem(brush=UPPER if d > 0 else LOWER, pen=EDGE, swapMode="sort")
            region.setZValue(1)  # below the curves, but above the grid, which would take the mouse
            region.sigRegionChanged.connect(lambda *_: self._on_region(False))
            region.sigRegionChangeFinished.connect(lambda *_: self._on_region(True))
            self.plot.addItem(region, ignoreBounds=True)
            self.regions.append(region)

    def _on_region(self, done: bool) -> None:
        if self._busy or self._length <= 0:
            return
        stretches = []
        for region, d in zip(self.regions, self._d, strict=True):
            start, end = region.getRegion()
            stretches.append((start / self._length, end / self._length, d))
        self.moved.emit(tuple(stretches), done)
