"""The eight turns and mirror images of a square, and layers that commute with them.

Features carry one copy of their channels for every element of the group (the regular representation): turning the
image turns the maps and permutes the copies. After Cohen & Welling, Group equivariant convolutional networks,
ICML 2016. Channels are the last axis and ordered (element, channel): (B, Y, X, 8 channels).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pixel_shuffle

from napari_sem4d.surrogate.lean import convolution, product

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


def _for_all(bias: torch.Tensor | None) -> torch.Tensor | None:
    """A bias of one copy for all of them."""
    return None if bias is None else bias.repeat(SIZE)


def _convolved(
    features: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, stride: int = 1, groups: int = 1
) -> torch.Tensor:
    """Convolution (B, Y, X, C) to (B, Y / stride, X / stride, O), borders repeated."""
    if kernels.shape[-1] == 1:
        return product(features, kernels[:, :, 0, 0], bias)
    return convolution(features.permute(0, 3, 1, 2), kernels, bias, stride, groups).permute(0, 2, 3, 1)


class Lift(nn.Module):
    """From plain fields to features: a convolution in the frame of every element.

    Parameters
    ----------
    frames : numpy.ndarray, shape (8, C, C)
        What the input channels become in the frame of every element.
    channels : int
        Of one copy.
    kernel, stride : int
        Both odd or both even.
    """

    frames: torch.Tensor

    def __init__(self, frames: np.ndarray, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.register_buffer("frames", torch.as_tensor(frames, dtype=torch.float32), persistent=False)
        count = frames.shape[1]
        self.weight = _weight(channels, count, kernel, kernel, inputs=count * kernel**2)
        self.bias = nn.Parameter(torch.zeros(channels))
        self._stride = stride

    def forward(self, fields: torch.Tensor) -> torch.Tensor:
        """Fields (B, C, Y, X) to features (B, Y / stride, X / stride, 8 channels)."""
        seen = [torch.einsum("ocij,cd->odij", self.weight, f) for f in self.frames]
        kernels = torch.cat([moved(w, g) for w, g in zip(seen, ELEMENTS, strict=True)])
        places = fields.permute(0, 2, 3, 1).contiguous()
        return _convolved(places, kernels, _for_all(self.bias), self._stride)


class Mix(nn.Module):
    """Linear map of features in every place.

    Parameters
    ----------
    inputs, outputs : int
        Channels of one copy.
    bias : bool
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = _weight(SIZE, outputs, inputs, inputs=SIZE * inputs)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def matrix(self) -> torch.Tensor:
        """Shape (8 outputs, 8 inputs)."""
        return self.weight[torch.tensor(relative())].permute(0, 2, 1, 3).flatten(2).flatten(0, 1)

    def offsets(self) -> torch.Tensor | None:
        """The bias of all copies, shape (8 outputs,)."""
        return _for_all(self.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (..., 8 inputs) to features (..., 8 outputs)."""
        return product(features, self.matrix(), self.offsets())


class Convolve(nn.Module):
    """Convolution from features to features.

    Parameters
    ----------
    inputs, outputs : int
        Channels of one copy.
    kernel, stride : int
        An odd kernel with a stride of 1 keeps the shape; a kernel as wide as its stride makes a patch one place.
    bias : bool
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = _weight(SIZE, outputs, inputs, kernel, kernel, inputs=SIZE * inputs * kernel**2)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self._stride = stride

    def kernels(self) -> torch.Tensor:
        """Shape (8 outputs, 8 inputs, kernel, kernel)."""
        rows = [
            moved(self.weight[order], g).permute(1, 0, 2, 3, 4).flatten(1, 2)
            for order, g in zip(relative(), ELEMENTS, strict=True)
        ]
        return torch.cat(rows)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (B, Y, X, 8 inputs) to features (B, Y / stride, X / stride, 8 outputs)."""
        return _convolved(features, self.kernels(), _for_all(self.bias), self._stride)


class Spread(Convolve):
    """Features of tokens to patches of features."""

    def __init__(self, inputs: int, outputs: int, patch: int) -> None:
        super().__init__(inputs, outputs, patch, patch, bias=False)
        with torch.no_grad():
            self.weight.mul_(patch)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Features (B, rows, columns, 8 inputs) to features (B, patch rows, patch columns, 8 outputs)."""
        patch = self.weight.shape[-1]
        matrix = self.kernels().permute(2, 3, 0, 1).flatten(0, 2)
        found = product(tokens, matrix).unflatten(-1, (patch, patch, -1))
        return found.transpose(2, 3).flatten(3, 4).flatten(1, 2)


class Around(nn.Module):
    """Depthwise convolution of features."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.weight = _weight(channels, 1, kernel, kernel, inputs=kernel**2)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features to features of the same shape."""
        kernels = torch.cat([moved(self.weight, g) for g in ELEMENTS])
        return _convolved(features, kernels, None, groups=features.shape[-1])


class Lower(nn.Module):
    """Features to patches of plain fields that an orthogonal representation turns; zero at first.

    Parameters
    ----------
    channels : int
        Of one copy.
    representation : numpy.ndarray, shape (8, F, F)
        What every element does to the fields' values.
    patch : int
        Pixels along the edge of the patch that each place gives.
    """

    representation: torch.Tensor

    def __init__(self, channels: int, representation: np.ndarray, patch: int) -> None:
        super().__init__()
        places = torch.eye(patch**2).reshape(-1, patch, patch)
        whole = [np.kron(r, moved(places, g).flatten(1).T) for r, g in zip(representation, ELEMENTS, strict=True)]
        self.register_buffer(
            "representation", torch.as_tensor(np.stack(whole), dtype=torch.float32), persistent=False
        )
        self.weight = nn.Parameter(torch.zeros(representation.shape[1] * patch**2, channels))
        self._patch = patch

    def matrix(self, fields: int) -> torch.Tensor:
        """Matrix (F patch^2, 8 channels) of the first so many fields: no element may turn them into later ones."""
        rows = fields * self._patch**2
        return torch.cat([r @ self.weight[:rows] for r in self.representation[:, :rows, :rows]], dim=1)

    def mixed(self, values: torch.Tensor, mixing: torch.Tensor) -> torch.Tensor:
        """Values (B, Y, X, F patch^2) of fields by those of their sums with weights (K, F)."""
        return product(values, torch.kron(mixing, torch.eye(self._patch**2).to(mixing)))

    def patches(self, values: torch.Tensor) -> torch.Tensor:
        """What the matrix gives in every place, (B, Y, X, F patch^2), as fields (B, F, patch Y, patch X)."""
        return pixel_shuffle(values.permute(0, 3, 1, 2), self._patch)


def pairs_moved(bias: torch.Tensor) -> torch.Tensor:
    """A bias for pairs of places (Q, Q, K, K), as every element turns it: shape (8, Q Q, K K)."""
    found = []
    for turns, mirrored in ELEMENTS:
        turned = bias.flip(1).flip(3) if mirrored else bias
        turned = torch.rot90(torch.rot90(turned, turns, (0, 1)), turns, (2, 3))
        found.append(turned.flatten(2).flatten(0, 1))
    return torch.stack(found)
