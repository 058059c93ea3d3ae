"""The result that is shown: engine, misfit, verdict, and the button that verifies it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.messages import STYLES
from napari_sem4d.widgets.remembered import remember_folder, remembered_folder
from napari_sem4d.widgets.result_words import (
    MISFIT_HELP,
    band_table,
    effort_text,
    engine_text,
    misfit_text,
    verdict_text,
    verdict_tooltip,
)
from napari_sem4d.widgets.run_model import EFFORTS
from napari_sem4d.widgets.workspace import Workspace

NOT_VERIFIED = (
    "Not verified: 'Verify' simulates a sample of its pixels by Monte Carlo and compares with the images."
)
_COLOURS = {"agrees": "background: #2e5a35; color: white;", "differs": STYLES["error"]}
_STRONGEST = 0.1  # of the flat signal: where the colour of a cell is full


class ResultBox(QGroupBox):
    """What is known of the result that is looked at; ``wanted`` asks for its verification.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Its time slider chooses the frame.
    space : Workspace
    """

    wanted = Signal()

    def __init__(self, viewer: Any, space: Workspace, parent: QWidget | None = None) -> None:
        super().__init__("Result shown", parent)
        self.viewer = viewer
        self.space = space
        self.images: Path | None = None
        self.name = QLabel("")
        self.misfit = QLabel("")
        self.misfit.setToolTip(MISFIT_HELP)
        self.verdict = QLabel("")
        for label in (self.name, self.misfit, self.verdict):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.effort = QComboBox()
        for effort in EFFORTS:
            self.effort.addItem(effort.name)
            self.effort.setItemData(self.effort.count() - 1, effort_text(effort), Qt.ItemDataRole.ToolTipRole)
        self.effort.setCurrentIndex(1)
        self.effort.setToolTip("How much is simulated: more pixels and electrons make the intervals shorter")
        self.images_button = QPushButton("Images…")
        self.images_button.setToolTip("Folder of the images that the result was made from, if they were moved")
        self.images_button.clicked.connect(self.ask_images)
        self.button = QPushButton("Verify")
        self.button.setToolTip(
            "Simulate a sample of this frame's pixels by Monte Carlo and compare with the images; the verdict is "
            "kept with the result"
        )
        self.button.clicked.connect(self.wanted)
        row = QHBoxLayout()
        row.addWidget(self.button, 2)
        row.addWidget(self.effort, 1)
        row.addWidget(self.images_button, 1)
        self.table = _table()
        column = QVBoxLayout(self)
        column.addWidget(self.name)
        column.addWidget(self.misfit)
        column.addLayout(row)
        column.addWidget(self.verdict)
        column.addWidget(self.table)
        connect_while_alive(self, space.results_changed, self.update_result)
        connect_while_alive(self, space.frames_changed, self.update_result)
        connect_while_alive(self, viewer.dims.events.current_step, self.update_result)
        self.running = False
        self.update_result()

    @property
    def result(self) -> Any:
        """The result that is looked at, or None."""
        shown = [r for r in self.space.results if r.shown]
        return shown[-1] if shown else None

    def set_running(self, running: bool) -> None:
        """While a job runs, none can be started."""
        self.running = running
        self.update_result()

    def update_result(self, *_: object) -> None:
        """Show engine, misfit and verdict of the frame under the slider."""
        result = self.result
        self.setVisible(result is not None)
        if result is None:
            return
        data, frame = result.data, result.frame
        self.name.setText(f"{data.name}. {engine_text(data)}.")
        self.name.setToolTip(str(data.path or ""))
        told = misfit_text(float(data.misfit[frame]), float(data.misfit_explained[frame]))
        self.misfit.setText(f"{told}.")
        finished = data.path is not None and bool(data.misfit[frame] == data.misfit[frame])
        self.button.setEnabled(finished and not self.running)
        self.effort.setEnabled(self.button.isEnabled())
        self.images_button.setEnabled(self.button.isEnabled())
        kept = data.verdicts.get(frame)
        self.table.setVisible(kept is not None)
        if kept is None:
            others = ", ".join(str(f + 1) for f in sorted(data.verdicts))
            self.verdict.setText(
                f"Frame {frame + 1} is not verified; verified: {others}." if others else NOT_VERIFIED
            )
            self.verdict.setToolTip("")
            self.verdict.setStyleSheet("")
            return
        found = kept.verification
        self.verdict.setText(f"{verdict_text(found)}.")
        self.verdict.setToolTip(verdict_tooltip(found, kept.date))
        colour = _COLOURS.get(found.verdict, STYLES["ask"])
        self.verdict.setStyleSheet(f"QLabel {{ border-radius: 3px; padding: 3px; {colour} }}")
        _fill(self.table, *band_table(found))

    def ask_images(self) -> None:
        """Ask where the images are, and verify."""
        folder = QFileDialog.getExistingDirectory(self, "Folder of the images", str(remembered_folder("images")))
        if folder:
            remember_folder("images", Path(folder))
            self.images = Path(folder)
            self.wanted.emit()


def _table() -> QTableWidget:
    table = QTableWidget()
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setToolTip("Measured minus simulated, % of the flat signal, by segment and slope towards it")
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    table.verticalHeader().setDefaultSectionSize(19)
    table.hide()
    return table


def _fill(table: QTableWidget, rows: list[str], columns: list[str], cells: list[list[Any]]) -> None:
    table.setRowCount(len(rows))
    table.setColumnCount(len(columns))
    table.setVerticalHeaderLabels(rows)
    table.setHorizontalHeaderLabels(columns)
    for r, row in enumerate(cells):
        for c, cell in enumerate(row):
            item = QTableWidgetItem("" if cell is None else cell.text)
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            if cell is not None:
                item.setToolTip(cell.tooltip)
                if cell.beyond > 1.0:  # red: brighter than simulated, blue: darker; grey: chance
                    strength = min(abs(cell.difference) / _STRONGEST, 1.0)
                    colour = QColor("#c0392b" if cell.difference > 0 else "#2471a3")
                    colour.setAlphaF(0.25 + 0.7 * strength)
                    item.setBackground(QBrush(colour))
            table.setItem(r, c, item)
    table.setFixedHeight(table.horizontalHeader().sizeHint().height() + 19 * len(rows) + 4)
