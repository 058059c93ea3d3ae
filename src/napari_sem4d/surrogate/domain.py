"""What a network was trained on, and what of a series lies beyond it."""

from __future__ import annotations

from typing import Any


def beyond_training(
    card: dict[str, Any], *, eta0: float, energy_kev: float, probe_rho50: float, tilt_deg: float
) -> tuple[str, ...]:
    """Say in sentences in what a series lies outside the domain on a network's card.

    Parameters
    ----------
    card : dict
        With ``domain``: ranges of eta0, beam energy (keV) and probe (rho50).
    eta0 : float
        Backscatter coefficient of a flat of the material.
    energy_kev, probe_rho50, tilt_deg : float

    Returns
    -------
    tuple of str
        Empty inside the domain.
    """
    domain = card.get("domain")
    if domain is None:
        return ("the weights of ViFT do not say what they were trained on: check the result with sem4d verify",)
    found = []
    for name, value, key, unit in (
        ("the backscatter coefficient of the material", eta0, "eta0", ""),
        ("the beam energy", energy_kev, "energy_kev", " keV"),
        ("the probe", probe_rho50, "probe_rho50", " exit radii"),
    ):
        low, high = domain[key]
        if not low <= value <= high:
            found.append(
                f"{name} ({value:.3g}{unit}) lies outside what ViFT was trained on ({low:g} to {high:g}{unit}): "
                "check the result with sem4d verify, or use the engine local"
            )
    if abs(tilt_deg) > 0.0:
        found.append(
            f"ViFT was not trained on a tilted stage ({tilt_deg:g} degrees): check the result with sem4d verify"
        )
    return tuple(found)
