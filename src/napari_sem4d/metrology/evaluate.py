"""Tables of roughness figures: each with value, unit, interval, nesting indices and definition, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.metrology.analysis import ArealAnalysis, ProfileAnalysis
from napari_sem4d.metrology.filters import gaussian_filter_profile
from napari_sem4d.metrology.intervals import (
    COVERAGE,
    Interval,
    bootstrap_interval,
    cosine_power,
    quadratic_interval,
    quiet_surface,
    with_scale,
)
from napari_sem4d.metrology.profile import Profile
from napari_sem4d.metrology.registry import AREAL, PROFILE, Parameter
from napari_sem4d.metrology.rules import refusal
from napari_sem4d.metrology.surface import Surface, Treatment


@dataclass(frozen=True)
class Figure:
    """One line of a table.

    ``value`` is NaN and ``refusal`` a sentence where the figure is not valid. ``low``, ``high``, ``std`` are
    None without draws. ``bias`` is what noise had added (already subtracted from ``value``). ``low`` and ``high``
    hold the noise (``std``) and what the calibration leaves open (``scale_std``, None without draws).
    """

    name: str
    value: float
    unit: str
    low: float | None
    high: float | None
    std: float | None
    scale_std: float | None
    bias: float | None
    coverage: float
    levelling: str
    s_nm: float | None
    l_nm: float | None
    masked_fraction: float
    group: str
    definition: str
    standard: str
    refusal: str | None


def evaluate(surface: Surface, names: Iterable[str] | None = None, *, unscaled: bool = False) -> list[Figure]:
    """Compute areal figures of a prepared surface.

    Parameters
    ----------
    surface : Surface
        From :func:`~napari_sem4d.metrology.surface.prepare_surface`.
    names : iterable of str, optional
        Names of ISO 25178-2; the full set if not given.
    unscaled : bool
        On a relative height: True gives figures in relative units without interval, False refuses them.

    Returns
    -------
    list of Figure
        In the order of ``names``.

    Raises
    ------
    InputError
        If a name is unknown.
    """
    parameters = _choose(AREAL, names)
    nominal = ArealAnalysis(surface.height, surface.pixel_nm)
    shape = surface.height.shape
    longest = max(n * p for n, p in zip(shape, surface.pixel_nm, strict=True))

    def make(height: np.ndarray) -> ArealAnalysis:
        return ArealAnalysis(height, surface.pixel_nm)

    def refused(parameter: Parameter) -> str | None:
        return refusal(
            parameter,
            surface.treatment,
            max(surface.pixel_nm),
            longest,
            surface.reliable_nm,
            surface.relative and not unscaled,
            lambda: nominal.curve.is_bimodal,
        )

    return _table(
        parameters,
        nominal,
        make,
        surface.height,
        surface.errors,
        surface.number_of_draws,
        refused,
        surface.treatment,
        surface.masked_fraction,
        surface.relative,
        surface.scale_std,
    )


def evaluate_profile(
    profile: Profile,
    names: Iterable[str] | None = None,
    *,
    s_nm: float | None = None,
    l_nm: float | None = None,
    relative: bool = False,
    reliable_nm: tuple[float, float] | None = None,
    unscaled: bool = False,
) -> list[Figure]:
    """Compute the figures of ISO 21920-2 of a profile.

    The least-squares line is removed, then the S and L filters are applied; the section length is the L
    nesting index where at least one such section fits, otherwise a fifth of the profile.

    Parameters
    ----------
    profile : Profile
        With draws, if intervals are wanted.
    names : iterable of str, optional
        Names of ISO 21920-2; the full set if not given.
    s_nm, l_nm : float, optional
        Nesting indices, nm.
    relative, reliable_nm, unscaled
        As in :func:`~napari_sem4d.metrology.surface.prepare_surface` and :func:`evaluate`.

    Returns
    -------
    list of Figure

    Raises
    ------
    DomainError
        If the profile is too short for its filters.
    """
    parameters = _choose(PROFILE, names)
    treatment = Treatment("plane", s_nm, l_nm)
    treated = _treat(profile.height_nm, profile.spacing_nm, treatment)
    section = l_nm if l_nm is not None and l_nm <= profile.length_nm else None
    nominal = ProfileAnalysis(treated, profile.spacing_nm, section)

    def make(height: np.ndarray) -> ProfileAnalysis:
        return ProfileAnalysis(height, profile.spacing_nm, section)

    def errors() -> Iterable[np.ndarray]:
        for draw in profile.draws if profile.draws is not None else ():
            yield _treat(np.where(profile.valid, draw, np.nan), profile.spacing_nm, treatment) - treated

    def refused(parameter: Parameter) -> str | None:
        return refusal(
            parameter,
            treatment,
            profile.spacing_nm,
            profile.length_nm,
            reliable_nm,
            relative and not unscaled,
            lambda: False,
        )

    return _table(
        parameters,
        nominal,
        make,
        treated,
        errors,
        0 if profile.draws is None else len(profile.draws),
        refused,
        treatment,
        1.0 - float(profile.valid.mean()),
        relative,
        profile.scale_std,
    )


def _choose(registry: dict[str, Parameter], names: Iterable[str] | None) -> list[Parameter]:
    wanted = list(registry) if names is None else list(names)
    unknown = [name for name in wanted if name not in registry]
    if unknown:
        raise InputError(f"Unknown figure {', '.join(unknown)}: choose among {', '.join(registry)}.")
    return [registry[name] for name in wanted]


def _treat(height: np.ndarray, spacing_nm: float, treatment: Treatment) -> np.ndarray:
    x = np.arange(height.size, dtype=np.float64)
    valid = np.isfinite(height)
    if valid.sum() < 10:
        raise DomainError("The profile has fewer than 10 valid samples: draw a longer line.")
    line = np.polynomial.Polynomial.fit(x[valid], height[valid], 1)
    treated = height - line(x)
    if treatment.s_nm is not None:
        treated = gaussian_filter_profile(treated, spacing_nm, treatment.s_nm)
    if treatment.l_nm is not None:
        treated = treated - gaussian_filter_profile(treated, spacing_nm, treatment.l_nm)
    return treated


def _table(
    parameters: Sequence[Parameter],
    nominal: Any,
    make: Callable[[np.ndarray], Any],
    height: np.ndarray,
    errors: Callable[[], Iterable[np.ndarray]],
    count: int,
    refused: Callable[[Parameter], str | None],
    treatment: Treatment,
    masked: float,
    relative: bool,
    scale_std: float,
) -> list[Figure]:
    reasons = {p.name: refused(p) for p in parameters}
    _compute_together(nominal, {p.uses for p in parameters if reasons[p.name] is None})
    values: dict[str, float] = {}
    for p in parameters:
        if reasons[p.name] is None:
            try:
                values[p.name] = float(p.compute(nominal))
            except DomainError as error:
                reasons[p.name] = str(error)
    open_ones = [p for p in parameters if p.name in values and not (relative and p.scales_with_height)]
    found = _intervals(open_ones, values, make, height, errors) if count > 1 and open_ones else {}
    for p in open_ones:
        if p.name in found and p.scales_with_height:
            found[p.name] = with_scale(found[p.name], scale_std, p.height_power, signed=p.signed)
    table = []
    for p in parameters:
        interval = found.get(p.name)
        unit = p.unit
        if relative and p.scales_with_height:
            unit = f"{p.unit} (relative)".strip()
        table.append(
            Figure(
                name=p.name,
                value=interval.value if interval else values.get(p.name, float("nan")),
                unit=unit,
                low=interval.low if interval else None,
                high=interval.high if interval else None,
                std=interval.std if interval else None,
                scale_std=interval.scale_std if interval else None,
                bias=interval.bias if interval else None,
                coverage=COVERAGE,
                levelling=treatment.levelling,
                s_nm=treatment.s_nm,
                l_nm=treatment.l_nm,
                masked_fraction=masked,
                group=p.group,
                definition=p.definition,
                standard=p.standard,
                refusal=reasons[p.name],
            )
        )
    return table


def _compute_together(analysis: Any, names: set[str]) -> None:
    """Compute the intermediates on two threads: numpy releases the interpreter lock in all of them."""
    if "hills" in names:
        names = names | {"dales"}
    # The longest ones first, so that the two threads end about together.
    slowest_first = ("hills", "dales", "lobe", "curve", "gradient", "heights", "direction", "figures")
    order = [name for name in slowest_first if name in names]

    def one(name: str) -> None:
        try:
            getattr(analysis, name)
        except DomainError:
            # The figure that needs it asks again and turns the same sentence into its refusal.
            return

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, order))


def _intervals(
    parameters: Sequence[Parameter],
    values: dict[str, float],
    make: Callable[[np.ndarray], Any],
    height: np.ndarray,
    errors: Callable[[], Iterable[np.ndarray]],
) -> dict[str, Interval]:
    """Go through the draws one at a time (twice, when a figure needs the bootstrap), so memory stays flat."""
    squares = [p for p in parameters if p.interval == "quadratic"]
    others = [p for p in parameters if p.interval == "bootstrap"]
    result: dict[str, Interval] = {}
    power: np.ndarray | None = None
    draws: dict[str, list[float]] = {p.name: [] for p in squares}
    alone: dict[str, list[float]] = {p.name: [] for p in squares}
    count = 0
    for error in errors():
        count += 1
        if others:
            power = cosine_power(error) if power is None else power + cosine_power(error)
        if squares:
            noisy, noise = make(height + error), make(error)
            for p in squares:
                draws[p.name].append(p.compute(noisy))
                alone[p.name].append(p.compute(noise))
    for p in squares:
        result[p.name] = quadratic_interval(values[p.name], np.array(draws[p.name]), np.array(alone[p.name]))
    if not others or power is None:
        return result
    quiet = quiet_surface(height, power / count)
    of_quiet = _of(others, make(quiet))
    sampled: dict[str, list[float]] = {p.name: [] for p in others}
    for error in errors():
        for name, value in _of(others, make(quiet + error)).items():
            sampled[name].append(value)
    for p in others:
        noisy_values = np.array(sampled[p.name])
        # A figure that the noise makes undefined in some draws has no interval to give.
        if p.name in of_quiet and noisy_values.size == count and np.isfinite(noisy_values).all():
            result[p.name] = bootstrap_interval(values[p.name], of_quiet[p.name], noisy_values, signed=p.signed)
    return result


def _of(parameters: Sequence[Parameter], analysis: Any) -> dict[str, float]:
    values = {}
    for p in parameters:
        try:
            values[p.name] = float(p.compute(analysis))
        except DomainError:
            continue
    return values
