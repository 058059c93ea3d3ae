"""Dock `Reconstruct`: calibrate, choose the engine, start, progress, cancel; what came out, and its check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QFrame,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sem4d.errors import Sem4dError
from napari_sem4d.records import Failed, Finished, Progress, Record
from napari_sem4d.widgets import run_model
from napari_sem4d.widgets.background import run_in_thread
from napari_sem4d.widgets.calibrate_box import CalibrateBox
from napari_sem4d.widgets.dock import Dock
from napari_sem4d.widgets.engine_chooser import EngineChooser
from napari_sem4d.widgets.forms import settings_form
from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.remembered import remember_folder, remembered_folder
from napari_sem4d.widgets.result_box import ResultBox
from napari_sem4d.widgets.run_model import EFFORTS
from napari_sem4d.widgets.runner import Runner
from napari_sem4d.widgets.series_model import missing_sentence
from napari_sem4d.widgets.verifier import Verifier
from napari_sem4d.widgets.view_controls import ViewControls

NO_SERIES = "Open a series first, in the Load series dock or by dropping its folder onto the viewer."


class Reconstruct(Dock):
    """Turn the series that is loaded into height maps.

    Parameters
    ----------
    napari_viewer : napari viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.runner = Runner(self.viewer, self)
        self.verifier = Verifier(self)
        self._build()
        self.runner.told.connect(self._warn)
        self.runner.ended.connect(self._ended)
        self.verifier.told.connect(self._say)
        self.verifier.judged.connect(self._judged)
        self.verifier.ended.connect(self._verified)
        connect_while_alive(self, self.space.series_changed, self.show_series)
        connect_while_alive(self, self.space.results_changed, self._show_warnings)
        connect_while_alive(self, self.viewer.dims.events.current_step, self._show_warnings)
        for job in (self.runner, self.verifier):
            job.progress.connect(self._show_progress)
            self.destroyed.connect(job.cancel)
        self.show_series(self.space.series)
        self._show_device()

    # --- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.calibration = CalibrateBox(self.viewer, self.space, self.settings)
        self.calibration.told.connect(self._say)
        self.engine = EngineChooser(self.space)
        self.settings_box = self._settings_box()
        output = self._output_box()
        self.device = QLabel("Device: …")
        self.start_button = QPushButton("Reconstruct")
        self.start_button.clicked.connect(self.start)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Ends the run; frames that are finished are kept")
        self.cancel_button.clicked.connect(self.cancel)
        self.cancel_button.setEnabled(False)
        run = QHBoxLayout()
        run.addWidget(self.start_button, 2)
        run.addWidget(self.cancel_button, 1)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setValue(0)
        self.bar.setTextVisible(False)
        self.progress_label = QLabel("")
        self.progress_label.setWordWrap(True)
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumHeight(64)
        self.log.setToolTip("Warnings of the result that is shown; they are kept with it")
        self.log.hide()
        self.result_box = ResultBox(self.viewer, self.space)
        self.result_box.wanted.connect(self.verify)
        self.view = ViewControls(self.viewer)

        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(4, 4, 4, 4)
        column.setSpacing(2)
        for widget in (self.calibration, self.engine, self.settings_box, output, self.result_box, self.view):
            widget.setMinimumWidth(10)
            column.addWidget(widget)
        column.addStretch(1)
        self.scroll = scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        scroll.setMinimumHeight(110)
        outer = QVBoxLayout(self)
        outer.addWidget(self.message)
        outer.addWidget(scroll, 1)
        outer.addWidget(self.device)
        outer.addLayout(run)
        outer.addWidget(self.bar)
        outer.addWidget(self.progress_label)
        outer.addWidget(self.log)

    def _settings_box(self) -> QGroupBox:
        from napari_sem4d.acquisition.description import AcquisitionSettings
        from napari_sem4d.settings import Settings

        self.engine.set_value(Settings().engine)
        self.form = settings_form(Settings, skip={*AcquisitionSettings.model_fields, "engine"})
        self.form.fields["device"].changed.connect(lambda *_: self._show_device())
        box = QGroupBox("Settings")
        column = QVBoxLayout(box)
        self.settings_button = QPushButton("Show all")
        self.settings_button.setCheckable(True)
        self.settings_button.setToolTip("Show or hide all settings; the defaults suit most series")
        self.settings_button.toggled.connect(self._toggle_settings)
        load, save = QPushButton("Load…"), QPushButton("Save…")
        load.clicked.connect(self.ask_settings)
        save.clicked.connect(self.ask_save_settings)
        row = QHBoxLayout()
        row.addWidget(self.settings_button)
        row.addStretch(1)
        row.addWidget(load)
        row.addWidget(save)
        column.addLayout(row)
        column.addWidget(self.form.container.native)
        self.form.container.native.hide()
        return box

    def _output_box(self) -> QGroupBox:
        box = QGroupBox("New result")
        self.output = QLineEdit()
        self.output.setPlaceholderText("a new folder beside the data")
        self.output.setToolTip("Folder (.zarr) of the result; an existing one is never overwritten")
        choose = QToolButton()
        choose.setText("…")
        choose.clicked.connect(self.ask_output)
        self.resume_button = QPushButton("Resume…")
        self.resume_button.setToolTip("Go on with a result whose run was interrupted")
        self.resume_button.clicked.connect(self.ask_resume)
        row = QHBoxLayout(box)
        row.addWidget(self.output, 1)
        row.addWidget(choose)
        row.addWidget(self.resume_button)
        return box

    def _toggle_settings(self, on: bool) -> None:
        self.settings_button.setText("Hide" if on else "Show all")
        self.form.container.native.setVisible(on)

    # --- what is shown ------------------------------------------------------------------------------

    def show_series(self, series: Any) -> None:
        """Say what is missing, and name the next result."""
        if series is None:
            self._say(NO_SERIES, "ask")
            return
        self._say(missing_sentence(series), "ask")
        self._name_output()

    def _name_output(self) -> None:
        if not self.runner.running:
            target = run_model.new_output(self.space.inputs)
            self.output.setText(str(target))
            self.output.setCursorPosition(len(str(target)))

    def _show_device(self) -> None:
        choice = self.form.fields["device"].value
        self._device_worker = run_in_thread(
            lambda: run_model.device_text(choice), lambda text: self.device.setText(f"Device: {text}")
        )

    def _say(self, text: str, kind: str = "info") -> None:
        self.message.say(text, kind)

    def _warn(self, text: str, kind: str = "warning") -> None:
        """Take in a warning of the run, with the result that it is about."""
        view = self.runner.view
        if view is not None and text not in view.data.warnings:
            view.data.warnings.append(text)
        self._show_warnings()

    def _show_warnings(self, *_: object) -> None:
        """Show the warnings of the result that is looked at, and what its verdict has to be read with."""
        result = self.result_box.result
        lines: list[str] = []
        if result is not None:
            kept = result.data.verdicts.get(result.frame)
            lines = [*result.data.warnings, *(kept.verification.notes if kept is not None else ())]
        text = "\n".join(dict.fromkeys(lines))
        if text != self.log.toPlainText():
            self.log.setPlainText(text)
        self.log.setVisible(bool(text))

    # --- settings -----------------------------------------------------------------------------------

    def settings(self) -> Any:
        """Settings as they stand in the form.

        Raises
        ------
        SettingsError
            With a sentence that names the field.
        """
        return self.form.value(engine=self.engine.value)

    def ask_settings(self) -> None:
        """Ask for a settings file and show it in the form."""
        from napari_sem4d.settings import load_settings

        start = str(remembered_folder("settings"))
        name, _ = QFileDialog.getOpenFileName(self, "Load settings", start, "Settings (*.yaml *.yml)")
        if not name:
            return
        try:
            settings = load_settings(Path(name))
            self.form.set_value(settings)
            self.engine.set_value(settings.engine)
        except Sem4dError as error:
            self._say(str(error), "error")
            return
        remember_folder("settings", Path(name).parent)

    def ask_save_settings(self) -> None:
        """Ask for a file and save the settings."""
        from napari_sem4d.settings import dump_settings

        start = str(remembered_folder("settings") / "settings.yaml")
        name, _ = QFileDialog.getSaveFileName(self, "Save settings", start, "Settings (*.yaml)")
        if not name:
            return
        try:
            dump_settings(self.settings(), Path(name))
        except (Sem4dError, OSError) as error:
            self._say(str(error), "error")
            return
        remember_folder("settings", Path(name).parent)

    # --- running --------------------------------------------------------------------------------------

    def ask_output(self) -> None:
        """Ask for the folder in which the result is made."""
        current = Path(self.output.text() or Path.home())
        folder = QFileDialog.getExistingDirectory(self, "Folder for the result", str(current.parent))
        if folder:
            self.output.setText(str(Path(folder) / current.name))

    def ask_resume(self) -> None:
        """Ask for an interrupted result and go on with it."""
        start = str(Path(self.output.text() or Path.home()).parent)
        folder = QFileDialog.getExistingDirectory(self, "Result to go on with", start)
        if folder:
            self.output.setText(folder)
            self.start(resume=True)

    def start(self, *_: object, resume: bool = False) -> None:
        """Start the reconstruction; what is missing or wrong is said in the dock."""
        series = self.space.series
        if self.runner.running:
            return
        if series is None:
            self._say(NO_SERIES, "ask")
            return
        if series.missing():
            self._say(missing_sentence(series), "ask")
            return
        out = Path(self.output.text().strip() or run_model.new_output(self.space.inputs))
        try:
            settings = self.settings()
            if not resume:
                out.parent.mkdir(parents=True, exist_ok=True)
            self.runner.start(series, out, settings, self.space.calibration, resume)
        except Sem4dError as error:
            self._say(str(error), "error")
            return
        except OSError as error:
            self._say(f"{out.parent} cannot be used for the result ({error.strerror}). Choose another.", "error")
            return
        except RuntimeError as error:
            self._say(str(error), "ask")
            return
        self._say("")
        self._set_running(True)
        self.progress_label.setText("Starting …")

    def cancel(self) -> None:
        """Ask the run to end; finished frames are kept."""
        self.cancel_button.setEnabled(False)
        kept = "; finished frames are kept" if self.runner.running else ""
        self.progress_label.setText(f"Cancelling{kept} …")
        self.runner.cancel()
        self.verifier.cancel()

    def verify(self) -> None:
        """Verify the frame that is shown, in the background."""
        result = self.result_box.result
        if result is None or result.data.path is None or self.verifier.running or self.runner.running:
            return
        effort = EFFORTS[self.result_box.effort.currentIndex()]
        options = {"pixels": effort.pixels, "electrons": effort.electrons, "images": self.result_box.images}
        try:
            self.verifier.start(result.data.path, result.frame, **options)
        except RuntimeError as error:
            self._say(str(error), "ask")
            return
        self._say("")
        self._set_running(True)
        self.progress_label.setText("Verifying …")

    def _judged(self, path: Path, kept: Any) -> None:
        for view in self.space.results:
            if view.data.path == path:
                view.data.verdicts[kept.verification.frame] = kept
        self.result_box.update_result()
        self._show_warnings()
        self.scroll.ensureWidgetVisible(self.result_box)

    def _verified(self, record: Record | None) -> None:
        self._set_running(False)
        if isinstance(record, Failed):
            self.progress_label.setText("Not verified.")
            self._say(record.message.replace("with --images", "with 'Images…'"), "error")
        elif isinstance(record, Finished) and not record.cancelled:
            self.bar.setValue(1000)
            self.progress_label.setText("Verified; the verdict is kept with the result.")
        else:
            self.bar.setValue(0)
            self.progress_label.setText("Cancelled; there is no verdict.")

    def _set_running(self, running: bool) -> None:
        self.result_box.set_running(running)
        self.engine.setEnabled(not running)
        self.start_button.setEnabled(not running)
        self.resume_button.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.settings_box.setEnabled(not running)
        self.calibration.setEnabled(not running)

    def _show_progress(self, record: Progress) -> None:
        self.bar.setValue(round(1000 * record.fraction))
        if self.cancel_button.isEnabled():
            self.progress_label.setText(run_model.progress_text(record))

    def _ended(self, record: Any) -> None:
        self._set_running(False)
        self.view.update_controls()
        self._show_warnings()
        if isinstance(record, Finished) and not record.cancelled:
            self.bar.setValue(1000)
            self.progress_label.setText(f"Done: {record.path.name}")
            self.progress_label.setToolTip(str(record.path))
            for text in record.warnings:
                self._warn(text)
        elif isinstance(record, Failed):
            self.progress_label.setText("Stopped.")
            kept = " Finished frames are kept; 'Resume' goes on from there." if _exists(record.path) else ""
            self._say(record.message + kept, "error")
        else:
            self.progress_label.setText("Cancelled. Finished frames are kept; 'Resume' goes on from there.")
        self._name_output()

    def closeEvent(self, event: object) -> None:
        """Let a run end when the dock goes."""
        self.runner.cancel()
        self.verifier.cancel()
        super().closeEvent(event)


def _exists(path: Path | None) -> bool:
    return path is not None and path.exists()
