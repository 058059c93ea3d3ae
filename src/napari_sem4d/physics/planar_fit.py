"""A smooth form for the emission of tilted planes, and its least-squares fit to counts.

Emission over Lambert's law is written with polynomials in the direction of exit, taken in the surface's own
frame: ``x`` towards where the beam runs downhill and ``z`` along the normal. Polynomials in x and z are smooth
over the whole hemisphere, poles included, and symmetric about the plane of incidence. Turning the tilt's sign
mirrors x, so a term ``x^a z^b`` goes with even powers of the tilt where a is even and odd ones where it is odd.

Polynomials alone miss the forward lobe of grazing incidence. Electrons that leave after one or few deflections
follow ``1 / ((z + cos t) (1 - cos angle))`` (single scattering in a half-space, Chandrasekhar, Radiative
Transfer, 1950, with the pole of Rutherford's law), so two softened forms of it, each with a polynomial of its
own, are added: 114 terms in all describe copper and carbon from 0 to 85 degrees to within counting noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEEPEST_RAD = np.radians(85.0)
"""Beyond this tilt the fit is held; no height map resolves such slopes."""


@dataclass(frozen=True)
class _Group:
    """Polynomial in (x, z) and the tilt, times a lobe unless ``soften`` is None (angle, then z + cos t)."""

    degree: int
    tilt_degree: int
    soften: tuple[float, float] | None

    def terms(self) -> list[tuple[int, int, int]]:
        pairs = [(a, b) for a in range(self.degree + 1) for b in range(self.degree + 1 - a)]
        return [(a, b, k) for a, b in pairs for k in range(self.tilt_degree + 1) if (a + k) % 2 == 0]

    def lobe(self, tilt: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray | float:
        if self.soften is None:
            return 1.0
        angle, sum_of_cosines = self.soften
        turned = 1.0 + angle - (x * np.sin(tilt) - z * np.cos(tilt))
        value: np.ndarray = 1.0 / (turned * (z + np.cos(tilt) + sum_of_cosines))
        return value


_GROUPS = (_Group(4, 6, None), _Group(3, 5, (0.1, 0.1)), _Group(3, 5, (0.01, 0.03)))
TERMS = sum(len(g.terms()) for g in _GROUPS)


def _chebyshev(position: np.ndarray, degree: int) -> list[np.ndarray]:
    values = [np.ones_like(position), position]
    for _ in range(degree - 1):
        values.append(2.0 * position * values[-1] - values[-2])
    return values


def evaluate_ratio(
    coefficients: np.ndarray, tilt: np.ndarray, forward: np.ndarray, outward: np.ndarray
) -> np.ndarray:
    """Emission over Lambert's law for a yield of 1.

    Parameters
    ----------
    coefficients : ndarray, shape (TERMS,)
        From :func:`fit_ratio`, summed over energies with some weight.
    tilt : ndarray
        Tilt of the plane, rad.
    forward, outward : ndarrays
        Components x and z of the direction of exit (z at least 0); all three broadcast.
    """
    total = np.zeros(np.broadcast_shapes(np.shape(tilt), np.shape(forward), np.shape(outward)))
    x = _chebyshev(forward, max(g.degree for g in _GROUPS))
    z = _chebyshev(2.0 * outward - 1.0, max(g.degree for g in _GROUPS))
    tilts = _chebyshev(tilt / STEEPEST_RAD, max(g.tilt_degree for g in _GROUPS))
    start = 0
    for group in _GROUPS:
        terms = group.terms()
        by_pair: dict[tuple[int, int], np.ndarray] = {}
        # The tilt comes first: where many directions share it, its sums are short.
        for c, (a, b, k) in zip(coefficients[start : start + len(terms)], terms, strict=True):
            by_pair[a, b] = by_pair.get((a, b), np.zeros(np.shape(tilt))) + c * tilts[k]
        start += len(terms)
        part = np.zeros_like(total)
        for a in range(group.degree + 1):
            inner = np.zeros_like(total)
            for b in range(group.degree + 1 - a):
                inner += by_pair[a, b] * z[b]
            part += inner * x[a]
        total += part * group.lobe(tilt, forward, outward)
    return total


def fit_ratio(tilts: np.ndarray, counts: np.ndarray, electrons: int) -> np.ndarray:
    """Fit the counts of tilted planes.

    Parameters
    ----------
    tilts : ndarray, shape (T,)
        Tilts, rad.
    counts : ndarray, shape (T, polar, azimuth, energies)
        Counts about the surface's normal, polar bins uniform in sin^2 (Lambert emission fills all bins with
        ``yield x electrons / bins``), azimuth 0 downhill.
    electrons : int
        Primaries per tilt.

    Returns
    -------
    ndarray, shape (TERMS, energies)
    """
    _, polar, azimuth, energies = counts.shape
    half = azimuth // 2
    # Mirror symmetry about the plane of incidence: both halves count.
    folded = counts[:, :, :half] + counts[:, :, : half - 1 : -1]
    target = (folded * (polar * azimuth / (2.0 * electrons))).reshape(-1, energies)
    design = np.concatenate([bin_means(t, polar, azimuth) for t in tilts])
    # The spread of a count is the root of its mean: a first fit learns the means, the second weighs by them.
    total = target.sum(axis=1)
    floor = 0.05 * total.mean()
    rough = _weighted_fit(design, total[:, None], np.maximum(total, floor))
    return _weighted_fit(design, target, np.maximum(design @ rough[:, 0], floor))


def _weighted_fit(design: np.ndarray, target: np.ndarray, variance: np.ndarray) -> np.ndarray:
    scale = 1.0 / np.sqrt(variance)[:, None]
    # Directions of the three groups overlap; leaving the weakest out keeps the coefficients small, so that single
    # precision stores them without loss, and does not change the misfit.
    coefficients: np.ndarray
    coefficients, *_ = np.linalg.lstsq(design * scale, target * scale, rcond=1e-4)
    return coefficients


def bin_means(tilt: float, polar: int, azimuth: int) -> np.ndarray:
    """Mean of every term over every bin of one half, shape (polar * azimuth / 2, TERMS)."""
    node, weight = np.polynomial.legendre.leggauss(4)
    half = azimuth // 2
    squares = (np.arange(polar)[:, None] + 0.5 * (node + 1.0)).ravel() / polar
    angles = (np.arange(half)[:, None] + 0.5 * (node + 1.0)).ravel() * 2.0 * np.pi / azimuth
    forward = np.sqrt(squares)[:, None] * np.cos(angles)[None, :]
    outward = np.broadcast_to(np.sqrt(1.0 - squares)[:, None], forward.shape)

    def mean(fine: np.ndarray) -> np.ndarray:
        cells = fine.reshape(polar, node.size, half, node.size)
        value: np.ndarray = np.einsum("piqj,i,j->pq", cells, 0.5 * weight, 0.5 * weight)
        return value.ravel()

    columns: list[np.ndarray] = []
    angle = np.asarray(tilt)
    for group in _GROUPS:
        x, z = _chebyshev(forward, group.degree), _chebyshev(2.0 * outward - 1.0, group.degree)
        powers = _chebyshev(angle / STEEPEST_RAD, group.tilt_degree)
        lobe = group.lobe(angle, forward, outward)
        means: dict[tuple[int, int], np.ndarray] = {}
        for a, b, k in group.terms():
            if (a, b) not in means:
                means[a, b] = mean(x[a] * z[b] * lobe)
            columns.append(means[a, b] * powers[k])
    return np.stack(columns, axis=1)
