"""The map that a dock works on: chosen among the layers, with the unit and pixel size that it may lack."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_sem4d.widgets import profile_rows as rows
from napari_sem4d.widgets.height_source import HeightSource, height_source, set_value_unit, turned_sentence
from napari_sem4d.widgets.lifetime import connect_while_alive
from napari_sem4d.widgets.profile_tools import VALUE_UNITS


class HeightChooser(QWidget):
    """A box with the layers that hold heights; ``changed`` is emitted when the choice or its units change."""

    changed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.source: HeightSource | None = None
        self.box = QComboBox()
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setMinimumContentsLength(8)
        self.box.setToolTip("The layer whose heights are used")
        self.box.currentIndexChanged.connect(self._chosen)
        self.unit = QComboBox()
        self.unit.addItems(VALUE_UNITS)
        self.unit.setToolTip("Unit of the heights of this layer, which does not say it itself")
        self.unit.activated.connect(self._unit_chosen)
        self.pixel = QDoubleSpinBox()
        self.pixel.setRange(0.0, 1e7)
        self.pixel.setDecimals(3)
        self.pixel.setSuffix(" nm")
        self.pixel.setSpecialValueText("unknown")
        self.pixel.setKeyboardTracking(False)
        self.pixel.setToolTip("Edge of a pixel of this layer, which does not say it itself")
        self.pixel.valueChanged.connect(self._pixel_given)
        self.pixel_row = QWidget()
        row = QHBoxLayout(self.pixel_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("pixel size"))
        row.addWidget(self.pixel, 1)
        top = QHBoxLayout()
        top.addWidget(self.box, 1)
        top.addWidget(self.unit)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.pixel_row)
        self.turned = QLabel()
        self.turned.setWordWrap(True)
        column.addWidget(self.turned)
        for signal in (viewer.layers.events.inserted, viewer.layers.events.removed):
            connect_while_alive(self, signal, self.renew)
        connect_while_alive(self, viewer.layers.events.inserted, self._watch)
        for layer in viewer.layers:
            self._watch(layer=layer)
        self.renew()

    def _watch(self, event: Any = None, layer: Any = None) -> None:
        """A map that is turned by hand cannot be measured any more."""
        layer = layer if layer is not None else event.value
        for signal in (layer.events.rotate, layer.events.shear, layer.events.affine):
            connect_while_alive(self, signal, self.renew)

    def renew(self, event: Any = None) -> None:
        """Offer the layers that hold heights; keep the choice while it is there, take a newly opened one."""
        kept = self.source.layer if self.source else None
        found = [s for s in (height_source(layer, self.viewer.layers) for layer in self.viewer.layers) if s]
        ours = [s for s in found if s.value_unit]
        newest = getattr(event, "value", None) if getattr(event, "type", "") == "inserted" else None
        wanted = [s for s in ours if s.layer is newest] or [s for s in found if s.layer is kept]
        wanted = wanted or ours[-1:] or found[:1]
        self.box.blockSignals(True)
        self.box.clear()
        for source in found:
            self.box.addItem(source.name, source)
        if wanted:
            self.box.setCurrentIndex(found.index(wanted[0]))
        self.box.blockSignals(False)
        turned = turned_sentence(self.viewer.layers)
        self.turned.setText(turned)
        self.turned.setVisible(bool(turned))
        self._chosen()

    def _chosen(self, *_: object) -> None:
        self.source = self.box.currentData()
        source = self.source
        self.unit.setVisible(source is not None and rows.asks_unit(source))
        self.pixel_row.setVisible(source is not None and source.length_unit != "nm")
        if source is not None:
            self.unit.setCurrentText(rows.unit_name(source))
            self.pixel.blockSignals(True)
            self.pixel.setValue(0.0)
            self.pixel.blockSignals(False)
        self.changed.emit()

    def _unit_chosen(self, *_: object) -> None:
        if self.source is not None:
            set_value_unit(self.source.layer, rows.unit_of_name(self.unit.currentText()))
            self.renew()

    def _pixel_given(self, edge: float) -> None:
        if self.source is None or edge <= 0:
            return
        layer = self.source.layer
        layer.scale = (*layer.scale[:-2], edge, edge)
        layer.units = (*layer.units[:-2], "nm", "nm")
        self.renew()
