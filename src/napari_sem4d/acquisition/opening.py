"""Files, folders, patterns and acquisition.yaml into a lazy series with what is known about it."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from napari_sem4d.acquisition.checks import check_headers
from napari_sem4d.acquisition.description import DESCRIPTION_FILE, AcquisitionSettings
from napari_sem4d.acquisition.file_names import natural_order
from napari_sem4d.acquisition.grouping import Grouping, Plane, group, list_names
from napari_sem4d.acquisition.instrument import Detector, Instrument
from napari_sem4d.acquisition.known_values import Known, values_of
from napari_sem4d.acquisition.lazy_images import lazy_signal
from napari_sem4d.acquisition.presets import load_preset, preset_names
from napari_sem4d.acquisition.readers import read_headers
from napari_sem4d.acquisition.readers.header import FrameHeader
from napari_sem4d.acquisition.series import DIMS, SemSeries, SourcePage
from napari_sem4d.acquisition.sniffing import OTHER_IMAGE_SUFFIXES, TIFF_SUFFIXES
from napari_sem4d.acquisition.yaml_settings import load_yaml
from napari_sem4d.errors import InputError

Inputs = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
_YAML = (".yaml", ".yml")
# Up to this share of the frames may differ in shape or pixel size and count as faults of their own.
_MINORITY = 0.2


def open_series(
    inputs: Inputs,
    settings: AcquisitionSettings | None = None,
    model: type[AcquisitionSettings] = AcquisitionSettings,
) -> SemSeries:
    """Open images as a series; headers are read, pixels are not.

    Parameters
    ----------
    inputs : path or iterable of paths
        Files, folders (their TIFF files, or those of their sub-folders), patterns with ``*``, or an
        ``acquisition.yaml``; a folder's own ``acquisition.yaml`` is read with it.
    settings : AcquisitionSettings or None
        What goes before the files and before ``acquisition.yaml``: the keys that are set in it.
    model : type
        Model that ``acquisition.yaml`` must fit; the whole settings tree where that is known.

    Returns
    -------
    SemSeries
        float32, one chunk for each frame and segment. A frame that cannot be used is a fault and reads as NaN.

    Raises
    ------
    InputError
        If there is no usable image, or it is in doubt what belongs together.
    SettingsError
        If ``acquisition.yaml`` does not fit the model, or the times do not fit the frames.
    """
    files, description = collect_inputs(inputs)
    described = load_yaml(description, model) if description is not None else AcquisitionSettings()
    given = settings if settings is not None else AcquisitionSettings()
    layers: list[tuple[AcquisitionSettings, str]] = [(given, "settings")]
    if description is not None:
        layers.append((described, str(description)))

    expected = next((s.detector.segments for s, _ in layers if s.detector.segments), ())
    pattern = next((s.files for s, _ in layers if s.files), None)
    planes = [plane for path in files for plane in _planes(path)]
    if all(plane.header is None for plane in planes):
        raise InputError(f"None of the images can be read. {planes[0].fault}")
    grouping = group(planes, pattern, [segment.name for segment in expected])
    rows = next((s.image_rows for s, _ in layers if s.image_rows), None)
    return _series(grouping, layers, rows)


def collect_inputs(inputs: Inputs) -> tuple[list[Path], Path | None]:
    """Image files in natural order, and the ``acquisition.yaml`` that describes them (None where there is none).

    Raises
    ------
    InputError
        If a path does not exist, no image is found, or two descriptions are.
    """
    given = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    if not given:
        raise InputError(
            "No input was given; give files, a folder, a pattern such as *.tif, or an acquisition.yaml."
        )
    files: list[Path] = []
    descriptions: list[Path] = []
    for item in given:
        path = Path(item)
        if path.is_dir():
            files += _images_of_folder(path)
            descriptions += [path / DESCRIPTION_FILE]
        elif path.suffix.lower() in _YAML and path.is_file():
            descriptions.append(path)
            files += _images_of_folder(path.parent) if len(given) == 1 else []
        elif path.is_file():
            files.append(path)
            descriptions.append(path.parent / DESCRIPTION_FILE)
        else:
            matches = _glob(str(item))
            files += [match for match in matches if match.is_file() and match.suffix.lower() not in _YAML]
            descriptions += [match.parent / DESCRIPTION_FILE for match in matches]
            if not matches:
                raise InputError(f"{item} does not exist (no file, folder or pattern that fits); check the path.")
    if not files:
        raise InputError(f"No TIFF image was found in {', '.join(str(item) for item in given)}; check the path.")
    found = list(dict.fromkeys(path.resolve() for path in descriptions if path.is_file()))
    if len(found) > 1:
        raise InputError(
            f"Two descriptions were found, {found[0]} and {found[1]}; open one folder at a time, or remove one of "
            "them."
        )
    unique = {path.resolve(): path for path in files}
    return natural_order(unique.values()), found[0] if found else None


def _glob(pattern: str) -> list[Path]:
    # Path.glob takes no absolute patterns, which users type.
    return [Path(name) for name in glob.glob(pattern, recursive=True)] if glob.has_magic(pattern) else []  # noqa: PTH207


def _images_of_folder(folder: Path) -> list[Path]:
    """TIFF files of a folder; of its sub-folders where it has none itself; else other images, to be refused."""
    for suffixes in (TIFF_SUFFIXES, OTHER_IMAGE_SUFFIXES):
        for pattern in ("*", "*/*"):
            found = [
                path
                for path in folder.glob(pattern)
                if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith(".")
            ]
            if found:
                return found
    raise InputError(f"The folder {folder} holds no TIFF image; check the path.")


def _planes(path: Path) -> list[Plane]:
    try:
        return [Plane(path, header.page, header) for header in read_headers(path)]
    except InputError as error:
        return [Plane(path, fault=str(error))]


def _series(grouping: Grouping, layers: Sequence[tuple[AcquisitionSettings, str]], rows: int | None) -> SemSeries:
    faults = _frames_that_cannot_be_used(grouping)
    usable = [
        [plane.header for plane in frame if plane is not None and plane.header is not None]
        for i, frame in enumerate(grouping.frames)
        if i not in faults
    ]
    if not usable:
        raise InputError(f"No frame is complete. {next(iter(faults.values()))}")
    headers = [header for frame in usable for header in frame]
    shape = (min(header.image_rows for header in headers), headers[0].shape[1])
    if rows is not None:
        shape = (min(rows, shape[0]), shape[1])
    known, warnings = values_of(usable, layers)
    detector, detector_warnings = _detector(known, grouping, layers)

    times, unit = _times(grouping, faults, layers, known)
    signal = xr.DataArray(
        lazy_signal(grouping.frames, faults, shape),
        dims=DIMS,
        coords={"time": ("time", times, {"units": unit}), "segment": list(grouping.segments)},
        attrs={"time_unit": unit},
        name="signal",
    )
    notes = dict.fromkeys(note for header in headers for note in header.notes)
    return SemSeries(
        signal=signal,
        instrument=Instrument(beam=known.beam, detector=detector),
        pixel_nm=known.pixel_nm,
        material=known.material,
        origins={**known.origins, "segments": grouping.explanation},
        sources=tuple(
            tuple(SourcePage(plane.path, plane.page) for plane in frame if plane is not None)
            for frame in grouping.frames
        ),
        saturation=_saturation(headers),
        faults=faults,
        warnings=(*grouping.warnings, *warnings, *detector_warnings, *notes, *check_headers(usable)),
    )


def _frames_that_cannot_be_used(grouping: Grouping) -> dict[int, str]:
    """Frames with an unreadable, missing or odd image, with the sentence that says so.

    Raises
    ------
    InputError
        If shapes or pixel sizes differ in more than a few frames.
    """
    faults: dict[int, str] = {}
    for i, frame in enumerate(grouping.frames):
        missing = [name for name, plane in zip(grouping.segments, frame, strict=True) if plane is None]
        broken = [plane.fault for plane in frame if plane is not None and plane.header is None]
        if broken:
            faults[i] = f"Frame {i}: {broken[0]}"
        elif missing:
            there = list_names([plane.path for plane in frame if plane is not None])
            faults[i] = f"Frame {i} misses segment {', '.join(missing)} (it has only {there}); it is left out."
    whole = {i: [p.header for p in f if p and p.header] for i, f in enumerate(grouping.frames) if i not in faults}
    faults.update(_odd_frames(whole))
    return dict(sorted(faults.items()))


def _odd_frames(whole: dict[int, list[FrameHeader]]) -> dict[int, str]:
    def area(header: FrameHeader) -> tuple[int, int]:
        return header.image_rows if header.bar_known else header.shape[0], header.shape[1]

    def pixel(header: FrameHeader) -> float | None:
        # Rounded to 0.5 % steps: what vendors' digits allow.
        return None if header.pixel_nm is None else round(float(np.log(header.pixel_nm)) / 0.005)

    odd: dict[int, str] = {}
    for what, told, show in (
        ("shape", area, lambda h: f"{area(h)[0]} x {area(h)[1]} pixels"),
        ("pixel size", pixel, lambda h: f"{h.pixel_nm:g} nm" if h.pixel_nm is not None else "no pixel size"),
    ):
        kinds = [told(header) for headers in whole.values() for header in headers]
        if len(set(kinds)) < 2:
            continue
        usual = max(set(kinds), key=lambda kind: (kinds.count(kind), str(kind)))
        model = next(h for headers in whole.values() for h in headers if told(h) == usual)
        for i, headers in whole.items():
            other = next((h for h in headers if told(h) != usual), None)
            if other is not None and i not in odd:
                odd[i] = (
                    f"Frame {i}: the {what} of {other.path.name} is {show(other)}, that of {model.path.name} is "
                    f"{show(model)}"
                )
        if len(odd) > _MINORITY * len(whole):
            raise InputError(
                f"{next(iter(odd.values()))}. Images of one series must show the same area; remove what does not "
                "belong, or open the parts apart."
            )
    return {i: f"{text}; the frame is left out." for i, text in odd.items()}


def _detector(
    known: Known, grouping: Grouping, layers: Sequence[tuple[AcquisitionSettings, str]]
) -> tuple[Detector, list[str]]:
    """Detector with the segments of the settings or of the preset they name, in the order of the images."""
    detector = known.detector
    warnings: list[str] = []
    named = next((s.detector.name for s, _ in layers if s.detector.name and not s.detector.segments), None)
    if not detector.segments and named in preset_names():
        detector = load_preset(str(named), known.detector.working_distance_mm)
        known.origins["detector.segments"] = f"preset {named}"
    if not detector.segments:
        return detector, warnings
    images, described = [n.casefold() for n in grouping.segments], [s.name.casefold() for s in detector.segments]
    if set(images) == set(described):
        order = [described.index(name) for name in images]
        detector = detector.model_copy(update={"segments": tuple(detector.segments[i] for i in order)})
    elif len(images) == len(described):
        pairs = ", ".join(f"{a} = {s.name}" for a, s in zip(grouping.segments, detector.segments, strict=True))
        warnings.append(
            f"The images' segments were matched with those of the detector in order: {pairs}; check this."
        )
    return detector, warnings


def _times(
    grouping: Grouping,
    faults: dict[int, str],
    layers: Sequence[tuple[AcquisitionSettings, str]],
    known: Known,
) -> tuple[np.ndarray, str]:
    """Times of the frames in s from the settings, the stack or the clock; else frame numbers."""
    frames = len(grouping.frames)
    for settings, origin in layers:
        if settings.time.known:
            known.origins["time"] = origin
            return settings.time.values(frames), "s"
    heads = [
        next((p.header for p in frame if p is not None and p.header is not None), None)
        for frame in grouping.frames
    ]
    first = next(header for header in heads if header is not None)
    if first.frame_interval_s is not None and frames > 1:
        known.origins["time"] = first.origins["frame_interval_s"]
        return first.frame_interval_s * np.arange(frames, dtype=np.float64), "s"
    clock = [header.acquired if header is not None else None for header in heads]
    start = next((t for t in clock if t is not None), None)
    # Differences of the microscope's own clock: no time zone, no daylight saving.
    dated = np.array([np.nan if t is None or start is None else (t - start).total_seconds() for t in clock])
    good = np.flatnonzero(np.isfinite(dated))
    # A fault may hide its date: its time is interpolated between its neighbours.
    if (
        frames > 1
        and len(good) > 1
        and set(range(frames)) - set(good) <= set(faults)
        and np.all(np.diff(dated[good]) > 0)
    ):
        known.origins["time"] = first.origins["acquired"]
        dated = np.interp(np.arange(frames), good, dated[good])
        if np.all(np.diff(dated) > 0):
            return dated - dated[0], "s"
    return np.arange(frames, dtype=np.float64), "frame"


def _saturation(headers: Sequence[FrameHeader]) -> float | None:
    kinds = {header.dtype for header in headers}
    dtype = next(iter(kinds))
    return float(np.iinfo(dtype).max) if len(kinds) == 1 and dtype.kind == "u" else None
