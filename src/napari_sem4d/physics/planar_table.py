"""The local law from Monte Carlo of tilted planes: a smooth fit, shipped or made on demand, cached."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from napari_sem4d.physics.materials import Material
from napari_sem4d.physics.planar_fit import STEEPEST_RAD, TERMS, evaluate_ratio, fit_ratio

VERSION = 1
"""Raised whenever scattering laws or the form of the fit change, so that old files are left alone."""
TILTS_DEG = (0.0, 8.0, 16.0, 24.0, 32.0, 40.0, 48.0, 55.0, 61.0, 66.0, 70.0, 74.0, 78.0, 82.0, 85.0)
ENERGY_BINS = 16
ELECTRONS = 60_000
"""Primaries per tilt of a table made on demand: some seconds, and about 0.5 % noise in a wide segment."""
SHIPPED = "tables"


@dataclass(frozen=True)
class PlanarTable:
    """Emission of tilted planes of one material at one energy.

    Attributes
    ----------
    coefficients : ndarray, shape (terms, energy bins), float32
        Of the fit :mod:`~napari_sem4d.physics.planar_fit`, one column for every bin of E/E0 from 0 to 1: emission
        over Lambert's law for a yield of 1.
    energy_kev : float
        Energy of the primaries.
    eta0, mean_energy_fraction, rho50_nm : float
        Backscatter coefficient, mean energy over E0 and median exit radius at normal incidence.
    electrons : int
        Primaries per tilt behind the fit.
    """

    coefficients: np.ndarray
    energy_kev: float
    eta0: float
    mean_energy_fraction: float
    rho50_nm: float
    electrons: int


@dataclass(frozen=True)
class TabulatedLaw:
    """Local law of a material at an energy from the Monte Carlo of planes, for a detector threshold.

    Attributes
    ----------
    material : Material
    energy_kev : float
        Energy of the primaries.
    threshold_kev : float
        Energy below which the detector sees nothing.
    """

    material: Material
    energy_kev: float
    threshold_kev: float = 0.0

    @property
    def table(self) -> PlanarTable:
        """The table behind the law (shipped, cached, or made when first used, which takes some seconds)."""
        return planar_table(self.material, self.energy_kev)

    def emission(self, tilt: np.ndarray, polar: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
        """Energy-weighted electrons per primary and steradian (arguments broadcast).

        Parameters
        ----------
        tilt : array
            Angle between the optical axis and the surface normal, rad; the normal leans towards azimuth 0.
        polar, azimuth : arrays
            Direction of exit, rad: polar from +z (the optical axis, 0 to pi), azimuth counter-clockwise.

        Returns
        -------
        array
            Per steradian, every electron weighted by ``max(0, E - threshold)/E0``; zero below the plane.
        """
        tilt, polar, azimuth = (np.asarray(a, np.float64) for a in (tilt, polar, azimuth))
        across = np.sin(polar) * np.cos(azimuth)
        along = np.cos(polar)
        forward = np.cos(tilt) * across - np.sin(tilt) * along
        outward = np.sin(tilt) * across + np.cos(tilt) * along
        ratio = evaluate_ratio(self._weighted(), np.minimum(tilt, STEEPEST_RAD), forward, np.maximum(outward, 0.0))
        emission: np.ndarray = np.maximum(ratio, 0.0) * np.maximum(outward, 0.0) / np.pi
        return emission

    def _weighted(self) -> np.ndarray:
        """Coefficients summed over energies with the detector's weight."""
        edges = np.linspace(0.0, 1.0, ENERGY_BINS + 1)
        ramp = 0.5 * np.maximum(edges - self.threshold_kev / self.energy_kev, 0.0) ** 2
        weighted: np.ndarray = self.table.coefficients.astype(np.float64) @ (np.diff(ramp) * ENERGY_BINS)
        return weighted


def planar_table(
    material: Material,
    energy_kev: float,
    *,
    progress: Callable[[float], None] | None = None,
    cancel: Event | None = None,
) -> PlanarTable:
    """Find or make the table of a material at an energy.

    Looked for in memory, among the shipped tables and in the user's cache; made by Monte Carlo (some seconds)
    and cached if there is none. Density changes lengths only: tables of one composition are shared, and the
    exit radius is scaled.

    Parameters
    ----------
    material : Material
    energy_kev : float
        Energy of the primaries, keV.
    progress : callable, optional
        Is given the finished share while a table is made.
    cancel : threading.Event, optional
        Set it to stop the making.

    Raises
    ------
    Cancelled
        If ``cancel`` was set.
    DomainError
        If the energy is outside the range of the scattering laws.
    """
    key = table_key(material, energy_kev)
    if key in _memory:
        table, density = _memory[key]
    else:
        found = _read_shipped(key) or _read_cached(key)
        if found is None:
            table = make_table(material, energy_kev, ELECTRONS, progress=progress, cancel=cancel)
            density = material.density_g_cm3
            _write_cached(key, table, density)
        else:
            table, density = found
        _memory[key] = table, density
    return _rescaled(table, density / material.density_g_cm3)


