"""The weight of the curvature prior by the evidence of the images, and the reduced chi-square."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_sem4d.cosine import dct2
from napari_sem4d.inversion.objective import Objective, State
from napari_sem4d.inversion.priors import EXPECTED_LEVEL
from napari_sem4d.inversion.spectral import SpectralHessian

_MARGIN = 0.3, 10.0
"""Prior over data of the waves that both decide,"""
_FEWEST = 300
"""and the least number of waves above the lower bound that are asked, where a strong prior decides most."""
_SURE = 1.1
"""Standard deviation of the logarithm of a curvature level that is known beforehand (a factor of three)."""
_BINS = 1000
_SPAN = 14.0
"""Natural logarithm of how far from the present weight the best one is looked for."""


def provisional_weight(hessian: SpectralHessian) -> float:
    """Weight at which prior and signals are equally strong for waves of about 5 pixels, nm^2."""
    rows, columns = hessian.height_data.shape
    index = (max(1, round(0.28 * rows)), max(1, round(0.28 * columns)))
    return float(hessian.height_data[index] / hessian.height_prior_unit[index])


def reduced_chi_square(objective: Objective, state: State, model_variance: torch.Tensor | None = None) -> float:
    """Twice the misfit over the number of signals less the freedom that the fit used up.

    Parameters
    ----------
    objective, state
        At the minimum.
    model_variance : torch.Tensor, shape (K, Y, X), optional
        Variance of the engine's own error, signal units squared: 1 then means that noise and this error explain
        the misfit; without it, that the noise alone does.
    """
    hessian = SpectralHessian.of(objective, state)
    misfit = 2 * state.misfit
    if model_variance is not None:
        weight = state.active_weight
        misfit = float((weight / (1 + weight * model_variance) * state.residual.square()).sum(dtype=torch.float64))
    return misfit / _residual_freedom(objective, hessian, _prior_over_data(hessian))


def evidence_weight(objective: Objective, state: State, model_variance: torch.Tensor | None = None) -> float:
    """Weight of the curvature prior (nm^2) that makes the images most probable.

    In the cosine basis a mode of information H and prior P under weight w has, before it is seen, the variance
    ``noise/H + 1/(w P)``. The weight that makes the modes found most probable (MacKay, Neural Computation 4, 415
    (1992): the evidence) depends on the weight under which they were found far less than the discrepancy
    principle does, and is not misled by an engine's error, which lies in long waves that hardly any weight
    touches. The level of the noise is taken from the misfit, so that a wrong noise estimate does not move the
    weight.

    Parameters
    ----------
    objective : Objective
    state : State
        The minimum at the objective's own weight, which should be a weak one.
    model_variance : torch.Tensor, shape (K, Y, X), optional
        As in :func:`reduced_chi_square`.
    """
    ratio, power, noise = _modes(objective, state, model_variance)
    best = _most_probable(_Binned.of(ratio, power), objective.priors.curvature_weight, noise)
    # In units of the data's weights, as the objective adds them: those may be off by the noise's level.
    return EXPECTED_LEVEL * noise * best


def marginal_level(objective: Objective, state: State, model_variance: torch.Tensor | None = None) -> float:
    """Mean square of the curvature, times the prior's weight, in waves that images and prior decide together.

    There the prior's pull is what heights may be off by besides the noise. Relief of even curvature has as much
    as the evidence of all waves says, smooth relief less; a weight that somebody has set has what it has. Waves
    that the images do not show cannot be judged and are taken for alike; few waves say little, and the level stays
    near the usual one.

    Parameters
    ----------
    objective, state, model_variance
        As in :func:`evidence_weight`, at a minimum under priors that treat all pixels alike.
    """
    ratio, power, noise = _modes(objective, state, model_variance)
    now = objective.priors.curvature_weight
    strength = now * ratio
    asked = strength[strength > _MARGIN[0]].sort().values
    if not asked.numel():  # a prior so weak that it pulls nothing
        return EXPECTED_LEVEL
    upper = max(_MARGIN[1], float(asked[:_FEWEST][-1]))
    shared = (strength > _MARGIN[0]) & (strength <= upper)
    modes = _Binned.of(ratio[shared], power[shared])

    def doubt(weight: float) -> float:
        return 0.5 * (math.log(now / (weight * EXPECTED_LEVEL)) / _SURE) ** 2

    return now / _most_probable(modes, now, noise, doubt)


def _modes(
    objective: Objective, state: State, model_variance: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Of every mode prior over data per unit weight, its power in units of the noise, and the noise's level."""
    hessian = SpectralHessian.of(objective, state)
    ratio = _prior_over_data(hessian)
    # What the modes would be without the prior; beyond a thousandfold the solution says nothing of them.
    power = dct2(state.height).double().square() * hessian.height_data.double()
    power = power * (1 + hessian.curvature_weight * ratio).clamp_max(1e3).square()
    # The engine's error may explain a misfit above the noise; it does not make the noise smaller than it is.
    least = min(reduced_chi_square(objective, state), 1.0)
    return ratio, power, max(reduced_chi_square(objective, state, model_variance), least, 1e-9)


def _most_probable(
    modes: _Binned, now: float, noise: float, doubt: Callable[[float], float] = lambda weight: 0.0
) -> float:
    """Inverse mean square of the curvature (nm^2) under which the modes are most probable, less a doubt."""
    weights = now * torch.exp(torch.linspace(-_SPAN, _SPAN, 561, dtype=torch.float64))
    return float(max(weights.tolist(), key=lambda weight: modes.log_evidence(weight, noise) - doubt(weight)))


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

    def log_evidence(self, weight: float, noise: float) -> float:
        """Logarithm of the modes' probability density, up to a constant."""
        variance = noise + 1.0 / (weight * self.ratio)
        return -0.5 * float((self.count * variance.log() + self.power / variance).sum())


def _prior_over_data(hessian: SpectralHessian) -> torch.Tensor:
    data = hessian.height_data.double()
    return hessian.height_prior_unit.double() / data.clamp_min(float(data.max()) * 1e-12)


def _residual_freedom(objective: Objective, hessian: SpectralHessian, ratio: torch.Tensor) -> float:
    kept = 1 / (1 + hessian.curvature_weight * ratio)
    height = float((2 * kept - kept.square()).sum())
    data_yield = float(hessian.yield_total[0, 0])
    kept_yield = data_yield / hessian.yield_total.double().clamp_min(1e-300)
    relative_yield = float((2 * kept_yield - kept_yield.square()).sum())
    return max(objective.data.count - height - relative_yield, 1.0)
