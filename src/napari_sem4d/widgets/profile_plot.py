"""The plot of profile lines: curves, uncertainty bands, and one pair of cursors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

from napari_sem4d.widgets.plot_step import StepItems
from napari_sem4d.widgets.profile_curves import Curve
from napari_sem4d.widgets.profile_model import Line
from napari_sem4d.widgets.profile_reading import StepFigures

AXIS_HEIGHT = 38
"""Tick labels and title of the lower axis, pixels (the default wastes half as much again)."""
MOST_CORNERS = 250
"""Corners of the drawn edge of a band: about the width of the plot in the dock, pixels."""
DASHES = (Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)


def follow_theme(plot: pg.PlotWidget) -> None:
    """Take the colours of the window that a plot is in."""
    palette = plot.palette()
    ink, paper = palette.windowText().color(), palette.window().color()
    plot.setBackground(paper)
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(ink)
        axis.setTextPen(ink)
        axis.enableAutoSIPrefix(False)  # no prefix before nm
    plot.getAxis("bottom").setHeight(AXIS_HEIGHT)


class ProfilePlot(pg.PlotWidget):
    """Height over distance for every curve; the cursors belong to the chosen line.

    ``cursors_moved`` carries the positions (parts of the length) and whether the drag is over; so does
    ``stretches_moved`` with the stretches of the step.
    """

    cursors_moved = Signal(float, float, bool)
    stretches_moved = Signal(object, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumHeight(110)
        self.setMenuEnabled(False)
        self._curves: dict[str, pg.PlotDataItem] = {}
        self._bands: dict[str, pg.FillBetweenItem] = {}
        self._length = 0.0
        self._busy = False
        self.with_bands = True
        self._legend = self.addLegend(
            offset=(-6, 4), labelTextSize="8pt", verSpacing=-6, brush=pg.mkBrush(40, 40, 45, 170)
        )
        self._legend.setZValue(20)
        self.showGrid(x=True, y=True, alpha=0.2)
        self.cursors = tuple(self._cursor(text) for text in ("1", "2"))
        self.step = StepItems(self.getPlotItem())
        self.step.moved.connect(self.stretches_moved)

    def _cursor(self, text: str) -> pg.InfiniteLine:
        cursor = pg.InfiniteLine(
            movable=True,
            angle=90,
            label=text,
            labelOpts={"position": 0.08},
        )
        cursor.hide()
        self.addItem(cursor, ignoreBounds=True)
        cursor.sigPositionChanged.connect(lambda *_: self._on_cursor(False))
        cursor.sigPositionChangeFinished.connect(lambda *_: self._on_cursor(True))
        return cursor

    def follow_theme(self) -> None:
        """Take the colours of the window that the plot is in."""
        follow_theme(self)
        ink = self.palette().windowText().color()
        for cursor in self.cursors:
            cursor.setPen(pg.mkPen(ink, style=Qt.PenStyle.DashLine))
            cursor.setHoverPen(pg.mkPen(ink, width=3))
            cursor.label.setColor(ink)
        self.step.set_ink(ink)

    def set_units(self, length: str, quantity: str) -> None:
        """Label the axes."""
        self.setLabel("bottom", f"distance ({length})")
        self.setLabel("left", quantity)

    # --- curves -----------------------------------------------------------------------------------------

    def show_curves(self, curves: Sequence[Curve], chosen: str | None) -> None:
        """Draw the curves; those of the line ``chosen`` are thicker, overlays are dashed."""
        keys = {curve.key for curve in curves}
        for key in [k for k in self._curves if k not in keys]:
            self.removeItem(self._curves.pop(key))
        overlays = 0
        for curve in curves:
            item = self._curves.get(curve.key)
            if item is None:
                item = self._curves[curve.key] = self.plot(
                    name=curve.key if curve.overlay else None, connect="finite"
                )
                item.setZValue(5)
            width = 2 if curve.line.name == chosen and not curve.overlay else 1
            style = Qt.PenStyle.SolidLine
            colour = QColor(curve.line.colour)
            if curve.overlay:
                style = DASHES[overlays % len(DASHES)]
                colour = colour.lighter(100 + 25 * (overlays % 4))
                overlays += 1
            pen = pg.mkPen(colour, width=width, style=style)
            if item.opts["pen"] != pen:
                item.setPen(pen)
            item.setData(curve.profile.distance_nm, np.asarray(curve.profile.height_nm, dtype=float))
        self._legend.setVisible(overlays > 0)  # without them the table shows names and colours
        self._show_bands(curves)

    def _show_bands(self, curves: Sequence[Curve]) -> None:
        bands = {c.key: (c, c.band()) for c in curves if self.with_bands and not c.overlay}
        for key in [k for k in self._bands if bands.get(k, (None, None))[1] is None]:
            self.removeItem(self._bands.pop(key))
        for key, (curve, limits) in bands.items():
            if limits is None:
                continue
            item = self._bands.get(key)
            if item is None:
                item = pg.FillBetweenItem(pg.PlotCurveItem(), pg.PlotCurveItem())
                self._bands[key] = item
                self.addItem(item, ignoreBounds=True)
            colour = QColor(curve.line.colour)
            colour.setAlpha(60)
            item.setBrush(pg.mkBrush(colour))
            x, *edges = thinned(curve.profile.distance_nm, *limits)
            for part, y in zip(item.curves, edges, strict=True):
                part.setData(x, y, connect="finite")

    def curve(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """What is drawn of a line (or of "line, overlay"): distance and height."""
        return self._curves[key].getData()

    @property
    def keys(self) -> list[str]:
        """Names of the curves that are drawn."""
        return list(self._curves)

    @property
    def banded(self) -> list[str]:
        """Names of the curves that have an uncertainty band."""
        return list(self._bands)

    # --- cursors and step ---------------------------------------------------------------------------------

    def show_cursors(self, line: Line | None, length: float) -> None:
        """Put the cursors where those of a line are; None hides them."""
        self._busy = True
        for i, cursor in enumerate(self.cursors):
            cursor.setVisible(line is not None)
            if line is not None:
                cursor.setBounds((0.0, length))
                cursor.setValue(line.cursors[i] * length)
        self._length = length
        self._busy = False

    def show_step(self, line: Line | None, step: StepFigures | None, length: float) -> None:
        """Shade the fitted stretches of a line and draw its two levels; None hides them."""
        self.step.show(line, step, length)

    def _on_cursor(self, done: bool) -> None:
        if not self._busy and self._length > 0:
            self.cursors_moved.emit(*(float(c.value()) / self._length for c in self.cursors), done)


def thinned(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A band with no more corners than the screen can show: outermost limits of neighbouring samples.

    Filling all corners of three bands of 1000 samples takes 28 ms, thinned 6 ms.

    Parameters
    ----------
    x, low, high : ndarray, shape (N,)
        Distance and limits; NaN where there is none.

    Returns
    -------
    x, low, high : ndarray, shape (M,), M <= 2 x MOST_CORNERS
    """
    step = len(x) // MOST_CORNERS
    if step < 2:
        return x, np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    starts = np.arange(0, len(x), step)
    # fmin and fmax pass over NaN, so a gap narrower than a corner closes; the curve itself shows it.
    return x[starts], np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)
