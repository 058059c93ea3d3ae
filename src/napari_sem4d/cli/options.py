"""Options that several commands share, and how they become settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_sem4d.errors import SettingsError

if TYPE_CHECKING:
    from napari_sem4d.settings import Settings

Inputs = Annotated[
    list[str], typer.Argument(metavar="INPUT...", help="Images: files, folders, patterns, or an acquisition.yaml.")
]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", metavar="S.yaml", help="Settings; what they say goes before the files."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One setting, as often as needed: --set material=Cu --set beam.energy_kev=10 --set pixel_nm=12.5",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--detector", metavar="PRESET", help="Take the segments of a shipped detector (see `sem4d info`)."
    ),
]


def read_settings(file: Path | None, pairs: list[str] | None, preset: str | None = None) -> Settings:
    """Put settings together: the file, over it the preset's detector, over it the single values.

    Raises
    ------
    SettingsError
        If a file or a value does not fit.
    """
    from napari_sem4d.acquisition.presets import load_preset
    from napari_sem4d.acquisition.yaml_settings import load_yaml, validate
    from napari_sem4d.settings import Settings

    settings = load_yaml(file, Settings) if file is not None else Settings()
    data: dict[str, Any] = settings.model_dump(mode="json", exclude_unset=True)
    if preset is not None:
        distance = (data.get("detector") or {}).get("working_distance_mm")
        data["detector"] = load_preset(preset, distance).model_dump(mode="json", exclude_unset=True)
    for pair in pairs or []:
        _put(data, pair)
    return validate(data, Settings, f"{file} with --set" if file is not None else "--set")


def freed(key: str, parts: list[str] | None) -> list[str]:
    """What ``--free`` names, as a setting."""
    return [f"{key}=[{', '.join(part.replace('-', '_') for part in parts)}]"] if parts else []


def _put(data: dict[str, Any], pair: str) -> None:
    import yaml

    path, equals, text = pair.partition("=")
    if not equals or not path.strip():
        raise SettingsError(f"--set {pair}: write KEY=VALUE, for example --set beam.energy_kev=10")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"--set {pair}: the value cannot be read; quote it for the shell") from error
    *branches, leaf = path.strip().split(".")
    for branch in branches:
        inner = data.setdefault(branch, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"--set {pair}: '{branch}' is a value and has no keys of its own")
        data = inner
    data[leaf] = value
