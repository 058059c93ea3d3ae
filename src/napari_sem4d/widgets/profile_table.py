"""The table of the Profile dock: one row for each line; names and colours can be changed in it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHeaderView,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_sem4d.widgets.profile_model import Line

Row = tuple[Line, Sequence[str], str]
"""A line, the texts of its other cells, and the tooltip of these."""


class ProfileTable(QTableWidget):
    """Lines with what was read off them."""

    chosen = Signal(str)
    renamed = Signal(str, str)
    coloured = Signal(str, str)
    removed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Line] = []
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.setMinimumHeight(64)
        self.setMaximumHeight(126)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.itemSelectionChanged.connect(self._on_selection)
        self.itemChanged.connect(self._on_edit)

    def set_columns(self, columns: Sequence[tuple[str, str]]) -> None:
        """Name the columns behind that of the lines; each has a title and a tooltip."""
        self.setColumnCount(1 + len(columns))
        self.setHorizontalHeaderLabels(["line", *(title for title, _ in columns)])
        tips = ["Double-click a name to change it; right-click for colour and removal", *(t for _, t in columns)]
        for i, tip in enumerate(tips):
            self.horizontalHeaderItem(i).setToolTip(tip)

    def show_rows(self, rows: Sequence[Row], chosen: str | None) -> None:
        """Show lines; items are kept, because this happens at every move of a drag."""
        self.blockSignals(True)
        self._rows = [line for line, *_ in rows]
        if self.rowCount() != len(rows):
            self.setRowCount(len(rows))
        for i, (line, texts, tip) in enumerate(rows):
            for j, text in enumerate((line.name, *texts)):
                item = self.item(i, j)
                if item is None:
                    item = QTableWidgetItem()
                    if j:
                        item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                        item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                    self.setItem(i, j, item)
                if item.text() != text:
                    item.setText(text)
                if j and item.toolTip() != tip:
                    item.setToolTip(tip)
            first = self.item(i, 0)
            if first.data(Qt.ItemDataRole.UserRole) != line.colour:
                first.setData(Qt.ItemDataRole.UserRole, line.colour)
                first.setIcon(swatch(line.colour))
            if line.name == chosen and not first.isSelected():
                self.selectRow(i)
        self.blockSignals(False)

    def texts(self) -> list[list[str]]:
        """Header and rows as they are shown."""
        columns = range(self.columnCount())
        head = [self.horizontalHeaderItem(j).text().replace("\n", " ") for j in columns]
        return [head, *([self.item(i, j).text() for j in columns] for i in range(self.rowCount()))]

    def _name(self, row: int) -> str | None:
        return self._rows[row].name if 0 <= row < len(self._rows) else None

    def _on_selection(self) -> None:
        rows = {index.row() for index in self.selectedIndexes()}
        name = self._name(min(rows)) if rows else None
        if name is not None:
            self.chosen.emit(name)

    def _on_edit(self, item: QTableWidgetItem) -> None:
        name = self._name(item.row()) if item.column() == 0 else None
        if name is not None and item.text() != name:
            self.renamed.emit(name, item.text())

    def keyPressEvent(self, event: object) -> None:
        """Delete removes the chosen line."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            name = self._name(self.currentRow())
            if name is not None:
                self.removed.emit(name)
                return
        super().keyPressEvent(event)

    def menu_of(self, row: int) -> QMenu:
        """The menu of a row."""
        menu = QMenu(self)
        menu.addAction("Rename", lambda: self.editItem(self.item(row, 0)))
        menu.addAction("Colour…", lambda: self.ask_colour(row))
        menu.addAction("Remove", lambda: self.removed.emit(self._name(row)))
        return menu

    def _show_menu(self, position: object) -> None:
        item = self.itemAt(position)
        if item is not None:
            self.menu_of(item.row()).popup(self.viewport().mapToGlobal(position))

    def ask_colour(self, row: int) -> None:
        """Ask for the colour of a line."""
        line = self._rows[row]
        found = QColorDialog.getColor(QColor(line.colour), self, f"Colour of {line.name}")
        if found.isValid():
            self.coloured.emit(line.name, found.name())


def swatch(colour: str) -> QIcon:
    """A small square of a colour."""
    picture = QPixmap(10, 10)
    picture.fill(QColor(colour))
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)  # otherwise it is tinted where the row is chosen
    return icon
