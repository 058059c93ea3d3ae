"""Where a surface bends more than its prior expects: there the prior counts less, and edges keep their height."""

from __future__ import annotations

import torch

from napari_sem4d.inversion.priors import EDGE_LEVEL, Priors
from napari_sem4d.physics.probe import blur

_AROUND_PX = 2.0
"""Full width at half maximum over which squares of curvature are averaged: noise in single pixels is no edge."""
_LEAST = 0.1
"""Share that is left everywhere: with hardly a prior, noise at a steep wall throws shadows that stay."""


def edge_share(priors: Priors, height: torch.Tensor) -> torch.Tensor:
    """What each pixel's curvature should count, from a solution under the prior that treats all alike.

    The prior takes curvature for spread evenly over the image. Where relief is gathered in a few edges it bites
    there, and steps come out low. So its weight falls with the square of the excess of squared curvature: one
    round of iteratively reweighted least squares (Geman & Reynolds, IEEE Trans. PAMI 14, 367 (1992)), after
    which the weight is fixed and the prior quadratic.

    Parameters
    ----------
    priors : Priors
        With the weight that the solution belongs to.
    height : torch.Tensor, shape (Y, X)
        nm.

    Returns
    -------
    torch.Tensor, shape (Y, X)
        From 1 in places as smooth as expected down to 0.1.
    """
    bend = priors.curvature_weight * blur(priors.squared_curvature(height), _AROUND_PX)
    return (EDGE_LEVEL / bend.clamp_min(EDGE_LEVEL)).square().clamp_min(_LEAST)
