"""What the engine's own error does to heights: draws of it, and its standard uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from napari_sem4d.cosine import dct2, frequencies, idct2
from napari_sem4d.frames import slopes, slopes_adjoint
from napari_sem4d.inversion.frame import FrameSolution
from napari_sem4d.inversion.gauge import to_datum
from napari_sem4d.inversion.model_noise import ModelNoise
from napari_sem4d.inversion.objective import Objective, State
from napari_sem4d.inversion.spectral import SpectralHessian
from napari_sem4d.physics.probe import FWHM_PER_SIGMA, blur

_LEAST_SHOWN = 0.25
"""Waves that are shown less than this leave no relief to judge the rest by: the prior's pull stands for them."""
_DRAWS = 24
"""Draws that the standard uncertainty is taken from; smoothed over an exit radius it is known to about 10 %."""


def height_model_error(solution: FrameSolution) -> HeightModelError | None:
    """Of a frame's solution; None where the engine's error is not known."""
    if solution.model_noise is None:
        return None
    return HeightModelError.of(solution.objective, solution.state, solution.model_noise)


@dataclass(frozen=True)
class HeightModelError:
    """Heights that stand for the engine's error, drawn at random: errors of the slopes, integrated.

    In every pixel the signals' errors are turned to errors of its slopes as the misfit weighs them, and these to
    heights in the cosine basis, with the information of a mean pixel and the prior. They are correlated over a
    length; beside them a whole image has an error of the contrast in common, which scales slopes where they bend,
    and short waves are found too low where an engine shows more of them than Monte Carlo does.

    Attributes
    ----------
    root : torch.Tensor, shape (3, Y, X)
        Elements xx, yx, yy of the lower root of the slopes' covariance, times the information of a mean pixel.
    common : torch.Tensor, shape (Y, X)
        Height of one standard deviation of the common error of contrast, nm.
    spectrum : torch.Tensor, shape (Y, X)
        Square root of the errors' power in every cosine mode.
    gain : torch.Tensor, shape (Y, X)
        From the pull on a height mode to its change.
    pixel_nm, rho50_px : float
    """

    root: torch.Tensor
    common: torch.Tensor
    spectrum: torch.Tensor
    gain: torch.Tensor
    pixel_nm: float
    rho50_px: float

    @classmethod
    def of(cls, objective: Objective, state: State, noise: ModelNoise) -> HeightModelError:
        """At a solution."""
        information = state.linearisation.information(state.active_weight)
        pp, qq, pq = information[0], information[1], information[3]
        least = float((pp + qq).mean(dtype=torch.float64)) * 1e-3
        pp, qq = pp.clamp_min(least), qq.clamp_min(least)
        determinant = (pp * qq - pq.square()).clamp_min(least * least)
        a, b = noise.pull(state)
        p, q = (qq * a - pq * b) / determinant, (pp * b - pq * a) / determinant
        xx, yx, yy = p.square().sum(0), (p * q).sum(0), q.square().sum(0)
        first = xx.clamp_min(1e-30).sqrt()
        root = torch.stack([first, yx / first, (yy - yx.square() / first.square()).clamp_min(0.0).sqrt()])
        mean_p, mean_q = (float(x.mean(dtype=torch.float64)) for x in (pp, qq))
        root[0] *= mean_p
        root[1:] *= mean_q
        hessian = SpectralHessian.of(objective, state)
        frequency = frequencies((pp.shape[0], pp.shape[1]), pp)
        left = state.linearisation.slope_share(frequency)
        gain = left / hessian.height_total
        gain[0, 0] = 0.0
        pixel_nm = objective.priors.pixel_nm
        # Waves of which less is shown than the engine thinks are found too low.
        shown = noise.table.shown_share(frequency, noise.rho50_px)
        lost = 1.0 / shown.clamp(_LEAST_SHOWN, 1.0) - 1.0
        slope_p, slope_q = slopes(idct2(left * dct2(state.height)), pixel_nm)
        common = slopes_adjoint(
            mean_p * noise.slope_error * slope_p, mean_q * noise.slope_error * slope_q, pixel_nm
        )
        return cls(
            root,
            idct2(dct2(common) * gain + dct2(state.height) * lost),
            noise.correlation_spectrum().sqrt(),
            gain,
            pixel_nm,
            noise.rho50_px,
        )

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """One height error, nm, shape (Y, X)."""
        return self._correlated(generator) + self.common * float(torch.randn((), generator=generator))

    def _correlated(self, generator: torch.Generator) -> torch.Tensor:
        shape, like = self.gain.shape, self.gain
        first, second = (
            idct2(torch.randn(shape, generator=generator, dtype=like.dtype).to(like.device) * self.spectrum)
            for _ in range(2)
        )
        pull = slopes_adjoint(self.root[0] * first, self.root[1] * first + self.root[2] * second, self.pixel_nm)
        return idct2(dct2(pull) * self.gain)

    def std(self, valid: torch.Tensor, remove_plane: bool, seed: int = 0, draws: int = _DRAWS) -> torch.Tensor:
        """Standard uncertainty of height from the engine's error, in the gauge of the datum.

        Parameters
        ----------
        valid : torch.Tensor, shape (Y, X), bool
            Pixels that define the datum.
        remove_plane : bool
            As in :func:`~napari_sem4d.inversion.gauge.to_datum`.
        seed, draws : int

        Returns
        -------
        torch.Tensor, shape (Y, X)
            nm.
        """
        generator = torch.Generator().manual_seed(seed)
        total = torch.zeros_like(self.gain)
        for _ in range(draws):
            total += to_datum(self._correlated(generator), valid, remove_plane).square()
        correlated = blur(total / draws, FWHM_PER_SIGMA * max(self.rho50_px, 1.0)).clamp_min(0.0)
        return (correlated + to_datum(self.common, valid, remove_plane).square()).sqrt()
