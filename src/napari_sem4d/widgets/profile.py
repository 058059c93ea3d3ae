"""Dock `Profile`: draw lines, see the heights along them, read distances, steps and their history."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from napari_sem4d.errors import InputError, Sem4dError
from napari_sem4d.widgets import profile_rows as rows
from napari_sem4d.widgets.dock import Dock
from napari_sem4d.widgets.height_chooser import HeightChooser
from napari_sem4d.widgets.height_source import HeightSource
from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.line_book import LineBook
from napari_sem4d.widgets.lines_in_viewer import LinesInViewer
from napari_sem4d.widgets.plot_kymograph import KymographPlot
from napari_sem4d.widgets.profile_compare import CompareButton
from napari_sem4d.widgets.profile_curves import Curve
from napari_sem4d.widgets.profile_files import ProfileFiles
from napari_sem4d.widgets.profile_kymograph import LineHistory
from napari_sem4d.widgets.profile_model import Line, Sampled, StepMarks
from napari_sem4d.widgets.profile_plot import ProfilePlot
from napari_sem4d.widgets.profile_reading import CursorFigures, StepFigures, cursor_figures
from napari_sem4d.widgets.profile_sampler import Sampler
from napari_sem4d.widgets.profile_session import ProfileSession
from napari_sem4d.widgets.profile_table import ProfileTable
from napari_sem4d.widgets.profile_tools import ModeRow, ToolRow, WidthBox

NO_HEIGHT = "There is no height to measure yet: reconstruct a series or open a height map."
RELATIVE = "Relative height: no reference has fixed the scale, so there are no uncertainties and no angles."


class Profile(Dock):
    """Profile lines with a live plot, cursors, steps and kymographs.

    Parameters
    ----------
    napari_viewer : napari viewer
        Given by napari.
    """

    SIZE = (340, 520)

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.book = LineBook()
        self.shown = LinesInViewer(self.viewer, self.book, lambda: self.tools.last)
        self.lines = self.shown.flat
        self.sampler = Sampler(self._later)
        self._layer: Any = None
        self.chosen: str | None = None
        self.curves: list[Curve] = []
        self._steps: dict[str, StepFigures | str] = {}
        self._live = False
        self._note = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.refresh)
        self._build()
        self._connect()
        self._source_changed()

    def _build(self) -> None:
        self.chooser = HeightChooser(self.viewer)
        self.width = WidthBox()
        top = QHBoxLayout()
        top.addWidget(self.chooser, 1)
        for part in (QLabel("width"), self.width):
            top.addWidget(part, 0, Qt.AlignmentFlag.AlignTop)
        self.compare = CompareButton(lambda: (self.source, self.viewer.dims, self.sources), self)
        self.tools = ToolRow(self.compare)
        self.modes = ModeRow()
        self.plot = ProfilePlot()
        self.kymograph_plot = KymographPlot()
        self.stack = QStackedWidget()
        self.stack.addWidget(self.plot)
        self.stack.addWidget(self.kymograph_plot)
        self.table = ProfileTable()
        self.files = ProfileFiles(self)
        column = QVBoxLayout(self)
        column.setSpacing(4)
        column.addLayout(top)
        for part in (self.tools, self.message, self.modes):
            column.addWidget(part)
        column.addWidget(self.stack, 1)
        column.addWidget(self.table)
        column.addWidget(self.files)

    def _connect(self) -> None:
        self.chooser.changed.connect(self._source_changed)
        self.width.valueChanged.connect(self._frames_changed)
        self.tools.tool_changed.connect(self._tool_changed)
        for name, slot in (("undo", self.undo), ("redo", self.redo), ("remove", self.remove)):
            self.tools.actions_[name].clicked.connect(slot)
        for keys, slot in (("Ctrl+Z", self.undo), ("Ctrl+Shift+Z", self.redo)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)
        self.compare.changed.connect(self._later)
        self.compare.told.connect(self._tell)
        self.modes.changed.connect(self._mode_changed)
        self.modes.kind_chosen.connect(self._step_kind_chosen)
        self.plot.cursors_moved.connect(self._cursors_moved)
        self.plot.stretches_moved.connect(self._stretches_moved)
        self.kymograph_plot.time_chosen.connect(self._time_chosen)
        self.kymograph_plot.told.connect(self.message.say)
        self.kymograph_plot.arrived.connect(self._later)
        self.table.chosen.connect(self.choose)
        self.table.renamed.connect(self.rename)
        self.table.coloured.connect(lambda name, colour: self.book.change(name, colour=colour))
        self.table.removed.connect(self.book.remove)
        connect_while_alive(self, self.book.moved, self._moved)
        connect_while_alive(self, self.book.changed, self._changed)
        dims = self.viewer.dims.events
        for signal in (dims.current_step, dims.ndisplay):
            connect_while_alive(self, signal, self._later)
        connect_while_alive(self, self.space.frames_changed, self._frames_changed)
        for part in (self.shown, self.sampler):
            self.destroyed.connect(part.close)

    # --- where the heights come from --------------------------------------------------------------------

    @property
    def source(self) -> HeightSource | None:
        """The map that is measured."""
        return self.chooser.source

    @property
    def sources(self) -> list[HeightSource]:
        """All maps that there are."""
        return [self.chooser.box.itemData(i) for i in range(self.chooser.box.count())]

    def _source_changed(self) -> None:
        """Another map, or another unit of the same one."""
        source = self.source
        self.shown.set_source(source)
        self.compare.forget(list(self.viewer.layers))
        if source is not None:
            self.plot.set_units(source.length_unit, rows.quantity(source))
        if source is None or source.layer is not self._layer:
            self.compare.pinned = []
        self._layer = source.layer if source is not None else None
        self.kymograph_plot.forget()
        self._set_columns()
        self._later()

    def _set_columns(self) -> None:
        if self.source is not None:
            self.table.set_columns(rows.columns(self.modes.mode, self.source))

    # --- drawing and changing ---------------------------------------------------------------------------

    def hint(self) -> str:
        """How a line is drawn in the present view."""
        return self.shown.hint()

    def _tool_changed(self, kind: str) -> None:
        if kind and self.source is None:
            self.tools.choose("")
            self.message.say(NO_HEIGHT, "ask")
            return
        self._tell(self.shown.take_tool(kind))

    def add_line(self, points: Any, kind: str = "line") -> str:
        """Add a line from code and choose it.

        Parameters
        ----------
        points : array, shape (P, 2)
            (y, x) in the world of the viewer.
        kind : str
            "line", "path" or "rectangle".

        Returns
        -------
        str
            Its name.
        """
        line = rows.new_line(self.book, points, kind)
        self.book.commit((*self.book.lines, line))
        return line.name

    def undo(self) -> None:
        """Take back the last change."""
        if not self.book.undo():
            self._tell("There is nothing to undo.")

    def redo(self) -> None:
        """Do again what was taken back."""
        if not self.book.redo():
            self._tell("There is nothing to redo.")

    def remove(self) -> None:
        """Remove the chosen line."""
        if self.chosen is not None:
            self.book.remove(self.chosen)

    def choose(self, name: str) -> None:
        """Make a line the one that is measured."""
        if name != self.chosen:
            self.chosen = name
            self.kymograph_plot.forget()
            self._later()

    def rename(self, old: str, new: str) -> None:
        """Give a line another name; what does not go is told."""
        was_chosen = self.chosen == old
        try:
            name = self.book.rename(old, new)
        except InputError as error:
            self.refresh()
            self.message.say(str(error), "error")
            return
        if was_chosen:
            self.chosen = name

    def take_session(self, session: ProfileSession) -> None:
        """Take the lines of a file (undo brings the old ones back).

        Raises
        ------
        InputError
            If its points are in another unit than the map that is measured.
        """
        unit = self.source.length_unit if self.source else session.length_unit
        if session.length_unit != unit:
            raise InputError(
                f"The lines of this file are in {session.length_unit}, but the map that is measured is in {unit}: "
                "choose a map with the same unit first."
            )
        self.width.setValue(session.width_px)
        self.chosen = None
        self.book.commit(session.as_lines())
        self._tell(rows.loaded_sentence(session, self.source))

    def _moved(self) -> None:
        """A line is being dragged; it becomes the chosen one."""
        self._live = True
        self.chosen = self.book.moved_last or self.chosen
        self._later()

    def _changed(self) -> None:
        self._live = False
        self.chosen = self.book.moved_last or self.chosen
        self._later()

    def _cursors_moved(self, first: float, second: float, done: bool) -> None:
        if self.chosen is not None:
            self.book.change(self.chosen, done, cursors=(first, second))

    def _stretches_moved(self, stretches: Any, done: bool) -> None:
        line = self.book.line(self.chosen)
        if line is not None:
            self.book.change(line.name, done, step=StepMarks(line.step.kind, stretches))

    def _step_kind_chosen(self, kind: str) -> None:
        if self.chosen is not None:
            self.book.change(self.chosen, step=StepMarks(kind))

    # --- showing ---------------------------------------------------------------------------------------

    def _later(self, *_: object) -> None:
        """Many events become one update."""
        self._timer.start()

    def _tell(self, text: str) -> None:
        """Say something that stays until the next change."""
        self._note = text
        self._later()

    def _frames_changed(self) -> None:
        self.sampler.forget()
        self.kymograph_plot.forget()
        self._later()

    @property
    def profiles(self) -> Sampled:
        """The lines on the map that is measured, with their profiles."""
        return [(curve.line, curve.profile) for curve in self.curves if not curve.overlay]

    def refresh(self) -> None:
        """Sample all lines on the frame under the time slider and show them."""
        self._timer.stop()
        live, self._live = self._live, False
        note, self._note = self._note, ""
        names = [line.name for line in self.book.lines]
        if self.chosen not in names:
            self.chosen = names[-1] if names else None
        trouble = self._sample(live)
        self._show(live)
        if trouble:
            self.message.say(trouble, "error")
        elif self.source is None:
            self.message.say(NO_HEIGHT)
        else:
            step = self._steps.get(self.chosen or "")
            refused = step if isinstance(step, str) and self.modes.mode == "step" else ""
            relative = RELATIVE if self.source.relative else ""
            self.message.say(note or refused or (relative if self.curves else self.hint()))

    def _sample(self, live: bool) -> str:
        """Sample the curves; what went wrong comes back in words."""
        self.curves = []
        source = self.source
        if source is None or not self.book.lines:
            return ""
        width = self.width.value()
        try:
            index = source.index(self.viewer.dims)
            self.curves = self.sampler.curves(source, index, self.book.lines, width, live)
            line = self.book.line(self.chosen)
            if line is not None:
                overlays = self.compare.overlays(source, self.viewer.dims, self.sources)
                self.curves += self.sampler.overlay_curves(line, overlays, width)
        except Sem4dError as error:
            return str(error)
        return ""

    def _show(self, live: bool) -> None:
        mode, chosen = self.modes.mode, self.book.line(self.chosen)
        profile = next((p for line, p in self.profiles if line.name == self.chosen), None)
        chosen = chosen if profile is not None else None
        length = profile.length_nm if profile is not None else 0.0
        self.plot.with_bands = self.compare.band.isChecked()
        # A fit is seen best where no other line is in the way.
        shown = [c for c in self.curves if c.line.name == self.chosen] if mode == "step" else self.curves
        self.plot.show_curves(shown, self.chosen)
        self.plot.show_cursors(chosen if mode == "cursors" else None, length)
        self._steps = rows.fit_steps(self.profiles, live) if mode == "step" else {}
        self.plot.show_step(chosen if mode == "step" else None, self.shown_step(), length)
        if chosen is not None:
            self.modes.kind.setCurrentIndex(self.modes.kind.findData(chosen.step.kind))
        if self.source is not None:
            self.table.show_rows(rows.table_rows(mode, self.source, self.profiles, self._steps), self.chosen)
            self.shown.show(self.profiles)
        self.tools.enable(self.book.can_undo, self.book.can_redo, chosen is not None)
        self._show_kymograph()

    def cursors_of_chosen(self) -> tuple[Line, CursorFigures] | None:
        """The chosen line and what its cursors read."""
        for line, profile in self.profiles:
            if line.name == self.chosen and self.source is not None and self.modes.mode == "cursors":
                return line, cursor_figures(line, profile, self.source.angles)
        return None

    def shown_step(self) -> StepFigures | None:
        """The step of the chosen line that is drawn, in step mode."""
        found = self._steps.get(self.chosen or "")
        return found if isinstance(found, StepFigures) else None

    # --- kymograph --------------------------------------------------------------------------------------

    @property
    def history(self) -> LineHistory | None:
        """The kymograph that is shown, if one is."""
        return self.kymograph_plot.history

    def _mode_changed(self, mode: str) -> None:
        self.stack.setCurrentWidget(self.kymograph_plot if mode == "kymograph" else self.plot)
        self.kymograph_plot.forget()
        self._set_columns()
        self._later()

    def _show_kymograph(self) -> None:
        line, source = self.book.line(self.chosen), self.source
        if self.modes.mode != "kymograph":
            return
        if line is None or source is None:
            self.kymograph_plot.show_history(None)
        else:
            self.kymograph_plot.ask(line, source, source.index(self.viewer.dims), self.width.value())

    def _time_chosen(self, frame: int) -> None:
        """The line of the kymograph was dragged: move the time slider."""
        source = self.source
        if source is not None and source.index(self.viewer.dims)[0] != frame:
            axis = self.viewer.dims.ndim - source.layer.ndim
            world = frame * source.layer.scale[0] + source.layer.translate[0]
            self.viewer.dims.set_point(axis, float(world))

    # --- window ----------------------------------------------------------------------------------------

    def showEvent(self, event: object) -> None:
        """Take the colours of the theme."""
        super().showEvent(event)
        for part in (self.plot, self.kymograph_plot, self.tools):
            part.follow_theme()

    def closeEvent(self, event: object) -> None:
        """Nothing is left to do later."""
        self._timer.stop()
        self.kymograph_plot.forget()
        super().closeEvent(event)
