"""One training patch: Monte Carlo of a case, as coefficients of its emission field."""

from __future__ import annotations

import math
from threading import Event

import numpy as np

from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, Specimen, simulate
from napari_sem4d.physics.monte_carlo.scoring import energy_weights
from napari_sem4d.surrogate.directions import fitted, terms
from napari_sem4d.surrogate.training_set import Case, TrainingSet, flat_yield

ORDER = 5
"""Highest radial order that training sets keep."""
THRESHOLDS = (0.0, 0.35)
"""Detector thresholds over the beam energy at which emission is kept."""
_BINS = Binning(polar=8, azimuth=16, energy=20)


def simulate_case(
    case: Case, settings: TrainingSet, *, threads: int | None = None, cancel: Event | None = None
) -> tuple[np.ndarray, int]:
    """Simulate a case and express what every pixel emits in the basis of directions, as detectors see it best.

    Returns
    -------
    coefficients : ndarray, shape (thresholds, terms, core, core), float32
        Energy-weighted electrons per primary, so that Lambert emission of yield 1 has 1 and zeros.
    electrons : int
        Primaries per pixel.

    Raises
    ------
    Cancelled
        If ``cancel`` was set.
    """
    specimen, rho50 = specimen_of(case, settings)
    eta0, _, _ = flat_yield(case.material, case.energy_kev)
    electrons = math.ceil(settings.electrons / eta0)
    inside = settings.halo + settings.beyond + np.indices((settings.core, settings.core)).reshape(2, -1)
    counts = simulate(
        specimen,
        case.energy_kev,
        electrons,
        seed=case.seed,
        binning=_BINS,
        pixels=(inside[0], inside[1]),
        probe_nm=case.probe * rho50,
        threads=threads,
        cancel=cancel,
    )
    return coefficients(counts.counts, electrons).reshape(
        -1, len(terms(ORDER)), settings.core, settings.core
    ), electrons


def specimen_of(case: Case, settings: TrainingSet) -> tuple[Specimen, float]:
    """The terrain of a case in nm, with nothing around it (as the baseline has it), and its rho50."""
    _, _, rho50 = flat_yield(case.material, case.energy_kev)
    terrain = case.height.astype(np.float64) * rho50
    columns = np.zeros(terrain.shape, np.uint8)
    return Specimen(terrain, settings.pitch * rho50, (material(case.material),), columns, border=0), rho50


def coefficients(counts: np.ndarray, electrons: int) -> np.ndarray:
    """Counts (pixels, polar, azimuth, energy) to coefficients (thresholds, terms, pixels), float32."""
    weights = np.stack([energy_weights(_BINS, t) for t in THRESHOLDS])
    fit = fitted(ORDER, _BINS.polar, _BINS.azimuth)
    found = np.empty((len(THRESHOLDS), len(fit), len(counts)), np.float32)
    for start in range(0, len(counts), 512):
        part = slice(start, start + 512)
        by_direction = np.einsum("npae,te->tpan", counts[part].astype(np.float32), weights.astype(np.float32))
        flat = by_direction.reshape(len(THRESHOLDS), _BINS.polar * _BINS.azimuth, -1)
        found[:, :, part] = fit.astype(np.float32) @ flat / electrons
    return found
