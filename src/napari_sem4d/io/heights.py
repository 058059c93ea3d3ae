"""Heights to measure, from a result or from any height map: one form for commands, widgets and scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sem4d.errors import InputError, StoreError
from napari_sem4d.io.height_map import HeightMap, NoHeightError, height_map
from napari_sem4d.io.layout import FrameState
from napari_sem4d.io.reading import open_result
from napari_sem4d.io.surfaces import read_surface

if TYPE_CHECKING:
    import xarray as xr

_MOST_CHANNELS = 32


@dataclass(frozen=True)
class Heights:
    """Frames of heights with what a figure must know about them; a frame is read when it is asked for.

    Attributes
    ----------
    title : str
        Short name.
    path : Path
        Result store or file.
    shape : (Y, X)
        Pixels.
    pixel_nm : (y, x)
        nm.
    times : tuple of float
        Time of each frame, in ``time_unit``.
    time_unit : {"s", "frame"}
        Seconds, or "frame" where no time is known.
    relative : bool
        True where no reference has fixed the height scale.
    calibration : str
        Id and date of the calibration; empty without one.
    scale_std : float
        Standard uncertainty of the height scale from the calibration, as a part of 1 (0 where none is known).
    ready : tuple of int
        Frames that hold heights.
    number_of_draws : int
        Posterior draws of each frame (0 without).
    questions : tuple of str
        What looks wrong and should be asked, each a sentence.
    """

    title: str
    path: Path
    shape: tuple[int, int]
    pixel_nm: tuple[float, float]
    times: tuple[float, ...]
    time_unit: str
    relative: bool
    calibration: str
    scale_std: float
    ready: tuple[int, ...]
    number_of_draws: int
    questions: tuple[str, ...]
    _read: Callable[[str, int], np.ndarray | None]

    @property
    def frames(self) -> int:
        """Number of frames, ready or not."""
        return len(self.times)

    def height(self, frame: int = 0) -> np.ndarray:
        """Heights of a frame, shape (Y, X), nm; NaN is invalid.

        Raises
        ------
        InputError
            If there is no such frame, or it is not finished.
        StoreError
            If it is damaged.
        """
        self._check(frame)
        heights = self._read("height", frame)
        assert heights is not None
        return heights

    def height_std(self, frame: int = 0) -> np.ndarray | None:
        """Standard uncertainty of a pixel, shape (Y, X), nm; None where there is none."""
        self._check(frame)
        return self._read("height_std", frame)

    def draws(self, frame: int = 0) -> np.ndarray | None:
        """Posterior draws, shape (D, Y, X), nm; None where none were kept."""
        self._check(frame)
        return self._read("draws", frame)

    def time_text(self, frame: int) -> str:
        """The time of a frame for a table: "12 s", or the frame's number where no time is known."""
        return f"{self.times[frame]:g} s" if self.time_unit == "s" else f"frame {frame}"

    def as_map(self, frame: int = 0) -> HeightMap:
        """One frame as a map that can be written."""
        title = self.title if self.frames == 1 else f"{self.title}, {self.time_text(frame)}"
        return height_map(self.height(frame), self.pixel_nm, title, relative=self.relative)

    def _check(self, frame: int) -> None:
        if not 0 <= frame < self.frames:
            raise InputError(
                f"{self.path.name} has {self.frames} frames, counted from 0: there is no frame {frame}."
            )
        if frame not in self.ready:
            raise InputError(
                f"Frame {frame} of {self.path.name} is not finished: choose another, or resume the run."
            )


