"""Work in napari's threads: what goes wrong comes back as a sentence, never as an exception in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker

from napari_sem4d.errors import Sem4dError


class Sentence(str):
    """What went wrong, in words for the user."""


def run_in_thread(work: Callable[[], Any], done: Callable[[Any], None]) -> Any:
    """Run ``work()`` in a thread and ``done(answer)`` in the main thread; the answer may be a Sentence.

    Returns the worker; keep it until it is done.
    """

    def guarded() -> Any:
        try:
            return work()
        except Exception as error:  # one that left the thread would raise a second, misleading one in napari
            return sentence_of(error)

    return create_worker(guarded, _connect={"returned": done})


def sentence_of(error: BaseException) -> Sentence:
    """The words of an error; for those that are not ours with their kind, so that they can be reported."""
    if isinstance(error, Sem4dError):
        return Sentence(str(error))
    if isinstance(error, OSError) and error.strerror:
        return Sentence(f"{error.filename or 'A file'} cannot be used: {error.strerror}.")
    return Sentence(f"This stopped unexpectedly ({type(error).__name__}: {error}).")
