"""The detector as a small polar sketch: where its segments are, seen from the specimen's image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QPainter, QPainterPath, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from napari_sem4d.acquisition.instrument import Detector, Segment

COLOURS = ("#4c9be8", "#e8a33d", "#5cb85c", "#d9534f", "#9b7fd1", "#4fc3c9", "#c2b33f", "#d987b5")


def polar_point(centre: QPointF, radius: float, azimuth_deg: float) -> QPointF:
    """Point on the screen: azimuth counter-clockwise from +x, as in the images."""
    angle = np.radians(azimuth_deg)
    return QPointF(centre.x() + radius * np.cos(angle), centre.y() - radius * np.sin(angle))


class PolarSketch(QWidget):
    """Segments of a detector in polar angle (radius) and azimuth (counter-clockwise from the right)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.detector: Detector | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(110)

    def sizeHint(self) -> QSize:
        """A square of moderate size."""
        return QSize(260, 220)

    def set_detector(self, detector: Detector | None) -> None:
        """Show another detector; None shows that it is unknown."""
        self.detector = detector
        self.setToolTip(self.description())
        self.update()

    def description(self) -> str:
        """The segments in words."""
        if self.detector is None or not self.detector.segments:
            return "The geometry of the detector is unknown; choose one."
        return "\n".join(
            f"{s.name}: polar {s.polar_deg[0]:g} to {s.polar_deg[1]:g}°, azimuth {s.azimuth_deg[0]:g} to "
            f"{s.azimuth_deg[1]:g}°, gain {s.gain:.4g}, offset {s.offset:.4g}"
            for s in self.detector.segments
        )

    def paintEvent(self, event: object) -> None:
        """Draw rings, segments with names and gains, and the direction of the azimuth."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().text().color()
        painter.setPen(ink)
        if self.detector is None or not self.detector.segments:
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), "detector unknown")
            painter.end()
            return
        centre = QPointF(self.width() / 2, self.height() / 2)
        outer = max(20.0, min(self.width(), self.height()) / 2 - 22)
        widest = max(s.polar_deg[1] for s in self.detector.segments)
        scale = outer / widest
        for i, segment in enumerate(self.detector.segments):
            self._paint_segment(painter, centre, scale, segment, QColor(COLOURS[i % len(COLOURS)]))
        small = QFont(self.font())
        small.setPointSizeF(max(7.0, self.font().pointSizeF() - 2))
        painter.setFont(small)
        painter.setPen(QPen(ink, 1, Qt.PenStyle.DotLine))
        for azimuth in (0, 90, 180, 270):
            painter.drawLine(centre, polar_point(centre, outer, azimuth))
            at = polar_point(centre, outer + 12, azimuth)
            box = QRectF(at.x() - 20, at.y() - 8, 40, 16)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), f"{azimuth}°")
        painter.setPen(ink)
        painter.drawText(4, self.height() - 4, f"polar angle to {widest:.3g}°")
        painter.end()

    def _paint_segment(
        self, painter: QPainter, centre: QPointF, scale: float, segment: Segment, colour: QColor
    ) -> None:
        low, high = (scale * p for p in segment.polar_deg)
        width = segment.azimuth_width_deg
        path = QPainterPath()
        if width >= 360:
            path.addEllipse(centre, high, high)
            path.addEllipse(centre, low, low)
            path.setFillRule(Qt.FillRule.OddEvenFill)
        else:
            first = segment.azimuth_deg[0]
            angles = np.linspace(first, first + width, 40)
            path.moveTo(polar_point(centre, high, float(angles[0])))
            for angle in angles[1:]:
                path.lineTo(polar_point(centre, high, float(angle)))
            for angle in angles[::-1]:
                path.lineTo(polar_point(centre, low, float(angle)))
            path.closeSubpath()
        fill = QColor(colour)
        fill.setAlpha(150)
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(QBrush(fill))
        painter.drawPath(path)
        painter.setPen(self.palette().text().color())
        at = polar_point(centre, 0.5 * (low + high), segment.azimuth_centre_deg)
        text = segment.name if segment.gain == 1 else f"{segment.name}\n× {segment.gain:.3g}"
        painter.drawText(QRectF(at.x() - 40, at.y() - 20, 80, 40), int(Qt.AlignmentFlag.AlignCenter), text)
