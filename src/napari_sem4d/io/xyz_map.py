"""XYZ text and CSV: one point a line, x to the right, y up, on a regular grid; invalid pixels are left out."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

from napari_sem4d.errors import InputError
from napari_sem4d.io.height_map import HeightMap, UnknownUnitError, height_map, unit_nm


def write_csv(path: Path, surface: HeightMap) -> None:
    """The same as :func:`write_xyz` with commas, for spreadsheets."""
    write_xyz(path, surface, ",")


def write_xyz(path: Path, surface: HeightMap, separator: str = " ") -> None:
    """Write x, y and height in nm with a header that says so; y grows upwards, as on the screen."""
    rows = surface.height.shape[0]
    row, column = np.nonzero(np.isfinite(surface.height))
    x, y = column * surface.pixel_nm[1], (rows - 1 - row) * surface.pixel_nm[0]
    table = np.column_stack([x, y, surface.height[row, column]])
    note = " (relative)" if surface.relative else ""
    header = f"unit: nm\ncolumns: x, y (up), height{note}\npoints: {len(table)}\ntitle: {surface.title}"
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        np.savetxt(stream, table, fmt="%.9g", header=header, delimiter=separator)


def read_xyz(path: Path, unit: str | None) -> HeightMap:
    """Read points on a regular grid.

    Parameters
    ----------
    path : Path
        Text with three numbers a line, parted by blanks, commas or semicolons.
    unit : str, optional
        Unit of all three; the ``unit:`` line of the header if not given.

    Raises
    ------
    InputError
        If the text holds other things than numbers, the unit is unknown, or the points lie on no regular grid.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is neither a known surface format nor text: export it again.") from error
    comments = [line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")]
    named = next((line.partition(":")[2].strip() for line in comments if line.lower().startswith("unit:")), None)
    chosen = unit or named
    if not chosen:
        raise UnknownUnitError(f"{path.name} does not say its unit: give the unit, for example nm.")
    body = re.sub("[;,\t]", " ", text)
    try:
        table = np.loadtxt(io.StringIO(body), ndmin=2)
    except ValueError as error:
        raise InputError(f"{path.name} is no table of numbers ({error}): export x, y, z in columns.") from error
    if table.shape[0] < 4 or table.shape[1] < 3:
        raise InputError(
            f"{path.name} has {table.shape[0]} lines of {table.shape[1]} columns: x, y and z are needed."
        )
    promised = next(
        (line.partition(":")[2].strip() for line in comments if line.lower().startswith("points:")), ""
    )
    if promised.isdecimal() and int(promised) != len(table):
        raise InputError(f"{path.name} holds {len(table)} of {promised} points: it is truncated, copy it again.")
    scale = unit_nm(chosen, path.name)
    x, y, z = (table[:, k] * scale for k in range(3))
    (column, px), (row, py) = _grid(x, path.name), _grid(y, path.name)
    if np.unique(row * (column.max() + 1) + column).size < z.size:
        raise InputError(f"{path.name} has several heights at one place: a surface has one height at each place.")
    heights = np.full((row.max() + 1, column.max() + 1), np.nan)
    heights[row.max() - row, column] = z
    title = next(
        (line.partition(":")[2].strip() for line in comments if line.lower().startswith("title:")), path.stem
    )
    return height_map(heights, (py, px), title, relative=any("(relative)" in line for line in comments))


def _grid(values: np.ndarray, name: str) -> tuple[np.ndarray, float]:
    """Index of each value on a regular axis, and its step in nm."""
    span = float(np.ptp(values))
    places = np.unique(values)
    # Rounded text gives places that differ in their last digit: those are one.
    places = places[np.concatenate([[True], np.diff(places) > 1e-6 * span])]
    if places.size < 2:
        raise InputError(f"The points of {name} lie on one line: a surface needs rows and columns.")
    step = float(np.median(np.diff(places)))
    index = (values - places[0]) / step
    if np.abs(index - np.rint(index)).max() > 0.05 or np.rint(index).max() > 1e5:
        raise InputError(f"The points of {name} do not lie on a regular grid: export it as a map.")
    whole = np.rint(index).astype(int)
    # The end points fix the step better than one gap that was rounded.
    return whole, span / float(whole.max())
