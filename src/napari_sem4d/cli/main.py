"""The commands, each a few lines: what they do stands in the rooms below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_sem4d import __version__
from napari_sem4d.cli import exporting, learning, measure, profiles
from napari_sem4d.cli import simulate as simulating
from napari_sem4d.cli import verify as verifying
from napari_sem4d.cli.console import EXIT_CODES, Json, answer, note, told
from napari_sem4d.cli.options import Inputs, Preset, Set, SettingsFile, freed, read_settings
from napari_sem4d.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from napari_sem4d.acquisition.series import SemSeries

app = typer.Typer(
    name="sem4d",
    help="Height maps in nanometres from the segments of a scanning electron microscope's detector.\n\n"
    + EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-sem4d {__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """See ``sem4d COMMAND --help`` for each command."""


@app.command(epilog=EXIT_CODES)
@told
def info(
    inputs: Inputs, settings: SettingsFile = None, set_: Set = None, detector: Preset = None, json: Json = False
) -> None:
    """Say what is known about images or a result, where it came from, and what is missing."""
    from napari_sem4d import api
    from napari_sem4d.cli import info as words

    if words.is_result(inputs):
        path = Path(inputs[0])
        answer(words.describe_result(path, api.open_result(path)), json, words.result_text)
        return
    series = api.open_series(inputs, read_settings(settings, set_, detector))
    answer(words.describe_series(series), json, words.series_text)


@app.command(epilog=EXIT_CODES)
@told
def reconstruct(
    inputs: Inputs,
    out: Annotated[Path, typer.Option(metavar="RESULT.zarr", help="Result to make; nothing is overwritten.")],
    settings: SettingsFile = None,
    set_: Set = None,
    detector: Preset = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="CAL.yaml", help="Calibration; without one heights are relative.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="Forward engine, goes before the settings.")] = None,
    free: Annotated[
        list[str] | None,
        typer.Option(
            metavar="azimuth|segment-azimuths",
            help="Find this of the detector's geometry from the images; as often as needed. Refused where they do "
            "not determine it.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the frames that RESULT.zarr lacks.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    json: Json = False,
) -> None:
    """Turn segment images into heights, frame by frame; finished frames are kept whatever happens."""
    from napari_sem4d import api
    from napari_sem4d.cli.running import follow, report

    given = [*(set_ or []), *([f"engine={engine}"] if engine else []), *freed("free_geometry", free)]
    chosen = read_settings(settings, given, detector)
    reference = api.load_calibration(calibration) if calibration is not None else None
    series = _known(api.open_series(inputs, chosen))
    if draws := chosen.inversion.draws:
        from napari_sem4d.io.layout import estimate_bytes, human_size

        size = human_size(estimate_bytes(series.frames, series.shape, draws))
        note(f"With {draws} draws a frame the result takes up to {size}.")
    result = follow(
        lambda cancel: api.reconstruct_steps(
            series, out, settings=chosen, calibration=reference, resume=resume, cancel=cancel
        ),
        quiet,
    )
    report(result, tuple(result), json, _reconstruct_text)


def _known(series: SemSeries, need_pixel: bool = True) -> SemSeries:
    missing = [key for key in series.missing() if need_pixel or key != "pixel_nm"]
    if missing:
        raise SettingsError(
            f"{', '.join(missing)}: no file says it. Give it with --set KEY=VALUE (the segments also "
            "with --detector), in --settings, or in an acquisition.yaml beside the images"
        )
    return series


def _reconstruct_text(data: dict[str, Any]) -> str:
    from napari_sem4d.cli import info as words

    failed = f", {len(data['frames_failed'])} could not be used" if data["frames_failed"] else ""
    ending = " Cancelled: --resume goes on from there." if data["cancelled"] else ""
    done = words.count(data["frames_done"], "frame")
    return f"{data['path']}: {done} done in {data['seconds']:.1f} s{failed}.{ending}"


@app.command(epilog=EXIT_CODES)
@told
def calibrate(
    inputs: Inputs,
    reference: Annotated[str, typer.Option(metavar="flat|vickers", help="What was imaged.")],
    out: Annotated[Path, typer.Option(metavar="CAL.yaml", help="Calibration to write; nothing is overwritten.")],
    settings: SettingsFile = None,
    set_: Set = None,
    detector: Preset = None,
    frame: Annotated[int, typer.Option(min=0, help="Frame to use, counted from 0.")] = 0,
    region: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(metavar="ROW COLUMN ROWS COLUMNS", help="Area to use, pixels; the whole image without it."),
    ] = None,
    free: Annotated[
        list[str] | None,
        typer.Option(
            metavar="segment-azimuths|polar|working-distance",
            help="Find this of the detector's geometry as well (the common azimuth always is); as often as "
            "needed. Refused where the imprint does not determine it.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Find gains, offsets, azimuths from a reference, with uncertainty, correlations and residual."""
    from napari_sem4d import api
    from napari_sem4d.inversion.calibration import describe

    if reference not in ("flat", "vickers"):
        raise SettingsError(f"--reference {reference}: the references are flat and vickers")
    if out.exists():
        raise StoreError(f"{out} exists already; choose another --out, or remove it first")
    chosen = read_settings(settings, [*(set_ or []), *freed("vickers.free_geometry", free)], detector)
    series = _known(api.open_series(inputs, chosen), need_pixel=reference != "flat")
    if frame >= series.frames:
        raise SettingsError(f"--frame {frame}: the series has {series.frames} frames, counted from 0")
    kind: Literal["flat", "vickers"] = "flat" if reference == "flat" else "vickers"
    found = api.calibrate(series, kind, settings=chosen, frame=frame, region=region)
    found.save(out)
    answer(
        {"path": str(out), **found.model_dump(mode="json")}, json, lambda _: f"{describe(found)}\nsaved as {out}"
    )


