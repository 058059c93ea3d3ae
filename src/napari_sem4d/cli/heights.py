"""Options and words that the commands share which measure or write heights."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sem4d.cli.console import INPUT_AT_FAULT, note
from napari_sem4d.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from napari_sem4d.io.heights import Heights
    from napari_sem4d.metrology.evaluate import Figure
    from napari_sem4d.metrology.surface import Surface, Treatment

Source = Annotated[
    Path,
    typer.Argument(
        metavar="RESULT.zarr|HEIGHTMAP",
        help="A result, or a height map: float TIFF, .gwy, .gsf, .x3p, .sur, XYZ text; with the extra surface-io "
        "many more.",
    ),
]
PixelNm = Annotated[
    float | None, typer.Option(metavar="NM", help="Pixel size of a file that does not say it (TIFF), nm.")
]
Unit = Annotated[
    str | None, typer.Option(metavar="UNIT", help="Unit of the heights of a file that does not say it: nm, um, m.")
]
Channel = Annotated[
    int | None, typer.Option(min=0, help="Channel of a file, counted from 0; the first height without it.")
]
Frames = Annotated[
    list[int] | None,
    typer.Option("--frame", min=0, help="Frame, from 0, as often as needed; all finished ones without it."),
]
Levelling = Annotated[
    str,
    typer.Option(help="none, mean, plane, facet, lines, or polynomial2 to polynomial8: what is removed."),
]
SNm = Annotated[
    float | None,
    typer.Option("--s-nm", metavar="NM", help="Nesting index of the S filter: removes the short."),
]
LNm = Annotated[
    float | None,
    typer.Option("--l-nm", metavar="NM", help="Nesting index of the L filter: removes the long."),
]
Region = Annotated[
    tuple[int, int, int, int] | None,
    typer.Option(metavar="ROW COLUMN ROWS COLUMNS", help="Area to use, pixels; the whole map without it."),
]
Reliable = Annotated[
    tuple[float, float] | None,
    typer.Option(metavar="SHORTEST LONGEST", help="Band of wavelengths that the instrument gives reliably, nm."),
]
RelativeUnits = Annotated[
    bool, typer.Option("--relative-units", help="Give figures of a relative height, in relative units.")
]
Csv = Annotated[
    Path | None, typer.Option("--csv", metavar="TABLE.csv", help="Write the table there; nothing is overwritten.")
]


def open_source(path: Path, pixel_nm: float | None, unit: str | None, channel: int | None) -> Heights:
    """Open what is to be measured; what looks wrong in it is said on stderr."""
    from napari_sem4d import api

    heights = api.open_heights(
        path, pixel_nm=None if pixel_nm is None else (pixel_nm, pixel_nm), unit=unit, channel=channel
    )
    for question in heights.questions:
        note(f"Warning: {question}")
    return heights


def treatment(levelling: str, s_nm: float | None, l_nm: float | None) -> Treatment:
    """What is done before measuring.

    Raises
    ------
    SettingsError
        If the words or lengths make no sense.
    """
    from napari_sem4d.errors import InputError
    from napari_sem4d.metrology.surface import Treatment

    try:
        return Treatment(levelling, s_nm, l_nm)
    except InputError as error:
        raise SettingsError(str(error)) from error


def region_mask(shape: tuple[int, int], region: tuple[int, int, int, int] | None) -> np.ndarray | None:
    """Mask (Y, X) of a rectangle; None for the whole map.

    Raises
    ------
    SettingsError
        If the rectangle does not lie on the map.
    """
    if region is None:
        return None
    import numpy as np

    row, column, rows, columns = region
    if min(row, column) < 0 or min(rows, columns) < 1 or row + rows > shape[0] or column + columns > shape[1]:
        raise SettingsError(
            f"--region {row} {column} {rows} {columns} leaves the map, which has {shape[0]} rows and "
            f"{shape[1]} columns"
        )
    mask = np.zeros(shape, dtype=bool)
    mask[row : row + rows, column : column + columns] = True
    return mask


def prepared(
    heights: Heights,
    frame: int,
    how: Treatment,
    region: tuple[int, int, int, int] | None,
    reliable: tuple[float, float] | None,
) -> Surface:
    """One frame, cut, levelled and filtered, with its draws."""
    from napari_sem4d.metrology.surface import prepare_surface

    return prepare_surface(
        heights.height(frame),
        heights.pixel_nm,
        how,
        region=region_mask(heights.shape, region),
        draws=heights.draws(frame),
        relative=heights.relative,
        reliable_nm=reliable,
        scale_std=heights.scale_std,
    )


def chosen_frames(heights: Heights, frames: Iterable[int] | None) -> list[int]:
    """The frames asked for, or all that are finished."""
    return list(frames) if frames else list(heights.ready)


def described(heights: Heights) -> dict[str, Any]:
    """What was measured, as JSON can hold it."""
    return {
        "path": str(heights.path),
        "title": heights.title,
        "shape": list(heights.shape),
        "pixel_nm": list(heights.pixel_nm),
        "scale_status": "relative" if heights.relative else "calibrated",
        "calibration": heights.calibration,
        "scale_standard_uncertainty": heights.scale_std,
        "draws": heights.number_of_draws,
        "questions": list(heights.questions),
    }


def source_text(data: dict[str, Any]) -> str:
    """The same in one line."""
    (y, x), (py, px) = data["shape"], data["pixel_nm"]
    pixel = f"{px:g} nm" if abs(px - py) < 1e-6 * px else f"{px:g} x {py:g} nm"
    scale = ", relative height" if data["scale_status"] == "relative" else ""
    return f"{data['title']}: {x} x {y} pixels of {pixel}{scale}"


def figure_record(figure: Figure) -> dict[str, Any]:
    """One figure as JSON can hold it: no NaN."""
    return {key: number(value) if isinstance(value, float) else value for key, value in asdict(figure).items()}


def number(value: float) -> float | None:
    """A finite number, else None."""
    return float(value) if math.isfinite(value) else None


def numbers(values: Iterable[float]) -> list[float | None]:
    """Finite numbers, None for the others."""
    return [number(float(v)) for v in values]


def figures_text(figures: list[dict[str, Any]]) -> str:
    """Figures in aligned columns, refusals below them."""
    lines, refused = [], []
    for figure in figures:
        if figure["refusal"]:
            refused.append(figure)
            continue
        value = "-" if figure["value"] is None else f"{figure['value']:.5g}"
        line = f"  {figure['name']:6} {value:>11} {figure['unit']:6}"
        if figure["low"] is not None:
            percent = 100 * figure["coverage"]
            line += f"  {percent:.0f} %: {figure['low']:.5g} to {figure['high']:.5g}"
        lines.append(line.rstrip())
    by_reason: dict[str, list[str]] = {}
    for figure in refused:
        by_reason.setdefault(figure["refusal"].replace(figure["name"], "it", 1), []).append(figure["name"])
    for figure in refused:
        names = by_reason.pop(figure["refusal"].replace(figure["name"], "it", 1), None)
        if names:
            lines.append(f"  not given: {', '.join(names)}. {figure['refusal']}")
    return "\n".join(lines)


def write_text(path: Path | None, text: str) -> None:
    """Write a table where one is asked for; nothing is overwritten.

    Raises
    ------
    StoreError
        If the file is there already.
    """
    if path is None:
        return
    free(path)
    path.write_text(text, encoding="utf-8", newline="\n")
    note(f"Written to {path}.")


def free(path: Path | None) -> None:
    """Make sure that nothing would be overwritten, before the work is done.

    Raises
    ------
    StoreError
        If the file is there already.
    """
    if path is not None and path.exists():
        raise StoreError(f"{path} exists already; choose another name, or remove it first")


def figure_names(text: str | None, known: dict[str, Any]) -> list[str] | None:
    """Figures from the command line; None stands for all.

    Raises
    ------
    SettingsError
        If one is not known.
    """
    if text is None:
        return None
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise SettingsError(f"--names {text}: choose among {', '.join(known)}")
    return wanted


def treated(
    levelling: str, s_nm: float | None, l_nm: float | None, region: tuple[int, int, int, int] | None
) -> dict[str, Any]:
    """Levelling, filters and region, as JSON can hold them."""
    return {"levelling": levelling, "s_nm": s_nm, "l_nm": l_nm, "region": None if region is None else list(region)}


def end_if_all_refused(found: list[dict[str, Any]]) -> None:
    """An answer without a single number is no answer."""
    if all(figure["refusal"] for part in found for figure in part["figures"]):
        raise typer.Exit(INPUT_AT_FAULT)
