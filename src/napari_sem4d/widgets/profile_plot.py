"""The plot of profile lines with one pair of cursors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Signal

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_sem4d.metrology.profile import Profile
    from napari_sem4d.widgets.profile_model import Line


class ProfilePlot(pg.PlotWidget):
    """Height over distance for every line; the cursors belong to the chosen one."""

    cursors_moved = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumHeight(110)
        self._curves: dict[str, pg.PlotDataItem] = {}
        self._length = 0.0
        self._legend = self.addLegend(offset=(-8, 8), labelTextSize="8pt")
        self.showGrid(x=True, y=True, alpha=0.25)
        self.cursors = tuple(
            pg.InfiniteLine(
                movable=True,
                angle=90,
                pen=pg.mkPen("#bbbbbb", style=pg.QtCore.Qt.PenStyle.DashLine),
                hoverPen=pg.mkPen("#ffffff", width=2),
                label=text,
                labelOpts={"position": 0.06, "color": "#dddddd"},
            )
            for text in ("1", "2")
        )
        for cursor in self.cursors:
            cursor.hide()
            self.addItem(cursor, ignoreBounds=True)
            cursor.sigPositionChanged.connect(self._on_cursor)
        self._busy = False

    def follow_theme(self) -> None:
        """Take the colours of the window that the plot is in."""
        palette = self.palette()
        ink, paper = palette.windowText().color(), palette.window().color()
        self.setBackground(paper)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(ink)
            axis.setTextPen(ink)

    def set_units(self, length: str, quantity: str) -> None:
        """Label the axes; pyqtgraph must not put a prefix before nm."""
        self.setLabel("bottom", f"distance ({length})")
        self.setLabel("left", quantity)
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)

    def show_profiles(self, profiles: list[tuple[Line, Profile]], chosen: str | None) -> None:
        """Draw the lines; ``chosen`` is drawn thicker and has the cursors."""
        names = {line.name for line, _ in profiles}
        for name in [n for n in self._curves if n not in names]:
            self.removeItem(self._curves.pop(name))
        for line, profile in profiles:
            curve = self._curves.get(line.name)
            if curve is None:
                curve = self._curves[line.name] = self.plot(name=line.name, connect="finite")
            curve.setPen(pg.mkPen(line.colour, width=2 if line.name == chosen else 1))
            curve.setData(profile.distance_nm, np.asarray(profile.height_nm, dtype=float))
        found = [(line, profile) for line, profile in profiles if line.name == chosen]
        self._busy = True
        for i, cursor in enumerate(self.cursors):
            cursor.setVisible(bool(found))
            if found:
                line, profile = found[0]
                self._length = profile.length_nm
                cursor.setBounds((0.0, self._length))
                cursor.setValue(line.cursors[i] * self._length)
        self._busy = False

    def _on_cursor(self, _: object) -> None:
        if not self._busy and self._length > 0:
            self.cursors_moved.emit(*(float(c.value()) / self._length for c in self.cursors))

    def curve(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """What is drawn of a line: distance and height."""
        return self._curves[name].getData()
