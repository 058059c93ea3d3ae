"""Dock `Roughness`: figures of ISO 25178-2 of a map or a region, at one or all times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_sem4d.errors import InputError
from napari_sem4d.metrology.evaluate import Figure
from napari_sem4d.widgets import roughness_model as model
from napari_sem4d.widgets.background import Sentence
from napari_sem4d.widgets.dock import Dock
from napari_sem4d.widgets.height_chooser import HeightChooser
from napari_sem4d.widgets.height_source import require_lengths
from napari_sem4d.widgets.latest_job import LatestJob
from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.measured_region import RegionLayer, label_regions
from napari_sem4d.widgets.remembered import remember_folder, remembered_folder
from napari_sem4d.widgets.roughness_controls import RegionRow, TreatmentRow
from napari_sem4d.widgets.roughness_plots import RoughnessPlots
from napari_sem4d.widgets.roughness_table import RoughnessTable, explanation
from napari_sem4d.widgets.workspace import sem4d_metadata

NO_HEIGHT = "There is no height to measure yet: reconstruct a series, or drop a height map on the window."
RELATIVE = "Relative height: no reference has fixed the scale, so figures in nm are not given."
FOLDER = "roughness"
WAIT_MS = 30
"""Pause of the mouse after which a change is measured."""
FIRST, DETAIL_LINES = "Sq", 4


class Roughness(Dock):
    """Roughness figures with curves, spectrum and their course in time.

    Parameters
    ----------
    napari_viewer : napari viewer
        Given by napari.
    """

    SIZE = (360, 640)

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.regions = RegionLayer(self.viewer)
        self.job, self.frames_job = LatestJob(self), LatestJob(self)
        self.answer: model.Figures | None = None
        self.course: dict[int, model.FrameMeasured] = {}
        self._course_request: model.Request | None = None
        self._known: list[str] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self.refresh)
        self._build()
        self._connect()
        self._source_changed()

    def _build(self) -> None:
        self.chooser = HeightChooser(self.viewer)
        self.region_row = RegionRow()
        self.treatment_row = TreatmentRow()
        self.unscaled = QCheckBox("in relative units")
        self.unscaled.setToolTip("Give the figures all the same, in relative units and without uncertainty")
        self.table = RoughnessTable()
        # It scrolls: a label with wrapped lines would grow over the table where the window is low.
        self.detail = QPlainTextEdit()
        self.detail.setReadOnly(True)
        self.detail.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        self.detail.setStyleSheet("background: transparent;")
        self.detail.setFixedHeight(DETAIL_LINES * self.fontMetrics().lineSpacing() + 8)
        self.under = QLabel()
        self.under.setWordWrap(True)
        self.under.setMinimumHeight(3 * self.fontMetrics().lineSpacing())  # else it grows over the table
        self.plots = RoughnessPlots()
        self.all_button = QPushButton("All times")
        self.all_button.setToolTip("Measure every frame in this region; the tab 'Time' shows the chosen figure")
        self.csv_button = QPushButton("CSV…")
        self.csv_button.setToolTip("Save the table with units, intervals, definitions; of all times once measured")
        self.curves_button = QPushButton("Curve…")
        self.curves_button.setToolTip("Save the numbers of the plot that is shown as CSV")
        self.copy_button = QPushButton("Copy")
        self.copy_button.setToolTip("Copy the same to the clipboard, for a spreadsheet")
        upper = QWidget()
        above = QVBoxLayout(upper)
        above.setContentsMargins(0, 0, 0, 0)
        above.setSpacing(4)
        for part in (self.under, self.table, self.detail):
            above.addWidget(part, 1 if part is self.table else 0)
        halves = QSplitter(Qt.Orientation.Vertical)
        halves.addWidget(upper)
        halves.addWidget(self.plots)
        halves.setStretchFactor(0, 3)
        halves.setStretchFactor(1, 2)
        halves.setSizes([420, 230])
        halves.setChildrenCollapsible(False)
        buttons = QHBoxLayout()
        for button in (self.all_button, self.csv_button, self.curves_button, self.copy_button):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setSpacing(4)
        for part in (self.chooser, self.region_row, self.treatment_row, self.unscaled, self.message):
            column.addWidget(part)
        column.addWidget(halves, 1)
        column.addLayout(buttons)

    def _connect(self) -> None:
        self.chooser.changed.connect(self._source_changed)
        self.region_row.changed.connect(self.later)
        self.region_row.tool_changed.connect(self._tool_changed)
        self.treatment_row.changed.connect(self.later)
        self.unscaled.toggled.connect(self.later)
        self.table.chosen.connect(self._figure_chosen)
        self.all_button.clicked.connect(self._all_clicked)
        self.csv_button.clicked.connect(self.ask_csv)
        self.curves_button.clicked.connect(self.ask_curves)
        self.copy_button.clicked.connect(self.copy)
        self.job.answered.connect(self._take)
        self.frames_job.answered.connect(self._take_frame)
        self.frames_job.ended.connect(self._frames_ended)
        connect_while_alive(self, self.regions.changed, self._regions_changed)
        for signal in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            connect_while_alive(self, signal, self._layers_changed)
        connect_while_alive(self, self.viewer.dims.events.current_step, self._frame_changed)
        connect_while_alive(self, self.space.frames_changed, self.later)
        for slot in (self.regions.let_go, self.job.cancel, self.frames_job.cancel):
            self.destroyed.connect(slot)

    # --- what is measured -------------------------------------------------------------------------------

    def _source_changed(self) -> None:
        source = self.chooser.source
        self.unscaled.setVisible(source is not None and source.relative)
        self.all_button.setEnabled(source is not None and source.frames > 1)
        self._regions_changed()

    def _layers_changed(self, event: Any = None) -> None:
        self.regions.watch()
        for layer in self.viewer.layers:
            if hasattr(layer, "selected_label") and layer is getattr(event, "value", None):
                for signal in (layer.events.selected_label, layer.events.paint, layer.events.set_data):
                    connect_while_alive(self, signal, self._regions_changed)
        self._regions_changed()

    def _regions_changed(self, event: Any = None) -> None:
        """Offer what is drawn; a region that is new becomes the one that is measured."""
        source = self.chooser.source
        found = [] if source is None else self.regions.regions(source)
        drawn = [region.name for region in found]
        new = [name for name in drawn if name not in self._known]
        self._known = drawn
        if source is not None:
            found += label_regions(self.viewer.layers, source)
        self.region_row.offer(found, new[-1] if new else "")
        self.later()

    def _tool_changed(self, kind: str) -> None:
        if not kind:
            self.regions.select()
        elif self.chooser.source is None:
            self.region_row.choose_tool("")
            self.message.say(NO_HEIGHT, "ask")
        else:
            self.regions.draw(kind, self.chooser.source)

    def request(self) -> model.Request:
        """What is to be measured now.

        Raises
        ------
        InputError
            If there is no map, its units are not known, or the filters contradict each other.
        """
        source = self.chooser.source
        if source is None:
            raise InputError(NO_HEIGHT)
        require_lengths(source)
        region = self.region_row.region
        return model.Request(
            source,
            source.index(self.viewer.dims),
            self.treatment_row.treatment(),
            region.mask,
            region.name,
            source.relative and self.unscaled.isChecked(),
        )

    # --- measuring --------------------------------------------------------------------------------------

    def later(self, *_: object) -> None:
        """Measure once the changes have come to rest; what is computed now is stale."""
        self._forget_course()
        self.job.cancel()
        self._timer.start()

    def _frame_changed(self, event: Any = None) -> None:
        self.job.cancel()
        self._timer.start()
        self._show_course()

    def refresh(self) -> None:
        """Measure what is chosen, in a thread."""
        self._timer.stop()
        try:
            request = self.request()
        except InputError as error:
            self.job.cancel()
            self._empty()
            self.message.say(str(error), "ask")
            return
        self.job.start(lambda cancel: model.measure(request, cancel))

    def _take(self, answer: Any) -> None:
        if isinstance(answer, model.Figures):
            self.answer = answer
            self.table.show_figures(answer.figures)
            if not self.table.name:
                self.table.choose(FIRST)
            self.under.setText(model.conditions(answer))
            relative = answer.request.source.relative and not answer.request.unscaled
            self.message.say(RELATIVE if relative else "", "warning" if relative else "info")
            self._explain()
        elif isinstance(answer, model.Curves):
            self.plots.show_curves(answer, self._unit())
        elif isinstance(answer, model.Spectra):
            self.plots.show_spectra(answer, self._relative())
        elif isinstance(answer, Sentence):
            self._empty()
            self.message.say(str(answer), "error")

    def _empty(self) -> None:
        self.answer = None
        self.table.show_figures(())
        self.under.setText("")
        self.detail.setPlainText("")
        self.plots.show_curves(None, "nm")
        self.plots.show_spectra(None, False)

    def _relative(self) -> bool:
        return self.chooser.source is not None and self.chooser.source.relative

    def _unit(self) -> str:
        return "nm, relative" if self._relative() else "nm"

    def _figure_chosen(self, name: str) -> None:
        self._explain()
        self._show_course()

    def _explain(self) -> None:
        figure = self.table.figures.get(self.table.name)
        self.detail.setPlainText("" if figure is None else f"{figure.name}: {explanation(figure)}")

    # --- all times --------------------------------------------------------------------------------------

    def _all_clicked(self) -> None:
        if self.frames_job.running:
            self.frames_job.cancel()
            return
        try:
            request = self.request()
        except InputError as error:
            self.message.say(str(error), "ask")
            return
        source = request.source
        indices = [source.index_at(t, self.viewer.dims) for t in range(source.frames)]
        self.course, self._course_request = {}, request
        self.plots.setCurrentWidget(self.plots.time)
        self.frames_job.start(lambda cancel: model.measure_frames(request, indices, cancel))
        self.all_button.setText("Cancel")

    def _take_frame(self, answer: Any) -> None:
        if isinstance(answer, Sentence):
            self.message.say(str(answer), "error")
            return
        self.course[answer.frame] = answer
        if answer.told:
            self.message.say(f"Frame {answer.frame + 1}: {answer.told}", "warning")
        request = self._course_request
        if request is not None:
            self.all_button.setText(f"Cancel ({len(self.course)} of {request.source.frames})")
        self._show_course()

    def _frames_ended(self) -> None:
        self.all_button.setText("All times")
        self._show_course()

    def _forget_course(self) -> None:
        """The conditions have changed: figures of other times would not belong to the table."""
        if self.course or self.frames_job.running:
            self.frames_job.cancel()
            self.course, self._course_request = {}, None
            self._show_course()

    def _show_course(self) -> None:
        request, name = self._course_request, self.table.name
        if request is None:
            self.plots.show_course((), (), (), (), ("frame", name), None)
            return
        entry = sem4d_metadata(request.source.layer)
        seconds = entry.get("time_unit") == "s" and entry.get("times")
        times = entry["times"] if seconds else list(range(1, request.source.frames + 1))
        rows: list[tuple[float, float, float, float]] = []
        unit = ""
        for frame in sorted(self.course):
            figure = next((f for f in self.course[frame].figures if f.name == name), None)
            if figure is not None:
                unit = figure.unit
                rows.append((times[frame], *_numbers(figure)))
        columns = np.array(rows, dtype=float).reshape(-1, 4).T
        here = request.source.index(self.viewer.dims)
        labels = ("time (s)" if seconds else "frame", f"{name} ({unit})" if unit else name)
        self.plots.show_course(*columns, labels, times[here[0]] if here else None)

    # --- giving away ------------------------------------------------------------------------------------

    def text(self, separator: str = ",") -> str:
        """The table as text: of all times where these have been measured, otherwise of the frame shown."""
        if self.course and self._course_request is not None:
            request, source = self._course_request, self._course_request.source
            at = {frame: source.index_at(frame, self.viewer.dims) for frame in sorted(self.course)}
            parts = [(replace(request, index=at[frame]), self.course[frame].figures) for frame in at]
        else:
            parts = [] if self.answer is None else [(self.answer.request, self.answer.figures)]
        return model.figures_text(parts, separator)

    def ask_csv(self) -> None:
        """Ask for a file and write the table to it."""
        if self.answer is None:
            self.message.say("There is no table to save yet.", "ask")
            return
        self._ask("roughness.csv", self.text())

    def ask_curves(self) -> None:
        """Ask for a file and write the plot that is shown to it."""
        text = self.plots.text()
        if not text:
            self.message.say(f"The plot '{self.plots.title}' shows nothing to save yet.", "ask")
            return
        self._ask(f"{self.plots.title.lower()}.csv", text)

    def _ask(self, name: str, text: str) -> None:
        start = str(remembered_folder(FOLDER) / name)
        chosen, _ = QFileDialog.getSaveFileName(self, "Save as CSV", start, "CSV (*.csv)")
        if not chosen:
            return
        path = Path(chosen) if Path(chosen).suffix else Path(chosen).with_suffix(".csv")
        try:
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            self.message.say(f"{path} could not be written ({error.strerror}). Choose another folder.", "error")
            return
        remember_folder(FOLDER, path.parent)
        self.message.say(f"Saved to {path}.")

    def copy(self) -> None:
        """Put the table on the clipboard."""
        if self.answer is None:
            self.message.say("There is no table to copy yet.", "ask")
            return
        QGuiApplication.clipboard().setText(self.text("\t"))
        self.message.say("Copied the table" + (f" of {len(self.course)} times." if self.course else "."))

    # --- window -----------------------------------------------------------------------------------------

    def showEvent(self, event: object) -> None:
        """Take the colours of the theme."""
        super().showEvent(event)
        self.plots.follow_theme()

    def closeEvent(self, event: object) -> None:
        """Nothing is left to do later."""
        self._timer.stop()
        self.job.cancel()
        self.frames_job.cancel()
        super().closeEvent(event)


def _numbers(figure: Figure) -> tuple[float, float, float]:
    nan = float("nan")
    return (
        nan if figure.refusal else figure.value,
        nan if figure.low is None else figure.low,
        nan if figure.high is None else figure.high,
    )
