"""Written-down physics in the basis of directions: what ViFT's correction is added to in training."""

from __future__ import annotations

from functools import lru_cache

import torch

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.frames import slopes
from napari_sem4d.physics.bounce import BounceTerm
from napari_sem4d.physics.local_law import LocalLaw, law_for
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.probe import blur
from napari_sem4d.physics.response import ResponseTable
from napari_sem4d.surrogate.directions import bin_segments, fitted

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

        def bins(counts: tuple[int, int]) -> list[Segment]:
            return [s for t in thresholds for s in bin_segments(*counts, t * energy_kev)]

        self._thresholds = len(thresholds)
        self._table = ResponseTable(bins(_DIRECT), law, torch.float32, "cpu")
        self._shadows = BounceTerm(bins(_DIRECT), law)
        self._bounce = BounceTerm(bins(_BOUNCED), law)
        matrices = [fitted(order, *counts) for counts in (_DIRECT, _BOUNCED)]
        self._fits = [torch.as_tensor(m, dtype=torch.float32) for m in matrices]

    def __call__(self, height: torch.Tensor, pitch: float, probe: float) -> torch.Tensor:
        """Coefficients of the emission field.

        Parameters
        ----------
        height : torch.Tensor, shape (Y, X)
            rho50.
        pitch, probe : float
            Pixel and the probe's full width at half maximum, rho50.

        Returns
        -------
        torch.Tensor, shape (thresholds, terms, Y, X)
        """
        with torch.no_grad():
            direct = self._table.value(*slopes(height, pitch)) * self._shadows.visible(height, pitch)
            _, bounced = self._bounce(height, pitch)
            parts = [
                torch.einsum("cb,tbyx->tcyx", fit, signals.unflatten(0, (self._thresholds, -1)))
                for fit, signals in zip(self._fits, (direct, bounced), strict=True)
            ]
            coefficients = parts[0] + parts[1]
            return blur(coefficients, probe / pitch)


@lru_cache(maxsize=64)
def baseline(material_name: str, energy_kev: float, order: int, thresholds: tuple[float, ...]) -> Baseline:
    """Build the baseline of a material and energy once."""
    return Baseline(material_name, energy_kev, order, thresholds)
