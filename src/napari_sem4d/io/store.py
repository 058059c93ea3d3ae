"""The result store: one Zarr region per finished frame, written while the run goes on.

A frame's maps are written first and its ``frame_state`` last, and every chunk belongs to one frame and is put
in place by a rename. So a run that is killed at any moment keeps every finished frame, and no frame is called
done before it is complete.
"""

from __future__ import annotations

import errno
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from napari_sem4d.errors import StoreError
from napari_sem4d.io.layout import (
    MAPS,
    TERMS,
    FrameState,
    empty_dataset,
    estimate_bytes,
    human_size,
)
from napari_sem4d.io.reading import check_store, open_result, unreadable_frames

__all__ = ["FrameState", "ResultStore", "estimate_bytes", "open_result"]


class ResultStore:
    """A result store open for writing. Made by :meth:`create` or :meth:`resume`.

    Attributes
    ----------
    path : Path
        Folder of the store.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._group = zarr.open_group(path, mode="r+", use_consolidated=False)
        # Frames whose map equals the fill value must have their file too: a missing file means damage.
        self._arrays = {
            name: zarr.open_array(path / name, mode="r+").with_config({"write_empty_chunks": True})
            for name in self._group.array_keys()
        }
        self.frames, *rest = self._arrays["height"].shape
        self.shape: tuple[int, int] = (rest[0], rest[1])
        self.draws: int = self._arrays["draws"].shape[1] if "draws" in self._arrays else 0

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        times: Sequence[float] | np.ndarray,
        shape: tuple[int, int],
        pixel_nm: float,
        attrs: Mapping[str, object],
        time_unit: str = "s",
        draws: int = 0,
    ) -> Self:
        """Make a new store with every frame pending.

        Parameters
        ----------
        path : Path
            Folder to make; usually ends in ``.zarr``.
        times : sequence of float, length T
            Time of each frame, in ``time_unit``.
        shape : tuple of int
            (Y, X), pixels.
        pixel_nm : float
            Edge of the square pixel, nm.
        attrs : mapping
            The attributes named in :data:`napari_sem4d.io.layout.STATED_ATTRS` and any others; values that
            JSON can hold.
        time_unit : str
            "s", or "frame" where no time is known.
        draws : int
            Posterior draws kept for each frame.

        Raises
        ------
        StoreError
            If something is there already, the folder cannot be written, or the space left is too small.
        """
        path = Path(path)
        _refuse_to_overwrite(path)
        dataset = empty_dataset(times, time_unit, shape, pixel_nm, attrs, draws)
        # Laid out beside its place and moved there whole: a failure leaves nothing half made behind.
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
        try:
            with _explained(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                _check_space(path, estimate_bytes(len(times), shape, draws), draws)
                codecs = {"compressors": (ZstdCodec(level=1, checksum=True),)}
                encoding = {str(name): codecs for name in dataset.data_vars}
                dataset.to_zarr(
                    partial, mode="w-", compute=False, zarr_format=3, consolidated=False, encoding=encoding
                )
                if path.exists():  # an empty folder, as a file dialog makes it; Windows renames onto nothing
                    path.rmdir()
                partial.rename(path)
        finally:
            if partial.exists():
                shutil.rmtree(partial, ignore_errors=True)
        return cls(path)

    @classmethod
    def resume(cls, path: Path, *, match: Mapping[str, object]) -> Self:
        """Open a store that an earlier run began, to compute the frames that are still pending.

        Parameters
        ----------
        path : Path
            Folder of the store.
        match : mapping
            What the new run would write (``settings``, ``calibration``, ``inputs``, ``pixel_nm``, ...): the
            stored attributes must be equal. ``times`` and ``shape`` are compared with the axes.

        Raises
        ------
        StoreError
            If there is no store, it is damaged, or it was made from something else.
        """
        path = Path(path)
        if not path.exists():
            raise StoreError(f"there is nothing to go on with at {path}; leave --resume away to start anew")
        dataset = check_store(path)
        there: dict[str, object] = dict(dataset.attrs)
        there |= {"times": dataset["time"].values.tolist(), "shape": list(dataset["height"].shape[1:])}
        differing = [name for name, value in match.items() if _differs(there.get(name), value)]
        if differing:
            details = "; ".join(_difference(name, there.get(name), match[name]) for name in differing)
            raise StoreError(
                f"{path} was made from something else: {details}. Resume with the same images, settings and "
                "calibration, or choose another --out"
            )
        with _explained(path):
            store = cls(path)
            states = store.states()
            for frame in unreadable_frames(path, states):
                store._arrays["frame_state"][frame] = FrameState.PENDING
        return store

    @property
    def attrs(self) -> dict[str, object]:
        """Attributes as they stand in the store."""
        return dict(self._group.attrs)

    def states(self) -> np.ndarray:
        """State of every frame (:class:`FrameState` values), shape (T,)."""
        with _explained(self.path):
            return np.asarray(self._arrays["frame_state"][:], dtype=np.uint8)

    def pending(self) -> list[int]:
        """Frames that are still to be computed (after :meth:`resume` also those of which a file was lost)."""
        return [int(t) for t in np.flatnonzero(self.states() == FrameState.PENDING)]

    def write_draw(self, frame: int, draw: int, height: np.ndarray) -> None:
        """Store one posterior draw, nm, shape (Y, X), before its frame is finished by :meth:`write_frame`."""
        if not 0 <= draw < self.draws:
            raise ValueError(f"draw {draw} of {self.draws}")
        self._check_frame(frame, {"draw": height})
        with _explained(self.path, frame):
            self._arrays["draws"][frame, draw] = np.asarray(height, dtype=np.float32)

    def write_frame(
        self,
        frame: int,
        *,
        height: np.ndarray,
        height_std: np.ndarray,
        relative_yield: np.ndarray,
        quality: np.ndarray,
        misfit: float,
        drift_nm: tuple[float, float] = (0.0, 0.0),
        terms: Mapping[str, np.ndarray] | None = None,
        misfit_explained: float = float("nan"),
    ) -> None:
        """Store one finished frame; it counts as done only when everything is in place.

        Parameters
        ----------
        frame : int
            Which frame.
        height, height_std : ndarray, shape (Y, X)
            nm, NaN where there is no value.
        relative_yield : ndarray, shape (Y, X)
            Dimensionless.
        quality : ndarray of int, shape (Y, X)
            Flags of :class:`napari_sem4d.io.layout.Quality`.
        misfit : float
            Reduced chi-square.
        drift_nm : tuple of float
            Drift against frame 0, to the right and up, nm.
        terms : mapping, optional
            Maps named in :data:`napari_sem4d.io.layout.TERMS`, shape (Y, X); a store that an earlier version laid
            out does not keep them.
        misfit_explained : float
            Reduced chi-square against noise and the engine's own error.

        Raises
        ------
        StoreError
            If it cannot be written; frames finished before are kept.
        """
        maps = {"height": height, "height_std": height_std, "relative_yield": relative_yield, "quality": quality}
        maps |= {name: values for name, values in (terms or {}).items() if name in self._arrays}
        self._check_frame(frame, maps)
        numbers = {"misfit": misfit, "drift_x": drift_nm[0], "drift_y": drift_nm[1]}
        numbers |= {"misfit_explained": misfit_explained} if "misfit_explained" in self._arrays else {}
        with _explained(self.path, frame):
            for name, values in maps.items():
                self._arrays[name][frame] = np.asarray(values).astype((MAPS | TERMS)[name][0], copy=False)
            for name, number in numbers.items():
                self._arrays[name][frame] = float(number)
            self._arrays["frame_state"][frame] = FrameState.DONE

    def mark_failed(self, frame: int, message: str) -> None:
        """Flag a frame that could not be used, and keep the reason among the warnings."""
        self.add_warning(f"Frame {frame}: {message}")
        with _explained(self.path, frame):
            self._arrays["frame_state"][frame] = FrameState.FAILED

    def add_warning(self, message: str) -> None:
        """Append a sentence to the attribute ``warnings`` (a JSON list), unless it is there already."""
        warnings = json.loads(str(self._group.attrs["warnings"]) or "[]")
        if message not in warnings:
            self.set_attrs(warnings=json.dumps([*warnings, message]))

    def set_attrs(self, **changes: object) -> None:
        """Change attributes of the store (values that JSON can hold)."""
        with _explained(self.path):
            self._group.update_attributes(changes)

    def _check_frame(self, frame: int, maps: Mapping[str, np.ndarray]) -> None:
        if not 0 <= frame < self.frames:
            raise ValueError(f"frame {frame} of {self.frames}")
        for name, values in maps.items():
            if np.shape(values) != self.shape:
                raise ValueError(f"{name} has the shape {np.shape(values)}, the store {self.shape}")


def _refuse_to_overwrite(path: Path) -> None:
    if path.exists() and not _is_empty_folder(path):
        raise StoreError(
            f"there is something at {path} already, and nothing is overwritten: choose another name, go on with "
            "that result (--resume), or remove it yourself"
        )


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _check_space(path: Path, needed: int, draws: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        fewer = ", ask for fewer draws" if draws else ""
        raise StoreError(
            f"the result takes up to {human_size(needed)} and {path.parent} has {human_size(free)} left; free "
            f"some space{fewer}, or choose another folder"
        )


@contextmanager
def _explained(path: Path, frame: int | None = None) -> Iterator[None]:
    """Turn what the file system says into a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        kept = "" if frame is None else "; the frames finished before are kept, and --resume goes on from there"
        where = f"{path}" if frame is None else f"frame {frame} of {path}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            text = f"there is no space left to write {where}{kept}. Free some space or choose another folder"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            text = f"{where} cannot be written: the folder is read-only for you{kept}. Choose another folder"
        else:
            reason = error.strerror or str(error)
            text = f"{where} cannot be written ({reason}){kept}. Check the disk, or choose another folder"
        raise StoreError(text) from error


def _plain(value: object) -> object:
    """Bring a value to what JSON would give back, and JSON text to what it says, so that both compare."""
    if isinstance(value, str):
        with suppress(json.JSONDecodeError):
            return json.loads(value)
        return value
    return json.loads(json.dumps(value, default=lambda v: v.tolist() if hasattr(v, "tolist") else str(v)))


def _differs(there: object, here: object) -> bool:
    return _plain(there) != _plain(here)


def _difference(name: str, there: object, here: object) -> str:
    old, new = _plain(there), _plain(here)
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [str(k) for k in (old.keys() | new.keys()) if old.get(k) != new.get(k)]
        return f"{name} differ in {', '.join(sorted(keys))}"
    if isinstance(old, list | dict) or isinstance(new, list | dict):
        return f"{name} differ"
    return f"{name} was {old!r} and is {new!r}"
