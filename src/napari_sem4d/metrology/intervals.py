"""Intervals of figures from posterior draws.

Linear figures (a height difference, a step, a mean) take their interval straight from the draws. A mean of
squares (Sq, Sdq, spectra) also contains the power of the noise, once more in every draw: that power is
subtracted first. Everything else (Sa, Sz, Sdr, Sk, ...) goes through a parametric bootstrap: the same errors
are added to a surface that has the noise taken out (power-preserving Wiener filter), which shows by how much
noise shifts the figure; the shift is subtracted and shown as bias.

What the calibration leaves open, the scale of all heights, joins the noise in quadrature (GUM); the two
shares are told apart.

With few draws the spread itself is uncertain, so Student's t replaces the normal quantile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, stats

COVERAGE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval, in the unit of the figure.

    ``bias`` is what noise had added and was subtracted: ``value`` = figure of the noisy map - ``bias``.
    ``std`` is the standard uncertainty from the noise, ``scale_std`` the one from the calibration's height scale;
    ``low`` and ``high`` hold both.
    """

    value: float
    low: float
    high: float
    std: float
    bias: float = 0.0
    coverage: float = COVERAGE
    scale_std: float = 0.0

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return 0.5 * (self.high - self.low)


def with_scale(interval: Interval, scale_std: float, power: float = 1.0, *, signed: bool = True) -> Interval:
    """Add the uncertainty of the height scale in quadrature to each side of an interval.

    Parameters
    ----------
    interval : Interval
        From the noise alone.
    scale_std : float
        Relative standard uncertainty of the height scale from the calibration (0: none is known).
    power : float
        Of the height scale with which the figure grows: 1 for a height, 0 for what no scale changes.
    signed : bool
        False: the figure cannot be negative, and neither can its lower end.
    """
    own = abs(power * interval.value) * scale_std
    if own == 0.0:
        return interval
    more = float(stats.norm.ppf(0.5 * (1.0 + interval.coverage))) * own
    low = interval.value - float(np.hypot(interval.value - interval.low, more))
    high = interval.value + float(np.hypot(interval.high - interval.value, more))
    return replace(interval, low=low if signed else max(low, 0.0), high=high, scale_std=own)


def linear_interval(value: float, draws: np.ndarray, coverage: float = COVERAGE) -> Interval:
    """Interval of a linear figure.

    Parameters
    ----------
    value : float
        The figure of the estimated heights.
    draws : ndarray, shape (D,)
        The figure of each posterior draw, D >= 2.
    coverage : float
        Between 0 and 1.
    """
    sample = np.asarray(draws, dtype=np.float64)
    std = float(sample.std(ddof=1))
    half = _student(sample.size - 1, coverage) * std
    return Interval(float(value), float(value) - half, float(value) + half, std, 0.0, coverage)


def quadratic_interval(
    value: float, of_draws: np.ndarray, of_errors: np.ndarray, coverage: float = COVERAGE
) -> Interval:
    """Interval of a root mean square.

    Parameters
    ----------
    value : float
        The figure of the estimated heights.
    of_draws : ndarray, shape (D,)
        The figure of height + error, for each sampled error.
    of_errors : ndarray, shape (D,)
        The figure of each error alone.
    coverage : float
        Between 0 and 1.

    Returns
    -------
    Interval
        The lower end is 0 where the noise leaves nothing to be seen.

    Notes
    -----
    With Q the mean square, h the truth and e the error of the estimate, Q(h + e) = Q(h) + 2 <h, e> + Q(e). The
    draws give the variance of 2 <h + e, d> and of Q(d). The former exceeds that of 2 <h, e> by twice the
    variance of Q(d), because h + e is itself noisy: that is taken off again.
    """
    noise = np.asarray(of_errors, dtype=np.float64) ** 2
    cross = np.asarray(of_draws, dtype=np.float64) ** 2 - value**2 - noise
    count = noise.size
    square = value**2 - float(noise.mean())
    power_variance = float(noise.var(ddof=1))
    variance = max(float(cross.var(ddof=1)) - 2.0 * power_variance, 0.0) + power_variance * (1.0 + 1.0 / count)
    half = _student(count - 1, coverage) * float(np.sqrt(variance))
    root = float(np.sqrt(max(square, 0.0)))
    low, high = float(np.sqrt(max(square - half, 0.0))), float(np.sqrt(max(square + half, 0.0)))
    std = float(np.sqrt(variance)) / (2.0 * root) if root > 0 else high
    return Interval(root, low, high, std, value - root, coverage)


