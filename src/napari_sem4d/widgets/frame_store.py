"""Frames of one quantity for the viewer: read when looked at, replaced while a run goes on (no Qt)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_sem4d.errors import Sem4dError

Reader = Callable[[int], np.ndarray]
DrawsReader = Callable[[int], "np.ndarray | None"]


class FrameStore:
    """Frames (time, Y, X) behind one cache of bounded size, so that memory does not grow with the frames.

    Parameters
    ----------
    frames : int
        Number of frames.
    shape : tuple of int
        (Y, X).
    read : callable
        ``read(frame) -> ndarray (Y, X)``; NaN where the frame is not there yet.
    keep : int
        Most frames held in memory.
    """

    def __init__(self, frames: int, shape: tuple[int, int], read: Reader, keep: int = 8) -> None:
        self.frames = frames
        self.shape = shape
        self.keep = keep
        self._read = read
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._previews: dict[int, np.ndarray] = {}
        self.faults: dict[int, str] = {}

    def frame(self, index: int) -> np.ndarray:
        """One frame, float32, shape (Y, X)."""
        if index in self._previews:
            return self._previews[index]
        if index not in self._cache:
            try:
                image = np.asarray(self._read(index), dtype=np.float32)
                self.faults.pop(index, None)
            except Sem4dError as error:  # a damaged frame is told and left empty; the others stay usable
                self.faults[index] = str(error)
                image = np.full(self.shape, np.nan, dtype=np.float32)
            if not np.isfinite(image).any():  # pending: it may be there next time
                return image
            self._remember(index, image)
        self._cache.move_to_end(index)
        return self._cache[index]

    def read_through(self, index: int) -> np.ndarray:
        """One frame past the cache, for other threads than that of the viewer; damaged frames are NaN."""
        found = self._previews.get(index)
        if found is not None:
            return found
        try:
            return np.asarray(self._read(index), dtype=np.float32)
        except Sem4dError:
            return np.full(self.shape, np.nan, dtype=np.float32)

    def set_frame(self, index: int, image: np.ndarray, preview: bool = False) -> None:
        """Replace a frame: by a finished one, or by a preview that stands until the finished one comes."""
        image = np.asarray(image, dtype=np.float32)
        if preview:
            self._previews = {index: image}
        else:
            self._previews.pop(index, None)
            self._remember(index, image)

    def drop_previews(self) -> None:
        """Forget previews whose finished frame never came (the run was cancelled or failed)."""
        self._previews.clear()

    def _remember(self, index: int, image: np.ndarray) -> None:
        self._cache[index] = image
        self._cache.move_to_end(index)
        while len(self._cache) > self.keep:
            self._cache.popitem(last=False)


class LayerArray:
    """What napari needs of an array, shape (T, 1, Y, X), over a :class:`FrameStore`.

    Parameters
    ----------
    store : FrameStore
        The frames.
    draws : callable, optional
        ``draws(frame)``: posterior draws (D, Y, X) of a frame, or None.
    """

    ndim = 4
    dtype = np.dtype(np.float32)

    def __init__(self, store: FrameStore, draws: DrawsReader | None = None) -> None:
        self.store = store
        self.draws = draws
        self.shape = (store.frames, 1, *store.shape)
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        key = key if isinstance(key, tuple) else (key,)
        if Ellipsis in key:
            at = key.index(Ellipsis)
            key = (*key[:at], *[slice(None)] * (self.ndim - len(key) + 1), *key[at + 1 :])
        key = (*key, *[slice(None)] * (self.ndim - len(key)))
        which = key[0]
        if isinstance(which, (int, np.integer)):
            frame = range(self.shape[0])[int(which)]
            return self.store.frame(frame)[None][key[1:]]
        frames = np.arange(self.shape[0])[which]
        stack = (
            np.stack([self.store.frame(int(i))[None] for i in frames])
            if len(frames)
            else np.empty((0, *self.shape[1:]), dtype=self.dtype)
        )
        return stack[(slice(None), *key[1:])]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)
