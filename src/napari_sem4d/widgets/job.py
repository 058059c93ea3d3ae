"""One long computation in napari's threads: its records as they come, its end, its cancelling."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

from napari_sem4d.records import Failed, Finished, Notice, Progress
from napari_sem4d.widgets.run_model import OneJob, guarded

BUSY = "A reconstruction or a verification is running already; wait until it is done, or cancel it."


class Job(QObject):
    """Runs a generator of records; one job at a time in this process.

    ``progress`` carries Progress records, ``told`` sentences with their kind, ``ended`` the last record (None if
    there was none).
    """

    WHAT = "The computation"
    progress = Signal(object)
    told = Signal(str, str)
    ended = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cancel: threading.Event | None = None
        self._worker: Any = None
        self._end: Any = None
        self._owed = 0

    @property
    def running(self) -> bool:
        """Whether it is going on."""
        return self._worker is not None

    def claim(self) -> None:
        """Take the place of the one job.

        Raises
        ------
        RuntimeError
            If another job has it: its text is for the user.
        """
        if not OneJob.take():
            raise RuntimeError(BUSY)

    def launch(self, make_steps: Callable[[threading.Event], Iterator[Any]], path: Path) -> None:
        """Run ``make_steps(cancel)``, whose result is at ``path``; :meth:`claim` comes before."""
        self._cancel = threading.Event()
        self._end = None
        self._worker = create_worker(
            guarded,
            make_steps(self._cancel),
            path,
            self.WHAT,
            _connect={"yielded": self._heard, "finished": self._thread_ended},
        )

    def cancel(self) -> None:
        """Ask it to end."""
        if self._cancel is not None:
            self._cancel.set()

    def _heard(self, record: Any) -> None:
        if isinstance(record, Progress):
            self.progress.emit(record)
        elif isinstance(record, Notice):
            self.told.emit(record.message, "warning")
        elif isinstance(record, (Failed, Finished)):
            self._end = record
            self._owed += 1
            self._finished()
        else:
            self.take(record)

    def take(self, record: Any) -> None:
        """Show a record of another kind."""

    def closing(self) -> None:
        """Do what is to be done at the end, before it is told."""

    def _thread_ended(self) -> None:
        # The end of a thread whose last record was seen comes late, and may find the next run under way.
        if self._owed:
            self._owed -= 1
        elif self._worker is not None:
            self._finished()

    def _finished(self) -> None:
        OneJob.give_back()
        self._worker = self._cancel = None
        self.closing()
        self.ended.emit(self._end)
