"""The local law: the emission of an infinite tilted plane, as written-down physics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_sem4d.physics.materials import Material
from napari_sem4d.physics.planar_table import TabulatedLaw

# A plane seen edge-on sends every electron back: Drescher, Reimer & Seidel, Z. angew. Phys. 29, 331 (1970).
_GRAZING_YIELD = 0.89


class LocalLaw(Protocol):
    """Emission of an infinite tilted plane into every direction."""

    def emission(self, tilt: np.ndarray, polar: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
        """Energy-weighted electrons per primary and steradian (arguments broadcast).

        Parameters
        ----------
        tilt : array
            Angle between the optical axis and the surface normal, rad; the normal leans towards azimuth 0.
        polar, azimuth : arrays
            Direction of exit, rad: polar from +z (the optical axis), azimuth counter-clockwise.

        Returns
        -------
        array
            Per steradian, every electron weighted by ``max(0, E - threshold)/E0``; zero below the plane.
        """
        ...


@dataclass(frozen=True)
class AnalyticLaw:
    """Tilt law of Drescher, Reimer & Seidel with Lambert's cosine law about the surface normal.

    Energies follow ``(a + 1) w^a`` for w = E/E0 in (0, 1), with a from the material's mean energy: a
    parametric form, so that a threshold has its effect. It is what classic photometric stereo comes closest to,
    and stays here to compare with: on tilted planes electrons leave more forwards than Lambert's law has it.

    Attributes
    ----------
    eta0 : float
        Backscatter coefficient at normal incidence.
    mean_energy_fraction : float
        Mean energy of the backscattered electrons over the primary energy.
    threshold_fraction : float
        Detector threshold over the primary energy.
    """

    eta0: float
    mean_energy_fraction: float
    threshold_fraction: float = 0.0

    @classmethod
    def of(cls, material: Material, energy_kev: float, threshold_kev: float = 0.0) -> AnalyticLaw:
        """Build the law of a material at an energy (keV), for a detector threshold (keV)."""
        return cls(
            material.backscatter_coefficient(energy_kev),
            material.mean_energy_fraction(),
            threshold_kev / energy_kev,
        )

    def emission(self, tilt: np.ndarray, polar: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
        """Energy-weighted electrons per primary and steradian; see :class:`LocalLaw`."""
        cos_tilt = np.cos(tilt)
        cos_exit = cos_tilt * np.cos(polar) + np.sin(tilt) * np.sin(polar) * np.cos(azimuth)
        eta = _GRAZING_YIELD * (self.eta0 / _GRAZING_YIELD) ** cos_tilt
        return self._energy_weight() * eta * np.maximum(cos_exit, 0.0) / np.pi

    def _energy_weight(self) -> float:
        """Mean of max(0, w - threshold) over the energy distribution."""
        m, t = self.mean_energy_fraction, min(self.threshold_fraction, 1.0)
        a = (2 * m - 1) / (1 - m)
        return m - t + t ** (a + 2) / (a + 2)


def law_for(material: Material, energy_kev: float, threshold_kev: float = 0.0) -> LocalLaw:
    """The local law that the engines use for a material, an energy (keV) and a detector threshold (keV).

    From a table of planar Monte Carlo, shipped, cached, or made on demand in some seconds; see
    :mod:`napari_sem4d.physics.planar_table`.
    """
    return TabulatedLaw(material, energy_kev, threshold_kev)
