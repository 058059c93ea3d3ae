"""The objective's Hessian seen in the cosine basis: preconditioner, prior weight and height error."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from napari_sem4d.cosine import angular_frequencies, dct2, frequencies, idct2
from napari_sem4d.inversion.objective import Objective, State
from napari_sem4d.inversion.priors import laplacian_symbol


@dataclass(frozen=True)
class SpectralHessian:
    """The Hessian in the cosine basis, from the information of a mean pixel: a 2 x 2 matrix for every mode.

    Attributes
    ----------
    height_data, height_prior_unit : torch.Tensor, shape (Y, X)
        Information of the signals about each height mode (1/nm^2), and the curvature form per unit weight
        (1/nm^4).
    yield_total : torch.Tensor, shape (Y, X)
        Information of the signals and of the prior about each mode of relative yield.
    coupling : torch.Tensor, shape (Y, X)
        The element between the modes of height and of yield, 1/nm: crests that shine look like yield.
    coupling_squared : torch.Tensor, shape (Y, X)
        Its mean square with that of slopes, whose sign changes from pixel to pixel, 1/nm^2.
    curvature_weight : float
        nm^2.
    """

    height_data: torch.Tensor
    height_prior_unit: torch.Tensor
    yield_total: torch.Tensor
    coupling: torch.Tensor
    coupling_squared: torch.Tensor
    curvature_weight: float

    @classmethod
    def of(cls, objective: Objective, state: State) -> SpectralHessian:
        """Build from the local information at a state."""
        line = state.linearisation
        information = line.information(state.active_weight)
        pp, qq, yy = (float(x) for x in information[:3].mean(dim=(1, 2), dtype=torch.float64))
        squares = information[4:].square().mean(dim=(1, 2), dtype=torch.float64)
        shape = (state.height.shape[0], state.height.shape[1])
        like = state.height
        ky, kx = angular_frequencies(shape, like.dtype, like.device)
        frequency = frequencies(shape, like)
        per_area = 1.0 / objective.priors.pixel_nm**2
        left = line.slope_share(frequency).square() * per_area
        sin_x, sin_y = left * torch.sin(kx).square(), left * torch.sin(ky).square()
        brightening = line.brightening(frequency)
        coupling = yy * brightening
        return cls(
            height_data=pp * sin_x + qq * sin_y + coupling * brightening,
            height_prior_unit=objective.priors.curvature_symbol(shape, like),
            yield_total=yy + objective.priors.yield_weight * laplacian_symbol(shape, like),
            coupling=coupling,
            coupling_squared=coupling.square() + float(squares[0]) * sin_x + float(squares[1]) * sin_y,
            curvature_weight=objective.priors.curvature_weight,
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
        height = self.height_total
        relative_yield = self.yield_total.clamp_min(max(float(self.yield_total.max()) * 1e-9, 1e-30))
        determinant = height * relative_yield - self.coupling.square()
        found = Preconditioner(relative_yield / determinant, height / determinant, -self.coupling / determinant)
        found.height[0, 0] = 0.0  # the mean height changes nothing
        return found


@dataclass(frozen=True)
class Preconditioner:
    """A symmetric 2 x 2 matrix for every mode of the cosine basis, on height and relative yield."""

    height: torch.Tensor
    relative_yield: torch.Tensor
    coupling: torch.Tensor

    def __call__(self, height: torch.Tensor, relative_yield: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Apply to a pair of fields of shape (Y, X)."""
        h, y = dct2(torch.stack([height, relative_yield]))
        found = torch.stack([self.height * h + self.coupling * y, self.relative_yield * y + self.coupling * h])
        back = idct2(found)
        return back[0], back[1]
