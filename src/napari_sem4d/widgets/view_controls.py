"""How the newest result is looked at: 2D or 3D, z exaggeration, what lies on the surface."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QGroupBox, QHBoxLayout, QPushButton, QWidget

from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.maps import KINDS, roles_of
from napari_sem4d.widgets.workspace import workspace_of

NO_STD = "Without a calibration heights are relative, and have no uncertainty in nm."
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
        self.map = QComboBox()
        self.map.setToolTip("Which map is shown, in 2D as the image, in 3D as the colour of the surface")
        self.map.activated.connect(self._map)
        self.drape = QComboBox()
        self.drape.addItems(DRAPES)
        self.drape.setToolTip("What lies on the surface: a hillshade, or the SEM image (mean of the segments)")
        self.drape.currentTextChanged.connect(self._drape)
        buttons = QHBoxLayout()
        buttons.addWidget(self.button_2d)
        buttons.addWidget(self.button_3d)
        form = QFormLayout(self)
        form.addRow(buttons)
        form.addRow("Map", self.map)
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
        self._offer_maps(result)
        self.drape.blockSignals(True)
        self.drape.setCurrentText(result.surface.drape)
        self.drape.blockSignals(False)
        self.drape.model().item(1).setEnabled(result.data.series is not None)

    def _offer_maps(self, result: Any) -> None:
        roles = roles_of(result.data)
        if [self.map.itemData(i) for i in range(self.map.count())] != list(roles):
            self.map.clear()
            for i, role in enumerate(roles):
                self.map.addItem(KINDS[role].title, role)
                self.map.setItemData(i, KINDS[role].meaning, Qt.ItemDataRole.ToolTipRole)
        self.map.setCurrentIndex(roles.index(result.map))
        self.map.setToolTip(f"{KINDS[result.map].meaning}.{'' if result.data.calibrated else ' ' + NO_STD}")

    def _map(self, index: int) -> None:
        result = self._result()
        if result is not None:
            result.show_map(str(self.map.itemData(index)))
            self.update_controls()

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
