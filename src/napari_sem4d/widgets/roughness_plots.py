"""The plots of the Roughness dock: material ratio curve, histogram, spectrum, a figure over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtWidgets import QTabWidget, QWidget

from napari_sem4d.metrology.tables import columns_csv
from napari_sem4d.widgets.roughness_model import Curves, Spectra

TITLES = ("Ratio", "Histogram", "Spectrum", "Time")
TIPS = (
    "Material ratio curve: how much of the area lies higher; with the line of the core where it means something",
    "Heights above the mean",
    "Power over wavelength: mean of all directions (nm4), and of rows and columns (nm3)",
    "The chosen figure in every frame, after 'All times'",
)
COLOURS = {"radial": "#ffb02e", "x": "#4cc3ff", "y": "#7ddc5f"}
CURVE = "#4cc3ff"
CORE = "#ffb02e"


class LogAxis(pg.AxisItem):
    """A logarithmic axis that names only 1, 2 and 5 times powers of ten, else the numbers run into each other."""

    def logTickStrings(self, values: Sequence[float], scale: float, spacing: float | None) -> list[str]:
        """Text of every tick."""
        numbers = [10.0 ** float(value) * scale for value in values]
        return [f"{n:g}" if f"{n:.0e}"[0] in "125" else "" for n in numbers]


class Plot(pg.PlotWidget):
    """A plot in the colours of the window, without prefixes before its units."""

    def __init__(self, bottom: str, left: str, axes: dict[str, pg.AxisItem] | None = None) -> None:
        super().__init__(axisItems=axes)
        self.setMinimumHeight(110)
        self.showGrid(x=True, y=True, alpha=0.25)
        self.setMenuEnabled(False)
        self.getPlotItem().hideButtons()
        self.name_axes(bottom, left)

    def name_axes(self, bottom: str, left: str) -> None:
        """Label the axes with their units."""
        for side, text in (("bottom", bottom), ("left", left)):
            self.setLabel(side, text)
            self.getAxis(side).enableAutoSIPrefix(False)

    def follow_theme(self) -> None:
        """Take the colours of the window that the plot is in."""
        palette = self.palette()
        self.setBackground(palette.window().color())
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(palette.windowText().color())
            axis.setTextPen(palette.windowText().color())


class RoughnessPlots(QTabWidget):
    """Four plots in tabs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: dict[str, list[tuple[dict[str, str], dict[str, np.ndarray]]]] = {}
        self.ratio = Plot("material ratio (%)", "height (nm)")
        self.histogram = Plot("height (nm)", "area (%)")
        self.spectrum = Plot("wavelength (nm)", "power", {"bottom": LogAxis("bottom")})
        self.time = Plot("frame", "")
        for title, tip, plot in zip(TITLES, TIPS, self.all, strict=True):
            self.addTab(plot, title)
            self.setTabToolTip(self.count() - 1, tip)
        self.setDocumentMode(True)
        self._curve = self.ratio.plot(pen=pg.mkPen(CURVE, width=2))
        self._core = self.ratio.plot(pen=pg.mkPen(CORE, width=1, style=pg.QtCore.Qt.PenStyle.DashLine))
        self._bars = pg.BarGraphItem(x0=[], x1=[], height=[], brush=CURVE, pen=pg.mkPen(None))
        self.histogram.addItem(self._bars)
        self.spectrum.setLogMode(x=True, y=True)
        self.spectrum.addLegend(offset=(-6, -6), labelTextSize="8pt")
        self._spectra = {
            kind: self.spectrum.plot(name=name, pen=pg.mkPen(COLOURS[kind], width=1 if kind != "radial" else 2))
            for kind, name in (("radial", "radial (nm4)"), ("x", "along x (nm3)"), ("y", "along y (nm3)"))
        }
        self._band = pg.FillBetweenItem(pg.PlotDataItem(), pg.PlotDataItem(), brush=pg.mkBrush(255, 176, 46, 60))
        self.spectrum.addItem(self._band)
        self._errors = pg.ErrorBarItem(x=np.zeros(1), y=np.zeros(1), beam=0.0)
        self._errors.hide()
        self.time.addItem(self._errors)
        self._course = self.time.plot(pen=pg.mkPen(CURVE, width=1), symbol="o", symbolSize=5, symbolBrush=CURVE)
        self._now = pg.InfiniteLine(angle=90, pen=pg.mkPen("#bbbbbb", style=pg.QtCore.Qt.PenStyle.DashLine))
        self._now.hide()
        self.time.addItem(self._now, ignoreBounds=True)

    @property
    def all(self) -> tuple[Plot, Plot, Plot, Plot]:
        """The plots in the order of the tabs."""
        return self.ratio, self.histogram, self.spectrum, self.time

    @property
    def title(self) -> str:
        """Name of the plot that is shown."""
        return self.tabText(self.currentIndex())

    def text(self, separator: str = ",") -> str:
        """Columns of the plot that is shown, units in their names; empty where it shows nothing."""
        parts = self._columns.get(self.title, [])
        return columns_csv(parts, separator) if parts else ""

    def follow_theme(self) -> None:
        """Take the colours of the window."""
        for plot in self.all:
            plot.follow_theme()

    def show_curves(self, curves: Curves | None, unit: str) -> None:
        """Show ratio curve and histogram; None empties them."""
        self.ratio.name_axes("material ratio (%)", f"height ({unit})")
        self.histogram.name_axes(f"height from the mean ({unit})", "area (%)")
        height = f"height_from_mean ({unit})"
        self._columns |= {"Ratio": [], "Histogram": []}
        if curves is None:
            self._curve.setData([], [])
            self._core.setData([], [])
            self._bars.setOpts(x0=[], x1=[], height=[])
            return
        self._columns["Ratio"] = [({}, {"material_ratio (%)": curves.ratio_percent, height: curves.height_nm})]
        bins = {
            f"from {height}": curves.edges_nm[:-1],
            f"to {height}": curves.edges_nm[1:],
            "area (%)": curves.percent,
        }
        self._columns["Histogram"] = [({}, bins)]
        self._curve.setData(curves.ratio_percent, curves.height_nm)
        if curves.core is None:
            self._core.setData([], [])
        else:
            self._core.setData([0.0, 100.0], curves.core[:2])
        self._bars.setOpts(x0=curves.edges_nm[:-1], x1=curves.edges_nm[1:], height=curves.percent)

    def show_spectra(self, spectra: Spectra | None, relative: bool) -> None:
        """Show the spectra; None empties the plot."""
        found = spectra.spectra if spectra is not None else {}
        self._columns["Spectrum"] = [_spectrum_columns(one) for one in found.values()]
        self.spectrum.name_axes("wavelength (nm)", "power (relative)" if relative else "power (nm3, nm4)")
        self.spectrum.setTitle(spectra.told if spectra is not None and not found else None, size="8pt")
        for kind, item in self._spectra.items():
            one = found.get(kind)
            item.setData(*_positive(one.wavelength_nm, one.power) if one else ([], []))
        radial = found.get("radial")
        with_band = radial is not None and radial.low is not None and radial.high is not None
        self._band.setVisible(with_band)
        if with_band:
            seen = radial.high > 0
            x, high = np.log10(radial.wavelength_nm[seen]), radial.high[seen]
            # Nothing that the noise hides has a logarithm: the band goes down to a thousandth of its upper end.
            low = np.maximum(radial.low[seen], 1e-3 * high)
            self._band.setCurves(pg.PlotDataItem(x, np.log10(low)), pg.PlotDataItem(x, np.log10(high)))

    def show_course(
        self,
        times: Sequence[float],
        values: Sequence[float],
        low: Sequence[float],
        high: Sequence[float],
        labels: tuple[str, str],
        now: float | None,
    ) -> None:
        """Show a figure over time, intervals where ``low`` and ``high`` are finite, and the frame shown."""
        self.time.name_axes(*labels)
        x, y, below, above = (np.asarray(v, dtype=float) for v in (times, values, low, high))
        columns = {labels[0]: x, labels[1]: y, f"{labels[1]}, low": below, f"{labels[1]}, high": above}
        self._columns["Time"] = [({}, columns)] if x.size else []
        self._course.setData(x, y, connect="finite")
        barred = np.isfinite(below) & np.isfinite(above) & np.isfinite(y)
        self._errors.setVisible(bool(barred.any()))
        if barred.any():
            self._errors.setData(x=x[barred], y=y[barred], top=(above - y)[barred], bottom=(y - below)[barred])
        self._now.setVisible(now is not None and x.size > 0)
        if now is not None:
            self._now.setValue(now)


def _spectrum_columns(one: Any) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    lost = np.full(one.power.size, np.nan)
    columns = {"frequency_per_nm": one.frequency_per_nm, "wavelength_nm": one.wavelength_nm, "power": one.power}
    columns |= {name: lost if (v := getattr(one, name)) is None else v for name in ("noise", "low", "high")}
    return {"kind": one.kind, "unit": one.unit}, columns


def _positive(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What can be shown on logarithmic axes."""
    keep = (y > 0) & np.isfinite(y)
    return x[keep], y[keep]
