"""The engine's own error, as noise in the signals."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from napari_sem4d.acquisition.orientation import segments_in_image
from napari_sem4d.cosine import frequencies
from napari_sem4d.forward.engine import DifferentiableEngine
from napari_sem4d.inversion.objective import State
from napari_sem4d.surrogate.model_error import ModelErrorTable


@dataclass(frozen=True)
class ModelNoise:
    """What an engine's table of errors says of the signals of a surface.

    Attributes
    ----------
    table : ModelErrorTable
    patterns : torch.Tensor, shape (K, J)
        Independent errors of the segments, signal units, for a mean square of one.
    power : torch.Tensor, shape (Y, X)
        Mean square in every pixel.
    slope_error : torch.Tensor, shape (Y, X)
        Relative error of the slopes that the whole image has in common.
    rho50_px : float
    """

    table: ModelErrorTable
    patterns: torch.Tensor
    power: torch.Tensor
    slope_error: torch.Tensor
    rho50_px: float

    @classmethod
    def of(cls, engine: DifferentiableEngine, height: torch.Tensor) -> ModelNoise | None:
        """On a surface (nm); None where the engine's error is not known."""
        table = engine.model_error
        if table is None:
            return None
        setup = engine.setup
        patterns = torch.as_tensor(table.patterns(segments_in_image(setup.instrument))).to(height)
        power = table.signal_power(height, setup.pixel_nm, engine.rho50_nm)
        scale = engine.flat_signals.to(height)[:, None]
        common = table.slope_error(height, setup.pixel_nm, engine.rho50_nm)
        return cls(table, scale * patterns, power, common, engine.rho50_nm / setup.pixel_nm)

    def variance(self) -> torch.Tensor:
        """Variance of the signals' errors, shape (K, Y, X)."""
        return self.patterns.square().sum(1)[:, None, None] * self.power

    def correlation_spectrum(self) -> torch.Tensor:
        """Power of the errors in every cosine mode over that of white noise of their variance, shape (Y, X)."""
        shape = (self.power.shape[0], self.power.shape[1])
        return self.table.correlation_spectrum(frequencies(shape, self.power), self.rho50_px)

    def pull(self, state: State) -> torch.Tensor:
        """What each independent error of a pixel weighs on its own slopes, shape (2, J, Y, X)."""
        weight = state.active_weight
        rows = [torch.einsum("kyx,kj->jyx", weight * by, self.patterns) for by in state.linearisation.by_slopes()]
        return torch.stack(rows) * self.power.sqrt()
