"""Dock `Profile`: draw lines, see the heights along them, read distances and height differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import QColor, QGuiApplication
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_sem4d.errors import Sem4dError
from napari_sem4d.metrology.profile import Profile as Sampled
from napari_sem4d.widgets.draped_lines import DrapedLines
from napari_sem4d.widgets.height_source import HeightSource, height_source
from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.lines_layer import LinesLayer
from napari_sem4d.widgets.messages import Message
from napari_sem4d.widgets.profile_model import Line, profiles_csv, short_number
from napari_sem4d.widgets.profile_plot import ProfilePlot
from napari_sem4d.widgets.remembered import remember_folder, remembered_folder
from napari_sem4d.widgets.workspace import unwrap, workspace_of

COLUMNS = ("line", "length", "distance", "height", "angle")
TOOLTIPS = (
    "",
    "Length of the whole line",
    "Distance from cursor 1 to cursor 2",
    "Height at cursor 2 minus height at cursor 1",
    "Angle of the slope from cursor 1 to cursor 2",
)
NO_HEIGHT = "There is no height to measure yet: reconstruct a series or open a height map."
HINT = "Press 'Draw lines', then drag across the height image."


class Profile(QWidget):
    """Profile lines with a live plot and one pair of cursors for each line.

    Parameters
    ----------
    napari_viewer : napari viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = unwrap(napari_viewer)
        self.lines = LinesLayer(self.viewer)
        self.draped = DrapedLines(self.viewer)
        self.source: HeightSource | None = None
        self.chosen: str | None = None
        self.profiles: list[tuple[Line, Sampled]] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.refresh)
        self._build()
        connect_while_alive(self, self.lines.moved, self._later)
        connect_while_alive(self, self.lines.changed, self._later)
        self._layer_events = self.viewer.layers.events
        for signal in (self._layer_events.inserted, self._layer_events.removed):
            connect_while_alive(self, signal, self._layers_changed)
        dims = self.viewer.dims.events
        for signal in (dims.current_step, dims.ndisplay, workspace_of(napari_viewer).frames_changed):
            connect_while_alive(self, signal, self._later)
        for part in (self.lines, self.draped):
            self.destroyed.connect(part.close)
        self._layers_changed()

    def sizeHint(self) -> QSize:
        """Narrow enough to leave room for the picture."""
        return QSize(340, 390)

    def _build(self) -> None:
        self.source_box = QComboBox()
        self.source_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.source_box.currentIndexChanged.connect(self._source_chosen)
        self.width = QSpinBox()
        self.width.setRange(1, 999)
        self.width.setSuffix(" px")
        self.width.setToolTip("Width across the line over which heights are averaged, pixels")
        self.width.valueChanged.connect(self._later)
        self.source_box.setMinimumContentsLength(8)
        self.source_box.setToolTip("The layer whose heights are measured")
        form = QHBoxLayout()
        form.addWidget(self.source_box, 1)
        form.addWidget(QLabel("width"))
        form.addWidget(self.width)

        self.draw_button = QPushButton("Draw lines")
        self.draw_button.setCheckable(True)
        self.draw_button.toggled.connect(self._draw_toggled)
        self.undo_button = QPushButton("Undo")
        self.undo_button.setToolTip("Take back the last line that was drawn, moved or removed (Ctrl+Z)")
        self.undo_button.clicked.connect(self.undo)
        self.remove_button = QPushButton("Remove")
        self.remove_button.clicked.connect(self.remove)
        top = QHBoxLayout()
        for button in (self.draw_button, self.undo_button, self.remove_button):
            top.addWidget(button)

        self.message = Message()
        self.plot = ProfilePlot()
        self.plot.cursors_moved.connect(self._cursors_moved)
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.verticalHeader().hide()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.setMaximumHeight(120)
        self.table.setMinimumHeight(64)
        self.table.horizontalHeader().setStretchLastSection(True)
        self.table.itemSelectionChanged.connect(self._row_chosen)
        self.csv_button = QPushButton("Save CSV…")
        self.csv_button.clicked.connect(self.ask_csv)
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("Copy all profiles to the clipboard, for a spreadsheet")
        self.copy_button.clicked.connect(self.copy)
        bottom = QHBoxLayout()
        bottom.addWidget(self.csv_button)
        bottom.addWidget(self.copy_button)

        column = QVBoxLayout(self)
        column.setSpacing(4)
        column.addLayout(form)
        column.addLayout(top)
        column.addWidget(self.message)
        column.addWidget(self.plot, 1)
        column.addWidget(self.table)
        column.addLayout(bottom)

    # --- where the heights come from --------------------------------------------------------------------

    def _layers_changed(self, event: Any = None) -> None:
        """Offer the layers that hold heights; keep the choice while it is there."""
        kept = self.source.layer if self.source else None
        found = [s for s in (height_source(layer, self.viewer.layers) for layer in self.viewer.layers) if s]
        ours = [s for s in found if s.value_unit]
        self.source_box.blockSignals(True)
        self.source_box.clear()
        for source in found:
            self.source_box.addItem(source.name, source)
        newest = getattr(event, "value", None)
        wanted = [s for s in ours if s.layer is newest] or [s for s in found if s.layer is kept]
        wanted = wanted or ours[-1:] or found[:1]
        if wanted:
            self.source_box.setCurrentIndex(found.index(wanted[0]))
        self.source_box.blockSignals(False)
        self._source_chosen()

    def _source_chosen(self, *_: object) -> None:
        self.source = self.source_box.currentData()
        if self.source is not None:
            quantity = "relative height" if self.source.relative else "height"
            self.plot.set_units(self.source.length_unit, f"{quantity} ({self.source.value_unit or 'value'})")
            self.table.setHorizontalHeaderLabels(
                ["line", *(f"{name}\n({unit})" for name, unit in zip(COLUMNS[1:], self._units(), strict=True))]
            )
            for i, text in enumerate(TOOLTIPS):
                self.table.horizontalHeaderItem(i).setToolTip(text)
        self._later()

    def _units(self) -> tuple[str, str, str, str]:
        assert self.source is not None
        length, value = self.source.length_unit, self.source.value_unit or "value"
        return length, length, value, "°"

    # --- drawing ---------------------------------------------------------------------------------------

    def _draw_toggled(self, on: bool) -> None:
        if not on:
            if self.lines.layer is not None:
                self.lines.layer.mode = "select"
            return
        if self.source is None:
            self.draw_button.setChecked(False)
            self.message.say(
                "There is no height to measure yet: reconstruct a series or open a height map.", "ask"
            )
            return
        if self.viewer.dims.ndisplay == 3:
            self.viewer.dims.ndisplay = 2
        rows, cols = self.source.layer.data.shape[-2:]
        width = max(rows * self.source.pixel[0], cols * self.source.pixel[1]) / 250
        layer = self.lines.ensure(self.source.length_unit, width)
        self.viewer.layers.selection.active = layer
        layer.mode = "add_line"

    def undo(self) -> None:
        """Take back the last change."""
        if not self.lines.undo():
            self.message.say("There is nothing to undo.")
        elif self.lines.lines and self.lines.layer is None and self.source is not None:
            lines = self.lines.lines  # the layer was removed: bring it back with its lines
            self.lines.ensure(self.source.length_unit, max(self.source.pixel) * 2)
            self.lines.set_lines(lines)

    def remove(self) -> None:
        """Remove the chosen line."""
        if self.chosen is not None:
            self.lines.remove(self.chosen)

    # --- showing ---------------------------------------------------------------------------------------

    def _later(self, *_: object) -> None:
        """Many events become one update."""
        self._timer.start()

    def refresh(self) -> None:
        """Sample all lines on the frame under the time slider and show them."""
        source = self.source
        self.profiles = []
        if source is None:
            self.message.say(NO_HEIGHT)
        else:
            try:
                index = source.index(self.viewer.dims)
                height, std = source.height(index), source.height_std(index)
                self.profiles = [
                    (line, line.sample(source, height, std, self.width.value())) for line in self.lines.lines
                ]
            except Sem4dError as error:
                self.message.say(str(error), "error")
            else:
                self.message.say("" if self.profiles else HINT)
        names = [line.name for line, _ in self.profiles]
        if self.chosen not in names:
            self.chosen = names[-1] if names else None
        self.plot.show_profiles(self.profiles, self.chosen)
        self._show_table()
        if source is not None:
            shown = [r for r in workspace_of(self.viewer).results if r.height is source.layer]
            self.draped.show(self.profiles, shown[0] if shown else None, source.length_unit)

    def _show_table(self) -> None:
        self.table.blockSignals(True)
        self.table.setRowCount(len(self.profiles))
        for i, (line, profile) in enumerate(self.profiles):
            reading = line.read(profile)
            values = (profile.length_nm, reading.distance_nm, reading.height_difference_nm, reading.angle_deg)
            for j, text in enumerate((line.name, *(short_number(v) for v in values))):
                item = QTableWidgetItem(text)
                if j == 0:
                    item.setForeground(QColor(line.colour))
                else:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(i, j, item)
            if line.name == self.chosen:
                self.table.selectRow(i)
        self.table.blockSignals(False)
        self.remove_button.setEnabled(self.chosen is not None)

    def _row_chosen(self) -> None:
        rows = {index.row() for index in self.table.selectedIndexes()}
        if rows and min(rows) < len(self.profiles):
            self.chosen = self.profiles[min(rows)][0].name
            self.plot.show_profiles(self.profiles, self.chosen)

    def _cursors_moved(self, first: float, second: float) -> None:
        if self.chosen is None:
            return
        self.lines.set_cursors(self.chosen, (first, second))
        by_name = {line.name: line for line in self.lines.lines}
        self.profiles = [(by_name.get(line.name, line), profile) for line, profile in self.profiles]
        self._show_table()

    # --- giving away ------------------------------------------------------------------------------------

    def text(self, separator: str = ",") -> str:
        """All profiles as CSV text."""
        if self.source is None:
            return ""
        time = self.source.time_text(self.source.index(self.viewer.dims))
        return profiles_csv(self.source, time, self.profiles, separator)

    def ask_csv(self) -> None:
        """Ask for a file and write all profiles to it."""
        if not self.profiles:
            self.message.say("There is no line to save. " + HINT, "ask")
            return
        start = str(remembered_folder("profiles") / "profiles.csv")
        name, _ = QFileDialog.getSaveFileName(self, "Save the profiles", start, "CSV (*.csv)")
        if name:
            self.save_csv(Path(name))

    def save_csv(self, path: Path) -> None:
        """Write all profiles to a CSV file."""
        path = path if path.suffix else path.with_suffix(".csv")
        try:
            path.write_text(self.text(), encoding="utf-8")
        except OSError as error:
            self.message.say(f"{path} could not be written ({error.strerror}). Choose another folder.", "error")
            return
        remember_folder("profiles", path.parent)
        self.message.say(f"Saved to {path}.")

    def copy(self) -> None:
        """Put all profiles on the clipboard."""
        if not self.profiles:
            self.message.say("There is no line to copy. " + HINT, "ask")
            return
        QGuiApplication.clipboard().setText(self.text("\t"))
        self.message.say(f"Copied {len(self.profiles)} profiles.")

    # --- window ----------------------------------------------------------------------------------------

    def showEvent(self, event: object) -> None:
        """Take the colours of the theme."""
        super().showEvent(event)
        self.plot.follow_theme()

    def closeEvent(self, event: object) -> None:
        """Nothing is left to do later."""
        self._timer.stop()
        super().closeEvent(event)
