"""The settings tree: composed of the models that each room defines; YAML in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from napari_sem4d.acquisition.description import AcquisitionSettings
from napari_sem4d.acquisition.yaml_settings import load_yaml
from napari_sem4d.forward.engine import EngineName
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.inversion.vickers_options import VickersSettings

ImagePart = Literal["azimuth", "segment_azimuths"]


class Settings(AcquisitionSettings):
    """Everything that decides a reconstruction, apart from the images and the calibration."""

    engine: EngineName = Field("vift", description="Forward engine")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Where to compute; auto takes a CUDA GPU when there is one, else the CPU"
    )
    inversion: InversionSettings = Field(
        default_factory=InversionSettings, description="How height and relative yield are found"
    )

    free_geometry: tuple[ImagePart, ...] = Field(
        (),
        description="What of the detector's geometry a reconstruction finds from the images themselves, on the "
        "first frame: azimuth (rotation of the whole detector), segment_azimuths (each against the first). "
        "Refused where the images do not determine it",
    )
    vickers: VickersSettings = Field(
        default_factory=VickersSettings, description="How an imprint calibrates the detector"
    )

    @field_validator("engine", mode="before")
    @classmethod
    def _has_a_derivative(cls, value: Any) -> Any:
        if value == "monte_carlo":
            raise ValueError(
                "monte_carlo has no derivative, so it cannot find a surface: reconstruct with local, and check "
                "the surface by Monte Carlo with 'sem4d verify'"
            )
        return value


def load_settings(path: str | Path) -> Settings:
    """Read settings from YAML; unknown keys and wrong values raise a SettingsError that names them."""
    return load_yaml(path, Settings)


def dump_settings(settings: Settings, path: str | Path) -> None:
    """Write settings as YAML, UTF-8, such that :func:`load_settings` gives the same back.

    Only what was set is written: a default that is loaded back would go before what the files say.
    """
    import yaml

    values = settings.model_dump(mode="json", exclude_unset=True)
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    Path(path).write_text(text, encoding="utf-8")
