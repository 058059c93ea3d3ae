"""Steps of the network whose derivatives keep little: torch's own would hold gigabytes for a large image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.functional import conv2d, conv_transpose2d, gelu, linear, pad
from torch.nn.grad import conv2d_weight

_TOGETHER = 400_000
"""Values that are worked out together."""
_IMAGES = 16
"""Images that places are dealt out to in a product: with fewer, torch leaves it to a slower way on one thread."""


def product(places: torch.Tensor, matrix: torch.Tensor, offsets: torch.Tensor | None = None) -> torch.Tensor:
    """Linear map of features (..., C) by a matrix (O, C) to (..., O).

    On processors it is done as a convolution with kernels of one place wherever the number of places allows:
    oneDNN's products are about twice as quick on AMD's as those of MKL, which ``linear`` calls.
    """
    count = places.shape[:-1].numel()
    if places.device.type != "cpu" or count % _IMAGES or not count:
        return linear(places, matrix, offsets)
    images = places.reshape(_IMAGES, count // _IMAGES, 1, -1).permute(0, 3, 1, 2)
    found = conv2d(images, matrix[:, :, None, None], offsets)
    return found.permute(0, 2, 3, 1).reshape(*places.shape[:-1], -1)


def convolution(
    fields: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, stride: int = 1, groups: int = 1
) -> torch.Tensor:
    """Convolution of fields (B, C, Y, X) whose borders are repeated; with a stride, every patch is one place."""
    found: torch.Tensor = _Convolution.apply(fields, kernels, bias, stride, groups)
    return found


def even(features: torch.Tensor, small: float) -> torch.Tensor:
    """Features (B, Y, X, C) over their root mean square in every place; ``small`` is added to its square."""
    found: torch.Tensor = _Even.apply(features, small)[0]
    return found


def filmed_gelu(features: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """GELU of features (B, Y, X, C) that each image scales and shifts, (B, C) each."""
    found: torch.Tensor = _FilmedGelu.apply(features, scale, shift)
    return found


def perceptron(
    features: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
    inner: torch.Tensor | None = None,
    outer: torch.Tensor | None = None,
) -> torch.Tensor:
    """Two linear maps with a GELU between them: features (..., C) by (H, C) and (O, H) to (..., O), with biases.

    Some places at a time, so that what is hidden never leaves the processor's cache; worked out again for the
    derivative.
    """
    found: torch.Tensor = _Perceptron.apply(features.flatten(0, -2), first, second, inner, outer)
    return found.unflatten(0, features.shape[:-1])


class _Convolution(torch.autograd.Function):
    """Keeps the fields only where the kernels are to be learnt."""

    @staticmethod
    def forward(
        fields: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, stride: int, groups: int
    ) -> torch.Tensor:
        return conv2d(_bordered(fields, kernels, stride), kernels, bias, stride=stride, groups=groups)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: torch.Tensor) -> None:
        fields, kernels, _, ctx.stride, ctx.groups = inputs
        ctx.save_for_backward(kernels, fields if kernels.requires_grad else None)
        ctx.save_for_forward(kernels)

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        kernels, fields = ctx.saved_tensors
        kind = grad[0].dtype  # a lower one where a training runs in mixed precision
        to_fields = to_kernels = to_bias = None
        if ctx.needs_input_grad[0]:
            back = conv_transpose2d(grad[0], kernels.to(kind), stride=ctx.stride, groups=ctx.groups)
            to_fields = _unbordered(back, _reach(kernels, ctx.stride))
        if ctx.needs_input_grad[1]:
            bordered = _bordered(fields.to(kind), kernels, ctx.stride)
            to_kernels = conv2d_weight(bordered, kernels.shape, grad[0], stride=ctx.stride, groups=ctx.groups)
        if ctx.needs_input_grad[2]:
            to_bias = grad[0].sum((0, 2, 3))
        return to_fields, to_kernels, to_bias, None, None

    @staticmethod
    def jvp(ctx: Any, d_fields: torch.Tensor, *_: None) -> torch.Tensor:
        (kernels,) = ctx.saved_tensors
        return conv2d(_bordered(d_fields, kernels, ctx.stride), kernels, stride=ctx.stride, groups=ctx.groups)


class _Even(torch.autograd.Function):
    """The matrix of the derivative is symmetric, so that both modes are one."""

    @staticmethod
    def forward(features: torch.Tensor, small: float) -> tuple[torch.Tensor, torch.Tensor]:
        found = torch.empty_like(features)
        inverse = features.new_empty(*features.shape[:-1], 1)
        for part, into, scale in _together(features, found, inverse):
            power = torch.linalg.vector_norm(part, dim=-1, keepdim=True).square() / part.shape[-1]
            scale.copy_(torch.rsqrt(power + small))
            torch.mul(part, scale, out=into)
        return found, inverse

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(inputs[0], output[1])
        ctx.save_for_forward(inputs[0], output[1])

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _Even._through(grad[0], *ctx.saved_tensors), None

    @staticmethod
    def jvp(ctx: Any, d_features: torch.Tensor, _: None) -> tuple[torch.Tensor, None]:
        return _Even._through(d_features, *ctx.saved_tensors), None

    @staticmethod
    def _through(change: torch.Tensor, features: torch.Tensor, inverse: torch.Tensor) -> torch.Tensor:
        found = torch.empty_like(features)
        for part, to, scale, into in _together(features, change, inverse, found):
            along = (part * to).mean(-1, keepdim=True) * scale.pow(3)
            torch.mul(to, scale, out=into)
            into.addcmul_(part, along, value=-1.0)
        return found


class WorkedOutAgain(torch.autograd.Function):
    """A step that keeps nothing but the tensors that it is given."""

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: torch.Tensor) -> None:
        """Keep them, for both modes."""
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)


class _FilmedGelu(WorkedOutAgain):
    """Some rows at a time."""

    @staticmethod
    def forward(features: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        found = torch.empty_like(features)
        for image, factor, offset, into in zip(features, scale, shift, found, strict=True):
            for part, there in _together(image, into):
                there.copy_(gelu(torch.addcmul(offset, part, factor)))
        return found

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        features, scale, shift = ctx.saved_tensors
        found, to_scale, to_shift = torch.empty_like(features), torch.zeros_like(scale), torch.zeros_like(shift)
        learnt = any(ctx.needs_input_grad[1:])
        for n in range(len(features)):
            for part, to, into in _together(features[n], grad[0][n], found[n]):
                inner = torch.addcmul(shift[n], part, scale[n])
                inner = torch.ops.aten.gelu_backward(to.to(inner.dtype), inner)
                torch.mul(inner, scale[n], out=into)
                if learnt:
                    to_scale[n] += (inner * part).sum((0, 1))
                    to_shift[n] += inner.sum((0, 1))
        return found, to_scale, to_shift

    @staticmethod
    def jvp(ctx: Any, d_features: torch.Tensor, *_: None) -> torch.Tensor:
        features, scale, shift = (t if t.ndim > 2 else t[:, None, None] for t in ctx.saved_tensors)
        inner = torch.addcmul(shift, features, scale)
        return scale * torch.ops.aten.gelu_backward(d_features, inner)


class _Perceptron(WorkedOutAgain):
    """Some places at a time."""

    @staticmethod
    def forward(
        features: torch.Tensor,
        first: torch.Tensor,
        second: torch.Tensor,
        inner: torch.Tensor | None,
        outer: torch.Tensor | None,
    ) -> torch.Tensor:
        parts = features.split(_places(first))
        return torch.cat([product(gelu(product(part, first, inner)), second, outer) for part in parts])

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        kind = grad[0].dtype  # a lower one where a training runs in mixed precision
        *given, inner, _ = ctx.saved_tensors
        features, first, second = (t.to(kind) for t in given)
        inner = None if inner is None else inner.to(kind)
        to_features, wanted = torch.empty_like(features), ctx.needs_input_grad
        to_first, to_second = torch.zeros_like(first), torch.zeros_like(second)
        to_inner = torch.zeros_like(inner) if inner is not None and wanted[3] else None
        size = _places(first)
        parts = zip(features.split(size), grad[0].split(size), to_features.split(size), strict=True)
        for part, change, to_part in parts:
            hidden = product(part, first, inner)
            to_hidden = torch.ops.aten.gelu_backward(product(change, second.T), hidden)
            to_part.copy_(product(to_hidden, first.T))
            if wanted[1]:
                to_first.addmm_(to_hidden.T, part)
            if wanted[2]:
                to_second.addmm_(change.T, gelu(hidden))
            if to_inner is not None:
                to_inner += to_hidden.sum(0)
        return to_features, to_first, to_second, to_inner, grad[0].sum(0) if wanted[4] else None

    @staticmethod
    def jvp(ctx: Any, d_features: torch.Tensor, *_: None) -> torch.Tensor:
        features, first, second, inner, _ = ctx.saved_tensors
        # A GELU changes as it would be changed by: its derivative stands place by place.
        d_hidden = torch.ops.aten.gelu_backward(product(d_features, first), product(features, first, inner))
        return product(d_hidden, second)


def _places(first: torch.Tensor) -> int:
    return max(_TOGETHER // (_IMAGES * len(first)), 1) * _IMAGES


def _together(*fields: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """Some rows of fields (..., rows, columns, C) at a time, so few that they stay in the processor's cache."""
    rows = max(_TOGETHER // max(fields[0][..., :1, :, :].numel(), 1), 1)
    return zip(*(field.split(rows, dim=-3) for field in fields), strict=True)


def _reach(kernels: torch.Tensor, stride: int) -> int:
    return int(kernels.shape[-1] - stride) // 2


def _bordered(fields: torch.Tensor, kernels: torch.Tensor, stride: int) -> torch.Tensor:
    reach = _reach(kernels, stride)
    return pad(fields, (reach,) * 4, mode="replicate") if reach else fields


def _unbordered(fields: torch.Tensor, reach: int) -> torch.Tensor:
    """Adjoint of the repetition of borders."""
    if not reach:
        return fields
    for axis in (-1, -2):
        n = fields.shape[axis]
        first = fields.narrow(axis, 0, reach).sum(axis, keepdim=True)
        last = fields.narrow(axis, n - reach, reach).sum(axis, keepdim=True)
        fields = fields.narrow(axis, reach, n - 2 * reach)
        fields.narrow(axis, 0, 1).add_(first)
        fields.narrow(axis, n - 2 * reach - 1, 1).add_(last)
    return fields
