"""Measure the table of an engine's signal error on Monte Carlo patches that nothing was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from napari_sem4d.frames import slopes
from napari_sem4d.surrogate.dataset import dataset_settings, read_chunk
from napari_sem4d.surrogate.directions import terms
from napari_sem4d.surrogate.inputs import without_border
from napari_sem4d.surrogate.model_error import ModelErrorTable, bend
from napari_sem4d.surrogate.patches import ORDER, THRESHOLDS
from napari_sem4d.surrogate.training_data import TrainingData, flat_signal, load_training_data
from napari_sem4d.surrogate.weights import Weights

SLOPES_DEG = (15.0, 30.0, 45.0, 60.0)
BENDS = (0.1, 0.25, 0.5, 1.0)
_LEAST_TILT_DEG = 10.0
_FEWEST = 300
"""Pixels below which a band takes the figure of its neighbour."""
_SMALLEST = 1e-3
"""Power of an independent error, over that of the largest, below which it is left out."""
_BATCH = 8
_WAVES = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 16.0)
"""Edges of bands of wavelength, rho50; much longer waves show all of their slopes."""
_BANDS = (0.05, 0.15, 0.25, 0.4, 0.6, 0.9, 1.3, 1.8, 2.4, 3.1)
"""Edges of bands of angular frequency, rad per working pixel; in the last two only noise is left."""
_LENGTHS = np.geomspace(0.5, 20.0, 80)
"""Correlation lengths that are tried, working pixels."""


def measure_model_error(folder: Path, weights: Weights | None) -> ModelErrorTable:
    """Table of the error of ``vift`` with some weights, or of ``local`` without.

    Every pixel was simulated once: the product of the deviations of two neighbours is free of their noise; what it
    falls short of the square is taken from the products at twice the distance.

    Parameters
    ----------
    folder : Path
        Finished chunks of a training set that served no training (``sem4d dataset --settings validation_set``).
    weights : Weights, optional

    Raises
    ------
    InputError, StoreError
        If the folder holds no such chunks.
    """
    order = ORDER if weights is None else weights.network.architecture.order
    data = load_training_data(folder, order)
    shape = (len(SLOPES_DEG) + 1, len(BENDS) + 1)
    power, count = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    contrasts: list[list[float]] = [[] for _ in range(len(BENDS) + 1)]
    products, spectrum = np.zeros(2), np.zeros(len(_BANDS) - 1)
    covariance = np.zeros(2 * (len(terms(order)),))
    waves = np.zeros((2, len(_WAVES) - 1))
    for error, tilt, curl, tilting in _errors(data, weights, _tiltings(folder)):
        pairs = _neighbours(error, 1)
        products += [float(x.sum(0).mean()) for x in (pairs, _neighbours(error, 2))]
        spectrum += _along_the_wave(error)
        covariance += _together(error)
        waves += _by_wave(error, tilting, data.pitch)
        row = np.digitize(tilt[:-1, :-1], SLOPES_DEG)
        column = np.digitize(curl[:-1, :-1], BENDS)
        np.add.at(power, (row, column), pairs.sum(0).numpy())
        np.add.at(count, (row, column), 1)
        for found, excess in zip(contrasts, _contrast(error, tilt, curl, tilting), strict=True):
            found += excess
    settings = dataset_settings(folder)
    return ModelErrorTable(
        slope_deg=SLOPES_DEG,
        bend=BENDS,
        power=_filled(power, count, float(np.clip(products[0] / products[1], 1.0, 2.0))),
        modes=_modes(_isotropic(covariance, order)),
        length_rho50=round(_length(spectrum) * data.pitch, 3),
        contrast=_filled_contrast(contrasts),
        waves_rho50=tuple(round(float(v), 3) for v in np.sqrt(np.array(_WAVES[1:]) * _WAVES[:-1])),
        shown=tuple(round(float(v), 3) for v in waves[0] / waves[1]),
        pixels=tuple(tuple(int(c) for c in row) for row in count),
        source=f"{len(data.height)} patches, families {', '.join(sorted(settings.families))}, materials "
        f"{', '.join(settings.materials)}, {', '.join(f'{e:g}' for e in settings.energies_kev)} keV",
        weights=None if weights is None else weights.sha256,
    )


def _tiltings(folder: Path) -> Iterator[np.ndarray]:
    """How the surface tilts the emission by Monte Carlo, flat signals, shape (2, Y, X), patch by patch."""
    listed = terms(ORDER)
    rows = [listed.index((1, 1)), listed.index((1, -1))]
    for path in sorted(folder.glob("chunk-*.npz")):
        chunk = read_chunk(path)
        flats = flat_signal(chunk.conditions)
        for coefficients, flat in zip(chunk.coefficients, flats, strict=True):
            yield coefficients[0, rows].astype(np.float64) / flat


def _tilting_missed(error: torch.Tensor) -> np.ndarray:
    """What an engine misses of how a surface tilts the emission, shape (2, Y, X)."""
    return np.stack([error[terms(1).index((1, m))].double().numpy() for m in (1, -1)])


def _contrast(error: torch.Tensor, tilt: np.ndarray, curl: np.ndarray, tilting: np.ndarray) -> list[list[float]]:
    """Mean square of the relative error of the contrast of slopes in each bend band, less its noise."""
    rest = _tilting_missed(error)
    modelled = tilting - rest
    noise = 0.5 * float(np.square(np.diff(rest, axis=-1)).mean())
    size = (modelled**2).sum(0)
    column = np.digitize(curl, BENDS)
    out: list[list[float]] = []
    for band in range(len(BENDS) + 1):
        here = (column == band) & (tilt > _LEAST_TILT_DEG)
        power = float(size[here].sum())
        if int(here.sum()) < _FEWEST:
            out.append([])
            continue
        share = float((rest * modelled).sum(0)[here].sum()) / power
        out.append([share**2 - noise / power])
    return out


def _by_wave(error: torch.Tensor, tilting: np.ndarray, pitch: float) -> np.ndarray:
    """Of bands of waves, the product of what Monte Carlo and the engine show of slopes, and its own square."""
    rest = _tilting_missed(error)
    rows, columns = tilting.shape[-2:]
    window = _window(rows, columns)
    seen, modelled = (np.fft.fft2((x - x.mean((1, 2), keepdims=True)) * window) for x in (tilting, tilting - rest))
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None, :]) / pitch
    bands = np.digitize(1.0 / frequency.clip(1e-9), _WAVES)
    both, own = (seen * modelled.conj()).real.sum(0), np.square(np.abs(modelled)).sum(0)
    return np.array([[x[bands == i].sum() for i in range(1, len(_WAVES))] for x in (both, own)])


def _filled_contrast(found: list[list[float]]) -> tuple[float, ...]:
    """Root mean squares; a band without a figure takes that of the one before."""
    table: list[float] = []
    for squares in found:
        before = table[-1] if table else 0.0
        table.append(max(sum(squares) / len(squares), 0.0) ** 0.5 if squares else before)
    return tuple(round(v, 4) for v in table)


def _errors(
    data: TrainingData, weights: Weights | None, tiltings: Iterator[np.ndarray]
) -> Iterator[tuple[torch.Tensor, np.ndarray, np.ndarray, np.ndarray]]:
    """Deviations from Monte Carlo in flat signals (terms, Y, X), slope in degrees, bend, and tilting, by patch."""
    count = data.target.shape[1] // len(THRESHOLDS)
    for start in range(0, len(data.height), _BATCH):
        heights, conditions, target = data.batch(np.arange(start, min(start + _BATCH, len(data.height))))
        error = target[:, :count]
        if weights is not None:
            with torch.no_grad():
                found = weights.network(heights, conditions, data.pitch)[:, :count]
                error = error - without_border(found, data.halo)
        for one, height in zip(error, heights, strict=True):
            p, q = slopes(height, data.pitch)
            tilt = torch.rad2deg(torch.atan(torch.hypot(p, q)))
            inner_tilt, curl = (without_border(x, data.halo).numpy() for x in (tilt, bend(p, q, 1.0 / data.pitch)))
            yield one, inner_tilt, curl, next(tiltings)


def _neighbours(error: torch.Tensor, lag: int) -> torch.Tensor:
    """Mean of the products with the pixels a lag to the right and below, shape (terms, Y - lag, X - lag)."""
    here = error[:, :-lag, :-lag]
    return 0.5 * here * (error[:, lag:, :-lag] + error[:, :-lag, lag:])


def _along_the_wave(error: torch.Tensor) -> np.ndarray:
    """Power of the errors that tilt the emission, along the direction in which they vary, by frequency band.

    Only this part of an error of slopes sums up to heights: where facets of opposite slope err oppositely it has
    less power in long waves than the errors of single pixels let expect.
    """
    listed = terms(3)
    rows, columns = error.shape[-2:]
    window = _window(rows, columns)
    window /= np.sqrt((window**2).mean() * rows * columns)
    ky = -2.0 * np.pi * np.fft.fftfreq(rows)[:, None]  # y is up
    kx = 2.0 * np.pi * np.fft.fftfreq(columns)[None, :]
    frequency = np.hypot(ky, kx)
    total = np.zeros(frequency.shape)
    for n in (1, 3):
        x, y = (error[listed.index((n, m))].double().numpy() for m in (1, -1))
        x, y = (np.fft.fft2((part - part.mean()) * window) for part in (x, y))
        total += np.abs(kx * x + ky * y) ** 2 / np.where(frequency > 0, frequency, 1.0) ** 2
    bands = np.digitize(frequency, _BANDS)
    return np.array([total[bands == i].mean() for i in range(1, len(_BANDS))])


def _window(rows: int, columns: int) -> np.ndarray:
    """A Hann window in the plane that is nowhere zero."""
    return np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1])


def _length(spectrum: np.ndarray) -> float:
    """Length (pixels) of the exponential correlation in the plane whose spectrum fits best above the noise."""
    middle = 0.5 * (np.array(_BANDS[1:]) + np.array(_BANDS[:-1]))
    power = spectrum - spectrum[-2:].mean()
    misfits = []
    for length in _LENGTHS:
        shape = (1.0 + (middle * length) ** 2) ** -1.5
        shape = shape - shape[-2:].mean()
        misfits.append(np.square(power - shape * (shape @ power) / (shape @ shape)).sum())
    return float(_LENGTHS[int(np.argmin(misfits))])


def _together(error: torch.Tensor) -> np.ndarray:
    """Mean products of the errors of two polynomials in neighbouring pixels, shape (terms, terms)."""
    here = error[:, :-1, :-1].flatten(1).double()
    there = 0.5 * (error[:, 1:, :-1] + error[:, :-1, 1:]).flatten(1).double()
    products: np.ndarray = (here @ there.T / here.shape[1]).numpy()
    return 0.5 * (products + products.T)


def _isotropic(covariance: np.ndarray, order: int) -> np.ndarray:
    """Mean over all turns of the surface and its mirror images."""
    listed = terms(order)
    index = {term: i for i, term in enumerate(listed)}
    found = np.zeros_like(covariance)
    for (n, m), i in index.items():
        for (k, same), j in index.items():
            if same == m:
                found[i, j] = 0.5 * (covariance[i, j] + covariance[index[n, -m], index[k, -m]])
    return found


def _modes(covariance: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Independent errors whose covariance is this one, scaled to a trace of one; noise below zero is left out."""
    power, vectors = np.linalg.eigh(covariance)
    kept = power > _SMALLEST * power.max()
    modes = (vectors[:, kept] * np.sqrt(power[kept] / power[kept].sum())).T
    return tuple(tuple(float(round(v, 5)) for v in mode) for mode in modes)


def _filled(power: np.ndarray, count: np.ndarray, to_square: float) -> tuple[tuple[float, ...], ...]:
    """Mean squares; bands that tell none take over from less steep or less bent ones.

    Those are bands that hardly any pixel fell into, and those whose error is lost in the noise (below zero).
    """
    table = np.full(power.shape, np.nan)
    enough = (count >= _FEWEST) & (power > 0.0)
    table[enough] = power[enough] / count[enough] * to_square
    rows, columns = power.shape
    while np.isnan(table).any() and not np.isnan(table).all():
        for i, j in np.argwhere(np.isnan(table)).tolist():
            for a, b in ((i, j - 1), (i - 1, j), (i, j + 1), (i + 1, j)):
                if 0 <= a < rows and 0 <= b < columns and not np.isnan(table[a, b]):
                    table[i, j] = table[a, b]
                    break
    return tuple(tuple(float(round(v, 7)) for v in row) for row in table)
