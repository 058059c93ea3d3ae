"""Training sets and training as records: progress, time left, cancel; what is finished is kept."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from napari_sem4d.errors import Cancelled, Sem4dError
from napari_sem4d.records import Failed, Finished, Progress, Record
from napari_sem4d.surrogate.training_set import TrainingSet


def dataset_steps(
    folder: Path,
    settings: TrainingSet,
    patches: int,
    *,
    threads: int | None = None,
    cancel: threading.Event | None = None,
) -> Iterator[Record]:
    """Make what a training set lacks; the last record is ``Finished`` or ``Failed``.

    Parameters
    ----------
    folder : Path
        Several processes may fill one.
    settings : TrainingSet
    patches : int
        Wanted in all.
    threads : int, optional
        All cores by default.
    cancel : threading.Event, optional
        Set it to stop; finished chunks are kept.
    """
    from napari_sem4d.surrogate.dataset import make_dataset

    stop = cancel or threading.Event()
    shares: queue.Queue[float | Exception | None] = queue.Queue()

    def work() -> None:
        try:
            make_dataset(folder, settings, patches, threads=threads, cancel=stop, progress=shares.put)
            shares.put(None)
        except Exception as error:  # handed to the caller's thread
            shares.put(error)

    start = time.monotonic()
    threading.Thread(target=work, daemon=True).start()
    while (share := shares.get()) is not None:
        if isinstance(share, Cancelled):
            yield Finished(folder, cancelled=True)
            return
        if isinstance(share, Sem4dError):
            yield Failed(str(share), folder)
            return
        if isinstance(share, Exception):
            raise share
        yield Progress(share, "simulating patches", seconds_left=_left(share, start))
    yield Finished(folder)


def train_steps(
    data: Path,
    held_out: Path,
    folder: Path,
    settings_file: Path | None = None,
    *,
    start: Path | None = None,
    device: str = "cpu",
    cancel: threading.Event | None = None,
) -> Iterator[Record]:
    """Train, or go on with a training; the last record is ``Finished`` or ``Failed``.

    Parameters
    ----------
    data, held_out : Path
        Training set, and one of other families, materials and energies for early stopping.
    folder : Path
        Of checkpoints and of the best weights, ``vift.safetensors`` with its card.
    settings_file : Path, optional
        YAML of :class:`~napari_sem4d.surrogate.training.TrainingSettings`.
    start : Path, optional
        Weights to start from. Their architecture holds where the settings name none; else only depth and
        elevations may differ.
    device : str
        Of torch.
    cancel : threading.Event, optional
        Set it to stop; the last checkpoint is kept.
    """
    from napari_sem4d.surrogate.training import Training, load_training_settings
    from napari_sem4d.surrogate.training_data import load_training_data
    from napari_sem4d.surrogate.weights import read_tensors

    try:
        yield Progress(0.0, "reading the training set")
        settings = load_training_settings(settings_file)
        tensors = None if start is None else read_tensors(start)
        if tensors is not None and "architecture" not in settings.model_fields_set:
            settings = settings.model_copy(update={"architecture": tensors.architecture})
        order = settings.architecture.order
        training = Training(
            settings,
            load_training_data(data, order),
            load_training_data(held_out, order),
            folder,
            start=tensors,
            device=device,
        )
        began, first = time.monotonic(), training.step / settings.steps
        for record in training.run(cancel):
            done = (record.fraction - first) / max(1.0 - first, 1e-9)
            yield Progress(record.fraction, record.message, seconds_left=_left(done, began))
    except Cancelled:
        yield Finished(folder, cancelled=True)
    except Sem4dError as error:
        yield Failed(str(error), folder)
    else:
        yield Finished(folder / "vift.safetensors")


def _left(share: float, start: float) -> float | None:
    return (time.monotonic() - start) * (1.0 - share) / share if share > 0 else None
