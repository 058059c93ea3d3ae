"""The figure of a profile for a paper or a report: the map with its lines, and the plot (no Qt)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sem4d.errors import InputError
from napari_sem4d.io.figure import nice_length
from napari_sem4d.widgets.height_source import HeightSource
from napari_sem4d.widgets.profile_curves import Curve
from napari_sem4d.widgets.profile_kymograph import LineHistory
from napari_sem4d.widgets.profile_model import Line, as_exact, two_digits
from napari_sem4d.widgets.profile_reading import CursorFigures, StepFigures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
SIZE_INCH = (6.5, 6.5)
DPI = 200
OVERLAY_STYLES = ("--", ":", "-.")


def profile_figure(
    curves: Sequence[Curve],
    height: np.ndarray,
    cursors: tuple[Line, CursorFigures] | None = None,
    step: tuple[str, StepFigures] | None = None,
    bands: bool = True,
) -> Figure:
    """Draw the map with its lines above, the profiles below.

    Parameters
    ----------
    curves : sequence of Curve
        At least one; the first that is no overlay gives the map.
    height : ndarray, shape (Y, X)
        The frame that was measured, nm.
    cursors : (Line, CursorFigures), optional
        Cursor pair to draw, and what it reads.
    step : (str, StepFigures), optional
        Name of the line, stretches and levels to draw.
    bands : bool
        Whether pointwise 95 % limits are drawn where there are some.
    """
    figure, (upper, lower) = _two_axes()
    source = curves[0].source
    _draw_map(figure, upper, source, height, [c.line for c in curves if not c.overlay], curves[0].time)
    overlays, banded = 0, False
    for curve in curves:
        style = "-"
        if curve.overlay:
            style = OVERLAY_STYLES[overlays % len(OVERLAY_STYLES)]
            overlays += 1
        p = curve.profile
        lower.plot(p.distance_nm, p.height_nm, style, color=curve.line.colour, lw=1.4, label=curve.key)
        limits = curve.band() if bands and not curve.overlay else None
        if limits is not None:
            lower.fill_between(p.distance_nm, *limits, color=curve.line.colour, alpha=0.25, lw=0)
            banded = True
    unit = source.value_unit or "value"
    if step is not None:
        _draw_step(lower, *step, unit)
    elif cursors is not None:
        line, read = cursors
        for number, part in enumerate(line.cursors, start=1):
            lower.axvline(part * read.length, color="0.4", lw=0.9, ls="--")
            lower.annotate(str(number), (part * read.length, 0.02), xycoords=("data", "axes fraction"), fontsize=8)
        text = f"{line.name}, 1 to 2: {read.distance:.4g} {source.length_unit}, "
        lower.set_title(text + _with_half(read.height, read.half, unit), fontsize=9)
    lower.set_xlabel(f"distance ({source.length_unit})")
    lower.set_ylabel(f"{'relative height' if source.relative else 'height'} ({unit})")
    lower.margins(x=0.01)
    lower.grid(alpha=0.25)
    lower.legend(fontsize=8, frameon=False, title="bands: 95 %" if banded else None, title_fontsize=8)
    return figure


def kymograph_figure(history: LineHistory, height: np.ndarray) -> Figure:
    """Draw the map with the line above, height over distance and time below."""
    figure, (upper, lower) = _two_axes()
    source = history.source
    _draw_map(figure, upper, source, height, [history.line], "")
    low, high = history.edges
    length = float(history.kymograph.distance_nm[-1])
    image = lower.imshow(
        history.kymograph.height_nm, origin="lower", aspect="auto", extent=(0.0, length, low, high),
        cmap="viridis", interpolation="nearest",
    )  # fmt: skip
    figure.colorbar(image, ax=lower, label=_quantity(source))
    lower.set_xlabel(f"distance along {history.line.name} ({source.length_unit})")
    lower.set_ylabel("time (s)" if history.time_unit == "s" else "frame")
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure; the ending of the name decides the format.

    Raises
    ------
    InputError
        If the ending is not one of .png, .svg and .pdf.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"A figure is saved as {', '.join(FORMATS)}, not as {path.suffix!r}: choose another name."
        )
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):  # texts stay texts
        figure.savefig(path, dpi=DPI)


def _two_axes() -> tuple[Figure, Any]:
    from matplotlib.figure import Figure  # not pyplot: it would open a window system of its own

    figure = Figure(figsize=SIZE_INCH, layout="constrained")
    return figure, figure.subplots(2, 1, height_ratios=(1.2, 1.0))


def _quantity(source: HeightSource) -> str:
    return f"{'relative height' if source.relative else 'height'} ({source.value_unit or 'value'})"


def _draw_map(
    figure: Figure, axes: Axes, source: HeightSource, height: np.ndarray, lines: Sequence[Line], time: str
) -> None:
    rows, columns = height.shape
    (py, px), (y0, x0) = source.pixel, source.origin
    right, bottom = x0 + (columns - 0.5) * px, y0 + (rows - 0.5) * py
    extent = (x0 - px / 2, right, bottom, y0 - py / 2)
    image = axes.imshow(height, extent=extent, cmap="viridis", interpolation="nearest")
    figure.colorbar(image, ax=axes, label=_quantity(source))
    for line in lines:
        points = np.asarray(line.points)[:, -2:]
        if line.kind == "rectangle":
            points = np.concatenate([points, points[:1]])
        axes.plot(points[:, 1], points[:, 0], color=line.colour, lw=1.6)
        axes.annotate(
            line.name, (points[0, 1], points[0, 0]), color=line.colour, fontsize=8,
            xytext=(2, 3), textcoords="offset points",
        )  # fmt: skip
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])
    bar, text = nice_length(columns * px)
    text = text if source.length_unit == "nm" else f"{bar:g} {source.length_unit}"
    axes.plot([right - 1.15 * bar, right - 0.15 * bar], [bottom - 0.07 * rows * py] * 2, "w-", lw=4)
    axes.annotate(
        text, (right - 0.65 * bar, bottom - 0.09 * rows * py), color="w",
        ha="center", va="bottom", fontsize=9,
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(f"{source.name}{', ' + time if time else ''}", fontsize=9)


def _draw_step(axes: Axes, name: str, step: StepFigures, unit: str) -> None:
    stretches = step.fit.stretches
    ends = np.array([min(part.start_nm for part in stretches), max(part.end_nm for part in stretches)])
    for part in step.fit.stretches:
        colour = "tab:green" if part.d > 0 else "tab:blue"
        axes.axvspan(part.start_nm, part.end_nm, color=colour, alpha=0.15, lw=0)
    for d in (1, -1):
        axes.plot(ends, step.fit.level(ends, d), "k--", lw=1)
    axes.set_title(f"{name}: step height {_with_half(step.fit.height_nm, step.half, unit)}", fontsize=9)


def _with_half(value: float, half: float, unit: str) -> str:
    """A value with its 95 % limits where they are known, and the unit."""
    text = as_exact(value, half)
    return f"{text} ± {two_digits(half)} {unit} (95 %)" if np.isfinite(half) else f"{text} {unit}"
