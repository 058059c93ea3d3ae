"""`sem4d roughness`, `spectrum`, `compare`: figures of results and height maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sem4d.cli import heights as shared
from napari_sem4d.cli.console import Json, answer, note, told
from napari_sem4d.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np

    from napari_sem4d.io.heights import Heights


@told
def roughness(
    source: shared.Source,
    pixel_nm: shared.PixelNm = None,
    unit: shared.Unit = None,
    channel: shared.Channel = None,
    frame: shared.Frames = None,
    levelling: shared.Levelling = "plane",
    s_nm: shared.SNm = None,
    l_nm: shared.LNm = None,
    region: shared.Region = None,
    reliable_nm: shared.Reliable = None,
    names: Annotated[
        str | None, typer.Option(metavar="Sa,Sq,...", help="Figures of ISO 25178-2; all without it.")
    ] = None,
    relative_units: shared.RelativeUnits = False,
    csv: shared.Csv = None,
    json: Json = False,
) -> None:
    """Areal roughness (ISO 25178-2) of every frame, with intervals where the result has posterior draws."""
    from napari_sem4d.metrology.evaluate import evaluate
    from napari_sem4d.metrology.registry import AREAL
    from napari_sem4d.metrology.tables import tables_csv

    shared.free(csv)
    how = shared.treatment(levelling, s_nm, l_nm)
    wanted = shared.figure_names(names, AREAL)
    heights = shared.open_source(source, pixel_nm, unit, channel)
    tables, found = [], []
    for t in shared.chosen_frames(heights, frame):
        surface = shared.prepared(heights, t, how, region, reliable_nm)
        figures = evaluate(surface, wanted, unscaled=relative_units)
        tables.append(({"source": heights.path.name, "frame": str(t), "time": heights.time_text(t)}, figures))
        found.append(_frame(heights, t, figures) | {"masked_fraction": surface.masked_fraction})
    shared.write_text(csv, tables_csv(tables))
    data = shared.described(heights) | shared.treated(levelling, s_nm, l_nm, region) | {"frames": found}
    answer(data, json, _frames_text)
    shared.end_if_all_refused(found)


@told
def spectrum(
    source: shared.Source,
    pixel_nm: shared.PixelNm = None,
    unit: shared.Unit = None,
    channel: shared.Channel = None,
    frame: shared.Frames = None,
    kind: Annotated[
        str, typer.Option(metavar="radial|x|y", help="Mean over all directions (nm4), or of the lines (nm3).")
    ] = "radial",
    window: Annotated[str, typer.Option(metavar="hann|none", help="Window against the jump at the rim.")] = "hann",
    levelling: shared.Levelling = "plane",
    s_nm: shared.SNm = None,
    l_nm: shared.LNm = None,
    region: shared.Region = None,
    relative_units: shared.RelativeUnits = False,
    csv: shared.Csv = None,
    json: Json = False,
) -> None:
    """Power spectrum of every frame; with posterior draws the noise is subtracted and intervals are given."""
    from napari_sem4d.metrology.surface_spectrum import KINDS, surface_spectrum
    from napari_sem4d.metrology.tables import columns_csv

    shared.free(csv)
    if kind not in KINDS or window not in ("hann", "none"):
        raise SettingsError(f"--kind is {', '.join(KINDS)} and --window hann or none, not {kind} and {window}")
    how = shared.treatment(levelling, s_nm, l_nm)
    heights = shared.open_source(source, pixel_nm, unit, channel)
    found: list[dict[str, Any]] = []
    parts: list[tuple[dict[str, str], dict[str, np.ndarray]]] = []
    for t in shared.chosen_frames(heights, frame):
        surface = shared.prepared(heights, t, how, region, None)
        one = surface_spectrum(surface, kind, window, unscaled=relative_units)
        powers = {"power": one.power, "noise": one.noise, "low": one.low, "high": one.high}
        columns = {"frequency_per_nm": one.frequency_per_nm, "wavelength_nm": one.wavelength_nm}
        columns |= {name: values for name, values in powers.items() if values is not None}
        head = {"frame": t, "time": heights.time_text(t), "kind": kind, "unit": one.unit}
        found.append(head | {name: shared.numbers(values) for name, values in columns.items()})
        named = {f"{k} ({one.unit})" if k in powers else k: v for k, v in columns.items()}
        parts.append(({"frame": str(t), "time": heights.time_text(t)}, named))
    shared.write_text(csv, columns_csv(parts))
    data = shared.described(heights) | shared.treated(levelling, s_nm, l_nm, region) | {"spectra": found}
    answer(data, json, lambda d: f"{shared.source_text(d)}\n{columns_csv(parts).rstrip()}")


@told
def compare(
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="The map that counts as true.")],
    moving: Annotated[Path, typer.Argument(metavar="MAP", help="The map that is compared with it.")],
    pixel_nm: shared.PixelNm = None,
    unit: shared.Unit = None,
    frame: Annotated[int, typer.Option(min=0, help="Frame of MAP, counted from 0.")] = 0,
    reference_frame: Annotated[int, typer.Option(min=0, help="Frame of REFERENCE, counted from 0.")] = 0,
    channel: shared.Channel = None,
    largest_shift_nm: Annotated[
        float | None, typer.Option(metavar="NM", help="Shifts beyond this are not searched.")
    ] = None,
    repeats: Annotated[
        bool, typer.Option("--repeats", help="The two are repeats of one measurement: give its noise as well.")
    ] = False,
    difference: Annotated[
        Path | None, typer.Option(metavar="MAP.tif", help="Write the difference there (any map format).")
    ] = None,
    json: Json = False,
) -> None:
    """Lay two maps of the same area over each other: shift, amplitude, difference, correlation."""
    from napari_sem4d.io.height_map import height_map
    from napari_sem4d.io.surfaces import write_surface
    from napari_sem4d.metrology.comparison import compare as compare_maps
    from napari_sem4d.metrology.comparison import measurement_noise

    shared.free(difference)
    # A result says all by itself; what is given belongs to the file beside it.
    one, two = (
        shared.open_source(path, None, None, None)
        if path.is_dir()
        else shared.open_source(path, pixel_nm, unit, channel)
        for path in (reference, moving)
    )
    first, second = one.height(reference_frame), two.height(frame)
    found = compare_maps(first, one.pixel_nm, second, two.pixel_nm, largest_shift_nm=largest_shift_nm)
    data: dict[str, Any] = {
        "reference": shared.described(one) | {"frame": reference_frame},
        "map": shared.described(two) | {"frame": frame},
        "shift_nm": {"x": found.shift_nm[0], "y_up": found.shift_nm[1]},
        "amplitude": found.amplitude,
        "correlation": found.correlation,
        "overlap": found.overlap,
        # A relative height has no nm: the difference needs both scales, the scaled one that of the reference.
        "rms_nm": None if one.relative or two.relative else found.rms_nm,
        "rms_scaled_nm": None if one.relative else found.rms_scaled_nm,
    }
    if repeats:
        relative = one.relative or two.relative
        data["measurement_noise_nm"] = None if relative else measurement_noise(first, second, one.pixel_nm)
    if difference is not None:
        relative = one.relative or two.relative
        surface = height_map(found.difference, one.pixel_nm, f"{two.title} - {one.title}", relative=relative)
        write_surface(difference, surface)
        note(f"Written to {difference}.")
    answer(data, json, _comparison_text)


def _frame(heights: Heights, frame: int, figures: list[Any]) -> dict[str, Any]:
    return {
        "frame": frame,
        "time": heights.times[frame] if heights.time_unit == "s" else None,
        "figures": [shared.figure_record(figure) for figure in figures],
    }


def _frames_text(data: dict[str, Any]) -> str:
    filters = [f"{k} {data[f'{k.lower()}_nm']:g} nm" for k in "SL" if data[f"{k.lower()}_nm"] is not None]
    lines = [
        shared.source_text(data),
        f"levelling {data['levelling']}; {', '.join(filters) or 'no S or L filter'}",
    ]
    if data["scale_standard_uncertainty"] and data["draws"]:
        lines.append(
            "Intervals hold the noise and the calibration, which knows the height scale to "
            f"{100 * data['scale_standard_uncertainty']:.2g} % (standard uncertainty)."
        )
    for part in data["frames"]:
        time = "" if part["time"] is None else f", t = {part['time']:g} s"
        lines.append(f"frame {part['frame']}{time}; {100 * part['masked_fraction']:.3g} % without height")
        lines.append(shared.figures_text(part["figures"]))
    return "\n".join(lines)


def _comparison_text(data: dict[str, Any]) -> str:
    def length(value: float | None) -> str:
        return "not given in nm: a height scale is relative" if value is None else f"{value:.5g} nm"

    lines = [
        f"reference    {shared.source_text(data['reference'])}",
        f"map          {shared.source_text(data['map'])}",
        f"shift        {data['shift_nm']['x']:.5g} nm to the right, {data['shift_nm']['y_up']:.5g} nm up",
        f"amplitude    {data['amplitude']:.5g} (map over reference)",
        f"correlation  {data['correlation']:.5f} over {100 * data['overlap']:.3g} % of the reference",
        f"difference   {length(data['rms_nm'])} (root mean square, plane removed)",
        f"  scaled     {length(data['rms_scaled_nm'])} (after division by the amplitude)",
    ]
    if "measurement_noise_nm" in data:
        lines.append(f"noise        {length(data['measurement_noise_nm'])} (Sq of the difference over sqrt 2)")
    return "\n".join(lines)
