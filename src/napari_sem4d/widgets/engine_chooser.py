"""Choice of the forward engine, and what it means for the series that is loaded."""

from __future__ import annotations

from typing import Any, get_args

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QGroupBox, QLabel, QVBoxLayout, QWidget

from napari_sem4d.forward.engine import EngineName
from napari_sem4d.widgets.background import Sentence, run_in_thread
from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.result_words import ENGINES
from napari_sem4d.widgets.workspace import Workspace

_MANY = 2.0
"""Points of the network's grid a pixel from which the cost is told."""


class EngineChooser(QGroupBox):
    """Chooses the engine, and says what its electrons resolve in the series that is loaded.

    Parameters
    ----------
    space : Workspace
        Holds series and calibration.
    """

    def __init__(self, space: Workspace, parent: QWidget | None = None) -> None:
        super().__init__("Engine", parent)
        self.space = space
        self._worker: Any = None
        self.choice = QComboBox()
        for name in get_args(EngineName):
            self.choice.addItem(name)
            self.choice.setItemData(self.choice.count() - 1, ENGINES[name], Qt.ItemDataRole.ToolTipRole)
        self.choice.currentTextChanged.connect(self.show_hint)
        self.hint = QLabel("")
        self.hint.setWordWrap(True)
        column = QVBoxLayout(self)
        column.addWidget(self.choice)
        column.addWidget(self.hint)
        connect_while_alive(self, space.series_changed, self.show_hint)
        connect_while_alive(self, space.calibration_changed, self.show_hint)
        self.show_hint()

    @property
    def value(self) -> str:
        """Name of the engine."""
        return self.choice.currentText()

    def set_value(self, name: str) -> None:
        """Choose an engine by name."""
        self.choice.setCurrentText(name)

    def show_hint(self, *_: object) -> None:
        """Say what pixels and exit radius mean for the choice."""
        self.choice.setToolTip(ENGINES[self.value])
        series, calibration, engine = self.space.series, self.space.calibration, self.value
        self.hint.setText(other_engine(calibration, engine))
        energy = None if series is None else series.instrument.beam.energy_kev
        if series is None or energy is None or not series.material or not series.pixel_nm:
            return
        material, pixel_nm = str(series.material), float(series.pixel_nm)

        def work() -> str:
            return resolution_text(engine, material, float(energy), pixel_nm)

        def done(answer: Any) -> None:
            self._worker = None
            if not isinstance(answer, Sentence) and engine == self.value:
                self.hint.setText(" ".join(t for t in (answer, other_engine(calibration, engine)) if t))

        self._worker = run_in_thread(work, done)


def resolution_text(engine: str, material: str, energy_kev: float, pixel_nm: float) -> str:
    """The exit radius beside the pixel, and what follows for the engine."""
    from napari_sem4d.physics.materials import material as find_material
    from napari_sem4d.physics.planar_table import planar_table
    from napari_sem4d.surrogate.correction import COARSEST, PITCH

    rho50 = planar_table(find_material(material), energy_kev).rho50_nm
    text = f"Half of the electrons leave within {rho50:.3g} nm (pixel {pixel_nm:.3g} nm)."
    if engine == "local":
        return f"{text} Features smaller than some {_round(20 * rho50)} nm come out too low."
    if pixel_nm > COARSEST * rho50:
        return f"{text} At this pixel size ViFT's correction vanishes: the result will be that of local."
    text = f"{text} Slopes of features below some {_round(2 * rho50)} nm leave no contrast, whatever the engine."
    finer = (pixel_nm / (PITCH * rho50)) ** 2
    if finer > _MANY:
        text += f" ViFT works on {finer:.0f} points a pixel and takes as many times longer; local does not."
    return text


def other_engine(calibration: Any, engine: str) -> str:
    """Say that a calibration was made with another engine."""
    if calibration is None or calibration.engine == engine or not calibration.fixes_height_scale:
        return ""
    return f"The calibration was made with the engine {calibration.engine}: its height scale holds for that one."


def _round(value: float) -> str:
    """Two digits, without an exponent."""
    return f"{float(f'{value:.2g}'):g}"
