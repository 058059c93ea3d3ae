"""Menu `Show` of the Profile dock: uncertainty band, other times and other results over the plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton, QWidget

from napari_sem4d.widgets.height_source import HeightSource

MOST = 6
"""Overlays at the most: more cannot be told apart, and their frames would not fit into the cache."""
Overlay = tuple[HeightSource, tuple[int, ...], str]


class CompareButton(QPushButton):
    """What is drawn over the profile of the chosen line.

    Parameters
    ----------
    state : callable
        Gives the source that is measured, the index under the sliders, and all sources that there are.
    """

    changed = Signal()
    told = Signal(str)

    def __init__(
        self,
        state: Callable[[], tuple[HeightSource | None, Any, Sequence[HeightSource]]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self.pinned: list[int] = []
        self.layers: list[Any] = []
        self.setText("Show")
        self.setToolTip("Show other times or other results over the profile of the chosen line, and the band")
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self.band = menu.addAction("Uncertainty band (95 %)")
        self.band.setToolTip("Pointwise 95 % limits of the height, nm; only calibrated results have them")
        self.band.setCheckable(True)
        self.band.setChecked(True)
        self.band.toggled.connect(lambda *_: self.changed.emit())
        menu.addSeparator()
        self.keep = menu.addAction("Keep this time on the plot", self.keep_time)
        self.ends = menu.addAction("First and last time", self.first_and_last)
        self.spread = menu.addAction("Times evenly spread", self.spread_times)
        self.others = menu.addMenu("Other height maps")
        menu.addSeparator()
        self.clear_action = menu.addAction("Only the time of the slider", self.clear)
        menu.aboutToShow.connect(self.update_menu)
        self.setMenu(menu)

    # --- what is chosen ---------------------------------------------------------------------------------

    def overlays(self, source: HeightSource, dims: Any, sources: Sequence[HeightSource]) -> list[Overlay]:
        """Maps, frame indices and words of what is shown over the profile of the chosen line."""
        found: list[Overlay] = []
        here = source.index(dims)
        for frame in self.pinned:
            index = source.index_at(frame, dims)
            if index and index != here:
                found.append((source, index, source.time_text(index) or f"frame {frame + 1}"))
        for other in sources:
            if any(other.layer is layer for layer in self.layers) and alike(other, source):
                index = other.index(dims)
                time = other.time_text(index)
                found.append((other, index, f"{other.name}, {time}" if time else other.name))
        return found[:MOST]

    def keep_time(self) -> None:
        """Keep the time of the slider on the plot."""
        source, dims, _ = self._state()
        if source is not None and source.index(dims):
            self._pin([source.index(dims)[0]])

    def first_and_last(self) -> None:
        """Show the first and the last time."""
        source, _, _ = self._state()
        if source is not None:
            self._pin([0, source.frames - 1])

    def spread_times(self) -> None:
        """Show five times from the first to the last."""
        source, _, _ = self._state()
        if source is not None:
            self._pin([int(i) for i in np.unique(np.linspace(0, source.frames - 1, 5).round())])

    def _pin(self, frames: list[int]) -> None:
        wanted = [*self.pinned, *(frame for frame in frames if frame not in self.pinned)]
        if len(wanted) > MOST:
            self.told.emit(f"At most {MOST} other times fit on the plot; the oldest were taken off.")
        self.pinned = wanted[-MOST:]
        self.changed.emit()

    def show_layer(self, layer: Any, on: bool) -> None:
        """Show another height map over the plot, or no longer."""
        self.layers = [kept for kept in self.layers if kept is not layer] + ([layer] if on else [])
        self.changed.emit()

    def clear(self) -> None:
        """Show only the time of the slider."""
        self.pinned, self.layers = [], []
        self.changed.emit()

    def forget(self, there: Sequence[Any]) -> None:
        """Forget layers that were removed."""
        self.layers = [layer for layer in self.layers if any(layer is kept for kept in there)]

    # --- the menu ---------------------------------------------------------------------------------------

    def update_menu(self) -> None:
        """Offer what there is."""
        source, _, sources = self._state()
        series = source is not None and source.frames > 1
        for action in (self.keep, self.ends, self.spread):
            action.setEnabled(series)
        self.band.setEnabled(source is not None and (source.std is not None or source.has_draws))
        self.clear_action.setEnabled(bool(self.pinned or self.layers))
        self.others.clear()
        for other in sources:
            if source is None or other.layer is source.layer or not alike(other, source):
                continue
            action = self.others.addAction(other.name)
            action.setCheckable(True)
            action.setChecked(any(other.layer is layer for layer in self.layers))
            action.toggled.connect(lambda on, layer=other.layer: self.show_layer(layer, on))
        self.others.setEnabled(not self.others.isEmpty())


def alike(a: HeightSource, b: HeightSource) -> bool:
    """Whether two maps may stand on one axis: same units, both calibrated or both relative."""
    return (a.length_unit, a.value_unit, a.relative) == (b.length_unit, b.value_unit, b.relative)
