"""ViFT: blind to offsets, silent before training, the same from window to window, differentiable."""

import numpy as np
import pytest
import torch

from napari_sem4d.surrogate.directions import turned
from napari_sem4d.surrogate.inputs import CELL, PATCH, elevations, seen
from napari_sem4d.surrogate.symmetry import ELEMENTS, SIZE, Mix, moved, relative
from napari_sem4d.surrogate.vift import MULTIPLE, Architecture, ViFT

PITCH = 0.5
CONDITIONS = torch.tensor([[0.3, 0.7, 0.4]])


def surface(rows=48, columns=64, dtype=torch.float32):
    rng = np.random.default_rng(4)
    y, x = np.indices((rows, columns))
    waves = sum(np.sin(0.3 * x * a + 0.25 * y * b) for a, b in rng.normal(size=(4, 2)))
    return torch.as_tensor(waves[None], dtype=dtype)


def network(seed=0, dtype=torch.float32, **changes):
    torch.manual_seed(seed)
    net = ViFT(Architecture(width=4, depth=2, cell_width=3, head_width=6, **changes))
    torch.nn.init.normal_(net.lower.weight, std=0.3)
    for lift in (net.stem_horizons, net.stem_elevations):
        torch.nn.init.normal_(lift.weight, std=0.3)
    torch.nn.init.normal_(net.blocks[0].mixer.bias if changes.get("mixer") != "convolution" else net.stem.bias)
    return net.to(dtype).eval().requires_grad_(False)


def test_an_untrained_network_changes_nothing():
    assert float(ViFT(Architecture(width=4, depth=1))(surface(), CONDITIONS, PITCH).abs().max()) == 0.0


def test_inputs_do_not_know_an_absolute_height():
    height = surface(dtype=torch.float64)
    here, lifted = seen(height, PITCH), seen(height + 123.0, PITCH)
    for name in ("pixels", "cells", "tokens", "relief"):
        assert torch.allclose(getattr(lifted, name), getattr(here, name), atol=1e-10)
    assert torch.allclose(elevations(height + 123.0, PITCH), elevations(height, PITCH), atol=1e-10)


def test_every_plane_looks_the_same_at_all_places_but_beyond_its_border():
    rows, columns = torch.meshgrid(*2 * (torch.arange(96, dtype=torch.float64),), indexing="ij")
    plane = (0.4 * rows - 0.2 * columns)[None]
    found = seen(plane, PITCH)
    assert torch.allclose(found.pixels, found.pixels[..., :1, :1].expand_as(found.pixels), atol=1e-9)
    assert torch.allclose(found.tokens[:, :3], torch.zeros_like(found.tokens[:, :3]), atol=1e-9)
    assert float(found.relief.abs().max()) < 1e-9


def test_a_shift_by_a_window_shifts_the_answer():
    net = network()
    wide = surface(320, 320)
    first = net(wide[:, :-MULTIPLE, :-MULTIPLE], CONDITIONS, PITCH)
    second = net(wide[:, MULTIPLE:, MULTIPLE:], CONDITIONS, PITCH)
    # Away from the border, beyond what horizons and blocks see.
    inner = slice(144, 160)
    shifted = slice(144 - MULTIPLE, 160 - MULTIPLE)
    assert torch.allclose(first[..., inner, inner], second[..., shifted, shifted], atol=1e-5)


def test_what_lies_beyond_its_reach_does_not_matter():
    net = network()
    one = surface(192, 192)
    other = one.clone()
    other[..., -MULTIPLE:] += torch.randn(1, 192, MULTIPLE, generator=torch.Generator().manual_seed(1)) * 0.1
    change = (net(one, CONDITIONS, PITCH) - net(other, CONDITIONS, PITCH)).abs()
    assert float(change[..., :64].max()) < 1e-5
    assert float(change[..., -32:].max()) > 1e-3


def test_corrections_are_bounded():
    net = network(bound=0.5)
    assert float(net(100.0 * surface(), CONDITIONS, PITCH).abs().max()) <= 0.5


@pytest.mark.parametrize("mixer", ["attention", "convolution"])
def test_the_derivative_by_height_is_that_of_finite_differences(mixer):
    net = network(dtype=torch.float64, mixer=mixer)
    height = surface(dtype=torch.float64)
    conditions = CONDITIONS.double()
    direction = torch.as_tensor(np.random.default_rng(5).normal(size=height.shape))

    def signals(h):
        return net(h, conditions, PITCH)

    _, found = torch.func.jvp(signals, (height,), (direction,))
    eps = 1e-5
    expected = (signals(height + eps * direction) - signals(height - eps * direction)) / (2 * eps)
    assert float((found - expected).norm() / expected.norm()) < 1e-6
    weights = torch.as_tensor(np.random.default_rng(6).normal(size=found.shape))
    _, back = torch.func.vjp(signals, height)
    assert float((back(weights)[0] * direction).sum()) == pytest.approx(float((weights * found).sum()), rel=1e-9)


def test_conditions_and_horizons_can_be_left_out_for_comparison():
    height = surface()
    other = torch.tensor([[0.1, 0.6, 0.0]])
    assert not torch.equal(network()(height, CONDITIONS, PITCH), network()(height, other, PITCH))
    net = network(conditions=False)
    assert torch.equal(net(height, CONDITIONS, PITCH), net(height, other, PITCH))


