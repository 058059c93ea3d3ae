"""One computation at a time in napari's threads; a newer request ends the older one, whose answers are dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

from napari_sem4d.errors import Cancelled
from napari_sem4d.widgets.background import sentence_of

Work = Callable[[threading.Event], Iterator[Any]]


class LatestJob(QObject):
    """Runs generators that take a cancel event and yield answers.

    ``answered`` carries each answer of the newest request to the main thread (a Sentence where it failed),
    ``ended`` is emitted when nothing runs any more.
    """

    answered = Signal(object)
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cancel: threading.Event | None = None
        self._next: Work | None = None
        self._worker: Any = None

    @property
    def running(self) -> bool:
        """Whether a computation is under way or waits."""
        return self._worker is not None

    def start(self, work: Work) -> None:
        """Run ``work(cancel)``; what runs now is asked to end and its answers are not heard any more."""
        if self._worker is not None:
            self._next = work
            if self._cancel is not None:
                self._cancel.set()
            return
        cancel = self._cancel = threading.Event()
        self._worker = create_worker(
            _guarded,
            work,
            cancel,
            _connect={"yielded": lambda answer: self._take(cancel, answer), "finished": self._finished},
        )

    def cancel(self) -> None:
        """Ask what runs to end; nothing of it is heard any more."""
        self._next = None
        if self._cancel is not None:
            self._cancel.set()

    def _take(self, cancel: threading.Event, answer: Any) -> None:
        if not cancel.is_set():
            self.answered.emit(answer)

    def _finished(self) -> None:
        self._worker = self._cancel = None
        work, self._next = self._next, None
        if work is not None:
            self.start(work)
        else:
            self.ended.emit()


def _guarded(work: Work, cancel: threading.Event) -> Iterator[Any]:
    """The answers; an exception that left the thread would raise a second, misleading one in napari."""
    try:
        for answer in work(cancel):
            yield answer
            if cancel.is_set():
                return
    except Cancelled:
        return
    except Exception as error:
        yield sentence_of(error)
