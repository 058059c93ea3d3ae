"""Runs the Monte Carlo check of a result and keeps its verdict with it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal

from napari_sem4d.errors import StoreError
from napari_sem4d.records import Notice
from napari_sem4d.widgets.job import Job


class Verifier(Job):
    """One verification; ``judged`` carries the path of the result and the KeptVerdict."""

    WHAT = "The verification"
    judged = Signal(object, object)

    def start(self, path: Path, frame: int, **options: Any) -> None:
        """Verify a finished frame; options of :func:`napari_sem4d.api.verify_steps`.

        Raises
        ------
        RuntimeError
            If another job is going on.
        """
        self.claim()
        self._path = path
        self.launch(lambda cancel: verify_and_keep(path, frame, cancel, **options), path)

    def take(self, record: Any) -> None:
        """Hand on the verdict."""
        self.judged.emit(self._path, record)


def verify_and_keep(path: Path, frame: int, cancel: threading.Event, **options: Any) -> Iterator[Any]:
    """Records of a verification; the verdict is written into the result and comes as a KeptVerdict.

    A verdict that cannot be written is told and shown all the same. Other notices come in the verdict.
    """
    from napari_sem4d import api
    from napari_sem4d.verification import Verification
    from napari_sem4d.verification.kept import KeptVerdict

    threads = max(1, (os.cpu_count() or 2) - 1)  # a core is left to the window
    for record in api.verify_steps(path, frame=frame, threads=threads, cancel=cancel, **options):
        if isinstance(record, Notice):
            continue
        if not isinstance(record, Verification):
            yield record
            continue
        try:
            yield api.keep_verification(path, record)
        except StoreError as error:
            yield Notice(f"The verdict could not be written into the result: {error}")
            yield KeptVerdict("", record)
