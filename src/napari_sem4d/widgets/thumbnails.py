"""The table frames x segments with thumbnails, read only where it is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.qt.threading import create_worker
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QTableView, QWidget

from napari_sem4d.errors import Sem4dError
from napari_sem4d.widgets.series_layer import time_unit
from napari_sem4d.widgets.series_model import thumbnail

if TYPE_CHECKING:
    from napari_sem4d.acquisition.series import SemSeries

SIDE = 64
DISPLAY, DECORATION, TOOLTIP, BACKGROUND = (
    Qt.ItemDataRole.DisplayRole,
    Qt.ItemDataRole.DecorationRole,
    Qt.ItemDataRole.ToolTipRole,
    Qt.ItemDataRole.BackgroundRole,
)


class FramesModel(QAbstractTableModel):
    """Rows are frames, columns are segments."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.series: SemSeries | None = None
        self.pictures: dict[tuple[int, int], QPixmap | str] = {}
        self._wanted: list[tuple[int, int]] = []
        self._worker: Any = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._start)

    def set_series(self, series: SemSeries | None) -> None:
        """Show another series; thumbnails are kept where the images are the same."""
        same = series is not None and self.series is not None and series.signal is self.series.signal
        self.beginResetModel()
        self.series = series
        if not same:
            self.pictures = {}
            self._wanted = []
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Number of frames."""
        return self.series.frames if self.series is not None else 0

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Number of segments."""
        return len(self.series.segment_names) if self.series is not None else 0

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = DISPLAY) -> Any:
        """Segment names and times."""
        if role != DISPLAY or self.series is None:
            return None
        if orientation == Qt.Orientation.Horizontal:
            return self.series.segment_names[section]
        if time_unit(self.series) == "s":
            return f"{float(self.series.signal['time'].values[section]):g} s"
        return f"{section + 1}"

    def data(self, index: QModelIndex, role: int = DISPLAY) -> Any:
        """Thumbnail, file name as a tooltip, and a mark on frames that cannot be used."""
        if self.series is None:
            return None
        key = (index.row(), index.column())
        if role == DECORATION:
            picture = self.pictures.get(key)
            if picture is None and key not in self._wanted:
                self._wanted.append(key)
                self._timer.start(0)
            return picture if isinstance(picture, QPixmap) else None
        if role == DISPLAY and isinstance(self.pictures.get(key), str):
            return "unreadable"
        if role == TOOLTIP:
            return self._tooltip(*key)
        if role == BACKGROUND and key[0] in self.series.faults:
            return QColor("#7a2e2e")
        return None

    def _tooltip(self, frame: int, segment: int) -> str:
        assert self.series is not None
        lines = []
        if frame < len(self.series.sources) and segment < len(self.series.sources[frame]):
            source = self.series.sources[frame][segment]
            lines.append(f"{source.path}, page {source.page + 1}")
        if frame in self.series.faults:
            lines.append(self.series.faults[frame])
        picture = self.pictures.get((frame, segment))
        if isinstance(picture, str):
            lines.append(picture)
        return "\n".join(lines)

    def _start(self) -> None:
        if self._worker is not None or not self._wanted or self.series is None:
            return
        self._worker = create_worker(
            _read, self.series, list(self._wanted), _connect={"yielded": self._take, "finished": self._done}
        )

    def _take(self, answer: tuple[Any, int, int, np.ndarray | str]) -> None:
        signal, frame, segment, image = answer
        if self.series is None or signal is not self.series.signal:
            return  # another series has been opened since
        self.pictures[frame, segment] = image if isinstance(image, str) else _pixmap(image)
        if (frame, segment) in self._wanted:
            self._wanted.remove((frame, segment))
        at = self.index(frame, segment)
        self.dataChanged.emit(at, at)

    def _done(self) -> None:
        self._worker = None
        if self._wanted:
            self._timer.start(0)

    def stop(self) -> None:
        """Let a thread that reads end; what it still brings is taken."""
        self._timer.stop()
        self._wanted = []
        if self._worker is not None:
            self._worker.quit()
            self._worker = None


def _read(series: SemSeries, wanted: list[tuple[int, int]]) -> Iterator[tuple[Any, int, int, np.ndarray | str]]:
    for frame, segment in wanted:
        try:
            image: np.ndarray | str = thumbnail(series, frame, segment, SIDE)
        except (Sem4dError, OSError, ValueError) as error:
            image = str(error)
        yield series.signal, frame, segment, image


def _pixmap(grey: np.ndarray) -> QPixmap:
    rows, cols = grey.shape
    return QPixmap.fromImage(QImage(grey.data, cols, rows, cols, QImage.Format.Format_Grayscale8).copy())


class FramesTable(QTableView):
    """Thumbnails of all frames and segments."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.frames = FramesModel(self)
        self.setModel(self.frames)
        self.setIconSize(QSize(SIDE, SIDE))
        self.verticalHeader().setDefaultSectionSize(SIDE + 6)
        self.horizontalHeader().setDefaultSectionSize(SIDE + 12)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(SIDE + 34)
