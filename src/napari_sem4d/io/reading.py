"""Open a result store lazily, with a clear sentence where it is foreign or damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
import zarr

from napari_sem4d.errors import StoreError
from napari_sem4d.io.layout import FORMAT, FORMAT_VERSION, MAPS, REQUIRED, FrameState

_REPAIR = "Repeat the run with --resume to compute it again, or take another copy"


class _Guarded:
    """A Zarr array whose unreadable chunks are told as a sentence (dask asks for one chunk at a time)."""

    def __init__(self, array: zarr.Array, path: Path, name: str) -> None:
        self._array, self._path, self._name = array, path, name
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, index: Any) -> np.ndarray:
        try:
            return np.asarray(self._array[index])
        # The codecs raise RuntimeError, ValueError, OSError and more, by codec and by version.
        except Exception as error:
            first = index[0] if isinstance(index, tuple) else index
            frame = first.start if isinstance(first, slice) else first
            raise StoreError(
                f"{self._name} of frame {frame} in {self._path} is damaged and cannot be read. {_REPAIR}"
            ) from error


def unreadable_frames(path: Path, states: np.ndarray) -> list[int]:
    """Frames that are called done though one of their maps has no file.

    Parameters
    ----------
    path : Path
        Folder of the store.
    states : ndarray, shape (T,)
        State of every frame.
    """
    done = np.flatnonzero(states == FrameState.DONE)
    return [int(t) for t in done if not all((path / name / "c" / str(t) / "0" / "0").is_file() for name in MAPS)]


def check_store(path: Path) -> xr.Dataset:
    """Open a store and check that it is one of ours and whole; the maps are not read.

    Raises
    ------
    StoreError
        If there is none, it is foreign, from a newer version, or damaged.
    """
    path = Path(path)
    if not path.exists():
        raise StoreError(f"there is no result at {path}; check the path")
    if not path.is_dir():
        raise StoreError(f"{path} is a file; a result is a folder, usually with a name that ends in .zarr")
    header = path / "zarr.json"
    foreign = f"{path} is not a result of napari-sem4d; choose the folder that a reconstruction wrote"
    if not header.is_file():
        raise StoreError(foreign)
    try:
        attrs = json.loads(header.read_text(encoding="utf-8")).get("attributes", {})
    except (ValueError, OSError, AttributeError) as error:
        raise StoreError(f"{header} is damaged and cannot be read; take another copy of the result") from error
    if not isinstance(attrs, dict) or attrs.get("format") != FORMAT:
        raise StoreError(foreign)
    version = attrs.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise StoreError(
            f"{path} was written in format {version} and this program reads up to {FORMAT_VERSION}; "
            "bring napari-sem4d up to date"
        )
    missing = [name for name in (*REQUIRED, "time", "y", "x") if not (path / name / "zarr.json").is_file()]
    if missing:
        raise StoreError(f"{path} is damaged: {', '.join(missing)} is missing; take another copy of the result")
    try:
        return _assemble(path)
    # A header that is valid JSON and nonsense raises almost anything inside zarr and xarray.
    except Exception as error:
        raise StoreError(f"{path} is damaged and cannot be opened ({error}); take another copy") from error


def _assemble(path: Path) -> xr.Dataset:
    dataset = xr.open_zarr(path, consolidated=False, chunks=None)
    group = zarr.open_group(path, mode="r", use_consolidated=False)
    unknown = [name for name in REQUIRED if name not in dataset.data_vars]
    if unknown:
        raise ValueError(f"the header of {', '.join(unknown)} makes no sense")
    lazy = {}
    for name, variable in dataset.data_vars.items():
        array = group[str(name)]
        if not isinstance(array, zarr.Array):
            raise ValueError(f"{name} is not an array")
        if variable.dims[0] != "time" or variable.sizes["time"] != dataset.sizes["time"]:
            raise ValueError(f"{name} has the axes {variable.dims}")
        guarded = da.from_array(_Guarded(array, path, str(name)), chunks=array.chunks, name=False, asarray=False)
        lazy[name] = (variable.dims, guarded, variable.attrs)
    return xr.Dataset(lazy, dataset.coords, dataset.attrs)


def open_result(path: Path) -> xr.Dataset:
    """Open a result store as a lazy dataset; nothing but the axes is read before it is needed.

    Frames that are called done though one of their maps is lost are shown as pending, with a warning in the
    attribute ``warnings``: the rest of the result stays usable.

    Parameters
    ----------
    path : Path
        Folder of the store.

    Returns
    -------
    xarray.Dataset
        Dimensions (time, y, x): ``height`` and ``height_std`` (nm), ``relative_yield``, ``quality``; along
        time ``misfit``, ``drift_x`` and ``drift_y`` (nm), ``frame_state``; the terms of ``height_std`` where they
        were kept; ``draws`` (time, draw, y, x) where
        they were kept. A chunk that turns out damaged raises StoreError when it is computed.

    Raises
    ------
    StoreError
        If there is no store, it is foreign, from a newer version, or damaged.
    """
    path = Path(path)
    dataset = check_store(path)
    states = dataset["frame_state"].values
    lost = unreadable_frames(path, states)
    if lost:
        states = states.copy()
        states[lost] = FrameState.PENDING
        dataset["frame_state"] = ("time", states, dataset["frame_state"].attrs)
        listed = ", ".join(map(str, lost))
        sentence = f"Files of frame {listed} are missing from the result. {_REPAIR}."
        warnings = json.loads(str(dataset.attrs.get("warnings") or "[]"))
        dataset.attrs["warnings"] = json.dumps([*warnings, sentence])
    return dataset
