"""A picture of a height map for a paper: colours, colour bar with unit, scale bar (PNG or SVG, by matplotlib)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sem4d.io.height_map import HeightMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 200
WIDTH_INCH = 5.0
_UNITS = (("nm", 1.0), ("µm", 1e3), ("mm", 1e6))


def write_figure(
    path: Path,
    surface: HeightMap,
    *,
    colormap: str | np.ndarray = "viridis",
    limits_nm: tuple[float, float] | None = None,
) -> None:
    """Draw a height map with its scale bar and colour bar.

    Parameters
    ----------
    path : path
        .png or .svg; in SVG the texts stay texts.
    surface : HeightMap
        Invalid pixels are left grey.
    colormap : str or ndarray, shape (N, 4)
        Name of a colour map of matplotlib, or its colours from low to high, 0 to 1.
    limits_nm : (lowest, highest), optional
        Heights at the ends of the colour bar; the 0.1 and 99.9 percentiles if not given.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    rows, columns = surface.height.shape
    height_nm, width_nm = rows * surface.pixel_nm[0], columns * surface.pixel_nm[1]
    low, high = limits_nm or np.nanpercentile(surface.height, [0.1, 99.9])
    # Room beside the picture for the colour bar and above it for the title.
    inch = 0.72 * WIDTH_INCH
    tall = float(np.clip(inch * height_nm / width_nm, 0.8, 3 * WIDTH_INCH))
    figure = Figure(figsize=(WIDTH_INCH, tall + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_facecolor("0.6")
    image = axes.imshow(
        np.ma.masked_invalid(surface.height),
        cmap=colormap if isinstance(colormap, str) else ListedColormap(colormap),
        vmin=float(low),
        vmax=float(high) if high > low else float(low) + 1.0,
        extent=(0.0, width_nm, 0.0, height_nm),
        interpolation="nearest",
        origin="upper",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(surface.title, fontsize=9)
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.03, aspect=25)
    bar.set_label("relative height (nm)" if surface.relative else "height (nm)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    _scale_bar(axes, width_nm, height_nm)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "napari-sem4d"}):
        # Without a date the same heights give the same file.
        kind = path.suffix.lower().removeprefix(".")
        figure.savefig(path, dpi=DPI, format=kind, metadata={"Date": None} if kind == "svg" else None)


def nice_length(width_nm: float) -> tuple[float, str]:
    """Length in nm (1, 2 or 5 times a power of ten, at most a third of the width) of a scale bar, and its text."""
    rough = width_nm / 3.0
    power = 10.0 ** np.floor(np.log10(rough))
    length = float(max(step for step in (1.0, 2.0, 5.0) if step * power <= rough * (1 + 1e-9)) * power)
    unit, scale = [(u, s) for u, s in _UNITS if length >= s or s == 1.0][-1]
    return length, f"{length / scale:g} {unit}"


def _scale_bar(axes: Axes, width_nm: float, height_nm: float) -> None:
    from matplotlib.patches import Rectangle

    length, text = nice_length(width_nm)
    margin, thick = 0.04 * width_nm, 0.012 * max(width_nm, height_nm)
    left, bottom = width_nm - margin - length, margin
    axes.add_patch(Rectangle((left, bottom), length, thick, facecolor="white", edgecolor="black", linewidth=0.6))
    axes.text(
        left + length / 2,
        bottom + 1.9 * thick,
        text,
        color="white",
        ha="center",
        va="bottom",
        fontsize=9,
        bbox={"boxstyle": "square,pad=0.15", "facecolor": (0.0, 0.0, 0.0, 0.45), "edgecolor": "none"},
    )
