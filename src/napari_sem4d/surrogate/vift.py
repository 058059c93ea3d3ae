"""ViFT, the Vision Field Transformer: a height field in, the correction of its emission field out."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import gelu, layer_norm, pad

from napari_sem4d.acquisition.instrument import StrictModel
from napari_sem4d.surrogate.directions import terms, turned
from napari_sem4d.surrogate.inputs import PATCH, pixel_frames, pixel_inputs, relief, token_frames, token_inputs
from napari_sem4d.surrogate.symmetry import ELEMENTS, SIZE, Around, Embed, Lift, Lower, Mix, Spread, pairs_moved

_WINDOW = 4
"""Tokens along the edge of a window of queries."""
_BESIDE = 2
"""Tokens beyond a window's edge that its queries also see."""
MULTIPLE = PATCH * _WINDOW
"""Edges of the working grid are multiples of this."""


class Architecture(StrictModel):
    """Sizes of the network; there are eight copies of all channels, one for every turn and mirror image."""

    width: int = Field(12, ge=1, description="Channels of a token, of each copy")
    depth: int = Field(4, ge=1, description="Blocks")
    expansion: int = Field(2, ge=1, description="Hidden channels of a block over its width")
    pixel_width: int = Field(2, ge=1, description="Channels at full resolution, of each copy")
    head_width: int = Field(6, ge=1, description="Hidden channels of the head, of each copy")
    order: int = Field(4, ge=0, le=5, description="Highest radial order of the directions")
    thresholds: int = Field(2, ge=1, description="Detector thresholds that emission is given for")
    mixer: Literal["attention", "convolution"] = Field("attention", description="How tokens talk to one another")
    horizons: bool = Field(True, description="Whether relief and horizons beyond the token are seen")
    conditions: bool = Field(True, description="Whether yield, mean energy and probe are seen")
    bound: float = Field(1.5, gt=0, description="Largest correction of a coefficient, in flat signals")


class ViFT(nn.Module):
    """Correction of the local law with its bounce term by what the interaction volume does.

    Tokens of 4 x 4 working pixels; each block lets a window of 4 x 4 tokens attend to the 8 x 8 around it, so that
    cost is linear in the area and a shift by a window shifts the answer. Turns by 90 degrees and mirror images
    turn the answer exactly; a plane has exactly none, whatever its slope; an untrained network is plain physics.

    Parameters
    ----------
    architecture : Architecture
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.stem = Lift(pixel_frames(), a.pixel_width, 3)
        self.embed = Embed(a.pixel_width, a.width, PATCH)
        self.embed_token = Lift(token_frames(), a.width, 1)
        self.condition = nn.Sequential(nn.Linear(3, 32), nn.GELU(), nn.Linear(32, 2 * a.width * (a.depth + 1)))
        self.blocks = nn.ModuleList([_Block(a) for _ in range(a.depth)])
        self.spread = Spread(a.width, a.pixel_width, PATCH)
        self.around = Around(2 * a.pixel_width, 3)
        self.head = Mix(2 * a.pixel_width, a.head_width, bias=False)
        of_one = [turned(a.order, turns, mirrored) for turns, mirrored in ELEMENTS]
        self.lower = Lower(a.head_width, np.stack([np.kron(np.eye(a.thresholds), r) for r in of_one]))

    @property
    def coefficients(self) -> int:
        """Number of fields that the network gives."""
        return self.architecture.thresholds * len(terms(self.architecture.order))

    def forward(self, height: torch.Tensor, conditions: torch.Tensor, pitch: float) -> torch.Tensor:
        """Evaluate.

        Parameters
        ----------
        height : torch.Tensor, shape (B, Y, X)
            rho50; edges are multiples of 16.
        conditions : torch.Tensor, shape (B, 3)
            eta0, mean exit energy over E0, probe (full width at half maximum) in rho50.
        pitch : float
            Working pixel, rho50.

        Returns
        -------
        torch.Tensor, shape (B, thresholds x terms, Y, X)
            Change of the coefficients of the emission field, in units of the flat signal.
        """
        a = self.architecture
        pixels = gelu(self.stem(pixel_inputs(height, pitch)))
        tokens = self.embed(pixels)
        if a.horizons:
            tokens = tokens + self.embed_token(token_inputs(height, pitch))
        tokens = tokens.permute(0, 2, 3, 1)
        scaled = _scaled(conditions) if a.conditions else torch.zeros_like(conditions)
        film = self.condition(scaled)[:, None, None, :].chunk(a.depth + 1, dim=-1)
        for block, part in zip(self.blocks, film[:-1], strict=True):
            tokens = block(tokens, part)
        # Without relief there is nothing to correct: all that follows is linear or zero at zero.
        rough = relief(height)
        tokens = _film(layer_norm(tokens, tokens.shape[-1:]), film[-1]) * rough[..., None]
        pixels = pixels * rough.repeat_interleave(PATCH, 1).repeat_interleave(PATCH, 2)[:, None]
        joined = _joined(pixels, self.spread(tokens))
        joined = joined + self.around(joined)
        hidden = gelu(nn.functional.conv2d(joined, self.head.matrix()[:, :, None, None]))
        return a.bound * torch.tanh(self.lower(hidden) / a.bound)


class _Block(nn.Module):
    """Tokens look at one another, then each is changed on its own."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.mixer: nn.Module = _Attention(a.width) if a.mixer == "attention" else _Convolution(a.width)
        self.widen = Mix(a.width, a.expansion * a.width)
        self.narrow = Mix(a.expansion * a.width, a.width)

    def forward(self, tokens: torch.Tensor, film: torch.Tensor) -> torch.Tensor:
        tokens = tokens + self.mixer(_film(layer_norm(tokens, tokens.shape[-1:]), film))
        return tokens + self.narrow(gelu(self.widen(layer_norm(tokens, tokens.shape[-1:]))))


