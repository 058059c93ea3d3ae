"""Verdicts kept with the result that they are about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from napari_sem4d.io.store import ResultStore, open_result
from napari_sem4d.verification.report import Verification

if TYPE_CHECKING:
    import xarray as xr

ATTRIBUTE = "verifications"
"""Attribute of a result: JSON list of verdicts, the newest of each frame."""

_ADAPTER = TypeAdapter(Verification)


@dataclass(frozen=True)
class KeptVerdict:
    """A verdict with when it was found (ISO 8601, UTC)."""

    date: str
    verification: Verification


def keep(path: str | Path, verification: Verification) -> KeptVerdict:
    """Write a verdict into the attributes of its result; an older one of the same frame is replaced.

    The hash of the frame's heights goes with it, so that it is not shown for heights that it is not about.

    Raises
    ------
    StoreError
        If there is no result, or it cannot be written.
    """
    path = Path(path)
    result = open_result(path)
    date = datetime.now(UTC).isoformat(timespec="seconds")
    entry = {
        "date": date,
        "height_sha256": _hash(result, verification.frame),
        "verification": verification.as_dict(),
    }
    others = [e for e in _entries(result.attrs) if _frame_of(e) != verification.frame]
    ResultStore(path).set_attrs(**{ATTRIBUTE: json.dumps([*others, entry])})
    return KeptVerdict(date, verification)


def kept(result: xr.Dataset) -> dict[int, KeptVerdict]:
    """Verdicts of an opened result by frame; those that are not about its heights, or unreadable, are left out."""
    found: dict[int, KeptVerdict] = {}
    for entry in _entries(result.attrs):
        try:
            verification = _ADAPTER.validate_python(entry["verification"])
            date, sha256 = str(entry["date"]), entry["height_sha256"]
        except (KeyError, TypeError, ValidationError):
            continue  # of another version
        if 0 <= verification.frame < result.sizes["time"] and _hash(result, verification.frame) == sha256:
            found[verification.frame] = KeptVerdict(date, verification)
    return found


def _entries(attrs: Mapping[Any, Any]) -> list[Any]:
    try:
        entries = json.loads(str(attrs.get(ATTRIBUTE) or "[]"))
    except json.JSONDecodeError:
        return []
    return entries if isinstance(entries, list) else []


def _frame_of(entry: Any) -> Any:
    verification = entry.get("verification") if isinstance(entry, dict) else None
    return verification.get("frame") if isinstance(verification, dict) else None


def _hash(result: xr.Dataset, frame: int) -> str:
    heights = np.ascontiguousarray(result["height"].isel(time=frame).values, dtype="<f4")
    return hashlib.sha256(heights.tobytes()).hexdigest()
