"""Acceptance: what a segment makes of the emission of a tilted plane."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.physics.local_law import LocalLaw

_POLAR_NODES = 16
_AZIMUTH_NODES_PER_TURN = 108
_RING_TILTS = 89
_RING_AZIMUTHS = 120


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


class RingResponse:
    """Response of segments of one polar range to many planes, by a Fourier series in azimuth.

    The emission into a ring is tabulated once by tilt and azimuth; a segment's response is then a sum over
    harmonics for any azimuth range, which makes tables of thousands of planes cheap.

    Parameters
    ----------
    law : LocalLaw
        Emission of a tilted plane, built for the segments' threshold.
    polar_deg : tuple of float
        Polar range of the segments, degrees.
    steepest_rad : float
        Largest tilt that will be asked for.
    """

    def __init__(self, law: LocalLaw, polar_deg: tuple[float, float], steepest_rad: float) -> None:
        ring = Segment(name="ring", polar_deg=polar_deg, azimuth_deg=(0, 360))
        polar, _, weight = directions(ring)
        first = slice(
            None, None, polar.size // _POLAR_NODES
        )  # the polar nodes, each with its weight for all azimuths
        polar, per_azimuth = polar[first], weight[first] / (2 * np.pi / (polar.size // _POLAR_NODES))
        tilts = np.linspace(0.0, steepest_rad, _RING_TILTS)
        azimuth = 2 * np.pi * (np.arange(_RING_AZIMUTHS) + 0.5) / _RING_AZIMUTHS
        emission = law.emission(tilts[:, None, None], polar[None, None, :], azimuth[None, :, None]) @ per_azimuth
        self._orders = np.arange(_RING_AZIMUTHS // 2)
        basis = np.cos(self._orders[None, :] * azimuth[:, None])
        # The emission is even in azimuth: a cosine series.
        series = emission @ basis * (np.where(self._orders == 0, 1.0, 2.0) / _RING_AZIMUTHS)
        self._series = CubicSpline(tilts, series)

    def response(self, segment: Segment, slope_x: np.ndarray, slope_y: np.ndarray) -> np.ndarray:
        """The same as :func:`planar_response`, for a segment of this polar range."""
        tilt = np.arctan(np.hypot(slope_x, slope_y))
        half = np.radians(segment.azimuth_width_deg) / 2
        window = 2 * half * np.sinc(self._orders * half / np.pi)
        from_downhill = np.radians(segment.azimuth_centre_deg) - np.arctan2(-slope_y, -slope_x)
        harmonics = np.cos(self._orders * from_downhill[:, None])
        return np.asarray(np.einsum("nm,nm->n", self._series(tilt) * window, harmonics))
