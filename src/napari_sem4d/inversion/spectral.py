"""The objective's Hessian seen in the cosine basis: preconditioner, prior weight and height error."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from napari_sem4d.inversion.cosine import angular_frequencies, dct2, idct2
from napari_sem4d.inversion.objective import Objective, State
from napari_sem4d.inversion.priors import laplacian_symbol


@dataclass(frozen=True)
class SpectralHessian:
    """Diagonal approximation of the Hessian in the cosine basis, from the information of a mean pixel.

    Attributes
    ----------
    height_data, height_prior_unit : torch.Tensor, shape (Y, X)
        Information of the signals about each height mode (1/nm^2), and the curvature form per unit weight
        (1/nm^4).
    yield_total : torch.Tensor, shape (Y, X)
        Information of the signals and of the prior about each mode of relative yield.
    coupling_squared : torch.Tensor, shape (Y, X)
        Mean square of the element that couples height and yield modes.
    curvature_weight : float
        nm^2.
    """

    height_data: torch.Tensor
    height_prior_unit: torch.Tensor
    yield_total: torch.Tensor
    coupling_squared: torch.Tensor
    curvature_weight: float

    @classmethod
    def of(cls, objective: Objective, state: State) -> SpectralHessian:
        """Build from the local information at a state."""
        information = state.linearisation.information(state.active_weight)
        pp, qq, yy = (float(x) for x in information[:3].mean(dim=(1, 2), dtype=torch.float64))
        squares = information[4:].square().mean(dim=(1, 2), dtype=torch.float64)
        shape = (state.height.shape[0], state.height.shape[1])
        like = state.height
        ky, kx = angular_frequencies(shape, like.dtype, like.device)
        per_area = 1.0 / objective.priors.pixel_nm**2
        sin_x, sin_y = torch.sin(kx).square() * per_area, torch.sin(ky).square() * per_area
        unit = objective.priors.curvature_symbol(shape, like)
        yield_total = yy + objective.priors.yield_weight * laplacian_symbol(shape, like)
        left = state.linearisation.attenuation((ky.square() + kx.square()).sqrt()).square()
        coupling = left * (float(squares[0]) * sin_x + float(squares[1]) * sin_y)
        return cls(
            left * (pp * sin_x + qq * sin_y), unit, yield_total, coupling, objective.priors.curvature_weight
        )

    @property
    def height_total(self) -> torch.Tensor:
        """Information of signals and prior about each height mode, 1/nm^2; never zero."""
        total = self.height_data + self.curvature_weight * self.height_prior_unit
        return total.clamp_min(float(total.max()) * 1e-12)

    def height_information(self) -> torch.Tensor:
        """Information of the signals about each height mode, yield being unknown too, 1/nm^2."""
        return (self.height_data - self.coupling_squared / self.yield_total.clamp_min(1e-30)).clamp_min(
            float(self.height_data.max()) * 1e-12
        )

    def preconditioner(self) -> Preconditioner:
        """The inverse, as an operator on pixels."""
        height = 1.0 / self.height_total
        height[0, 0] = 0.0  # the mean height changes nothing
        floor = float(self.yield_total.max()) * 1e-9
        return Preconditioner(height, 1.0 / self.yield_total.clamp_min(max(floor, 1e-30)))


@dataclass(frozen=True)
class Preconditioner:
    """Division by a diagonal in the cosine basis, for height and relative yield."""

    height: torch.Tensor
    relative_yield: torch.Tensor

    def __call__(self, height: torch.Tensor, relative_yield: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Apply to a pair of fields of shape (Y, X)."""
        return idct2(dct2(height) * self.height), idct2(dct2(relative_yield) * self.relative_yield)
