"""The hardware geometry of a detector as parameters: azimuths, polar edges, working distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.errors import SettingsError

GeometryPart = Literal["azimuth", "segment_azimuths", "polar", "working_distance"]
"""What can be freed: the rotation of the whole detector; each segment's azimuth against the first; the inner and
the outer polar edge; the working distance, which moves both edges."""

HIGH_CORRELATION = 0.95
_HIGHEST_POLAR_DEG = 89.9
_NARROWEST_DEG = 2.0
ASSUMED_STD = {"azimuth": 10.0, "segment_azimuths": 10.0, "polar": 10.0, "working_distance": 0.2}
"""How well each is known beforehand: degrees; share of the working distance."""
_LITTLE_LEARNT = 0.8


@dataclass(frozen=True)
class Geometry:
    """Segments as a function of what is free.

    The working distance is a factor on the one that the polar angles were given for: a ring of the detector keeps
    its radius, r = WD tan(polar), so a longer distance makes both edges smaller.

    Attributes
    ----------
    segments : tuple of Segment
        As given.
    free : tuple of str
        See :data:`GeometryPart`.
    """

    segments: tuple[Segment, ...]
    free: tuple[GeometryPart, ...]

    @property
    def parts(self) -> tuple[GeometryPart, ...]:
        """The part that each parameter belongs to."""
        size = {"azimuth": 1, "segment_azimuths": len(self.segments) - 1, "polar": 2, "working_distance": 1}
        return tuple(part for part in size if part in self.free for _ in range(size[part]))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        out: list[str] = []
        if "azimuth" in self.free:
            out.append("rotation")
        if "segment_azimuths" in self.free:
            out += [f"azimuth change {s.name}" for s in self.segments[1:]]
        if "polar" in self.free:
            out += ["polar change inner", "polar change outer"]
        if "working_distance" in self.free:
            out.append("working distance")
        return tuple(out)

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the parameters: degrees, and 1 for the working distance's factor."""
        return tuple("1" if part == "working_distance" else "deg" for part in self.parts)

    @property
    def start(self) -> np.ndarray:
        """The parameters of the geometry as given."""
        return np.array([1.0 if part == "working_distance" else 0.0 for part in self.parts])

    @property
    def assumed_std(self) -> np.ndarray:
        """How well each parameter is known without the data: 10 degrees, 20 % of the working distance."""
        return np.array([ASSUMED_STD[part] for part in self.parts])

    def moved(self, x: np.ndarray) -> tuple[Segment, ...]:
        """Segments at a parameter vector."""
        parts = np.array(self.parts)

        def values(part: str, default: Sequence[float] | np.ndarray) -> np.ndarray:
            found = np.asarray(x)[parts == part]
            return found if found.size else np.asarray(default)

        turn = float(values("azimuth", [0.0])[0])
        own = np.concatenate([[0.0], values("segment_azimuths", np.zeros(len(self.segments) - 1))])
        change = values("polar", [0.0, 0.0])
        factor = float(values("working_distance", [1.0])[0])
        return tuple(moved_segment(s, turn + a, change, factor) for s, a in zip(self.segments, own, strict=True))


def moved_segment(segment: Segment, turn_deg: float, change_deg: np.ndarray, factor: float) -> Segment:
    """A segment turned by an angle, at a working distance times a factor, its polar edges then shifted (deg)."""
    low, high = (
        float(np.degrees(np.arctan(np.tan(np.radians(min(edge, _HIGHEST_POLAR_DEG))) / factor))) + float(shift)
        for edge, shift in zip(segment.polar_deg, change_deg, strict=True)
    )
    low = float(np.clip(low, 0.0, _HIGHEST_POLAR_DEG - _NARROWEST_DEG))
    high = float(np.clip(high, low + _NARROWEST_DEG, _HIGHEST_POLAR_DEG))
    azimuth = (segment.azimuth_deg[0] + turn_deg, segment.azimuth_deg[1] + turn_deg)
    return segment.model_copy(update={"polar_deg": (low, high), "azimuth_deg": azimuth})


def check_free(free: Sequence[str], segments: int) -> None:
    """Refuse what no data can tell apart.

    Raises
    ------
    SettingsError
        If polar edges and working distance are both free, or there are too few segments.
    """
    if "polar" in free and "working_distance" in free:
        raise SettingsError(
            "the polar edges and the working distance cannot both be free: the working distance moves both edges, "
            "so no image tells them apart. Free the working distance if the detector's radii are known, else polar"
        )
    if free and segments < 3:
        raise SettingsError(
            f"the detector's geometry can be found with at least three segments, these images have {segments}"
        )


def refuse_undetermined(
    names: Sequence[str], std: np.ndarray, assumed_std: np.ndarray, correlation: np.ndarray, advice: str
) -> None:
    """Refuse parameters that the data do not determine.

    Parameters
    ----------
    names : sequence of str
        Of all parameters; the first ``assumed_std.size`` of them are those of the geometry.
    std : ndarray
        Standard uncertainties, each in its unit.
    assumed_std : ndarray
        What is known of the geometry without the data.
    correlation : ndarray, shape (P, P)
        Of all parameters.
    advice : str
        What to do, for the sentence.

    Raises
    ------
    SettingsError
        If an uncertainty is hardly smaller than what is known beforehand, or a geometry parameter is correlated by
        more than 0.95 with another.
    """
    count = assumed_std.size
    for i in range(count):
        if not std[i] < _LITTLE_LEARNT * assumed_std[i]:
            raise SettingsError(
                f"these images do not determine '{names[i]}': its standard uncertainty would be {std[i]:.2g}, "
                f"and {assumed_std[i]:g} is known without them. {advice}"
            )
    for i in range(count):
        others = np.abs(np.delete(correlation[i], i))
        if others.size and others.max() > HIGH_CORRELATION:
            other = [n for j, n in enumerate(names) if j != i][int(others.argmax())]
            raise SettingsError(
                f"these images cannot tell '{names[i]}' from '{other}' (correlation {others.max():.3f}, limit "
                f"{HIGH_CORRELATION}). {advice}"
            )
