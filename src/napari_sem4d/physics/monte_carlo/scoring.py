"""How electrons are counted by direction and energy, and how a segment weighs the counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_sem4d.acquisition.instrument import Segment


@dataclass(frozen=True)
class Binning:
    """Bins of direction and energy.

    Attributes
    ----------
    polar : int
        Polar bins from the optical axis to the horizon, uniform in sin^2, so that Lambert emission is flat.
    azimuth : int
        Azimuth bins, counter-clockwise from +x.
    energy : int
        Bins of E/E0 from 0 to 1.
    """

    polar: int = 12
    azimuth: int = 16
    energy: int = 10

    def __post_init__(self) -> None:
        if self.polar < 1 or self.azimuth < 1 or self.energy < 8:
            raise ValueError("at least one polar bin, one azimuth bin and eight energy bins are needed")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(polar, azimuth, energy)."""
        return self.polar, self.azimuth, self.energy

    @property
    def size(self) -> int:
        """Number of bins."""
        return self.polar * self.azimuth * self.energy

    def polar_edges(self) -> np.ndarray:
        """Edges of the polar bins, rad, shape (polar + 1,)."""
        return np.arcsin(np.sqrt(np.linspace(0.0, 1.0, self.polar + 1)))

    def solid_angles(self) -> np.ndarray:
        """Solid angle of a bin by its polar number, sr, shape (polar,)."""
        return -np.diff(np.cos(self.polar_edges())) * 2.0 * np.pi / self.azimuth


def energy_weights(binning: Binning, threshold_fraction: float) -> np.ndarray:
    """Mean of ``max(0, E - threshold)/E0`` over every energy bin, shape (energy,)."""
    edges = np.linspace(0.0, 1.0, binning.energy + 1)
    ramp = 0.5 * np.maximum(edges - threshold_fraction, 0.0) ** 2
    return np.diff(ramp) * binning.energy


def direction_weights(binning: Binning, segment: Segment) -> np.ndarray:
    """Share of every direction bin that a segment accepts, shape (polar, azimuth).

    A bin that the segment cuts counts by its part in sin^2 and in azimuth (emission is close to Lambert's law
    within a bin). Azimuths are taken as given: turn them beforehand where the scan is rotated.
    """
    low, high = np.sin(np.radians(segment.polar_deg)) ** 2
    edges = np.linspace(0.0, 1.0, binning.polar + 1)
    polar = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0.0, None) * binning.polar
    start = segment.azimuth_deg[0] % 360.0
    stop = start + segment.azimuth_width_deg
    turns = np.linspace(0.0, 360.0, binning.azimuth + 1)
    azimuth = np.zeros(binning.azimuth)
    for shift in (0.0, 360.0):
        overlap = np.minimum(turns[1:] + shift, stop) - np.maximum(turns[:-1] + shift, start)
        azimuth += np.clip(overlap, 0.0, None) * binning.azimuth / 360.0
    return polar[:, None] * azimuth[None, :]


def detector_weights(segments: Sequence[Segment], binning: Binning, energy_kev: float) -> np.ndarray:
    """Weight matrix that turns counts into energy-weighted electrons, shape (K, polar, azimuth, energy).

    Gain and offset are not applied.
    """
    return np.stack(
        [
            direction_weights(binning, s)[:, :, None] * energy_weights(binning, s.threshold_kev / energy_kev)
            for s in segments
        ]
    )


@dataclass(frozen=True)
class EmissionCounts:
    """Electrons that left each pixel, by direction and energy, and the book of all others.

    Attributes
    ----------
    counts : ndarray, shape (pixels, polar, azimuth, energy), uint32
    electrons : int
        Primaries sent into every pixel.
    energy_kev : float
        Energy of the primaries.
    binning : Binning
    tally : dict
        Per pixel, float64: electrons ``escaped`` (counted), ``below`` (left under the horizon, only without
        re-entry or with tilt), ``lost`` (sideways out of the terrain), ``stopped`` (at the cut-off),
        ``given_up`` (too deep); energies in keV ``energy_left``, ``energy_laid``, ``energy_given_up``
        (carried when stopped or given up).
    """

    counts: np.ndarray
    electrons: int
    energy_kev: float
    binning: Binning
    tally: dict[str, np.ndarray]

    def signals(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean weight per primary and its standard error, each of shape (K, pixels).

        The variance of a weighted signal is the sum of squared weights, not the count.

        Parameters
        ----------
        weights : ndarray, shape (K, polar, azimuth, energy)
            From :func:`detector_weights`.
        """
        flat = weights.reshape(len(weights), -1)
        counts = self.counts.reshape(len(self.counts), -1)
        return weighted_signals(counts, flat, self.electrons)


def weighted_signals(counts: np.ndarray, weights: np.ndarray, electrons: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error for flat counts (pixels, bins) and weights (K, bins)."""
    mean = np.empty((len(weights), len(counts)))
    square = np.empty_like(mean)
    # Blocks bound the memory of the counts as floats.
    for start in range(0, len(counts), 1024):
        part = slice(start, start + 1024)
        block = counts[part].astype(np.float64)
        mean[:, part] = weights @ block.T / electrons
        square[:, part] = weights**2 @ block.T / electrons
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0) / electrons)