for _command in (measure.roughness, profiles.profile, measure.spectrum, measure.compare, exporting.export):
    app.command(epilog=EXIT_CODES)(_command)


app.command(epilog=EXIT_CODES)(simulating.simulate)
app.command(epilog=EXIT_CODES)(verifying.verify)
app.command(epilog=EXIT_CODES)(learning.dataset)
app.command(epilog=EXIT_CODES)(learning.train)


@app.command(epilog=EXIT_CODES)
@told
def doctor(
    json: Json = False,
    opengl: Annotated[
        bool, typer.Option(help="Start OpenGL in a process of its own and name its renderer.")
    ] = True,
) -> None:
    """Say which versions and which device are here, what is missing, and how to get it."""
    from napari_sem4d.doctor import examine

    report = examine(opengl=opengl)
    missing = [{"what": f.what, "remedy": f.remedy, "serious": f.serious} for f in report.faults]
    answer({**report.facts, "missing": missing, "ok": report.ok}, json, _doctor_text)
    if not report.ok:
        raise typer.Exit(1)


def _doctor_text(data: dict[str, Any]) -> str:
    lines = []
    for section, facts in data.items():
        if section in ("missing", "ok"):
            continue
        lines.append(f"{section.capitalize()}")
        for key, value in facts.items():
            shown = (
                ", ".join(value) or "none"
                if isinstance(value, list)
                else {None: "-", True: "yes"}.get(value, value)
            )
            lines.append(f"  {key.replace('_', ' '):26} {'no' if value is False else shown}")
    if not data["missing"]:
        lines.append("Nothing is missing.")
    for fault in data["missing"]:
        lines += [
            f"{'Missing' if fault['serious'] else 'Note'}: {fault['what']}. To get it:",
            f"    {fault['remedy']}",
        ]
    return "\n".join(lines)


@app.command(epilog=EXIT_CODES)
@told
def demo(
    headless: Annotated[bool, typer.Option(help="End when the reconstruction is done, without waiting.")] = False,
    screenshot: Annotated[Path | None, typer.Option(help="Save a picture of the window there (PNG).")] = None,
) -> None:
    """Open napari on the sample series with the reconstruction already under way."""
    import subprocess
    import sys

    # A process of its own: the command line itself never loads napari or Qt.
    command = [sys.executable, "-m", "napari_sem4d.widgets.demo"]
    if headless:
        command.append("--headless")
    if screenshot is not None:
        screenshot.parent.mkdir(parents=True, exist_ok=True)
        command += ["--screenshot", str(screenshot)]
    code = subprocess.run(command).returncode
    if code:
        note("sem4d: The demo did not run to its end. `sem4d doctor` says what is missing on this machine.")
        raise typer.Exit(1)
