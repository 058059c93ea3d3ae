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
    front = extra or {}
    rows = [[*front.values(), *(_cell(getattr(figure, name)) for name in _COLUMNS)] for figure in figures]
    return _csv([*front, *_COLUMNS], rows)


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


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()
