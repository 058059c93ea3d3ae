"""The rows above the table of the Roughness dock: region, levelling, filters."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QLabel, QToolButton, QWidget

from napari_sem4d.metrology.surface import Treatment
from napari_sem4d.widgets.measured_region import KINDS, WHOLE, Region
from napari_sem4d.widgets.tool_icons import tool_icon

LEVELLINGS = ("none", "mean", "plane", "facet", "lines", *(f"polynomial{n}" for n in range(2, 9)))
LEVELLING_TIP = (
    "What is removed before measuring: nothing, the mean, the least-squares plane, the commonest facet, "
    "plane and median of every row, or a polynomial of this degree"
)
FILTER_TIPS = {
    "S": "S filter (Gaussian): removes what is shorter than this nesting index. Sdq, Sdr and others need one",
    "L": "L filter (Gaussian): removes what is longer than this nesting index",
}
REGION_TIPS = {
    "rectangle": "Draw a rectangle on the image and measure it; drag it afterwards to move it",
    "polygon": "Draw a polygon: click corner after corner, double-click ends",
}


class RegionRow(QWidget):
    """Which region is measured; ``changed`` when another is chosen, ``tool_changed`` with the kind to draw."""

    changed = Signal()
    tool_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QComboBox()
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setMinimumContentsLength(8)
        self.box.setToolTip("The region that is measured; labels of a Labels layer can be chosen as well")
        self.box.addItem(WHOLE.name, WHOLE)
        self.box.currentIndexChanged.connect(self.changed)
        self.tools: dict[str, QToolButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("region"))
        row.addWidget(self.box, 1)
        for kind in KINDS:
            button = QToolButton()
            button.setAccessibleName(kind)
            button.setCheckable(True)
            button.setToolTip(REGION_TIPS[kind])
            button.clicked.connect(lambda on, k=kind: self._clicked(k, on))
            self.tools[kind] = button
            row.addWidget(button)

    def showEvent(self, event: object) -> None:
        """Draw the icons in the colour of the theme."""
        super().showEvent(event)
        for kind, button in self.tools.items():
            button.setIcon(tool_icon(kind, self.palette().windowText().color()))

    def _clicked(self, kind: str, on: bool) -> None:
        self.choose_tool(kind if on else "")
        self.tool_changed.emit(kind if on else "")

    def choose_tool(self, kind: str) -> None:
        """Press one tool, or none, without a signal."""
        for name, button in self.tools.items():
            button.setChecked(name == kind)

    @property
    def region(self) -> Region:
        """The region that is measured."""
        return self.box.currentData() or WHOLE

    def offer(self, regions: list[Region], newest: str = "") -> None:
        """Offer regions; ``newest`` is chosen, otherwise the choice is kept by its name."""
        wanted = newest or self.region.name
        self.box.blockSignals(True)
        self.box.clear()
        for region in [WHOLE, *regions]:
            self.box.addItem(region.name, region)
        self.box.setCurrentIndex(max(self.box.findText(wanted), 0))
        self.box.blockSignals(False)


class TreatmentRow(QWidget):
    """Levelling and the two filters; ``changed`` at each change."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.levelling = QComboBox()
        self.levelling.addItems(LEVELLINGS)
        self.levelling.setCurrentText("plane")
        self.levelling.setToolTip(LEVELLING_TIP)
        self.levelling.currentIndexChanged.connect(self.changed)
        self.filters: dict[str, QDoubleSpinBox] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.levelling, 1)
        for name, tip in FILTER_TIPS.items():
            box = QDoubleSpinBox()
            box.setRange(0.0, 1e7)
            box.setDecimals(1)
            box.setPrefix(f"{name} ")
            box.setSuffix(" nm")
            box.setSpecialValueText(f"no {name}")
            box.setKeyboardTracking(False)
            box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
            box.setToolTip(tip)
            box.setMaximumWidth(108)
            box.valueChanged.connect(self.changed)
            self.filters[name] = box
            row.addWidget(box)

    def treatment(self) -> Treatment:
        """What is chosen.

        Raises
        ------
        InputError
            If S is not smaller than L.
        """
        s, l_ = (box.value() or None for box in self.filters.values())
        return Treatment(self.levelling.currentText(), s, l_)
