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


@lru_cache(maxsize=1)
def _drawn() -> tuple[Segment, ...]:
    """Segments drawn at random, centred on +x."""
    rng = np.random.default_rng(7)
    segments = []
    for number in range(_DETECTORS):
        low, high = np.sort(rng.uniform(0.0, 90.0, 2))
        low, high = (0.0, high) if number % 3 == 0 else (low, max(high, low + 10.0))
        width = rng.uniform(30.0, 180.0) if number % 4 else 359.9
        polar = (float(low), float(min(high, 90.0)))
        segments.append(Segment(name="s", polar_deg=polar, azimuth_deg=(-0.5 * width, 0.5 * width)))
    return tuple(segments)


@lru_cache(maxsize=4)
def fitted(order: int, polar: int, azimuth: int) -> np.ndarray:
    """Matrix that turns electrons per bin into the coefficients that give detectors' signals best.

    Least squares of the signals of segments drawn at random, turned to every azimuth and weighted as counting
    noise weights them: what a short series leaves out is then what detectors see least of. The plain integrals
    over the polynomials leave up to half as much again of a grazing lobe. No azimuth is preferred.

    Parameters
    ----------
    order : int
        Highest radial order.
    polar, azimuth : int
        Bins, uniform in sin^2 of the polar angle and in azimuth.

    Returns
    -------
    numpy.ndarray, shape (terms, polar x azimuth)
    """
    segments, listed = _drawn(), terms(order)
    seen = acceptance(order, segments)
    weighted = seen / seen[:, :1]
    edges = np.linspace(0.0, 1.0, polar + 1)
    bounds = np.sin(np.radians([s.polar_deg for s in segments])) ** 2
    above, below = np.maximum(bounds[:, :1], edges[:-1]), np.minimum(bounds[:, 1:], edges[1:])
    covered = np.clip(below - above, 0.0, None) * polar
    half = np.radians([0.5 * s.azimuth_width_deg for s in segments])
    start = 2.0 * np.pi * np.arange(azimuth) / azimuth
    middle, narrow = start + np.pi / azimuth, np.pi / azimuth
    found = np.empty((len(listed), polar, azimuth))
    for m in range(-order, order + 1):
        rows = [i for i, (_, k) in enumerate(listed) if k == m]
        cosines = [listed.index((listed[i][0], abs(m))) for i in rows]
        # Means over all turns of the segments, of cosines and sines of m times the azimuth.
        power = weighted[:, cosines].T @ seen[:, cosines] * (0.5 if m else 1.0)
        share = half / np.pi * np.sinc(m * half / np.pi)
        radial = np.linalg.solve(power, weighted[:, cosines].T @ (covered * share[:, None]))
        around = (np.cos(m * middle) if m >= 0 else np.sin(-m * middle)) * np.sinc(m * narrow / np.pi)
        found[rows] = radial[:, :, None] * around
    return found.reshape(len(listed), -1)


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
    seen = acceptance(order, _drawn())
    # Turned to every azimuth, only the products of one azimuthal order are left, equal for cosine and sine.
    listed = terms(order)
    power = np.zeros((len(listed), len(listed)))
    for i, (_, m) in enumerate(listed):
        for j, (_, k) in enumerate(listed):
            if m == k:
                cosines = [listed.index((n, abs(m))) for n in (listed[i][0], listed[j][0])]
                power[i, j] = np.mean(seen[:, cosines[0]] * seen[:, cosines[1]] / seen[:, 0]) * (0.5 if m else 1.0)
    factor: np.ndarray = np.linalg.cholesky(power / power[0, 0])
    return factor


def shortened(order: int, whole: int) -> np.ndarray:
    """Matrix (terms, terms) from coefficients up to one order to the fewer that give detectors' signals best."""
    factor = as_detectors_see(whole)
    power, count = factor @ factor.T, len(terms(order))
    found: np.ndarray = np.linalg.solve(power[:count, :count], power[:count])
    return found


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
