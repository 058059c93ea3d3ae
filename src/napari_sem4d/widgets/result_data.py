"""What the viewer needs to know of a result, from an xarray Dataset or from a run that goes on (no Qt)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sem4d.errors import StoreError
from napari_sem4d.widgets.axes import Axes
from napari_sem4d.widgets.frame_store import DrawsReader, FrameStore
from napari_sem4d.widgets.run_model import finished_frames

if TYPE_CHECKING:
    import xarray as xr

    from napari_sem4d.acquisition.series import SemSeries
    from napari_sem4d.records import FrameDone
    from napari_sem4d.verification.kept import KeptVerdict

MAX_FRAMES_FOR_LIMITS = 32
_UNCERTAINTIES = ("height_std", "height_std_noise", "height_std_model")


@dataclass
class ResultData:
    """Frames of one result with their axes.

    Attributes
    ----------
    name : str
        Short name for layers.
    path : Path or None
        The Zarr store; None while there is none.
    height, height_std, relative_yield : FrameStore
        Heights and their standard uncertainty in nm, yield without a unit.
    times : ndarray, shape (T,)
        Seconds or frame numbers, see ``time_unit``.
    scale_status : str
        "calibrated" or "relative".
    scale_std : float
        Relative standard uncertainty of the height scale from the calibration; 0 where none is known.
    series : SemSeries or None
        Where it came from, for the SEM drape.
    draws : callable or None
        ``draws(frame)``: posterior draws of the height (D, Y, X), nm, where the result has some.
    parts : dict of FrameStore
        The parts of the standard uncertainty, where the result keeps them apart.
    misfit : ndarray, shape (T,)
        Reduced chi-square of each frame; NaN where it is pending.
    misfit_explained : ndarray, shape (T,)
        The same against noise and the engine's own error; NaN where that is not known.
    engine, material : str
        Forward engine and reference material; empty where the result does not say.
    warnings : list of str
        What to keep in mind.
    verdicts : dict
        What a verification has found, by frame.
    """

    name: str
    path: Path | None
    height: FrameStore
    height_std: FrameStore
    relative_yield: FrameStore
    pixel_nm: float
    times: np.ndarray
    time_unit: str
    scale_status: str
    series: SemSeries | None = None
    draws: DrawsReader | None = None
    scale_std: float = 0.0
    parts: dict[str, FrameStore] = field(default_factory=dict)
    misfit: np.ndarray = field(default_factory=lambda: np.empty(0))
    misfit_explained: np.ndarray = field(default_factory=lambda: np.empty(0))
    engine: str = ""
    material: str = ""
    warnings: list[str] = field(default_factory=list)
    verdicts: dict[int, KeptVerdict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.misfit.size:
            self.misfit = np.full(self.frames, np.nan)
        if not self.misfit_explained.size:
            self.misfit_explained = np.full(self.frames, np.nan)

    def has(self, role: str) -> bool:
        """Whether there is such a map to be shown; a relative height has no uncertainty in nm."""
        if role in _UNCERTAINTIES and not self.calibrated:
            return False
        return role in self.parts or role in ("height", "height_std", "relative_yield")

    def store(self, role: str) -> FrameStore:
        """Frames of a map."""
        found: FrameStore = self.parts[role] if role in self.parts else getattr(self, role)
        return found

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.height.frames

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X)."""
        return self.height.shape

    @property
    def calibrated(self) -> bool:
        """False where no reference has fixed the scale: then no uncertainty in nm may be shown."""
        return self.scale_status == "calibrated"

    @property
    def axes(self) -> Axes:
        """Axes of its layers."""
        return Axes.from_times(self.pixel_nm, self.times, self.time_unit)

    @property
    def quantity(self) -> str:
        """What the height is called on screen."""
        return "height" if self.calibrated else "relative height"

    def metadata(self, role: str) -> dict[str, Any]:
        """Metadata entry of a layer with this role."""
        return {
            "path": str(self.path) if self.path else "",
            "role": role,
            "scale_status": self.scale_status,
            "scale_uncertainty": self.scale_std,
            "pixel_nm": self.pixel_nm,
            "time_unit": self.time_unit,
            "times": [float(t) for t in self.times],
            "unit": "" if role == "relative_yield" else "nm",
        }

    def time_text(self, frame: int) -> str:
        """Frame number and time, for the screen."""
        text = f"frame {frame + 1} of {self.frames}"
        if self.time_unit == "s":
            text += f", t = {self.times[frame]:g} s"
        return text

    def reading(self, frame: int, row: int, col: int) -> str | None:
        """Height at a pixel in words, with its uncertainty only where the scale is calibrated."""
        rows, cols = self.shape
        if not (0 <= row < rows and 0 <= col < cols):
            return None
        value = float(self.height.frame(frame)[row, col])
        if not np.isfinite(value):
            return self.height.faults.get(frame, "no height here")
        if not self.calibrated:
            return f"{value:.4g} nm (relative height)"
        std = float(self.height_std.frame(frame)[row, col])
        return f"{value:.4g} nm ± {std:.2g} nm" if np.isfinite(std) else f"{value:.4g} nm"

    def value_range(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """Contrast limits (0.1 and 99.9 percentiles) and lowest and highest height over all frames, nm.

        At most 32 frames, evenly spread, are read. None where no frame is there yet.
        """
        chosen = np.unique(np.linspace(0, self.frames - 1, min(self.frames, MAX_FRAMES_FOR_LIMITS)).astype(int))
        parts = [r for r in (frame_range(self.height.frame(int(i))) for i in chosen) if r is not None]
        return merge_ranges(parts)


Range = tuple[tuple[float, float], tuple[float, float]]


def frame_range(height: np.ndarray) -> Range | None:
    """((0.1 %, 99.9 % percentiles), (lowest, highest)) of a frame; None where it is pending."""
    finite = height[np.isfinite(height)]
    if not finite.size:
        return None
    sample = finite[:: max(1, finite.size // 200_000)]
    low, high = np.percentile(sample, [0.1, 99.9])
    return (float(low), float(high)), (float(finite.min()), float(finite.max()))


def merge_ranges(parts: list[Range]) -> Range | None:
    """Smallest ranges that hold all of ``parts``."""
    if not parts:
        return None
    a = np.array(parts)
    low, high = a[:, :, 0].min(axis=0), a[:, :, 1].max(axis=0)
    high = np.maximum(high, low + 1e-6 * np.maximum(np.abs(low), 1.0))
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


def from_dataset(dataset: xr.Dataset, path: Path | None = None, series: SemSeries | None = None) -> ResultData:
    """Wrap a result dataset (lazy: a frame is read when it is looked at).

    Parameters
    ----------
    dataset : xarray.Dataset
        With ``height``, ``height_std``, ``relative_yield`` of dimensions (time, y, x).
    path : Path, optional
        Its store.
    series : SemSeries, optional
        The images it came from.
    """
    shape = (int(dataset.sizes["y"]), int(dataset.sizes["x"]))
    frames = int(dataset.sizes["time"])

    def store(name: str) -> FrameStore:
        if name not in dataset:
            return FrameStore(frames, shape, lambda _: np.full(shape, np.nan, dtype=np.float32))
        return FrameStore(frames, shape, lambda i: dataset[name].isel(time=i).values)

    unit = str(dataset["time"].attrs.get("units", "frame")) if "time" in dataset.coords else "frame"
    times = dataset["time"].values if "time" in dataset.coords else np.arange(frames)
    return ResultData(
        name=path.stem if path else "result",
        path=path,
        height=store("height"),
        height_std=store("height_std"),
        relative_yield=store("relative_yield"),
        pixel_nm=float(dataset.attrs["pixel_nm"]),
        times=np.asarray(times, dtype=float),
        time_unit="s" if unit == "s" else "frame",
        scale_status=str(dataset.attrs.get("scale_status", "relative")),
        series=series,
        draws=(lambda i: np.asarray(dataset["draws"].isel(time=i).values)) if "draws" in dataset else None,
        scale_std=float(dataset.attrs.get("scale_uncertainty") or 0.0),
        parts={name: store(name) for name in _UNCERTAINTIES[1:] if name in dataset},
        misfit=_by_frame(dataset, "misfit"),
        misfit_explained=_by_frame(dataset, "misfit_explained"),
        engine=str(dataset.attrs.get("engine") or ""),
        material=str(dataset.attrs.get("material") or ""),
        warnings=warnings_of(dataset),
        verdicts=_verdicts(dataset),
    )


def warnings_of(dataset: xr.Dataset) -> list[str]:
    """The warnings that a result carries."""
    try:
        found = json.loads(str(dataset.attrs.get("warnings") or "[]"))
    except json.JSONDecodeError:
        return []
    return [str(text) for text in found] if isinstance(found, list) else []


def _by_frame(dataset: xr.Dataset, name: str) -> np.ndarray:
    if name not in dataset:
        return np.full(int(dataset.sizes["time"]), np.nan)
    return np.array(dataset[name].values, dtype=float)


def _verdicts(dataset: xr.Dataset) -> dict[int, KeptVerdict]:
    from napari_sem4d import api

    try:
        return api.kept_verifications(dataset)
    except StoreError:  # the frame is damaged; it is told when it is looked at
        return {}


class _StoreReader:
    """Reads finished frames back from the store of a run, once they have left the cache."""

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self.path = path
        self.shape = shape
        self.done: set[int] = set()
        self._dataset: xr.Dataset | None = None

    def read(self, name: str, frame: int) -> np.ndarray:
        if frame not in self.done:
            return np.full(self.shape, np.nan, dtype=np.float32)
        return np.asarray(self._opened()[name].isel(time=frame).values)

    def draws(self, frame: int) -> np.ndarray | None:
        if frame not in self.done or "draws" not in self._opened():
            return None
        return np.asarray(self._opened()["draws"].isel(time=frame).values)

    def number(self, name: str, frame: int) -> float:
        """One number of a frame; NaN where the store has none."""
        return float(self._opened()[name].isel(time=frame).values) if self.holds(name) else float("nan")

    def holds(self, name: str) -> bool:
        return bool(self.done) and name in self._opened()

    def _opened(self) -> xr.Dataset:
        if self._dataset is None:
            from napari_sem4d import api

            self._dataset = api.open_result(self.path)
        return self._dataset


class RunningResult(ResultData):
    """A result whose frames come in while the run goes on."""

    _reader: _StoreReader

    def already_done(self, dataset: xr.Dataset) -> None:
        """Take in what an earlier, interrupted run has left in the store."""
        self._reader.done |= finished_frames(dataset)
        self.misfit = _by_frame(dataset, "misfit")
        self.misfit_explained = _by_frame(dataset, "misfit_explained")
        self._find_parts()

    def frame_done(self, record: FrameDone) -> None:
        """Take in a finished frame, which is in the store already."""
        self._reader.done.add(record.frame)
        self.height.set_frame(record.frame, record.height)
        self.height_std.set_frame(record.frame, record.height_std)
        self.relative_yield.set_frame(record.frame, record.relative_yield)
        self.misfit[record.frame] = record.misfit
        self.misfit_explained[record.frame] = self._reader.number("misfit_explained", record.frame)
        self._find_parts()

    def _find_parts(self) -> None:
        """The parts of the uncertainty are known once there is a store."""
        for name in _UNCERTAINTIES[1:]:
            if name not in self.parts and self._reader.holds(name):
                self.parts[name] = FrameStore(
                    self.frames, self.shape, lambda i, name=name: self._reader.read(name, i)
                )


def from_series(series: SemSeries, path: Path, scale_std: float | None) -> RunningResult:
    """Empty frames for a run that starts now; its records fill them.

    Parameters
    ----------
    series : SemSeries
        With known pixel size.
    path : Path
        The store that the run writes.
    scale_std : float or None
        Relative standard uncertainty of the height scale; None where no calibration fixes it (relative height).
    """
    assert series.pixel_nm is not None
    reader = _StoreReader(path, series.shape)

    def store(name: str) -> FrameStore:
        return FrameStore(series.frames, series.shape, lambda i: reader.read(name, i))

    unit = series.signal.attrs.get("time_unit") or series.signal["time"].attrs.get("time_unit", "frame")
    result = RunningResult(
        name=path.stem,
        path=path,
        height=store("height"),
        height_std=store("height_std"),
        relative_yield=store("relative_yield"),
        pixel_nm=series.pixel_nm,
        times=np.asarray(series.signal["time"].values, dtype=float),
        time_unit=str(unit),
        scale_status="relative" if scale_std is None else "calibrated",
        series=series,
        draws=reader.draws,
        scale_std=scale_std or 0.0,
        material=str(series.material or ""),
        warnings=[],
    )
    result._reader = reader
    return result
