"""Settings of the calibration on a Vickers imprint."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_sem4d.acquisition.instrument import StrictModel

ImprintPart = Literal["segment_azimuths", "polar", "working_distance"]


class VickersSettings(StrictModel):
    """How an imprint calibrates the detector."""

    inclination_deg: float = Field(
        22.0, gt=0, lt=60, description="Inclination of the faces, degrees (136 degrees between opposite faces)"
    )
    margin: float = Field(
        0.1, ge=0.02, le=0.3, description="Margin kept from ridges and edges, share of the half diagonal"
    )
    free_gains: bool = Field(True, description="Fit the segments' gains")
    free_offsets: bool = Field(True, description="Fit the segments' offsets")
    free_polar: bool = Field(
        True, description="Fit a common change of the segments' polar ranges, as far as polar_std_deg allows"
    )
    free_geometry: tuple[ImprintPart, ...] = Field(
        (),
        description="What else of the detector's geometry is wanted: segment_azimuths (each against the first; "
        "the common rotation is always found), polar (inner and outer edge) or working_distance (moves both). "
        "Refused where the imprint does not determine it",
    )
    free_axis_tilt: bool = Field(True, description="Let the axis of the imprint lean")
    free_z_amplification: bool = Field(
        False, description="Fit the z amplification; refused where the imprint cannot tell it from the others"
    )
    polar_deg: tuple[float, float] = Field(
        (25.0, 65.0), description="Polar range to start from where the detector's is not known, degrees"
    )
    polar_std_deg: float = Field(10.0, gt=0, description="How well the polar limits are known beforehand, degrees")
    offset_std: float = Field(
        0.5, gt=0, description="How far offsets may lie from the given ones, share of the flat's signal"
    )
    face_yield_std: float = Field(
        0.03,
        ge=0,
        description="How far the yield of the tilted faces may deviate from the engine's, relative; the solver "
        "leaves the relative yield free as well. 0 fixes it",
    )
    model_error: float = Field(
        0.01, gt=0, lt=0.2, description="Model error added to the measured noise, share of the flat's signal"
    )
