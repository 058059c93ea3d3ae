"""Counting noise for engines that give expectations only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.physics.materials import Material


def weight_of_an_electron(material: Material, energy_kev: float, threshold_kev: float) -> float:
    """Mean square over mean of an electron's weight ``max(0, E - threshold)/E0``: what one count is worth.

    For energies that follow ``(a + 1) w^a`` with the material's mean energy, as in
    :class:`~napari_sem4d.physics.local_law.AnalyticLaw`.
    """
    mean = material.mean_energy_fraction()
    exponent = (2 * mean - 1) / (1 - mean)
    w = (np.arange(2000) + 0.5) / 2000
    density = w**exponent
    weight = np.maximum(w - threshold_kev / energy_kev, 0.0)
    return float((weight**2 * density).sum() / (weight * density).sum())


def counted(
    signals: np.ndarray,
    segments: Sequence[Segment],
    material: Material,
    energy_kev: float,
    electrons: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw what a number of primaries would show, and the standard error of that.

    Parameters
    ----------
    signals : ndarray, shape (K, Y, X)
        Expected signals, signal units.
    segments : sequence of Segment
        With gains, offsets and thresholds.
    electrons : int
        Primaries a pixel.

    Returns
    -------
    signals, errors : ndarray, shape (K, Y, X)
    """
    drawn, errors = np.empty(signals.shape), np.empty(signals.shape)
    for k, segment in enumerate(segments):
        unit = segment.gain * weight_of_an_electron(material, energy_kev, segment.threshold_kev) / electrons
        counts = np.maximum(signals[k] - segment.offset, 0.0) / unit
        drawn[k] = rng.poisson(counts) * unit + segment.offset
        errors[k] = np.sqrt(counts) * unit
    return drawn, errors
