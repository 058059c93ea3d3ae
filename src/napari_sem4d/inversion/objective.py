"""The objective of one frame: noise-weighted misfit of the signals plus priors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from napari_sem4d.forward.engine import DifferentiableEngine, Linearisation
from napari_sem4d.inversion.priors import Priors


@dataclass(frozen=True)
class FrameData:
    """The images of one frame as the solver needs them.

    Attributes
    ----------
    signals : torch.Tensor, shape (K, Y, X)
        Measured signals (finite everywhere; where the weight is zero the value does not matter).
    weight : torch.Tensor, shape (K, Y, X)
        Inverse variance of the noise; zero for masked pixels.
    censored : torch.Tensor, shape (K, Y, X), bool
        Saturated pixels: the true signal is at or above the measured one.
    """

    signals: torch.Tensor
    weight: torch.Tensor
    censored: torch.Tensor

    @property
    def count(self) -> int:
        """Number of signals that are neither masked nor saturated."""
        return int(((self.weight > 0) & ~self.censored).sum())


@dataclass(frozen=True)
class Fit:
    """Signals beside the images at one point, whatever the priors.

    Attributes
    ----------
    linearisation : Linearisation
    residual, active_weight : torch.Tensor, shape (K, Y, X)
        Their product is the misfit's slope by the expected signals.
    misfit : float
    """

    linearisation: Linearisation
    residual: torch.Tensor
    active_weight: torch.Tensor
    misfit: float

    @cached_property
    def gradient(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the misfit with respect to height and relative yield; worked out once."""
        return self.linearisation.vjp(self.active_weight * self.residual, keep=False)


@dataclass(frozen=True)
class State:
    """Height (nm) and relative yield of one frame, both of shape (Y, X), with the engine linearised there."""

    height: torch.Tensor
    relative_yield: torch.Tensor
    fit: Fit
    objective: float

    @property
    def linearisation(self) -> Linearisation:
        """The engine at this point."""
        return self.fit.linearisation

    @property
    def residual(self) -> torch.Tensor:
        """Expected less measured signals, shape (K, Y, X)."""
        return self.fit.residual

    @property
    def active_weight(self) -> torch.Tensor:
        """What each signal counts at this point, shape (K, Y, X)."""
        return self.fit.active_weight

    @property
    def misfit(self) -> float:
        """The objective without the priors."""
        return self.fit.misfit


@dataclass(frozen=True)
class Objective:
    """``1/2 sum(weight (signal - expected)^2) + priors`` as a function of height and relative yield."""

    engine: DifferentiableEngine
    data: FrameData
    priors: Priors

    def with_priors(self, priors: Priors) -> Objective:
        """The same data under other priors."""
        return replace(self, priors=priors)

    def at(self, height: torch.Tensor, relative_yield: torch.Tensor) -> State:
        """Evaluate and linearise at a point."""
        return self._state(height, relative_yield, self._fit(self.engine.linearise(height, relative_yield)))

    def again(self, state: State) -> State:
        """The state under this objective's priors, without another evaluation of the engine."""
        return self._state(state.height, state.relative_yield, state.fit)

    def gradient(self, state: State) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradient with respect to height and relative yield."""
        to_height, to_yield = state.fit.gradient
        prior_height, prior_yield = self.priors.apply(state.height, state.relative_yield)
        return to_height + prior_height, to_yield + prior_yield

    def _fit(self, linearisation: Linearisation) -> Fit:
        residual = linearisation.signals - self.data.signals
        weight = self.data.weight
        censored = self.data.censored & (weight > 0)
        saturated = 0.0
        if bool(censored.any()):
            residual, weight, saturated = _censor(residual, weight, censored)
        uncensored = torch.where(censored, 0.0, weight)
        misfit = saturated + 0.5 * float((uncensored * residual * residual).sum(dtype=torch.float64))
        return Fit(linearisation, residual, weight, misfit)

    def _state(self, height: torch.Tensor, relative_yield: torch.Tensor, fit: Fit) -> State:
        return State(height, relative_yield, fit, fit.misfit + self.priors.value(height, relative_yield))


def _censor(
    residual: torch.Tensor, weight: torch.Tensor, censored: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Residuals and weights with which Gauss-Newton steps follow the likelihood of saturated pixels.

    A saturated pixel says that signal plus noise reached the limit: with z = (limit - expected)/sigma its
    misfit is ``-log Q(z)``, Q the normal upper tail (Tobin, Econometrica 26, 24, 1958). With lambda = phi/Q the
    misfit has the slope ``-lambda/sigma`` and the curvature ``lambda (lambda - z)/sigma^2`` in the expected
    signal.

    Returns
    -------
    residual, weight : torch.Tensor, shape (K, Y, X)
        Whose product is the misfit's slope, and whose weight is its curvature.
    float
        Misfit of the saturated pixels.
    """
    root = weight[censored].sqrt()
    z = (-residual[censored] * root).clamp_max(30.0)
    log_tail = torch.special.log_ndtr(-z.double())
    hazard = torch.exp(-0.5 * z.double().square() - log_tail) / math.sqrt(2 * math.pi)
    excess = (hazard - z).clamp_min(1e-12)
    residual, new_weight = residual.clone(), weight.clone()
    residual[censored] = (-1.0 / excess).to(residual.dtype) / root
    new_weight[censored] = weight[censored] * (hazard * excess).to(weight.dtype)
    return residual, new_weight, -float(log_tail.sum())
