"""The instrument as settings: beam, working distance, segments."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Degrees = Annotated[float, Field(allow_inf_nan=False)]


class StrictModel(BaseModel):
    """Base of every settings model: unknown keys are errors, values are checked on assignment."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, use_attribute_docstrings=True)


class Beam(StrictModel):
    """The electron beam and how it scans. None means unknown, and is asked for where it is needed."""

    energy_kev: float | None = Field(None, gt=0, le=60, description="Landing energy of the primaries, keV")
    tilt_deg: float = Field(
        0.0,
        gt=-80,
        lt=80,
        description="Stage tilt about the image's x axis, degrees; positive when the top edge of the image "
        "comes nearer to the pole piece",
    )
    probe_nm: float | None = Field(None, ge=0, description="Probe size (full width at half maximum), nm")
    current_na: float | None = Field(None, gt=0, description="Probe current, nA")
    dwell_us: float | None = Field(None, gt=0, description="Dwell time per pixel, us")
    scan_rotation_deg: float = Field(
        0.0,
        description="Scan rotation, degrees, counter-clockwise on the screen: the image content turns by this "
        "angle against the column, and so do the segments' azimuths seen in the image",
    )


class Segment(StrictModel):
    """One detector channel: a polar range, an azimuth range, an energy response, gain and offset."""

    name: str = Field(min_length=1, description="Name of the segment, unique in its detector")
    polar_deg: tuple[Degrees, Degrees] = Field(
        description="Polar range from the optical axis (+z), degrees, smaller first"
    )
    azimuth_deg: tuple[Degrees, Degrees] = Field(
        description="Azimuth range, degrees, counter-clockwise on the screen from +x, from the first value to "
        "the second modulo 360 (0, 360 is the full turn; negative values are allowed)"
    )
    threshold_kev: float = Field(0.0, ge=0, description="Energy below which an electron gives no signal, keV")
    gain: float = Field(1.0, gt=0, description="Signal units per energy-weighted electron per primary")
    offset: float = Field(0.0, description="Signal at zero electrons, signal units")

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.polar_deg
        if not 0 <= low < high <= 90:
            raise ValueError(
                f"segment {self.name}: polar_deg is {list(self.polar_deg)}; give two angles with "
                "0 <= first < second <= 90 degrees"
            )
        if self.azimuth_deg[0] == self.azimuth_deg[1]:
            raise ValueError(
                f"segment {self.name}: azimuth_deg is an empty range; a full ring is written [0, 360]"
            )
        return self

    @property
    def azimuth_width_deg(self) -> float:
        """Width of the azimuth range, degrees, in (0, 360]."""
        width = (self.azimuth_deg[1] - self.azimuth_deg[0]) % 360.0
        return width if width > 0 else 360.0

    @property
    def azimuth_centre_deg(self) -> float:
        """Middle of the azimuth range, degrees, in [0, 360)."""
        return (self.azimuth_deg[0] + 0.5 * self.azimuth_width_deg) % 360.0


class Detector(StrictModel):
    """All segments that recorded one scan, and the working distance."""

    name: str | None = Field(None, description="Name of the detector or of the preset")
    working_distance_mm: float | None = Field(None, gt=0, description="Working distance, mm")
    segments: tuple[Segment, ...] = Field((), description="The segments, in the order of the images")

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [s.name for s in self.segments]
        if len(set(names)) != len(names):
            raise ValueError(f"segment names must differ; given: {', '.join(names)}")
        return self


class Instrument(StrictModel):
    """Beam and detector together: what turns an emission field into signals."""

    beam: Beam = Field(default_factory=Beam, description="The electron beam")
    detector: Detector = Field(default_factory=Detector, description="The detector")

    @property
    def segment_names(self) -> tuple[str, ...]:
        """Names of the segments, in the order of the images."""
        return tuple(s.name for s in self.detector.segments)
