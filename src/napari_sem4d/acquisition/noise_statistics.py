"""Statistics of image tiles from which the noise is told: structure, variance by signal, correlation by lag."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

LAGS = 5
TILE = 16
# Beyond these lags the noise is taken as uncorrelated: what is left there is structure or a line's offset.
_PEDESTAL_LAGS = (9, 10, 11, 12)
_NO_CORRELATION = 0.02
_QUANTILES = (0.01, 0.03, 0.07, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.93, 0.97, 0.99, 1.0)
_TILES_PER_BIN = 30
_MIN_TILES = 4
_CLIP = 4.0
_ENOUGH_PIXELS = 250_000


def second_difference(image: np.ndarray, axis: int, spacing: int = 1) -> np.ndarray:
    """Second difference f(i - m) - 2 f(i) + f(i + m) along an axis, NaN at the borders; shape as given."""
    moved = np.moveaxis(image, axis, 0)
    out = np.full_like(moved, np.nan)
    if len(moved) > 2 * spacing:
        out[spacing:-spacing] = moved[2 * spacing :] - 2.0 * moved[spacing:-spacing] + moved[: -2 * spacing]
    return np.moveaxis(out, 0, axis)


def tile_means(image: np.ndarray) -> np.ndarray:
    """Means over tiles of 16 x 16 pixels, shape (tiles,); NaN where less than half of a tile is valid."""
    y, x = (n // TILE for n in image.shape)
    tiles = image[: y * TILE, : x * TILE].reshape(y, TILE, x, TILE)
    valid = np.isfinite(tiles)
    count = valid.sum(axis=(1, 3))
    total = np.where(valid, tiles, 0.0).sum(axis=(1, 3))
    means = total / np.maximum(count, 1)
    return np.where(count >= TILE * TILE // 2, means, np.nan).ravel()


def quiet_tiles(image: np.ndarray, smoothing: int) -> np.ndarray:
    """Tiles with the least structure, chosen among tiles of like signal; boolean, shape (tiles,).

    Structure is the spread of the smoothed image inside a tile, so that the choice hardly depends on the noise
    itself. Half of the tiles at every signal level are kept.
    """
    valid = np.isfinite(image)
    weight = uniform_filter(valid.astype(np.float64), smoothing)
    smooth = uniform_filter(np.where(valid, image, 0.0), smoothing) / np.maximum(weight, 1e-9)
    smooth = np.where(valid, smooth, np.nan)
    level = tile_means(image)
    spread = tile_means(smooth**2) - tile_means(smooth) ** 2
    keep = np.zeros(len(level), dtype=bool)
    for members in _bins(level):
        # A spread of a few tiles cannot be ranked; they are all kept.
        limit = np.median(spread[members]) if len(members) >= 2 * _MIN_TILES else np.inf
        keep[members[spread[members] <= limit]] = True
    return keep


def _bins(level: np.ndarray) -> list[np.ndarray]:
    """Indices of valid tiles in bins of the signal level, narrower at its ends: those tell the slope."""
    valid = np.flatnonzero(np.isfinite(level))
    order = valid[np.argsort(level[valid], kind="stable")]
    bins: list[np.ndarray] = []
    start = 0
    for quantile in _QUANTILES:
        stop = round(quantile * len(order))
        rest = len(order) - stop
        if stop - start >= _TILES_PER_BIN and (rest >= _TILES_PER_BIN or rest == 0):
            bins.append(order[start:stop])
            start = stop
    if start < len(order):
        bins.append(order[start:])
    return bins


def _clipped_mean(values: np.ndarray) -> tuple[float, int]:
    """Mean without outliers (structure makes large variances), and how many values made it."""
    centre = np.median(values)
    width = 1.4826 * np.median(np.abs(values - centre))
    kept = values[np.abs(values - centre) <= _CLIP * width] if width > 0 else values
    return float(kept.mean()), len(kept)


def bin_variances(level: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean signal, variance and number of tiles in bins of the signal; empty arrays with too few tiles."""
    good = np.isfinite(level) & np.isfinite(variance)
    level, variance = level[good], variance[good]
    if len(level) < _MIN_TILES:
        return np.empty(0), np.empty(0), np.empty(0)
    rows = []
    for members in _bins(level):
        mean, count = _clipped_mean(variance[members])
        rows.append((level[members].mean(), mean, count))
    levels, variances, counts = np.array(rows, dtype=np.float64).T
    return levels, variances, counts


