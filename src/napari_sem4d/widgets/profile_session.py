"""The small JSON file that keeps profile lines: points, cursors, steps, names, colours, map (no Qt)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from napari_sem4d.acquisition.instrument import StrictModel
from napari_sem4d.errors import InputError
from napari_sem4d.widgets.height_source import HeightSource
from napari_sem4d.widgets.profile_model import Line, Lines, StepMarks
from napari_sem4d.widgets.workspace import sem4d_metadata

VERSION = 1
Part = Annotated[float, Field(ge=0, le=1)]
Coordinate = Annotated[float, Field(allow_inf_nan=False)]


class Stretch(StrictModel):
    """A fitted part of a line."""

    start: Part
    """Where it begins, as a part of the length"""
    end: Part
    """Where it ends, as a part of the length"""
    d: Literal[1, -1]
    """Level that it belongs to: +1 or -1"""


class Step(StrictModel):
    """What is fitted in step mode."""

    kind: Literal["auto", "edge", "groove"] = "auto"
    """Two levels, a groove or ridge by ISO 5436-1, or the one that is there"""
    stretches: list[Stretch] | None = None
    """Fitted stretches; null: found automatically"""


class SavedLine(StrictModel):
    """One line."""

    name: str = Field(min_length=1)
    """Unique name"""
    colour: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")
    """Colour as #rrggbb"""
    kind: Literal["line", "path", "rectangle"]
    """Straight line, polyline, or rectangle that is averaged over its width"""
    points: list[tuple[Coordinate, Coordinate]] = Field(min_length=2)
    """(y, x) of its points in the length unit of the file; y grows downwards"""
    cursors: tuple[Part, Part]
    """Cursor pair, as parts of the length"""
    step: Step = Step()
    """What is fitted in step mode"""

    @model_validator(mode="after")
    def _whole(self) -> SavedLine:
        number = {"line": 2, "rectangle": 4}.get(self.kind)
        if number is not None and len(self.points) != number:
            raise ValueError(f"a {self.kind} has {number} points, not {len(self.points)}")
        return self


class SavedMap(StrictModel):
    """The map that the lines were drawn on; for the reader, and to find it again."""

    layer: str = ""
    """Name of the layer"""
    path: str = ""
    """File or folder of the result, where known"""
    relative: bool = False
    """True where no reference has fixed the height scale"""
    value_unit: str = ""
    """Unit of the heights, empty where not known"""


class ProfileSession(StrictModel):
    """All lines of a Profile dock."""

    format: Literal["sem4d-profile-lines"] = "sem4d-profile-lines"
    """What the file is"""
    version: Literal[1] = VERSION
    """Version of this form"""
    length_unit: Literal["nm", "pixel"]
    """Unit of the points"""
    width_px: int = Field(1, ge=1, le=999)
    """Width of the average across lines and polylines, pixels"""
    source: SavedMap = SavedMap()
    """The map that the lines were drawn on"""
    lines: list[SavedLine]
    """The lines"""

    @model_validator(mode="after")
    def _unique(self) -> ProfileSession:
        names = [line.name for line in self.lines]
        if len(set(names)) != len(names):
            raise ValueError("two lines have the same name")
        return self

    def as_lines(self) -> Lines:
        """The lines as the dock has them."""
        return tuple(
            Line(
                saved.name,
                saved.colour,
                saved.kind,
                np.array(saved.points, dtype=float),
                saved.cursors,
                StepMarks(
                    saved.step.kind,
                    None
                    if saved.step.stretches is None
                    else tuple((part.start, part.end, part.d) for part in saved.step.stretches),
                ),
            )
            for saved in self.lines
        )


def session_of(lines: Lines, source: HeightSource, width_px: int) -> ProfileSession:
    """Lines and their map as they go into a file."""
    return ProfileSession(
        length_unit="nm" if source.length_unit == "nm" else "pixel",
        width_px=width_px,
        source=SavedMap(
            layer=source.name,
            path=str(sem4d_metadata(source.layer).get("path", "")),
            relative=source.relative,
            value_unit=source.value_unit,
        ),
        lines=[_saved(line) for line in lines],
    )


def _saved(line: Line) -> SavedLine:
    stretches = None
    if line.step.stretches is not None:
        stretches = [
            Stretch(start=_part(a), end=_part(b), d=1 if d > 0 else -1) for a, b, d in line.step.stretches
        ]
    return SavedLine(
        name=line.name,
        colour=line.colour,
        kind=line.kind,  # type: ignore[arg-type]
        points=[(float(y), float(x)) for y, x in np.asarray(line.points)[:, -2:]],
        cursors=(_part(line.cursors[0]), _part(line.cursors[1])),
        step=Step(kind=line.step.kind, stretches=stretches),  # type: ignore[arg-type]
    )


def _part(value: float) -> float:
    return float(min(max(value, 0.0), 1.0))


def save_session(path: Path, session: ProfileSession) -> None:
    """Write a session file (UTF-8 JSON)."""
    path.write_text(session.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load_session(path: Path) -> ProfileSession:
    """Read a session file.

    Raises
    ------
    InputError
        If it cannot be read, is no such file, or is of a later version; the sentence names the place.
    """
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): choose another file.") from error
    except ValueError as error:
        raise InputError(
            f"{path} is not a file of profile lines, for it is not JSON text: choose one that 'Save lines' wrote."
        ) from error
    if not isinstance(entry, dict) or entry.get("format") != "sem4d-profile-lines":
        raise InputError(f"{path} is not a file of profile lines: choose one that 'Save lines' wrote.")
    if isinstance(entry.get("version"), int) and entry["version"] > VERSION:
        raise InputError(
            f"{path} was written by a later version (form {entry['version']}, this program knows {VERSION}): "
            "update napari-sem4d."
        )
    try:
        return ProfileSession.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            f"{path} is damaged at {where}: {first['msg']}. Mend it in an editor or save the lines again."
        ) from error