def test_a_cell_sees_how_high_a_wall_close_by_rises():
    wall = torch.zeros(1, 32, 64, dtype=torch.float64)
    wall[..., 40:] = 4.0
    cells = seen(wall, PITCH).cells
    assert cells.shape == (1, 8, 32 // CELL, 64 // CELL)
    right, left = cells[0, 0, 8], cells[0, 4, 8]
    for away in (2, 3, 4):  # farther looks skip cells
        slope = 4.0 / (away * CELL * PITCH)
        assert float(right[20 - away]) == pytest.approx(slope / np.hypot(1.0, slope), abs=0.01)
    assert float(left[:19].abs().max()) < 1e-9


def test_a_cell_sees_how_far_the_surface_rises_and_falls_beside_it():
    plane = torch.arange(64, dtype=torch.float64)[None, None].expand(1, 48, 64) * 0.5 * PITCH
    on_plane = elevations(plane, PITCH).unflatten(1, (3, 8))
    rising, falling = 0.5 / np.hypot(1.0, 0.5), -0.5 / np.hypot(1.0, 0.5)
    assert torch.allclose(on_plane[:, :, 0], torch.full_like(on_plane[:, :, 0], rising))
    assert torch.allclose(on_plane[:, :, 4], torch.full_like(on_plane[:, :, 4], falling))
    assert torch.allclose(on_plane[:, :, 2], torch.zeros_like(on_plane[:, :, 2]), atol=1e-12)
    edge = torch.zeros(1, 48, 64, dtype=torch.float64)
    edge[..., 32:] = -3.0
    before = elevations(edge, PITCH).unflatten(1, (3, 8))[0, :, 0, 8, 15]
    depth = -3.0 / (CELL * PITCH) / torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    assert torch.allclose(before, depth / torch.hypot(depth, torch.ones_like(depth)))


def test_elevations_can_be_left_out_for_comparison():
    torch.manual_seed(0)
    assert not any(
        name.startswith("stem_elevations") for name in ViFT(Architecture(elevations=False)).state_dict()
    )


def test_tokens_cover_the_image():
    assert seen(surface(), PITCH).tokens.shape == (1, 11, 48 // PATCH, 64 // PATCH)


@pytest.mark.parametrize("mixer", ["attention", "convolution"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 3])
def test_turning_the_surface_turns_the_emission_exactly(turns, mirrored, mixer):
    net = network(dtype=torch.float64, mixer=mixer)
    height = surface(48, 48, torch.float64)
    conditions = CONDITIONS.double()
    here = net(height, conditions, PITCH)
    there = net(moved(height, (turns, mirrored)), conditions, PITCH)
    mixing = np.kron(np.eye(2), turned(net.architecture.order, turns, mirrored))
    expected = moved(torch.einsum("cd,bdyx->bcyx", torch.as_tensor(mixing), here), (turns, mirrored))
    assert float(here.abs().max()) > 1e-3
    assert torch.allclose(there, expected, atol=1e-12)


def test_a_plane_is_left_to_the_local_law():
    net = network(dtype=torch.float64)
    rows, columns = torch.meshgrid(*2 * (torch.arange(64, dtype=torch.float64),), indexing="ij")
    plane = (0.9 * rows - 0.4 * columns)[None]
    assert float(net(plane, CONDITIONS.double(), PITCH).abs().max()) < 1e-12
    plane[0, 32, 32] += 1.0
    assert float(net(plane, CONDITIONS.double(), PITCH).abs().max()) > 1e-4


def test_a_map_of_features_is_the_correlation_over_the_group():
    torch.manual_seed(3)
    layer = Mix(3, 5).double()
    torch.nn.init.normal_(layer.bias)
    features = torch.randn(7, SIZE, 3, dtype=torch.float64)
    found = layer(features.flatten(1)).unflatten(1, (SIZE, 5))
    for g, row in enumerate(relative()):
        expected = layer.bias + sum(features[:, h] @ layer.weight[row[h]].T for h in range(SIZE))
        assert torch.allclose(found[:, g], expected, atol=1e-12)


def test_a_map_of_features_commutes_with_every_turn():
    torch.manual_seed(4)
    layer = Mix(2, 3).double()
    features = torch.randn(5, SIZE, 2, dtype=torch.float64)
    table = relative()
    found = layer(features.flatten(1)).unflatten(1, (SIZE, 3))
    for number in range(len(ELEMENTS)):
        # A turn g hands the copy h the features of the copy g^-1 h.
        order = table[number]
        turned_first = layer(features[:, order].flatten(1)).unflatten(1, (SIZE, 3))
        assert torch.allclose(turned_first, found[:, order], atol=1e-12)


def test_what_detectors_make_of_the_coefficients_is_worked_out_on_the_way():
    net = network(dtype=torch.float64)
    height = surface().double()
    coefficients = net(height, CONDITIONS.double(), PITCH)
    mixing = torch.randn(4, net.coefficients // 2, dtype=torch.float64)
    expected = torch.einsum("kc,bcyx->bkyx", mixing, coefficients[:, : mixing.shape[1]])
    assert torch.allclose(net(height, CONDITIONS.double(), PITCH, mixing), expected, atol=1e-12)
    with pytest.raises(ValueError, match="all 21"):
        net(height, CONDITIONS.double(), PITCH, mixing[:, :-1])
