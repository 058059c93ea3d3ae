"""What ViFT is trained on: cases drawn at random from families of scenes, materials, energies and probe sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import Field, ValidationError

from napari_sem4d.acquisition.instrument import StrictModel
from napari_sem4d.errors import InputError
from napari_sem4d.physics.scenes import make_scene, random_parameters
from napari_sem4d.surrogate.visited import cut_of

_TALLEST_SLOPE = float(np.tan(np.radians(75.0)))


class TrainingSet(StrictModel):
    """A training set as data; lengths in rho50."""

    seed: int = Field(description="Seed of all cases; case number and seed fix a case")
    pitch: float = Field(gt=0, description="Pixel of the working grid, rho50")
    core: int = Field(ge=8, description="Simulated pixels along an edge")
    halo: int = Field(ge=0, description="Pixels of surroundings on every side that the network sees")
    beyond: int = Field(
        0,
        ge=0,
        description="Pixels of terrain beyond them that simulation and baseline see: electrons that leave a flank "
        "downhill land there. Nothing lies farther away",
    )
    electrons: float = Field(gt=0, description="Backscattered electrons wanted a pixel (primaries = this / eta0)")
    families: dict[str, dict[str, tuple[float, float]]] = Field(
        description="Families of scenes, with ranges that replace the catalogue's"
    )
    often: dict[str, float] = Field(
        default_factory=dict, description="Families drawn more often than once, with how many times"
    )
    materials: list[str] = Field(min_length=1, description="Materials, drawn evenly")
    energies_kev: dict[float, float] = Field(description="Beam energies, keV, with their weights")
    probes: tuple[float, float] = Field(
        description="Smallest and largest probe (full width at half maximum), rho50"
    )
    sharp: float = Field(ge=0, le=1, description="Share of cases with a probe of no width")
    mixed: float = Field(ge=0, le=1, description="Share of cases that join two scenes")
    upside_down: float = Field(ge=0, le=1, description="Share of cases turned upside down")
    leaning: float = Field(ge=0, le=1, description="Share of cases on a leaning plane")
    steepest_lean_deg: float = Field(ge=0, lt=60, description="Steepest leaning plane, degrees")
    visited: Path | None = Field(
        None,
        description="Folder of surfaces to train on as well, such as those that a solver visits half-way: .npy, "
        "heights in rho50 at the pitch of this set",
    )
    from_visited: float = Field(
        0.5, ge=0, le=1, description="Share of cases cut from the surfaces in the folder, if there is one"
    )

    @property
    def edge(self) -> int:
        """Pixels along an edge of the terrain."""
        return self.core + 2 * (self.halo + self.beyond)


@dataclass(frozen=True)
class Case:
    """One patch to simulate.

    Attributes
    ----------
    number : int
    families : tuple of str
        One scene, or the two that were joined.
    material : str
    energy_kev : float
    probe : float
        Full width at half maximum, rho50.
    height : ndarray, shape (edge, edge), float32
        Terrain, rho50.
    seed : int
        Of the simulation.
    """

    number: int
    families: tuple[str, ...]
    material: str
    energy_kev: float
    probe: float
    height: np.ndarray
    seed: int


def load_training_set(name: str | Path = "training_set") -> TrainingSet:
    """Read a training set: a YAML file, or by name one that is shipped (``training_set``, ``validation_set``).

    Raises
    ------
    InputError
        If the file cannot be read or does not describe a training set.
    """
    path = Path(name)
    try:
        if path.suffix in (".yaml", ".yml"):
            text = path.read_text(encoding="utf-8")
        else:
            text = (resources.files("napari_sem4d.surrogate") / f"{name}.yaml").read_text(encoding="utf-8")
        return TrainingSet.model_validate(yaml.safe_load(text))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise InputError(
            f"'{name}' does not describe a training set ({error}); give a YAML file or training_set"
        ) from error


def draw_case(settings: TrainingSet, number: int) -> Case:
    """Draw a case; the same number gives the same case."""
    rng = np.random.default_rng([settings.seed, number])
    mixed = rng.random() < settings.mixed
    families = sorted(settings.families)
    shares = np.array([settings.often.get(name, 1.0) for name in families])
    names = tuple(str(n) for n in rng.choice(families, 2 if mixed else 1, p=shares / shares.sum()))
    if settings.visited is not None and rng.random() < settings.from_visited:
        names, height = ("visited",), cut_of(settings.visited, settings.edge, rng)
    else:
        scenes = [_scene(settings, name, rng) for name in names]
        height = _join(scenes[0], scenes[1], rng) if mixed else scenes[0]
    if rng.random() < settings.upside_down:
        height = -height
    height = _limit(height, settings.pitch)
    if rng.random() < settings.leaning:
        height = height + _plane(height.shape, settings, rng)
        height = _limit(height, settings.pitch)
    energies = sorted(settings.energies_kev)
    weights = np.array([settings.energies_kev[e] for e in energies])
    sharp = rng.random() < settings.sharp
    return Case(
        number=number,
        families=names,
        material=str(rng.choice(settings.materials)),
        energy_kev=float(rng.choice(energies, p=weights / weights.sum())),
        probe=0.0 if sharp else float(rng.uniform(*settings.probes)),
        height=(height - height.mean()).astype(np.float32),
        seed=int(rng.integers(2**62)),
    )


def _scene(settings: TrainingSet, name: str, rng: np.random.Generator) -> np.ndarray:
    """A window at random out of a scene, rho50."""
    parameters = random_parameters(name, rng)
    for key, (low, high) in settings.families[name].items():
        # Ranges that span a decade are lengths: even in the logarithm.
        even = low > 0 and high / low > 5
        value = np.exp(rng.uniform(np.log(low), np.log(high))) if even else rng.uniform(low, high)
        parameters[key] = float(value)
    edge = settings.edge
    wide = edge + settings.core
    scene = make_scene(name, (wide, wide), settings.pitch, 1.0, int(rng.integers(2**31)), **parameters)
    row, column = rng.integers(0, wide - edge + 1, 2)
    return scene.height_nm[row : row + edge, column : column + edge].astype(np.float64)


def _join(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two scenes in one: added, the higher of both, or side by side along a random line."""
    first, second = first - np.median(first), second - np.median(second)
    way = rng.integers(3)
    if way == 0:
        return first + rng.uniform(0.2, 0.7) * second
    if way == 1:
        return np.maximum(first, second)
    y, x = np.indices(first.shape) - 0.5 * (np.array(first.shape)[:, None, None] - 1)
    angle, place = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(-0.2, 0.2) * first.shape[0]
    return np.where(x * np.cos(angle) + y * np.sin(angle) > place, first, second)


def _plane(shape: tuple[int, ...], settings: TrainingSet, rng: np.random.Generator) -> np.ndarray:
    slope = np.tan(np.radians(settings.steepest_lean_deg)) * np.sqrt(rng.random())
    angle = rng.uniform(0.0, 2.0 * np.pi)
    y, x = np.indices(shape) * settings.pitch
    plane: np.ndarray = slope * (x * np.cos(angle) + y * np.sin(angle))
    return plane


def _limit(height: np.ndarray, pitch: float) -> np.ndarray:
    """Shrink heights so that hardly any slope is steeper than 75 degrees."""
    slope = np.hypot(*np.gradient(height, pitch))
    steep = float(np.quantile(slope, 0.995))
    return height * min(1.0, _TALLEST_SLOPE / max(steep, 1e-9))


@lru_cache(maxsize=64)
def flat_yield(material: str, energy_kev: float) -> tuple[float, float, float]:
    """Conditions of ViFT: eta0, mean exit energy over E0, and rho50 in nm, from the planar table."""
    from napari_sem4d.physics.materials import material as look_up
    from napari_sem4d.physics.planar_table import planar_table

    table: Any = planar_table(look_up(material), energy_kev)
    return table.eta0, table.mean_energy_fraction, table.rho50_nm
