"""Random relief as a sum of plane waves: smooth, without a period, known at any place."""

from __future__ import annotations

import numpy as np


class Waves:
    """A Gaussian-like random relief with rms 1.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : int
        Waves; their directions are spread evenly over the circle.
    lengths_nm : (float, float)
        Shortest and longest wavelength, nm; drawn evenly in their logarithm.
    """

    def __init__(self, rng: np.random.Generator, count: int, lengths_nm: tuple[float, float]) -> None:
        k = 2.0 * np.pi / np.exp(rng.uniform(np.log(lengths_nm[0]), np.log(lengths_nm[1]), count))
        direction = np.pi * (np.arange(count) + rng.uniform(0.0, 1.0, count)) / count
        self._kx, self._ky = k * np.cos(direction), k * np.sin(direction)
        self._phase = rng.uniform(0.0, 2.0 * np.pi, count)

    def at(self, x_nm: np.ndarray, y_nm: np.ndarray) -> np.ndarray:
        """Relief at places, in units of its rms."""
        total = np.zeros(np.broadcast_shapes(np.shape(x_nm), np.shape(y_nm)))
        for kx, ky, phase in zip(self._kx, self._ky, self._phase, strict=True):
            total += np.cos(kx * x_nm + ky * y_nm + phase)
        return total * np.sqrt(2.0 / len(self._phase))
