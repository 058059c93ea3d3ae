"""Settings of the inversion."""

from __future__ import annotations

from pydantic import Field

from napari_sem4d.acquisition.instrument import StrictModel


class InversionSettings(StrictModel):
    """How height and relative yield are found. None means: found from the first frame, then kept."""

    curvature_weight: float | None = Field(
        None,
        gt=0,
        description="Weight of the curvature prior, nm^2 (inverse square of the expected curvature in 1/nm). "
        "Empty: found from the evidence of a few frames, then frozen",
    )
    yield_length_px: float = Field(
        8.0,
        gt=0,
        description="Length over which relative yield may change, pixels: shorter changes are read as slope",
    )
    max_steps: int = Field(30, ge=1, le=200, description="Most steps of the solver per frame and weight")
    tolerance: float = Field(
        5e-4,
        gt=0,
        lt=1,
        description="A frame is finished when further steps would lower the misfit by less than this share of it",
    )
    draws: int = Field(0, ge=0, le=1000, description="Posterior draws of height to store with each frame")
    seed: int = Field(0, ge=0, description="Seed of the posterior draws")
