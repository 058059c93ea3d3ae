"""Weighted least squares with Tukey's biweight: one fit shared by steps, facets and circles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import DomainError

# Usual tuning constant: 95 % efficiency for normal noise.
_TUKEY = 4.685


@dataclass(frozen=True)
class LinearFit:
    """``coefficients`` (P,), the final ``weights`` (N,), and the robust ``noise`` of the residuals (1 sigma)."""

    coefficients: np.ndarray
    weights: np.ndarray
    noise: float
    _inverse: np.ndarray

    def functional(self, design: np.ndarray, index: int) -> np.ndarray:
        """The vector v (N,) for which ``v @ z`` is coefficient ``index`` at the weights of the fit."""
        return (design @ self._inverse[index]) * self.weights


def robust_fit(design: np.ndarray, values: np.ndarray, *, robust: bool = True, iterations: int = 30) -> LinearFit:
    """Fit ``values ~ design @ coefficients``.

    Parameters
    ----------
    design : ndarray, shape (N, P)
        Columns should be of comparable size.
    values : ndarray, shape (N,)
        Finite.
    robust : bool
        Tukey's loss (reweighted from the least-squares start) or plain least squares.
    iterations : int
        At most so many reweightings.

    Returns
    -------
    LinearFit

    Raises
    ------
    DomainError
        If the points do not fix the coefficients.
    """
    weights = np.ones(values.size)
    coefficients, inverse = _solve(design, values, weights)
    residual = values - design @ coefficients
    noise = _spread(residual)
    for _ in range(iterations if robust else 0):
        # Below this the residuals are rounding, and weights made of them would be arbitrary.
        if noise <= 1e-12 * float(np.abs(values).max(initial=0.0)):
            break
        weights = np.clip(1.0 - (residual / (_TUKEY * noise)) ** 2, 0.0, None) ** 2
        moved, inverse = _solve(design, values, weights)
        residual = values - design @ moved
        noise = _spread(residual)
        change, coefficients = float(np.max(np.abs(moved - coefficients))), moved
        if change <= 1e-6 * noise:
            break
    return LinearFit(coefficients, weights, noise, inverse)


def _spread(residual: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(residual)))


def _solve(design: np.ndarray, values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weighted = design * weights[:, None]
    normal = weighted.T @ design
    if values.size < design.shape[1] or np.linalg.cond(normal) > 1e13:
        raise DomainError("The points do not fix the fit: mark longer or more regions on both levels.")
    inverse = np.linalg.inv(normal)
    return inverse @ (weighted.T @ values), inverse
