"""The objective of one frame: noise-weighted misfit of the signals plus priors."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
class State:
    """Height (nm) and relative yield of one frame, both of shape (Y, X), with the engine linearised there."""

    height: torch.Tensor
    relative_yield: torch.Tensor
    linearisation: Linearisation
    residual: torch.Tensor
    active_weight: torch.Tensor
    misfit: float
    objective: float


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
        return self._state(height, relative_yield, self.engine.linearise(height, relative_yield))

    def again(self, state: State) -> State:
        """The state under this objective's priors, without another evaluation of the engine."""
        return self._state(state.height, state.relative_yield, state.linearisation)

    def gradient(self, state: State) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradient with respect to height and relative yield."""
        to_height, to_yield = state.linearisation.vjp(state.active_weight * state.residual)
        prior_height, prior_yield = self.priors.apply(state.height, state.relative_yield)
        return to_height + prior_height, to_yield + prior_yield

    def _state(self, height: torch.Tensor, relative_yield: torch.Tensor, linearisation: Linearisation) -> State:
        residual = linearisation.signals - self.data.signals
        # A saturated pixel only says "at least this bright": no pull where the model is brighter.
        weight = torch.where(self.data.censored & (residual >= 0), 0.0, self.data.weight)
        misfit = 0.5 * float((weight * residual * residual).sum(dtype=torch.float64))
        prior = self.priors.value(height, relative_yield)
        return State(height, relative_yield, linearisation, residual, weight, misfit, misfit + prior)
