"""Finished chunks of a simulation on disk, so that a stopped run can go on."""

from __future__ import annotations

import hashlib
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from napari_sem4d.errors import StoreError

_SECONDS_BETWEEN_SAVES = 20.0


def fingerprint(arrays: tuple[np.ndarray, ...], *inputs: Any) -> str:
    """SHA-256 over everything that decides a simulation's result."""
    digest = hashlib.sha256()
    for item in (*arrays, *inputs):
        if isinstance(item, np.ndarray):
            digest.update(repr((item.shape, item.dtype.str)).encode())
            digest.update(np.ascontiguousarray(item).tobytes())
        else:
            digest.update(repr(item).encode())
    return digest.hexdigest()


class Checkpoint:
    """Counts, book and finished chunks of one run in an npz file (no pickle)."""

    def __init__(self, path: Path, key: str, chunks: int) -> None:
        self.path = Path(path)
        self.key = key
        self.done = np.zeros(chunks, bool)
        self._saved_at = time.monotonic()

    def load(self, counts: np.ndarray, tally: np.ndarray) -> None:
        """Read what is finished into ``counts`` and ``tally``; nothing if there is no file yet.

        Raises
        ------
        StoreError
            If the file cannot be read, or holds another run.
        """
        if not self.path.exists():
            return
        try:
            with np.load(self.path, allow_pickle=False) as data:
                key = str(data["key"])
                held = data["counts"], data["tally"], data["done"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise StoreError(
                f"the checkpoint {self.path} cannot be read ({error}); delete it to start again"
            ) from error
        if key != self.key:
            raise StoreError(
                f"the checkpoint {self.path} belongs to a simulation with other inputs; name another "
                "file, or delete it"
            )
        counts[...], tally[...], self.done[...] = held

    def save(self, counts: np.ndarray, tally: np.ndarray, now: bool) -> None:
        """Write what is finished: at once, or if the last time is long enough ago."""
        if not now and time.monotonic() - self._saved_at < _SECONDS_BETWEEN_SAVES:
            return
        part = self.path.with_name(self.path.name + ".part")
        with part.open("wb") as stream:
            np.savez_compressed(stream, key=self.key, counts=counts, tally=tally, done=self.done)
        part.replace(self.path)
        self._saved_at = time.monotonic()
