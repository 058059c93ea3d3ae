"""Horizons of a height map: rows of shifted copies along azimuths, and the grid that they are found on.

Every azimuth is a whole-pixel direction, so that a look along it is a shifted copy of the map: no interpolation,
and the copies along opposite azimuths mirror one another. Steps grow geometrically, so that the cost is linear in
the number of pixels but for a logarithm. Nothing is assumed about the surroundings of the map but that its mean
plane goes on far away: a plane then stays one, and no border pixel decides about a whole strip beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

_OCTANT = ((1, 0), (2, 1), (1, 1), (1, 2))
_GROWTH = 1.35


@dataclass(frozen=True)
class Azimuth:
    """A direction of looking.

    Attributes
    ----------
    right, up : int
        Pixels to the right and up of one step.
    """

    right: int
    up: int

    @property
    def length(self) -> float:
        """Length of one step, pixels."""
        return math.hypot(self.right, self.up)

    @property
    def radians(self) -> float:
        """Counter-clockwise from +x, in [0, 2 pi)."""
        return math.atan2(self.up, self.right) % (2 * math.pi)

    def along(self, slope_x: torch.Tensor, slope_y: torch.Tensor) -> torch.Tensor:
        """Slope along the azimuth from dh/dx and dh/dy (y up)."""
        return slope_x * (self.right / self.length) + slope_y * (self.up / self.length)


def azimuths(count: int) -> tuple[tuple[Azimuth, float], ...]:
    """Whole-pixel azimuths of a full turn with the width of each one's sector, rad.

    Parameters
    ----------
    count : {8, 16}
        Multiples of 45 degrees, or also the directions of a knight's move (26.6 and 63.4 degrees).
    """
    if count not in (8, 16):
        raise ValueError(f"{count} azimuths are not whole-pixel directions; 8 and 16 are")
    quadrant = _OCTANT[:: 16 // count]
    found = []
    for turn in range(4):
        for right, up in quadrant:
            for _ in range(turn):
                right, up = -up, right
            found.append(Azimuth(right, up))
    angles = np.array([a.radians for a in found])
    ahead = (np.roll(angles, -1) - angles) % (2 * np.pi)
    widths = 0.5 * (ahead + np.roll(ahead, 1))
    return tuple(zip(found, (float(w) for w in widths), strict=True))


def multiples(farthest: float) -> tuple[int, ...]:
    """Numbers of steps at which to look: 1, 2, 3, 4, then growing by a third, up to ``farthest``."""
    found = [1]
    while True:
        following = max(found[-1] + 1, round(found[-1] * _GROWTH))
        if following > farthest:
            return tuple(found)
        found.append(following)


def mean_slopes(height: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Slopes along x and y (up) of the least-squares plane of a map (1, 1), heights in pixels."""
    found = []
    for axis in (-1, -2):
        n = height.shape[axis]
        position = torch.arange(n, dtype=height.dtype, device=height.device) - 0.5 * (n - 1)
        other = height.mean(dim=-2 if axis == -1 else -1)
        rise = (other * position).sum() / position.square().sum().clamp(min=1.0)
        found.append(rise.reshape(1, 1))  # a tensor without axes would change its type in forward mode
    return found[0], -found[1]


@dataclass(frozen=True)
class Looks:
    """Where to look from every pixel of a map, and the margin that this needs.

    Attributes
    ----------
    shape : (int, int)
        Of the map, (Y, X).
    sectors : tuple of (Azimuth, float, tuple of int)
        Azimuth, its sector's width in rad, and the numbers of steps.
    """

    shape: tuple[int, int]
    sectors: tuple[tuple[Azimuth, float, tuple[int, ...]], ...]

    @classmethod
    def over(cls, shape: tuple[int, int], count: int, farthest: float) -> Looks:
        """Look along ``count`` azimuths up to a distance in pixels, but not farther than the map is long."""
        sectors = []
        for azimuth, width in azimuths(count):
            room = [(n - 1) / abs(s) for n, s in zip(shape, (azimuth.up, azimuth.right), strict=True) if s]
            most = min([farthest / azimuth.length, *room])
            sectors.append((azimuth, width, multiples(most) if most >= 1 else ()))
        return cls(shape, tuple(sectors))

    def extend(self, field: torch.Tensor, value: float) -> torch.Tensor:
        """Surround the last two axes of a field with a value, so that all looks can be taken."""
        rows, columns = self.margin
        return torch.nn.functional.pad(field, (columns, columns, rows, rows), value=value)

    @property
    def margin(self) -> tuple[int, int]:
        """Rows and columns of extension that all looks stay within."""
        rows = max(abs(a.up) * s[-1] if s else 0 for a, _, s in self.sectors)
        columns = max(abs(a.right) * s[-1] if s else 0 for a, _, s in self.sectors)
        return rows, columns

    def shifted(self, extended: torch.Tensor, azimuth: Azimuth, steps: int) -> torch.Tensor:
        """The extended field as seen ``steps`` steps along an azimuth from every pixel (a view)."""
        rows, columns = self.margin
        top, left = rows - azimuth.up * steps, columns + azimuth.right * steps
        return extended[..., top : top + self.shape[0], left : left + self.shape[1]]

    def groups(self, shares: torch.Tensor) -> Iterator[tuple[torch.Tensor, Azimuth, tuple[tuple[int, int], ...]]]:
        """Each sector's share, azimuth and looks, as (running number, steps); the pixel itself has 0 steps."""
        start = 0
        for share, (azimuth, _, steps) in zip(shares, self.sectors, strict=True):
            yield share, azimuth, tuple(enumerate((0, *steps), start))
            start += 1 + len(steps)


