"""Measured against simulated signals: scale of the heights, gains, and what is left by segment and slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FACING_EDGES_DEG = (-75.0, -45.0, -30.0, -15.0, -5.0, 5.0, 15.0, 30.0, 45.0, 75.0)
"""Slope bands: the slope towards a segment, positive where the surface faces it."""
_LEAST_IN_BAND = 20
_RESAMPLES = 400
_CONFIDENCE = (2.5, 97.5)
_POWER = 1.96 + 0.84
"""Standard errors of the least effect that a test of 5 % finds with a probability of 80 %."""
_POWER_ONE_SIDED = 1.645 + 0.84
_FLAT = 1e-4


@dataclass(frozen=True)
class Signals:
    """Signals of n pixels in K segments, in units of each segment's flat signal.

    Attributes
    ----------
    measured : ndarray, shape (K, n)
    simulated, of_scaled : ndarray, shape (K, n)
        Monte Carlo of the surface, and of the surface with heights times ``scaled_by``.
    scaled_by : float
    law, law_by_scale : ndarray, shape (K, n)
        The local law and its derivative by the logarithm of the height scale: free of noise.
    facing_deg : ndarray, shape (K, n)
        Slope towards each segment, degrees.
    weight : ndarray, shape (n,)
        Share of the area that a pixel stands for.
    gain_group : tuple of int, length K
        Number of the free gain that each segment has.
    inflation : float
        Factor on standard errors, for noise that neighbouring pixels share.
    """

    measured: np.ndarray
    simulated: np.ndarray
    of_scaled: np.ndarray
    scaled_by: float
    law: np.ndarray
    law_by_scale: np.ndarray
    facing_deg: np.ndarray
    weight: np.ndarray
    gain_group: tuple[int, ...]
    inflation: float


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval, and the least deviation that would have been found (power 80 %)."""

    value: float
    low: float
    high: float
    detectable: float


@dataclass(frozen=True)
class Band:
    """Mean difference, measured minus simulated, in one segment where the surface faces it by some angle.

    In units of the segment's flat signal.
    """

    segment: int
    facing_deg: tuple[float, float]
    pixels: int
    area_share: float
    difference: Interval


@dataclass(frozen=True)
class Comparison:
    """What the comparison gives.

    Attributes
    ----------
    height_scale : Interval or None
        Factor on the heights that would match the images best; None where the surface is flat.
    gains : tuple of Interval
        Measured over simulated brightness: one, or one for each segment where their gains were free.
    effect : Interval
        Root mean square over bands and segments, by area, of the difference that is left after the gains; its
        noise is taken out. In units of the flat signal.
    bands : tuple of Band
    """

    height_scale: Interval | None
    gains: tuple[Interval, ...]
    effect: Interval
    bands: tuple[Band, ...]


def compare(signals: Signals, rng: np.random.Generator) -> Comparison:
    """Compare; intervals come from resampled pixels, which holds whatever the noise is.

    The model is ``measured = gain x (simulated + (scale - 1) x change of simulated with scale)``. Both factors are
    found with the noise-free local law as instrument (Reiersol 1945): the simulation's own noise then lengthens
    the intervals and biases nothing.

    Parameters
    ----------
    signals : Signals
    rng : numpy.random.Generator
        Of the resampling.
    """
    n = signals.weight.size
    # The first row is the sample itself; the others weigh its pixels at random (Poisson bootstrap).
    draws = np.concatenate([np.ones((1, n)), rng.poisson(1.0, (_RESAMPLES, n))])
    gains, scale = _solve(signals, draws)
    bands, means, shares = _bands(signals, draws, gains)

    def spread(values: np.ndarray) -> np.ndarray:
        """Deviations of the resampled values from the value, with shared noise allowed for."""
        return np.asarray((values[1:] - values[:1]) * signals.inflation)

    def interval(values: np.ndarray) -> Interval:
        around = spread(values)
        low, high = np.percentile(around, _CONFIDENCE)
        # A robust width: resampled ratios have long tails where the surface is nearly flat.
        error = float(high - low) / (2 * 1.96)
        value = float(values[0])
        return Interval(value, value + float(low), value + float(high), _POWER * error)

    found = tuple(
        Band(k, facing, pixels, float(share), interval(mean))
        for (k, facing, pixels), mean, share in zip(bands, means.T, shares, strict=True)
    )
    return Comparison(
        None if scale is None else interval(scale),
        tuple(interval(gain) for gain in gains.T),
        _effect(means, spread(means), shares),
        found,
    )


def _solve(signals: Signals, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Gains, shape (B, G), and height scale, shape (B,), for weights of the pixels of shape (B, n)."""
    groups = max(signals.gain_group) + 1
    change = (signals.simulated - signals.of_scaled) / (1.0 - signals.scaled_by)
    # By area: debris is often steep, and the sample holds more of steep pixels than their share.
    draws = draws * signals.weight
    matrix = np.zeros((len(draws), groups + 1, groups + 1))
    right = np.zeros((len(draws), groups + 1))
    for k, g in enumerate(signals.gain_group):
        for row, instrument in ((g, signals.law[k]), (groups, signals.law_by_scale[k])):
            matrix[:, row, g] += draws @ (instrument * signals.simulated[k])
            matrix[:, row, groups] += draws @ (instrument * change[k])
            right[:, row] += draws @ (instrument * signals.measured[k])
    if np.sqrt(np.mean(signals.law_by_scale**2)) < _FLAT:
        gains = right[:, :groups] / np.einsum("bgg->bg", matrix)[:, :groups]
        return gains, None
    found = np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
    gains = found[:, :groups]
    return gains, 1.0 + found[:, groups] / gains.mean(axis=1)


def _bands(
    signals: Signals, draws: np.ndarray, gains: np.ndarray
) -> tuple[list[tuple[int, tuple[float, float], int]], np.ndarray, np.ndarray]:
    """Bands (segment, angles, pixels), their mean differences (B, bands), and their shares of the area."""
    bands: list[tuple[int, tuple[float, float], int]] = []
    means, shares = [], []
    for k, g in enumerate(signals.gain_group):
        number = np.digitize(signals.facing_deg[k], FACING_EDGES_DEG) - 1
        for b in range(len(FACING_EDGES_DEG) - 1):
            inside = number == b
            if inside.sum() < _LEAST_IN_BAND:
                continue
            weights = draws[:, inside] * signals.weight[inside]
            total = weights.sum(axis=1)
            measured, simulated = weights @ signals.measured[k, inside], weights @ signals.simulated[k, inside]
            bands.append((k, (FACING_EDGES_DEG[b], FACING_EDGES_DEG[b + 1]), int(inside.sum())))
            means.append((measured / gains[:, g] - simulated) / np.maximum(total, 1e-300))
            shares.append(total[0])
    area = np.array(shares)
    return bands, np.array(means).T, area / area.sum()


def _effect(means: np.ndarray, spread: np.ndarray, shares: np.ndarray) -> Interval:
    """Root mean square difference over the bands without its noise, and its interval."""
    variance = (spread**2).mean(axis=0)
    square = float(shares @ (means[0] ** 2 - variance))
    # Resampled means carry the noise twice: once as measured, once as drawn.
    squares = (means[0] + spread) ** 2 @ shares - 2.0 * float(shares @ variance)
    low, high = np.percentile(squares, _CONFIDENCE)
    by_chance = float(np.sqrt(2.0 * (shares**2 @ variance**2)))

    def root(value: float) -> float:
        return float(np.sqrt(max(value, 0.0)))

    return Interval(root(square), root(float(low)), root(float(high)), root(_POWER_ONE_SIDED * by_chance))
