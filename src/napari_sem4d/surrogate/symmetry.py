"""The eight turns and mirror images of a square, and layers that commute with them.

Features carry one copy of their channels for every element of the group (the regular representation): turning the
image turns the maps and permutes the copies. After Cohen & Welling, Group equivariant convolutional networks,
ICML 2016. Channels are ordered (element, channel).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.nn.functional import conv2d, linear, pad, pixel_shuffle

ELEMENTS = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))
"""Quarter turns counter-clockwise on the screen, after a mirror image left to right where the second says so."""
SIZE = len(ELEMENTS)


def matrix(element: tuple[int, bool]) -> np.ndarray:
    """What an element does to a vector (x, y up)."""
    turns, mirrored = element
    c, s = round(math.cos(turns * math.pi / 2)), round(math.sin(turns * math.pi / 2))
    turned = np.array([[c, -s], [s, c]])
    return turned @ np.diag([-1, 1]) if mirrored else turned


def _find(wanted: np.ndarray) -> int:
    return next(i for i, e in enumerate(ELEMENTS) if np.array_equal(matrix(e), wanted))


@lru_cache(maxsize=1)
def relative() -> list[list[int]]:
    """Number of ``g^-1 h`` for every pair of elements."""
    return [[_find(matrix(g).T @ matrix(h)) for h in ELEMENTS] for g in ELEMENTS]


def moved(field: torch.Tensor, element: tuple[int, bool]) -> torch.Tensor:
    """An image (last two axes) after an element's turn."""
    turns, mirrored = element
    return torch.rot90(field.flip(-1) if mirrored else field, turns, (-2, -1))


def _weight(*shape: int, inputs: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(*shape).uniform_(-1.0, 1.0) / math.sqrt(inputs))


class Lift(nn.Module):
    """From plain fields to features: a convolution in the frame of every element.

    Parameters
    ----------
    frames : numpy.ndarray, shape (8, C, C)
        What the input channels become in the frame of every element.
    channels : int
        Of one copy.
    kernel : int
    """

    frames: torch.Tensor

    def __init__(self, frames: np.ndarray, channels: int, kernel: int) -> None:
        super().__init__()
        self.register_buffer("frames", torch.as_tensor(frames, dtype=torch.float32), persistent=False)
        count = frames.shape[1]
        self.weight = _weight(channels, count, kernel, kernel, inputs=count * kernel**2)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, fields: torch.Tensor) -> torch.Tensor:
        """Fields (B, C, Y, X) to features (B, 8 channels, Y, X)."""
        seen = [torch.einsum("ocij,cd->odij", self.weight, f) for f in self.frames]
        kernels = torch.cat([moved(w, g) for w, g in zip(seen, ELEMENTS, strict=True)])
        reach = self.weight.shape[-1] // 2
        wide = pad(fields, (reach,) * 4, mode="replicate") if reach else fields
        return conv2d(wide, kernels, self.bias.repeat(SIZE))


class Mix(nn.Module):
    """Linear map of features in every place (channels last)."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = _weight(SIZE, outputs, inputs, inputs=SIZE * inputs)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def matrix(self) -> torch.Tensor:
        """The whole matrix, shape (8 outputs, 8 inputs)."""
        rows = [self.weight[order].permute(1, 0, 2).flatten(1) for order in relative()]
        return torch.cat(rows)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (..., 8 inputs) to (..., 8 outputs)."""
        return linear(features, self.matrix(), None if self.bias is None else self.bias.repeat(SIZE))


class Embed(nn.Module):
    """Patches of features to one token each, and (transposed) back."""

    def __init__(self, inputs: int, outputs: int, patch: int) -> None:
        super().__init__()
        self.weight = _weight(SIZE, outputs, inputs, patch, patch, inputs=SIZE * inputs * patch**2)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def _kernels(self) -> torch.Tensor:
        """Shape (8 outputs, 8 inputs, patch, patch)."""
        rows = [
            moved(self.weight[order], g).permute(1, 0, 2, 3, 4).flatten(1, 2)
            for order, g in zip(relative(), ELEMENTS, strict=True)
        ]
        return torch.cat(rows)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (B, 8 inputs, Y, X) to tokens (B, 8 outputs, Y / patch, X / patch)."""
        return conv2d(features, self._kernels(), self.bias.repeat(SIZE), stride=self.weight.shape[-1])


class Spread(Embed):
    """Tokens (channels last) to patches of features."""

    def __init__(self, inputs: int, outputs: int, patch: int) -> None:
        super().__init__(inputs, outputs, patch)
        nn.init.uniform_(self.weight, -1.0, 1.0)
        with torch.no_grad():
            self.weight.div_(math.sqrt(SIZE * inputs))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens (B, rows, columns, 8 inputs) to features (B, 8 outputs, Y, X)."""
        patch = self.weight.shape[-1]
        matrix = self._kernels().permute(0, 2, 3, 1).flatten(0, 2)
        return pixel_shuffle(linear(tokens, matrix).permute(0, 3, 1, 2), patch)


class Around(nn.Module):
    """Depthwise convolution of features."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.weight = _weight(channels, 1, kernel, kernel, inputs=kernel**2)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features to features of the same shape."""
        kernels = torch.cat([moved(self.weight, g) for g in ELEMENTS])
        reach = self.weight.shape[-1] // 2
        return conv2d(pad(features, (reach,) * 4, mode="replicate"), kernels, groups=features.shape[1])


class Lower(nn.Module):
    """Features (channels first) to plain fields that an orthogonal representation turns; zero at first.

    Parameters
    ----------
    channels : int
        Of one copy.
    representation : numpy.ndarray, shape (8, F, F)
        What every element does to the fields' values.
    """

    representation: torch.Tensor

    def __init__(self, channels: int, representation: np.ndarray) -> None:
        super().__init__()
        self.register_buffer(
            "representation", torch.as_tensor(representation, dtype=torch.float32), persistent=False
        )
        self.weight = nn.Parameter(torch.zeros(representation.shape[1], channels))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (B, 8 channels, Y, X) to fields (B, F, Y, X)."""
        matrix = torch.cat([r @ self.weight for r in self.representation], dim=1)
        return conv2d(features, matrix[:, :, None, None])


def pairs_moved(bias: torch.Tensor) -> torch.Tensor:
    """A bias for pairs of places (Q, Q, K, K), as every element turns it: shape (8, Q Q, K K)."""
    found = []
    for turns, mirrored in ELEMENTS:
        turned = bias.flip(1).flip(3) if mirrored else bias
        turned = torch.rot90(torch.rot90(turned, turns, (0, 1)), turns, (2, 3))
        found.append(turned.flatten(2).flatten(0, 1))
    return torch.stack(found)