def fit_line(level: np.ndarray, variance: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Robust line variance = floor + slope * level with slope >= 0.

    Relative errors of a variance are equal at equal numbers of tiles, so residuals are weighted by 1 / variance;
    outlying bins (structure) lose weight. A slope within two of its standard errors of zero is zero.
    """
    scale = np.sqrt(weight) / np.maximum(variance, 1e-300)
    design = np.stack([np.ones_like(level), level], axis=1)
    robust = np.ones_like(level)
    floor, slope = float(np.average(variance, weights=weight)), 0.0
    if len(level) < 3 or np.ptp(level) <= 0:
        return floor, slope
    for _ in range(10):
        w = scale * np.sqrt(robust)
        solution, *_ = np.linalg.lstsq(design * w[:, None], variance * w, rcond=None)
        residual = (variance - design @ solution) * scale
        spread = max(1.4826 * float(np.median(np.abs(residual))), 1e-12)
        robust = np.minimum(1.0, 2.0 / np.maximum(np.abs(residual) / spread, 1e-12))
    normal = (design * w[:, None]).T @ (design * w[:, None])
    error = spread * float(np.sqrt(np.linalg.pinv(normal)[1, 1]))
    if solution[1] > 2.0 * error:
        return float(solution[0]), float(solution[1])
    w2 = (scale * np.sqrt(robust)) ** 2
    return float(np.average(variance, weights=w2)), 0.0


def correlation_along(axis: int, residuals: list[np.ndarray], quiet: list[np.ndarray]) -> tuple[float, ...]:
    """Normalised autocorrelation along an axis at lags 0, 1, ..., as far as it differs from zero.

    ``residuals`` are high-passed along the other axis: that scales all lags alike (separable noise) and removes
    the structure. What is correlated over long distances (structure, offsets of lines) is subtracted.
    """
    lags = (*range(LAGS + 1), *_PEDESTAL_LAGS)
    sums = np.zeros(len(lags))
    for whole, whole_tiles in zip(residuals, quiet, strict=True):
        residual, tiles = _bands(whole, whole_tiles, axis)
        products = [tile_means(_lagged_product(residual, axis, lag)) for lag in lags]
        power = products[0]
        good = tiles & np.all(np.isfinite(products), axis=0) & (power > 0)
        if not good.any():
            continue
        # Tiles count alike, bright and dark ones; those with outlying power hold structure.
        usual = np.median(power[good])
        width = 1.4826 * np.median(np.abs(power[good] - usual))
        good &= np.abs(power - usual) <= _CLIP * width if width > 0 else True
        sums += [float(np.sum(product[good] / power[good])) for product in products]
    if sums[0] <= 0:
        return (1.0,)
    pedestal = max(0.0, float(np.mean(sums[LAGS + 1 :])))
    rho = (sums[: LAGS + 1] - pedestal) / (sums[0] - pedestal)
    small = np.flatnonzero(np.abs(rho) < _NO_CORRELATION)
    return tuple(float(value) for value in rho[: small[0] if len(small) else LAGS + 1])


def _bands(image: np.ndarray, tiles: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Bands one tile wide along an axis, evenly spread over a large image: enough pixels for a correlation."""
    rows, columns = (n // TILE for n in image.shape)
    every = max(1, image.size // _ENOUGH_PIXELS)
    grid = tiles.reshape(rows, columns)
    bands = image[: rows * TILE, : columns * TILE]
    if axis == 1:
        chosen = bands.reshape(rows, TILE, -1)[::every]
        return chosen.reshape(-1, bands.shape[1]), grid[::every].ravel()
    chosen = bands.reshape(len(bands), columns, TILE)[:, ::every]
    return chosen.reshape(len(bands), -1), grid[:, ::every].ravel()


def _lagged_product(image: np.ndarray, axis: int, lag: int) -> np.ndarray:
    moved = np.moveaxis(image, axis, 0)
    out = np.full_like(moved, np.nan)
    out[: len(moved) - lag] = moved[: len(moved) - lag] * moved[lag:]
    return np.moveaxis(out, 0, axis)
