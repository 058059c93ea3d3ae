"""Device functions that the kernels share: random numbers, free flight, deflection. Imports numba."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

AZIMUTHS = 1024
"""Azimuths of deflection that are drawn from (equally spaced; a few collisions make them continuous)."""
_angles = 2.0 * np.pi * (np.arange(AZIMUTHS) + 0.5) / AZIMUTHS
COSINES = np.cos(_angles)
SINES = np.sin(_angles)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)
_S40, _S16 = np.uint64(40), np.uint64(16)
_MASK_24 = np.uint64(0xFFFFFF)
_MASK_10 = np.uint64(AZIMUTHS - 1)
_UNIT_24 = 1.0 / 16777216.0


@njit(inline="always")
def mix(z: np.uint64) -> np.uint64:
    """Finalizer of splitmix64 (Steele, Lea & Flood 2014): every output bit depends on every input bit."""
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@njit
def stream(seed: int, pixel: int, electron: int) -> np.uint64:
    """Start of an electron's own random stream, hashed from seed, pixel and electron number."""
    key = mix(np.uint64(seed) + _GOLDEN)
    key = mix(key ^ (np.uint64(pixel) * _MIX_1 + _GOLDEN))
    return mix(key ^ (np.uint64(electron) * _MIX_2 + _GOLDEN))


@njit(inline="always")
def advance(state: np.uint64) -> np.uint64:
    """Next state of a stream (its output is :func:`mix` of it)."""
    return state + _GOLDEN


@njit(inline="always")
def first_uniform(bits: np.uint64) -> float:
    """Uniform in (0, 1) from the top 24 bits."""
    return (np.float64(bits >> _S40) + 0.5) * _UNIT_24


@njit(inline="always")
def second_uniform(bits: np.uint64) -> float:
    """Uniform in (0, 1) from the middle 24 bits."""
    return (np.float64((bits >> _S16) & _MASK_24) + 0.5) * _UNIT_24


@njit(inline="always")
def azimuth_index(bits: np.uint64) -> np.uint64:
    """Number of a deflection azimuth from the low 10 bits."""
    return bits & _MASK_10


@njit(inline="always")
def polar_cosine(uniform: float, isotropic: float, screening: float, inverse_rest: float) -> float:
    """Cosine of the polar angle of one collision (Browning et al. 1994): isotropic or screened Rutherford."""
    if uniform < isotropic:
        return 1.0 - 2.0 * uniform / isotropic
    rest = (uniform - isotropic) * inverse_rest
    return 1.0 - 2.0 * screening * rest / (1.0 + screening - rest)


@njit(inline="always")
def deflect(u: float, v: float, w: float, cosine: float, cos_a: float, sin_a: float) -> tuple[float, float, float]:
    """Turn a unit vector by a polar cosine and an azimuth.

    The frame about the old direction is the branchless one of Duff et al., J. Comput. Graph. Tech. 6, 1 (2017):
    no trigonometry and no special case at the poles.
    """
    sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
    p = sine * cos_a
    q = sine * sin_a
    sign = math.copysign(1.0, w)
    a = -1.0 / (sign + w)
    b = u * v * a
    new_u = p * (1.0 + sign * u * u * a) + q * b + u * cosine
    new_v = p * sign * b + q * (sign + v * v * a) + v * cosine
    new_w = -p * sign * u - q * v + w * cosine
    scale = 1.5 - 0.5 * (new_u * new_u + new_v * new_v + new_w * new_w)
    return new_u * scale, new_v * scale, new_w * scale


@njit(inline="always")
def interpolate(table: np.ndarray, position: float) -> float:
    """Linear interpolation at a position in units of the table's steps, clamped to its ends."""
    last = table.shape[0] - 2
    i = min(max(int(position), 0), last)
    t = min(max(position - i, 0.0), 1.0)
    return table[i] + t * (table[i + 1] - table[i])
