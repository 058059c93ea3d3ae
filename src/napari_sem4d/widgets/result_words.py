"""What is known of a result, in words: engine, misfit, verdict and its table (no Qt)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sem4d.verification.comparison import Band, Interval
from napari_sem4d.widgets.result_data import ResultData

if TYPE_CHECKING:
    from napari_sem4d.verification import Verification
    from napari_sem4d.widgets.run_model import Effort

ENGINES = {
    "local": "Each pixel emits as a tilted plane would, and facets light and shadow each other. Quick; right for "
    "features much larger than the electrons' exit radius, too low and too smooth below it.",
    "vift": "The local law with a transformer's correction for what the interaction volume does at edges and in "
    "small features, trained on Monte Carlo. Starts from the local solution and takes several times as long; "
    "where pixels are larger than four exit radii it is the same as local.",
}
"""What each engine does."""

MISFIT_HELP = (
    "Reduced chi-square: mean square of (image - model) in units of the noise that was measured. 1: the surface "
    "explains the images within their noise. Well above 1: something in the images is not in the model (another "
    "material, debris, charging, small features under the engine local). Below 1: the noise is followed, or was "
    "measured too high. Where the engine's own error is known, the figure in brackets counts it as well, and is "
    "the one that is judged. A good misfit does not prove a surface: verify it."
)
_GOOD = (0.8, 1.25)
_FAIR = 2.0


def engine_text(data: ResultData) -> str:
    """Engine of a result."""
    return f"Engine {data.engine}" if data.engine else "Engine not stated"


def misfit_text(chi_square: float, explained: float = float("nan")) -> str:
    """Reduced chi-square of a frame, that with the engine's own error if it is known, and whether it is good."""
    if not np.isfinite(chi_square):
        return "Misfit: the frame is not finished"
    known = bool(np.isfinite(explained))
    judge, figure = (
        (explained, f"{chi_square:.2f} ({explained:.2f})") if known else (chi_square, f"{chi_square:.2f}")
    )
    if judge < _GOOD[0]:
        both = "noise and engine's error were" if known else "the noise is followed, or was"
        judged = f"less than expected: {both} taken too high"
    elif judge <= _GOOD[1]:
        judged = "good, the images are explained within their noise" + (" and the engine's error" if known else "")
    elif judge <= _FAIR:
        judged = "fair, something in the images is left unexplained"
    else:
        judged = "poor, the model does not explain the images"
    return f"Misfit {figure}: {judged}"


def verdict_text(found: Verification) -> str:
    """The verdict in one line, with the height scale, the effect and their 95 % intervals."""
    scale, effect = found.comparison.height_scale, found.comparison.effect
    parts = [] if scale is None else [f"height scale {interval_text(scale)}"]
    parts.append(f"signals differ by {interval_text(effect)} of a flat's")
    if found.brightness is not None:
        parts.append(f"brightness {interval_text(found.brightness)}")
    return f"{found.verdict.capitalize()}: {', '.join(parts)}"


def interval_text(value: Interval) -> str:
    """A value with its 95 % interval: "1.004 (0.989 to 1.015)"."""
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


@dataclass(frozen=True)
class Cell:
    """A cell of the table: segment and slope band.

    ``beyond`` is the difference in units of what would be found; above 1 it is hardly chance.
    """

    text: str
    tooltip: str
    difference: float
    beyond: float


def band_table(found: Verification) -> tuple[list[str], list[str], list[list[Cell | None]]]:
    """Mean difference by slope band (rows, steepest facing the segment first) and segment (columns).

    Returns
    -------
    rows, columns : list of str
    cells : list of list of Cell or None
        None where too few pixels have such a slope.
    """
    edges = sorted({b.facing_deg for b in found.comparison.bands}, reverse=True)
    by_place = {(b.facing_deg, b.segment): b for b in found.comparison.bands}
    rows = [f"{low:+.0f} to {high:+.0f}°" for low, high in edges]
    cells = [
        [_cell(by_place.get((edge, k)), name, edge) for k, name in enumerate(found.segments)] for edge in edges
    ]
    return rows, list(found.segments), cells


def _cell(band: Band | None, segment: str, edges: tuple[float, float]) -> Cell | None:
    if band is None:
        return None
    d = band.difference
    low, high = edges
    value, lowest, highest, detectable = (f"{100 * v:+.1f}" for v in (d.value, d.low, d.high, d.detectable))
    tooltip = (
        f"Segment {segment}, slope towards it {low:+.0f} to {high:+.0f} degrees, {band.pixels} pixels: measured "
        f"minus simulated {value} % of the flat signal (95 %: {lowest} to {highest}); {detectable[1:]} % would "
        "have been found"
    )
    return Cell(value, tooltip, d.value, abs(d.value) / max(d.detectable, 1e-9))


def verdict_tooltip(found: Verification, date: str) -> str:
    """Sentences of a verdict, and how it was found."""
    lines = [*found.sentences, *found.notes]
    when = f", {date.replace('T', ' ')[:16]} UTC" if date else ""
    lines.append(
        f"Frame {found.frame + 1}: {found.pixels} pixels of {found.electrons} electrons in {found.material}, "
        f"{found.seconds:.0f} s{when}."
    )
    return "\n".join(lines)


def effort_text(effort: Effort) -> str:
    """A choice of how much to simulate."""
    return f"{effort.name} ({effort.pixels} pixels × {effort.electrons} electrons)"
