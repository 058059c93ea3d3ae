"""Profile lines as they are drawn, with what is measured on each (no Qt)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sem4d.metrology.profile import Profile, rectangle_axis, sample_polyline

if TYPE_CHECKING:
    from napari_sem4d.widgets.height_source import HeightSource

COLOURS = ("#ff5b4d", "#ffb02e", "#4cc3ff", "#7ddc5f", "#d48cff", "#ff8fc7", "#c9c24a", "#5fe0c4")
SHAPES = ("line", "path", "rectangle")
"""Kinds of shapes that have a profile; a rectangle is averaged over its whole width."""
CURSORS = (0.25, 0.75)
STEP_KINDS = ("auto", "edge", "groove")


@dataclass(frozen=True)
class StepMarks:
    """Where a step is fitted on a line.

    Attributes
    ----------
    kind : str
        "edge" (two levels), "groove" (groove or ridge by ISO 5436-1), or "auto": the one that is there.
    stretches : tuple of (start, end, d), or None
        Fitted stretches as parts of the length of the line, d = +1 or -1; None: found automatically.
    """

    kind: str = "auto"
    stretches: tuple[tuple[float, float, int], ...] | None = None


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
    step : StepMarks
        What is fitted in step mode.
    """

    name: str
    colour: str
    kind: str
    points: np.ndarray
    cursors: tuple[float, float] = CURSORS
    step: StepMarks = field(default=StepMarks())

    def path(self, source: HeightSource, width_px: float) -> tuple[np.ndarray, float]:
        """Points (row, column) in pixels of a height map, and the width of the average, pixels."""
        rc = source.pixels(np.asarray(self.points, dtype=float)[:, -2:])
        return rectangle_axis(rc, source.pixel) if self.kind == "rectangle" else (rc, width_px)

    def sample(
        self,
        source: HeightSource,
        height: np.ndarray,
        std: np.ndarray | None = None,
        width_px: float = 1.0,
        draws: np.ndarray | None = None,
    ) -> Profile:
        """Heights along the line.

        Parameters
        ----------
        source : HeightSource
            For its pixel size.
        height, std : ndarray, shape (Y, X)
            Frame and its standard uncertainty.
        width_px : float
            Width of the average across the line, pixels (a rectangle has its own).
        draws : ndarray, shape (D, Y, X), optional
            Posterior draws of the frame.
        """
        points, width = self.path(source, width_px)
        return sample_polyline(
            height, source.pixel, points, width, height_std=std, draws=draws, scale_std=source.scale_std
        )

    def outline(self, source: HeightSource, height: np.ndarray) -> Profile:
        """Heights (Y, X) along the way around the shape."""
        rc = source.pixels(np.asarray(self.points, dtype=float)[:, -2:])
        return sample_polyline(height, source.pixel, np.concatenate([rc, rc[:1]]))

    def same(self, other: Line) -> bool:
        """Whether nothing differs."""
        return (
            (self.name, self.colour, self.kind, self.cursors, self.step)
            == (other.name, other.colour, other.kind, other.cursors, other.step)
        ) and np.array_equal(self.points, other.points)


Lines = tuple[Line, ...]
Sampled = list[tuple[Line, Profile]]


def same_lines(a: Lines, b: Lines) -> bool:
    """Whether two states of all lines are the same."""
    return len(a) == len(b) and all(x.same(y) for x, y in zip(a, b, strict=True))


def new_name(taken: set[str]) -> str:
    """First of "line 1", "line 2", ... that is free."""
    number = 1
    while f"line {number}" in taken:
        number += 1
    return f"line {number}"


def colour_of(name: str) -> str:
    """Colour of a new line by the number in its name."""
    digits = "".join(c for c in name if c.isdigit())
    return COLOURS[(int(digits) - 1) % len(COLOURS)] if digits else COLOURS[0]


def short_number(value: float) -> str:
    """Four significant digits, without an exponent where a person would not write one."""
    if not np.isfinite(value):
        return "-"
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.4g}"


def two_digits(value: float) -> str:
    """An uncertainty with two significant digits."""
    return f"{value:.2g}" if np.isfinite(value) and abs(value) < 100 else short_number(value)


def as_exact(value: float, half: float) -> str:
    """A value with as many decimals as its uncertainty has with two digits; four digits without one."""
    if not (np.isfinite(value) and np.isfinite(half) and half > 0):
        return short_number(value)
    decimals = int(np.clip(1 - np.floor(np.log10(half)), 0, 6))
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # no "-0.0"
