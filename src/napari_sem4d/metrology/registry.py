"""The roughness parameters as data: name, definition, unit, standard, needs, kind of interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

AREAL_STANDARD = "ISO 25178-2:2021"
PROFILE_STANDARD = "ISO 21920-2:2021"


@dataclass(frozen=True)
class Parameter:
    """One roughness parameter.

    Attributes
    ----------
    name : str
        As in the standard, without subscripts.
    group : str
        Heading in a table.
    unit : str
        "nm", "%", "degree", "1/nm", "1/nm2", or "" for none.
    definition : str
        One sentence, with the formula that was chosen where programs differ.
    standard : str
        Standard and edition.
    compute : callable
        From an ArealAnalysis or ProfileAnalysis to a number.
    uses : str
        The intermediate that it reads (an attribute of the analysis).
    interval : {"quadratic", "bootstrap", "none"}
        "quadratic": its square is a mean of squares, so the noise power is subtracted;
        "bootstrap": parametric bootstrap, bias shown; "none": an angle modulo 180 degrees has no such interval.
    scales_with_height : bool
        Whether another height scale would change the number (so a relative height gives none in nm).
    height_power : float
        Power of the height scale with which it grows (Sdr: 2, on gentle slopes); only with ``scales_with_height``.
    signed : bool
        Whether it can be negative.
    needs_s_filter : bool
        Whether noise at the pixel scale would dominate it.
    needs_one_mode : bool
        Whether it means nothing on a surface with two separate levels.
    """

    name: str
    group: str
    unit: str
    definition: str
    standard: str
    compute: Callable[[Any], float]
    uses: str
    interval: str = "bootstrap"
    scales_with_height: bool = True
    height_power: float = 1.0
    signed: bool = False
    needs_s_filter: bool = False
    needs_one_mode: bool = False


def _areal(name: str, group: str, unit: str, definition: str, path: str, **more: Any) -> Parameter:
    uses = path.split(".")[0]
    uses = "lobe" if uses == "aspect" else uses
    return Parameter(name, group, unit, definition, AREAL_STANDARD, attrgetter(path), uses, **more)


def _profile(name: str, unit: str, definition: str, **more: Any) -> Parameter:
    get = attrgetter(f"figures.{name.lower()}")
    return Parameter(name, "Profile", unit, definition, PROFILE_STANDARD, get, "figures", **more)


_H, _Y, _S, _F, _V, _T = "Height", "Hybrid", "Spatial", "Function", "Volume", "Feature"
_FREE = {"scales_with_height": False}
_CORE = {"needs_one_mode": True}

_AREAL = (
    _areal(
        "Sa", _H, "nm", "Arithmetic mean height: mean of the modulus of the height above the mean.", "heights.sa"
    ),
    _areal("Sq", _H, "nm", "Root mean square height.", "heights.sq", interval="quadratic"),
    _areal("Sp", _H, "nm", "Maximum peak height above the mean.", "heights.sp"),
    _areal("Sv", _H, "nm", "Maximum pit depth below the mean.", "heights.sv"),
    _areal("Sz", _H, "nm", "Maximum height: Sp + Sv.", "heights.sz"),
    _areal("Ssk", _H, "", "Skewness: mean cubed height over Sq cubed.", "heights.ssk", signed=True, **_FREE),
    _areal(
        "Sku", _H, "", "Kurtosis: mean fourth power of the height over Sq to the fourth.", "heights.sku", **_FREE
    ),
    Parameter(
        "Sdq",
        _Y,
        "",
        "Root mean square gradient; slopes by the seven-point formula.",
        AREAL_STANDARD,
        lambda a: a.gradient[0],
        "gradient",
        interval="quadratic",
        needs_s_filter=True,
    ),
    Parameter(
        "Sdr",
        _Y,
        "%",
        "Developed interfacial area ratio: mean of sqrt(1 + gradient^2) - 1; slopes by the seven-point formula.",
        AREAL_STANDARD,
        lambda a: a.gradient[1],
        "gradient",
        height_power=2.0,
        needs_s_filter=True,
    ),
    _areal(
        "Sal",
        _S,
        "nm",
        "Autocorrelation length: shortest lag at which the autocorrelation falls to 0.2.",
        "lobe.nearest_nm",
        **_FREE,
    ),
    _areal(
        "Str",
        _S,
        "",
        "Texture aspect ratio: shortest over longest lag of the central lobe above 0.2 (1: isotropic).",
        "aspect",
        **_FREE,
    ),
    _areal(
        "Std",
        _S,
        "degree",
        "Texture direction: maximum of the angular spectrum, counter-clockwise from +x; it lies across the lay.",
        "direction",
        interval="none",
        **_FREE,
    ),
    _areal(
        "Sk",
        _F,
        "nm",
        "Core height: least-squares line over the flattest 40 % of the material ratio curve, from 0 to 100 %.",
        "curve.core.sk",
        **_CORE,
    ),
    _areal(
        "Spk", _F, "nm", "Reduced peak height: triangle of equal area above the core.", "curve.core.spk", **_CORE
    ),
    _areal(
        "Svk", _F, "nm", "Reduced dale depth: triangle of equal area below the core.", "curve.core.svk", **_CORE
    ),
    _areal(
        "Smrk1",
        _F,
        "%",
        "Material ratio at the top of the core.",
        "curve.core.smrk1",
        needs_one_mode=True,
        **_FREE,
    ),
    _areal(
        "Smrk2",
        _F,
        "%",
        "Material ratio at the bottom of the core.",
        "curve.core.smrk2",
        needs_one_mode=True,
        **_FREE,
    ),
    _areal(
        "Sxp", _F, "nm", "Peak extreme height: height at 2.5 % minus height at 50 % material ratio.", "curve.sxp"
    ),
    _areal("Vmp", _V, "nm", "Peak material volume per area (nm3/nm2): material above 10 %.", "curve.vmp"),
    _areal("Vmc", _V, "nm", "Core material volume per area (nm3/nm2): between 10 and 80 %.", "curve.vmc"),
    _areal("Vvc", _V, "nm", "Core void volume per area (nm3/nm2): between 10 and 80 %.", "curve.vvc"),
    _areal("Vvv", _V, "nm", "Dale void volume per area (nm3/nm2): void below 80 %.", "curve.vvv"),
    _areal(
        "S5p",
        _T,
        "nm",
        "Mean height of the five highest peaks above the mean; Wolf pruning 5 %.",
        "hills.five_highest_nm",
    ),
    _areal(
        "S5v",
        _T,
        "nm",
        "Mean depth of the five deepest pits below the mean; Wolf pruning 5 %.",
        "dales.five_highest_nm",
    ),
    Parameter(
        "S10z",
        _T,
        "nm",
        "Ten-point height: S5p + S5v.",
        AREAL_STANDARD,
        lambda a: a.hills.five_highest_nm + a.dales.five_highest_nm,
        "hills",
    ),
    _areal("Spd", _T, "1/nm2", "Density of peaks; Wolf pruning 5 % of Sz.", "hills.density_per_nm2", **_FREE),
    _areal("Svd", _T, "1/nm2", "Density of pits; Wolf pruning 5 % of Sz.", "dales.density_per_nm2", **_FREE),
    _areal(
        "Spc",
        _T,
        "1/nm",
        "Arithmetic mean peak curvature; Wolf pruning 5 %.",
        "hills.mean_curvature_per_nm",
        needs_s_filter=True,
    ),
    _areal(
        "Svc",
        _T,
        "1/nm",
        "Arithmetic mean pit curvature; Wolf pruning 5 %.",
        "dales.mean_curvature_per_nm",
        needs_s_filter=True,
    ),
)

_PROFILE = (
    _profile("Ra", "nm", "Arithmetic mean height over the evaluation length."),
    _profile("Rq", "nm", "Root mean square height over the evaluation length.", interval="quadratic"),
    _profile("Rp", "nm", "Mean over the section lengths of the highest peak."),
    _profile("Rv", "nm", "Mean over the section lengths of the deepest pit."),
    _profile("Rz", "nm", "Mean over the section lengths of highest peak plus deepest pit."),
    _profile("Rt", "nm", "Total height over the evaluation length."),
    _profile("Rsk", "", "Skewness over the evaluation length.", signed=True, **_FREE),
    _profile("Rku", "", "Kurtosis over the evaluation length.", **_FREE),
    _profile("Rdq", "", "Root mean square slope, seven-point formula.", interval="quadratic", needs_s_filter=True),
    _profile("Rsm", "nm", "Mean spacing of the profile elements (10 % of Rp and Rv, both directions).", **_FREE),
    _profile("Rc", "nm", "Mean height of the profile elements (10 % of Rp and Rv, both directions)."),
)

AREAL: dict[str, Parameter] = {p.name: p for p in _AREAL}
PROFILE: dict[str, Parameter] = {p.name: p for p in _PROFILE}
