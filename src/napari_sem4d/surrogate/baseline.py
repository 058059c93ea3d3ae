"""Written-down physics in the basis of directions: what ViFT's correction is added to in training."""

from __future__ import annotations

from functools import lru_cache

import torch

from napari_sem4d.frames import slopes
from napari_sem4d.physics.bounce import BounceTerm
from napari_sem4d.physics.local_law import LocalLaw, law_for
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.probe import blur
from napari_sem4d.physics.response import ResponseTable
from napari_sem4d.surrogate.directions import bin_segments, projection

_POLAR, _AZIMUTH = 4, 16


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

        bins = [s for t in thresholds for s in bin_segments(_POLAR, _AZIMUTH, t * energy_kev)]
        self._thresholds = len(thresholds)
        self._table = ResponseTable(bins, law, torch.float32, "cpu")
        self._bounce = BounceTerm(bins, law)
        self._project = torch.as_tensor(projection(order, _POLAR, _AZIMUTH), dtype=torch.float32)

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
            visible, bounced = self._bounce(height, pitch)
            signals = self._table.evaluate(*slopes(height, pitch))[0] * visible + bounced
            shape = (self._thresholds, _POLAR * _AZIMUTH, *height.shape)
            coefficients = torch.einsum("cb,tbyx->tcyx", self._project, signals.reshape(shape))
            return blur(coefficients, probe / pitch)


@lru_cache(maxsize=64)
def baseline(material_name: str, energy_kev: float, order: int, thresholds: tuple[float, ...]) -> Baseline:
    """Build the baseline of a material and energy once."""
    return Baseline(material_name, energy_kev, order, thresholds)
