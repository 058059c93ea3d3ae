"""Which pixels are simulated again: at random, so spread over slopes that rare steep ones are seen too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SLOPE_EDGES_DEG = (0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 75.0)
"""Strata by the angle between surface and image plane; steeper pixels are left out."""


@dataclass(frozen=True)
class Sample:
    """Pixels with the share of the area that each stands for.

    Attributes
    ----------
    rows, columns : ndarray, shape (n,)
        In random order, so that any first part is a sample too.
    weight : ndarray, shape (n,)
        Sums to 1.
    share : float
        Of the usable pixels that were taken.
    """

    rows: np.ndarray
    columns: np.ndarray
    weight: np.ndarray
    share: float


def draw_sample(tilt: np.ndarray, usable: np.ndarray, pixels: int, rng: np.random.Generator) -> Sample:
    """Draw pixels, half of them as the area has them and half evenly over the strata of slope.

    Parameters
    ----------
    tilt : ndarray, shape (Y, X)
        Angle between surface and image plane, rad.
    usable : ndarray of bool, shape (Y, X)
    pixels : int
        How many at most.
    rng : numpy.random.Generator
    """
    stratum = np.digitize(np.degrees(tilt), SLOPE_EDGES_DEG) - 1
    stratum = np.where(usable, stratum, -1)
    inside = [np.flatnonzero(stratum.ravel() == h) for h in range(len(SLOPE_EDGES_DEG) - 1)]
    there = [members for members in inside if members.size]
    total = sum(members.size for members in there)
    chosen, weights = [], []
    for members in there:
        wanted = round(pixels * (0.5 * members.size / total + 0.5 / len(there)))
        count = min(max(wanted, 1), members.size)
        chosen.append(rng.choice(members, count, replace=False))
        weights.append(np.full(count, members.size / total / count))
    picked, weight = np.concatenate(chosen), np.concatenate(weights)
    order = rng.permutation(picked.size)
    rows, columns = np.unravel_index(picked[order], tilt.shape)
    return Sample(rows, columns, weight[order], picked.size / total)
