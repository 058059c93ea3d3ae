"""Dock `Load series`: open images, see what is known of them, enter what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QBrush, QColor, QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sem4d.errors import Sem4dError
from napari_sem4d.widgets import series_model
from napari_sem4d.widgets.background import Sentence, run_in_thread
from napari_sem4d.widgets.dock import Dock
from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.messages import Message
from napari_sem4d.widgets.polar_sketch import PolarSketch
from napari_sem4d.widgets.remembered import remember_folder, remembered_folder
from napari_sem4d.widgets.series_layer import series_axes, series_layer_data
from napari_sem4d.widgets.thumbnails import FramesTable
from napari_sem4d.widgets.workspace import METADATA_KEY, sem4d_metadata

FILTER = "SEM images (*.tif *.tiff *.TIF *.TIFF);;Description (acquisition.yaml);;All files (*)"
MISSING_STYLE = "border: 2px solid #d9a13b;"
AS_IN_FILES = "as the files say"


class LoadSeries(Dock):
    """Open a series by dialog or by drag and drop, and complete its metadata.

    Parameters
    ----------
    napari_viewer : napari viewer
        Where the images are shown; given by napari.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self._worker: Any = None
        self._preset: str | None = None
        self.setAcceptDrops(True)
        self._build()
        connect_while_alive(self, self.space.series_changed, self.show_series)
        self.show_series(self.space.series)

    # --- building -------------------------------------------------------------------------------

    def _build(self) -> None:
        self.files_button = QPushButton("Open files…")
        self.files_button.clicked.connect(self.ask_files)
        self.folder_button = QPushButton("Open folder…")
        self.folder_button.clicked.connect(self.ask_folder)
        buttons = QHBoxLayout()
        buttons.addWidget(self.files_button)
        buttons.addWidget(self.folder_button)
        self.source = QLabel("or drop images or a folder here")
        self.source.setWordWrap(True)
        self.warnings = Message()

        self.pixel = self._number("pixel_nm", "nm")
        self.energy = self._number("beam.energy_kev", "keV")
        self.distance = self._number("detector.working_distance_mm", "mm")
        self.material = QComboBox()
        self.material.setEditable(True)
        self.material.addItems(["", *_materials()])
        self.material.lineEdit().setPlaceholderText("name or formula")
        self.material.lineEdit().editingFinished.connect(self._material_entered)
        self.material.activated.connect(self._material_entered)
        self.detector = QComboBox()
        self.detector.addItem(AS_IN_FILES, None)
        for name, title in _presets():
            self.detector.addItem(name, name)
            self.detector.setItemData(self.detector.count() - 1, title, Qt.ItemDataRole.ToolTipRole)
        self.detector.activated.connect(self._detector_chosen)
        for combo in (self.material, self.detector):
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(12)
        form = QFormLayout()
        form.addRow("Pixel size (nm)", self.pixel)
        form.addRow("Landing energy (keV)", self.energy)
        form.addRow("Material", self.material)
        form.addRow("Detector", self.detector)
        form.addRow("Working distance (mm)", self.distance)

        self.frames = FramesTable()
        self.metadata = QTableWidget(0, 4)
        self.metadata.setHorizontalHeaderLabels(["", "value", "unit", "origin"])
        self.metadata.verticalHeader().hide()
        self.metadata.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.metadata.setWordWrap(False)
        self.metadata.verticalHeader().setDefaultSectionSize(22)
        for i, width in enumerate((112, 84, 42)):
            self.metadata.setColumnWidth(i, width)
        self.metadata.horizontalHeader().setStretchLastSection(True)
        self.sketch = PolarSketch()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.frames, "Images")
        self.tabs.addTab(self.metadata, "Metadata")
        self.tabs.addTab(self.sketch, "Detector")
        self.show_button = QPushButton("Show images")
        self.show_button.clicked.connect(self.show_images)

        form.setVerticalSpacing(3)
        self.metadata.setMinimumHeight(80)
        column = QVBoxLayout(self)
        column.setSpacing(4)
        column.addLayout(buttons)
        for widget in (self.source, self.message):
            column.addWidget(widget)
        column.addLayout(form)
        column.addWidget(self.warnings)
        column.addWidget(self.tabs, 1)
        column.addWidget(self.show_button)

    def _number(self, path: str, unit: str) -> QLineEdit:
        edit = QLineEdit()
        edit.setPlaceholderText("unknown")
        edit.editingFinished.connect(lambda: self._number_entered(path, edit))
        return edit

    # --- opening ----------------------------------------------------------------------------------

    def ask_files(self) -> None:
        """Ask for images."""
        start = str(remembered_folder("series"))
        names, _ = QFileDialog.getOpenFileNames(self, "Open the images of a series", start, FILTER)
        if names:
            self.open_paths(tuple(Path(n) for n in names))

    def ask_folder(self) -> None:
        """Ask for a folder of images."""
        start = str(remembered_folder("series"))
        name = QFileDialog.getExistingDirectory(self, "Open a folder of images", start)
        if name:
            self.open_paths((Path(name),))

    def open_paths(self, paths: tuple[Path, ...]) -> None:
        """Open files or a folder as one series, in a thread."""
        from napari_sem4d import api

        remember_folder("series", paths[0] if paths[0].is_dir() else paths[0].parent)
        if len(paths) == 1 and paths[0].name == "acquisition.yaml":
            paths = (paths[0].parent,)
        inputs: Any = paths[0] if len(paths) == 1 else list(paths)
        self.message.say("Reading the headers …")
        self._enable(False)
        self._worker = run_in_thread(lambda: api.open_series(inputs), lambda answer: self._opened(answer, paths))

    def _opened(self, answer: Any, paths: tuple[Path, ...]) -> None:
        self._worker = None
        self._enable(True)
        if isinstance(answer, Sentence):
            self.message.say(str(answer), "error")
            return
        self._preset = None
        self.space.set_series(answer, paths)

    def _enable(self, enabled: bool) -> None:
        for button in (self.files_button, self.folder_button):
            button.setEnabled(enabled)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        paths = tuple(Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile())
        if paths:
            event.acceptProposedAction()
            self.open_paths(paths)

    # --- showing ----------------------------------------------------------------------------------

    def show_series(self, series: Any) -> None:
        """Show what is known of a series; None clears the dock."""
        self.frames.frames.set_series(series)
        known = series is not None
        self.show_button.setEnabled(known)
        for widget in (self.pixel, self.energy, self.distance, self.material, self.detector):
            widget.setEnabled(known)
        if not known:
            self.metadata.setRowCount(0)
            self.sketch.set_detector(None)
            return
        if self.space.inputs:
            first, *more = self.space.inputs
            self.source.setText(f"{first.name} and {len(more)} more" if more else first.name)
            self.source.setToolTip("\n".join(str(p) for p in self.space.inputs))
        self._show_metadata(series)
        self._show_asked(series)
        self.sketch.set_detector(series.instrument.detector if series.instrument.detector.segments else None)
        self.warnings.say("\n".join([*series.warnings, *series.faults.values()]), "warning")
        asked = series_model.missing_sentence(series)
        self.message.say(asked or "Everything is known that a reconstruction needs.", "ask" if asked else "info")

    def _show_metadata(self, series: Any) -> None:
        rows = series_model.metadata_rows(series)
        self.metadata.setRowCount(len(rows))
        for i, row in enumerate(rows):
            for j, text in enumerate((row.label, row.value, row.unit, row.origin)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if row.missing:
                    item.setBackground(QBrush(QColor("#6b5a1e")))
                self.metadata.setItem(i, j, item)

    def _show_asked(self, series: Any) -> None:
        missing = series.missing()
        beam, detector = series.instrument.beam, series.instrument.detector
        for edit, path, value in (
            (self.pixel, "pixel_nm", series.pixel_nm),
            (self.energy, "beam.energy_kev", beam.energy_kev),
            (self.distance, "detector.working_distance_mm", detector.working_distance_mm),
        ):
            edit.setText("" if value is None else f"{value:.6g}")
            self._mark(edit, path, path in missing, series)
        self.material.setCurrentText(series.material or "")
        self._mark(self.material, "material", "material" in missing, series)
        index = self.detector.findData(self._preset) if self._preset else 0
        self.detector.setCurrentIndex(max(index, 0))
        self.detector.setItemText(0, detector.name or AS_IN_FILES if detector.segments else "please choose")
        self._mark(self.detector, "detector.segments", "detector.segments" in missing, series)

    @staticmethod
    def _mark(widget: QWidget, path: str, missing: bool, series: Any) -> None:
        widget.setStyleSheet(MISSING_STYLE if missing else "")
        widget.setProperty("missing", missing)
        origin = series.origins.get(path)
        widget.setToolTip("Unknown: please enter it." if missing else f"From: {origin}" if origin else "")

    # --- what the user enters -----------------------------------------------------------------------

    def _number_entered(self, path: str, edit: QLineEdit) -> None:
        text, series = edit.text(), self.space.series
        if series is None or text == self._shown_number(path, series):
            return
        self._change(lambda: series_model.with_number(series, path, text))
        if path == "detector.working_distance_mm" and self._preset and self.message.kind != "error":
            self._detector_chosen()

    @staticmethod
    def _shown_number(path: str, series: Any) -> str:
        values = {
            "pixel_nm": series.pixel_nm,
            "beam.energy_kev": series.instrument.beam.energy_kev,
            "detector.working_distance_mm": series.instrument.detector.working_distance_mm,
        }
        value = values[path]
        return "" if value is None else f"{value:.6g}"

    def _material_entered(self, *_: object) -> None:
        name, series = self.material.currentText(), self.space.series
        if series is not None and name != (series.material or ""):
            self._change(lambda: series_model.with_material(series, name))

    def _detector_chosen(self, *_: object) -> None:
        name, series = self.detector.currentData(), self.space.series
        if series is None or name is None:
            return
        from napari_sem4d.acquisition.presets import load_preset

        distance = series.instrument.detector.working_distance_mm

        def change() -> Any:
            preset = load_preset(name, working_distance_mm=distance)
            changed = series_model.with_detector(series, preset, f"preset '{name}'")
            self._preset = name
            return changed

        self._change(change)

    def _change(self, change: Callable[[], Any]) -> None:
        """Take in what the user entered, or say what is wrong with it."""
        try:
            series = change()
        except Sem4dError as error:
            self.message.say(str(error), "error")
            return
        self.space.set_series(series)
        self._rescale_layer(series)

    # --- images in the viewer -------------------------------------------------------------------------

    def _layer(self) -> Any:
        path = str(self.space.inputs[0]) if self.space.inputs else ""
        for layer in self.viewer.layers:
            entry = sem4d_metadata(layer)
            if entry.get("role") == "series" and entry.get("path") == path:
                return layer
        return None

    def _rescale_layer(self, series: Any) -> None:
        layer = self._layer()
        if layer is None:
            return
        axes = series_axes(series).layer_kwargs(5, z_scale=series.pixel_nm or 1.0)
        layer.units = axes["units"]
        layer.scale = axes["scale"]
        layer.metadata[METADATA_KEY]["pixel_nm"] = series.pixel_nm

    def show_images(self) -> None:
        """Add the series as an image with sliders for time and segment (once)."""
        if self.space.series is None:
            return
        layer = self._layer()
        if layer is None:
            data, kwargs, _ = series_layer_data(self.space.series, self.space.inputs)
            layer = self.viewer.add_image(data, **kwargs)
            self.viewer.dims.set_current_step(0, 0)
            self.viewer.canvas.overlays.scale_bar.visible = True
        for result in self.space.results:
            result.set_shown(False)
        layer.visible = True
        self.viewer.layers.selection.active = layer

    def hideEvent(self, event: object) -> None:
        """Stop reading thumbnails that nobody sees."""
        self.frames.frames.stop()
        super().hideEvent(event)


def _materials() -> tuple[str, ...]:
    from napari_sem4d.physics.materials import material_names

    return material_names()


def _presets() -> tuple[tuple[str, str], ...]:
    """Names and titles of the detector presets."""
    from napari_sem4d.acquisition.presets import preset, preset_names

    return tuple((name, f"{preset(name).title}. {preset(name).note}") for name in preset_names())
