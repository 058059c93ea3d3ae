"""Attention by windows against the same written out pair by pair, in value and both derivatives."""

import pytest
import torch

from napari_sem4d.surrogate.windows import REACH, WINDOW, attend

WIDTH = 2


def tokens(rows, columns, seed, batch=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, rows, columns, 8 * WIDTH, generator=generator, dtype=torch.float64)


def bias():
    return torch.randn(8, WINDOW**2, REACH**2, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def written_out(queries, keys, values, bias):
    batch, rows, columns, _ = queries.shape
    found = torch.zeros_like(queries)
    for b in range(batch):
        for y in range(rows):
            for x in range(columns):
                top, left = y - y % WINDOW - 1, x - x % WINDOW - 1
                for head in range(8):
                    own = slice(head * WIDTH, (head + 1) * WIDTH)
                    logits, seen = [], []
                    for place in range(REACH**2):
                        v, u = top + place // REACH, left + place % REACH
                        inside = 0 <= v < rows and 0 <= u < columns
                        key = keys[b, v, u, own] if inside else torch.zeros(WIDTH, dtype=keys.dtype)
                        seen.append(values[b, v, u, own] if inside else torch.zeros(WIDTH, dtype=keys.dtype))
                        query = (y % WINDOW) * WINDOW + x % WINDOW
                        logits.append(queries[b, y, x, own] @ key / WIDTH**0.5 + bias[head, query, place])
                    found[b, y, x, own] = torch.softmax(torch.stack(logits), 0) @ torch.stack(seen)
    return found


@pytest.mark.parametrize("together", [1, 10**6])
def test_every_query_sees_its_window_and_what_is_beside_it(monkeypatch, together):
    monkeypatch.setattr("napari_sem4d.surrogate.windows._TOGETHER", together)
    given = tokens(8, 12, 1, 2), tokens(8, 12, 2, 2), tokens(8, 12, 3, 2), bias()
    assert torch.allclose(attend(*given), written_out(*given))


def test_the_derivatives_of_attention_in_both_modes(monkeypatch):
    monkeypatch.setattr("napari_sem4d.surrogate.windows._TOGETHER", 1)
    fixed = bias()
    given = [tokens(8, 4, n).requires_grad_() for n in (1, 2, 3)]
    assert torch.autograd.gradcheck(lambda *a: attend(*a, fixed), given, check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradcheck(attend, [*given, fixed.requires_grad_()], fast_mode=True)
