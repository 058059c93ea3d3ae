"""Dock `Export`: heights as maps, meshes and pictures, one frame or all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_sem4d.errors import InputError
from napari_sem4d.metrology.surface import Treatment
from napari_sem4d.widgets import export_model as model
from napari_sem4d.widgets.background import Sentence
from napari_sem4d.widgets.dock import Dock
from napari_sem4d.widgets.height_chooser import HeightChooser
from napari_sem4d.widgets.height_source import HeightSource, require_lengths
from napari_sem4d.widgets.latest_job import LatestJob
from napari_sem4d.widgets.remembered import remember_folder, remembered_folder
from napari_sem4d.widgets.roughness_controls import LEVELLING_TIP, LEVELLINGS

NO_HEIGHT = "There is no height to export yet: reconstruct a series, or drop a height map on the window."
FOLDER = "export"
ONE, ALL = "the one that is shown", "all, a file for each"


class ExportDock(Dock):
    """Writes what a height layer holds.

    Parameters
    ----------
    napari_viewer : napari viewer
        Given by napari.
    """

    SIZE = (340, 300)

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.job = LatestJob(self)
        self.written: list[Path] = []
        self._wanted = 0
        self.chooser = HeightChooser(self.viewer)
        self.format = self._box("What other programs read; pictures have a scale bar and a colour bar")
        for extension, name in model.FORMATS.items():
            self.format.addItem(f"{name} ({extension})", extension)
        self.frames = self._box("Which frames are written; several get their number before the extension")
        self.frames.addItems((ONE, ALL))
        self.levelling = self._box(LEVELLING_TIP.replace("measuring", "writing"))
        self.levelling.addItems(LEVELLINGS)
        self.colours = self._box("Colours of the mesh")
        self.colours.addItems(model.COLOURS)
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.save_button = QPushButton("Save…")
        self._lay_out()
        self.format.currentIndexChanged.connect(self._show)
        self.chooser.changed.connect(self._show)
        self.save_button.clicked.connect(self.ask)
        self.job.answered.connect(self._take)
        self.job.ended.connect(self._ended)
        self.destroyed.connect(self.job.cancel)
        self._show()

    def _box(self, tip: str) -> QComboBox:
        box = QComboBox()
        box.setToolTip(tip)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(8)
        return box

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("format", self.format)
        self.frames_label, self.colours_label = QLabel("frames"), QLabel("colours")
        form.addRow(self.frames_label, self.frames)
        form.addRow("levelling", self.levelling)
        form.addRow(self.colours_label, self.colours)
        column = QVBoxLayout(self)
        column.setSpacing(6)
        column.addWidget(self.chooser)
        column.addWidget(self.about)
        column.addLayout(form)
        column.addWidget(self.message)
        column.addWidget(self.save_button)
        column.addStretch(1)

    @property
    def extension(self) -> str:
        """Extension of the chosen format."""
        return str(self.format.currentData())

    def _show(self, *_: object) -> None:
        source = self.chooser.source
        meshes = self.extension in model.COLOURED
        for part in (self.colours, self.colours_label):
            part.setVisible(meshes)
        for part in (self.frames, self.frames_label):
            part.setVisible(source is not None and source.frames > 1)
        self.about.setText("" if source is None else _about(source))
        if not self.job.running:
            self.message.say(NO_HEIGHT if source is None else "")

    def ask(self) -> None:
        """Ask for a file and write it; while files are written, the same button cancels."""
        if self.job.running:
            self.job.cancel()
            return
        source = self.chooser.source
        try:
            if source is None:
                raise InputError(NO_HEIGHT)
            require_lengths(source)
        except InputError as error:
            self.message.say(str(error), "ask")
            return
        name = "".join(c if c.isalnum() or c in "-_ " else "_" for c in source.name.split(", ", 1)[-1])
        start = str(remembered_folder(FOLDER) / f"{name}{self.extension}")
        kind = f"{self.format.currentText().split(' (')[0]} (*{self.extension})"
        chosen, _ = QFileDialog.getSaveFileName(self, "Export heights", start, kind)
        if chosen:
            path = Path(chosen)
            known = path.suffix.lower() in model.FORMATS or path.suffix.lower() == ".tiff"
            self.save(path if known else path.with_name(path.name + self.extension))

    def save(self, path: Path) -> None:
        """Write in a thread; the file dialog has asked whether a single file may be overwritten."""
        source = self.chooser.source
        if source is None:
            self.message.say(NO_HEIGHT, "ask")
            return
        what = model.Export(
            source,
            Treatment(self.levelling.currentText()),
            self.colours.currentText(),
            model.series_of(self.space, source),
        )
        several = source.frames > 1 and self.frames.currentText() == ALL
        wanted = range(source.frames) if several else [None]
        dims = self.viewer.dims
        frames = [source.index(dims) if t is None else source.index_at(t, dims) for t in wanted]
        self.written, self._wanted = [], len(frames)
        self.save_button.setText("Cancel")
        self.message.say("Writing…")
        self.job.start(lambda cancel: model.write_frames(path, what, frames, not several, cancel))

    def _take(self, answer: Any) -> None:
        if isinstance(answer, Sentence):
            self.message.say(str(answer), "error")
            return
        self.written.append(answer)
        remember_folder(FOLDER, answer.parent)
        if self._wanted == 1:
            self.message.say(f"Saved to {answer}.")
        else:
            self.message.say(f"Saved {len(self.written)} of {self._wanted} files in {answer.parent}.")

    def _ended(self) -> None:
        self.save_button.setText("Save…")
        if self.message.text() == "Writing…":
            self.message.say("Cancelled; nothing was written." if not self.written else "")

    def closeEvent(self, event: object) -> None:
        """Nothing is left to do later."""
        self.job.cancel()
        super().closeEvent(event)


def _about(source: HeightSource) -> str:
    rows, columns = source.layer.data.shape[-2:]
    py, px = source.pixel
    edge = f"{px:.4g}" if abs(px - py) < 1e-9 * px else f"{px:.4g} × {py:.4g}"
    frames = f"{source.frames} frames of " if source.frames > 1 else ""
    relative = ", relative height: the files say so" if source.relative else ""
    return f"{frames}{columns} × {rows} pixels of {edge} {source.length_unit}{relative}"
