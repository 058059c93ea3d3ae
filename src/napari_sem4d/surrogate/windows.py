"""Attention of windows of queries to the larger windows around them, a few rows of windows at a time.

What is between queries and answer never leaves the processor's cache, and is worked out again for the derivative.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import pad

from napari_sem4d.surrogate.lean import WorkedOutAgain
from napari_sem4d.surrogate.symmetry import SIZE

WINDOW = 4
"""Tokens along the edge of a window of queries."""
_BESIDE = 1
"""Tokens beyond a window's edge that its queries also see."""
REACH = WINDOW + 2 * _BESIDE
"""Tokens along the edge of what they see."""
_TOGETHER = 700_000
"""Pairs of a query and a key that are worked out together."""


def attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Mean of the values around every query, weighted by a softmax over its products with their keys.

    Every copy of the channels is a head of its own. Beyond the border there are zeros.

    Parameters
    ----------
    queries, keys, values : torch.Tensor, shape (B, rows, columns, 8 width)
        Rows and columns are multiples of the window.
    bias : torch.Tensor, shape (8, 16, 36)
        Added to the product of each pair of places, for every head.

    Returns
    -------
    torch.Tensor, shape (B, rows, columns, 8 width)
    """
    found: torch.Tensor = _Attend.apply(queries, _with_border(keys), _with_border(values), bias)
    return found


class _Attend(WorkedOutAgain):
    """Keys and values come with a border of the tokens beside the outer windows."""

    @staticmethod
    def forward(
        queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: torch.Tensor
    ) -> torch.Tensor:
        answers = []
        for own, around in _rows(queries):
            weights = _weights(_windows(queries[:, own]), _surroundings(keys[:, around]), bias)
            answers.append(_tokens(weights @ _surroundings(values[:, around]), queries[:, own]))
        return torch.cat(answers, 1)

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        kind = grad[0].dtype  # a lower one where a training runs in mixed precision
        queries, keys, values, bias = (t.to(kind) for t in ctx.saved_tensors)
        to_queries, to_keys, to_values = [], torch.zeros_like(keys), torch.zeros_like(values)
        to_bias = torch.zeros_like(bias)
        for own, around in _rows(queries):
            asked, key, value = _windows(queries[:, own]), *(_surroundings(t[:, around]) for t in (keys, values))
            change, scale = _windows(grad[0][:, own]), _scale(asked)
            weights = _weights(asked, key, bias)
            by_weights = change @ value.transpose(1, 2)
            to_logits = weights * (by_weights - (by_weights * weights).sum(-1, keepdim=True))
            if ctx.needs_input_grad[3]:
                to_bias += to_logits.unflatten(0, (-1, SIZE)).sum(0)
            to_queries.append(_tokens(scale * (to_logits @ key), queries[:, own]))
            _add_surroundings(to_keys[:, around], scale * (to_logits.transpose(1, 2) @ asked))
            _add_surroundings(to_values[:, around], weights.transpose(1, 2) @ change)
        return torch.cat(to_queries, 1), to_keys, to_values, to_bias

    @staticmethod
    def jvp(
        ctx: Any, d_queries: torch.Tensor, d_keys: torch.Tensor, d_values: torch.Tensor, _: None
    ) -> torch.Tensor:
        queries, keys, values, bias = ctx.saved_tensors
        answers = []
        for own, around in _rows(queries):
            asked, d_asked = (_windows(t[:, own]) for t in (queries, d_queries))
            key, d_key, value, d_value = (_surroundings(t[:, around]) for t in (keys, d_keys, values, d_values))
            weights = _weights(asked, key, bias)
            d_logits = _scale(asked) * (d_asked @ key.transpose(1, 2) + asked @ d_key.transpose(1, 2))
            d_weights = weights * (d_logits - (weights * d_logits).sum(-1, keepdim=True))
            answers.append(_tokens(d_weights @ value + weights @ d_value, queries[:, own]))
        return torch.cat(answers, 1)


def _scale(queries: torch.Tensor) -> float:
    """By which the products of queries (N, 16, width) with keys are taken."""
    return float(queries.shape[-1]) ** -0.5


def _weights(queries: torch.Tensor, keys: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Shares of the keys (N, 36, width) for queries (N, 16, width), N being windows times heads."""
    logits = (_scale(queries) * queries) @ keys.transpose(1, 2)
    return torch.softmax(logits.unflatten(0, (-1, SIZE)) + bias, dim=-1).flatten(0, 1)


def _with_border(tokens: torch.Tensor) -> torch.Tensor:
    return pad(tokens, (0, 0, _BESIDE, _BESIDE, _BESIDE, _BESIDE))


def _rows(queries: torch.Tensor) -> list[tuple[slice, slice]]:
    """Rows of tokens that are worked out together, and the rows with a border that they see."""
    batch, rows, columns, _ = queries.shape
    pairs = batch * SIZE * (columns // WINDOW) * (WINDOW * REACH) ** 2
    step = max(_TOGETHER // pairs, 1) * WINDOW
    ends = [(first, min(first + step, rows)) for first in range(0, rows, step)]
    return [(slice(first, last), slice(first, last + 2 * _BESIDE)) for first, last in ends]


def _windows(tokens: torch.Tensor) -> torch.Tensor:
    """Tokens (B, rows, columns, 8 width) by windows: (B windows 8, 16, width)."""
    split = tokens.unflatten(-1, (SIZE, -1)).unflatten(2, (-1, WINDOW)).unflatten(1, (-1, WINDOW))
    return split.permute(0, 1, 3, 5, 2, 4, 6).flatten(4, 5).flatten(0, 3)


def _tokens(windows: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The other way round."""
    batch, rows, columns, _ = like.shape
    split = windows.unflatten(1, (WINDOW, WINDOW)).unflatten(0, (batch, rows // WINDOW, columns // WINDOW, SIZE))
    return split.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4).flatten(1, 2)


def _surroundings(tokens: torch.Tensor) -> torch.Tensor:
    """Tokens with a border by what windows see: (B windows 8, 36, width)."""
    seen = tokens.unflatten(-1, (SIZE, -1)).unfold(1, REACH, WINDOW).unfold(2, REACH, WINDOW)
    return seen.permute(0, 1, 2, 3, 5, 6, 4).flatten(4, 5).flatten(0, 3)


def _add_surroundings(tokens: torch.Tensor, seen: torch.Tensor) -> None:
    """Adjoint of :func:`_surroundings`: add to tokens with a border, in place."""
    batch, rows, columns, _ = tokens.shape
    tall, wide = (rows - 2 * _BESIDE) // WINDOW, (columns - 2 * _BESIDE) // WINDOW
    split = seen.unflatten(1, (REACH, REACH)).unflatten(0, (batch, tall, wide, SIZE))
    split = split.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6)
    strips = tokens.new_zeros(batch, tall, REACH, columns, tokens.shape[-1])
    _overlap(strips.movedim(3, 0), split.movedim((3, 4), (0, 1)))
    _overlap(tokens.movedim(1, 0), strips.movedim((1, 2), (0, 1)))


def _overlap(line: torch.Tensor, pieces: torch.Tensor) -> None:
    """Add pieces (count, 6, ...) to a line (4 count + 2, ...), each 4 further than the one before."""
    count = len(pieces)
    for at in range(REACH):
        line[at : at + WINDOW * count : WINDOW] += pieces[:, at]
