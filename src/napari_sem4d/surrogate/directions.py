"""Directions of exit as a basis: Zernike polynomials over the disc of directions.

The disc holds a direction (polar angle, azimuth) at radius sin(polar): with the measure ``cos(polar) dOmega / pi``
Lambert's law is constant on it. Zernike polynomials are orthonormal there (Born & Wolf, Principles of Optics,
9.2; normalised after Noll, J. Opt. Soc. Am. 66, 207 (1976)), so that counting noise is the same in every
coefficient, and turns and mirror images only mix the two polynomials of one azimuthal order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import factorial

import numpy as np

from napari_sem4d.acquisition.instrument import Segment

_RADIAL_NODES = 24
_DETECTORS = 500


def terms(order: int) -> tuple[tuple[int, int], ...]:
    """Radial and azimuthal order (n, m) of every polynomial up to a radial order; m < 0 stands for the sine."""
    return tuple((n, m) for n in range(order + 1) for m in range(-n, n + 1, 2))


def _radial(n: int, k: int, radius: np.ndarray) -> np.ndarray:
    """Radial part of a polynomial, normalised together with its cosine or sine."""
    total = sum(
        (-1) ** s
        * factorial(n - s)
        / (factorial(s) * factorial((n + k) // 2 - s) * factorial((n - k) // 2 - s))
        * radius ** (n - 2 * s)
        for s in range((n - k) // 2 + 1)
    )
    return np.asarray(np.sqrt((n + 1) * (1 if k == 0 else 2)) * total)


def evaluate(order: int, radius: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Zernike polynomials of mean square 1 over the unit disc.

    Parameters
    ----------
    order : int
        Highest radial order.
    radius : numpy.ndarray
        Sine of the polar angle.
    azimuth : numpy.ndarray
        Rad, counter-clockwise from +x; broadcasts with the radius.

    Returns
    -------
    numpy.ndarray
        Shape (terms, ...).
    """
    return np.stack(
        [
            _radial(n, abs(m), radius) * (np.cos(m * azimuth) if m >= 0 else np.sin(-m * azimuth))
            for n, m in terms(order)
        ]
    )


def acceptance(order: int, segments: Sequence[Segment]) -> np.ndarray:
    """Integral of every polynomial over each segment: coefficients times this are the segments' signals.

    Parameters
    ----------
    order : int
        Highest radial order.
    segments : sequence of Segment
        With azimuths in the image's frame; thresholds and gains do not enter.

    Returns
    -------
    numpy.ndarray, shape (K, terms)
    """
    node, weight = np.polynomial.legendre.leggauss(_RADIAL_NODES)
    rows = []
    for s in segments:
        low, high = np.sin(np.radians(s.polar_deg)) ** 2
        squared = low + (high - low) * 0.5 * (node + 1.0)
        middle, half = np.radians(s.azimuth_centre_deg), np.radians(s.azimuth_width_deg) / 2
        rows.append(
            [
                float(_radial(n, abs(m), np.sqrt(squared)) @ weight)
                * 0.5
                * (high - low)
                * (half / np.pi * np.sinc(m * half / np.pi))
                * (np.cos(m * middle) if m >= 0 else np.sin(-m * middle))
                for n, m in terms(order)
            ]
        )
    return np.array(rows)


@lru_cache(maxsize=4)
def projection(order: int, polar: int, azimuth: int) -> np.ndarray:
    """Matrix (terms, polar x azimuth) that turns electrons per bin into coefficients.

    Least squares over bins that are uniform in sin^2 of the polar angle and in azimuth: exact for any field
    within the basis.
    """
    means = bin_means(order, polar, azimuth)
    found: np.ndarray = np.linalg.solve(means @ means.T, means) * (polar * azimuth)
    return found


