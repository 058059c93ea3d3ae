"""What the plot of profile lines shows: each line now, and other times or results over it (no Qt)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_sem4d.metrology.profile import Profile
from napari_sem4d.widgets.height_source import HeightSource
from napari_sem4d.widgets.profile_model import Line
from napari_sem4d.widgets.profile_reading import NORMAL_95


@dataclass(frozen=True)
class Curve:
    """One curve of the plot.

    Attributes
    ----------
    line : Line
        Where.
    profile : Profile
        Heights.
    source : HeightSource
        Of which map.
    time : str
        Frame or time in words; empty for a single map.
    overlay : str
        Empty for the line on the chosen map at the time of the slider; otherwise what tells it from that.
    """

    line: Line
    profile: Profile
    source: HeightSource
    time: str
    overlay: str = ""

    @property
    def key(self) -> str:
        """Unique name, also in the legend."""
        return f"{self.line.name}, {self.overlay}" if self.overlay else self.line.name

    def band(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Pointwise 95 % limits; None without a standard uncertainty."""
        std = self.profile.height_std
        if std is None:
            return None
        return self.profile.height_nm - NORMAL_95 * std, self.profile.height_nm + NORMAL_95 * std


def curves_csv(curves: Sequence[Curve], separator: str = ",") -> str:
    """All curves as text with units in the column names, one sample a line.

    Parameters
    ----------
    curves : sequence of Curve
        At least one; their maps have the same units.
    separator : str
        Comma for files, tabulator for the clipboard.
    """
    source = curves[0].source
    length, value = source.length_unit, source.value_unit or "unit of the layer"
    quantity = "relative_height" if any(c.source.relative for c in curves) else "height"
    with_std = any(c.profile.height_std is not None for c in curves)
    head = ["line", "time", f"distance ({length})", f"{quantity} ({value})"]
    head += [f"height_std ({value})"] if with_std else []
    rows: list[list[str]] = [[*head, f"x ({length})", f"y ({length})", "map"]]
    for curve in curves:
        p = curve.profile
        std = p.height_std if p.height_std is not None else np.full(p.distance_nm.size, np.nan)
        y0, x0 = curve.source.origin
        columns = [p.distance_nm, p.height_nm, *([std] if with_std else []), p.x_nm + x0, p.y_nm + y0]
        for values in zip(*columns, strict=True):
            rows.append([curve.line.name, curve.time, *(cell(v) for v in values), curve.source.name])
    return text_table(rows, separator)


def cell(value: float) -> str:
    """A number for a spreadsheet; empty where there is none."""
    return f"{value:.6g}" if np.isfinite(value) else ""


def text_table(rows: Sequence[Sequence[str]], separator: str = ",") -> str:
    """Rows as CSV text."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue()
