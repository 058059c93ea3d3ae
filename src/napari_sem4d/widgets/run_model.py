"""A reconstruction as the dock runs it: where to, how far, what to show (no Qt)."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_sem4d.errors import Sem4dError, StoreError
from napari_sem4d.records import Failed, Preview, Progress, Record

PREVIEW_SECONDS = 0.2
"""Least time between two previews: at most 5 a second."""


def guarded(steps: Iterator[Record], path: Path, what: str = "The reconstruction") -> Iterator[Record]:
    """Pass records on; too frequent previews are left out, errors become a record.

    An exception that leaves a worker thread raises a second, misleading one in napari, so none does.
    """
    last = -PREVIEW_SECONDS
    try:
        leave_one_core()
        for record in steps:
            if isinstance(record, Preview):
                now = time.monotonic()
                if now - last < PREVIEW_SECONDS:
                    continue
                last = now
            yield record
    except Sem4dError as error:
        yield Failed(str(error), path)
    except MemoryError:
        yield Failed("There is not enough memory for this image; close other programs or crop the series.", path)
    except Exception as error:
        yield Failed(f"{what} stopped unexpectedly ({type(error).__name__}: {error}).", path)


def leave_one_core() -> None:
    """Leave a core to the window, in the thread that computes (OpenMP counts threads per thread)."""
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))


def new_output(inputs: tuple[Path, ...]) -> Path:
    """A store that does not exist yet: beside the data, or in the home folder where that is read-only.

    Parameters
    ----------
    inputs : tuple of Path
        The files or the folder of the series.
    """
    first = inputs[0] if inputs else Path.home() / "series"
    stem = first.name if first.is_dir() or not first.suffix else first.stem
    folder = first.parent
    if not is_writable(folder):
        folder = Path.home() / "sem4d-results"
    number = 1
    while (target := folder / f"{stem}-height-{number:03d}.zarr").exists():
        number += 1
    return target


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder (asking the system is not reliable everywhere, so try)."""
    if not folder.is_dir():
        return False
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def check_output(path: Path, resume: bool) -> None:
    """Refuse to overwrite.

    Raises
    ------
    StoreError
        If the store exists and the run is not to be resumed, or is to be resumed and does not exist.
    """
    if path.suffix != ".zarr":
        raise StoreError(f"The result {path.name} needs a name that ends in .zarr; please rename it.")
    if resume and not path.exists():
        raise StoreError(f"There is no result at {path} to resume; choose the folder of an interrupted result.")
    if not resume and path.exists():
        raise StoreError(f"{path} exists already and is not overwritten; choose another name, or resume it.")


def finished_frames(dataset: Any) -> set[int]:
    """Frames of a stored result that are done."""
    return {i for i, state in enumerate(dataset["frame_state"].values) if int(state) == 1}


def progress_text(record: Progress) -> str:
    """How far a run is, in words."""
    text = record.message
    if record.frame is not None and record.frames is not None:
        text = f"Frame {record.frame + 1} of {record.frames}: {text}"
    if record.seconds_left is not None:
        text += f", {duration_text(record.seconds_left)} left"
    return text


def duration_text(seconds: float) -> str:
    """A duration in words that a person would use."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


class OneJob:
    """One job at a time in this process."""

    _lock = threading.Lock()

    @classmethod
    def take(cls) -> bool:
        """Take the place; False when a job has it."""
        return cls._lock.acquire(blocking=False)

    @classmethod
    def give_back(cls) -> None:
        """Let the next job begin."""
        if cls._lock.locked():
            cls._lock.release()


def device_text(choice: str = "auto") -> str:
    """The device that computes, in words (imports torch: call it in a thread).

    Parameters
    ----------
    choice : str
        "auto", "cpu", "cuda" or "mps", as in the settings.

    Raises
    ------
    SettingsError
        If that device is not there.
    """
    import torch

    from napari_sem4d.run_setup import choose_device

    device = choose_device(choice)
    if device.type == "cuda":
        return f"GPU, {torch.cuda.get_device_name(device)}"
    if device.type != "cpu":
        return f"GPU, {device.type}"
    cores = os.cpu_count() or 1
    return f"CPU, {max(1, cores - 1)} of {cores} cores (one is left to the window)" if cores > 1 else "CPU"


@dataclass(frozen=True)
class Effort:
    """How much a verification simulates: pixels at most, electrons in each."""

    name: str
    pixels: int
    electrons: int


EFFORTS = (Effort("quick", 1000, 500), Effort("usual", 4000, 1500), Effort("thorough", 8000, 4000))
"""The second is the command line's default."""
