"""How far an engine's signals are off: a table by slope and size, and what it says of a surface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from pydantic import Field, model_validator

from napari_sem4d.acquisition.instrument import Segment, StrictModel
from napari_sem4d.frames import slopes
from napari_sem4d.physics.probe import FWHM_PER_SIGMA, blur
from napari_sem4d.surrogate.directions import acceptance, terms

WINDOW_RHO50 = 2.0
"""Standard deviation of the neighbourhood in which the bend of a surface is taken, rho50."""
_LONG = 2.0
"""Waves longer than the longest that were measured, by this factor, show all of their slopes."""
_BY_ORDER = {len(terms(order)): order for order in range(1, 9)}


class ModelErrorTable(StrictModel):
    """Systematic error of an engine's signals against Monte Carlo, by slope and size.

    Small features are told by the *bend*: how much the slope varies (standard deviation of the vector) within
    2 rho50. Facets of slope s on a feature of size L bend by about s where L is below 4 rho50, and by nothing in
    the middle of large ones.
    """

    slope_deg: tuple[float, ...] = Field(description="Upper edges of the slope bands but the last, degrees")
    bend: tuple[float, ...] = Field(description="Upper edges of the bend bands but the last, dimensionless")
    power: tuple[tuple[float, ...], ...] = Field(
        description="Mean square error by slope band (rows) and bend band, summed over directions, squared flat "
        "signals"
    )
    modes: tuple[tuple[float, ...], ...] = Field(
        description="Independent errors of the polynomials of directions, a row each, for a sum of one"
    )
    length_rho50: float = Field(
        gt=0, description="Length over which the correlation of errors that heights sum up falls to 1/e, rho50"
    )
    contrast: tuple[float, ...] = Field(
        (), description="Relative error of the contrast of slopes by bend band, alike in a whole image; rms"
    )
    waves_rho50: tuple[float, ...] = Field((), description="Lengths of waves, rho50, ascending")
    shown: tuple[float, ...] = Field(
        (),
        description="What Monte Carlo shows of the slopes of such waves, over what the engine shows: the rest is "
        "missing from the heights found",
    )
    pixels: tuple[tuple[int, ...], ...] = Field(description="Pixels that every figure was measured on")
    source: str = Field(description="Where it was measured")
    weights: str | None = Field(None, description="SHA-256 of the weights, where the engine has any")

    @model_validator(mode="after")
    def _check(self) -> Self:
        rows, columns = len(self.slope_deg) + 1, len(self.bend) + 1
        for table in (self.power, self.pixels):
            if len(table) != rows or any(len(row) != columns for row in table):
                raise ValueError(f"the table must have {rows} rows of {columns}")
        if self.contrast and len(self.contrast) != columns:
            raise ValueError(f"the errors of the contrast must be {columns}")
        if len(self.waves_rho50) != len(self.shown):
            raise ValueError("every length of waves must have its share")
        if any(len(mode) not in _BY_ORDER for mode in self.modes):
            raise ValueError("a mode must have the errors of a full set of polynomials")
        return self

    def signal_power(self, height: torch.Tensor, pixel_nm: float, rho50_nm: float) -> torch.Tensor:
        """Mean square error on a surface, summed over directions, squared flat signals.

        Parameters
        ----------
        height : torch.Tensor, shape (Y, X)
            nm.
        pixel_nm, rho50_nm : float

        Returns
        -------
        torch.Tensor, shape (Y, X)
        """
        p, q = slopes(height, pixel_nm)
        tilt = torch.rad2deg(torch.atan(torch.hypot(p, q)))
        table = torch.tensor(self.power, dtype=height.dtype, device=height.device)
        row = torch.bucketize(tilt, torch.tensor(self.slope_deg).to(tilt))
        column = torch.bucketize(bend(p, q, rho50_nm / pixel_nm), torch.tensor(self.bend).to(tilt))
        return table[row, column]

    def slope_error(self, height: torch.Tensor, pixel_nm: float, rho50_nm: float) -> torch.Tensor:
        """Relative error of slopes that a whole image has in common, at every pixel of a surface (Y, X)."""
        p, q = slopes(height, pixel_nm)
        table = torch.tensor(self.contrast or (0.0,) * (len(self.bend) + 1), dtype=height.dtype).to(height.device)
        return table[torch.bucketize(bend(p, q, rho50_nm / pixel_nm), torch.tensor(self.bend).to(height))]

    def shown_share(self, frequency: torch.Tensor, rho50_px: float) -> torch.Tensor:
        """Contrast of slopes by Monte Carlo over that of the engine at angular frequencies, rad per pixel."""
        if not self.shown:
            return torch.ones_like(frequency)
        length = 2.0 * np.pi / (rho50_px * frequency.clamp_min(1e-9))
        knots, shares = [*self.waves_rho50, _LONG * self.waves_rho50[-1]], [*self.shown, 1.0]
        found = np.interp(length.log().cpu().numpy(), np.log(knots), shares)
        return torch.as_tensor(found).to(frequency)

    def patterns(self, segments: Sequence[Segment]) -> np.ndarray:
        """Independent errors of the segments for a mean square error of one.

        Returns
        -------
        numpy.ndarray, shape (K, modes)
            In flat signals of each segment; times its transpose: the covariance of the segments' errors.
        """
        rows = acceptance(_BY_ORDER[len(self.modes[0])], segments)
        found: np.ndarray = rows / rows[:, :1] @ np.array(self.modes).T
        return found

    def correlation_spectrum(self, frequency: torch.Tensor, rho50_px: float) -> torch.Tensor:
        """Power of the error at angular frequencies (rad per pixel) over that of white noise of its variance.

        The spectrum of a correlation ``exp(-r / length)`` in the plane, with mean 1 over the frequencies given.
        """
        length = self.length_rho50 * rho50_px
        power = (1.0 + (frequency * length).square()).pow(-1.5)
        return power / power.mean(dtype=torch.float64).to(power.dtype)


def bend(p: torch.Tensor, q: torch.Tensor, rho50_px: float) -> torch.Tensor:
    """Standard deviation of the slope vector within a Gaussian neighbourhood of 2 rho50 (a pixel at least)."""
    width = FWHM_PER_SIGMA * max(WINDOW_RHO50 * rho50_px, 1.0)
    variance = sum((blur(s * s, width) - blur(s, width).square() for s in (p, q)), torch.zeros_like(p))
    return variance.clamp_min(0.0).sqrt()
