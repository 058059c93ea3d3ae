"""The kernel for a height map: columns of one material each, a layer of another on them. Imports numba."""

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
from napari_sem4d.physics.monte_carlo._terrain import (
    HIT,
    LOST,
    NUDGE,
    clearance,
    crossing,
    depth_within,
    fly,
    height_at,
)

_MOST_VISITS = 1000
_ESCAPED, _BELOW, _LOST, _STOPPED, _GIVEN_UP, _E_LEFT, _E_LAID, _E_GIVEN_UP = range(8)


@njit
def to_border(position: float, direction: float) -> float:
    """Path to the next border between columns along one axis."""
    centre = math.floor(position + 0.5)
    if direction > 0.0:
        return (centre + 0.5 - position) / direction
    if direction < 0.0:
        return (centre - 0.5 - position) / direction
    return 1e30


@njit
def column_of(columns: np.ndarray, x: float, y: float) -> int:
    """Material of the column that holds a point."""
    i = min(max(math.floor(y + 0.5), 0), columns.shape[0] - 1)
    j = min(max(math.floor(x + 0.5), 0), columns.shape[1] - 1)
    return int(columns[i, j])


@njit
def material_at(columns: np.ndarray, floor: np.ndarray, layer: int, x: float, y: float, z: float) -> int:
    """Material at a point of the specimen: the layer's above its floor, else the column's."""
    if floor.shape[0] > 1 and z > height_at(floor, x, y):
        return layer
    return column_of(columns, x, y)


@njit
def border_distance(distance: np.ndarray, x: float, y: float) -> float:
    """Path that surely stays in columns of the present material."""
    i = min(max(math.floor(y + 0.5), 0), distance.shape[0] - 1)
    j = min(max(math.floor(x + 0.5), 0), distance.shape[1] - 1)
    return distance[i, j]


@njit
def path_in(path_at: np.ndarray, cut_off: float, energy_0: float, energy: float) -> float:
    """Residual path of an electron of some energy in another material."""
    return interpolate(path_at, (energy - cut_off) / (energy_0 - cut_off) * (path_at.shape[0] - 1))


