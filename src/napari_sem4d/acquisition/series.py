"""A series of multi-segment images with the instrument that took them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import xarray as xr

from napari_sem4d.acquisition.instrument import Instrument
from napari_sem4d.errors import InputError

DIMS = ("time", "segment", "y", "x")


@dataclass(frozen=True)
class SourcePage:
    """One image in a file: what a frame and segment was read from."""

    path: Path
    page: int = 0


@dataclass(frozen=True)
class SemSeries:
    """Images ``signal[time, segment, y, x]`` of one area, lazy, with what is known about them.

    Attributes
    ----------
    signal : xarray.DataArray
        Dimensions (time, segment, y, x), dask-backed; the pixels are read when computed. Coordinates: ``time``
        (s, or the frame number where no time is known: ``attrs["time_unit"]`` is "s" or "frame") and
        ``segment`` (names). Row 0 is the top of the image. Signal units are those of the files.
    instrument : Instrument
        Beam and detector; ``detector.segments`` is empty while the geometry is unknown.
    pixel_nm : float or None
        Edge of the square pixel in nm; None while unknown: it is asked for, never guessed.
    material : str or None
        Name or formula of the reference material; None while unknown.
    origins : dict
        Where each value came from, in words, keyed by its settings path, for example
        ``{"beam.energy_kev": "Thermo tag Beam.HV of A_05.tif"}``.
    sources : tuple of tuple of SourcePage
        ``sources[frame][segment]``; a frame in ``faults`` lists only the files that exist.
    saturation : float or None
        Signal value at and above which a pixel counts as saturated (signal units), None when unknown.
    faults : dict
        Frame number to message, for frames that cannot be used (flagged; the series goes on).
    warnings : tuple of str
        Whole sentences for the user.
    """

    signal: xr.DataArray
    instrument: Instrument = field(default_factory=Instrument)
    pixel_nm: float | None = None
    material: str | None = None
    origins: dict[str, str] = field(default_factory=dict)
    sources: tuple[tuple[SourcePage, ...], ...] = ()
    saturation: float | None = None
    faults: dict[int, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the shape against the instrument.

        Raises
        ------
        InputError
            If the dimensions are not (time, segment, y, x), or the number of segments differs from the
            detector's.
        """
        if tuple(self.signal.dims) != DIMS:
            raise InputError(f"a series has the axes {DIMS}, this one has {tuple(self.signal.dims)}")
        known = len(self.instrument.detector.segments)
        if known and known != self.signal.sizes["segment"]:
            raise InputError(
                f"the images hold {self.signal.sizes['segment']} segments, the detector settings describe "
                f"{known}; choose a detector with as many segments, or remove the images that are not segments"
            )

    @property
    def frames(self) -> int:
        """Number of frames (time steps)."""
        return int(self.signal.sizes["time"])

    @property
    def segment_names(self) -> tuple[str, ...]:
        """Names of the segments in the order of the ``segment`` axis."""
        return tuple(str(s) for s in self.signal["segment"].values)

    @property
    def shape(self) -> tuple[int, int]:
        """Image shape (Y, X)."""
        return int(self.signal.sizes["y"]), int(self.signal.sizes["x"])

    def missing(self) -> tuple[str, ...]:
        """Settings paths without which no reconstruction is possible, in the order in which to ask."""
        unknown = []
        if self.pixel_nm is None:
            unknown.append("pixel_nm")
        if self.instrument.beam.energy_kev is None:
            unknown.append("beam.energy_kev")
        if self.material is None:
            unknown.append("material")
        if not self.instrument.detector.segments:
            unknown.append("detector.segments")
        return tuple(unknown)

    def with_values(self, **changes: object) -> Self:
        """Return a copy with some attributes replaced (same names as the attributes)."""
        return replace(self, **changes)  # type: ignore[arg-type]
