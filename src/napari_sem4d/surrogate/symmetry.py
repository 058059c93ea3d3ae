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


def _convolved(
    fields: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, stride: int
) -> torch.Tensor:
    if kernels.shape[-1] == 1:
        # A plain product: torch's own way for kernels of one place is slow on one thread.
        found = (kernels[:, :, 0, 0] @ fields.flatten(2)).unflatten(2, fields.shape[2:])
        return found if bias is None else found + bias[:, None, None]
    return conv2d(fields, kernels, bias, stride=stride)


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
        """Fields (B, C, Y, X) to features (B, 8 channels, Y / stride, X / stride)."""
        seen = [torch.einsum("ocij,cd->odij", self.weight, f) for f in self.frames]
        kernels = torch.cat([moved(w, g) for w, g in zip(seen, ELEMENTS, strict=True)])
        reach = (self.weight.shape[-1] - self._stride) // 2
        wide = pad(fields, (reach,) * 4, mode="replicate") if reach else fields
        return _convolved(wide, kernels, self.bias.repeat(SIZE), self._stride)


def _representations() -> tuple[np.ndarray, np.ndarray]:
    """The group's irreducible representations: four of one dimension (4, 8) and one of two (8, 2, 2)."""
    plane = np.stack([matrix(e) for e in ELEMENTS]).astype(float)
    mirrored = np.linalg.det(plane)
    quarter = np.array([(-1.0) ** turns for turns, _ in ELEMENTS])
    return np.stack([np.ones(SIZE), mirrored, quarter, quarter * mirrored]), plane


class Mix(nn.Module):
    """Linear map of features (copies first, channels last) in every place.

    Worked out in the Fourier transform over the group, where the whole matrix falls into small blocks: a fifth of
    the products. After Cohen & Welling, Steerable CNNs, ICLR 2017.
    """

    fourier: torch.Tensor
    plane: torch.Tensor

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = _weight(SIZE, outputs, inputs, inputs=SIZE * inputs)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        single, plane = _representations()
        rows = np.concatenate([single * SIZE**-0.5, plane.reshape(SIZE, 4).T * (2.0 / SIZE) ** 0.5])
        self.register_buffer("fourier", torch.as_tensor(rows, dtype=torch.float32), persistent=False)
        self.register_buffer("plane", torch.as_tensor(plane, dtype=torch.float32), persistent=False)

    def transformed(self, features: torch.Tensor) -> torch.Tensor:
        """Fourier transform of features, to be handed to several maps."""
        return (self.fourier @ features.flatten(1)).unflatten(1, features.shape[1:])

    def of_transformed(self, features: torch.Tensor) -> torch.Tensor:
        """The map of features that are transformed already: (8, ..., inputs) to (8, ..., outputs)."""
        places = features.shape[1:-1]
        features = features.flatten(1, -2)
        outputs, inputs = self.weight.shape[1:]
        scale = self.fourier[:4] * SIZE**0.5
        single = torch.einsum("kg,goi->kio", scale, self.weight)
        double = torch.einsum("gbc,goi->cibo", self.plane, self.weight).reshape(2 * inputs, 2 * outputs)
        pairs = features[4:].unflatten(0, (2, 2))
        mixed = torch.cat([pairs[:, 0], pairs[:, 1]], dim=-1) @ double
        mixed = mixed.unflatten(-1, (2, outputs)).movedim(-2, 1).flatten(0, 1)
        found = torch.cat([features[:4] @ single, mixed])
        found = (self.fourier.T @ found.flatten(1)).unflatten(1, (*places, outputs))
        return found if self.bias is None else found + self.bias

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features (8, ..., inputs) to (8, ..., outputs)."""
        return self.of_transformed(self.transformed(features))


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
        """Features (B, 8 inputs, Y, X) to features (B, 8 outputs, Y / stride, X / stride)."""
        reach = (self.weight.shape[-1] - self._stride) // 2
        wide = pad(features, (reach,) * 4, mode="replicate") if reach else features
        bias = None if self.bias is None else self.bias.repeat(SIZE)
        return _convolved(wide, self.kernels(), bias, self._stride)


class Spread(Convolve):
    """Tokens (copies first, channels last) to patches of features."""

    def __init__(self, inputs: int, outputs: int, patch: int) -> None:
        super().__init__(inputs, outputs, patch, patch, bias=False)
        with torch.no_grad():
            self.weight.mul_(patch)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens (8, B, rows, columns, inputs) to features (B, 8 outputs, Y, X)."""
        patch = self.weight.shape[-1]
        matrix = self.kernels().permute(0, 2, 3, 1).flatten(0, 2)
        joined = tokens.permute(1, 2, 3, 0, 4).flatten(3)
        return pixel_shuffle(linear(joined, matrix).permute(0, 3, 1, 2), patch)


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
    """Features (channels first) to patches of plain fields that an orthogonal representation turns; zero at first.

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

    def forward(self, features: torch.Tensor, fields: int | None = None) -> torch.Tensor:
        """Features (B, 8 channels, Y, X) to fields (B, F, patch Y, patch X).

        With ``fields`` only so many of the first: no element may turn them into later ones.
        """
        rows = len(self.weight) if fields is None else fields * self._patch**2
        matrix = torch.cat([r @ self.weight[:rows] for r in self.representation[:, :rows, :rows]], dim=1)
        return pixel_shuffle(_convolved(features, matrix[:, :, None, None], None, 1), self._patch)


def pairs_moved(bias: torch.Tensor) -> torch.Tensor:
    """A bias for pairs of places (Q, Q, K, K), as every element turns it: shape (8, Q Q, K K)."""
    found = []
    for turns, mirrored in ELEMENTS:
        turned = bias.flip(1).flip(3) if mirrored else bias
        turned = torch.rot90(torch.rot90(turned, turns, (0, 1)), turns, (2, 3))
        found.append(turned.flatten(2).flatten(0, 1))
    return torch.stack(found)