def rising(slope: torch.Tensor, horizon: torch.Tensor, soft: float) -> torch.Tensor:
    """Raise a horizon to a slope: ``max``, with the corner rounded over ``soft`` (all are tangents).

    The rounding leaves the horizon alone where the slope does not exceed it, so that planes stay exact, and
    makes the result continuously differentiable.
    """
    risen: torch.Tensor = _Rising.apply(slope, horizon, soft)
    return risen


class _Rising(torch.autograd.Function):
    """Keeps nothing but the slope's share of the derivative, between 0 and 1; the horizon has the rest."""

    @staticmethod
    def forward(slope: torch.Tensor, horizon: torch.Tensor, soft: float) -> torch.Tensor:
        above = torch.clamp(slope - horizon, min=0.0)
        inside = torch.clamp(above, max=soft)
        return horizon + above - inside + inside * inside * (0.5 / soft)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: torch.Tensor) -> None:
        slope, horizon, soft = inputs
        share = ((slope - horizon) / soft).clamp_(0.0, 1.0)
        ctx.save_for_backward(share)
        ctx.save_for_forward(share)

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        (share,) = ctx.saved_tensors
        to_slope = grad[0] * share
        return to_slope, grad[0] - to_slope, None

    @staticmethod
    def jvp(ctx: Any, d_slope: torch.Tensor, d_horizon: torch.Tensor, _: None) -> torch.Tensor:
        (share,) = ctx.saved_tensors
        return d_horizon + share * (d_slope - d_horizon)


class CoarseGrid:
    """A grid of ``factor`` pixels' pitch, centred on the map: averages to it, linear interpolation from it.

    Both are products with a matrix from either side; a plane is kept exactly by both. Averages are weighted by a
    tent, of at least three pixels: heights that alternate from pixel to pixel, which slopes do not feel, are
    left out.

    Parameters
    ----------
    shape : (int, int)
        Of the fine map.
    factor : float
        Pitch of the coarse grid in pixels, at least 1.
    """

    def __init__(
        self, shape: tuple[int, int], factor: float, dtype: torch.dtype, device: torch.device | str
    ) -> None:
        self.factor = factor
        self.shape = tuple(_nodes(n, factor) for n in shape)
        axes = [_resampling(n, factor) for n in shape]
        self._down = [torch.as_tensor(d, dtype=dtype, device=device) for d, _ in axes]
        self._up = [torch.as_tensor(u, dtype=dtype, device=device) for _, u in axes]

    def down(self, field: torch.Tensor) -> torch.Tensor:
        """Average a fine field (..., Y, X) around the coarse nodes."""
        return self._down[0] @ field @ self._down[1].T

    def up(self, field: torch.Tensor) -> torch.Tensor:
        """Interpolate a coarse field linearly, with linear continuation at the border."""
        return field if self.factor == 1 else self._up[0] @ field @ self._up[1].T


def _nodes(n: int, factor: float) -> int:
    """Nodes along an axis; a rounding error of the factor makes no further one."""
    return math.ceil(n / factor - 1e-6)


def _resampling(n: int, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Matrices (coarse, n) of tent averages and (n, coarse) of linear interpolation along one axis."""
    coarse = _nodes(n, factor)
    nodes = 0.5 * (n - 1) + factor * (np.arange(coarse) - 0.5 * (coarse - 1))
    half = max(factor, 2.0)
    # Nodes lie at most half a pitch outside; beyond its border the map goes on by point reflection.
    around = 2 * math.ceil(half)
    reach = np.arange(-around, n + around)
    tent = np.clip(1.0 - np.abs(nodes[:, None] - reach[None, :]) / half, 0.0, None)
    tent /= tent.sum(axis=1, keepdims=True)
    # A tent between pixels has its centre of gravity a little beside its node: planes would not stay exact.
    away = reach[None, :] - nodes[:, None]
    beside = (tent * away).sum(axis=1, keepdims=True)
    tent *= 1.0 - beside * (away - beside) / (tent * (away - beside) ** 2).sum(axis=1, keepdims=True)
    down = np.zeros((coarse, n))
    for column, position in zip(tent.T, reach.tolist(), strict=True):
        if position < 0:
            down[:, 0] += 2 * column
            down[:, min(-position, n - 1)] -= column
        elif position >= n:
            down[:, n - 1] += 2 * column
            down[:, max(2 * (n - 1) - position, 0)] -= column
        else:
            down[:, position] += column
    if coarse == 1:
        return down, np.ones((n, 1))
    place = (np.arange(n) - nodes[0]) / factor
    cell = np.clip(np.floor(place).astype(int), 0, coarse - 2)
    up = np.zeros((n, coarse))
    up[np.arange(n), cell] = 1.0 - (place - cell)
    up[np.arange(n), cell + 1] = place - cell
    return down, up
