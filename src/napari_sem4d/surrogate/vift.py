"""ViFT, the Vision Field Transformer: a height field in, the correction of its emission field out."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import layer_norm, pad

from napari_sem4d.acquisition.instrument import StrictModel
from napari_sem4d.surrogate.directions import terms, turned
from napari_sem4d.surrogate.inputs import (
    CELL,
    PATCH,
    cell_frames,
    elevation_frames,
    elevations,
    pixel_frames,
    seen,
    token_frames,
)
from napari_sem4d.surrogate.lean import even, filmed_gelu, perceptron
from napari_sem4d.surrogate.symmetry import ELEMENTS, SIZE, Around, Convolve, Lift, Lower, Mix, Spread, pairs_moved
from napari_sem4d.surrogate.windows import REACH, WINDOW, attend

_STEM = 6
"""Working pixels along the edge of what a cell is made from."""
MULTIPLE = PATCH * WINDOW
"""Edges of the working grid are multiples of this."""


class Architecture(StrictModel):
    """Sizes of the network; there are eight copies of all channels, one for every turn and mirror image."""

    width: int = Field(20, ge=1, description="Channels of a token, of each copy")
    depth: int = Field(1, ge=1, description="Blocks of tokens")
    expansion: int = Field(2, ge=1, description="Hidden channels of a token's block over its width")
    cell_width: int = Field(8, ge=1, description="Channels of a cell of 2 x 2 working pixels, of each copy")
    cell_depth: tuple[int, int] = Field((1, 2), description="Blocks of cells before and after those of tokens")
    head_width: int = Field(24, ge=1, description="Hidden channels of the head, of each copy")
    order: int = Field(5, ge=0, le=5, description="Highest radial order of the directions")
    thresholds: int = Field(2, ge=1, description="Detector thresholds that emission is given for")
    mixer: Literal["attention", "convolution"] = Field("attention", description="How tokens talk to one another")
    horizons: bool = Field(True, description="Whether horizons, and relief beyond the token, are seen")
    elevations: bool = Field(True, description="Whether cells see how the surface rises and falls close by")
    conditions: bool = Field(True, description="Whether yield, mean energy and probe are seen")
    bound: float = Field(1.5, gt=0, description="Largest correction of a coefficient, in flat signals")

    @classmethod
    def written(cls, sizes: dict[str, Any]) -> Architecture:
        """Sizes as a file of weights or a checkpoint keeps them: earlier versions saw no elevations."""
        return cls.model_validate({"elevations": False, **sizes})


class ViFT(nn.Module):
    """Correction of the local law with its bounce term by what the interaction volume does.

    Convolutions over cells of 2 x 2 working pixels (1 rho50) carry what happens at edges; tokens of 4 x 4 working
    pixels attend to the windows around them, which are shifted from block to block, so that cost is linear in the
    area. Turns by 90 degrees and mirror images turn the answer exactly; a plane has exactly none, whatever its
    slope; an untrained network is plain physics.

    Parameters
    ----------
    architecture : Architecture
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        before, after = a.cell_depth
        self.stem = Lift(pixel_frames(), a.cell_width, _STEM, CELL)
        self.stem_horizons = Lift(cell_frames(), a.cell_width, 3)
        nn.init.zeros_(self.stem_horizons.weight)
        if a.elevations:
            self.stem_elevations = Lift(elevation_frames(), a.cell_width, 3)
            nn.init.zeros_(self.stem_elevations.weight)
        self.embed = Convolve(a.cell_width, a.width, PATCH // CELL, PATCH // CELL)
        self.embed_token = Lift(token_frames(), a.width, 1)
        self._parts = [2 * a.cell_width] * (before + after) + [2 * a.width] * a.depth
        self.condition = nn.Sequential(nn.Linear(3, 32), nn.GELU(), nn.Linear(32, sum(self._parts)))
        self.before = nn.ModuleList([_CellBlock(a.cell_width) for _ in range(before)])
        self.blocks = nn.ModuleList([_TokenBlock(a, shifted=bool(n % 2)) for n in range(a.depth)])
        self.spread = Spread(a.width, a.cell_width, PATCH // CELL)
        self.after = nn.ModuleList([_CellBlock(a.cell_width) for _ in range(after)])
        self.head = Convolve(a.cell_width, a.head_width, 1, bias=False)
        of_one = [turned(a.order, turns, mirrored) for turns, mirrored in ELEMENTS]
        self.lower = Lower(a.head_width, np.stack([np.kron(np.eye(a.thresholds), r) for r in of_one]), CELL)

    @property
    def coefficients(self) -> int:
        """Number of fields that the network gives."""
        return self.architecture.thresholds * len(terms(self.architecture.order))

    def forward(
        self, height: torch.Tensor, conditions: torch.Tensor, pitch: float, mixing: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Evaluate.

        Parameters
        ----------
        height : torch.Tensor, shape (B, Y, X)
            rho50; edges are multiples of 16.
        conditions : torch.Tensor, shape (B, 3)
            eta0, mean exit energy over E0, probe (full width at half maximum) in rho50.
        pitch : float
            Working pixel, rho50.
        mixing : torch.Tensor, shape (K, F), optional
            What K detectors make of the coefficients. With fewer than all, F are those of the lowest thresholds.

        Returns
        -------
        torch.Tensor, shape (B, thresholds x terms, Y, X) or (B, K, Y, X)
            Change of the coefficients of the emission field, in units of the flat signal; or what the detectors
            make of it.

        Raises
        ------
        ValueError
            If the mixing takes a part of a threshold's coefficients.
        """
        a = self.architecture
        surface = seen(height, pitch)
        scaled = _scaled(conditions) if a.conditions else torch.zeros_like(conditions)
        films = iter(self.condition(scaled).split(self._parts, dim=-1))
        cells = self.stem(surface.pixels)
        if a.horizons:
            cells = cells + self.stem_horizons(surface.cells)
        if a.elevations:
            cells = cells + self.stem_elevations(elevations(height, pitch))
        for block in self.before:
            cells = block(cells, next(films))
        tokens = self.embed(_even(cells))
        if a.horizons:
            tokens = tokens + self.embed_token(surface.tokens)
        of_cells = [next(films) for _ in self.after]
        for block in self.blocks:
            tokens = block(tokens, next(films))
        cells = cells + self.spread(_normal(tokens))
        for block, film in zip(self.after, of_cells, strict=True):
            cells = block(cells, film)
        fields = self.coefficients if mixing is None else mixing.shape[1]
        if fields % len(terms(a.order)):
            raise ValueError(f"a mixing takes all {len(terms(a.order))} coefficients of a threshold, not {fields}")
        hidden = self.head.kernels()[:, :, 0, 0]
        found = perceptron(_even(cells), hidden, self.lower.matrix(fields))
        # Without relief there is nothing to correct.
        each = PATCH // CELL
        relief = surface.relief.repeat_interleave(each, 1).repeat_interleave(each, 2)[..., None]
        found = a.bound * torch.tanh(found * (relief / a.bound))
        return self.lower.patches(found if mixing is None else self.lower.mixed(found, mixing))


class _CellBlock(nn.Module):
    """Two convolutions over neighbouring cells, beside the cells themselves."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Convolve(width, width, 3)
        self.second = Convolve(width, width, 3)

    def forward(self, cells: torch.Tensor, film: torch.Tensor) -> torch.Tensor:
        return cells + self.second(filmed_gelu(self.first(_even(cells)), *_film(film)))


class _TokenBlock(nn.Module):
    """Tokens look at one another, then each is changed on its own."""

    def __init__(self, a: Architecture, shifted: bool) -> None:
        super().__init__()
        self.mixer: nn.Module = _Attention(a.width, shifted) if a.mixer == "attention" else _Convolution(a.width)
        self.widen = Mix(a.width, a.expansion * a.width)
        self.narrow = Mix(a.expansion * a.width, a.width)

    def forward(self, tokens: torch.Tensor, film: torch.Tensor) -> torch.Tensor:
        tokens = tokens + self.mixer(_filmed(_normal(tokens), film))
        offsets = self.widen.offsets(), self.narrow.offsets()
        return tokens + perceptron(_normal(tokens), self.widen.matrix(), self.narrow.matrix(), *offsets)


class _Attention(nn.Module):
    """Windows of queries attend to a larger window around them; every copy is a head of its own.

    Each pair of places has a learned bias, the same for all copies but turned with them. Windows that are shifted
    lie half a window further, on both sides of the border, so that turns stay exact.
    """

    def __init__(self, width: int, shifted: bool) -> None:
        super().__init__()
        self.queries = Mix(width, width)
        self.keys = Mix(width, width, bias=False)
        self.values = Mix(width, width)
        self.out = Mix(width, width)
        self.bias = nn.Parameter(torch.zeros(WINDOW, WINDOW, REACH, REACH))
        self._shift = WINDOW // 2 if shifted else 0

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        shift = self._shift
        queries, keys, values = (m(tokens) for m in (self.queries, self.keys, self.values))
        if shift:
            queries, keys, values = (pad(x, (0, 0, shift, shift, shift, shift)) for x in (queries, keys, values))
        mixed = attend(queries, keys, values, pairs_moved(self.bias))
        rows, columns = mixed.shape[1:3]
        return self.out(mixed[:, shift : rows - shift, shift : columns - shift])


class _Convolution(nn.Module):
    """The mixer of the comparison: a depthwise convolution over about as many tokens as a query sees."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.around = Around(width, 7)
        self.out = Mix(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.around(tokens))


def _film(film: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift of all channels (B, 8 channels) each, from those of one copy (B, 2 channels)."""
    scale, shift = film.chunk(2, dim=-1)
    return 1.0 + scale.repeat(1, SIZE), shift.repeat(1, SIZE)


def _filmed(features: torch.Tensor, film: torch.Tensor) -> torch.Tensor:
    """Features (B, Y, X, 8 channels) scaled and shifted by the conditions (B, 2 channels), all copies alike."""
    scale, shift = (x[:, None, None] for x in _film(film))
    return torch.addcmul(shift, features, scale)


def _even(cells: torch.Tensor) -> torch.Tensor:
    """Features of root mean square 1 in every place."""
    return even(cells, 1e-4)


def _normal(tokens: torch.Tensor) -> torch.Tensor:
    """Features of mean 0 and variance 1 in every place."""
    return layer_norm(tokens, tokens.shape[-1:], eps=1e-5)


def _scaled(conditions: torch.Tensor) -> torch.Tensor:
    """Conditions of order one."""
    eta0, energy, probe = conditions.unbind(-1)
    return torch.stack([4.0 * (eta0 - 0.3), 8.0 * (energy - 0.68), probe - 0.5], dim=-1)