@njit(cache=True, nogil=True, fastmath={"contract", "arcp", "nsz"})
def run_jobs(
    seed: int,
    job_row: np.ndarray,
    job_column: np.ndarray,
    job_stream: np.ndarray,
    job_first: np.ndarray,
    electrons: int,
    height: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    columns: np.ndarray,
    distance: np.ndarray,
    floor: np.ndarray,
    floor_low: np.ndarray,
    floor_high: np.ndarray,
    scatter: np.ndarray,
    energy_at: np.ndarray,
    path_at: np.ndarray,
    path: np.ndarray,
    stretch: np.ndarray,
    reach: float,
    probe_sigma: float,
    reference_height: float,
    turn: np.ndarray,
    reentry: bool,
    counts: np.ndarray,
    tally: np.ndarray,
) -> None:
    """Send ``electrons`` into every job's pixel and score those that leave the specimen.

    All lengths are in pixels (see :mod:`_terrain` for the frame).

    Parameters
    ----------
    seed : int
        Seed of the run; an electron's stream is hashed from (seed, job_stream, number of the electron).
    job_row, job_column, job_stream, job_first : ndarrays (J,), int64
        Pixel in the terrain, its number in the image, and its first electron's number.
    height : ndarray (Y, X), float64
        Terrain.
    low, high : ndarrays (levels, Y, X), float32
        Its pyramids of minima and maxima.
    columns, distance : ndarrays (Y, X)
        Material of every column (uint8) and path that surely stays in it (float32); the path has shape (1, 1)
        where all columns are alike.
    floor : ndarray (Y, X), float64
        Lower face of a layer of the last material; shape (1, 1) where there is none.
    floor_low, floor_high : ndarrays (levels, Y, X), float32
        Pyramids of minima of the floor, and of minus the floor.
    scatter, energy_at, path_at, path, stretch : ndarrays, first axis materials
        Transport tables; ``stretch`` is how much farther an electron may come in any other material.
    reach, probe_sigma, reference_height : float
        See :data:`tables.REACH`; the probe's standard deviation; height at which pixels are centred on a
        tilted beam's axis.
    turn : ndarray (3, 3)
        Turns (x, y up, z) of the specimen into the frame whose z is the optical axis.
    reentry : bool
        Whether an electron that leaves may meet the surface again.
    counts : ndarray (J, P, A, N), uint32
        Adds electrons that left: polar bins uniform in sin^2, azimuth bins from +x, energy bins in E/E0.
    tally : ndarray (J, 8), float64
        Adds :data:`simulation.TALLY`.
    """
    _, n_polar, n_azimuth, n_energy = counts.shape
    bins = scatter.shape[1]
    energy_0 = energy_at[0, bins]
    cut_off = energy_at[0, 0]
    mixed = distance.shape[0] > 1
    layered = floor.shape[0] > 1
    layer = scatter.shape[0] - 1
    top = float(height.max())
    per_turn = n_azimuth / (2.0 * math.pi)
    beam_u, beam_v, beam_w = -turn[2, 0], turn[2, 1], -turn[2, 2]
    tilted = beam_w > -1.0 + 1e-12
    for job in range(job_row.shape[0]):
        for number in range(job_first[job], job_first[job] + electrons):
            state = advance(stream(seed, job_stream[job], number))
            bits = mix(state)
            x = job_column[job] + first_uniform(bits) - 0.5
            y = job_row[job] + second_uniform(bits) - 0.5
            if probe_sigma > 0.0:
                state = advance(state)
                bits = mix(state)
                radius = probe_sigma * math.sqrt(-2.0 * math.log(first_uniform(bits)))
                angle = 2.0 * math.pi * second_uniform(bits)
                x += radius * math.cos(angle)
                y += radius * math.sin(angle)
            u, v, w = beam_u, beam_v, beam_w
            outcome = HIT
            if tilted:
                back = (top + 1.0 - reference_height) / w
                x += u * back
                y += v * back
                x = min(max(x, 0.0), height.shape[1] - 1.0)
                y = min(max(y, 0.0), height.shape[0] - 1.0)
                outcome, x, y, z = fly(height, high, top, x, y, top + 1.0, u, v, w)
            else:
                z = height_at(height, x, y)
            m = material_at(columns, floor, layer, x, y, z)
            inverse_step = bins / path[m]
            left = path[m]
            entered = energy_0
            laid = 0.0
            safe = 0.0
            next_check = left
            given_up = False
            visits = 0
            inside = outcome == HIT
            row = bins - 1
            while inside:
                state = advance(state)
                bits = mix(state)
                flight = min(-math.log(first_uniform(bits)) * scatter[m, row, 0], left)
                out = False
                if flight < safe:
                    x += u * flight
                    y += v * flight
                    z += w * flight
                    left -= flight
                    safe -= flight
                else:
                    rest = flight
                    while rest > 0.0:
                        safe = clearance(low, x, y, z)
                        within = False
                        if layered:
                            within = z > height_at(floor, x, y)
                            if within:
                                safe = min(safe, clearance(floor_high, x, y, -z))
                            else:
                                safe = clearance(floor_low, x, y, z)
                        if mixed:
                            safe = min(safe, border_distance(distance, x, y))
                        if safe >= rest:
                            x += u * rest
                            y += v * rest
                            z += w * rest
                            left -= rest
                            safe -= rest
                            break
                        step = min(rest, max(safe, 1.0))
                        border = False
                        if mixed and step > safe:
                            to_next = min(to_border(x, u), to_border(y, v)) + 1e-9
                            if to_next < step:
                                step = to_next
                                border = True
                        new_x = x + u * step
                        new_y = y + v * step
                        new_z = z + w * step
                        if step > safe:
                            above = new_z - height_at(height, new_x, new_y)
                            if layered:
                                over = new_z - height_at(floor, new_x, new_y)
                                if (over > 0.0) != within:
                                    s = crossing(floor, x, y, z, u, v, w, step, over) * step
                                    face_x = x + u * s
                                    face_y = y + v * s
                                    face = height_at(floor, face_x, face_y)
                                    # Rising where there is no layer is leaving the specimen.
                                    if within or height_at(height, face_x, face_y) - face > 2.0 * NUDGE:
                                        new_x, new_y, step = face_x, face_y, s
                                        new_z = face - NUDGE if within else face + NUDGE
                                        above = 0.0
                                        border = True
                            if above > 0.0:
                                s = crossing(height, x, y, z, u, v, w, step, above) * step
                                x += u * s
                                y += v * s
                                z = height_at(height, x, y) + NUDGE
                                left -= s
                                out = True
                                break
                        x, y, z = new_x, new_y, new_z
                        rest -= step
                        left -= step
                        safe = 0.0
                        if border:
                            other = material_at(columns, floor, layer, x, y, z)
                            if other != m and left > 0.0:
                                # The rest of the free flight keeps its number of mean free paths.
                                energy = interpolate(energy_at[m], left * inverse_step)
                                flights = rest / scatter[m, min(int(left * inverse_step), bins - 1), 0]
                                left = path_in(path_at[other], cut_off, energy_0, energy)
                                m = other
                                inverse_step = bins / path[m]
                                rest = flights * scatter[m, min(int(left * inverse_step), bins - 1), 0]
                                rest = min(rest, left)
                                next_check = left
                if out:
                    energy = interpolate(energy_at[m], left * inverse_step)
                    laid += entered - energy
                    entered = energy
                    if not reentry:
                        break
                    outcome, x, y, z = fly(height, high, top, x, y, z, u, v, w)
                    visits += 1
                    if visits > _MOST_VISITS:
                        outcome = LOST
                    if outcome != HIT:
                        break
                    other = material_at(columns, floor, layer, x, y, z)
                    if other != m:
                        left = path_in(path_at[other], cut_off, energy_0, energy)
                        m = other
                        inverse_step = bins / path[m]
                    row = min(int(left * inverse_step), bins - 1)
                    next_check = left
                    safe = 0.0
                    continue
                if left <= 0.0:
                    inside = False
                    break
                if left < next_check:
                    distant = reach * left * stretch[m]
                    gap = distant - depth_within(low, x, y, z, distant)
                    if gap < 0.0:
                        given_up = True
                        inside = False
                        break
                    # Neither depth nor residual path can close the gap sooner than this.
                    next_check = left - gap / (1.0 + reach * stretch[m])
                row = min(int(left * inverse_step), bins - 1)
                cosine = polar_cosine(
                    second_uniform(bits), scatter[m, row, 1], scatter[m, row, 2], scatter[m, row, 3]
                )
                k = azimuth_index(bits)
                u, v, w = deflect(u, v, w, cosine, COSINES[k], SINES[k])
            if not inside and outcome == HIT:
                energy = max(interpolate(energy_at[m], left * inverse_step), cut_off)
                tally[job, _E_LAID] += laid + entered - energy
                tally[job, _E_GIVEN_UP] += energy
                tally[job, _GIVEN_UP if given_up else _STOPPED] += 1.0
                continue
            tally[job, _E_LAID] += laid
            tally[job, _E_LEFT] += entered
            if outcome == LOST:
                tally[job, _LOST] += 1.0
                continue
            # y counts rows downwards here and upwards in the frame of the screen.
            a_x = turn[0, 0] * u - turn[0, 1] * v + turn[0, 2] * w
            a_y = turn[1, 0] * u - turn[1, 1] * v + turn[1, 2] * w
            a_z = turn[2, 0] * u - turn[2, 1] * v + turn[2, 2] * w
            if a_z <= 0.0:
                tally[job, _BELOW] += 1.0
                continue
            tally[job, _ESCAPED] += 1.0
            angle = math.atan2(a_y, a_x)
            if angle < 0.0:
                angle += 2.0 * math.pi
            p = min(max(int((1.0 - a_z * a_z) * n_polar), 0), n_polar - 1)
            a = min(int(angle * per_turn), n_azimuth - 1)
            e = min(int(entered / energy_0 * n_energy), n_energy - 1)
            counts[job, p, a, e] += 1
