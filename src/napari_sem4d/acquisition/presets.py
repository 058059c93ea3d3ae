"""Detector presets: typical detectors as data files, chosen by name."""

from __future__ import annotations

import math
from functools import cache
from importlib import resources
from typing import Self

from pydantic import Field, model_validator

from napari_sem4d.acquisition.instrument import Degrees, Detector, Segment, StrictModel
from napari_sem4d.acquisition.yaml_settings import parse_yaml
from napari_sem4d.errors import SettingsError


class PresetSegment(StrictModel):
    """One sector of an annular detector."""

    name: str = Field(min_length=1, description="Name of the segment")
    azimuth_deg: tuple[Degrees, Degrees] = Field(
        description="Azimuth range in the column (scan rotation 0), degrees, counter-clockwise from +x"
    )
    inner_radius_mm: float | None = Field(
        None, gt=0, description="Inner radius, mm, where it is not the detector's"
    )
    outer_radius_mm: float | None = Field(
        None, gt=0, description="Outer radius, mm, where it is not the detector's"
    )


class Preset(StrictModel):
    """A flat annular detector below the pole piece, looking down on the specimen."""

    title: str = Field(description="Name for the user")
    note: str = Field(description="What it stands for, and how sure its figures are")
    inner_radius_mm: float = Field(gt=0, description="Inner radius of the active area, mm")
    outer_radius_mm: float = Field(gt=0, description="Outer radius of the active area, mm")
    thickness_mm: float = Field(
        0.0,
        ge=0,
        description="Distance of the active area below the pole piece, mm: taken from the working distance",
    )
    typical_working_distance_mm: float = Field(gt=0, description="Working distance where none is given, mm")
    threshold_kev: float = Field(0.0, ge=0, description="Energy below which an electron gives no signal, keV")
    segments: tuple[PresetSegment, ...] = Field(min_length=1, description="The sectors")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.inner_radius_mm >= self.outer_radius_mm:
            raise ValueError("inner_radius_mm must be below outer_radius_mm")
        return self

    def detector(self, name: str, working_distance_mm: float | None = None) -> Detector:
        """Place the detector at a working distance: radii become polar angles, atan(radius / distance)."""
        working = self.typical_working_distance_mm if working_distance_mm is None else working_distance_mm
        distance = working - self.thickness_mm
        if distance <= 0:
            raise SettingsError(
                f"The detector preset '{name}' hangs {self.thickness_mm:g} mm below the pole piece and does not "
                f"fit a working distance of {working:g} mm; choose another preset or give the segments' polar_deg."
            )

        def polar(radius_mm: float) -> float:
            return round(math.degrees(math.atan2(radius_mm, distance)), 3)

        return Detector(
            name=name,
            working_distance_mm=working,
            segments=tuple(
                Segment(
                    name=segment.name,
                    polar_deg=(
                        polar(segment.inner_radius_mm or self.inner_radius_mm),
                        polar(segment.outer_radius_mm or self.outer_radius_mm),
                    ),
                    azimuth_deg=segment.azimuth_deg,
                    threshold_kev=self.threshold_kev,
                )
                for segment in self.segments
            ),
        )


def preset_names() -> tuple[str, ...]:
    """Names of the packaged detector presets, in alphabetical order."""
    folder = resources.files(__package__) / "presets"
    return tuple(
        sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
    )


@cache
def preset(name: str) -> Preset:
    """Read a preset.

    Raises
    ------
    SettingsError
        If there is none of this name; the known ones are listed.
    """
    if name not in preset_names():
        raise SettingsError(f"There is no detector preset '{name}'; known are: {', '.join(preset_names())}.")
    text = (resources.files(__package__) / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_yaml(text, Preset, f"preset {name}")


def load_preset(name: str, working_distance_mm: float | None = None) -> Detector:
    """Make a detector from a preset.

    Parameters
    ----------
    name : str
        One of :func:`preset_names`.
    working_distance_mm : float or None
        Working distance of the images, mm; None takes the preset's typical one.

    Returns
    -------
    Detector
        Polar ranges at that working distance; azimuths in the column (scan rotation 0). Gains and offsets are 1
        and 0 until a calibration finds them.

    Raises
    ------
    SettingsError
        If the name is unknown, or the detector does not fit the working distance.
    """
    return preset(name).detector(name, working_distance_mm)
