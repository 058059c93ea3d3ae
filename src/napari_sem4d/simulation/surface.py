"""The surface to simulate: a height map from a file, or a named scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_sem4d.errors import InputError, SettingsError
from napari_sem4d.settings import Settings

SIZE = 128
"""Rows and columns of a scene where nothing else is asked for."""
_SCENE_PIXEL = 0.25  # of rho50: finer than anything that the signals still show
_SQUARE = 1e-3


@dataclass(frozen=True)
class Surface:
    """Heights with what is known about them.

    Attributes
    ----------
    height : ndarray, shape (Y, X), float64
        nm, all finite.
    pixel_nm : float
    surroundings : str
        How the terrain goes on beyond the image (reflect, wrap, edge).
    source : dict
        Where it came from, as JSON can hold it.
    notes : tuple of str
        What looks wrong or should be known, each a sentence.
    """

    height: np.ndarray
    pixel_nm: float
    surroundings: str
    source: dict[str, Any]
    notes: tuple[str, ...] = ()


def find_surface(
    source: str | Path,
    settings: Settings,
    *,
    pixel_nm: float | None,
    unit: str | None,
    size: int,
    seed: int,
    parameters: Mapping[str, float],
) -> Surface:
    """Read a height map, or draw a scene if no file of that name is there and a scene is.

    Raises
    ------
    InputError
        If the file cannot be read or its heights cannot be simulated.
    SettingsError
        If the name is neither, or the pixel size is not known.
    """
    from napari_sem4d.physics.scenes import scene_names

    if not Path(source).exists() and str(source) in scene_names():
        return _scene(str(source), settings, pixel_nm or settings.pixel_nm, size, seed, parameters)
    if parameters:
        raise SettingsError(f"{source} is a height map; only scenes have parameters ({', '.join(parameters)})")
    path = Path(source)
    if not path.exists():
        raise InputError(f"{source} is neither a file nor a scene; the scenes are {', '.join(scene_names())}")
    if path.suffix.lower() == ".npy":
        return _array(path, pixel_nm or settings.pixel_nm)
    return _file(path, pixel_nm, unit, settings)


def _scene(
    name: str, settings: Settings, pixel_nm: float | None, size: int, seed: int, parameters: Mapping[str, float]
) -> Surface:
    from napari_sem4d.physics.materials import material
    from napari_sem4d.physics.planar_table import planar_table
    from napari_sem4d.physics.scenes import make_scene

    rho50 = planar_table(material(str(settings.material)), float(settings.beam.energy_kev or 0.0)).rho50_nm
    pixel = pixel_nm or _SCENE_PIXEL * rho50
    scene = make_scene(name, (size, size), pixel, rho50, seed, **parameters)
    notes: tuple[str, ...] = ()
    if scene.material_index.any():
        notes = (f"Scene {name} has a second material; it is simulated in {settings.material} throughout.",)
    about = {
        "scene": name,
        "seed": seed,
        "rho50_nm": rho50,
        "parameters_in_rho50_and_degrees": scene.parameters,
    }
    return Surface(scene.height_nm.astype(np.float64), pixel, scene.surroundings, about, notes)


def _array(path: Path, pixel_nm: float | None) -> Surface:
    try:
        height = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path.name} is no readable NumPy array ({error}): save it again with numpy.save"
        ) from error
    if height.ndim != 2 or height.dtype.kind not in "fiu":
        raise InputError(
            f"{path.name} holds {height.dtype} of shape {height.shape}; give rows x columns of heights in nm"
        )
    if pixel_nm is None:
        raise SettingsError(
            f"{path.name} does not say its pixel size: give --pixel-nm, or pixel_nm in the settings"
        )
    return Surface(_finite(height, path), pixel_nm, "reflect", _about(path))


def _file(path: Path, pixel_nm: float | None, unit: str | None, settings: Settings) -> Surface:
    from napari_sem4d.io.surfaces import read_surface

    given = (pixel_nm, pixel_nm) if pixel_nm is not None else None
    try:
        found = read_surface(path, pixel_nm=given, unit=unit)
    except InputError as error:
        # The settings' pixel is the images' and only stands in where the file says nothing.
        if given is not None or settings.pixel_nm is None or "pixel size" not in str(error):
            raise
        found = read_surface(path, pixel_nm=(settings.pixel_nm, settings.pixel_nm), unit=unit)
    rows, columns = found.pixel_nm
    if abs(rows / columns - 1) > _SQUARE:
        raise InputError(
            f"the pixels of {path.name} are {columns:g} nm wide and {rows:g} nm high; resample it to square pixels"
        )
    return Surface(_finite(found.height, path), columns, "reflect", _about(path), found.questions)


def _about(path: Path) -> dict[str, Any]:
    from napari_sem4d.io.hashing import sha256_of

    return {"file": path.name, "sha256": sha256_of(path)}


def _finite(height: np.ndarray, path: Path) -> np.ndarray:
    missing = int((~np.isfinite(height)).sum())
    if missing:
        raise InputError(f"{missing} heights of {path.name} are missing; fill or crop them before simulating")
    return np.asarray(height, np.float64)
