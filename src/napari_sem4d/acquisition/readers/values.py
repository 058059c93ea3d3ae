"""Numbers, lengths and dates out of vendors' fields, which may hold anything."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Any

_LENGTH_NM = {
    "fm": 1e-6, "pm": 1e-3, "å": 0.1, "angstrom": 0.1, "nm": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3,
    "\\u00b5m": 1e3, "micron": 1e3, "microns": 1e3, "micrometer": 1e3, "nanometer": 1.0, "mm": 1e6, "cm": 1e7,
    "m": 1e9, "inch": 2.54e7,
}  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


_COMBINATION = re.compile(
    r"all|sum|custom|z.?cont(rast)?|compo.*|topo.*|shadow.*|[A-Z0-9]{1,2}(\s*[+-]\s*[A-Z0-9]{1,2})+", re.IGNORECASE
)


def is_combination(name: str) -> bool:
    """Whether a detector mode or segment name stands for a sum or difference of segments: A-B, TOPO, COMPO, ..."""
    return _COMBINATION.fullmatch(name.strip()) is not None


def number(value: Any) -> float | None:
    """Finite number, or None for '', 'notafloat', None, NaN and whatever else is no number."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def positive(value: Any) -> float | None:
    """Like :func:`number`, and None unless above zero."""
    result = number(value)
    return result if result is not None and result > 0 else None


def length_nm(value: Any, unit: Any) -> float | None:
    """Positive length in nm from a value with its unit's name; None where either cannot be used."""
    scale = _LENGTH_NM.get(str(unit).strip().lower())
    result = positive(value)
    return None if scale is None or result is None else result * scale


def date_and_time(text: str, formats: tuple[str, ...]) -> datetime | None:
    """Read the first fitting format; None where none fits."""
    for form in formats:
        try:
            return datetime.strptime(text.strip(), form)
        except ValueError:
            continue
    return None


def english_date(date: str, time: str) -> datetime | None:
    """Read '23 Dec 2015' with '9:40:32', whatever language the computer speaks."""
    parts = date.replace("-", " ").split()
    if len(parts) != 3 or parts[1][:3].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(parts[1][:3].lower()) + 1
    return date_and_time(f"{parts[0]} {month} {parts[2]} {time}", ("%d %m %Y %H:%M:%S", "%d %m %y %H:%M:%S"))
