"""Steps with little memory have the derivatives of what they stand for."""

import pytest
import torch
from torch.nn.functional import conv2d, gelu, linear, pad

from napari_sem4d.surrogate.lean import convolution, even, filmed_gelu, perceptron, product


def random(*shape):
    generator = torch.Generator().manual_seed(len(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (6, 2), (2, 2)])
def test_a_convolution_repeats_borders_and_has_its_derivatives_in_both_modes(kernel, stride):
    fields, kernels, bias = random(2, 3, 8, 10), random(4, 3, kernel, kernel), random(4)
    reach = (kernel - stride) // 2
    expected = conv2d(pad(fields, (reach,) * 4, mode="replicate"), kernels, bias, stride=stride)
    assert torch.allclose(convolution(fields, kernels, bias, stride, 1), expected)
    assert torch.autograd.gradcheck(lambda *a: convolution(*a, stride, 1), (fields, kernels, bias))
    fixed = kernels.detach()
    assert torch.autograd.gradcheck(
        lambda f: convolution(f, fixed, None, stride, 1), (fields,), check_forward_ad=True
    )


def test_a_depthwise_convolution_has_its_derivatives():
    assert torch.autograd.gradcheck(
        lambda f, k: convolution(f, k, None, 1, 3), (random(1, 3, 6, 7), random(3, 1, 3, 3))
    )


def test_a_convolution_whose_kernels_are_fixed_keeps_no_fields():
    kept = []
    fields, kernels = random(1, 8, 32, 32), random(8, 8, 3, 3).detach()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t.numel()), t)[1], lambda t: t):
        convolution(fields, kernels, None, 1, 1)
    assert sum(kept) == kernels.numel()


def test_even_features_have_a_root_mean_square_of_1_and_their_derivatives_in_both_modes(monkeypatch):
    monkeypatch.setattr("napari_sem4d.surrogate.lean._TOGETHER", 31)  # a row at a time
    features = random(2, 4, 3, 5)
    found = even(features, 1e-9)
    assert torch.allclose(found.square().mean(-1), torch.ones(2, 4, 3, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda f: even(f, 1e-4), (features,), check_forward_ad=True)


@pytest.mark.parametrize("biased", [True, False])
def test_a_perceptron_is_two_maps_with_a_gelu_between_in_value_and_both_derivatives(biased, monkeypatch):
    monkeypatch.setattr("napari_sem4d.surrogate.lean._TOGETHER", 21)  # three places at a time
    features, first, second = random(2, 4, 5), random(7, 5), random(3, 7)
    biases = (random(7), random(3)) if biased else (None, None)
    expected = linear(gelu(linear(features, first, biases[0])), second, biases[1])
    assert torch.allclose(perceptron(features, first, second, *biases), expected)
    given = (features, first, second, *(b for b in biases if b is not None))
    assert torch.autograd.gradcheck(perceptron, given)
    fixed = [None if x is None else x.detach() for x in (first, second, *biases)]
    assert torch.autograd.gradcheck(lambda f: perceptron(f, *fixed), (features,), check_forward_ad=True)


def test_a_filmed_gelu_is_what_it_says_in_value_and_both_derivatives(monkeypatch):
    monkeypatch.setattr("napari_sem4d.surrogate.lean._TOGETHER", 31)
    features, scale, shift = random(2, 4, 3, 5), random(2, 5), random(2, 5)
    expected = gelu(features * scale[:, None, None] + shift[:, None, None])
    assert torch.allclose(filmed_gelu(features, scale, shift), expected)
    assert torch.autograd.gradcheck(filmed_gelu, (features, scale, shift))
    fixed = scale.detach(), shift.detach()
    assert torch.autograd.gradcheck(lambda f: filmed_gelu(f, *fixed), (features,), check_forward_ad=True)


@pytest.mark.parametrize("places", [(4, 24), (5, 7)])
def test_a_product_is_a_linear_map_however_many_places_there_are(places):
    features, matrix, offsets = random(*places, 6), random(3, 6), random(3)
    assert torch.allclose(product(features, matrix, offsets), features @ matrix.T + offsets, atol=1e-12)
    assert torch.autograd.gradcheck(product, (features, matrix, offsets), check_forward_ad=True)
