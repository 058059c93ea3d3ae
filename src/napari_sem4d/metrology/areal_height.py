"""Height parameters of ISO 25178-2:2021, clause 4.2: Sa, Sq, Sp, Sv, Sz, Ssk, Sku."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import DomainError


@dataclass(frozen=True)
class HeightParameters:
    """Heights are measured from the mean of the valid pixels.

    ``sa``, ``sq``, ``sp``, ``sv`` (positive), ``sz`` in the unit of the heights (nm); ``ssk`` and ``sku``
    without unit, NaN on a perfectly flat surface.
    """

    sa: float
    sq: float
    sp: float
    sv: float
    sz: float
    ssk: float
    sku: float


def height_parameters(heights: np.ndarray) -> HeightParameters:
    """Compute the height parameters of the finite values of ``heights`` (any shape, nm).

    Raises
    ------
    DomainError
        If no value is finite.
    """
    values = np.asarray(heights)
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise DomainError("There is no valid height in this region: choose another one.")
    z = values.astype(np.float64)
    z -= z.mean()
    square = z * z
    variance = float(square.mean())
    flat = variance <= (1e-12 * max(1.0, float(np.abs(values).max()))) ** 2
    third = float((square * z).mean())
    fourth = float(square @ square) / square.size
    low, high = float(z.min()), float(z.max())
    return HeightParameters(
        sa=float(np.abs(z).mean()),
        sq=variance**0.5,
        sp=high,
        sv=-low,
        sz=high - low,
        ssk=float("nan") if flat else third / variance**1.5,
        sku=float("nan") if flat else fourth / variance**2,
    )