def bootstrap_interval(
    value: float, of_quiet: float, of_noisy: np.ndarray, coverage: float = COVERAGE, *, signed: bool = True
) -> Interval:
    """Interval of any other figure by parametric bootstrap.

    Parameters
    ----------
    value : float
        The figure of the estimated heights.
    of_quiet : float
        The figure of the surface without noise (:func:`quiet_surface`).
    of_noisy : ndarray, shape (D,)
        The figure of that surface + each sampled error.
    coverage : float
        Between 0 and 1.
    signed : bool
        False: the figure cannot be negative. Where the noise had added more than there is, the value is 0, the
        interval reaches from 0 as far up as it would around any other value.
    """
    sample = np.asarray(of_noisy, dtype=np.float64)
    bias = float(sample.mean()) - of_quiet
    std = float(sample.std(ddof=1))
    # The bias is a mean over the draws, so its own scatter joins.
    half = _student(sample.size - 1, coverage) * std * float(np.sqrt(1.0 + 1.0 / sample.size))
    centre = value - bias if signed else max(value - bias, 0.0)
    low = centre - half if signed else max(centre - half, 0.0)
    return Interval(centre, low, centre + half, std, value - centre, coverage)


def noise_power(errors_power: np.ndarray, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Subtract the noise power from a spectrum.

    Parameters
    ----------
    errors_power : ndarray, shape (D, ...)
        Spectrum of each sampled error.
    power : ndarray, shape (...)
        Spectrum of the estimated heights, same unit.

    Returns
    -------
    signal, noise : ndarrays
        ``power - noise`` (not below 0), and the mean noise spectrum.
    """
    noise = np.asarray(errors_power, dtype=np.float64).mean(axis=0)
    return np.maximum(power - noise, 0.0), noise


def quiet_surface(height: np.ndarray, error_powers: np.ndarray) -> np.ndarray:
    """The surface with its noise taken out: scaled wave by wave so that its power is that without noise.

    Parameters
    ----------
    height : ndarray, shape (Y, X) or (N,)
        Treated heights, nm; NaN is kept and counts as the mean.
    error_powers : ndarray, same shape
        Mean of :func:`cosine_power` over the sampled errors, nm2.

    Returns
    -------
    ndarray
        nm.
    """
    valid = np.isfinite(height)
    mean = float(height[valid].mean())
    waves = fft.dctn(np.where(valid, height - mean, 0.0), norm="ortho", workers=2)
    ring = _rings(height.shape)
    number = np.maximum(np.bincount(ring.ravel()), 1)
    total = np.bincount(ring.ravel(), weights=(waves**2).ravel()) / number
    noise = np.bincount(ring.ravel(), weights=error_powers.ravel()) / number
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = np.sqrt(np.clip(1.0 - noise / total, 0.0, 1.0))
    gain = np.nan_to_num(gain)
    quiet = fft.idctn(waves * gain[ring], norm="ortho", workers=2) + mean
    return np.where(valid, quiet, np.nan)


def cosine_power(error: np.ndarray) -> np.ndarray:
    """Squared cosine transform of a sampled error, nm2 (mirrored ends, so no jump at the rim leaks)."""
    return fft.dctn(np.nan_to_num(error), norm="ortho", workers=2) ** 2


def _rings(shape: tuple[int, ...]) -> np.ndarray:
    """Ring of equal relative frequency for each cosine, about as many as the longest axis has pixels."""
    radius = np.zeros(shape)
    for axis, n in enumerate(shape):
        along = [1] * len(shape)
        along[axis] = n
        radius = radius + (np.arange(n) / n).reshape(along) ** 2
    # A ring keeps some ten waves, so its power is known to some ten per cent; a line has no directions.
    count = max(shape) / 2 if len(shape) > 1 else max(shape) / 10
    return np.rint(np.sqrt(radius) * count).astype(int)


def _student(degrees: int, coverage: float) -> float:
    return float(stats.t.ppf(0.5 * (1.0 + coverage), max(degrees, 1)))
