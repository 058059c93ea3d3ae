"""The kernel for an infinite plane: the local law, coefficients and exit radii. Imports numba."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from napari_sem4d.physics.monte_carlo._device import (
    COSINES,
    SINES,
    advance,
    azimuth_index,
    deflect,
    first_uniform,
    interpolate,
    mix,
    polar_cosine,
    second_uniform,
    stream,
)


@njit(cache=True, nogil=True, fastmath={"contract", "arcp", "nsz"})
def run_plane(
    seed: int,
    stream_id: int,
    first: int,
    count: int,
    tilt: float,
    scatter: np.ndarray,
    energy_at: np.ndarray,
    path_nm: float,
    reach: float,
    counts: np.ndarray,
    radii: np.ndarray,
    radius_step: float,
    tally: np.ndarray,
) -> None:
    """Send ``count`` electrons into the half-space z < 0 and score those that leave it.

    The frame is the surface's own: z along its normal, the beam in the x-z plane, running towards +x by
    ``sin(tilt)``. Lengths in nm, ``tilt`` in radians.

    Parameters
    ----------
    seed, stream_id, first, count
        Electrons ``first`` to ``first + count`` of the stream ``(seed, stream_id)``.
    tilt : float
        Angle between beam and normal.
    scatter, energy_at, path_nm
        The material's :class:`~napari_sem4d.physics.monte_carlo.tables.TransportTable`.
    reach : float
        An electron deeper than ``reach`` times its residual path is given up (1 loses nothing).
    counts : ndarray (P, A, N), int64
        Electrons that left, in polar bins uniform in sin^2, azimuth bins from +x, energy bins in E/E0.
    radii : ndarray (bins,), int64
        Exits by distance from the point of entry, in steps of ``radius_step``; the last bin takes the rest.
    tally : ndarray (6,), float64
        Adds: escaped, stopped at the cut-off, given up; energy escaped, laid down and given up (keV).
    """
    n_polar, n_azimuth, n_energy = counts.shape
    bins = scatter.shape[0]
    inverse_step = bins / path_nm
    energy_0 = energy_at[bins]
    turn = n_azimuth / (2.0 * math.pi)
    inverse_reach = 1.0 / (1.0 + reach)
    for electron in range(first, first + count):
        state = stream(seed, stream_id, electron)
        x, y, z = 0.0, 0.0, 0.0
        u, v, w = math.sin(tilt), 0.0, -math.cos(tilt)
        left = path_nm
        next_check = left
        escaped = False
        row = bins - 1
        while True:
            state = advance(state)
            bits = mix(state)
            flight = -math.log(first_uniform(bits)) * scatter[row, 0]
            flight = min(flight, left)
            new_z = z + w * flight
            if new_z > 0.0:
                part = -z / w
                x += u * part
                y += v * part
                left -= part
                escaped = True
                break
            x += u * flight
            y += v * flight
            z = new_z
            left -= flight
            if left <= 0.0:
                break
            if left < next_check:
                gap = reach * left + z
                if gap < 0.0:
                    break
                # Neither depth nor residual path can close the gap sooner than this.
                next_check = left - gap * inverse_reach
            row = min(int(left * inverse_step), bins - 1)
            cosine = polar_cosine(second_uniform(bits), scatter[row, 1], scatter[row, 2], scatter[row, 3])
            k = azimuth_index(bits)
            u, v, w = deflect(u, v, w, cosine, COSINES[k], SINES[k])
        energy = interpolate(energy_at, left * inverse_step)
        if not escaped:
            kind = 1 if left <= 0.0 else 2
            tally[kind] += 1.0
            tally[4] += energy_0 - energy
            tally[5] += energy
            continue
        tally[0] += 1.0
        tally[3] += energy
        tally[4] += energy_0 - energy
        p = min(int((1.0 - w * w) * n_polar), n_polar - 1)
        angle = math.atan2(v, u)
        if angle < 0.0:
            angle += 2.0 * math.pi
        a = min(int(angle * turn), n_azimuth - 1)
        e = min(int(energy / energy_0 * n_energy), n_energy - 1)
        counts[p, a, e] += 1
        radii[min(int(math.sqrt(x * x + y * y) / radius_step), radii.shape[0] - 1)] += 1
