"""What the Load series dock shows and changes of a series (no Qt)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from napari_sem4d.acquisition.pixels import pixels_of
from napari_sem4d.errors import InputError
from napari_sem4d.widgets.series_layer import time_unit

if TYPE_CHECKING:
    from napari_sem4d.acquisition.instrument import Detector
    from napari_sem4d.acquisition.series import SemSeries

ENTERED = "entered in the Load series dock"
UNKNOWN = "unknown"

ASKED = {
    "pixel_nm": "pixel size",
    "beam.energy_kev": "landing energy",
    "material": "material",
    "detector.segments": "detector",
}
"""What a reconstruction cannot do without, in words."""


@dataclass(frozen=True)
class MetadataRow:
    """One line of the metadata table."""

    path: str
    label: str
    value: str
    unit: str
    origin: str
    missing: bool = False


def metadata_rows(series: SemSeries) -> list[MetadataRow]:
    """All that is known of a series with unit and origin; what is needed and unknown is marked."""
    beam, detector = series.instrument.beam, series.instrument.detector
    missing = series.missing()

    def row(path: str, label: str, value: Any, unit: str = "") -> MetadataRow:
        known = value is not None and value != ""
        text = f"{value:.5g}" if isinstance(value, float) else str(value)
        origin = series.origins.get(path, "")
        return MetadataRow(path, label, text if known else UNKNOWN, unit if known else "", origin, path in missing)

    times = np.asarray(series.signal["time"].values, dtype=float)
    spacing = None
    if time_unit(series) == "s" and len(times) > 1:
        steps = np.diff(times)
        regular = np.allclose(steps, steps[0], rtol=1e-3)
        spacing = f"{steps[0]:g}" if regular else f"{steps.min():g} to {steps.max():g}"
    names = ", ".join(series.segment_names)
    rows, columns = series.shape
    return [
        row("pixel_nm", "pixel size", series.pixel_nm, "nm"),
        row("beam.energy_kev", "landing energy", beam.energy_kev, "keV"),
        row("material", "material", series.material),
        row("detector.segments", "detector", detector.name or ("described" if detector.segments else None)),
        row("detector.working_distance_mm", "working distance", detector.working_distance_mm, "mm"),
        row("segments", "segments", f"{len(series.segment_names)} ({names})"),
        row("frames", "frames", series.frames),
        row("time", "time between frames", spacing, "s"),
        row("shape", "image", f"{columns} × {rows}", "pixels"),
        row("beam.tilt_deg", "stage tilt", round(float(beam.tilt_deg), 3), "°"),
        row("beam.scan_rotation_deg", "scan rotation", round(float(beam.scan_rotation_deg), 3), "°"),
        row("beam.probe_nm", "probe size", beam.probe_nm, "nm"),
        row("beam.current_na", "probe current", beam.current_na, "nA"),
        row("beam.dwell_us", "dwell time", beam.dwell_us, "µs"),
        row("saturation", "saturation", series.saturation, "signal"),
    ]


def missing_sentence(series: SemSeries) -> str:
    """What the user is asked for; empty when nothing is missing."""
    missing = [ASKED.get(path, path) for path in series.missing()]
    return f"Please enter what the files do not say: {', '.join(missing)}." if missing else ""


def with_number(series: SemSeries, path: str, text: str) -> SemSeries:
    """Series with a number as the user typed it.

    Parameters
    ----------
    series : SemSeries
        Stays as it is.
    path : str
        ``pixel_nm``, ``beam.energy_kev`` or ``detector.working_distance_mm``.
    text : str
        A number in the unit of the path; empty for unknown.

    Raises
    ------
    InputError
        If it is no positive number in the range of the setting.
    """
    label = ASKED.get(path, "working distance")
    unit = path.rsplit("_", 1)[-1].replace("kev", "keV")
    value: float | None = None
    if text.strip():
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            value = float("nan")
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"The {label} is a positive number in {unit}; '{text}' is not. Please correct it.")
    origins = {**series.origins, path: ENTERED}
    if value is None:
        origins.pop(path)
    if path == "pixel_nm":
        return series.with_values(pixel_nm=value, origins=origins)
    owner, name = path.split(".")
    part = getattr(series.instrument, owner)
    try:
        changed = type(part).model_validate({**part.model_dump(), name: value})
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InputError(f"The {label} of {text} {unit} is outside what is possible: {reason}.") from error
    instrument = series.instrument.model_copy(update={owner: changed})
    return series.with_values(instrument=instrument, origins=origins)


def with_material(series: SemSeries, name: str) -> SemSeries:
    """Series with a material (name or formula; empty for unknown).

    Raises
    ------
    InputError, SettingsError
        If it is no material that can be had.
    """
    from napari_sem4d.physics.materials import material

    name = name.strip()
    origins = {**series.origins, "material": ENTERED}
    if not name:
        origins.pop("material")
        return series.with_values(material=None, origins=origins)
    material(name)  # refuses with a sentence
    return series.with_values(material=name, origins=origins)


def with_detector(series: SemSeries, detector: Detector, origin: str) -> SemSeries:
    """Series with another detector; gains and offsets are those of the preset.

    Raises
    ------
    InputError
        If it has another number of segments than there are images.
    """
    count = len(series.segment_names)
    if len(detector.segments) != count:
        raise InputError(
            f"The detector '{detector.name}' has {len(detector.segments)} segments, the series has {count} "
            f"({', '.join(series.segment_names)}). Choose a detector with {count} segments, or leave out the "
            "images that are no segments."
        )
    by_name = {segment.name: segment for segment in detector.segments}
    if set(by_name) == set(series.segment_names):
        segments = tuple(by_name[name] for name in series.segment_names)
    else:
        segments = tuple(
            segment.model_copy(update={"name": name})
            for segment, name in zip(detector.segments, series.segment_names, strict=True)
        )
    distance = detector.working_distance_mm or series.instrument.detector.working_distance_mm
    changed = detector.model_copy(update={"segments": segments, "working_distance_mm": distance})
    instrument = series.instrument.model_copy(update={"detector": changed})
    return replace(series, instrument=instrument, origins={**series.origins, "detector.segments": origin})


def thumbnail(series: SemSeries, frame: int, segment: int, side: int = 64) -> np.ndarray:
    """Grey picture (uint8, at most ``side`` on a side) of one image, for the table.

    Raises
    ------
    InputError
        If the image cannot be read.
    """
    from napari_sem4d.widgets.shading import sem_texture

    step = max(1, -(-max(series.shape) // side))
    image = np.asarray(pixels_of(series.signal.isel(time=frame, segment=segment)), dtype=np.float32)
    rows, cols = (n // step * step for n in image.shape)
    small = image[:rows, :cols].reshape(rows // step, step, cols // step, step).mean(axis=(1, 3))
    return np.ascontiguousarray(sem_texture(small))