def open_heights(
    path: str | Path,
    *,
    pixel_nm: tuple[float, float] | None = None,
    unit: str | None = None,
    channel: int | None = None,
) -> Heights:
    """Open a result store (lazily) or any height map.

    Parameters
    ----------
    path : path
        A folder with a result, or a file that :func:`~napari_sem4d.io.surfaces.read_surface` reads.
    pixel_nm, unit
        As in :func:`~napari_sem4d.io.surfaces.read_surface`, for files only.
    channel : int, optional
        Which channel of a file that holds several; the first that is a height if not given.

    Returns
    -------
    Heights

    Raises
    ------
    InputError
        If the file cannot be read, or says another pixel size than the one given.
    StoreError
        If the folder is no result, or damaged.
    """
    place = Path(path)
    if place.is_dir():
        if pixel_nm is not None or unit is not None:
            raise InputError(f"{place.name} is a result and says pixel size and unit itself: leave them away.")
        return from_result(open_result(place), place)
    found = _read_channel(place, pixel_nm, unit, channel)
    if pixel_nm is not None and not np.allclose(found.pixel_nm, pixel_nm, rtol=1e-3):
        py, px = found.pixel_nm
        raise InputError(
            f"{place.name} says that its pixel is {px:g} x {py:g} nm, not {pixel_nm[1]:g} x {pixel_nm[0]:g} nm: "
            "leave the pixel size away, or correct the file."
        )
    return from_map(found, place)


def _read_channel(
    place: Path, pixel_nm: tuple[float, float] | None, unit: str | None, channel: int | None
) -> HeightMap:
    if channel is not None:
        return read_surface(place, pixel_nm=pixel_nm, unit=unit, channel=channel)
    first: NoHeightError | None = None
    for number in range(_MOST_CHANNELS):
        try:
            return read_surface(place, pixel_nm=pixel_nm, unit=unit, channel=number)
        except NoHeightError as error:
            first = first or error
        except InputError:
            if first is None:
                raise
            break  # behind the last channel: what was wrong with the first one says more
    assert first is not None
    raise first


def from_map(found: HeightMap, path: Path) -> Heights:
    """A single map as heights of one frame, without uncertainty."""

    def read(name: str, _: int) -> np.ndarray | None:
        return found.height if name == "height" else None

    rows, columns = found.height.shape
    return Heights(
        title=found.title,
        path=path,
        shape=(rows, columns),
        pixel_nm=found.pixel_nm,
        times=(0.0,),
        time_unit="frame",
        relative=found.relative,
        calibration="",
        scale_std=0.0,
        ready=(0,),
        number_of_draws=0,
        questions=found.questions,
        _read=read,
    )


def from_result(result: xr.Dataset, path: Path) -> Heights:
    """A result as heights; a relative one gives neither uncertainty nor draws, for their nm mean nothing."""
    edge = float(result.attrs["pixel_nm"])
    relative = str(result.attrs.get("scale_status", "relative")) != "calibrated"
    states = result["frame_state"].values if "frame_state" in result else np.ones(result.sizes["time"])

    def read(name: str, frame: int) -> np.ndarray | None:
        if name not in result or (relative and name != "height"):
            return None
        return np.asarray(result[name].isel(time=frame).values)

    heights = Heights(
        title=path.stem,
        path=path,
        shape=(int(result.sizes["y"]), int(result.sizes["x"])),
        pixel_nm=(edge, edge),
        times=tuple(float(t) for t in result["time"].values),
        time_unit="s" if result["time"].attrs.get("units") == "s" else "frame",
        relative=relative,
        calibration=_calibration(result),
        scale_std=0.0 if relative else float(result.attrs.get("scale_uncertainty") or 0.0),
        ready=tuple(int(t) for t in np.flatnonzero(states == FrameState.DONE)),
        number_of_draws=0 if relative else int(result.sizes.get("draw", 0)),
        questions=(),
        _read=read,
    )
    if not heights.ready:
        raise StoreError(f"{path} holds no finished frame yet: repeat the run with --resume")
    return heights


def levelled(heights: HeightMap, values: np.ndarray) -> HeightMap:
    """The same map with other heights, nm."""
    return replace(heights, height=np.asarray(values, dtype=np.float64))


def _calibration(result: xr.Dataset) -> str:
    try:
        found = json.loads(str(result.attrs.get("calibration") or "null"))
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    return ", ".join(str(found[key]) for key in ("id", "date", "created") if found.get(key))
