"""The same line at all times."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import Cancelled
from napari_sem4d.metrology.profile import Kymograph, sample_kymograph
from napari_sem4d.widgets.height_source import HeightSource
from napari_sem4d.widgets.latest_job import Work
from napari_sem4d.widgets.profile_curves import cell, text_table
from napari_sem4d.widgets.profile_model import Line
from napari_sem4d.widgets.workspace import sem4d_metadata


@dataclass(frozen=True)
class LineHistory:
    """A kymograph with its line, its times (T,), their unit ("s" or "frame") and its map."""

    line: Line
    source: HeightSource
    kymograph: Kymograph
    times: np.ndarray
    time_unit: str

    @property
    def edges(self) -> tuple[float, float]:
        """Time at the lower edge of the first row and at the upper edge of the last one, rows equally high."""
        count = len(self.times)
        step = (self.times[-1] - self.times[0]) / (count - 1) if count > 1 else 1.0
        return float(self.times[0] - step / 2), float(self.times[-1] + step / 2)

    def csv(self, separator: str = ",") -> str:
        """Distances down, one column for each time."""
        length, value = self.source.length_unit, self.source.value_unit or "unit of the layer"
        quantity = "relative_height" if self.source.relative else "height"
        head = [f"distance ({length})"]
        head += [f"{quantity} ({value}) at {_time(t, self.time_unit)}" for t in self.times]
        rows = np.column_stack([self.kymograph.distance_nm, self.kymograph.height_nm.T])
        return text_table([head, *([cell(float(v)) for v in row] for row in rows)], separator)


def _time(value: float, unit: str) -> str:
    return f"{value:g} s" if unit == "s" else f"frame {value:g}"


def times_of(source: HeightSource) -> tuple[np.ndarray, str]:
    """Times of a map and their unit; frame numbers from 1 where there are none, or where they are uneven."""
    entry = sem4d_metadata(source.layer)
    times = np.asarray(entry.get("times", ()), dtype=float)
    if entry.get("time_unit") == "s" and len(times) == source.frames:
        steps = np.diff(times)
        if steps.size and steps.min() > 0 and np.allclose(steps, steps.mean(), rtol=1e-3):
            return times, "s"
    return np.arange(1, source.frames + 1, dtype=float), "frame"


class _Frames:
    """Frames of a map, one at a time, until a new request cancels this one."""

    def __init__(self, source: HeightSource, index: tuple[int, ...], cancel: threading.Event) -> None:
        self.source, self.index, self.cancel = source, index, cancel

    def __len__(self) -> int:
        return self.source.frames

    def __getitem__(self, frame: int) -> np.ndarray:
        if self.cancel.is_set():
            raise Cancelled("Another kymograph was asked for.")
        return self.source.read_height((frame, *self.index[1:]))


def kymograph_work(line: Line, source: HeightSource, index: tuple[int, ...], width_px: float) -> Work:
    """Work for a :class:`LatestJob` that answers with the :class:`LineHistory` of a line.

    Parameters
    ----------
    line : Line
        Where.
    source : HeightSource
        A map with several times.
    index : tuple of int
        The other sliders (the first entry, the time, does not count).
    width_px : float
        Width of the average, pixels.
    """

    def work(cancel: threading.Event) -> Iterator[LineHistory]:
        points, width = line.path(source, width_px)
        found = sample_kymograph(_Frames(source, index, cancel), source.pixel, points, width)
        yield LineHistory(line, source, found, *times_of(source))

    return work
