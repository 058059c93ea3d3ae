"""Checks of images and metadata: sentences that say what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_sem4d.acquisition.pixels import pixels_of
from napari_sem4d.acquisition.readers.header import FrameHeader
from napari_sem4d.acquisition.readers.values import is_combination
from napari_sem4d.acquisition.series import SemSeries
from napari_sem4d.errors import InputError

MIN_SEGMENTS = 3
_ONE_VIEW = "One image shows the surface in one view, in which a slope and a change of composition look the same"
_EDGES = "and in a secondary-electron image edges are bright whatever their height (edge effect)"
_SATURATED_SHARE = 0.005
_NAN_SHARE = 0.001
# float64 work arrays of a reconstruction: per pixel and segment, and per pixel (solver, preconditioner, result).
_BYTES_PER_SIGNAL = 8 * 6
_BYTES_PER_PIXEL = 8 * 24
_TEXT_ROWS = 6
_HUGE_BYTES = 8 * 2**30


def check_headers(frames: Sequence[Sequence[FrameHeader]]) -> list[str]:
    """Check what headers tell.

    Parameters
    ----------
    frames : sequence of sequence of FrameHeader
        Headers by frame and segment.

    Returns
    -------
    list of str
        Warnings, whole sentences; empty when nothing is wrong.
    """
    headers = [header for frame in frames for header in frame]
    if not headers:
        return []
    texts: list[str] = []
    first = headers[0]
    if any(header.dtype.itemsize == 1 for header in headers):
        texts.append(
            f"The images are 8-bit ({first.path.name}): small slopes vanish where the noise is below one grey "
            "step. Save 16-bit images where the microscope can."
        )
    lossy = next((h for h in headers if h.lossy), None)
    if lossy is not None:
        texts.append(
            f"{lossy.path.name} was compressed with loss (JPEG inside TIFF): grey values changed block by block, "
            "so heights are not to be trusted. Export it without compression."
        )
    colour = next((h for h in headers if h.channels >= 3), None)
    if colour is not None:
        texts.append(
            f"{colour.path.name} is a colour (RGB) image: its grey pixels are read, coloured ones (drawn "
            "annotation) are left out. Export grey images without annotation."
        )
    curved = next((h for h in headers if h.gamma is not None and abs(h.gamma - 1) > 0.005), None)
    if curved is not None:
        texts.append(
            f"{curved.path.name} was saved with gamma {curved.gamma:g}: its grey levels are not proportional to "
            "the signal, so slopes come out wrong. Record with gamma 1."
        )
    combined = {h.combination: h for h in headers if h.combination is not None}
    for name, header in combined.items():
        texts.append(
            f"{header.path.name} is a sum or difference of segments ({name}), not a segment: it cannot be used as "
            "one. Export every segment (A, B, C, ... or Q1 to Q4) for itself."
        )
    texts += _changed_amplifier(frames)
    if {len(frame) for frame in frames} == {1}:
        texts.append(single_image(first.specimen_signal))
    return texts


def single_image(signal: str | None) -> str:
    """Say why no height can be had from one image per frame ("SE", "BSE" or None: unknown)."""
    reason = f"{_ONE_VIEW}, {_EDGES}" if signal != "BSE" else _ONE_VIEW
    return (
        f"There is one image per frame: no height can be had from it. {reason}. Record at least {MIN_SEGMENTS} "
        "segments of a backscattered-electron detector in one scan."
    )


def combined_segments(names: Sequence[str]) -> str | None:
    """Sentence about segments whose names are those of sums or differences, None where there are none."""
    combined = [name for name in names if is_combination(name)]
    if not combined:
        return None
    return (
        f"The images {', '.join(combined)} are sums or differences of segments, not segments: the equations of "
        "the detector do not hold for them. Export every segment (A, B, C, ... or Q1 to Q4) for itself."
    )


def _changed_amplifier(frames: Sequence[Sequence[FrameHeader]]) -> list[str]:
    texts = []
    for k in range(min(len(frame) for frame in frames)):
        for what in ("contrast", "brightness"):
            start = getattr(frames[0][k], what)
            for frame in frames[1:]:
                value = getattr(frame[k], what)
                if start is not None and value is not None and abs(value - start) > 1e-3 * max(abs(start), 1e-6):
                    texts.append(
                        f"The {what} was changed during the series: {start:g} in {frames[0][k].path.name}, "
                        f"{value:g} in {frame[k].path.name}. One calibration does not hold for both; split the "
                        "series there."
                    )
                    break
    return texts


def check_frame(frame: np.ndarray, names: Sequence[str], saturation: float | None = None) -> list[str]:
    """Check the pixels of one frame.

    Parameters
    ----------
    frame : ndarray, shape (K, Y, X)
        Signals of the segments.
    names : sequence of str
        Names of the segments, for the sentences.
    saturation : float or None
        Level from which on a pixel is saturated; None: only a pile-up in the histogram tells.

    Returns
    -------
    list of str
        Warnings, whole sentences.
    """
    texts: list[str] = []
    for image, name in zip(frame, names, strict=True):
        good = image[np.isfinite(image)]
        lost = 1 - good.size / image.size
        if not good.size:
            texts.append(
                f"Segment {name} holds no valid pixel: the file cannot be read or was left out as a fault."
            )
            continue
        if lost > _NAN_SHARE:
            texts.append(f"Segment {name} has {100 * lost:.1f} % pixels without a value (NaN); they are masked.")
        if good.min() == good.max():
            texts.append(
                f"Segment {name} is constant (all pixels {good.min():g}): the detector was off or the wrong "
                "channel was saved. Record it again, or leave the segment out."
            )
            continue
        for share, level, what in _clipped(good, saturation):
            texts.append(
                f"Segment {name} is saturated: {100 * share:.1f} % of its pixels stand at its {what} {level:g}. "
                "Their slopes are unknown (they are masked); lower the contrast or shift the brightness when "
                "recording."
            )
        row = data_bar_row(image)
        if row is not None:
            texts.append(
                f"Segment {name} has a data bar (text) in the rows from {row} on, which would be read as relief. "
                f"Set image_rows: {row} in acquisition.yaml or in the settings."
            )
    return texts + _differences(frame, names, saturation)


def saturation_level(image: np.ndarray, stated: float | None = None) -> float | None:
    """Level at which an image is clipped above: the stated one if pixels reach it, else where they pile up.

    Parameters
    ----------
    image : ndarray
        Signal of one segment, any shape; NaN is ignored.
    stated : float or None
        Largest value of the file's number type.

    Returns
    -------
    float or None
        None where nothing is clipped.
    """
    good = image[np.isfinite(image)]
    if not good.size:
        return None
    top = float(good.max())
    if stated is not None and top >= stated:
        return stated
    return top if _piles_up(good, top) else None


def _piles_up(good: np.ndarray, extreme: float) -> bool:
    """Whether many more pixels stand at the extreme value than at the grey levels beside it."""
    values, counts = np.unique(good, return_counts=True)
    if len(values) < 16:
        return False
    at_end, beside = (counts[-1], counts[-9:-1]) if extreme == values[-1] else (counts[0], counts[1:9])
    return bool(at_end > _SATURATED_SHARE * good.size and at_end > 4 * beside.mean())


def _clipped(good: np.ndarray, saturation: float | None) -> list[tuple[float, float, str]]:
    found = []
    top = saturation_level(good, saturation)
    if top is not None:
        found.append((float(np.mean(good >= top)), top, "highest level"))
    bottom = float(good.min())
    if _piles_up(good, bottom):
        found.append((float(np.mean(good <= bottom)), bottom, "lowest level"))
    return [entry for entry in found if entry[0] > _SATURATED_SHARE]


def data_bar_row(image: np.ndarray) -> int | None:
    """First row of a data bar at the bottom of an image, None where there is none.

    A bar is a block over the full width whose rows mostly hold one and the same value (its background), which the
    rows above do not, with text or lines of strong contrast in it. A dark corner or a flat specimen has no such
    text; detector noise never repeats one value along a row.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Signal of one segment.
    """
    rows = image.shape[0]
    depth = max(8, int(0.3 * rows))
    if rows < 32:
        return None
    background = _most_frequent(image[-depth // 8 :])
    share = np.mean(image == background, axis=1)
    bar = share > 0.35
    # Walk up from the bottom; a line of text may interrupt the background for a few rows.
    first, gap = rows, 0
    for row in range(rows - 1, -1, -1):
        gap = 0 if bar[row] else gap + 1
        if gap > _TEXT_ROWS:
            break
        first = row if bar[row] else first
    if rows - first < 8 or rows - first > depth or np.median(share[max(0, first - 40) : first]) > 0.2:
        return None
    inside = image[first:]
    drawn = np.abs(inside - background) > 0.5 * (np.nanmax(image) - np.nanmin(image))
    if not 0.002 < np.mean(drawn) < 0.6:
        return None
    # The frame line above the background is part of the bar.
    while first > 0 and np.mean(image[first - 1] == _most_frequent(image[first - 1])) > 0.8:
        first -= 1
    return first


def _most_frequent(values: np.ndarray) -> float:
    found, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    return float(found[np.argmax(counts)]) if len(found) else float("nan")


def _differences(frame: np.ndarray, names: Sequence[str], saturation: float | None) -> list[str]:
    """Signs that images are differences of segments: negative values, or two inverse images at mid-grey."""
    negative = [n for image, n in zip(frame, names, strict=True) if np.mean(image < 0) > 0.2]
    if negative:
        return [
            f"Segment {', '.join(negative)} has negative signals, as differences of segments (TOPO) have. Export "
            "every segment for itself."
        ]
    if saturation is None or len(frame) < 2 or not np.isfinite(frame).all():
        return []
    mid = [abs(float(image.mean()) / saturation - 0.5) < 0.01 for image in frame]
    flat = frame.reshape(len(frame), -1).astype(np.float64)
    if np.any(flat.std(axis=1) == 0):
        return []
    correlation = np.atleast_2d(np.corrcoef(flat))
    for i in range(len(frame)):
        for j in range(i):
            if mid[i] and mid[j] and correlation[i, j] < -0.9:
                return [
                    f"Segments {names[j]} and {names[i]} are inverse to each other and stand at mid-grey, as "
                    "differences of segments (TOPO) do. Export every segment for itself."
                ]
    return []


def check_series(series: SemSeries, frame: int | None = None) -> tuple[str, ...]:
    """Read one frame and check its pixels, and the memory that the run will need.

    Parameters
    ----------
    series : SemSeries
        The series.
    frame : int or None
        Frame to read; None takes the first without a fault.

    Returns
    -------
    tuple of str
        Warnings, whole sentences (those of :attr:`SemSeries.warnings` are not repeated).
    """
    texts: list[str] = []
    if frame is None:
        frame = next((i for i in range(series.frames) if i not in series.faults), 0)
    pixels = pixels_of(series.signal[frame])
    combined = combined_segments(series.segment_names)
    if combined is not None:
        texts.append(combined)
    texts += [f"Frame {frame}: {text}" for text in check_frame(pixels, series.segment_names, series.saturation)]
    memory = memory_warning(series)
    if memory is not None:
        texts.append(memory)
    return tuple(texts)


def require_segments(series: SemSeries) -> None:
    """Refuse a series from which no height can be had.

    Raises
    ------
    InputError
        With fewer than 3 segments, or with sums and differences of segments; why is said.
    """
    count = len(series.segment_names)
    if count == 1:
        raise InputError(single_image(None))
    combined = combined_segments(series.segment_names)
    if combined is not None:
        raise InputError(combined)
    if count < MIN_SEGMENTS:
        raise InputError(
            f"The series has {count} segments ({', '.join(series.segment_names)}): two slopes and the yield are "
            f"three unknowns at every pixel, so at least {MIN_SEGMENTS} segments are needed. Record more segments "
            "in one scan."
        )


def memory_estimate_bytes(series: SemSeries) -> int:
    """Estimate the memory of a reconstruction, in bytes.

    Frames are solved one at a time, so the number of frames does not count: the work arrays of one frame in
    float64, about 6 for each segment and 24 for the pixel grid.
    """
    y, x = series.shape
    return y * x * (len(series.segment_names) * _BYTES_PER_SIGNAL + _BYTES_PER_PIXEL)


def memory_warning(series: SemSeries) -> str | None:
    """Sentence about the memory that a reconstruction needs, None while it is of no concern."""
    need = memory_estimate_bytes(series)
    if need <= _HUGE_BYTES:
        return None
    y, x = series.shape
    return (
        f"The images are huge ({y} x {x} pixels, {len(series.segment_names)} segments): a reconstruction needs "
        f"about {need / 2**30:.1f} GiB of memory. Crop or bin the images if this computer has less."
    )
