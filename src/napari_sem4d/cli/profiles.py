"""`sem4d profile`: heights along lines, their roughness and their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sem4d.cli import heights as shared
from napari_sem4d.cli.console import Json, answer, told
from napari_sem4d.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np

    from napari_sem4d.io.heights import Heights


@told
def profile(
    source: shared.Source,
    points: Annotated[
        list[str],
        typer.Option(
            "--points",
            metavar='"ROW,COLUMN ROW,COLUMN ..."',
            help="A line or polyline, pixels from the centre of the first pixel; as often as needed.",
        ),
    ],
    pixel_nm: shared.PixelNm = None,
    unit: shared.Unit = None,
    channel: shared.Channel = None,
    frame: shared.Frames = None,
    width: Annotated[float, typer.Option(min=0, help="Width across the line to average over, pixels.")] = 1.0,
    step: Annotated[
        str | None, typer.Option(metavar="step|groove|grating", help="Measure step heights as well (ISO 5436-1).")
    ] = None,
    cursors: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="FIRST SECOND",
            help="Where height difference and angle are read, nm along the line; at its ends without it.",
        ),
    ] = None,
    levelling: shared.Levelling = "none",
    s_nm: shared.SNm = None,
    l_nm: shared.LNm = None,
    reliable_nm: shared.Reliable = None,
    names: Annotated[
        str | None, typer.Option(metavar="Ra,Rq,...", help="Figures of ISO 21920-2; all without it.")
    ] = None,
    relative_units: shared.RelativeUnits = False,
    csv: shared.Csv = None,
    json: Json = False,
) -> None:
    """Heights along lines (CSV, JSON), their roughness (ISO 21920-2) and step heights, in every frame.

    The levelling is that of the whole map; S and L filter act on the roughness figures of the profile.
    """
    from napari_sem4d.metrology.evaluate import evaluate_profile
    from napari_sem4d.metrology.registry import PROFILE
    from napari_sem4d.metrology.tables import columns_csv

    shared.free(csv)
    if step not in (None, "step", "groove", "grating"):
        raise SettingsError(f"--step {step}: choose step, groove or grating")
    how = shared.treatment(levelling, None, None)
    shared.treatment(levelling, s_nm, l_nm)
    lines = [_points(text) for text in points]
    wanted = shared.figure_names(names, PROFILE)
    heights = shared.open_source(source, pixel_nm, unit, channel)
    found: list[dict[str, Any]] = []
    parts: list[tuple[dict[str, str], dict[str, np.ndarray]]] = []
    for t in shared.chosen_frames(heights, frame):
        for number, line in enumerate(lines, start=1):
            sampled = _sampled(heights, t, how, line, width)
            figures = evaluate_profile(
                sampled,
                wanted,
                s_nm=s_nm,
                l_nm=l_nm,
                relative=heights.relative,
                reliable_nm=reliable_nm,
                unscaled=relative_units,
            )
            refused = heights.relative and not relative_units
            record = _record(sampled) | _reading(sampled, cursors, heights.relative, refused)
            if step is not None:
                record["steps"] = _steps(sampled, step, refused)
            head: dict[str, Any] = {"profile": f"line {number}", "frame": t, "time": heights.time_text(t)}
            found.append(head | record | {"figures": [shared.figure_record(f) for f in figures]})
            front = {"profile": head["profile"], "time": head["time"]}
            parts.append((front, _samples(sampled, heights.relative)))
    shared.write_text(csv, columns_csv(parts))
    data = (
        shared.described(heights)
        | shared.treated(levelling, s_nm, l_nm, None)
        | {"width_px": width, "profiles": found}
    )
    answer(data, json, _profiles_text)
    shared.end_if_all_refused(found)


def _points(text: str) -> list[list[float]]:
    try:
        points = [[float(v) for v in pair.split(",")] for pair in text.split()]
    except ValueError as error:
        raise SettingsError(f'--points "{text}": write "ROW,COLUMN ROW,COLUMN ..."') from error
    if len(points) < 2 or any(len(point) != 2 for point in points):
        raise SettingsError(f'--points "{text}": two or more pairs are needed, "ROW,COLUMN ROW,COLUMN ..."')
    return points


def _sampled(heights: Heights, frame: int, how: Any, line: list[list[float]], width: float) -> Any:
    import numpy as np

    from napari_sem4d.metrology.profile import sample_polyline

    draws = heights.draws(frame)
    if draws is not None and how.levelling != "none":
        draws = np.stack([how.apply(draw, heights.pixel_nm) for draw in draws])
    height = how.apply(heights.height(frame), heights.pixel_nm)
    std = heights.height_std(frame)
    return sample_polyline(
        height, heights.pixel_nm, np.array(line), width, draws=draws, height_std=std, scale_std=heights.scale_std
    )


def _record(sampled: Any) -> dict[str, Any]:
    record: dict[str, Any] = {
        "length_nm": sampled.length_nm,
        "distance_nm": shared.numbers(sampled.distance_nm),
        "height_nm": shared.numbers(sampled.height_nm),
    }
    if sampled.height_std is not None:
        record["height_std_nm"] = shared.numbers(sampled.height_std)
    return record


def _reading(sampled: Any, cursors: tuple[float, float] | None, relative: bool, refused: bool) -> dict[str, Any]:
    """Height difference, its interval and the angle between two places of a line."""
    from napari_sem4d.metrology.profile import read_cursors

    read = read_cursors(sampled, *(cursors or (0.0, sampled.length_nm)))
    record: dict[str, Any] = {
        "cursor_distance_nm": read.distance_nm,
        "height_difference_nm": None if refused else shared.number(read.height_difference_nm),
        # An angle of a relative height is none, in any unit.
        "angle_deg": None if relative else shared.number(read.angle_deg),
    }
    if read.interval is not None:
        record |= {"low": read.interval.low, "high": read.interval.high}
        record |= {"std": read.interval.std, "scale_std": read.interval.scale_std}
    return record


def _steps(sampled: Any, kind: str, refused: bool) -> list[dict[str, Any]]:
    from napari_sem4d.errors import DomainError
    from napari_sem4d.metrology.step import grating_heights, groove_height, step_height

    if refused:
        raise DomainError(
            "The height scale of this map is relative, so a step height cannot be given in nm: calibrate on a "
            "reference, or add --relative-units."
        )
    if kind == "grating":
        found = grating_heights(sampled)
    else:
        found = [groove_height(sampled) if kind == "groove" else step_height(sampled)]
    steps = []
    for one in found:
        record: dict[str, Any] = {"height_nm": one.height_nm, "noise_nm": one.noise_nm, "low": None, "high": None}
        if (interval := one.interval) is not None:
            record |= {"low": interval.low, "high": interval.high}
            record |= {"std": interval.std, "scale_std": interval.scale_std}
        steps.append(record)
    return steps


def _samples(sampled: Any, relative: bool) -> dict[str, np.ndarray]:
    columns = {
        "distance_nm": sampled.distance_nm,
        "relative_height_nm" if relative else "height_nm": sampled.height_nm,
    }
    if sampled.height_std is not None:
        columns["height_std_nm"] = sampled.height_std
    return columns | {"x_nm": sampled.x_nm, "y_nm": sampled.y_nm}


def _profiles_text(data: dict[str, Any]) -> str:
    lines = [shared.source_text(data)]
    quantity = "nm (relative)" if data["scale_status"] == "relative" else "nm"
    for part in data["profiles"]:
        lines.append(f"{part['profile']}, {part['time']}: {part['length_nm']:.5g} nm long")
        if part["height_difference_nm"] is not None:
            angle = "" if part["angle_deg"] is None else f", {part['angle_deg']:.4g} degrees"
            text = f"{part['height_difference_nm']:.5g} {quantity} over {part['cursor_distance_nm']:.5g} nm{angle}"
            lines.append(f"  height difference {text}{_interval(part)}")
        for one in part.get("steps", ()):
            lines.append(f"  step height {one['height_nm']:.5g} {quantity}{_interval(one)}")
        lines.append(shared.figures_text(part["figures"]))
    return "\n".join(lines)


def _interval(record: dict[str, Any]) -> str:
    return "" if record.get("low") is None else f"  95 %: {record['low']:.5g} to {record['high']:.5g}"
