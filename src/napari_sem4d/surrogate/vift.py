"""ViFT, the Vision Field Transformer: a height field in, the correction of its emission field out."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import pad, pixel_shuffle

from napari_sem4d.acquisition.instrument import StrictModel
from napari_sem4d.surrogate.directions import terms
from napari_sem4d.surrogate.inputs import PATCH, PIXEL_CHANNELS, TOKEN_CHANNELS, pixel_inputs, token_inputs

_WINDOW = 4
"""Tokens along the edge of a window of queries."""
_BESIDE = 2
"""Tokens beyond a window's edge that its queries also see."""
MULTIPLE = PATCH * _WINDOW
"""Edges of the working grid are multiples of this."""


class Architecture(StrictModel):
    """Sizes of the network."""

    width: int = Field(96, ge=8, description="Channels of a token")
    depth: int = Field(4, ge=1, description="Blocks")
    heads: int = Field(4, ge=1, description="Heads of attention")
    expansion: int = Field(2, ge=1, description="Hidden channels of a block over its width")
    pixel_width: int = Field(16, ge=4, description="Channels at full resolution")
    order: int = Field(4, ge=0, le=5, description="Highest radial order of the directions")
    thresholds: int = Field(2, ge=1, description="Detector thresholds that emission is given for")
    mixer: Literal["attention", "convolution"] = Field("attention", description="How tokens talk to one another")
    horizons: bool = Field(True, description="Whether relief and horizons beyond the token are seen")
    conditions: bool = Field(True, description="Whether yield, mean energy and probe are seen")
    bound: float = Field(1.5, gt=0, description="Largest correction of a coefficient, in flat signals")


class ViFT(nn.Module):
    """Correction of the local law with its bounce term by what the interaction volume does.

    Tokens of 4 x 4 working pixels; each block lets a window of 4 x 4 tokens attend to the 8 x 8 around it, so that
    cost is linear in the area and a shift by a window shifts the answer. The last layer starts at zero: an
    untrained network is plain physics.

    Parameters
    ----------
    architecture : Architecture
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.coefficients = a.thresholds * len(terms(a.order))
        self.stem = nn.Sequential(
            nn.Conv2d(PIXEL_CHANNELS, a.pixel_width, 3, padding=1, padding_mode="replicate"),
            nn.GELU(),
        )
        self.embed = nn.Conv2d(a.pixel_width, a.width, PATCH, stride=PATCH)
        self.embed_token = nn.Conv2d(TOKEN_CHANNELS, a.width, 1)
        self.condition = nn.Sequential(nn.Linear(3, 64), nn.GELU(), nn.Linear(64, 2 * a.width * (a.depth + 1)))
        self.blocks = nn.ModuleList([_Block(a) for _ in range(a.depth)])
        self.norm = nn.LayerNorm(a.width, elementwise_affine=False)
        self.spread = nn.Linear(a.width, a.pixel_width * PATCH**2)
        joined = 2 * a.pixel_width
        self.around = nn.Conv2d(joined, joined, 3, padding=1, padding_mode="replicate", groups=joined)
        last = nn.Conv2d(48, self.coefficients, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias if last.bias is not None else last.weight)
        self.head = nn.Sequential(nn.Conv2d(joined, 48, 1), nn.GELU(), last)

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
        pixels = self.stem(pixel_inputs(height, pitch))
        tokens = self.embed(pixels)
        if a.horizons:
            tokens = tokens + self.embed_token(token_inputs(height, pitch))
        tokens = tokens.permute(0, 2, 3, 1)
        scaled = _scaled(conditions) if a.conditions else torch.zeros_like(conditions)
        film = self.condition(scaled)[:, None, None, :].chunk(a.depth + 1, dim=-1)
        for block, part in zip(self.blocks, film[:-1], strict=True):
            tokens = block(tokens, part)
        tokens = _film(self.norm(tokens), film[-1])
        spread = pixel_shuffle(self.spread(tokens).permute(0, 3, 1, 2), PATCH)
        joined = torch.cat([pixels, spread], dim=1)
        raw = self.head(joined + self.around(joined))
        return a.bound * torch.tanh(raw / a.bound)


class _Block(nn.Module):
    """Tokens look at one another, then each is changed on its own."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.first = nn.LayerNorm(a.width, elementwise_affine=False)
        self.mixer: nn.Module = _Attention(a.width, a.heads) if a.mixer == "attention" else _Convolution(a.width)
        self.second = nn.LayerNorm(a.width)
        self.mlp = nn.Sequential(
            nn.Linear(a.width, a.expansion * a.width), nn.GELU(), nn.Linear(a.expansion * a.width, a.width)
        )

    def forward(self, tokens: torch.Tensor, film: torch.Tensor) -> torch.Tensor:
        tokens = tokens + self.mixer(_film(self.first(tokens), film))
        return tokens + self.mlp(self.second(tokens))


class _Attention(nn.Module):
    """Windows of queries attend to a larger window around them, with a learned bias for every pair of places."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Linear(width, width)
        self.others = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(heads, _WINDOW**2, (_WINDOW + 2 * _BESIDE) ** 2))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        batch, rows, columns, width = tokens.shape
        each = width // self.heads
        windows = (batch, rows // _WINDOW, columns // _WINDOW)
        split = self.queries(tokens).reshape(batch, windows[1], _WINDOW, windows[2], _WINDOW, self.heads, each)
        queries = split.permute(0, 1, 3, 5, 2, 4, 6).reshape(*windows, self.heads, _WINDOW**2, each)
        seen = _WINDOW + 2 * _BESIDE
        # Beyond the border there are zeros: the border lies within the surroundings that are cut off.
        around = pad(self.others(tokens), (0, 0, _BESIDE, _BESIDE, _BESIDE, _BESIDE))
        views = around.unfold(1, seen, _WINDOW).unfold(2, seen, _WINDOW)
        views = views.reshape(*windows, 2, self.heads, each, seen**2)
        keys, values = views[:, :, :, 0], views[:, :, :, 1]
        weights = torch.softmax(queries @ keys * each**-0.5 + self.bias, dim=-1)
        mixed = weights @ values.transpose(-1, -2)
        mixed = mixed.reshape(*windows, self.heads, _WINDOW, _WINDOW, each).permute(0, 1, 4, 2, 5, 3, 6)
        return self.out(mixed.reshape(batch, rows, columns, width))


class _Convolution(nn.Module):
    """The mixer of the comparison: a depthwise convolution over as many tokens as a query of a window sees."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.around(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


def _film(tokens: torch.Tensor, film: torch.Tensor) -> torch.Tensor:
    scale, shift = film.chunk(2, dim=-1)
    return tokens * (1.0 + scale) + shift


def _scaled(conditions: torch.Tensor) -> torch.Tensor:
    """Conditions of order one."""
    eta0, energy, probe = conditions.unbind(-1)
    return torch.stack([4.0 * (eta0 - 0.3), 8.0 * (energy - 0.68), probe - 0.5], dim=-1)
