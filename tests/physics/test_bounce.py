"""Horizons, and what they do to signals."""

import numpy as np
import pytest
import torch

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.physics.bounce import BounceTerm, total_yield
from napari_sem4d.physics.horizon import CoarseGrid, azimuths
from napari_sem4d.physics.local_law import AnalyticLaw

QUADRANTS = tuple(
    Segment(name=n, polar_deg=(15, 60), azimuth_deg=(a - 45, a + 45))
    for n, a in (("right", 0), ("top", 90), ("left", 180), ("bottom", 270))
)


@pytest.fixture(scope="module")
def term():
    return BounceTerm(QUADRANTS, lambda threshold: AnalyticLaw(0.32, 0.72, threshold / 10.0))


def rough(rows=30, columns=34, slope=0.6):
    height = np.random.default_rng(2).normal(size=(rows, columns))
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(rows), np.fft.fftfreq(columns), indexing="ij"))
    height = np.fft.ifft2(np.fft.fft2(height) * np.exp(-((k / 0.1) ** 2))).real
    return torch.as_tensor(height * slope / np.hypot(*np.gradient(height)).mean())


def groove(slope=1.0):
    x = np.abs(np.arange(64) - 31.5)
    return torch.as_tensor(np.repeat(slope * np.minimum(x, 16.0)[None, :], 64, axis=0))


def test_each_of_many_segments_gets_what_it_gets_alone():
    many = tuple(
        Segment(name=f"S{i}", polar_deg=(10 + i, 60), azimuth_deg=(20 * i - 30, 20 * i + 30)) for i in range(18)
    )
    law = AnalyticLaw(0.32, 0.72, 0.0)
    height = rough()
    _, together = BounceTerm(many, lambda _: law)(height, 1.0)
    for i in (0, 7, 8, 17):  # around the borders of what is carried together
        _, alone = BounceTerm(many[i : i + 1], lambda _: law)(height, 1.0)
        # The mean rise of all segments enters the even part, so that a lone segment agrees nearly.
        assert together[i].numpy() == pytest.approx(alone[0].numpy(), abs=0.03 * float(together[i].max()))


def test_a_given_pitch_makes_the_shadows_of_a_part_those_of_the_whole():
    height = rough(200, 200, slope=0.8)
    whole, part = height, height[40:160, 40:160]
    inner = slice(30, 90)
    differences = []
    for pitch in (4.0, None):
        term = BounceTerm(QUADRANTS, lambda threshold: AnalyticLaw(0.32, 0.72, threshold / 10.0), pitch)
        large, small = (term(h, 1.0)[0] for h in (whole, part))
        difference = large[:, 40:160, 40:160][:, inner, inner] - small[:, inner, inner]
        differences.append(float(difference.square().mean().sqrt()))
    # By default a map of 200 x 200 is coarsened and one of 120 x 120 is not.
    assert differences[0] < 0.002 < 0.01 < differences[1]


def test_sectors_fill_the_turn_and_opposite_azimuths_mirror_one_another():
    for count in (8, 16):
        found = azimuths(count)
        assert sum(width for _, width in found) == pytest.approx(2 * np.pi)
        steps = {(a.right, a.up) for a, _ in found}
        assert steps == {(-r, u) for r, u in steps} == {(u, r) for r, u in steps}


@pytest.mark.parametrize("factor", [1, 2, 3, 5, 2.6])
def test_resampling_keeps_planes(factor):
    shape = (31, 44)
    y, x = np.mgrid[0:31, 0:44].astype(float)
    plane = torch.as_tensor(0.7 * x - 0.4 * y)
    grid = CoarseGrid(shape, factor, torch.float64, "cpu")
    coarse = grid.down(plane)
    assert torch.allclose(torch.diff(coarse, dim=1), torch.tensor(0.7 * factor, dtype=torch.float64))
    assert torch.allclose(grid.up(coarse), plane)


@pytest.mark.parametrize("factor", [1, 3, 2.6])
def test_resampling_backwards_is_the_adjoint(factor):
    grid = CoarseGrid((31, 44), factor, torch.float64, "cpu")
    generator = torch.Generator().manual_seed(1)
    fine = torch.randn(31, 44, generator=generator, dtype=torch.float64).requires_grad_()
    coarse = grid.down(fine)
    weights = torch.randn(coarse.shape, generator=generator, dtype=torch.float64)
    (back,) = torch.autograd.grad(coarse, fine, weights)
    assert float((coarse * weights).sum()) == pytest.approx(float((fine * back).sum()), rel=1e-12)


def test_a_plane_neither_shadows_nor_shines_on_itself(term):
    y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (30, 41)), indexing="ij")
    visible, bounced = term(0.9 * x - 0.7 * y, 1.0)
    assert float((visible - 1).abs().max()) < 1e-9
    assert float(bounced.abs().max()) < 1e-9


def test_the_term_is_free_of_scale(term):
    visible, bounced = term(rough(), 1.0)
    for a, b in zip((visible, bounced), term(rough() * 250.0, 250.0), strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_groove_brightens_and_its_depth_is_shadowed(term):
    shallow, steep = term(groove(0.5), 1.0), term(groove(3.0), 1.0)
    inside = np.s_[32, 24:40]
    assert float(steep[1][:, *inside].mean()) > 2 * float(shallow[1][:, *inside].mean()) > 0
    # The facet on the left of the bottom faces right: what it sends to the right meets the other facet.
    assert float(steep[0][0, 32, 28]) < 0.5
    assert float(shallow[0][0, 32, 28]) > 0.99


def test_no_more_bounces_than_was_emitted(term):
    _, bounced = term(groove(2.0), 1.0)
    most = total_yield(AnalyticLaw(0.32, 0.72), np.array([0.05]))[0]
    assert float(bounced.min()) >= 0
    assert float(bounced.sum(0).max()) < most**2 / (1 - most)


def test_both_derivatives_agree_with_finite_differences(term):
    height = rough()
    generator = torch.Generator().manual_seed(4)
    change = torch.randn(height.shape, generator=generator, dtype=torch.float64)
    step = 1e-5
    ahead, behind = term(height + step * change, 1.0), term(height - step * change, 1.0)
    derivative = torch.func.jvp(lambda h: term(h, 1.0), (height,), (change,))[1]
    leaf = height.clone().requires_grad_()
    results = term(leaf, 1.0)
    weights = [torch.randn(r.shape, generator=generator, dtype=torch.float64) for r in results]
    (back,) = torch.autograd.grad(results, leaf, weights)
    for a, b, d in zip(ahead, behind, derivative, strict=True):
        assert float(((a - b) / (2 * step) - d).norm()) < 1e-5 * float(d.norm())
    forwards = sum(float((d * w).sum()) for d, w in zip(derivative, weights, strict=True))
    assert forwards == pytest.approx(float((back * change).sum()), rel=1e-9)
