"""The verdict on a surface: figures, and sentences that follow from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from napari_sem4d.verification.comparison import Band, Comparison, Interval

Verdict = Literal["agrees", "differs", "too little data"]
# 3.3 standard errors: among some forty bands, one is rarely that far off by chance.
_BEYOND_CHANCE = 1.2


@dataclass(frozen=True)
class Tolerances:
    """How far a surface may be from its images.

    Attributes
    ----------
    effect : float
        Difference of the signals, in units of the flat signal.
    height_scale : float
        Deviation of the height scale from 1.
    brightness : float
        Deviation of the brightness from that of the material (only where a calibration fixes it).
    """

    effect: float = 0.05
    height_scale: float = 0.05
    brightness: float = 0.10


@dataclass(frozen=True)
class Verification:
    """The outcome; it comes as a record of ``verify_steps``.

    Attributes
    ----------
    verdict : {"agrees", "differs", "too little data"}
    sentences : tuple of str
        The verdict in words, reasons first.
    frame : int
    segments : tuple of str
    material : str
    calibrated : bool
    comparison : Comparison
    brightness : Interval or None
        Measured brightness over that of the material at the calibrated gains; None without a calibration.
    tolerances : Tolerances
    pixels, electrons, seed : int
    notes : tuple of str
    seconds : float
    """

    verdict: Verdict
    sentences: tuple[str, ...]
    frame: int
    segments: tuple[str, ...]
    material: str
    calibrated: bool
    comparison: Comparison
    brightness: Interval | None
    tolerances: Tolerances
    pixels: int
    electrons: int
    seed: int
    notes: tuple[str, ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can hold."""
        return asdict(self)


def judge(
    comparison: Comparison,
    brightness: Interval | None,
    tolerances: Tolerances,
    material: str,
    segments: tuple[str, ...],
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and its sentences.

    An interval inside its tolerance agrees, one outside differs, one that straddles it leaves the question open.
    """
    verdicts: list[tuple[Verdict, str]] = []
    scale = comparison.height_scale
    if scale is None:
        verdicts.append(("too little data", "The surface is flat: nothing can be told about its height scale."))
    else:
        outcome = _about(scale, 1.0, tolerances.height_scale)
        text = f"heights times {_say(scale)} would match the images best"
        verdicts.append((outcome, _sentence(text, outcome, scale, tolerances.height_scale)))
    outcome = _below(comparison.effect, tolerances.effect)
    text = f"the signals differ by {_say(comparison.effect)} of the flat signal (rms over segments and slopes)"
    verdicts.append((outcome, _sentence(text, outcome, comparison.effect, tolerances.effect)))
    if brightness is not None:
        outcome = _about(brightness, 1.0, tolerances.brightness)
        text = f"the images are {_say(brightness)} times as bright as {material} would be at the calibrated gains"
        sentence = _sentence(text, outcome, brightness, tolerances.brightness)
        if outcome == "differs":
            sentence += " Another material, or another beam current than that of the calibration?"
        verdicts.append((outcome, sentence))
    overall: Verdict = next(
        (v for v in ("differs", "too little data") if any(outcome == v for outcome, _ in verdicts)), "agrees"
    )
    first = {
        "agrees": "The surface agrees with its images within the tolerances.",
        "differs": "The surface differs from its images.",
        "too little data": "Too little data to tell: take more pixels or more electrons.",
    }[overall]
    # What decides comes first.
    reasons = sorted(verdicts, key=lambda v: v[0] != overall)
    return overall, (first, *(sentence for _, sentence in reasons), *_worst(comparison.bands, segments))


def _about(value: Interval, centre: float, tolerance: float) -> Verdict:
    if centre - tolerance <= value.low and value.high <= centre + tolerance:
        return "agrees"
    return "differs" if value.low > centre + tolerance or value.high < centre - tolerance else "too little data"


def _below(value: Interval, tolerance: float) -> Verdict:
    if value.high <= tolerance:
        return "agrees"
    return "differs" if value.low > tolerance else "too little data"


def _say(value: Interval) -> str:
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def _sentence(text: str, outcome: Verdict, value: Interval, tolerance: float) -> str:
    ending = {
        "agrees": f"within the tolerance of {tolerance:g}",
        "differs": f"outside the tolerance of {tolerance:g}",
        "too little data": f"and the interval crosses the tolerance of {tolerance:g}",
    }[outcome]
    return f"{text[0].upper()}{text[1:]}, {ending}; {value.detectable:.3f} would have been found."


def _worst(bands: tuple[Band, ...], segments: tuple[str, ...]) -> tuple[str, ...]:
    """The band that differs most, of those whose difference is no chance."""
    real = [b for b in bands if abs(b.difference.value) > _BEYOND_CHANCE * b.difference.detectable]
    if not real:
        return ("No slope band of any segment differs by more than chance.",)
    worst = max(real, key=lambda b: abs(b.difference.value) - b.difference.detectable)
    low, high = worst.facing_deg
    return (
        f"Most in segment {segments[worst.segment]} where the surface faces it by {low:g} to {high:g} degrees: "
        f"{worst.difference.value:+.3f} ({worst.difference.low:+.3f} to {worst.difference.high:+.3f}) of the flat "
        f"signal, {100 * worst.area_share * len(segments):.0f} % of the area.",
    )
