"""Figures and profiles as CSV text: one form for widget, clipboard and command line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np

from napari_sem4d.metrology.evaluate import Figure
from napari_sem4d.metrology.profile import Profile

_COLUMNS = (
    "name",
    "value",
    "unit",
    "low",
    "high",
    "coverage",
    "std",
    "scale_std",
    "bias",
    "levelling",
    "s_nm",
    "l_nm",
    "masked_fraction",
    "standard",
    "definition",
    "refusal",
)


def figures_csv(figures: Iterable[Figure], extra: dict[str, str] | None = None) -> str:
    """Table of figures, one a line, with a header.

    Parameters
    ----------
    figures : iterable of Figure
        From :func:`~napari_sem4d.metrology.evaluate.evaluate`.
    extra : dict, optional
        Columns put in front with the same value in each line (file, frame, time, region).

    Returns
    -------
    str
        Commas between columns, points in numbers, empty cells where there is nothing.
    """
    return tables_csv([(extra or {}, list(figures))])


def tables_csv(tables: Sequence[tuple[dict[str, str], Sequence[Figure]]], separator: str = ",") -> str:
    """Several tables of figures below each other under one header.

    Parameters
    ----------
    tables : sequence of (dict, sequence of Figure)
        Each with the columns put in front of it (frame, time, region), the same names in all.
    separator : str
        Comma for files, tabulator for the clipboard.
    """
    front = list(tables[0][0]) if tables else []
    rows = [
        [*extra.values(), *(_cell(getattr(figure, name)) for name in _COLUMNS)]
        for extra, figures in tables
        for figure in figures
    ]
    return _csv([*front, *_COLUMNS], rows, separator)


def profiles_csv(profiles: Sequence[Profile], names: Sequence[str]) -> str:
    """Profiles below each other: name, distance, height, standard uncertainty, x and y (down), all in nm."""
    header = ["profile", "distance_nm", "height_nm", "height_std_nm", "x_nm", "y_nm"]
    rows = []
    for name, profile in zip(names, profiles, strict=True):
        std = profile.height_std if profile.height_std is not None else np.full(profile.height_nm.size, np.nan)
        columns = (profile.distance_nm, profile.height_nm, std, profile.x_nm, profile.y_nm)
        rows += [[name, *(_cell(float(v)) for v in values)] for values in zip(*columns, strict=True)]
    return _csv(header, rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.7g}" if np.isfinite(value) else ""
    return str(value)


def columns_csv(parts: Sequence[tuple[dict[str, str], dict[str, np.ndarray]]], separator: str = ",") -> str:
    """Columns of numbers (a spectrum, a curve) below each other under one header.

    Parameters
    ----------
    parts : sequence of (dict, dict)
        Columns put in front with one text for the whole part, and columns of equal length; their names hold the
        units and are the same in all parts.
    separator : str
        Comma for files, tabulator for the clipboard.
    """
    header = [*parts[0][0], *parts[0][1]] if parts else []
    rows = [
        [*front.values(), *(_cell(float(v)) for v in values)]
        for front, columns in parts
        for values in zip(*columns.values(), strict=True)
    ]
    return _csv(header, rows, separator)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]], separator: str = ",") -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()
