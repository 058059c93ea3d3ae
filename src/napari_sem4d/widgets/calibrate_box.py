"""The calibration as the Reconstruct dock offers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sem4d.errors import Sem4dError
from napari_sem4d.widgets.background import Sentence, run_in_thread
from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.region_layer import mark_area, marked_region
from napari_sem4d.widgets.remembered import remember_folder, remembered_folder
from napari_sem4d.widgets.run_model import leave_one_core
from napari_sem4d.widgets.workspace import Workspace

NONE, FLAT, VICKERS, FILE = "none: relative height", "flat area", "Vickers imprint", "from a file"
REFERENCES = {FLAT: "flat", VICKERS: "vickers"}
NO_CALIBRATION = "No calibration: heights are relative, without an uncertainty in nm."


class CalibrateBox(QGroupBox):
    """Calibrate on a reference in the series that is loaded, or load a calibration.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Where an area is marked.
    space : Workspace
        Holds series and calibration.
    settings : callable
        Gives the settings of the dock when called.
    """

    told = Signal(str, str)

    def __init__(self, viewer: Any, space: Workspace, settings: Any, parent: QWidget | None = None) -> None:
        super().__init__("Calibration", parent)
        self.viewer = viewer
        self.space = space
        self._settings = settings
        self._worker: Any = None
        self.reference = QComboBox()
        self.reference.addItems([NONE, FLAT, VICKERS, FILE])
        self.reference.setToolTip("What in the images of the series that is loaded has a known shape")
        self.reference.activated.connect(self._chosen)
        self.button = QPushButton("Calibrate")
        self.button.clicked.connect(self.calibrate)
        self.area_button = QPushButton("Area")
        self.area_button.setToolTip("Draw a rectangle around the reference; without one the whole image is used")
        self.area_button.clicked.connect(self.mark_area)
        self.save_button = QPushButton("Save…")
        self.save_button.clicked.connect(self.ask_save)
        row = QHBoxLayout()
        row.addWidget(self.area_button)
        row.addWidget(self.button)
        row.addWidget(self.save_button)
        self.state = QLabel(NO_CALIBRATION)
        self.state.setWordWrap(True)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(max(6.5, self.font().pointSizeF() - 2))
        self.text.setFont(font)
        self.text.setFixedHeight(110)
        self.text.hide()
        column = QVBoxLayout(self)
        column.addWidget(self.reference)
        column.addLayout(row)
        column.addWidget(self.state)
        column.addWidget(self.text)
        connect_while_alive(self, space.calibration_changed, self.show_calibration)
        self.show_calibration(space.calibration)

    def _chosen(self, *_: object) -> None:
        choice = self.reference.currentText()
        self._enable()
        if choice == NONE:
            self.space.set_calibration(None)
        elif choice == FILE:
            self.ask_file()

    def ask_file(self) -> None:
        """Ask for a calibration file."""
        start = str(remembered_folder("calibration"))
        name, _ = QFileDialog.getOpenFileName(self, "Load a calibration", start, "Calibration (*.yaml *.yml)")
        if name:
            self.load(Path(name))

    def load(self, path: Path) -> None:
        """Use a calibration from a file."""
        from napari_sem4d.inversion.calibration import Calibration

        try:
            calibration = Calibration.load(path)
        except Sem4dError as error:
            self.told.emit(_sentence(error), "error")
            return
        remember_folder("calibration", path.parent)
        self.space.set_calibration(calibration)

    def _enable(self) -> None:
        for button in (self.button, self.area_button):
            button.setEnabled(self.reference.currentText() in REFERENCES)

    def mark_area(self) -> None:
        """Let the user draw a rectangle around the reference."""
        if self.space.series is not None:
            mark_area(self.viewer, self.space.series.pixel_nm)
            self.told.emit("Drag a rectangle around the reference on the images, then press 'Calibrate'.", "info")

    def calibrate(self) -> None:
        """Calibrate on the reference in the series, in a thread."""
        from napari_sem4d import api

        series, reference = self.space.series, REFERENCES.get(self.reference.currentText())
        if series is None:
            self.told.emit("There is no series to calibrate on: open one in the Load series dock.", "ask")
            return
        if reference is None:
            self.told.emit("Choose on which reference to calibrate: a flat area or a Vickers imprint.", "ask")
            return
        try:
            settings = self._settings()
        except Sem4dError as error:
            self.told.emit(_sentence(error), "error")
            return
        region = marked_region(self.viewer, series.shape)
        self.button.setEnabled(False)
        self.state.setText("Calibrating …")

        def work() -> Any:
            leave_one_core()
            return api.calibrate(series, reference, settings=settings, region=region)

        self._worker = run_in_thread(work, self._calibrated)

    def _calibrated(self, answer: Any) -> None:
        self._worker = None
        self.button.setEnabled(True)
        if isinstance(answer, Sentence):
            self.told.emit(_sentence(answer), "error")
            self.show_calibration(self.space.calibration)
            return
        self.space.set_calibration(answer)

    def show_calibration(self, calibration: Any) -> None:
        """Show the result with residual and correlations; None says what that means."""
        self.save_button.setEnabled(calibration is not None)
        self.text.setVisible(calibration is not None)
        self._enable()
        if calibration is None:
            self.state.setText(NO_CALIBRATION)
            if self.reference.currentText() == FILE:
                self.reference.setCurrentText(NONE)
            return
        if self.reference.currentText() == NONE:
            self.reference.setCurrentText(FILE)
            self._enable()
        self.state.setText(summary(calibration))
        from napari_sem4d.inversion.calibration import describe

        self.text.setPlainText("\n".join([describe(calibration), *correlation_lines(calibration)]))

    def ask_save(self) -> None:
        """Ask for a file and save the calibration (nothing is overwritten)."""
        if self.space.calibration is None:
            return
        start = str(remembered_folder("calibration") / "calibration.yaml")
        name, _ = QFileDialog.getSaveFileName(self, "Save the calibration", start, "Calibration (*.yaml)")
        if not name:
            return
        path = Path(name) if Path(name).suffix else Path(name).with_suffix(".yaml")
        try:
            self.space.calibration.save(path)
        except Sem4dError as error:
            self.told.emit(_sentence(error), "error")
            return
        remember_folder("calibration", path.parent)
        self.told.emit(f"Calibration saved to {path}.", "info")

    def closeEvent(self, event: object) -> None:
        """Nothing is left running."""
        self._worker = None
        super().closeEvent(event)


def summary(calibration: Any) -> str:
    """The calibration in two lines."""
    parts = [f"{calibration.reference} reference, {calibration.date[:10]}, id {calibration.id[:8]}."]
    if calibration.residuals is not None:
        parts.append(f"Residual {calibration.residuals.rms_percent:.2g} % of the flat signal.")
    if calibration.fixes_height_scale:
        parts.append(f"Height scale known to {100 * calibration.scale_uncertainty:.2g} % (standard uncertainty).")
    else:
        parts.append("It fixes no height scale: heights stay relative.")
    return " ".join(parts)


def correlation_lines(calibration: Any, least: float = 0.8) -> list[str]:
    """Pairs of parameters whose correlation is at least ``least``, strongest first."""
    names = [p.name for p in calibration.parameters]
    pairs = [
        (abs(calibration.correlation[i][j]), calibration.correlation[i][j], names[i], names[j])
        for i in range(len(names))
        for j in range(i)
        if abs(calibration.correlation[i][j]) >= least
    ]
    if not names:
        return []
    if not pairs:
        return [f"correlations: none above {least:g}"]
    return ["correlations:"] + [f"  {a} with {b}: {value:+.2f}" for _, value, a, b in sorted(pairs, reverse=True)]


def _sentence(error: object) -> str:
    text = str(error)
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
