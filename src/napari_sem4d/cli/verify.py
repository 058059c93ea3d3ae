"""`sem4d verify`: does a finished surface show the images that it was made from?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sem4d.cli.console import CANCELLED, INPUT_AT_FAULT, Json, answer, note, told

if TYPE_CHECKING:
    from napari_sem4d.records import Record
    from napari_sem4d.verification import Verification


@told
def verify(
    result: Annotated[Path, typer.Argument(metavar="RESULT.zarr", help="Result of a reconstruction.")],
    frame: Annotated[int | None, typer.Option(help="Frame, from 0; the first finished one without it.")] = None,
    pixels: Annotated[int, typer.Option(help="Pixels to simulate, at random and by slope.")] = 4000,
    electrons: Annotated[int, typer.Option(help="Primary electrons a pixel.")] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of pixels and of the electrons.")] = 0,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the images, if they were moved.")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="Tolerated difference, in units of the flat signal.")] = 0.05,
    scale_tolerance: Annotated[float, typer.Option(help="Tolerated deviation of the height scale from 1.")] = 0.05,
    brightness_tolerance: Annotated[
        float, typer.Option(help="Tolerated deviation of the brightness (calibrated results only).")
    ] = 0.10,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all cores without it.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Write the verdict into the result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    json: Json = False,
) -> None:
    """Simulate pixels of a surface by Monte Carlo and compare with its images; exit code 0 only if it agrees."""
    from napari_sem4d import api
    from napari_sem4d.cli.running import follow
    from napari_sem4d.verification import Tolerances, Verification

    found: list[Verification] = []
    tolerances = Tolerances(tolerance, scale_tolerance, brightness_tolerance)

    def steps(cancel: threading.Event) -> Iterator[Record]:
        for record in api.verify_steps(
            result, frame=frame, pixels=pixels, electrons=electrons, seed=seed, images=images,
            tolerances=tolerances, threads=threads, cancel=cancel,
        ):  # fmt: skip
            if isinstance(record, Verification):
                found.append(record)
            else:
                yield record

    run = follow(steps, quiet)
    if run["error"]:
        if json:
            answer({key: run[key] for key in ("path", "error", "warnings", "seconds")}, json, str)
        note(f"sem4d: {run['error']}")
        raise typer.Exit(INPUT_AT_FAULT)
    if run["cancelled"]:
        note("Cancelled; nothing was written.")
        raise typer.Exit(CANCELLED)
    verdict = found[0]
    if keep:
        api.keep_verification(result, verdict)
    answer({"path": str(result), **verdict.as_dict()}, json, _text)
    if verdict.verdict != "agrees":
        raise typer.Exit(INPUT_AT_FAULT)


def _text(data: dict[str, Any]) -> str:
    lines = [f"{data['path']}, frame {data['frame']}: {data['sentences'][0]}"]
    lines += [f"  {sentence}" for sentence in data["sentences"][1:]]
    lines += [
        "",
        "Measured minus simulated, % of the flat signal, with 95 % interval, by segment and slope towards it "
        "(in brackets: what would have been found)",
    ]
    for band in data["comparison"]["bands"]:
        d, (low, high) = band["difference"], band["facing_deg"]
        lines.append(
            f"  {data['segments'][band['segment']]:<12} {low:+4.0f} to {high:+4.0f} deg {band['pixels']:6d} px"
            f" {100 * d['value']:+7.1f}  {100 * d['low']:+6.1f} to {100 * d['high']:+6.1f}"
            f"  ({100 * d['detectable']:.1f})"
        )
    lines.append(
        f"{data['pixels']} pixels of {data['electrons']} electrons in {data['material']}, seed {data['seed']}, "
        f"{data['seconds']:.0f} s"
    )
    return "\n".join(lines)
