"""How much of a wave of height the signals show: its slopes, weakened, and crests, which shine in all segments."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from napari_sem4d.cosine import dct2, frequencies, idct2
from napari_sem4d.forward.normal import Fields, Operator
from napari_sem4d.frames import slopes

_KNOTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0, 2.5, math.pi, 1.01 * math.sqrt(2.0) * math.pi)
"""Angular frequencies at which the transfer is known, rad per pixel, up to that of a chess-board."""
_BANDS = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 12)
"""Knots whose waves are shown together."""
_STEEPNESS = 0.35
"""Root mean square slope of the relief that it is measured on,"""
_SMOOTH_RHO50 = 1.5
"""and the standard deviation of its smoothing (at least 2 pixels)."""
_LONGEST_RHO50 = 40.0
"""Edge of the relief,"""
_FEWEST, _MOST = 24, 64
"""within these limits in pixels."""
_BORDER_PX = 4
"""Left out of what is compared: half of the surroundings are missing there."""
_CHANGE = 0.02
"""Root mean square slope of the waves, white in slope, that are added to it and taken from it."""
_LEAST_SHARE = 0.02
"""Of slopes: the solver's scale must not become singular."""

Signals = Callable[[torch.Tensor], torch.Tensor]
"""From a height (Y, X) in nm to what a relative yield of 1 adds to the offsets, shape (K, Y, X)."""
BySlopes = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""From the same to the derivatives of a pixel's signals by its own dh/dx and dh/dy, shape (K, Y, X) each."""


@dataclass(frozen=True)
class ContrastTransfer:
    """From what a pixel's own slopes and yield would do to its signals to what an engine shows, about.

    A wave of height of angular frequency k changes the signals as ``slope_share(k)`` of its slopes would by the
    local law, and as a change of relative yield by ``brightening(k)`` times its height would: from crests
    electrons leave on all sides. Both are linear between knots.

    Attributes
    ----------
    slope_shares : ndarray, shape (12,)
        At the knots.
    brightenings : ndarray, shape (12,)
        At the knots, 1/nm.
    """

    slope_shares: np.ndarray
    brightenings: np.ndarray

    @classmethod
    def measured(
        cls, signals: Signals, by_slopes: BySlopes, pixel_nm: float, rho50_nm: float, like: torch.Tensor
    ) -> ContrastTransfer:
        """Of an engine, from central differences on a random relief: least squares, scaled to the signals' power.

        Parameters
        ----------
        signals : callable
            Of the engine.
        by_slopes : callable
            Of its local law.
        pixel_nm, rho50_nm : float
        like : torch.Tensor
            Gives dtype and device.
        """
        side = round(min(max(_LONGEST_RHO50 * rho50_nm / pixel_nm, _FEWEST), _MOST))
        frequency = frequencies((side, side), like)
        generator = torch.Generator().manual_seed(0)

        def steep(spectrum: torch.Tensor, steepness: float) -> torch.Tensor:
            """Modes of a random field with a spectrum and a root mean square slope."""
            modes = torch.randn(side, side, generator=generator).to(like) * spectrum
            modes[0, 0] = 0.0
            p, q = slopes(idct2(modes), pixel_nm)
            return modes * (steepness / (p.square() + q.square()).mean().sqrt())

        smooth = max(_SMOOTH_RHO50 * rho50_nm / pixel_nm, 2.0)
        relief = idct2(steep(torch.exp(-0.5 * (smooth * frequency).square()), _STEEPNESS))
        by_p, by_q = by_slopes(relief)
        by_yield = signals(relief)
        # Noise of counting: every electron counts alike.
        root = by_yield.clamp_min(1e-3 * float(by_yield.mean())).rsqrt()
        modes = steep(1.0 / frequency.clamp_min(0.1), _CHANGE)
        hats = _hats(frequency)
        waves = [idct2(modes * hats[band].sum(0)) for band in _BANDS]
        shown = [root * 0.5 * (signals(relief + wave) - signals(relief - wave)) for wave in waves]
        parts = idct2(modes * hats)
        own = [by_p * p + by_q * q for p, q in (slopes(part, pixel_nm) for part in parts)]
        common = [by_yield * part for part in parts]
        matrix = torch.stack([root * x for x in (*own, *common)]).flatten(1).double()
        right = torch.stack(shown).sum(0).flatten().double()
        # Long waves show all of their slope, and a plane does not shine.
        left = [i for i in range(len(matrix)) if i not in (0, len(_KNOTS))]
        normal = matrix[left] @ matrix[left].T
        found = torch.zeros_like(matrix[:, 0])
        found[0] = 1.0
        found[left] = torch.linalg.solve(normal, matrix[left] @ (right - matrix[0]))
        for band, of_band in zip(_BANDS, shown, strict=True):
            both = [*range(len(_KNOTS))[band], *range(len(_KNOTS), 2 * len(_KNOTS))[band]]
            fitted = (found[both] @ matrix[both]).reshape(of_band.shape)
            # What a pixel's own slope and yield cannot say (which neighbour shades it) is information as well.
            found[both] *= (_power(of_band) / _power(fitted).clamp_min(1e-300)).sqrt()
        shares, brightenings = np.split(found.cpu().numpy(), 2)
        shares[0], brightenings[0] = 1.0, 0.0
        return cls(shares.clip(_LEAST_SHARE, 1.0), brightenings.clip(0.0))

    def slope_share(self, frequency: torch.Tensor) -> torch.Tensor:
        """Share of slopes that is left of waves of angular frequencies, rad per pixel."""
        return _between(frequency, self.slope_shares)

    def brightening(self, frequency: torch.Tensor) -> torch.Tensor:
        """Relative yield that a height of such waves stands for, 1/nm."""
        return _between(frequency, self.brightenings)

    def behind(self, operator: Operator, shape: tuple[int, int], like: torch.Tensor) -> Operator:
        """What the transfer makes of a symmetric operator on (height, relative yield), each of shape (Y, X)."""
        frequency = frequencies(shape, like)
        share, brightening = self.slope_share(frequency), self.brightening(frequency)

        def product(d_height: torch.Tensor, d_yield: torch.Tensor) -> Fields:
            modes = dct2(d_height)
            own, common = idct2(torch.stack([share * modes, brightening * modes]))
            to_height, to_yield = operator(own, d_yield + common)
            back = dct2(torch.stack([to_height, to_yield]))
            return idct2(share * back[0] + brightening * back[1]), to_yield

        return product


def _power(signals: torch.Tensor) -> torch.Tensor:
    """Sum of squares, without the border."""
    return signals[..., _BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX].square().sum(dtype=torch.float64)


def _between(frequency: torch.Tensor, values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.interp(frequency.cpu().numpy(), _KNOTS, values)).to(frequency)


def _hats(frequency: torch.Tensor) -> torch.Tensor:
    """What each knot's value counts at every frequency, shape (knots, Y, X)."""
    return torch.stack([_between(frequency, unit) for unit in np.eye(len(_KNOTS))])
