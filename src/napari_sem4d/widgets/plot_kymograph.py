"""Height over distance and time as an image."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_sem4d.widgets.profile_kymograph import LineHistory
from napari_sem4d.widgets.profile_plot import follow_theme


class KymographPlot(QWidget):
    """A kymograph with a colour bar and a line at the time of the slider, which can be dragged.

    ``time_chosen`` carries the frame.
    """

    time_chosen = Signal(int)

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
