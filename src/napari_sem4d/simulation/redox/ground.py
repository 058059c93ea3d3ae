"""The copper before the reaction: grains with their boundaries, a gentle relief, a yield of their own."""

from __future__ import annotations

import numpy as np

from napari_sem4d.simulation.redox.waves import Waves

GRAIN_NM = 700.0
"""Mean distance of the grains' middles, nm."""
BOUNDARY_NM = 22.0
"""Half width over which one grain passes into the next, nm."""
GROOVE_NM = 5.0
"""Depth of the groove at a boundary between two grains, nm."""
STEP_NM = 5.0
"""Standard deviation of the grains' levels (grains polish and etch at different rates), nm."""
LEAN = 0.015
"""Standard deviation of a grain's slope along x and y."""
YIELD_STD = 0.03
"""Standard deviation of the grains' relative yield: channelling, which the Monte Carlo does not know."""
_ROLL_NM, _ROLL_RMS = (300.0, 900.0), 2.5
_POLISH_NM, _POLISH_RMS = (70.0, 200.0), 0.7


class Ground:
    """Grains of an area, each a Voronoi cell.

    Parameters
    ----------
    rng : numpy.random.Generator
    half_nm : float
        Half the edge of the square that the grains cover, nm.

    Attributes
    ----------
    middles : ndarray, shape (n, 2)
        x and y of the cells' seeds, nm.
    families : tuple of str
        Planes that lie parallel to the surface: "100" or "111", by turns.
    azimuths_deg : ndarray, shape (n,)
        Azimuth of each grain's first facet.
    yields : ndarray, shape (n,)
        Relative yield of each grain (mean 1).
    """

    def __init__(self, rng: np.random.Generator, half_nm: float) -> None:
        count = int(np.ceil(2.0 * half_nm / GRAIN_NM))
        pitch = 2.0 * half_nm / count
        lattice = (np.arange(count) + 0.5) * pitch - half_nm
        x, y = np.meshgrid(lattice, lattice)
        self.middles = np.stack([x.ravel(), y.ravel()], axis=1) + rng.uniform(-0.3, 0.3, (count**2, 2)) * pitch
        number = len(self.middles)
        self.families = tuple("100" if n % 2 else "111" for n in range(number))
        self.azimuths_deg = rng.uniform(0.0, 90.0, number)
        self.yields = 1.0 + YIELD_STD * rng.normal(size=number)
        self.yields /= self.yields.mean()
        self._levels = STEP_NM * rng.normal(size=number)
        self._leans = LEAN * rng.normal(size=(number, 2))
        self._roll = Waves(rng, 24, _ROLL_NM)
        self._polish = Waves(rng, 60, _POLISH_NM)

    def grain(self, x_nm: np.ndarray, y_nm: np.ndarray) -> np.ndarray:
        """Number of the grain at places."""
        found: np.ndarray = np.argmin(self._distances2(x_nm, y_nm), axis=0)
        return found

    def height(self, x_nm: np.ndarray, y_nm: np.ndarray) -> np.ndarray:
        """Height of the copper before the reaction, nm."""
        share = self._shares(x_nm, y_nm)
        height = _ROLL_RMS * self._roll.at(x_nm, y_nm) + _POLISH_RMS * self._polish.at(x_nm, y_nm)
        for n, (cx, cy) in enumerate(self.middles):
            lean = self._leans[n, 0] * (x_nm - cx) + self._leans[n, 1] * (y_nm - cy)
            height += share[n] * (self._levels[n] + lean)
        # Half at the middle of a boundary of two, and zero inside.
        mixed = 1.0 - (share**2).sum(axis=0)
        return height - 2.0 * GROOVE_NM * mixed

    def relative_yield(self, x_nm: np.ndarray, y_nm: np.ndarray) -> np.ndarray:
        """Factor of the bare grains on the backscattered signal."""
        return np.tensordot(self.yields, self._shares(x_nm, y_nm), axes=1)

    def _distances2(self, x_nm: np.ndarray, y_nm: np.ndarray) -> np.ndarray:
        return np.stack([(x_nm - cx) ** 2 + (y_nm - cy) ** 2 for cx, cy in self.middles])

    def _shares(self, x_nm: np.ndarray, y_nm: np.ndarray) -> np.ndarray:
        """How much of each grain a place is: 1 inside, passing over at boundaries."""
        away = self._distances2(x_nm, y_nm)
        away -= away.min(axis=0)
        # Half the difference of squares over the distance of the middles is the distance to the boundary.
        weight = np.exp(-away / (GRAIN_NM * BOUNDARY_NM))
        return weight / weight.sum(axis=0)
