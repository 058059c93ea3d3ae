"""Values found in a header, each with the place where it stood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Collected:
    """What a vendor's reader found; attribute names are those of ``FrameHeader``. The first find wins."""

    vendor: str
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, name: str, value: Any, place: str) -> None:
        """Keep a value with its place, unless it is None or the name has one already."""
        if value is not None and name not in self.values:
            # Ten digits: no vendor writes more, and unit conversion shall not show as 65.10419999999999.
            self.values[name] = float(f"{value:.10g}") + 0.0 if isinstance(value, float) else value
            self.origins[name] = f"{self.vendor} {place}"
