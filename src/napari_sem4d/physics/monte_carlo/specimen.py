"""The specimen of a simulation: terrain with its surroundings, a material for every column, a layer on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import InputError
from napari_sem4d.physics.materials import Material

PAD_IN_RANGES = 1.0
"""Surroundings that are added by default, in ranges of Kanaya & Okayama (PHYSICS.md asks for 0.6 to 1)."""


@dataclass(frozen=True)
class Specimen:
    """A terrain whose inner part is scanned.

    Attributes
    ----------
    height_nm : ndarray, shape (Y + 2 border, X + 2 border), float64
        Terrain; the heights belong to pixel centres and are bilinear between them.
    pixel_nm : float
        Edge of a square pixel.
    materials : tuple of Material
    columns : ndarray, shape as the terrain, uint8
        Number of the material of the column below every pixel.
    border : int
        Pixels of surroundings on every side.
    layer_nm : ndarray, shape as the terrain, float64, optional
        Thickness of a layer of the last material: all that lies less than this below the surface, measured along
        z. The columns' materials begin below it.

    Raises
    ------
    InputError
        If the layer has another shape than the terrain, or a thickness is negative or not finite.
    """

    height_nm: np.ndarray
    pixel_nm: float
    materials: tuple[Material, ...]
    columns: np.ndarray
    border: int
    layer_nm: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.layer_nm is None:
            return
        if self.layer_nm.shape != self.height_nm.shape:
            raise InputError(
                f"the layer's thickness has shape {self.layer_nm.shape}; the terrain has {self.height_nm.shape}"
            )
        if not (np.isfinite(self.layer_nm) & (self.layer_nm >= 0.0)).all():
            raise InputError("the layer's thickness must be finite and nowhere below 0 nm")

    @property
    def scan_shape(self) -> tuple[int, int]:
        """Shape (Y, X) of the scanned part."""
        rows, columns = self.height_nm.shape
        return rows - 2 * self.border, columns - 2 * self.border

    @classmethod
    def around(
        cls,
        height_nm: np.ndarray,
        pixel_nm: float,
        materials: Material | Sequence[Material],
        energy_kev: float,
        *,
        columns: np.ndarray | None = None,
        layer_nm: np.ndarray | None = None,
        surroundings: str = "reflect",
    ) -> Specimen:
        """Add surroundings to a height map, as far as electrons of an energy travel.

        Parameters
        ----------
        height_nm : ndarray, shape (Y, X)
            Heights, nm, all finite.
        pixel_nm : float
            Edge of a square pixel, nm.
        materials : Material or sequence of Material
            One material, or those that ``columns`` refers to.
        energy_kev : float
            Energy of the primaries, keV.
        columns : ndarray, shape (Y, X), optional
            Number of each pixel's material; all 0 by default.
        layer_nm : ndarray, shape (Y, X), optional
            Thickness of a layer of the last material on the columns, nm.
        surroundings : {"reflect", "wrap", "edge"}
            How the terrain goes on: mirrored, periodic, or level.

        Raises
        ------
        InputError
            If heights or material numbers cannot be used.
        """
        listed = (materials,) if isinstance(materials, Material) else tuple(materials)
        height = np.asarray(height_nm, np.float64)
        if height.ndim != 2 or min(height.shape) < 2:
            raise InputError(f"a height map of shape {height.shape} cannot be simulated; give rows x columns")
        if not np.isfinite(height).all():
            raise InputError(
                f"{int((~np.isfinite(height)).sum())} heights are not finite; fill or crop them before simulating"
            )
        if not pixel_nm > 0:
            raise InputError(f"the pixel size is {pixel_nm} nm; give a positive length")
        number = np.zeros(height.shape, np.uint8) if columns is None else np.asarray(columns)
        if number.shape != height.shape or number.min() < 0 or number.max() >= len(listed):
            raise InputError(
                f"the material map has shape {number.shape} and values {number.min()} to {number.max()}; it needs "
                f"the heights' shape {height.shape} and numbers below {len(listed)}"
            )
        farthest = max(m.range_nm(energy_kev) for m in listed) * PAD_IN_RANGES
        border = int(np.ceil(farthest / pixel_nm)) + 2
        below = _pad(number.astype(np.uint8), border, surroundings)
        layer = None if layer_nm is None else _pad(np.asarray(layer_nm, np.float64), border, surroundings)
        return cls(_pad(height, border, surroundings), float(pixel_nm), listed, below, border, layer)


def _pad(array: np.ndarray, border: int, surroundings: str) -> np.ndarray:
    if surroundings == "wrap":
        return np.pad(array, border, mode="wrap")
    if surroundings == "edge":
        return np.pad(array, border, mode="edge")
    if surroundings == "reflect":
        return np.pad(array, border, mode="reflect")
    raise ValueError(f"surroundings '{surroundings}' is none of reflect, wrap, edge")
