"""What is known about an acquisition beyond the files: the acquisition part of the settings tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, FiniteFloat, field_validator, model_validator

from napari_sem4d.acquisition.instrument import Beam, Detector, StrictModel
from napari_sem4d.acquisition.yaml_settings import load_yaml
from napari_sem4d.errors import SettingsError

DESCRIPTION_FILE = "acquisition.yaml"
"""Name of the file that describes the images of its folder."""


class TimeAxis(StrictModel):
    """When the frames were taken; unknown while neither a step nor a list of times is given.

    In YAML either ``{start_s: 0, step_s: 4}`` or simply a list of times.
    """

    start_s: FiniteFloat = Field(0.0, description="Time of the first frame, s (with step_s)")
    step_s: float | None = Field(None, gt=0, allow_inf_nan=False, description="Time from frame to frame, s")
    times_s: tuple[FiniteFloat, ...] = Field(
        (), description="Time of every frame, s, increasing; steps need not be equal"
    )

    @model_validator(mode="before")
    @classmethod
    def _list_of_times(cls, data: Any) -> Any:
        return {"times_s": data} if isinstance(data, list | tuple) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.times_s and self.step_s is not None:
            raise ValueError("give either step_s or a list of times, not both")
        for i, (a, b) in enumerate(zip(self.times_s, self.times_s[1:], strict=False)):
            if b <= a:
                raise ValueError(f"times must increase; time {i + 1} is {b:g} s after {a:g} s at time {i}")
        return self

    @property
    def known(self) -> bool:
        """Whether the times of the frames follow from this."""
        return self.step_s is not None or bool(self.times_s)

    def values(self, frames: int) -> np.ndarray:
        """Times of the frames.

        Parameters
        ----------
        frames : int
            Number of frames.

        Returns
        -------
        ndarray, shape (frames,)
            Times in s, float64.

        Raises
        ------
        SettingsError
            If the list has another length, or the times are unknown.
        """
        if self.times_s:
            if len(self.times_s) != frames:
                raise SettingsError(
                    f"'time' lists {len(self.times_s)} times, but the series has {frames} frames; "
                    "give one time for every frame, or start_s and step_s."
                )
            return np.asarray(self.times_s, dtype=np.float64)
        if self.step_s is None:
            raise SettingsError("The times of the frames are unknown; give time: {start_s: ..., step_s: ...}.")
        return self.start_s + self.step_s * np.arange(frames, dtype=np.float64)


class AcquisitionSettings(StrictModel):
    """What file names and tags do not say. Every value given here goes before what the files say."""

    beam: Beam = Field(default_factory=Beam, description="The electron beam")
    material: str | None = Field(
        None, min_length=1, description="Reference material (name or formula), relative yield 1"
    )
    pixel_nm: float | None = Field(None, gt=0, allow_inf_nan=False, description="Edge of the square pixel, nm")
    image_rows: int | None = Field(
        None, ge=2, description="Rows of image, counted from the top; rows below (a data bar) are cut off"
    )
    time: TimeAxis = Field(default_factory=TimeAxis, description="When the frames were taken")
    detector: Detector = Field(default_factory=Detector, description="The detector and its segments")
    files: str | None = Field(
        None,
        min_length=1,
        description="Pattern of the file names, for example {time:04d}_{segment}.tif; * stands for anything",
    )

    @field_validator("time", mode="before")
    @classmethod
    def _no_time(cls, value: Any) -> Any:
        return {} if value is None else value


def load_description(path: str | Path) -> AcquisitionSettings:
    """Read an ``acquisition.yaml`` (see :func:`~napari_sem4d.acquisition.yaml_settings.load_yaml`)."""
    return load_yaml(path, AcquisitionSettings)
