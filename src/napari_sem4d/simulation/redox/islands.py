"""Islands of Cu2O as intersections of half-spaces whose faces move at constant velocities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Family:
    """Facets of the islands on one kind of grain: {110} faces around a flat top.

    Attributes
    ----------
    folds : int
        Side faces.
    inclination_deg : float
        Between a side face's normal and the surface's: 45 degrees between (110) and (100), 35.26 to (111).
    side_growth_nm_s, side_reduction_nm_s : float
        Velocity of a side face along its normal: outwards while oxide grows, inwards while it is reduced.
    top_growth_nm_s, top_reduction_nm_s : float
        The same for the top.
    """

    folds: int
    inclination_deg: float
    side_growth_nm_s: float
    side_reduction_nm_s: float
    top_growth_nm_s: float
    top_reduction_nm_s: float


FAMILIES = {
    "100": Family(4, 45.0, 0.55, 0.75, 0.38, 0.62),
    "111": Family(3, float(np.degrees(np.arccos(np.sqrt(2.0 / 3.0)))), 0.40, 0.60, 0.30, 0.52),
}
"""By the plane of the grain that lies parallel to the surface."""


@dataclass(frozen=True)
class Island:
    """One island.

    Attributes
    ----------
    x_nm, y_nm, z_nm : float
        Where it nucleated: place, and height of the copper there.
    nucleation_s : float
    reduction_s : float
        When its faces turn back.
    grain : int
        Number of the grain below it.
    family : str
        Key of :data:`FAMILIES`.
    azimuth_deg : float
        Azimuth of its first side face's normal, counter-clockwise from +x.
    """

    x_nm: float
    y_nm: float
    z_nm: float
    nucleation_s: float
    reduction_s: float
    grain: int
    family: str
    azimuth_deg: float

    def normals(self) -> np.ndarray:
        """Outward normals (x, y, z) of the side faces, shape (folds, 3)."""
        kind = FAMILIES[self.family]
        azimuth = np.radians(self.azimuth_deg + 360.0 / kind.folds * np.arange(kind.folds))
        tilt = np.radians(kind.inclination_deg)
        sine = np.sin(tilt)
        return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), np.full(kind.folds, np.cos(tilt))], 1)

    def offsets(self, time_s: float) -> tuple[float, float]:
        """Distance of side faces and top from the place of nucleation, nm (may become negative).

        Before nucleation minus infinity.
        """
        if time_s < self.nucleation_s:
            return -np.inf, -np.inf
        kind = FAMILIES[self.family]
        grown = min(time_s, self.reduction_s) - self.nucleation_s
        shrunk = max(time_s - self.reduction_s, 0.0)
        return (
            kind.side_growth_nm_s * grown - kind.side_reduction_nm_s * shrunk,
            kind.top_growth_nm_s * grown - kind.top_reduction_nm_s * shrunk,
        )

    def height(self, x_nm: np.ndarray, y_nm: np.ndarray, time_s: float) -> np.ndarray:
        """Height of the island's faces, nm; oxide is there where it lies above the copper."""
        side, top = self.offsets(time_s)
        roof = np.full(np.broadcast_shapes(np.shape(x_nm), np.shape(y_nm)), top)
        for nx, ny, nz in self.normals():
            np.minimum(roof, (side - nx * (x_nm - self.x_nm) - ny * (y_nm - self.y_nm)) / nz, out=roof)
        return roof + self.z_nm