class _Attention(nn.Module):
    """Windows of queries attend to a larger window around them; every copy is a head of its own.

    Each pair of places has a learned bias, the same for all copies but turned with them.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries = Mix(width, width)
        self.keys = Mix(width, width, bias=False)
        self.values = Mix(width, width)
        self.out = Mix(width, width)
        seen = _WINDOW + 2 * _BESIDE
        self.bias = nn.Parameter(torch.zeros(_WINDOW, _WINDOW, seen, seen))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        batch, rows, columns, width = tokens.shape
        each = width // SIZE
        windows = (batch, rows // _WINDOW, columns // _WINDOW)
        split = self.queries(tokens).reshape(batch, windows[1], _WINDOW, windows[2], _WINDOW, SIZE, each)
        queries = split.permute(0, 1, 3, 5, 2, 4, 6).reshape(*windows, SIZE, _WINDOW**2, each)
        keys = _around(self.keys(tokens), windows, each)
        values = _around(self.values(tokens), windows, each)
        weights = torch.softmax(queries @ keys * each**-0.5 + pairs_moved(self.bias), dim=-1)
        mixed = weights @ values.transpose(-1, -2)
        mixed = mixed.reshape(*windows, SIZE, _WINDOW, _WINDOW, each).permute(0, 1, 4, 2, 5, 3, 6)
        return self.out(mixed.reshape(batch, rows, columns, width))


class _Convolution(nn.Module):
    """The mixer of the comparison: a depthwise convolution over about as many tokens as a query sees."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.around = Around(width, 7)
        self.out = Mix(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.around(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


def _around(tokens: torch.Tensor, windows: tuple[int, int, int], each: int) -> torch.Tensor:
    """Tokens in and around every window, shape (B, windows, windows, 8, each, tokens).

    Beyond the border there are zeros: the border lies within the surroundings that are cut off.
    """
    seen = _WINDOW + 2 * _BESIDE
    wide = pad(tokens, (0, 0, _BESIDE, _BESIDE, _BESIDE, _BESIDE))
    views = wide.unfold(1, seen, _WINDOW).unfold(2, seen, _WINDOW)
    return views.reshape(*windows, SIZE, each, seen**2)


def _joined(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Two sets of features as one (the copy is the slower index)."""
    a, b = (x.unflatten(1, (SIZE, -1)) for x in (one, other))
    return torch.cat([a, b], dim=2).flatten(1, 2)


def _film(tokens: torch.Tensor, film: torch.Tensor) -> torch.Tensor:
    """Scale and shift, the same for all copies."""
    scale, shift = film.chunk(2, dim=-1)
    copies = tokens.unflatten(-1, (SIZE, -1))
    return (copies * (1.0 + scale[..., None, :]) + shift[..., None, :]).flatten(-2)


def _scaled(conditions: torch.Tensor) -> torch.Tensor:
    """Conditions of order one."""
    eta0, energy, probe = conditions.unbind(-1)
    return torch.stack([4.0 * (eta0 - 0.3), 8.0 * (energy - 0.68), probe - 0.5], dim=-1)
