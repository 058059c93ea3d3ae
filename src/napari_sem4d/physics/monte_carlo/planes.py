"""Infinite planes: backscatter coefficient, exit radius, mean energy, directions."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import numpy as np

from napari_sem4d.errors import Cancelled
from napari_sem4d.physics.materials import Material
from napari_sem4d.physics.monte_carlo.scoring import Binning
from napari_sem4d.physics.monte_carlo.tables import REACH, transport_table

_CHUNK = 10_000
_RADIUS_BINS = 8192


@dataclass(frozen=True)
class PlaneResult:
    """What left an infinite plane.

    Attributes
    ----------
    counts : ndarray, shape (polar, azimuth, energy), int64
        About the surface's own normal; azimuth 0 is where the beam runs downhill, the forward direction.
    electrons : int
        Primaries.
    energy_kev, tilt : float
        Energy of the primaries, keV, and angle between beam and normal, rad.
    coefficient, coefficient_error : float
        Backscattered electrons per primary, and its standard error.
    mean_energy_fraction : float
        Mean energy of the backscattered electrons over the primary energy.
    rho50_nm : float
        Median distance between entry and exit in the plane.
    stopped, given_up : float
        Electrons that ended inside.
    energy_left, energy_laid, energy_given_up : float
        keV in all: carried away, laid down, carried when stopped or given up.
    """

    counts: np.ndarray
    electrons: int
    energy_kev: float
    tilt: float
    coefficient: float
    coefficient_error: float
    mean_energy_fraction: float
    rho50_nm: float
    stopped: float
    given_up: float
    energy_left: float
    energy_laid: float
    energy_given_up: float


def simulate_plane(
    material: Material,
    energy_kev: float,
    electrons: int,
    *,
    tilt: float = 0.0,
    seed: int = 0,
    binning: Binning | None = None,
    reach: float = REACH,
    threads: int | None = None,
    cancel: Event | None = None,
    progress: Callable[[float], None] | None = None,
) -> PlaneResult:
    """Simulate an infinite plane of one material.

    Parameters
    ----------
    material : Material
    energy_kev : float
        Energy of the primaries, keV.
    electrons : int
        Number of primaries.
    tilt : float
        Angle between beam and surface normal, rad, 0 to below pi/2.
    seed : int
        The result depends on it and on nothing else: not on the number of threads.
    binning : Binning, optional
        Bins about the surface's normal.
    reach : float
        See :data:`~napari_sem4d.physics.monte_carlo.tables.REACH`.
    threads : int, optional
        Threads to work on chunks of electrons; all cores by default.
    cancel : threading.Event, optional
        Set it to stop.
    progress : callable, optional
        Is given the finished share, 0 to 1.

    Raises
    ------
    Cancelled
        If ``cancel`` was set.
    DomainError
        If the energy is outside the range of the scattering laws.
    """
    from napari_sem4d.physics.monte_carlo._halfspace import run_plane

    bins = binning or Binning()
    table = transport_table(material, energy_kev)
    radius_step = table.path_nm / _RADIUS_BINS
    starts = list(range(0, electrons, _CHUNK))

    def chunk(start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if cancel is not None and cancel.is_set():
            raise Cancelled("the simulation was cancelled")
        counts = np.zeros(bins.shape, np.int64)
        radii = np.zeros(_RADIUS_BINS, np.int64)
        tally = np.zeros(6)
        count = min(_CHUNK, electrons - start)
        run_plane(
            seed, 0, start, count, float(tilt), table.scatter, table.energy_at, table.path_nm,
            reach, counts, radii, radius_step, tally,
        )  # fmt: skip
        return counts, radii, tally

    counts = np.zeros(bins.shape, np.int64)
    radii = np.zeros(_RADIUS_BINS, np.int64)
    tally = np.zeros(6)
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        # Chunks are added in their order, so that sums of floats do not depend on the threads either.
        for number, (c, r, t) in enumerate(pool.map(chunk, starts), start=1):
            counts += c
            radii += r
            tally += t
            if progress is not None:
                progress(number / len(starts))
    escaped = float(tally[0])
    eta = escaped / electrons
    return PlaneResult(
        counts=counts,
        electrons=electrons,
        energy_kev=energy_kev,
        tilt=tilt,
        coefficient=eta,
        coefficient_error=float(np.sqrt(eta * (1.0 - eta) / electrons)),
        mean_energy_fraction=float(tally[3] / escaped / energy_kev) if escaped else float("nan"),
        rho50_nm=_median(radii, radius_step),
        stopped=float(tally[1]),
        given_up=float(tally[2]),
        energy_left=float(tally[3]),
        energy_laid=float(tally[4]),
        energy_given_up=float(tally[5]),
    )


def _median(histogram: np.ndarray, step: float) -> float:
    total = histogram.sum()
    if not total:
        return float("nan")
    grown = np.concatenate([[0], np.cumsum(histogram)])
    i = int(np.searchsorted(grown, total / 2.0, side="left")) - 1
    return float((i + (total / 2.0 - grown[i]) / histogram[i]) * step)
