"""Height over distance and time as an image."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_sem4d.widgets.background import Sentence
from napari_sem4d.widgets.height_source import HeightSource
from napari_sem4d.widgets.latest_job import LatestJob
from napari_sem4d.widgets.profile_kymograph import LineHistory, kymograph_work
from napari_sem4d.widgets.profile_model import Line
from napari_sem4d.widgets.profile_plot import follow_theme

WAIT_MS = 250
"""A kymograph is asked for when nothing has changed for so long."""


class KymographPlot(QWidget):
    """A kymograph with a colour bar and a line at the time of the slider, which can be dragged.

    It is sampled in a thread. ``time_chosen`` carries the frame, ``told`` what went wrong; ``arrived`` is emitted
    when there is a new kymograph.
    """

    time_chosen = Signal(int)
    told = Signal(str, str)
    arrived = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = pg.PlotWidget()
        self.plot.setMenuEnabled(False)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.plot.addItem(self.image)
        self.bar = pg.ColorBarItem(colorMap=pg.colormap.get("viridis"), width=12, interactive=False)
        self.bar.setImageItem(self.image, insert_in=self.plot.getPlotItem())
        self.now = pg.InfiniteLine(angle=0, movable=True, pen=pg.mkPen("#ffffff", width=1))
        self.now.sigPositionChanged.connect(self._on_now)
        self.plot.addItem(self.now, ignoreBounds=True)
        self.history: LineHistory | None = None
        self._wanted: tuple[Line, HeightSource, tuple[int, ...], float] | None = None
        self._job = LatestJob(self)
        self._job.answered.connect(self._take)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._start)
        self._busy = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.plot)
        self.show_history(None)

    def follow_theme(self) -> None:
        """Take the colours of the window that the plot is in."""
        follow_theme(self.plot)
        ink = self.palette().windowText().color()
        self.bar.axis.setPen(ink)
        self.bar.axis.setTextPen(ink)

    def ask(self, line: Line, source: HeightSource, index: tuple[int, ...], width_px: float) -> None:
        """Show the kymograph of a line; nothing is done where it is the one that is shown."""
        if self.history is not None and line.same(self.history.line):
            self.show_frame(index[0] if index else 0)
            return
        self.forget()
        self._wanted = (line, source, index, width_px)
        self._timer.start()

    def forget(self) -> None:
        """Heights have changed, or are no longer wanted."""
        self._timer.stop()
        self._job.cancel()
        self.history = self._wanted = None

    def _start(self) -> None:
        if self._wanted is None:
            return
        if self._wanted[1].frames < 2:
            self.show_history(None)
            self.told.emit("This map has one time only: a kymograph needs a series.", "ask")
            return
        self._job.start(kymograph_work(*self._wanted))

    def _take(self, answer: LineHistory | Sentence) -> None:
        if isinstance(answer, Sentence):
            self.told.emit(str(answer), "error")
            return
        self.show_history(answer)
        self.arrived.emit()

    def show_history(self, history: LineHistory | None) -> None:
        """Show a kymograph; None shows nothing."""
        self.history = history
        for item in (self.image, self.now):
            item.setVisible(history is not None)
        self.bar.setVisible(history is not None)
        if history is None:
            return
        heights = history.kymograph.height_nm
        low, high = history.edges
        length = float(history.kymograph.distance_nm[-1])
        self.image.setImage(heights, autoLevels=False)
        self.image.setRect(QRectF(0.0, low, max(length, 1e-9), high - low))
        finite = heights[np.isfinite(heights)]
        limits = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        self.bar.setLevels(limits if limits[1] > limits[0] else (limits[0] - 0.5, limits[0] + 0.5))
        source = history.source
        quantity = "relative height" if source.relative else "height"
        self.plot.setLabel("bottom", f"distance ({source.length_unit})")
        self.plot.setLabel("left", "time (s)" if history.time_unit == "s" else "frame")
        self.plot.setTitle(f"{history.line.name}: {quantity} ({source.value_unit or 'value'})", size="9pt")
        self.plot.setRange(xRange=(0.0, length), yRange=(low, high), padding=0.0)
        self.now.setBounds((float(history.times[0]), float(history.times[-1])))

    def show_frame(self, frame: int) -> None:
        """Put the line at a time."""
        if self.history is not None:
            self._busy = True
            self.now.setValue(float(self.history.times[min(frame, len(self.history.times) - 1)]))
            self._busy = False

    def _on_now(self, _: object) -> None:
        if not self._busy and self.history is not None:
            self.time_chosen.emit(int(np.argmin(np.abs(self.history.times - self.now.value()))))
