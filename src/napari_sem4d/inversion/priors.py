"""What is assumed of height and relative yield before the images are seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch.nn.functional import avg_pool2d, pad

from napari_sem4d.cosine import angular_frequencies

EXPECTED_LEVEL = 1 / 3
"""Mean square of the curvature that the images call for, in units of what the prior's weight stands for. Relief is
gathered in edges, where the prior bites harder, so that its weight is chosen a third of what the evidence gives:
with it smooth relief is at most 5 % noisier."""
EDGE_LEVEL = 0.6
"""The same up to which a pixel counts in full; where it bends more, its share falls with the square of the
excess."""


@dataclass(frozen=True)
class Priors:
    """A prior on the curvature of height and one on the gradient of relative yield, both quadratic.

    ``1/2 curvature_weight * sum(share (h_xx^2 + 2 h_xy^2 + h_yy^2))`` with derivatives in 1/nm, taken inside the
    image only, so that every plane is free; ``1/2 yield_weight * sum(|difference of neighbouring pixels|^2)``,
    which leaves the mean yield (the frame's common gain) free.

    Attributes
    ----------
    curvature_weight : float
        nm^2: the inverse square of the curvature (1/nm) that is expected of a pixel.
    yield_weight : float
        Inverse square of the expected change of relative yield from pixel to pixel.
    pixel_nm : float
        Edge of a pixel, nm.
    share : torch.Tensor, shape (Y, X), optional
        What the curvature of each pixel counts; less than 1 at edges. Without it 1 everywhere.
    curvature_level : float
        Mean square of the curvature that is expected, times the weight. It says nothing of where the minimum
        lies, but how far the prior may have pulled it.
    """

    curvature_weight: float
    yield_weight: float
    pixel_nm: float
    share: torch.Tensor | None = None
    curvature_level: float = EXPECTED_LEVEL

    def with_curvature_weight(self, weight: float) -> Priors:
        """The same with another weight of the curvature prior, nm^2."""
        return replace(self, curvature_weight=weight)

    def with_share(self, share: torch.Tensor | None) -> Priors:
        """The same with another share of the pixels."""
        return replace(self, share=share)

    def with_curvature_level(self, level: float) -> Priors:
        """The same with another curvature that is expected."""
        return replace(self, curvature_level=level)

    def pull_variance(self, share: torch.Tensor) -> torch.Tensor:
        """Variance of the prior's pull on the curvature of pixels of a share, over the weight.

        The pull is weight x share x curvature. Pixels in full have the curvature that is expected; those of edges
        have more, by what their share fell for (:func:`~napari_sem4d.inversion.edges.edge_share`).
        """
        return share.square() * (self.curvature_level + EDGE_LEVEL * (share.rsqrt() - 1.0))

    def value(self, height: torch.Tensor, relative_yield: torch.Tensor) -> float:
        """Half the quadratic forms."""
        both = zip(self._curvatures(height), self._shares(height), (1, 1, 2), strict=True)
        bend = sum(factor * float((s * c * c).sum(dtype=torch.float64)) for c, s, factor in both)
        rough = sum(
            float((d * d).sum(dtype=torch.float64))
            for d in (torch.diff(relative_yield, dim=0), torch.diff(relative_yield, dim=1))
        )
        return 0.5 * (self.curvature_weight * bend + self.yield_weight * rough)

    def apply(self, height: torch.Tensor, relative_yield: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Product with the priors' Hessian, which is also their gradient."""
        h_xx, h_yy, h_xy = self._curvatures(height)
        s_xx, s_yy, s_xy = self._shares(height)
        w, v = self.curvature_weight, self.yield_weight
        to_height = self._curvatures_adjoint(h_xx * (w * s_xx), h_yy * (w * s_yy), h_xy * (2 * w * s_xy))
        d_y, d_x = torch.diff(relative_yield, dim=0), torch.diff(relative_yield, dim=1)
        return to_height, _differences_adjoint(d_y * v, d_x * v)

    def sample_gradient(
        self, shape: tuple[int, int], generator: torch.Generator, like: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw what the priors may have pulled with (for posterior draws): their gradient at surfaces as expected.

        That of the yield has the prior's Hessian as covariance; that of the height has the curvature that is
        expected (:meth:`pull_variance`), which the weight overstates on purpose.
        """

        def normal(rows: int, columns: int) -> torch.Tensor:
            return torch.randn(rows, columns, generator=generator, dtype=like.dtype).to(like.device)

        rows, columns = shape
        s_xx, s_yy, s_xy = (self.pull_variance(s).sqrt() for s in self._shares(like))
        w, v = self.curvature_weight**0.5, self.yield_weight**0.5
        to_height = self._curvatures_adjoint(
            normal(rows, columns - 2) * (w * s_xx),
            normal(rows - 2, columns) * (w * s_yy),
            normal(rows - 1, columns - 1) * (w * 2**0.5 * s_xy),
        )
        return to_height, _differences_adjoint(normal(rows - 1, columns) * v, normal(rows, columns - 1) * v)

    def curvature_symbol(self, shape: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
        """Eigenvalues of the curvature form per unit weight in the cosine basis, 1/nm^4.

        Borders and the pixels' shares are neglected.
        """
        laplacian = laplacian_symbol(shape, like)
        return (laplacian / self.pixel_nm**2) ** 2

    def squared_curvature(self, height: torch.Tensor) -> torch.Tensor:
        """Square of the curvature, ``h_xx^2 + 2 h_xy^2 + h_yy^2``, of every pixel, 1/nm^2, shape (Y, X)."""
        h_xx, h_yy, h_xy = (c.square()[None, None] for c in self._curvatures(height))
        along_x = pad(h_xx, (1, 1, 0, 0), mode="replicate")
        along_y = pad(h_yy, (0, 0, 1, 1), mode="replicate")
        twist = avg_pool2d(pad(h_xy, (1, 1, 1, 1), mode="replicate"), 2, 1)
        return (along_x + along_y + 2.0 * twist)[0, 0]

    def _shares(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Shares of the three curvatures, each where that curvature is."""
        if self.share is None:
            one = like.new_ones(())
            return one, one, one
        return self.share[:, 1:-1], self.share[1:-1], avg_pool2d(self.share[None, None], 2, 1)[0, 0]

    def _curvatures(self, height: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        per_area = 1.0 / self.pixel_nm**2
        h_xx = (height[:, 2:] - 2 * height[:, 1:-1] + height[:, :-2]) * per_area
        h_yy = (height[2:] - 2 * height[1:-1] + height[:-2]) * per_area
        h_xy = (height[1:, 1:] - height[1:, :-1] - height[:-1, 1:] + height[:-1, :-1]) * per_area
        return h_xx, h_yy, h_xy

    def _curvatures_adjoint(self, h_xx: torch.Tensor, h_yy: torch.Tensor, h_xy: torch.Tensor) -> torch.Tensor:
        out = h_xx.new_zeros((h_xx.shape[0], h_yy.shape[1]))
        _add_second_adjoint(out, h_xx, 1)
        _add_second_adjoint(out, h_yy, 0)
        out[1:, 1:] += h_xy
        out[:-1, :-1] += h_xy
        out[1:, :-1] -= h_xy
        out[:-1, 1:] -= h_xy
        return out / self.pixel_nm**2


def laplacian_symbol(shape: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
    """Eigenvalues of minus the five-point Laplacian in the cosine basis, per pixel squared, shape (Y, X)."""
    ky, kx = angular_frequencies(shape, like.dtype, like.device)
    return (2 - 2 * torch.cos(ky)) + (2 - 2 * torch.cos(kx))


def _add_second_adjoint(out: torch.Tensor, weight: torch.Tensor, dim: int) -> None:
    n = out.shape[dim]
    out.narrow(dim, 2, n - 2).add_(weight)
    out.narrow(dim, 1, n - 2).sub_(weight, alpha=2)
    out.narrow(dim, 0, n - 2).add_(weight)


def _differences_adjoint(d_y: torch.Tensor, d_x: torch.Tensor) -> torch.Tensor:
    out = d_y.new_zeros((d_x.shape[0], d_y.shape[1]))
    out[1:] += d_y
    out[:-1] -= d_y
    out[:, 1:] += d_x
    out[:, :-1] -= d_x
    return out
