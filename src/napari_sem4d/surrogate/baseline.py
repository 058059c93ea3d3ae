"""Written-down physics in the basis of directions: what ViFT's correction is added to in training."""

from __future__ import annotations

from functools import lru_cache

import torch

from napari_sem4d.frames import slopes
from napari_sem4d.physics.bounce import BounceTerm, bounced_share
from napari_sem4d.physics.local_law import LocalLaw, law_for
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.probe import blur, blur_reach
from napari_sem4d.physics.response import ResponseTable
from napari_sem4d.surrogate.directions import bin_segments, fitted
from napari_sem4d.surrogate.inputs import without_border

FACETS = 2.0
"""Pitch, rho50, of the grid that facets shadow one another on, in training as in the engine (a token's edge).

What is finer the network learns, for it would cost seconds on a large image; a pitch that went by the image's size
would be another law in every image."""
_DIRECT = (8, 16)
"""Bins by polar angle and azimuth that electrons are sorted into which leave at once."""
_BOUNCED = (4, 8)
"""The same for electrons that bounced, which have no direction of their own."""


class Baseline:
    """Local law with shadowing and bounce term of one material at one energy.

    Parameters
    ----------
    material_name : str
    energy_kev : float
    order : int
        Highest radial order of the directions.
    thresholds : tuple of float
        Detector thresholds over the beam energy.
    """

    def __init__(self, material_name: str, energy_kev: float, order: int, thresholds: tuple[float, ...]) -> None:
        found = material(material_name)

        def law(threshold_kev: float) -> LocalLaw:
            return law_for(found, energy_kev, threshold_kev)

        at = [t * energy_kev for t in thresholds]
        self._table = ResponseTable([s for t in at for s in bin_segments(*_DIRECT, t)], law, torch.float32, "cpu")
        # Shadows are alike at all thresholds, and bounces but for a factor.
        self._shadows = BounceTerm(bin_segments(*_DIRECT), law, FACETS)
        self._bounce = BounceTerm(bin_segments(*_BOUNCED), law, FACETS)
        self._bounced_shares = torch.tensor([bounced_share(law, t) for t in at], dtype=torch.float32)
        matrices = [fitted(order, *counts) for counts in (_DIRECT, _BOUNCED)]
        self._fits = [torch.as_tensor(m, dtype=torch.float32) for m in matrices]

    def __call__(self, height: torch.Tensor, pitch: float, probe: float, halo: int = 0) -> torch.Tensor:
        """Coefficients of the emission field.

        Parameters
        ----------
        height : torch.Tensor, shape (Y, X)
            rho50.
        pitch, probe : float
            Pixel and the probe's full width at half maximum, rho50.
        halo : int
            Pixels on every side that are surroundings only.

        Returns
        -------
        torch.Tensor, shape (thresholds, terms, Y - 2 halo, X - 2 halo)
        """
        edge = min(halo, blur_reach(probe / pitch))
        with torch.no_grad():
            p, q = (without_border(slope, halo - edge) for slope in slopes(height, pitch))
            seen = self._bounce.beside(self._shadows, height, pitch)
            visible, bounced = (without_border(x, halo - edge) for x in seen)
            to_direct, to_bounced = self._fits
            direct = self._table.value(p, q).unflatten(0, (-1, len(visible))) * visible
            coefficients = torch.einsum("cb,tbyx->tcyx", to_direct, direct)
            coefficients += torch.einsum("t,cb,byx->tcyx", self._bounced_shares, to_bounced, bounced)
            return without_border(blur(coefficients, probe / pitch), edge)


@lru_cache(maxsize=64)
def baseline(material_name: str, energy_kev: float, order: int, thresholds: tuple[float, ...]) -> Baseline:
    """Build the baseline of a material and energy once."""
    return Baseline(material_name, energy_kev, order, thresholds)
