"""What ViFT sees of a surface: normals, relief against its neighbourhood, horizons; never an absolute height.

All lengths are in rho50. A plane gives the same inputs wherever it lies, so that no optimiser can use an offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, conv2d

from napari_sem4d.frames import slopes
from napari_sem4d.physics.horizon import Azimuth, azimuths, multiples, rising
from napari_sem4d.surrogate.symmetry import ELEMENTS, matrix

PATCH = 4
"""Working pixels along the edge of a token."""
CELL = 2
"""Working pixels along the edge of a cell."""
_AZIMUTHS = 8
_BANDS = (1.0, 2.0, 4.0)
"""Standard deviations of the smoothing that heights are taken against, tokens."""
_FARTHEST = {CELL: 16, PATCH: 12}
"""Cells and tokens that a horizon is looked for in; what is beyond is the bounce term's, which has no length."""
_STEPS = (1, 2, 4)
"""Cells away at which the surface's elevation is seen: what an electron meets on its way through the material."""
_SOFT = 0.05
_ROUGH, _SMOOTH = 0.05, 1e-3
"""Relief at which half of a correction acts, and below which it vanishes, rho50."""
_NOWHERE = -1e4


def without_border(field: torch.Tensor, border: int) -> torch.Tensor:
    """A field (..., Y, X) without some pixels on every side."""
    rows, columns = field.shape[-2:]
    return field[..., border : rows - border, border : columns - border]


def extend(field: torch.Tensor, before: int, after: int, axis: int) -> torch.Tensor:
    """Continue a field beyond its borders by point reflection about the border's value (planes stay planes)."""
    n = field.shape[axis]

    def mirrored(start: int, count: int, border: int) -> torch.Tensor:
        part = field.narrow(axis, start, count).flip(axis)
        return 2.0 * field.narrow(axis, border, 1) - part

    parts = [field]
    if before:
        parts.insert(0, mirrored(1, before, 0))
    if after:
        parts.append(mirrored(n - 1 - after, after, n - 1))
    return torch.cat(parts, dim=axis) if len(parts) > 1 else field


@dataclass(frozen=True)
class Seen:
    """What the network sees of surfaces.

    Attributes
    ----------
    pixels : torch.Tensor, shape (B, 4, Y, X)
        The surface normal's three components and the height above its close neighbourhood.
    cells : torch.Tensor, shape (B, 8, Y / CELL, X / CELL)
        The horizon close by in eight azimuths: where shadows end.
    tokens : torch.Tensor, shape (B, 11, Y / PATCH, X / PATCH)
        Bands of height and the horizon in eight azimuths.
    relief : torch.Tensor, shape (B, Y / PATCH, X / PATCH)
        How far a surface is from a plane around every token: 0 for a plane, 1 for any relief of note.
    """

    pixels: torch.Tensor
    cells: torch.Tensor
    tokens: torch.Tensor
    relief: torch.Tensor


def seen(height: torch.Tensor, pitch: float) -> Seen:
    """Work out what the network sees.

    Parameters
    ----------
    height : torch.Tensor, shape (B, Y, X)
        rho50.
    pitch : float
        Working pixel, rho50.
    """
    p, q = slopes(height, pitch)
    upwards = torch.rsqrt(1.0 + p * p + q * q)
    above = height - _smooth(height, 1.5)
    pixels = torch.stack([-p * upwards, -q * upwards, upwards, torch.asinh(2.0 * above)], dim=1)
    cells = torch.stack(_horizons(height, CELL, pitch), dim=1)
    mean = _means(height, PATCH)
    unit = PATCH * pitch
    bands = [mean - _smooth(mean, s) for s in _BANDS]
    scaled = [torch.asinh(band / (s * unit)) for band, s in zip(bands, _BANDS, strict=True)]
    tokens = torch.stack([*scaled, *_horizons(height, PATCH, pitch)], dim=1)
    power = _means(above.square(), PATCH)
    for band in bands:
        power = power + band.square()
    size = (power + _SMOOTH**2).sqrt() - _SMOOTH
    return Seen(pixels, cells, tokens, size / (size + _ROUGH))


def elevations(height: torch.Tensor, pitch: float) -> torch.Tensor:
    """How far the surface 1, 2 and 4 cells away lies above or below a cell, in eight azimuths.

    Parameters
    ----------
    height : torch.Tensor, shape (B, Y, X)
        rho50.
    pitch : float
        Working pixel, rho50.

    Returns
    -------
    torch.Tensor, shape (B, 24, Y / CELL, X / CELL)
        Sines of elevations, negative where the surface falls; distance by distance.
    """
    height = _means(height, CELL) / (CELL * pitch)
    rows, columns = height.shape[-2:]
    margin = max(_STEPS)
    wide = _widened(_widened(height, margin, -1), margin, -2)
    found = []
    for n in _STEPS:
        for azimuth, _ in azimuths(_AZIMUTHS):
            rise = (_shifted(wide, azimuth, n, margin, rows, columns) - height) / (n * azimuth.length)
            found.append(rise * torch.rsqrt(1.0 + rise * rise))
    return torch.stack(found, dim=1)


