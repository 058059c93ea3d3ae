"""The probe: a Gaussian spot that every signal is blurred with."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

FWHM_PER_SIGMA = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))
"""Full width at half maximum of a Gaussian over its standard deviation."""


def blur(field: torch.Tensor, probe_px: float) -> torch.Tensor:
    """What a probe of a width makes of a field; a symmetric operator, mirrored at the border.

    Parameters
    ----------
    field : torch.Tensor, shape (..., Y, X)
    probe_px : float
        Full width at half maximum, pixels; 0 leaves the field alone.
    """
    if probe_px <= 0.0:
        return field
    sigma = probe_px / FWHM_PER_SIGMA
    for axis in (-1, -2):
        n = field.shape[axis]
        field = torch.movedim(torch.movedim(field, axis, -1) @ _blur_matrix(n, sigma).to(field).T, -1, axis)
    return field


def blur_reach(probe_px: float) -> int:
    """Pixels on every side that :func:`blur` draws on."""
    return max(1, int(np.ceil(4.0 * probe_px / FWHM_PER_SIGMA))) if probe_px > 0.0 else 0


@lru_cache(maxsize=8)
def _blur_matrix(n: int, sigma: float) -> torch.Tensor:
    """Symmetric matrix of a Gaussian blur whose weights beyond the border fold back."""
    reach = blur_reach(sigma * FWHM_PER_SIGMA)
    at = np.arange(-reach, reach + 1)
    # The mean of the Gaussian over a pixel, so that narrow probes keep their width.
    edges = torch.special.ndtr(torch.as_tensor(np.append(at - 0.5, reach + 0.5) / sigma)).numpy()
    kernel = np.diff(edges)
    kernel /= kernel.sum()
    matrix = np.zeros((n, n))
    for offset, weight in zip(at, kernel, strict=True):
        there = np.arange(n) + offset
        there = np.where(there < 0, -1 - there, np.where(there >= n, 2 * n - 1 - there, there))
        matrix[np.arange(n), np.clip(there, 0, n - 1)] += weight
    return torch.as_tensor(matrix)
