"""`sem4d dataset` and `sem4d train`: what ViFT learns from, and how it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_sem4d.cli.console import Json, told

_KEYS = ("path", "cancelled", "error", "seconds")


@told
def dataset(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to fill; finished chunks in it are kept.")],
    patches: Annotated[int, typer.Option(min=1, help="Patches wanted in all.")] = 2000,
    settings: Annotated[
        str,
        typer.Option(metavar="S.yaml|NAME", help="Training set: training_set, validation_set, or a file."),
    ] = "training_set",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all cores without it.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    json: Json = False,
) -> None:
    """Simulate a training set by Monte Carlo; Ctrl-C keeps what is done, the same call goes on."""
    from napari_sem4d.cli.running import follow, report
    from napari_sem4d.surrogate.steps import dataset_steps
    from napari_sem4d.surrogate.training_set import load_training_set

    chosen = load_training_set(settings)
    result = follow(lambda cancel: dataset_steps(out, chosen, patches, threads=threads, cancel=cancel), quiet)
    report(result, _KEYS, json, _text)


@told
def train(
    data: Annotated[Path, typer.Argument(metavar="DATASET", help="Training set, from sem4d dataset.")],
    held_out: Annotated[
        Path, typer.Option(metavar="DATASET", help="Set of other families, materials and energies to stop by.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of checkpoints and of the best weights.")],
    settings: Annotated[Path | None, typer.Option(metavar="S.yaml", help="Training settings.")] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="W.safetensors",
            help="Weights to start from; their architecture holds unless the settings name one, of another depth.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Of torch: cpu, cuda.")] = "cpu",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    json: Json = False,
) -> None:
    """Train ViFT, or go on with a training that was stopped."""
    from napari_sem4d.cli.running import follow, report
    from napari_sem4d.surrogate.steps import train_steps

    result = follow(
        lambda cancel: train_steps(data, held_out, out, settings, start=start, device=device, cancel=cancel), quiet
    )
    report(result, _KEYS, json, _text)


def _text(data: dict[str, Any]) -> str:
    if data["cancelled"]:
        return f"{data['path'] or 'The run'}: cancelled; the same call goes on from there."
    return f"{data['path']}: done in {data['seconds']:.1f} s."
