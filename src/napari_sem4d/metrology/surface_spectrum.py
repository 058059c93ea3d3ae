"""Power spectrum of a prepared surface, with the noise that the posterior draws give taken off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.metrology.intervals import COVERAGE, quadratic_interval, with_scale
from napari_sem4d.metrology.spectrum import power_spectrum_1d, power_spectrum_2d, radial_spectrum
from napari_sem4d.metrology.surface import Surface

KINDS = ("radial", "x", "y")


@dataclass(frozen=True)
class SurfaceSpectrum:
    """Power over spatial frequency.

    Attributes
    ----------
    kind : str
        "radial" (mean of the 2D spectrum over directions), or "x", "y" (mean 1D spectrum of the lines).
    frequency_per_nm : ndarray, shape (N,)
        1 / wavelength, 1/nm.
    power : ndarray, shape (N,)
        In ``unit``; without the noise where draws are given.
    unit : str
        "nm4" for radial, "nm3" for x and y.
    noise, low, high : ndarray, shape (N,), or None
        Power of the noise that was subtracted and the 95 % interval of ``power``, which holds the noise and the
        uncertainty of the height scale; None without draws.
    coverage : float
        Of the interval.
    """

    kind: str
    frequency_per_nm: np.ndarray
    power: np.ndarray
    unit: str
    noise: np.ndarray | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    coverage: float = COVERAGE

    @property
    def wavelength_nm(self) -> np.ndarray:
        """1 / frequency, nm."""
        return 1.0 / self.frequency_per_nm


def surface_spectrum(
    surface: Surface, kind: str = "radial", window: str = "hann", *, unscaled: bool = False
) -> SurfaceSpectrum:
    """Compute a spectrum of a treated surface.

    Parameters
    ----------
    surface : Surface
        From :func:`~napari_sem4d.metrology.surface.prepare_surface`.
    kind : {"radial", "x", "y"}
        Mean over all directions, along the rows, along the columns.
    window : {"hann", "none"}
        See :mod:`~napari_sem4d.metrology.spectrum`.
    unscaled : bool
        On a relative height: True gives relative units without interval, False refuses.

    Raises
    ------
    DomainError
        If the height is relative, or the region too small or too full of gaps.
    InputError
        If kind or window is unknown.
    """
    if kind not in KINDS:
        raise InputError(f"A spectrum is one of {', '.join(KINDS)}, not {kind!r}: choose one.")
    if surface.relative and not unscaled:
        raise DomainError(
            "The height scale of this map is relative, so a spectrum cannot be given in true units: calibrate on "
            "a reference, or ask for figures in relative units."
        )
    power_of = _power_of(surface, kind, window)
    frequency, power = power_of(surface.height)
    unit = ("nm4" if kind == "radial" else "nm3") + (" (relative)" if surface.relative else "")
    if surface.relative or surface.number_of_draws < 2:
        return SurfaceSpectrum(kind, frequency, power, unit)
    alone, noisy = [], []
    for error in surface.errors():
        alone.append(power_of(error)[1])
        noisy.append(power_of(surface.height + error)[1])
    roots = [np.sqrt(np.array(values)) for values in (noisy, alone)]
    found = [
        with_scale(quadratic_interval(float(np.sqrt(p)), of_draws, of_errors), surface.scale_std, signed=False)
        for p, of_draws, of_errors in zip(power, roots[0].T, roots[1].T, strict=True)
    ]
    return SurfaceSpectrum(
        kind,
        frequency,
        np.array([i.value**2 for i in found]),
        unit,
        noise=np.array(alone).mean(axis=0),
        low=np.array([i.low**2 for i in found]),
        high=np.array([i.high**2 for i in found]),
    )


def _power_of(surface: Surface, kind: str, window: str) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    def one(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if kind == "radial":
            rings = radial_spectrum(power_spectrum_2d(height, surface.pixel_nm, window))
            return rings.frequency_per_nm, rings.power_nm4
        lines = power_spectrum_1d(height, surface.pixel_nm, kind, window)
        return lines.frequency_per_nm, lines.power_nm3

    return one
