"""The weight of the curvature prior by the discrepancy principle, and the reduced chi-square."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from napari_sem4d.inversion.cosine import dct2
from napari_sem4d.inversion.objective import Objective, State
from napari_sem4d.inversion.spectral import SpectralHessian

# The prior may add to the misfit this share of the noise that the height is left with.
_BIAS_SHARE = 0.03
_BINS = 1000


def provisional_weight(hessian: SpectralHessian) -> float:
    """Weight at which prior and signals are equally strong for waves of about 5 pixels, nm^2."""
    rows, columns = hessian.height_data.shape
    index = (max(1, round(0.28 * rows)), max(1, round(0.28 * columns)))
    return float(hessian.height_data[index] / hessian.height_prior_unit[index])


def reduced_chi_square(objective: Objective, state: State) -> float:
    """Twice the misfit over the number of signals less the freedom that the fit used up; 1 = noise only."""
    hessian = SpectralHessian.of(objective, state)
    ratio = _prior_over_data(hessian)
    return 2 * state.misfit / _residual_freedom(objective, hessian, ratio, hessian.curvature_weight)


def discrepancy_weight(objective: Objective, state: State) -> float:
    """Largest weight (nm^2) at which the reduced chi-square is still that of the noise.

    In the cosine basis a mode of information H and prior P under weight w is shrunk by ``H/(H + w P)``, so one
    solution tells the misfit at every weight. Morozov's principle (Hansen, Rank-Deficient and Discrete
    Ill-Posed Problems, SIAM 1998, section 7.2) with the freedom of the fit counted: the weight is raised until
    the prior adds a small share of the height's own noise to the misfit. The level of the noise is taken from the
    misfit itself, so that neither a wrong noise estimate nor a model that does not quite fit moves the weight.

    Parameters
    ----------
    objective : Objective
    state : State
        The minimum at the objective's own weight.
    """
    hessian = SpectralHessian.of(objective, state)
    ratio = _prior_over_data(hessian)
    now = hessian.curvature_weight
    # What the modes would be without the prior; beyond a thousandfold the solution says nothing of them.
    power = dct2(state.height).double().square() * hessian.height_data.double()
    power = power * (1 + now * ratio).clamp_max(1e3).square()
    modes = _Binned.of(ratio, power)
    free = 2 * state.misfit - float((modes.shrunk(now) * modes.power).sum())
    noise = max(free, 0.0) / _residual_freedom(objective, hessian, ratio, 0.0)

    def excess(log_weight: float) -> float:
        weight = math.exp(log_weight)
        shrunk = modes.shrunk(weight)
        bias = float((shrunk * (modes.power - noise * modes.count)).sum())
        kept = float((modes.count / (1 + weight * modes.ratio)).sum())
        # The power of every mode scatters by sqrt(2) of the noise: a bias must stand out from that.
        scatter = math.sqrt(2 * float((shrunk.square() * modes.count).sum()))
        return bias - noise * (_BIAS_SHARE * kept + scatter)

    lowest, highest = math.log(now) - 14.0, math.log(now) + 14.0
    for _ in range(40):
        middle = 0.5 * (lowest + highest)
        if excess(middle) < 0:
            lowest = middle
        else:
            highest = middle
    return math.exp(0.5 * (lowest + highest))


@dataclass(frozen=True)
class _Binned:
    """Modes summed in narrow bins of prior over data, so that a weight is judged at once."""

    ratio: torch.Tensor
    power: torch.Tensor
    count: torch.Tensor

    @classmethod
    def of(cls, ratio: torch.Tensor, power: torch.Tensor) -> _Binned:
        log_ratio = ratio.clamp_min(1e-300).log().flatten()
        # Modes below the lowest edge (the mean plane) carry no prior: their own bin changes nothing.
        edges = torch.linspace(
            max(float(log_ratio.max()) - 46.0, float(log_ratio.min())), float(log_ratio.max()), _BINS + 1
        ).to(log_ratio)
        where = torch.bucketize(log_ratio, edges[1:-1])
        centre = (0.5 * (edges[1:] + edges[:-1])).exp()
        one = torch.ones_like(log_ratio)
        blank = torch.zeros(_BINS, dtype=torch.float64, device=ratio.device)
        return cls(centre, blank.index_add(0, where, power.flatten()), blank.index_add(0, where, one))

    def shrunk(self, weight: float) -> torch.Tensor:
        """Share of each mode's power that the prior takes away at a weight."""
        return (weight * self.ratio / (1 + weight * self.ratio)).square()


def _prior_over_data(hessian: SpectralHessian) -> torch.Tensor:
    data = hessian.height_data.double()
    return hessian.height_prior_unit.double() / data.clamp_min(float(data.max()) * 1e-12)


def _residual_freedom(objective: Objective, hessian: SpectralHessian, ratio: torch.Tensor, weight: float) -> float:
    kept = 1 / (1 + weight * ratio)
    height = float((2 * kept - kept.square()).sum())
    data_yield = float(hessian.yield_total[0, 0])
    kept_yield = data_yield / hessian.yield_total.double().clamp_min(1e-300)
    relative_yield = float((2 * kept_yield - kept_yield.square()).sum())
    return max(objective.data.count - height - relative_yield, 1.0)