def _means(field: torch.Tensor, edge: int) -> torch.Tensor:
    return avg_pool2d(field[:, None], edge)[:, 0]


def pixel_frames() -> np.ndarray:
    """What ``Seen.pixels`` become in the frame of every turn and mirror image, shape (8, 4, 4)."""
    frames = np.zeros((len(ELEMENTS), 4, 4))
    for frame, element in zip(frames, ELEMENTS, strict=True):
        frame[:2, :2] = matrix(element).T
        frame[2, 2] = frame[3, 3] = 1.0
    return frames


def cell_frames() -> np.ndarray:
    """What ``Seen.cells`` become in the frame of every turn and mirror image, shape (8, 8, 8)."""
    return _frames_of(0)


def elevation_frames() -> np.ndarray:
    """What :func:`elevations` become in the frame of every turn and mirror image, shape (8, 24, 24)."""
    return np.stack([np.kron(np.eye(len(_STEPS)), frame) for frame in _frames_of(0)])


def token_frames() -> np.ndarray:
    """What ``Seen.tokens`` become in the frame of every turn and mirror image, shape (8, 11, 11)."""
    return _frames_of(len(_BANDS))


def _frames_of(bands: int) -> np.ndarray:
    """Frames of fields that have no direction, followed by one for every azimuth."""
    found = [a for a, _ in azimuths(_AZIMUTHS)]
    numbers = {(a.right, a.up): i for i, a in enumerate(found)}
    frames = np.zeros((len(ELEMENTS), bands + _AZIMUTHS, bands + _AZIMUTHS))
    for frame, element in zip(frames, ELEMENTS, strict=True):
        frame[:bands, :bands] = np.eye(bands)
        for i, a in enumerate(found):
            right, up = matrix(element) @ (a.right, a.up)
            frame[bands + i, bands + numbers[int(right), int(up)]] = 1.0
    return frames


def _horizons(height: torch.Tensor, edge: int, pitch: float) -> list[torch.Tensor]:
    """Sine of the horizon's elevation in eight azimuths, over means of squares of some working pixels."""
    height = _means(height, edge) / (edge * pitch)
    p, q = slopes(height, 1.0)
    rows, columns = height.shape[-2:]
    margin = _FARTHEST[edge]
    far = torch.nn.functional.pad(height, (margin,) * 4, value=_NOWHERE)
    found = []
    for azimuth, _ in azimuths(_AZIMUTHS):
        horizon = azimuth.along(p, q)
        for n in multiples(margin):
            there = _shifted(far, azimuth, n, margin, rows, columns)
            horizon = rising((there - height) / (n * azimuth.length), horizon, _SOFT)
        found.append(horizon * torch.rsqrt(1.0 + horizon * horizon))
    return found


def _shifted(
    field: torch.Tensor, azimuth: Azimuth, steps: int, margin: int, rows: int, columns: int
) -> torch.Tensor:
    top, left = margin - azimuth.up * steps, margin + azimuth.right * steps
    return field[..., top : top + rows, left : left + columns]


def _smooth(height: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian smoothing (B, Y, X), separable, beyond the border by point reflection."""
    kernel = _kernel(sigma).to(height)
    reach = kernel.numel() // 2
    for axis in (-1, -2):
        wide = _widened(height, reach, axis)
        shape = (1, 1, 1, -1) if axis == -1 else (1, 1, -1, 1)
        height = conv2d(wide[:, None], kernel.reshape(shape))[:, 0]
    return height


def _widened(field: torch.Tensor, reach: int, axis: int) -> torch.Tensor:
    """Continue a field (B, Y, X) on both sides of an axis; narrow maps repeat their last mirrored value."""
    least = min(reach, field.shape[axis] - 1)
    wide = extend(field, least, least, axis)
    if least < reach:
        rest = [0, 0, reach - least, reach - least] if axis == -2 else [reach - least, reach - least, 0, 0]
        wide = torch.nn.functional.pad(wide[:, None], rest, mode="replicate")[:, 0]
    return wide


@lru_cache(maxsize=8)
def _kernel(sigma: float) -> torch.Tensor:
    reach = max(1, round(2.5 * sigma))
    at = torch.arange(-reach, reach + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    return kernel / kernel.sum()
