"""Images into frames and segments: metadata first, names second, and in words how it was done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_sem4d.acquisition.file_names import (
    NameTable,
    NaturalKey,
    is_segment_token,
    match_pattern,
    natural_key,
    natural_order,
    number_of,
)
from napari_sem4d.acquisition.readers.header import FrameHeader
from napari_sem4d.errors import InputError

MAX_SEGMENTS = 16
_ADVICE = (
    "say how with a line in acquisition.yaml, for example 'files: \"{time:04d}_{segment}.tif\"', or give only "
    "the files that belong together"
)


@dataclass(frozen=True)
class Plane:
    """One image: its header, or (``header`` None) the sentence that says why it cannot be read."""

    path: Path
    page: int = 0
    header: FrameHeader | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Grouping:
    """Images by frame and segment.

    Attributes
    ----------
    segments : tuple of str
        Names of the segments.
    frames : tuple of tuple
        ``frames[frame][segment]``, None where no file was found.
    explanation : str
        In words, how frames and segments were told apart.
    warnings : tuple of str
        Whole sentences for the user.
    """

    segments: tuple[str, ...]
    frames: tuple[tuple[Plane | None, ...], ...]
    explanation: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Labels:
    """Frame key and segment of every file; a segment None means that the file does not tell."""

    frame: dict[Path, NaturalKey]
    segment: dict[Path, str | None]
    how: str


def group(planes: Sequence[Plane], pattern: str | None = None, expected: Sequence[str] = ()) -> Grouping:
    """Group images into frames and segments.

    Parameters
    ----------
    planes : sequence of Plane
        All images, those that cannot be read included.
    pattern : str or None
        Pattern of the names, see :func:`~napari_sem4d.acquisition.file_names.compile_pattern`.
    expected : sequence of str
        Names of the segments that the settings describe, if they do.

    Returns
    -------
    Grouping

    Raises
    ------
    InputError
        If it is in doubt which image belongs where; the files are named.
    """
    warnings: list[str] = []
    by_file: dict[Path, list[Plane]] = defaultdict(list)
    for plane in planes:
        by_file[plane.path].append(plane)
    if pattern is not None:
        by_file = _keep_matching(by_file, pattern, warnings)
    by_file = _leave_out_non_segments(by_file, warnings)
    files = natural_order(by_file)
    if pattern is not None:
        labels = _labels_from_pattern(files, by_file, pattern)
    elif len(files) == 1:
        labels = _Labels({files[0]: ()}, {files[0]: None}, "one file")
    else:
        labels = _labels_from_metadata(files, by_file) or _labels_from_names(files, by_file, expected)
    return _assemble(by_file, labels, expected, warnings)


def _keep_matching(by_file: dict[Path, list[Plane]], pattern: str, warnings: list[str]) -> dict[Path, list[Plane]]:
    kept = {path: planes for path, planes in by_file.items() if match_pattern(pattern, path)}
    if not kept:
        raise InputError(
            f"No file matches the pattern files: '{pattern}'; the first file is called "
            f"{natural_order(by_file)[0].name}. Correct the pattern in acquisition.yaml."
        )
    left = [path for path in by_file if path not in kept]
    if left:
        warnings.append(f"Left out, because the pattern '{pattern}' does not match: {list_names(left)}.")
    return kept


def _leave_out_non_segments(by_file: dict[Path, list[Plane]], warnings: list[str]) -> dict[Path, list[Plane]]:
    """Where the metadata name segments, drop the sums, differences and other detectors that lie beside them."""
    headers = {path: planes[0].header for path, planes in by_file.items()}
    found: dict[str, set[str]] = defaultdict(set)
    for header in headers.values():
        if header is not None and header.segment is not None:
            found[header.detector or ""].add(header.segment)
    if not found or max(len(names) for names in found.values()) < 2:
        return by_file
    best = max(found, key=lambda detector: len(found[detector]))
    left = [
        path
        for path, header in headers.items()
        if header is not None and (header.segment is None or (header.detector or "") != best)
    ]
    if left:
        warnings.append(
            f"Left out, because they are no segment of the detector {best or '(unnamed)'}: {list_names(left)}."
        )
    return {path: planes for path, planes in by_file.items() if path not in left}


def _labels_from_pattern(files: list[Path], by_file: dict[Path, list[Plane]], pattern: str) -> _Labels:
    frame: dict[Path, NaturalKey] = {}
    segment: dict[Path, str | None] = {}
    for path in files:
        match = match_pattern(pattern, path)
        assert match is not None
        fields = match.groupdict()
        frame[path] = natural_key(fields.get("time") or "")
        header = by_file[path][0].header
        segment[path] = fields.get("segment") or (header.segment if header else None)
    return _Labels(frame, segment, f"the pattern '{pattern}'")


def _labels_from_metadata(files: list[Path], by_file: dict[Path, list[Plane]]) -> _Labels | None:
    """Segments that the headers name; None where they name fewer than two."""
    headers = {path: by_file[path][0].header for path in files}
    readable = {path: header for path, header in headers.items() if header is not None}
    choices: tuple[tuple[str, Callable[[FrameHeader], str | None]], ...] = (
        ("segment", lambda header: header.segment),
        ("combination", lambda header: header.segment or header.combination),
        ("detector", lambda header: header.detector),
    )
    for name, label in choices:
        named = {path: label(header) for path, header in readable.items()}
        if len(set(named.values())) >= 2 and None not in named.values():
            segment = {path: value for path, value in named.items() if value is not None}
            origin = next(iter(readable.values())).origins.get(name, "the metadata").split(" of ")[0]
            return _frames_of_metadata(files, segment, readable, origin)
    return None


def _frames_of_metadata(
    files: list[Path], segment: dict[Path, str], readable: dict[Path, FrameHeader], origin: str
) -> _Labels:
    table = NameTable(files)
    if table.rows:
        mirrors = [
            c for c in table.columns if _one_to_one({p: table.rows[p][c].casefold() for p in segment}, segment)
        ]
        full: dict[Path, str | None] = dict(segment)
        if mirrors:
            names = {table.rows[p][mirrors[0]].casefold(): s for p, s in segment.items()}
            for path in files:
                if path not in segment:
                    full[path] = names.get(table.rows[path][mirrors[0]].casefold())
        frame = {path: table.key(path, without=mirrors) for path in files}
        used = [(frame[path], name) for path, name in segment.items()]
        frames = Counter(key for key, _ in used)
        complete = sum(n == len(set(segment.values())) for n in frames.values())
        # Names that only count files up, or hold the second of writing, do not tell what belongs together.
        if len(set(used)) == len(used) and 2 * complete > len(frames):
            return _Labels(frame, full, f"segments from {origin}, frames from the file names")
    return _frames_in_sequence(files, segment, readable, origin)


def _frames_in_sequence(
    files: list[Path], segment: dict[Path, str], readable: dict[Path, FrameHeader], origin: str
) -> _Labels:
    """Frames by order of acquisition, where names only count files up: every segment must occur equally often."""
    counts = Counter(segment.values())
    unreadable = [path for path in files if path not in segment]
    if len(set(counts.values())) > 1 or unreadable:
        rarest = min(counts, key=lambda name: counts[name])
        shown = unreadable or [path for path, name in segment.items() if name == rarest]
        told = ", ".join(f"{name}: {n}" for name, n in sorted(counts.items()))
        raise InputError(
            f"It is in doubt which images belong to one frame: the segments have different numbers of images "
            f"({told}) and the names only count them up (see {list_names(shown)}); {_ADVICE}."
        )
    dated = all(readable[path].acquired is not None for path in segment)
    frame: dict[Path, NaturalKey] = {}
    for name in counts:
        own = [path for path in files if segment[path] == name]
        if dated:
            own.sort(key=lambda path: (str(readable[path].acquired), natural_key(path.name)))
        frame.update({path: ((0, i, ""),) for i, path in enumerate(own)})
    order = "time of acquisition" if dated else "order of the file names"
    return _Labels(frame, dict(segment), f"segments from {origin}, frames from the {order}")


def _one_to_one(a: dict[Path, str], b: dict[Path, str]) -> bool:
    pairs = {(a[path], b[path]) for path in b}
    return len(pairs) == len({x for x, _ in pairs}) == len({y for _, y in pairs})


def _labels_from_names(files: list[Path], by_file: dict[Path, list[Plane]], expected: Sequence[str]) -> _Labels:
    table = NameTable(files)
    if not table.rows or not table.columns:
        raise InputError(
            f"The names of {list_names(files)} do not tell which is which frame and segment, and neither do the "
            f"metadata; {_ADVICE}."
        )
    column = _segment_column(table, files, by_file, expected)
    if column is None:
        return _Labels({p: table.key(p) for p in files}, dict.fromkeys(files), "frames from the file names")
    segment: dict[Path, str | None] = {path: table.rows[path][column] for path in files}
    frame = {path: table.key(path, without=[column]) for path in files}
    return _Labels(frame, segment, "segments and frames from the file names")


def _segment_column(
    table: NameTable, files: list[Path], by_file: dict[Path, list[Plane]], expected: Sequence[str]
) -> int | None:
    """Column of the names that holds the segment, None where the files are frames of one segment."""
    known = {name.casefold() for name in expected}
    named = [c for c in table.columns if known and set(table.values(c)) <= known]
    usual = named or [c for c in table.columns if all(is_segment_token(v) for v in table.values(c))]
    crossed = usual or [c for c in table.columns if _runs_through_every_frame(table, files, c)]
    if len(crossed) > 1:
        values = " or ".join(", ".join(table.values(c)[:4]) for c in crossed)
        raise InputError(f"It is in doubt which part of the names is the segment ({values}); {_ADVICE}.")
    if crossed:
        return crossed[0]
    if any(len(planes) > 1 for planes in by_file.values()):
        return None
    single = table.columns[0] if len(table.columns) == 1 else None
    if single is not None and any(number_of(v) is None for v in table.values(single)):
        return single
    if single is not None and len(files) == len(expected):
        return single
    if 3 <= len(files) <= 8:
        raise InputError(
            f"It is in doubt whether {list_names(files)} are {len(files)} frames or {len(files)} segments of one "
            f"frame: neither names nor metadata say so; {_ADVICE}."
        )
    return None


def _runs_through_every_frame(table: NameTable, files: list[Path], column: int) -> bool:
    """Whether a column counts 1 to K (or 0 to K - 1), K = 3 to 8, again for every frame."""
    numbers = [number_of(v) for v in table.values(column)]
    count = len(numbers)
    if len(table.columns) < 2 or not 3 <= count <= 8 or None in numbers:
        return False
    if sorted(n for n in numbers if n is not None) not in (list(range(count)), list(range(1, count + 1))):
        return False
    frames = Counter(table.key(path, without=[column]) for path in files)
    return len(frames) > 1 and sum(n == count for n in frames.values()) > 0.5 * len(frames)


def _assemble(
    by_file: dict[Path, list[Plane]], labels: _Labels, expected: Sequence[str], warnings: list[str]
) -> Grouping:
    how = [labels.how]
    pages = _page_role(by_file, labels, expected, how, warnings)
    cells: dict[NaturalKey, dict[str, Plane]] = defaultdict(dict)
    shown: dict[str, str] = {}
    lost: list[Path] = []
    for path, planes in by_file.items():
        for plane in planes:
            within, name = pages(plane)
            name = labels.segment[path] or name
            if name is None and plane.header is None and any(labels.segment.values()):
                lost.append(path)
                continue
            name = shown.setdefault((name or "1").casefold(), name or "1")
            row = cells[labels.frame[path] + within]
            if name in row:
                raise InputError(
                    f"Two images claim the same frame and segment {name}: {_page_name(row[name])} and "
                    f"{_page_name(plane)}; remove one of them, or {_ADVICE}."
                )
            row[name] = plane
    if lost:
        warnings.append(f"Left out, because they cannot be read and their names do not tell: {list_names(lost)}.")
    segments = _segment_order(cells, expected)
    frames = tuple(tuple(cells[key].get(name) for name in segments) for key in sorted(cells))
    how.append(f"{len(frames)} frame(s) of {len(segments)} segment(s): {', '.join(segments)}")
    return Grouping(segments, frames, "; ".join(how) + ".", tuple(warnings))


def _segment_order(cells: dict[NaturalKey, dict[str, Plane]], expected: Sequence[str]) -> tuple[str, ...]:
    counts = Counter(name for row in cells.values() for name in row)
    rank = {name.casefold(): i for i, name in enumerate(expected)}
    rare = [name for name, n in counts.items() if 2 * n < len(cells)]
    if rare or len(counts) > MAX_SEGMENTS:
        name = rare[0] if rare else max(counts, key=natural_key)
        files = [row[name].path for row in cells.values() if name in row]
        raise InputError(
            f"It is in doubt whether '{name}' is a segment: only {counts[name]} of {len(cells)} frames have it "
            f"({list_names(files)}); {_ADVICE}."
        )
    return tuple(sorted(counts, key=lambda name: (rank.get(name.casefold(), len(rank)), natural_key(name))))


def _page_role(
    by_file: dict[Path, list[Plane]], labels: _Labels, expected: Sequence[str], how: list[str], warnings: list[str]
) -> Callable[[Plane], tuple[NaturalKey, str | None]]:
    """How the pages of a file are read: as (key within the frame order, segment name)."""
    counts = {len(planes) for planes in by_file.values()}
    most = max(counts)
    if most == 1:
        return lambda plane: ((), None)
    first = next(planes for planes in by_file.values() if len(planes) == most)[0]
    header = first.header
    if header is not None and (header.time_index is not None or header.segment_index is not None):
        how.append("the file names its axes")
        return _page_by_axes(expected)
    if any(labels.segment.values()):
        how.append("pages are frames")
        return lambda plane: (((0, plane.page, ""),), None)
    readable = {len(planes) for planes in by_file.values() if planes[0].header is not None}
    if expected and len(readable) == 1 and most % len(expected) == 0:
        k = len(expected)
        how.append(f"every {k} successive pages are the {k} segments of one frame")
        return lambda plane: (((0, plane.page // k, ""),), expected[plane.page % k])
    if not expected and len(readable) == 1 and 3 <= most <= (8 if len(by_file) > 1 else 5):
        how.append("pages are segments")
        warnings.append(
            f"{first.path.name} does not say what its {most} pages are; they were taken as the {most} segments of "
            "one frame. If they are frames, give the detector's segments in the settings."
        )
        return lambda plane: ((), str(plane.page + 1))
    raise InputError(
        f"{first.path} holds {most} pages and does not say which are frames and which are segments; give the "
        "detector's segments in the settings (their number tells), or save one file for each segment."
    )


def _page_by_axes(expected: Sequence[str]) -> Callable[[Plane], tuple[NaturalKey, str | None]]:
    def place(plane: Plane) -> tuple[NaturalKey, str | None]:
        header = plane.header
        time = header.time_index if header and header.time_index is not None else 0
        index = header.segment_index if header else None
        if index is None:
            return ((0, time, ""),), None
        return ((0, time, ""),), expected[index] if index < len(expected) else str(index + 1)

    return place


def _page_name(plane: Plane) -> str:
    return plane.path.name if not plane.page else f"{plane.path.name} page {plane.page + 1}"


def list_names(paths: Sequence[Path], most: int = 4) -> str:
    """Names of the first files, and how many more there are."""
    ordered = natural_order(paths)
    more = len(ordered) - most
    return ", ".join(path.name for path in ordered[:most]) + (f" and {more} more" if more > 0 else "")
