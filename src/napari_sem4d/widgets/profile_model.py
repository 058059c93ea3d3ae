"""Profile lines, their cursors and their undo list (no Qt)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sem4d.metrology.profile import (
    CursorReading,
    Profile,
    read_cursors,
    sample_polyline,
    sample_rectangle,
)

if TYPE_CHECKING:
    from napari_sem4d.widgets.height_source import HeightSource

COLOURS = ("#ff5b4d", "#ffb02e", "#4cc3ff", "#7ddc5f", "#d48cff", "#ff8fc7", "#c9c24a", "#5fe0c4")
SHAPES = ("line", "path", "rectangle")
"""Kinds of shapes that have a profile; a rectangle is averaged over its whole width."""


@dataclass(frozen=True)
class Line:
    """One drawn line, polyline or rectangle.

    Attributes
    ----------
    name : str
        Unique name.
    colour : str
        Colour, the same on the picture and in the plot.
    kind : str
        One of :data:`SHAPES`.
    points : ndarray, shape (P, 2)
        (y, x) in the world of the viewer (nm, or pixels where no pixel size is known).
    cursors : tuple of float
        Positions of the cursor pair, as parts of the length.
    """

    name: str
    colour: str
    kind: str
    points: np.ndarray
    cursors: tuple[float, float] = (0.25, 0.75)

    def sample(self, source: HeightSource, height: np.ndarray, std: np.ndarray | None, width_px: float) -> Profile:
        """Heights along the line.

        Parameters
        ----------
        source : HeightSource
            For its pixel size.
        height, std : ndarray, shape (Y, X)
            Frame and its standard uncertainty.
        width_px : float
            Width of the average across the line, pixels (a rectangle has its own).
        """
        rc = np.asarray(self.points, dtype=float)[:, -2:] / np.asarray(source.pixel)
        if self.kind == "rectangle":
            return sample_rectangle(height, source.pixel, rc, height_std=std)
        return sample_polyline(height, source.pixel, rc, width_px, height_std=std)

    def read(self, profile: Profile) -> CursorReading:
        """Distance, height difference and angle between the two cursors."""
        first, second = (part * profile.length_nm for part in self.cursors)
        return read_cursors(profile, first, second)


@dataclass
class UndoList:
    """States of all lines before each change; the newest is last."""

    states: list[tuple[Line, ...]] = field(default_factory=list)
    most: int = 100

    def remember(self, state: tuple[Line, ...]) -> None:
        """Keep a state before it changes."""
        self.states = [*self.states, state][-self.most :]

    def undo(self) -> tuple[Line, ...] | None:
        """Take the newest state off the list; None when there is none."""
        return self.states.pop() if self.states else None


def new_name(taken: set[str]) -> str:
    """First of "line 1", "line 2", ... that is free."""
    number = 1
    while f"line {number}" in taken:
        number += 1
    return f"line {number}"


def colour_of(name: str) -> str:
    """Colour of a line by the number in its name."""
    digits = "".join(c for c in name if c.isdigit())
    return COLOURS[(int(digits) - 1) % len(COLOURS)] if digits else COLOURS[0]


def profiles_csv(source: HeightSource, time: str, lines: list[tuple[Line, Profile]], separator: str = ",") -> str:
    """All profiles as text with units in the column names.

    Parameters
    ----------
    source : HeightSource
        What was sampled.
    time : str
        Frame or time of the profiles.
    lines : list of (Line, Profile)
        The lines.
    separator : str
        Comma for files, tabulator for the clipboard.
    """
    length, value = source.length_unit, source.value_unit or "unit of the layer"
    quantity = "relative_height" if source.relative else "height"
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    with_std = source.std is not None
    head = ["line", "time", f"distance ({length})", f"{quantity} ({value})"]
    head += [f"height_std ({value})"] if with_std else []
    head += [f"x ({length})", f"y ({length})"]
    writer.writerow(head)
    for line, profile in lines:
        std = profile.height_std if profile.height_std is not None else np.full(profile.distance_nm.size, np.nan)
        columns = [
            profile.distance_nm,
            profile.height_nm,
            *([std] if with_std else []),
            profile.x_nm,
            profile.y_nm,
        ]
        for row in zip(*columns, strict=True):
            writer.writerow([line.name, time, *(f"{v:.6g}" if np.isfinite(v) else "" for v in row)])
    return text.getvalue()


def short_number(value: float) -> str:
    """Four significant digits, without an exponent where a person would not write one."""
    if not np.isfinite(value):
        return "-"
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.4g}"