_memory: dict[str, tuple[PlanarTable, float]] = {}


def make_table(
    material: Material,
    energy_kev: float,
    electrons: int,
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
    cancel: Event | None = None,
) -> PlanarTable:
    """Simulate planes of all tilts and fit their emission (``electrons`` primaries per tilt)."""
    from napari_sem4d.physics.monte_carlo import Binning, simulate_plane

    binning = Binning(16, 24, ENERGY_BINS)
    counts = []
    flat = None
    for number, degrees in enumerate(TILTS_DEG):
        result = simulate_plane(
            material, energy_kev, electrons, tilt=np.radians(degrees), seed=seed + number, binning=binning,
            threads=threads, cancel=cancel,
        )  # fmt: skip
        flat = flat or result
        counts.append(result.counts)
        if progress is not None:
            progress((number + 1) / len(TILTS_DEG))
    assert flat is not None
    coefficients = fit_ratio(np.radians(TILTS_DEG), np.stack(counts), electrons)
    return PlanarTable(
        coefficients.astype(np.float32),
        float(energy_kev),
        flat.coefficient,
        flat.mean_energy_fraction,
        flat.rho50_nm,
        electrons,
    )


def write_tables(path: Path, tables: dict[str, tuple[PlanarTable, float]]) -> None:
    """Write tables by key, each with the density in g/cm3 that its exit radius belongs to (npz, no pickle)."""
    arrays: dict[str, Any] = {key: table.coefficients.astype(np.float32) for key, (table, _) in tables.items()}
    meta = {
        key: {
            "energy_kev": table.energy_kev,
            "eta0": table.eta0,
            "mean_energy_fraction": table.mean_energy_fraction,
            "rho50_nm": table.rho50_nm,
            "density_g_cm3": density,
            "electrons": table.electrons,
        }
        for key, (table, density) in tables.items()
    }
    about = {"version": VERSION, "terms": TERMS, "tables": meta}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        np.savez_compressed(stream, about=np.array(json.dumps(about)), **arrays)
    part.replace(path)


def read_table(path: Path, key: str) -> tuple[PlanarTable, float] | None:
    """Read one table and its density; None if the file is absent, damaged, of another version or without it."""
    try:
        with np.load(path, allow_pickle=False) as data:
            about = json.loads(str(data["about"]))
            if about["version"] != VERSION or key not in about["tables"]:
                return None
            coefficients = data[key]
            meta = about["tables"][key]
            if coefficients.shape != (TERMS, ENERGY_BINS) or not np.isfinite(coefficients).all():
                return None
            density = float(meta.pop("density_g_cm3"))
            return PlanarTable(coefficients=coefficients, **meta), density
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def table_key(material: Material, energy_kev: float) -> str:
    """Name of a table: composition by mass and energy."""
    parts = "_".join(f"{e.symbol}{e.mass_fraction:.4f}" for e in material.elements)
    return f"{parts}_{energy_kev:.4g}kV"


@lru_cache(maxsize=1)
def _shipped_files() -> tuple[Path, ...]:
    folder = Path(str(resources.files("napari_sem4d.physics"))) / SHIPPED
    return tuple(sorted(folder.glob("*.npz"))) if folder.is_dir() else ()


def _read_shipped(key: str) -> tuple[PlanarTable, float] | None:
    composition = key.rsplit("_", 1)[0]
    for path in _shipped_files():
        if path.stem == composition:
            return read_table(path, key)
    return None


def _cache_file(key: str) -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("napari-sem4d", appauthor=False) / "planar" / f"{key}.npz"


def _read_cached(key: str) -> tuple[PlanarTable, float] | None:
    return read_table(_cache_file(key), key)


def _write_cached(key: str, table: PlanarTable, density: float) -> None:
    try:
        write_tables(_cache_file(key), {key: (table, density)})
    except OSError:
        # A cache that cannot be written only costs the seconds of making the table again.
        return


def _rescaled(table: PlanarTable, factor: float) -> PlanarTable:
    return table if factor == 1.0 else replace(table, rho50_nm=table.rho50_nm * factor)
