"""Acceptance: what a segment makes of the emission of a tilted plane."""

from __future__ import annotations

import numpy as np

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.physics.local_law import LocalLaw

_POLAR_NODES = 16
_AZIMUTH_NODES_PER_TURN = 108


def directions(segment: Segment) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quadrature over the solid angle of a segment (its azimuths as given, no scan rotation).

    Gauss-Legendre in the cosine of the polar angle, midpoints in azimuth.

    Returns
    -------
    polar, azimuth : numpy.ndarray, shape (D,)
        Directions, rad.
    weight : numpy.ndarray, shape (D,)
        Solid angles, sr; their sum is the segment's solid angle.
    """
    low, high = np.cos(np.radians(segment.polar_deg[1])), np.cos(np.radians(segment.polar_deg[0]))
    node, weight = np.polynomial.legendre.leggauss(_POLAR_NODES)
    cos_polar = low + (high - low) * 0.5 * (node + 1)
    polar_weight = weight * 0.5 * (high - low)
    width = np.radians(segment.azimuth_width_deg)
    count = max(8, int(np.ceil(_AZIMUTH_NODES_PER_TURN * segment.azimuth_width_deg / 360.0)))
    azimuth = np.radians(segment.azimuth_deg[0]) + width * (np.arange(count) + 0.5) / count
    polar_grid, azimuth_grid = np.meshgrid(np.arccos(cos_polar), azimuth, indexing="ij")
    weights = np.repeat(polar_weight * width / count, count)
    return polar_grid.ravel(), azimuth_grid.ravel(), weights


def planar_response(
    law: LocalLaw, segment: Segment, slope_x: np.ndarray, slope_y: np.ndarray, chunk: int = 512
) -> np.ndarray:
    """Energy-weighted electrons per primary into a segment from infinite planes of given slopes.

    Parameters
    ----------
    law : LocalLaw
        Emission of a tilted plane, built for the segment's threshold.
    segment : Segment
        With azimuths in the image's frame.
    slope_x, slope_y : numpy.ndarray, shape (N,)
        dh/dx and dh/dy (y up), dimensionless.
    chunk : int
        Planes evaluated at once (bounds the memory).

    Returns
    -------
    numpy.ndarray, shape (N,)
        Gain and offset are not applied.
    """
    polar, azimuth, weight = directions(segment)
    tilt = np.arctan(np.hypot(slope_x, slope_y))
    # The normal is (-dh/dx, -dh/dy, 1): it leans downhill.
    downhill = np.arctan2(-slope_y, -slope_x)
    out = np.empty(tilt.shape, dtype=np.float64)
    for start in range(0, tilt.size, chunk):
        part = slice(start, start + chunk)
        emission = law.emission(tilt[part, None], polar[None, :], azimuth[None, :] - downhill[part, None])
        out[part] = emission @ weight
    return out
