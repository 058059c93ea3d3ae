"""Images in tiles: the same answer and derivative, with the memory of one tile."""

import pytest
import torch

from napari_sem4d.surrogate import correction
from napari_sem4d.surrogate.vift import Architecture, ViFT

CONDITIONS = torch.tensor([[0.3, 0.7, 0.4]], dtype=torch.float64)


@pytest.fixture
def signal(monkeypatch):
    """One field from a small network; tiles of 64 pixels from 192 pixels on."""
    monkeypatch.setattr(correction, "_TILE", 64)
    torch.manual_seed(2)
    network = ViFT(Architecture(width=4, depth=1, cell_width=3, head_width=6)).double().requires_grad_(False)
    torch.nn.init.normal_(network.lower.weight, std=0.3)
    return lambda part: network(part[None], CONDITIONS, 0.5)[0, :1]


def wavy(rows, columns):
    generator = torch.Generator().manual_seed(3)
    return torch.nn.functional.avg_pool2d(torch.randn(1, rows, columns, generator=generator).double(), 5, 1, 2)[0]


def kept_bytes(function, height):
    """Bytes that autograd keeps until the derivative is asked for."""
    kept = {}

    def count(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        function(height.clone().requires_grad_())
    return sum(kept.values())


def test_tiles_join_without_a_seam(signal):
    height = wavy(256, 320)
    tiled, whole = correction._in_tiles(signal, height), signal(height)
    assert torch.allclose(tiled, whole, atol=2e-3 * float(whole.abs().max()))


def test_the_derivative_over_tiles_is_that_in_forward_mode(signal):
    height, change, weight = wavy(256, 208), wavy(256, 208).flip(0), wavy(256, 208).flip(1)[None]
    leaf = height.clone().requires_grad_()
    found = correction._in_tiles(signal, leaf)
    backward = [torch.autograd.grad(found, leaf, weight, retain_graph=True)[0] for _ in range(2)]
    _, forward = torch.func.jvp(lambda h: correction._in_tiles(signal, h), (height,), (change,))
    assert float((backward[0] * change).sum()) == pytest.approx(float((forward * weight).sum()), rel=1e-9)
    assert torch.equal(*backward)


def test_the_fields_of_no_tile_are_kept_for_the_derivative(signal):
    small, large = wavy(192, 192), wavy(384, 512)
    assert kept_bytes(lambda h: correction._in_tiles(signal, h), large) < 0.5 * kept_bytes(signal, small)