def bin_segments(polar: int, azimuth: int, threshold_kev: float = 0.0) -> list[Segment]:
    """Segments that fill the disc: bins uniform in sin^2 of the polar angle and in azimuth, polar first."""
    edges = np.degrees(np.arcsin(np.sqrt(np.linspace(0.0, 1.0, polar + 1))))
    return [
        Segment(
            name=f"{i}.{j}",
            polar_deg=(float(edges[i]), float(edges[i + 1])),
            azimuth_deg=(360.0 * j / azimuth, 360.0 * (j + 1) / azimuth),
            threshold_kev=threshold_kev,
        )
        for i in range(polar)
        for j in range(azimuth)
    ]


def bin_means(order: int, polar: int, azimuth: int) -> np.ndarray:
    """Mean of every polynomial over every bin, shape (terms, polar x azimuth)."""
    return acceptance(order, bin_segments(polar, azimuth)).T * (polar * azimuth)


@lru_cache(maxsize=4)
def as_detectors_see(order: int) -> np.ndarray:
    """Matrix that turns errors of coefficients into those of signals: what random segments see of them.

    Its product with its transpose is the mean of ``a a^T / a_0`` over the acceptances ``a`` of segments drawn at
    random, ``a_0`` their share of a Lambertian flat's signal: the mean of a segment's squared error over its
    signal, as counting noise weights it. No azimuth is preferred.

    Parameters
    ----------
    order : int
        Highest radial order.

    Returns
    -------
    numpy.ndarray, shape (terms, terms)
        Lower triangular; mean square 1 for a constant of 1 in the first coefficient.
    """
    rng = np.random.default_rng(7)
    segments = []
    for number in range(_DETECTORS):
        low, high = np.sort(rng.uniform(0.0, 90.0, 2))
        low, high = (0.0, high) if number % 3 == 0 else (low, max(high, low + 10.0))
        width = rng.uniform(30.0, 180.0) if number % 4 else 359.9
        segments.append(Segment(name="s", polar_deg=(low, min(high, 90.0)), azimuth_deg=(0.0, width)))
    seen = acceptance(order, segments)
    # Turned to every azimuth, only the products of one azimuthal order are left, equal for cosine and sine.
    listed = terms(order)
    power = np.zeros((len(listed), len(listed)))
    for i, (_, m) in enumerate(listed):
        for j, (_, k) in enumerate(listed):
            if m == k:
                other = [listed.index((n, -m)) for n in (listed[i][0], listed[j][0])]
                both = seen[:, i] * seen[:, j] + seen[:, other[0]] * seen[:, other[1]]
                power[i, j] = 0.5 * np.mean(both / seen[:, 0])
    factor: np.ndarray = np.linalg.cholesky(power / power[0, 0])
    return factor


def turned(order: int, quarter_turns: int, mirrored: bool) -> np.ndarray:
    """How coefficients change when the image is mirrored left to right and then turned counter-clockwise.

    Parameters
    ----------
    quarter_turns : int
        Turns by 90 degrees, counter-clockwise on the screen.
    mirrored : bool
        Whether x changes its sign first.

    Returns
    -------
    numpy.ndarray, shape (terms, terms)
        Old coefficients to new ones; entries are 0 and +-1.
    """
    listed = terms(order)
    matrix = np.zeros((len(listed), len(listed)))
    for j, (n, m) in enumerate(listed):
        k, sign = abs(m), 1.0
        if mirrored:  # azimuth a becomes pi - a
            sign = (-1.0) ** k if m >= 0 else -((-1.0) ** k)
        cosine, sine = round(np.cos(k * quarter_turns * np.pi / 2)), round(np.sin(k * quarter_turns * np.pi / 2))
        # cos k(a - t) = cos kt cos ka + sin kt sin ka;  sin k(a - t) = cos kt sin ka - sin kt cos ka
        matrix[listed.index((n, m)), j] += sign * cosine
        if k:
            matrix[listed.index((n, -m)), j] += sign * (sine if m > 0 else -sine)
    return matrix
