"""What the spread of electrons leaves of the contrast of slopes, about."""

from __future__ import annotations

import torch

SPREAD_RHO50 = 0.9
LEFT = 0.45
"""A Gaussian of this width, and this share that is not blurred, stand for the interaction volume in the
uncertainty of heights that an engine without it finds. Fitted to the derivative of the engine vift on facetted
surfaces (``benchmarks/vift_scale.py``): the information of waves of 9, 5, 3 and 2 rho50 is .8, .5, .3 and .25 of
the local law's."""


def kept(frequency: torch.Tensor, rho50_px: float) -> torch.Tensor:
    """Share of the amplitude of waves of angular frequencies (rad per pixel) that the signals still show."""
    return (1.0 - LEFT) * torch.exp(-0.5 * (SPREAD_RHO50 * rho50_px * frequency).square()) + LEFT
