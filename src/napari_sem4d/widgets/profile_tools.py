"""The rows above the plot of the Profile dock: width, drawing tools, modes."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sem4d.widgets.profile_compare import CompareButton
from napari_sem4d.widgets.profile_model import SHAPES, STEP_KINDS
from napari_sem4d.widgets.tool_icons import tool_icon

TOOLS = {
    "line": "Draw straight lines: drag on the image, or Shift-drag on the 3D surface",
    "path": "Draw polylines: click point after point, double-click ends (3D: Shift-drag freehand)",
    "rectangle": "Draw rectangles: the profile runs along the longer side and is averaged over the width",
}
ACTIONS = {
    "undo": "Undo: take back the last change of a line, cursor or step (Ctrl+Z)",
    "redo": "Redo: do again what was taken back (Ctrl+Shift+Z)",
    "remove": "Remove the chosen line (Delete in the table)",
}
MODES = ("cursors", "step", "kymograph")
MODE_TIPS = (
    "Distance, height difference and angle between two cursors on the chosen line",
    "Height of a step, groove or ridge on the chosen line, by fitted levels (ISO 5436-1)",
    "Height along the chosen line at all times",
)
STEP_NAMES = ("automatic", "single edge", "groove or ridge (ISO 5436-1)")
VALUE_UNITS = ("unit?", "nm", "µm", "Å", "m")


class WidthBox(QSpinBox):
    """The width of the average."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setRange(1, 999)
        self.setSuffix(" px")
        self.setToolTip("Width across lines and polylines over which heights are averaged, pixels")


class ToolRow(QWidget):
    """Drawing tools of which one or none is on, and undo, redo, remove.

    ``tool_changed`` carries the kind of shape to draw, empty for none.
    """

    tool_changed = Signal(str)

    def __init__(self, compare: CompareButton, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tools: dict[str, QToolButton] = {}
        self.actions_: dict[str, QToolButton] = {}
        self.last = SHAPES[0]
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        for kind in SHAPES:
            button = self.tools[kind] = self._button(TOOLS[kind])
            button.setCheckable(True)
            button.clicked.connect(lambda on, kind=kind: self.choose(kind if on else ""))
            row.addWidget(button)
        row.addStretch(1)
        for name, tip in ACTIONS.items():
            button = self.actions_[name] = self._button(tip)
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(compare)

    def _button(self, tip: str) -> QToolButton:
        button = QToolButton()
        button.setToolTip(tip)
        return button

    def choose(self, kind: str) -> None:
        """Turn one tool on and the others off; empty turns all off."""
        for name, button in self.tools.items():
            button.setChecked(name == kind)
        self.last = kind or self.last
        self.tool_changed.emit(kind)

    def enable(self, undo: bool, redo: bool, remove: bool) -> None:
        """Say which actions there is something for."""
        for button, on in zip(self.actions_.values(), (undo, redo, remove), strict=True):
            button.setEnabled(on)

    @property
    def kind(self) -> str:
        """The tool that is on; empty for none."""
        return next((name for name, button in self.tools.items() if button.isChecked()), "")

    def follow_theme(self) -> None:
        """Draw the icons in the colour of the text."""
        ink = self.palette().windowText().color()
        for name, button in (self.tools | self.actions_).items():
            button.setIcon(tool_icon(name, ink))


class ModeRow(QWidget):
    """What is measured on the chosen line: cursors, step or kymograph."""

    changed = Signal(str)
    kind_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tabs = QTabBar()
        self.tabs.setExpanding(True)
        self.tabs.setDrawBase(False)
        for mode, tip in zip(MODES, MODE_TIPS, strict=True):
            self.tabs.setTabToolTip(self.tabs.addTab(mode.capitalize()), tip)
        self.tabs.currentChanged.connect(lambda i: self._show(MODES[i]))
        self.kind = QComboBox()
        for name, kind in zip(STEP_NAMES, STEP_KINDS, strict=True):
            self.kind.addItem(name, kind)
        self.kind.setToolTip("Two levels beside one edge, or a feature between two edges with ground on both")
        self.kind.activated.connect(lambda *_: self.kind_chosen.emit(self.kind.currentData()))
        self.find = QPushButton("Find again")
        self.find.setToolTip("Find the edges anew; stretches that were dragged are given up (undo has them)")
        self.find.clicked.connect(lambda *_: self.kind_chosen.emit(self.kind.currentData()))
        self.step_row = QWidget()
        row = QHBoxLayout(self.step_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.kind, 1)
        row.addWidget(self.find)
        self.step_row.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addWidget(self.tabs)
        column.addWidget(self.step_row)

    @property
    def mode(self) -> str:
        """One of :data:`MODES`."""
        return MODES[self.tabs.currentIndex()]

    def _show(self, mode: str) -> None:
        self.step_row.setVisible(mode == "step")
        self.changed.emit(mode)
