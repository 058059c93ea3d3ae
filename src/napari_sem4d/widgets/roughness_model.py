"""What the Roughness dock computes, in a thread: figures, curves, spectra, all times (no Qt)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sem4d.errors import Cancelled, DomainError, InputError
from napari_sem4d.metrology.evaluate import Figure, evaluate
from napari_sem4d.metrology.material_ratio import MaterialRatioCurve
from napari_sem4d.metrology.surface import Surface, Treatment, prepare_surface
from napari_sem4d.metrology.surface_spectrum import KINDS, SurfaceSpectrum, surface_spectrum
from napari_sem4d.metrology.tables import tables_csv

if TYPE_CHECKING:
    from napari_sem4d.widgets.height_source import HeightSource

HISTOGRAM_BINS = 128


@dataclass(frozen=True)
class Request:
    """What is to be measured.

    Attributes
    ----------
    source : HeightSource
        The map, its heights and pixels in nm.
    index : tuple of int
        Frame.
    treatment : Treatment
        Levelling and filters.
    region : callable or None
        Gives the mask (Y, X) for an index when it is called in the thread; None for the whole map.
    region_name : str
        For the table.
    unscaled : bool
        Whether a relative height is measured in relative units.
    """

    source: HeightSource
    index: tuple[int, ...]
    treatment: Treatment
    region: Callable[[tuple[int, ...]], np.ndarray] | None = None
    region_name: str = "whole map"
    unscaled: bool = False


@dataclass(frozen=True)
class Figures:
    """The table of one frame.

    ``with_intervals`` says that draws have been counted in.
    """

    request: Request
    figures: tuple[Figure, ...]
    shape: tuple[int, int]
    masked_fraction: float
    with_intervals: bool = False


@dataclass(frozen=True)
class Curves:
    """Material ratio curve (percent, nm above the mean), histogram (edges in nm, percent) and core line.

    ``core`` is (height at 0 %, height at 100 %, Smrk1, Smrk2), None where it means nothing.
    """

    ratio_percent: np.ndarray
    height_nm: np.ndarray
    edges_nm: np.ndarray
    percent: np.ndarray
    core: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class Spectra:
    """Spectra by kind; where there is none, ``told`` says why."""

    spectra: dict[str, SurfaceSpectrum]
    told: str = ""


@dataclass(frozen=True)
class FrameMeasured:
    """The table of one of several frames, or the sentence that says why there is none."""

    frame: int
    figures: tuple[Figure, ...]
    told: str = ""


class _Interruptible(Surface):
    """A surface whose draws stop coming when the user has asked for something else."""

    cancel: threading.Event

    def errors(self) -> Iterator[np.ndarray]:
        for error in super().errors():
            if self.cancel.is_set():
                raise Cancelled("Something else is measured now.")
            yield error


def measure(request: Request, cancel: threading.Event) -> Iterator[Figures | Curves | Spectra]:
    """One frame: the table at once, then curves and spectra, then what takes the draws.

    Raises
    ------
    DomainError, InputError
        If the region holds no height, or a filter does not fit.
    """
    surface = _prepared(request, cancel, draws=False)
    yield _figures(request, surface)
    yield _curves(surface)
    yield _spectra(request, surface)
    if request.source.has_draws:
        drawn = _prepared(request, cancel, draws=True)
        if drawn.number_of_draws > 1:
            yield _figures(request, drawn)
            yield _spectra(request, drawn)


def measure_frames(
    request: Request, frames: list[tuple[int, ...]], cancel: threading.Event
) -> Iterator[FrameMeasured]:
    """Every frame without draws, so that the course is soon seen; then with them where there are some."""
    passes = (False, True) if request.source.has_draws else (False,)
    for draws in passes:
        for index in frames:
            if cancel.is_set():
                return
            one = replace(request, index=index)
            try:
                surface = _prepared(one, cancel, draws)
                yield FrameMeasured(index[0], _figures(one, surface).figures)
            except (DomainError, InputError) as error:
                yield FrameMeasured(index[0], (), str(error))


def figures_text(parts: list[tuple[Request, tuple[Figure, ...]]], separator: str = ",") -> str:
    """Tables as CSV text, each line with the map, the region and the time."""
    tables = []
    for request, figures in parts:
        source = request.source
        front = {
            "map": source.name,
            "region": request.region_name,
            "frame": str(request.index[0]) if request.index else "0",
            "time": source.time_text(request.index),
        }
        tables.append((front, figures))
    return tables_csv(tables, separator)


def conditions(answer: Figures) -> str:
    """Under what the table was measured, in one line."""
    how = answer.request.treatment
    rows, columns = answer.shape
    py, px = answer.request.source.pixel
    filters = [f"{name} {value:g} nm" for name, value in (("S", how.s_nm), ("L", how.l_nm)) if value is not None]
    parts = [
        answer.request.region_name,
        f"{_length(columns * px)} × {_length(rows * py)}",
        f"levelling {how.levelling}",
        " and ".join(filters) or "no S or L filter",
    ]
    if answer.masked_fraction > 0:
        parts.append(f"{100 * answer.masked_fraction:.2g} % without height")
    text = ", ".join(parts)
    scale = answer.request.source.scale_std
    if answer.with_intervals:
        text += ". Intervals hold noise" + (f" and calibration ({100 * scale:.2g}\u00a0%)" if scale else " alone")
    return text


def _length(nm: float) -> str:
    return f"{nm / 1e3:.4g} µm" if nm >= 1e4 else f"{nm:.4g} nm"


def _prepared(request: Request, cancel: threading.Event, draws: bool) -> Surface:
    source, index = request.source, request.index
    surface = prepare_surface(
        source.read_height(index),
        source.pixel,
        request.treatment,
        region=None if request.region is None else request.region(index),
        draws=source.read_draws(index) if draws else None,
        relative=source.relative,
        scale_std=source.scale_std,
    )
    if cancel.is_set():
        raise Cancelled("Something else is measured now.")
    found = _Interruptible(**vars(surface))
    object.__setattr__(found, "cancel", cancel)
    return found


def _figures(request: Request, surface: Surface) -> Figures:
    figures = tuple(evaluate(surface, unscaled=request.unscaled))
    rows, columns = surface.height.shape
    return Figures(request, figures, (rows, columns), surface.masked_fraction, surface.number_of_draws > 1)


def _curves(surface: Surface) -> Curves:
    curve = MaterialRatioCurve(surface.height)
    ratio, height = curve.sampled()
    counts, edges = np.histogram(curve.descending, bins=HISTOGRAM_BINS)
    core = None
    try:
        if not curve.is_bimodal:
            line = curve.core
            core = (line.upper_nm, line.lower_nm, line.smrk1, line.smrk2)
    except DomainError:
        core = None
    return Curves(ratio, height, edges, 100.0 * counts / counts.sum(), core)


def _spectra(request: Request, surface: Surface) -> Spectra:
    try:
        return Spectra({kind: surface_spectrum(surface, kind, unscaled=request.unscaled) for kind in KINDS})
    except DomainError as error:
        return Spectra({}, str(error))
