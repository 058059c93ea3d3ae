"""`sem4d simulate`: images of a known surface."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sem4d.cli.console import Json, told
from napari_sem4d.cli.options import Preset, Set, SettingsFile, read_settings
from napari_sem4d.errors import SettingsError

if TYPE_CHECKING:
    from napari_sem4d.forward.engine import SimulatorName


@told
def simulate(
    height: Annotated[
        str,
        typer.Argument(
            metavar="HEIGHT|SCENE",
            help="Height map (TIFF, .npy in nm, .gwy, .gsf, .x3p, .sur, XYZ), or the name of a scene.",
        ),
    ],
    electrons: Annotated[int, typer.Option(min=0, help="Primary electrons a pixel.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make; nothing is overwritten.")],
    settings: SettingsFile = None,
    set_: Set = None,
    detector: Preset = None,
    engine: Annotated[
        str, typer.Option(metavar="monte_carlo|vift|local", help="Engine; vift and local add counting noise.")
    ] = "monte_carlo",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the electrons and of a scene's random places.")] = 0,
    pixel_nm: Annotated[
        float | None, typer.Option(help="Pixel of a scene, or of a file that does not say it, nm.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the heights of a file that does not say it.")] = None,
    size: Annotated[int, typer.Option(min=2, help="Rows and columns of a scene.")] = 128,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Of a scene, as often as needed: lengths in rho50, angles in degrees."
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all cores without it.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    json: Json = False,
) -> None:
    """Simulate images of a known surface, with their truth; Ctrl-C keeps what is done, the same call goes on."""
    from napari_sem4d import api
    from napari_sem4d.cli.running import follow, report

    chosen = read_settings(settings, set_, detector)
    numbers = _numbers(parameter or [])
    name: SimulatorName = engine  # type: ignore[assignment]  # told apart by simulate_steps
    result = follow(
        lambda cancel: api.simulate_steps(
            height, out, chosen, electrons, engine=name, seed=seed, pixel_nm=pixel_nm, unit=unit, size=size,
            parameters=numbers, threads=threads, cancel=cancel,
        ),
        quiet,
    )  # fmt: skip
    report(result, ("path", "cancelled", "error", "warnings", "seconds"), json, _text)


def _text(data: dict[str, Any]) -> str:
    if data["cancelled"]:
        return f"{data['path']}: cancelled after {data['seconds']:.1f} s; the same call goes on from there."
    return f"{data['path']}: simulated in {data['seconds']:.1f} s; the truth is in its folder 'truth'."


def _numbers(pairs: list[str]) -> dict[str, float]:
    numbers = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        try:
            numbers[name.strip()] = float(text)
        except ValueError:
            equals = ""
        if not equals:
            raise SettingsError(f"--parameter {pair}: write NAME=VALUE with a number, for example period=20")
    return numbers
