"""What every differentiable engine keeps to."""

import pytest
import torch

from napari_sem4d.cosine import dct2, frequencies, idct2
from napari_sem4d.forward.engine import DifferentiableEngine
from napari_sem4d.frames import slopes, slopes_adjoint

PIXEL_NM = 20.0


def directions(surface):
    generator = torch.Generator().manual_seed(5)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return normal(*surface.shape) * 5.0, normal(*surface.shape) * 0.1, normal(4, *surface.shape)


def point(surface):
    return surface, 1.0 + 0.2 * torch.sin(surface / 30.0)


def test_the_engine_satisfies_the_protocol(build):
    assert isinstance(build(), DifferentiableEngine)


def test_the_derivative_agrees_with_finite_differences(build, surface):
    engine = build()
    height, relative_yield = point(surface)
    d_height, d_yield, _ = directions(surface)
    step = 1e-4
    ahead = engine.expected_signals(height + step * d_height, relative_yield + step * d_yield)
    behind = engine.expected_signals(height - step * d_height, relative_yield - step * d_yield)
    expected = (ahead - behind) / (2 * step)
    actual = engine.linearise(height, relative_yield).jvp(d_height, d_yield)
    assert float((actual - expected).norm() / expected.norm()) < 1e-6


def test_vjp_is_the_adjoint_of_jvp(build, surface):
    linearisation = build().linearise(*point(surface))
    d_height, d_yield, weights = directions(surface)
    forwards = float((linearisation.jvp(d_height, d_yield) * weights).sum())
    to_height, to_yield = linearisation.vjp(weights)
    backwards = float((to_height * d_height).sum() + (to_yield * d_yield).sum())
    assert abs(forwards - backwards) < 1e-10 * abs(forwards)


def test_a_point_keeps_its_derivative_when_others_come_after_it(build, surface):
    engine = build()
    _, _, weights = directions(surface)
    height = surface.clone()
    first = engine.linearise(height, torch.ones_like(height))
    at_once, again = (first.vjp(weights)[0] for _ in range(2))
    other = engine.linearise(2.0 * height, torch.ones_like(height)).vjp(weights)[0]
    height += 3.0 * surface  # a caller may use its array again
    later = first.vjp(weights)[0]
    assert not torch.allclose(other, at_once, rtol=1e-3)
    for found in (again, later):
        assert torch.allclose(found, at_once, rtol=1e-12)


def test_the_linearisation_holds_the_signals_of_its_point(build, surface):
    engine = build()
    signals = engine.linearise(*point(surface)).signals
    assert torch.allclose(signals, engine.expected_signals(*point(surface)), rtol=1e-12)


def test_autograd_gives_the_same_gradient_as_vjp(build, surface):
    engine = build()
    _, _, weights = directions(surface)
    height, relative_yield = (t.clone().requires_grad_() for t in point(surface))
    (engine.expected_signals(height, relative_yield) * weights).sum().backward()
    to_height, to_yield = engine.linearise(*point(surface)).vjp(weights)
    assert torch.allclose(height.grad, to_height, rtol=1e-9, atol=1e-12)
    assert torch.allclose(relative_yield.grad, to_yield, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine_name", ["local"], indirect=True)
def test_the_local_normal_operator_is_vjp_of_weighted_jvp_where_no_pixel_acts_on_another(build, surface):
    axis = torch.arange(40, dtype=torch.float64) - 17.0
    plane = 8.0 * axis[:, None] - 5.0 * axis[None, :]
    linearisation = build().linearise(*point(plane))
    d_height, d_yield, weights = directions(surface)
    weight = weights.abs() + 0.1
    product = linearisation.local_normal_operator(weight)(d_height, d_yield)
    expected = linearisation.vjp(weight * linearisation.jvp(d_height, d_yield))
    for a, b in zip(product, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_the_local_normal_operator_is_the_information_behind_slopes_and_contrast_transfer(build, surface):
    linearisation = build().linearise(*point(surface))
    d_height, d_yield, weights = directions(surface)
    weight = weights.abs() + 0.1
    pp, qq, yy, pq, py, qy = linearisation.information(weight)
    frequency = frequencies((40, 40), d_height)
    share, brightening = linearisation.slope_share(frequency), linearisation.brightening(frequency)
    p, q = slopes(idct2(share * dct2(d_height)), PIXEL_NM)
    shown = d_yield + idct2(brightening * dct2(d_height))
    behind = slopes_adjoint(pp * p + pq * q + py * shown, pq * p + qq * q + qy * shown, PIXEL_NM)
    to_yield = py * p + qy * q + yy * shown
    to_height = idct2(share * dct2(behind) + brightening * dct2(to_yield))
    product = linearisation.local_normal_operator(weight)(d_height, d_yield)
    for a, b in zip(product, (to_height, to_yield), strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_the_information_on_yield_is_whole_on_any_surface(build, surface):
    """A pixel's yield acts on its own signals alone, so that there the local part is all there is."""
    linearisation = build().linearise(*point(surface))
    _, d_yield, weights = directions(surface)
    weight = weights.abs() + 0.1
    nothing = torch.zeros_like(d_yield)
    _, expected = linearisation.vjp(weight * linearisation.jvp(nothing, d_yield))
    _, product = linearisation.local_normal_operator(weight)(nothing, d_yield)
    assert torch.allclose(product, expected, rtol=1e-9, atol=1e-12)


def test_the_local_normal_operator_is_symmetric_and_positive(build, surface):
    linearisation = build().linearise(*point(surface))
    d_height, d_yield, weights = directions(surface)
    product = linearisation.local_normal_operator(weights.abs() + 0.1)
    one, other = (d_height, d_yield), (weights[0] * 5.0, weights[1] * 0.1)

    def dot(a, b):
        return sum(float((x * y).sum()) for x, y in zip(a, b, strict=True))

    assert abs(dot(other, product(*one)) - dot(one, product(*other))) < 1e-10 * dot(one, product(*one))
    assert dot(one, product(*one)) > 0


def test_information_is_positive_semidefinite(build, surface):
    linearisation = build().linearise(*point(surface))
    pp, qq, yy, pq, py, qy = linearisation.information(torch.ones(4, *surface.shape, dtype=torch.float64))
    matrix = torch.stack([pp, pq, py, pq, qq, qy, py, qy, yy], dim=-1).reshape(*surface.shape, 3, 3)
    lowest = torch.linalg.eigvalsh(matrix)[..., 0]
    assert float(lowest.min()) > -1e-12 * float(matrix.abs().max())
