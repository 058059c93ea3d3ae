"""Oxidation and reduction of the ground: state of the surface at any place and time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sem4d.simulation.redox.ground import Ground
from napari_sem4d.simulation.redox.islands import Island
from napari_sem4d.simulation.redox.waves import Waves

OXIDATION_END_S = 262.0
"""When the gas is changed, s; each island turns back up to :data:`LATEST_TURN_S` later."""
LATEST_TURN_S = 25.0
NUCLEATION_S = (4.0, 130.0)
"""First and last time of nucleation, s."""
SITES = 90
"""Sites that are tried; those too near to others or to the static corner stay empty."""
DISTANCE_NM = 160.0
"""Least distance of two sites, nm."""
INGROWTH = 0.4
"""Copper consumed below an island, over the oxide that rises above the old surface."""
REFILL = 0.25
"""Share of the consumed depth that reduced copper fills up again; the rest stays as a pit."""
ROUGHNESS_RMS_NM = 5.0
"""Rms of the reduced copper's own relief, nm."""
_ROUGHNESS_NM = (75.0, 240.0)
_MOST_ROUGH = 2.0
_ROUGH_DEPTH_NM = 8.0
_NOTHING = -1e6  # height where there is no island, nm
CHANNELLING_DEPTH_NM = 10.0
"""Oxide over which a grain's own yield fades away, nm."""


@dataclass(frozen=True)
class State:
    """The surface at places at one time.

    Attributes
    ----------
    height_nm : ndarray
        Outer surface.
    oxide_nm : ndarray
        Thickness of the oxide along z; 0 on bare copper.
    relative_yield : ndarray
        Factor of the grains' channelling on the signals (the oxide's own yield is the Monte Carlo's matter).
    """

    height_nm: np.ndarray
    oxide_nm: np.ndarray
    relative_yield: np.ndarray


class Redox:
    """Copper that is oxidised until :data:`OXIDATION_END_S` and reduced afterwards.

    Parameters
    ----------
    half_nm : float
        Half the edge of the scanned square, nm; grains and islands reach ``margin_nm`` farther.
    static_nm : float
        Edge of the square in its top left corner that no island ever touches, nm.
    margin_nm : float
    seed : int

    Attributes
    ----------
    ground : Ground
    islands : tuple of Island
    """

    def __init__(self, half_nm: float, static_nm: float, margin_nm: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.half_nm, self.static_nm = half_nm, static_nm
        self.ground = Ground(rng, half_nm + margin_nm)
        self._rough = Waves(rng, 120, _ROUGHNESS_NM)
        corner = np.linspace(0.0, static_nm, 25)
        self._corner = np.meshgrid(corner - half_nm, half_nm - corner)
        self._bare_corner = self.ground.height(*self._corner)
        self.islands = self._nucleate(rng, half_nm + margin_nm)

    def state(self, x_nm: np.ndarray, y_nm: np.ndarray, time_s: float) -> State:
        """The surface at places, arrays of one shape, at a time."""
        bare = self.ground.height(x_nm, y_nm)
        now, most = self._roof(x_nm, y_nm, time_s), self._highest_roof(x_nm, y_nm, time_s)
        # At its highest an island stood `outer` above the old surface and reached `depth` below it.
        outer = np.maximum(most - bare, 0.0)
        depth = INGROWTH * outer
        base = bare - depth
        left = base + self._left_behind(x_nm, y_nm, depth)
        # Copper collects below while the oxide is eaten from above, and is all there when the oxide is gone.
        gone = np.ones_like(bare)
        np.divide(most - now, most - left, out=gone, where=(outer > 0.0) & (most > left))
        gone = np.clip(gone, 0.0, 1.0)
        copper = base + (left - base) * gone
        oxide = np.where(gone < 1.0, np.maximum(now - copper, 0.0), 0.0)
        height = copper + oxide
        fading = np.exp(-oxide / CHANNELLING_DEPTH_NM)
        factor = 1.0 + (self.ground.relative_yield(x_nm, y_nm) - 1.0) * fading
        return State(height, oxide, factor)

    def _roof(self, x_nm: np.ndarray, y_nm: np.ndarray, time_s: float) -> np.ndarray:
        """Highest of the islands' faces, whether oxide is there or not."""
        roof = np.full(np.shape(x_nm), _NOTHING)
        for island in self.islands:
            if time_s >= island.nucleation_s:
                np.maximum(roof, island.height(x_nm, y_nm, time_s), out=roof)
        return roof

    def _highest_roof(self, x_nm: np.ndarray, y_nm: np.ndarray, time_s: float) -> np.ndarray:
        """The same at the time up to now at which it was highest: each island's at its turn."""
        roof = np.full(np.shape(x_nm), _NOTHING)
        for island in self.islands:
            if time_s >= island.nucleation_s:
                turn = min(time_s, island.reduction_s)
                np.maximum(roof, island.height(x_nm, y_nm, turn), out=roof)
        return roof

    def _left_behind(self, x_nm: np.ndarray, y_nm: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Copper that reduction leaves on the pit's floor, nm: part of its depth, and a rough relief."""
        relief = ROUGHNESS_RMS_NM * np.clip(self._rough.at(x_nm, y_nm), -_MOST_ROUGH, _MOST_ROUGH)
        return REFILL * depth + relief * depth / (depth + _ROUGH_DEPTH_NM)

    def _nucleate(self, rng: np.random.Generator, reach_nm: float) -> tuple[Island, ...]:
        found: list[Island] = []
        for _ in range(SITES):
            x, y = rng.uniform(-reach_nm, reach_nm, 2)
            begin = float(rng.uniform(*NUCLEATION_S))
            turn = OXIDATION_END_S + float(rng.uniform(0.0, LATEST_TURN_S))
            if any(np.hypot(x - other.x_nm, y - other.y_nm) < DISTANCE_NM for other in found):
                continue
            place = np.array([x]), np.array([y])
            grain = int(self.ground.grain(*place)[0])
            family, azimuth = self.ground.families[grain], float(self.ground.azimuths_deg[grain])
            z = float(self.ground.height(*place)[0])
            island = Island(float(x), float(y), z, begin, turn, grain, family, azimuth)
            if (island.height(*self._corner, turn) < self._bare_corner).all():
                found.append(island)
        return tuple(found)
