"""Steps of the network whose derivatives keep little: torch's own would hold gigabytes for a large image."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import conv2d, conv_transpose2d, pad
from torch.nn.grad import conv2d_weight


def convolution(
    fields: torch.Tensor, kernels: torch.Tensor, bias: torch.Tensor | None, stride: int = 1, groups: int = 1
) -> torch.Tensor:
    """Convolution of fields (B, C, Y, X) whose borders are repeated; with a stride, every patch is one place."""
    found: torch.Tensor = _Convolution.apply(fields, kernels, bias, stride, groups)
    return found


def even(features: torch.Tensor, small: float) -> torch.Tensor:
    """Features (..., C) over their root mean square in every place; ``small`` is added to its square."""
    found: torch.Tensor = _Even.apply(features, small)[0]
    return found


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
        power = torch.linalg.vector_norm(features, dim=-1, keepdim=True).square() / features.shape[-1]
        inverse = torch.rsqrt(power + small)
        return features * inverse, inverse

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(inputs[0], output[1])
        ctx.save_for_forward(inputs[0], output[1])

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _through(grad[0], *ctx.saved_tensors), None

    @staticmethod
    def jvp(ctx: Any, d_features: torch.Tensor, _: None) -> tuple[torch.Tensor, None]:
        return _through(d_features, *ctx.saved_tensors), None


def _through(change: torch.Tensor, features: torch.Tensor, inverse: torch.Tensor) -> torch.Tensor:
    along = (features * change).mean(-1, keepdim=True) * inverse.pow(3)
    return torch.addcmul(change * inverse, features, along, value=-1.0)


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
