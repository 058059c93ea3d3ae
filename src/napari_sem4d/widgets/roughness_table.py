"""The table of roughness figures: value, interval, unit; the definition as tooltip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_sem4d.metrology.evaluate import Figure
from napari_sem4d.widgets.profile_model import short_number

HEADER = ("figure", "value", "95 % interval", "unit")
NOT_GIVEN = "–"


def value_text(figure: Figure) -> str:
    """The value as the table shows it."""
    if figure.refusal:
        return NOT_GIVEN
    places = _places(figure)
    return short_number(figure.value) if places is None else f"{figure.value:.{places}f}"


def interval_text(figure: Figure) -> str:
    """The interval as the table shows it; empty without one."""
    if figure.refusal or figure.low is None or figure.high is None:
        return ""
    places = _places(figure)
    low, high = (short_number(v) if places is None else f"{v:.{places}f}" for v in (figure.low, figure.high))
    return f"{low} to {high}"


def _places(figure: Figure) -> int | None:
    """Decimal places that two digits of the interval's half width need; None without an interval, or too many."""
    if figure.low is None or figure.high is None or not figure.high > figure.low:
        return None
    places = max(0, 1 - int(np.floor(np.log10(0.5 * (figure.high - figure.low)))))
    return places if places <= 5 else None


def explanation(figure: Figure) -> str:
    """Definition, standard, nesting indices, what noise had added, or why there is no value."""
    filters = [f"{k} {v:g} nm" for k, v in (("S", figure.s_nm), ("L", figure.l_nm)) if v is not None]
    lines = [
        figure.definition,
        f"{figure.standard}; levelling {figure.levelling}; {', '.join(filters) or 'no S or L filter'}.",
    ]
    if figure.bias is not None and not figure.refusal:
        lines.append(f"Noise had added {short_number(figure.bias)} {figure.unit}, which is subtracted.")
        if figure.value == 0.0:
            lines.append("What is left lies below the noise: only the upper end of the interval says something.")
    if figure.std and figure.scale_std and not figure.refusal:
        shares = f"noise {short_number(figure.std)}, calibration {short_number(figure.scale_std)} {figure.unit}"
        lines.append(f"Standard uncertainty: {shares}.")
    if figure.refusal:
        lines.append(f"Not given: {figure.refusal}")
    return "\n".join(lines)


class RoughnessTable(QTreeWidget):
    """Figures under the headings of their groups; ``chosen`` carries the name of the one that is clicked."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figures: dict[str, Figure] = {}
        self._items: dict[str, QTreeWidgetItem] = {}
        self.setColumnCount(len(HEADER))
        self.setHeaderLabels(HEADER)
        self.setIndentation(10)
        self.setUniformRowHeights(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setMinimumHeight(90)
        head = self.header()
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setStretchLastSection(True)
        self.itemSelectionChanged.connect(self._selected)

    @property
    def name(self) -> str:
        """Name of the chosen figure; empty without one."""
        found = [name for name, item in self._items.items() if item.isSelected()]
        return found[0] if found else ""

    def choose(self, name: str) -> None:
        """Select a figure."""
        if name in self._items:
            self.setCurrentItem(self._items[name])

    def show_figures(self, figures: Sequence[Figure]) -> None:
        """Show a table; rows are kept, so that scrolling and choice stay where they are."""
        self.figures = {figure.name: figure for figure in figures}
        self.blockSignals(True)
        if list(self._items) != list(self.figures):
            self._lay_out(figures)
        any_interval = False
        for name, item in self._items.items():
            figure = self.figures[name]
            texts = (name, value_text(figure), interval_text(figure), figure.unit.replace("degree", "°"))
            any_interval |= bool(texts[2])
            for column, text in enumerate(texts):
                item.setText(column, text)
                item.setToolTip(column, explanation(figure))
            item.setDisabled(False)
        self.setColumnHidden(2, not any_interval)
        self.blockSignals(False)

    def _lay_out(self, figures: Sequence[Figure]) -> None:
        chosen = self.name
        self.clear()
        self._items = {}
        groups: dict[str, QTreeWidgetItem] = {}
        for figure in figures:
            if figure.group not in groups:
                group = groups[figure.group] = QTreeWidgetItem([figure.group])
                group.setFlags(Qt.ItemFlag.ItemIsEnabled)
                self.addTopLevelItem(group)
                group.setFirstColumnSpanned(True)
                group.setExpanded(True)
            item = QTreeWidgetItem(groups[figure.group])
            for column in (1, 2):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self._items[figure.name] = item
        if chosen in self._items:
            self._items[chosen].setSelected(True)

    def _selected(self) -> None:
        if self.name:
            self.chosen.emit(self.name)

    def cell(self, name: str, column: int) -> str:
        """Text of a cell."""
        return self._items[name].text(column)

    def tip(self, name: str) -> str:
        """Tooltip of a figure."""
        return self._items[name].toolTip(0)
