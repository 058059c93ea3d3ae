"""`sem4d info`: what is known about images or a result, and where it came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

    from napari_sem4d.acquisition.series import SemSeries


def is_result(inputs: list[str]) -> bool:
    """Whether the one input is a folder with a Zarr store in it."""
    return len(inputs) == 1 and (Path(inputs[0]) / "zarr.json").is_file()


def describe_series(series: SemSeries) -> dict[str, Any]:
    """All that is known about a series, as JSON can hold it."""
    from napari_sem4d.acquisition.checks import check_series, memory_estimate_bytes
    from napari_sem4d.acquisition.presets import preset_names

    times = np.asarray(series.signal["time"].values, dtype=float)
    detector = series.instrument.detector
    return {
        "kind": "series",
        "frames": series.frames,
        "segments": list(series.segment_names),
        "shape": list(series.shape),
        "pixel_nm": series.pixel_nm,
        "material": series.material,
        "beam": series.instrument.beam.model_dump(mode="json"),
        "detector": detector.model_dump(mode="json"),
        "time_unit": series.signal["time"].attrs.get("time_unit") or series.signal.attrs.get("time_unit", "frame"),
        "times": times.tolist(),
        "saturation": series.saturation,
        "origins": series.origins,
        "missing": list(series.missing()),
        "faults": {str(frame): message for frame, message in series.faults.items()},
        "warnings": [*series.warnings, *check_series(series)],
        "memory_bytes": memory_estimate_bytes(series),
        "detector_presets": list(preset_names()),
        "sources": [[{"file": str(p.path), "page": p.page} for p in frame] for frame in series.sources],
    }


def series_text(data: dict[str, Any]) -> str:
    """The same in words."""
    y, x = data["shape"]
    origins = data["origins"]

    def line(name: str, shown: object, key: str) -> str:
        where = f"   ({origins[key]})" if key in origins else ""
        return f"{name:17} {'unknown' if shown is None else shown}{where}"

    def angle(name: str, value: float, key: str) -> str:
        return line(name, f"{value:g} degrees{'' if key in origins else ' (assumed)'}", key)

    beam, detector, pixel = data["beam"], data["detector"], data["pixel_nm"]
    energy = beam["energy_kev"]
    shown = detector["name"] or ("given" if detector["segments"] else "unknown")
    segments = count(len(data["segments"]), "segment")
    geometry = "" if detector["segments"] else ", its segments are unknown"
    lines = [
        f"{'images':17} {count(data['frames'], 'frame')} of {segments}, {x} x {y} pixels",
        f"{'segments':17} {', '.join(data['segments'])}",
        line("pixel", None if pixel is None else f"{pixel:g} nm", "pixel_nm"),
        line("beam energy", None if energy is None else f"{energy:g} keV", "beam.energy_kev"),
        angle("tilt", beam["tilt_deg"], "beam.tilt_deg"),
        angle("scan rotation", beam["scan_rotation_deg"], "beam.scan_rotation_deg"),
        line("working distance", _unit(detector["working_distance_mm"], "mm"), "detector.working_distance_mm"),
        line("material", data["material"], "material"),
        line("detector", shown + geometry, "detector.segments"),
        line("time", _times(data), "time"),
        f"{'memory for a run':17} about {data['memory_bytes'] / 1e9:.2g} GB",
    ]
    if data["missing"]:
        lines.append("To be given before a reconstruction (--set KEY=VALUE, --settings or acquisition.yaml):")
        lines += [f"  {key}" for key in data["missing"]]
    if "detector.segments" in data["missing"]:
        lines.append(f"  detectors that can be had with --detector: {', '.join(data['detector_presets'])}")
    lines += [f"Frame {frame} cannot be used: {message}" for frame, message in data["faults"].items()]
    lines += [f"Warning: {sentence}" for sentence in data["warnings"]]
    return "\n".join(lines)


def count(number: int, noun: str) -> str:
    """Say "1 frame", "2 frames"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:g} {unit}"


def _times(data: dict[str, Any]) -> str:
    if data["time_unit"] != "s":
        return "unknown, frames are numbered"
    first, last = data["times"][0], data["times"][-1]
    return f"{first:g} s to {last:g} s" if len(data["times"]) > 1 else f"{first:g} s"


def describe_result(path: Path, result: xr.Dataset) -> dict[str, Any]:
    """What a result holds, as JSON can hold it; the maps are not read."""
    states = result["frame_state"].values
    attrs = dict(result.attrs)
    misfit = result["misfit"].values
    return {
        "kind": "result",
        "path": str(path),
        "frames": int(states.size),
        "done": np.flatnonzero(states == 1).tolist(),
        "failed": np.flatnonzero(states == 2).tolist(),
        "pending": np.flatnonzero(states == 0).tolist(),
        "shape": list(result["height"].shape[1:]),
        "pixel_nm": attrs.get("pixel_nm"),
        "scale_status": attrs.get("scale_status"),
        "datum": attrs.get("datum"),
        "software": attrs.get("software"),
        "device": attrs.get("device"),
        "misfit": [None if not np.isfinite(m) else float(m) for m in misfit],
        "draws": int(result.sizes.get("draw", 0)),
        "inputs": json.loads(str(attrs.get("inputs") or "[]")),
        "warnings": json.loads(str(attrs.get("warnings") or "[]")),
    }


def result_text(data: dict[str, Any]) -> str:
    """The same in words."""
    y, x = data["shape"]
    known = [m for m in data["misfit"] if m is not None]
    misfit = f"{min(known):.3g} to {max(known):.3g}" if known else "-"
    scale = "nm" if data["scale_status"] == "calibrated" else "relative: no reference fixed the scale"
    lines = [
        f"{'frames':17} {data['frames']}: {len(data['done'])} done, {len(data['failed'])} failed, "
        f"{len(data['pending'])} pending",
        f"{'image':17} {x} x {y} pixels of {data['pixel_nm']:g} nm",
        f"{'heights':17} {scale}",
        f"{'datum':17} {data['datum']}",
        f"{'misfit':17} {misfit} (reduced chi-square)",
        f"{'draws':17} {data['draws'] or 'none'}",
        f"{'made by':17} {data['software']} on {data['device']}",
        f"{'made from':17} {len(data['inputs'])} files",
    ]
    if data["pending"]:
        lines.append("The run is not finished: repeat it with --resume to compute the frames that are pending.")
    return "\n".join(lines + [f"Warning: {sentence}" for sentence in data["warnings"]])
