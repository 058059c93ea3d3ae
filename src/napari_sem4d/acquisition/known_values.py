"""What is known about beam, pixel, material and detector: settings before files, each value with its origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_sem4d.acquisition.description import AcquisitionSettings
from napari_sem4d.acquisition.instrument import Beam, Detector
from napari_sem4d.acquisition.readers.header import FrameHeader

_FROM_HEADER = {
    "beam.energy_kev": "energy_kev",
    "beam.tilt_deg": "tilt_deg",
    "beam.scan_rotation_deg": "scan_rotation_deg",
    "beam.current_na": "current_na",
    "beam.dwell_us": "dwell_us",
    "detector.name": "detector",
    "detector.working_distance_mm": "working_distance_mm",
    "pixel_nm": "pixel_nm",
}
_LABELS = {
    "beam.energy_kev": ("Beam energy", "keV"),
    "beam.tilt_deg": ("Stage tilt", "degrees"),
    "beam.scan_rotation_deg": ("Scan rotation", "degrees"),
    "beam.current_na": ("Probe current", "nA"),
    "beam.dwell_us": ("Dwell time", "us"),
    "detector.working_distance_mm": ("Working distance", "mm"),
}
# Outside of this no SEM image lies; a file that says so holds a wrong unit.
_PIXEL_RANGE_NM = (0.01, 100_000.0)
# Changes below these within a series are the instrument's own digits.
_TOLERANCE = 0.01
_ABSOLUTE = {"beam.tilt_deg": 0.1, "beam.scan_rotation_deg": 0.1}


@dataclass
class Known:
    """Values with their origins, keyed by settings path."""

    beam: Beam = field(default_factory=Beam)
    detector: Detector = field(default_factory=Detector)
    pixel_nm: float | None = None
    material: str | None = None
    origins: dict[str, str] = field(default_factory=dict)


def values_of(
    frames: Sequence[Sequence[FrameHeader]], layers: Sequence[tuple[AcquisitionSettings, str]]
) -> tuple[Known, list[str]]:
    """Settle every value.

    Parameters
    ----------
    frames : sequence of sequence of FrameHeader
        Headers of the usable frames, by segment.
    layers : sequence of (settings, origin)
        Settings, the strongest first; only keys that are set in them count.

    Returns
    -------
    Known, list of str
        The values, and whole sentences on what is implausible or changes.
    """
    headers = [header for frame in frames for header in frame]
    warnings: list[tuple[str, str]] = []
    known = Known()
    settled: dict[str, Any] = {}
    for path, name in _FROM_HEADER.items():
        header = next((h for h in headers if getattr(h, name) is not None), None)
        if header is not None:
            settled[path] = getattr(header, name)
            known.origins[path] = header.origins.get(name, header.path.name)
            warnings += _changes(path, name, header, headers)
    warnings += _implausible_pixel(settled, known, headers)
    from_settings: set[str] = set()
    for settings, origin in reversed(layers):
        for path, value in _set_values(settings).items():
            settled[path] = value
            known.origins[path] = origin
            from_settings.add(path)
    # What the files say of a value that the settings give does not matter any more.
    sentences = [text for path, text in warnings if path not in from_settings]
    sentences += _turned(settled, from_settings)

    known.beam = Beam(**{p.removeprefix("beam."): v for p, v in settled.items() if p.startswith("beam.")})
    known.detector = Detector(
        **{p.removeprefix("detector."): v for p, v in settled.items() if p.startswith("detector.")}
    )
    known.pixel_nm, known.material = settled.get("pixel_nm"), settled.get("material")
    return known, sentences


def _set_values(settings: AcquisitionSettings) -> dict[str, Any]:
    """Values that were set (a default is no value), by settings path."""
    values: dict[str, Any] = {}
    for name in ("pixel_nm", "material"):
        if name in settings.model_fields_set:
            values[name] = getattr(settings, name)
    for part in ("beam", "detector"):
        inner = getattr(settings, part)
        values.update({f"{part}.{name}": getattr(inner, name) for name in inner.model_fields_set})
    return {path: value for path, value in values.items() if value is not None and value != ()}


def _changes(path: str, name: str, first: FrameHeader, headers: Sequence[FrameHeader]) -> list[tuple[str, str]]:
    """One sentence where a number is not the same in all images (pixel sizes are checked by frame elsewhere)."""
    if path not in _LABELS:
        return []
    label, unit = _LABELS[path]
    start = getattr(first, name)
    tolerance = _ABSOLUTE.get(path, _TOLERANCE * abs(start))
    for header in headers:
        value = getattr(header, name)
        if value is not None and abs(value - start) > tolerance:
            text = (
                f"{label} is not the same in all images: {start:g} {unit} in {first.path.name}, {value:g} {unit} "
                f"in {header.path.name}; the first is used. Check that the images belong together."
            )
            return [(path, text)]
    return []


def _implausible_pixel(
    settled: dict[str, Any], known: Known, headers: Sequence[FrameHeader]
) -> list[tuple[str, str]]:
    """Forget a pixel size that cannot be, so that it is asked for."""
    pixel = settled.get("pixel_nm")
    if pixel is None:
        return []
    header = next(h for h in headers if h.pixel_nm == pixel)
    other = header.pixel_y_nm
    if not _PIXEL_RANGE_NM[0] <= pixel <= _PIXEL_RANGE_NM[1]:
        text = f"The pixel size in {header.path.name}, {pixel:g} nm, is implausible"
    elif other is not None and abs(other / pixel - 1) > _TOLERANCE:
        text = f"The pixels of {header.path.name} are not square ({pixel:g} nm wide, {other:g} nm high)"
    else:
        return []
    del settled["pixel_nm"], known.origins["pixel_nm"]
    return [("pixel_nm", f"{text}, so it is not used: give pixel_nm.")]


def _turned(settled: dict[str, Any], from_settings: set[str]) -> list[str]:
    """Say that the sense of a tilt or rotation out of a file is not certain."""
    texts = []
    tilt, turn = settled.get("beam.tilt_deg", 0.0), settled.get("beam.scan_rotation_deg", 0.0)
    if abs(tilt) > 0.5 and "beam.tilt_deg" not in from_settings:
        texts.append(
            f"The stage is tilted by {tilt:.1f} degrees by the file; here a tilt is positive when the top edge of "
            "the image comes nearer to the pole piece. Check its sign and set beam.tilt_deg."
        )
    if abs(turn) > 0.5 and "beam.scan_rotation_deg" not in from_settings:
        texts.append(
            f"The scan is rotated by {turn:.1f} degrees by the file, taken as counter-clockwise on the screen: "
            "the segments' azimuths turn with it. Check its sense and set beam.scan_rotation_deg."
        )
    return texts
