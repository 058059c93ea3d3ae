"""How the newest result is looked at: 2D or 3D, z exaggeration, what lies on the surface."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QGroupBox, QHBoxLayout, QPushButton, QWidget

from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.workspace import workspace_of

DRAPES = ("hillshade", "SEM image", "none")


class ViewControls(QGroupBox):
    """Controls of the surface of the result that is shown.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        The viewer that shows it.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("View", parent)
        self.viewer = viewer
        self.space = workspace_of(viewer)
        self.button_2d = QPushButton("2D")
        self.button_3d = QPushButton("3D")
        self.button_2d.clicked.connect(self._to_2d)
        self.button_3d.clicked.connect(self._to_3d)
        self.exaggeration = QDoubleSpinBox()
        self.exaggeration.setRange(0.1, 10000.0)
        self.exaggeration.setDecimals(1)
        self.exaggeration.setPrefix("× ")
        self.exaggeration.setToolTip("Stretches z on the screen only; heights that are read stay true")
        self.exaggeration.valueChanged.connect(self._exaggerate)
        self.drape = QComboBox()
        self.drape.addItems(DRAPES)
        self.drape.setToolTip("What lies on the surface: a hillshade, or the SEM image (mean of the segments)")
        self.drape.currentTextChanged.connect(self._drape)
        buttons = QHBoxLayout()
        buttons.addWidget(self.button_2d)
        buttons.addWidget(self.button_3d)
        form = QFormLayout(self)
        form.addRow(buttons)
        form.addRow("z on screen", self.exaggeration)
        form.addRow("On the surface", self.drape)
        connect_while_alive(self, self.space.results_changed, self.update_controls)
        connect_while_alive(self, self.space.frames_changed, self.update_controls)
        self.update_controls()

    def _result(self) -> Any:
        shown = [r for r in self.space.results if r.shown]
        return shown[-1] if shown else None

    def update_controls(self) -> None:
        """Show the values of the result that is looked at."""
        result = self._result()
        self.setEnabled(result is not None)
        if result is None:
            return
        self.exaggeration.blockSignals(True)
        self.exaggeration.setValue(result.surface.exaggeration)
        self.exaggeration.blockSignals(False)
        self.drape.blockSignals(True)
        self.drape.setCurrentText(result.surface.drape)
        self.drape.blockSignals(False)
        self.drape.model().item(1).setEnabled(result.data.series is not None)

    def _to_2d(self) -> None:
        self.viewer.dims.ndisplay = 2
        self.viewer.reset_view()

    def _to_3d(self) -> None:
        result = self._result()
        if result is not None:
            result.show_3d()

    def _exaggerate(self, factor: float) -> None:
        result = self._result()
        if result is not None:
            result.set_exaggeration(factor)

    def _drape(self, name: str) -> None:
        result = self._result()
        if result is not None:
            result.surface.set_drape(name)
