"""Small icons drawn in the colour of the text, so that they suit every theme and need no font."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

SIDE = 20
PATHS = {
    "line": [(3, 17), (17, 3)],
    "path": [(2, 16), (7, 6), (12, 13), (18, 3)],
    "polygon": [(10, 3), (17, 8), (15, 16), (5, 16), (3, 8), (10, 3)],
    "rectangle": [(3, 6), (17, 6), (17, 14), (3, 14), (3, 6)],
}
DOTTED = ("line", "path")


def tool_icon(name: str, ink: QColor) -> QIcon:
    """Icon of a tool: "line", "path", "polygon", "rectangle", "undo", "redo" or "remove"."""
    picture = QPixmap(SIDE, SIDE)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(ink, 1.8))
    if name in PATHS:
        points = [QPointF(x, y) for x, y in PATHS[name]]
        painter.drawPolyline(QPolygonF(points))
        if name in DOTTED:
            painter.setBrush(ink)
            for point in points:
                painter.drawEllipse(point, 1.6, 1.6)
    elif name == "remove":
        painter.drawLine(5, 5, 15, 15)
        painter.drawLine(15, 5, 5, 15)
    else:
        if name == "redo":
            painter.translate(SIDE, 0)
            painter.scale(-1, 1)
        bow = QPainterPath(QPointF(4, 8))
        bow.arcTo(QRectF(4, 6, 12, 10), 110, -200)
        painter.drawPath(bow)
        painter.setBrush(ink)
        painter.drawPolygon(QPolygonF([QPointF(2, 8), QPointF(8, 3.5), QPointF(8.5, 10)]))
    painter.end()
    return QIcon(picture)
