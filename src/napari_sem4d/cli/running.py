"""Follow a long computation: progress on stderr, Ctrl-C cancels and keeps what is finished."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from napari_sem4d import records
from napari_sem4d.cli.console import CANCELLED, INPUT_AT_FAULT, answer, errors, note


class _TimeLeft(ProgressColumn):
    """The run's own estimate of the time left."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        seconds = task.fields.get("seconds_left")
        return Text("" if seconds is None else f"{_duration(seconds)} left")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def cancelled_by_ctrl_c() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C sets; the second one ends the program at once."""
    event = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()
        note("Cancelling after the step under way; finished frames are kept. Ctrl-C again ends at once.")

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def follow(steps: Callable[[threading.Event], Iterator[records.Record]], quiet: bool = False) -> dict[str, Any]:
    """Run to the end and say on stderr how far it is.

    Parameters
    ----------
    steps : callable
        Starts the computation, given the event that cancels it.
    quiet : bool
        Whether to leave the bar away.

    Returns
    -------
    dict
        ``path``, ``frames_done`` and ``frames_failed`` of this run, ``warnings``, ``cancelled``, ``error`` (a
        sentence or None), ``seconds``.
    """
    start = time.monotonic()
    failed: list[int] = []
    warnings: list[str] = []
    out: dict[str, Any] = {"path": None, "frames_done": 0, "cancelled": False, "error": None}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), _TimeLeft())
    with cancelled_by_ctrl_c() as event, Progress(*columns, console=errors(), disable=quiet) as bar:
        task = bar.add_task("Starting", total=1.0, seconds_left=None)
        for record in steps(event):
            if isinstance(record, records.Progress):
                bar.update(
                    task, completed=record.fraction, description=record.message, seconds_left=record.seconds_left
                )
            elif isinstance(record, records.FrameDone):
                out["frames_done"] += 1
            elif isinstance(record, records.FrameFailed):
                failed.append(record.frame)
                bar.console.print(f"Frame {record.frame} cannot be used: {record.message}", markup=False)
            elif isinstance(record, records.Notice):
                warnings.append(record.message)
                bar.console.print(f"Warning: {record.message}", markup=False)
            elif isinstance(record, records.Failed):
                out |= {"error": record.message, "path": _text(record.path)}
            elif isinstance(record, records.Finished):
                out |= {"path": _text(record.path), "cancelled": record.cancelled}
                warnings += [w for w in record.warnings if w not in warnings]
    seconds = round(time.monotonic() - start, 2)
    return out | {"frames_failed": failed, "warnings": warnings, "seconds": seconds}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def report(
    result: dict[str, Any], keys: tuple[str, ...], json: bool, text: Callable[[dict[str, Any]], str]
) -> None:
    """Print what :func:`follow` gave, and end with the exit code that it calls for."""
    if result["error"] is None or json:
        answer({key: result[key] for key in keys}, json, text)
    if result["error"]:
        note(f"sem4d: {result['error']}")
        raise typer.Exit(INPUT_AT_FAULT)
    if result["cancelled"]:
        raise typer.Exit(CANCELLED)
