"""When a roughness figure is refused, and the sentence that says why and what to do."""

from __future__ import annotations

from collections.abc import Callable

from napari_sem4d.metrology.registry import Parameter
from napari_sem4d.metrology.surface import Treatment


def refusal(
    parameter: Parameter,
    treatment: Treatment,
    spacing_nm: float,
    length_nm: float,
    reliable_nm: tuple[float, float] | None,
    relative: bool,
    is_bimodal: Callable[[], bool],
) -> str | None:
    """Say why a figure is not valid here, or None where it is.

    Parameters
    ----------
    parameter : Parameter
        The figure.
    treatment : Treatment
        Levelling and filters of the surface.
    spacing_nm, length_nm : float
        Coarser pixel edge and longer side of the area (or length of the profile), nm.
    reliable_nm : (float, float) or None
        Reliable band of wavelengths, nm.
    relative : bool
        Whether the height scale is relative and figures in nm are asked for.
    is_bimodal : callable
        Whether the heights form two separate levels; asked only where it matters.
    """
    if relative and parameter.scales_with_height:
        return (
            f"The height scale of this map is relative, so {parameter.name} cannot be given in true units: "
            "calibrate on a reference, or ask for figures in relative units."
        )
    if parameter.needs_s_filter and treatment.s_nm is None:
        return (
            f"{parameter.name} without an S filter measures the noise of single pixels: choose an S nesting "
            f"index, at least {3 * spacing_nm:g} nm."
        )
    if reliable_nm is not None:
        outside = _outside_band(parameter.name, treatment, spacing_nm, length_nm, *reliable_nm)
        if outside is not None:
            return outside
    if parameter.needs_one_mode and is_bimodal():
        return (
            f"The heights form two separate levels, on which {parameter.name} means nothing: measure the step "
            "height, or choose a region on one level."
        )
    return None


def _outside_band(
    name: str, treatment: Treatment, spacing_nm: float, length_nm: float, shortest: float, longest: float
) -> str | None:
    # Without an S filter the shortest wave is two pixels long; without an L filter the longest is the area.
    short = treatment.s_nm if treatment.s_nm is not None else 2.0 * spacing_nm
    long = treatment.l_nm if treatment.l_nm is not None else length_nm
    if short < shortest * (1 - 1e-9):
        return (
            f"{name} would contain wavelengths from {short:g} nm, shorter than the reliable band of {shortest:g} "
            f"to {longest:g} nm: choose an S nesting index of at least {shortest:g} nm."
        )
    if long > longest * (1 + 1e-9):
        return (
            f"{name} would contain wavelengths up to {long:g} nm, longer than the reliable band of {shortest:g} "
            f"to {longest:g} nm: choose an L nesting index of at most {longest:g} nm."
        )
    return None
