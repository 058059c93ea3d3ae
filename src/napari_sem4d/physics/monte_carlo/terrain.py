"""What the height-map kernel reads: terrain, pyramids and transport tables in units of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_sem4d.physics.monte_carlo.pyramid import extrema_pyramid, levels_for
from napari_sem4d.physics.monte_carlo.specimen import Specimen
from napari_sem4d.physics.monte_carlo.tables import BINS, REACH, TransportTable, transport_table


@dataclass(frozen=True)
class Terrain:
    """Arrays of the kernel; see :func:`_heightfield.run_jobs` for each."""

    height: np.ndarray
    low: np.ndarray
    high: np.ndarray
    columns: np.ndarray
    distance: np.ndarray
    floor: np.ndarray
    floor_low: np.ndarray
    floor_high: np.ndarray
    scatter: np.ndarray
    energy_at: np.ndarray
    path_at: np.ndarray
    path: np.ndarray
    stretch: np.ndarray

    @classmethod
    def build(cls, specimen: Specimen, energy_kev: float) -> Terrain:
        """Prepare a specimen for primaries of an energy (keV)."""
        tables = [transport_table(m, energy_kev) for m in specimen.materials]
        scale = 1.0 / specimen.pixel_nm
        height = np.ascontiguousarray(specimen.height_nm * scale, np.float64)
        scatter = np.stack([t.scatter for t in tables])
        scatter[..., 0] *= scale
        levels = _levels(specimen, tables)
        none, no_levels = np.zeros((1, 1)), np.zeros((1, 1, 1), np.float32)
        floor = none if specimen.layer_nm is None else height - specimen.layer_nm * scale
        return cls(
            height=height,
            low=extrema_pyramid(height, levels, lowest=True),
            high=extrema_pyramid(height, levels, lowest=False),
            columns=np.ascontiguousarray(specimen.columns, np.uint8),
            distance=_border_distance(specimen.columns, len(tables)),
            floor=floor,
            floor_low=no_levels if floor is none else extrema_pyramid(floor, levels, lowest=True),
            floor_high=no_levels if floor is none else extrema_pyramid(-floor, levels, lowest=True),
            scatter=scatter,
            energy_at=np.stack([t.energy_at for t in tables]),
            path_at=np.stack([t.path_at for t in tables]) * scale,
            path=np.array([t.path_nm for t in tables]) * scale,
            stretch=_stretch(tables),
        )

    def arrays(self) -> tuple[np.ndarray, ...]:
        """All arrays in the order that the kernel takes them."""
        return (
            self.height, self.low, self.high, self.columns, self.distance,
            self.floor, self.floor_low, self.floor_high,
            self.scatter, self.energy_at, self.path_at, self.path, self.stretch,
        )  # fmt: skip

    @staticmethod
    def bytes_needed(specimen: Specimen, energy_kev: float) -> int:
        """Memory of the arrays, bytes."""
        tables = [transport_table(m, energy_kev) for m in specimen.materials]
        fields = 1 if specimen.layer_nm is None else 2
        per_node = fields * (8 + 2 * 4 * _levels(specimen, tables)) + 1 + 4
        return specimen.height_nm.size * per_node + len(tables) * BINS * 6 * 8


def _levels(specimen: Specimen, tables: list[TransportTable]) -> int:
    longest = max(t.path_nm for t in tables)
    return levels_for(specimen.columns.shape, REACH * longest / specimen.pixel_nm)


def _border_distance(columns: np.ndarray, materials: int) -> np.ndarray:
    """Path in pixels that surely stays in columns of one material, from anywhere in a column."""
    if columns.min() == columns.max():
        return np.full((1, 1), np.inf, np.float32)
    away = np.zeros(columns.shape)
    for number in range(materials):
        away += ndimage.distance_transform_edt(columns == number)
    # Between the point and its column's centre, and between the other centre and its column's near corner,
    # lie at most half a diagonal each.
    return np.maximum(away - np.sqrt(2.0), 0.0).astype(np.float32)


def _stretch(tables: list[TransportTable]) -> np.ndarray:
    """How much farther an electron may come in any other material than in its own, at any energy."""
    paths = np.stack([t.path_at[1:] for t in tables])
    return np.array([float((paths.max(axis=0) / p).max()) for p in paths])
