"""Scenes by name: the catalogue is data, the shapes are functions of their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import yaml

from napari_sem4d.errors import SettingsError
from napari_sem4d.physics.scenes.shapes import SHAPES


@dataclass(frozen=True)
class Scene:
    """A surface to simulate.

    Attributes
    ----------
    name : str
    height_nm : ndarray, shape (Y, X), float32
        Heights at pixel centres.
    material_index : ndarray, shape (Y, X), uint8
        Number of the material below every pixel; 0 unless the scene has a second one.
    pixel_nm, rho50_nm : float
    seed : int
    parameters : dict
        All parameters, lengths in rho50 and angles in degrees.
    surroundings : str
        How the terrain goes on beyond the image (wrap, reflect or edge).
    """

    name: str
    height_nm: np.ndarray
    material_index: np.ndarray
    pixel_nm: float
    rho50_nm: float
    seed: int
    parameters: dict[str, float]
    surroundings: str


@lru_cache(maxsize=1)
def _catalogue() -> dict[str, Any]:
    text = (resources.files("napari_sem4d.physics.scenes") / "catalogue.yaml").read_text(encoding="utf-8")
    catalogue: dict[str, Any] = yaml.safe_load(text)
    return catalogue


def scene_names() -> tuple[str, ...]:
    """Names of all scenes."""
    return tuple(_catalogue())


def _entry(name: str) -> dict[str, Any]:
    try:
        entry: dict[str, Any] = _catalogue()[name]
    except KeyError:
        raise SettingsError(f"there is no scene '{name}'; choose one of {', '.join(scene_names())}") from None
    return entry


def parameters_of(name: str) -> dict[str, float]:
    """Usual parameters of a scene; lengths in rho50, angles in degrees.

    Raises
    ------
    SettingsError
        If there is no such scene.
    """
    return {key: float(spec["value"]) for key, spec in _entry(name)["parameters"].items()}


def random_parameters(name: str, rng: np.random.Generator) -> dict[str, float]:
    """Parameters drawn from the scene's ranges."""
    drawn = {}
    for key, spec in _entry(name)["parameters"].items():
        low, high = (float(v) for v in spec["range"])
        if spec.get("log"):
            drawn[key] = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        else:
            drawn[key] = float(rng.uniform(low, high))
    return drawn


def make_scene(
    name: str, shape: tuple[int, int], pixel_nm: float, rho50_nm: float, seed: int = 0, **parameters: float
) -> Scene:
    """Draw a scene.

    Parameters
    ----------
    name : str
        One of :func:`scene_names`.
    shape : (int, int)
        Rows and columns of the image.
    pixel_nm : float
        Edge of a pixel, nm.
    rho50_nm : float
        Median exit radius of the material at the beam energy, nm: the unit of the scene's lengths.
    seed : int
        Of the random places and shapes, where the scene has any.
    **parameters : float
        Override the usual ones (:func:`parameters_of`); lengths in rho50, angles in degrees.

    Raises
    ------
    SettingsError
        If there is no such scene or parameter, or a size is not positive.
    """
    entry = _entry(name)
    chosen = parameters_of(name)
    unknown = sorted(set(parameters) - set(chosen))
    if unknown:
        raise SettingsError(
            f"scene '{name}' has no parameter {', '.join(unknown)}; it has {', '.join(chosen)} (lengths in rho50)"
        )
    chosen.update({key: float(value) for key, value in parameters.items()})
    if min(shape) < 2 or not pixel_nm > 0 or not rho50_nm > 0:
        raise SettingsError(
            f"scene '{name}': shape {shape}, pixel {pixel_nm} nm, rho50 {rho50_nm} nm; give at least 2 x 2 pixels "
            "and positive lengths"
        )
    unit = pixel_nm / rho50_nm
    rows, columns = shape
    # Row numbers grow downwards, y grows upwards.
    y, x = np.meshgrid(
        -(np.arange(rows) - 0.5 * (rows - 1)) * unit,
        (np.arange(columns) - 0.5 * (columns - 1)) * unit,
        indexing="ij",
    )
    extent = (rows * unit, columns * unit)
    height, number = SHAPES[entry["shape"]](x, y, extent, np.random.default_rng(seed), **chosen)
    return Scene(
        name=name,
        height_nm=(height * rho50_nm).astype(np.float32),
        material_index=number if entry.get("second_material") else np.zeros(shape, np.uint8),
        pixel_nm=float(pixel_nm),
        rho50_nm=float(rho50_nm),
        seed=int(seed),
        parameters=chosen,
        surroundings=entry["surroundings"],
    )
