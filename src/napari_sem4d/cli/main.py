"""The commands, each a few lines: what they do stands in the rooms below."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_sem4d import __version__
from napari_sem4d.cli.console import EXIT_CODES, Json, answer, note, told

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
