"""Words and rows of the Profile dock: columns, figures of each line, sentences (no Qt)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sem4d.errors import DomainError
from napari_sem4d.widgets.profile_model import Line, Sampled, as_exact, colour_of, short_number, two_digits
from napari_sem4d.widgets.profile_reading import StepFigures, cursor_figures, step_figures
from napari_sem4d.widgets.workspace import sem4d_metadata

if TYPE_CHECKING:
    from napari_sem4d.widgets.height_source import HeightSource
    from napari_sem4d.widgets.line_book import LineBook
    from napari_sem4d.widgets.profile_session import ProfileSession

UNIT_NAMES = {"": "unit?", "nm": "nm", "um": "µm", "angstrom": "Å", "m": "m"}
"""Units of heights that a user may choose, as pint knows them and as the screen shows them."""


def quantity(source: HeightSource) -> str:
    """Label of the height axis."""
    return f"{'relative height' if source.relative else 'height'} ({source.value_unit or 'value'})"


def asks_unit(source: HeightSource) -> bool:
    """Whether the unit of the heights is not known from the file, so that the user may give it."""
    entry = sem4d_metadata(source.layer)
    return not entry or bool(entry.get("unit_by_user"))


def unit_name(source: HeightSource) -> str:
    """The unit that the layer has now, as the screen shows it."""
    return UNIT_NAMES.get(str(sem4d_metadata(source.layer).get("unit", "")), "unit?")


def unit_of_name(name: str) -> str:
    """The unit behind a name of the screen."""
    return next(unit for unit, shown in UNIT_NAMES.items() if shown == name)


def columns(mode: str, source: HeightSource) -> list[tuple[str, str]]:
    """Titles and tooltips of the columns behind that of the names."""
    length, value = source.length_unit, source.value_unit or "value"
    height = "rel. height" if source.relative else "height"
    half = [(f"±\n({value})", f"Half width of the 95 % interval of the height, {value}")]
    half = half if has_half(source) else []
    if mode == "step":
        return [
            (f"step {height}\n({value})", f"Height of the level d = +1 (green) above d = -1 (blue), {value}"),
            *half,
            (f"scatter\n({value})", f"Robust standard deviation of the heights about the fitted levels, {value}"),
            (f"10-90 %\n({length})", f"Width of a single edge from 10 to 90 % of its height, {length}"),
        ]
    found = [
        (f"length\n({length})", f"Length of the whole line, {length}"),
        (f"1 to 2\n({length})", f"Distance from cursor 1 to cursor 2 along the line, {length}"),
        (f"{height}\n({value})", f"Height at cursor 2 minus height at cursor 1, {value}"),
        *half,
    ]
    if source.angles:
        found.append(("angle\n(°)", "Angle of the slope from cursor 1 to cursor 2, degrees"))
    return found


def has_half(source: HeightSource) -> bool:
    """Whether heights of this map may carry an uncertainty."""
    return not source.relative and (source.std is not None or source.has_draws)


def fit_steps(profiles: Sampled, quick: bool) -> dict[str, StepFigures | str]:
    """Fit the step of every line; where none can be fitted, the sentence that says why."""
    found: dict[str, StepFigures | str] = {}
    for line, profile in profiles:
        try:
            found[line.name] = step_figures(line.step, profile, quick)
        except DomainError as error:
            found[line.name] = f"{line.name}: {error}"
    return found


def table_rows(
    mode: str, source: HeightSource, profiles: Sampled, steps: Mapping[str, StepFigures | str]
) -> list[tuple[Line, Sequence[str], str]]:
    """Lines, texts of the other columns and their tooltip."""
    rows: list[tuple[Line, Sequence[str], str]] = []
    for line, profile in profiles:
        if mode == "step":
            rows.append(_step_row(line, source, steps[line.name]))
            continue
        read = cursor_figures(line, profile, source.angles)
        texts = [short_number(read.length), short_number(read.distance), as_exact(read.height, read.half)]
        texts += [two_digits(read.half)] if has_half(source) else []
        texts += [f"{read.angle:.2f}" if np.isfinite(read.angle) else "-"] if source.angles else []
        rows.append((line, texts, read.origin))
    return rows


def _step_row(line: Line, source: HeightSource, step: StepFigures | str) -> tuple[Line, Sequence[str], str]:
    count = 4 if has_half(source) else 3
    if isinstance(step, str):
        return line, ["-"] * count, step
    texts = [as_exact(step.fit.height_nm, step.half)]
    texts += [two_digits(step.half)] if has_half(source) else []
    texts += [short_number(step.fit.noise_nm), short_number(step.width.crossing_nm) if step.width else "-"]
    return line, texts, step.origin


def new_line(book: LineBook, points: Any, kind: str) -> Line:
    """A line with a free name and the colour that goes with it."""
    name = book.free_name()
    return Line(name, colour_of(name), kind, np.array(points, dtype=float))


def loaded_sentence(session: ProfileSession, source: HeightSource | None) -> str:
    """What is told after lines were loaded."""
    text = f"Loaded {len(session.lines)} lines."
    if source is not None and session.source.layer and session.source.layer != source.name:
        text += f" They were drawn on '{session.source.layer}' and are measured on '{source.name}' now."
    return text
