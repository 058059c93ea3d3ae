"""What file names say: natural order, patterns, and the tokens in which names differ."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_sem4d.errors import SettingsError

NaturalKey = tuple[tuple[int, int, str], ...]

_FIELD = re.compile(r"\{(?P<name>\w*)(?::0?(?P<width>\d*)d?)?\}")
# A word, a number, or a word with its number ("t001", "Q1"): "img001A" gives "img001" and "A".
_TOKEN = re.compile(r"[^\W\d_]*\d+|[^\W\d_]+")
_NUMBERED = re.compile(r"(?P<prefix>[^\W\d_]*)(?P<number>\d+)")
_SEGMENT_PREFIXES = frozenset(
    {
        "q", "s", "seg", "segment", "ch", "channel", "chan", "det", "detector", "bse", "bsd",
        "bsed", "quad", "quadrant", "sector",
    }
)  # fmt: skip
_SEGMENT_WORDS = frozenset(
    {
        "a", "b", "c", "d", "e", "f", "g", "h", "n", "s", "w", "ne", "nw", "se", "sw", "top",
        "bottom", "left", "right", "up", "down", "upper", "lower", "north", "south", "east", "west",
    }
)  # fmt: skip


def natural_key(text: str) -> NaturalKey:
    """Sorting key in which file 2 comes before file 10."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold())
        for part in re.split(r"(\d+)", text)
        if part
    )


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Paths in natural order."""
    return sorted(paths, key=lambda path: (natural_key(path.as_posix()), path.as_posix()))


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Turn a pattern such as ``{time:04d}_{segment}.tif`` into an expression with the groups time and segment.

    ``{time:04d}`` is a number of at least 4 digits, ``{time}`` any number, ``{segment}`` any text, ``*`` and
    ``?`` any text and any character; capital and small letters are the same.

    Raises
    ------
    SettingsError
        For another field, a field that occurs twice, or a pattern without any field.
    """
    parts: list[str] = []
    seen: set[str] = set()
    position = 0
    for match in _FIELD.finditer(pattern):
        name = match["name"]
        if name not in ("time", "segment") or name in seen:
            problem = "twice" if name in seen else "which is not known"
            raise SettingsError(
                f"The pattern files: '{pattern}' holds the field {{{name}}} {problem}; use {{time}} and "
                f"{{segment}}, each once at most, and * for the rest."
            )
        seen.add(name)
        parts.append(_literal(pattern[position : match.start()]))
        width = int(match["width"] or 1)
        parts.append(rf"(?P<time>\d{{{width},}})" if name == "time" else r"(?P<segment>[^/]+?)")
        position = match.end()
    if not seen:
        raise SettingsError(f"The pattern files: '{pattern}' holds neither {{time}} nor {{segment}}.")
    parts.append(_literal(pattern[position:]))
    return re.compile("".join(parts), re.IGNORECASE)


def _literal(text: str) -> str:
    return "".join({"*": "[^/]*?", "?": "[^/]"}.get(c, re.escape(c)) for c in text.replace("\\", "/"))


def match_pattern(pattern: str, path: Path) -> re.Match[str] | None:
    """Match the last parts of a path, as many as the pattern has."""
    depth = pattern.replace("\\", "/").count("/") + 1
    return compile_pattern(pattern).fullmatch("/".join(path.parts[-depth:]))


def is_segment_token(token: str) -> bool:
    """Whether a token of a name is a usual name of a segment: A, Q1, ch2, left, ..."""
    token = token.casefold()
    numbered = _NUMBERED.fullmatch(token)
    if numbered and numbered["prefix"]:
        return numbered["prefix"] in _SEGMENT_PREFIXES and len(numbered["number"]) <= 2
    return token in _SEGMENT_WORDS


def number_of(token: str) -> int | None:
    """The number at the end of a token, None where there is none."""
    numbered = _NUMBERED.fullmatch(token)
    return int(numbered["number"]) if numbered else None


class NameTable:
    """Names of files cut into tokens, one row for each file, and the columns in which they differ.

    Attributes
    ----------
    rows : dict
        Tokens by file; empty when the names have different numbers of tokens and cannot be compared.
    columns : tuple of int
        Columns with more than one value.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.rows: dict[Path, list[str]] = {}
        folders = {path.parent for path in paths}
        top = Path(os.path.commonpath([str(folder) for folder in folders])) if len(folders) > 1 else None
        rows = {}
        for path in paths:
            parts = [path.stem] if top is None else [*path.parent.relative_to(top).parts, path.stem]
            rows[path] = [token for part in parts for token in _TOKEN.findall(part)]
        if len({len(row) for row in rows.values()}) == 1:
            self.rows = _split_mixed_columns(rows)
        width = len(next(iter(self.rows.values()))) if self.rows else 0
        self.columns = tuple(c for c in range(width) if len(self.values(c)) > 1)

    def values(self, column: int) -> tuple[str, ...]:
        """Different values of a column, in natural order, small letters."""
        return tuple(sorted({row[column].casefold() for row in self.rows.values()}, key=natural_key))

    def key(self, path: Path, without: Iterable[int] = ()) -> NaturalKey:
        """Sorting key of a file from its differing tokens, some columns left out."""
        row = self.rows[path]
        left_out = set(without)
        return tuple(
            part for c in self.columns if c not in left_out for part in (*natural_key(row[c]), (2, 0, ""))
        )


def _split_mixed_columns(rows: dict[Path, list[str]]) -> dict[Path, list[str]]:
    """Cut "A001", "B001" into letter and number where the letters of a column differ."""
    width = len(next(iter(rows.values())))
    split: dict[Path, list[str]] = {path: [] for path in rows}
    for column in range(width):
        matches = {path: _NUMBERED.fullmatch(row[column]) for path, row in rows.items()}
        found = [m for m in matches.values() if m is not None]
        mixed = len(found) == len(rows) and len({m["prefix"].casefold() for m in found}) > 1
        mixed = mixed and all(m["prefix"] for m in found)
        for path, row in rows.items():
            match = matches[path]
            split[path] += [match["prefix"], match["number"]] if mixed and match else [row[column]]
    return split
