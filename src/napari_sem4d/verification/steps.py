"""Verify a finished surface: a generator of small records, the verdict among them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sem4d.errors import Cancelled, InputError, Sem4dError, SettingsError
from napari_sem4d.frames import slopes
from napari_sem4d.records import Failed, Finished, Notice, Progress, Record
from napari_sem4d.verification.comparison import Comparison, Interval, Signals, compare
from napari_sem4d.verification.report import Tolerances, Verification, judge
from napari_sem4d.verification.sampling import Sample, draw_sample

if TYPE_CHECKING:
    from napari_sem4d.verification.evidence import Evidence

PIXELS = 4000
ELECTRONS = 1500
_SCALED_BY = 0.8
_SCALED_ELECTRONS = 4  # the scaled surface gets one electron in so many
_DIFFERENCE = 0.02
_LEAST_PIXELS = 100


def verify_steps(
    path: str | Path,
    *,
    frame: int | None = None,
    pixels: int = PIXELS,
    electrons: int = ELECTRONS,
    seed: int = 0,
    images: str | Path | None = None,
    tolerances: Tolerances | None = None,
    threads: int | None = None,
    cancel: threading.Event | None = None,
) -> Iterator[Record | Verification]:
    """Simulate a sample of a result's pixels by Monte Carlo and compare them with the images.

    Compared are ``(signal - offset) / gain / relative yield`` with the Monte Carlo of the surface, at the same
    pixels in their true surroundings. One gain is free (the frame's common gain), or one for each segment where no
    calibration fixed them. Nothing is written.

    Parameters
    ----------
    path : path
        Result store.
    frame : int, optional
        The first finished one by default.
    pixels : int
        Pixels to simulate at most: half as the area has them, half evenly over classes of slope.
    electrons : int
        Primaries a pixel.
    seed : int
        Of the choice of pixels, of the electrons and of the intervals.
    images : path, optional
        Folder of the images, if they are not beside the result any more.
    tolerances : Tolerances, optional
    threads : int, optional
        All cores by default.
    cancel : threading.Event, optional
        Set it to stop.

    Returns
    -------
    iterator of Record or Verification
        Progress, notices, the verdict, and last ``Finished`` or ``Failed``.

    Raises
    ------
    SettingsError
        At once, if a number makes no sense.
    """
    if pixels < _LEAST_PIXELS or electrons < _SCALED_ELECTRONS:
        raise SettingsError(
            f"{pixels} pixels of {electrons} electrons: give at least {_LEAST_PIXELS} and {_SCALED_ELECTRONS}"
        )
    options = _Options(pixels, electrons, seed, threads, cancel or threading.Event())
    return _run(Path(path), frame, None if images is None else Path(images), tolerances or Tolerances(), options)


@dataclass(frozen=True)
class _Options:
    pixels: int
    electrons: int
    seed: int
    threads: int | None
    cancel: threading.Event


def _run(
    path: Path, frame: int | None, images: Path | None, tolerances: Tolerances, options: _Options
) -> Iterator[Record | Verification]:
    from napari_sem4d.verification.evidence import gather

    start = time.monotonic()
    try:
        yield Progress(0.0, "reading the result and its images")
        evidence = gather(path, frame, images)
        notes = (*evidence.notes, *_scope(evidence))
        for note in notes:
            yield Notice(note)
        sample = _sample(evidence, options)
        simulated, of_scaled = yield from _simulate(evidence, sample, options)
        signals = _in_flat_units(evidence, sample, simulated, of_scaled)
        comparison = compare(signals, np.random.default_rng([options.seed, 2]))
        brightness = _brightness(evidence, sample, comparison)
        names = evidence.setup.instrument.segment_names
        material = evidence.setup.material.name
        verdict, sentences = judge(comparison, brightness, tolerances, material, names)
        yield Progress(1.0, "done", seconds_left=0.0)
        yield Verification(
            verdict=verdict,
            sentences=sentences,
            frame=evidence.frame,
            segments=names,
            material=material,
            calibrated=evidence.calibrated,
            comparison=comparison,
            brightness=brightness,
            tolerances=tolerances,
            pixels=sample.rows.size,
            electrons=options.electrons,
            seed=options.seed,
            notes=notes,
            seconds=round(time.monotonic() - start, 2),
        )
        yield Finished(path, warnings=notes)
    except Cancelled:
        yield Finished(path, cancelled=True)
    except Sem4dError as error:
        yield Failed(str(error), path)
    except MemoryError:
        yield Failed("the memory of this computer does not suffice for this result; take fewer pixels", path)


def _scope(evidence: Evidence) -> tuple[str, ...]:
    if evidence.calibrated:
        return ()
    return (
        "Without a calibration the gain of every segment was free, and heights are relative: the verdict holds "
        "for the detector's angles and offsets as they were assumed, and brightness is not judged.",
    )


def _sample(evidence: Evidence, options: _Options) -> Sample:
    p, q = slopes(evidence.height, evidence.setup.pixel_nm)
    rng = np.random.default_rng([options.seed, 1])
    sample = draw_sample(np.arctan(np.hypot(p, q)), evidence.usable, options.pixels, rng)
    if sample.rows.size < _LEAST_PIXELS:
        raise InputError(
            f"only {sample.rows.size} pixels can be compared (the others are saturated, bad, too steep or at the "
            f"border); at least {_LEAST_PIXELS} are needed"
        )
    return sample


def _scaled(evidence: Evidence, factor: float) -> np.ndarray:
    """The surface with its relief over the stage's plane times a factor."""
    return np.asarray(evidence.plane + factor * (evidence.height - evidence.plane))


def _simulate(
    evidence: Evidence, sample: Sample, options: _Options
) -> Generator[Record, None, tuple[np.ndarray, np.ndarray]]:
    """Electrons per primary, shape (K, n), of the surface and of the scaled one."""
    from napari_sem4d.forward.monte_carlo import MonteCarloEngine
    from napari_sem4d.verification.evidence import per_primary

    runs = ((1.0, options.electrons), (_SCALED_BY, options.electrons // _SCALED_ELECTRONS))
    total = sum(electrons for _, electrons in runs)
    done, start = 0.0, time.monotonic()
    signals = []
    for factor, electrons in runs:
        engine = MonteCarloEngine(
            evidence.setup, electrons=electrons, seed=options.seed, threads=options.threads, cancel=options.cancel
        )
        found = np.empty((len(engine.segments), sample.rows.size))
        ones = np.ones_like(evidence.height)
        for block in engine.blocks(_scaled(evidence, factor), ones, (sample.rows, sample.columns)):
            found[:, block.part] = per_primary(block.signals, evidence.setup)
            share = (done + block.share * electrons) / total
            left = (time.monotonic() - start) / share * (1.0 - share)
            yield Progress(share, f"{sample.rows.size} pixels, {electrons} electrons each", seconds_left=left)
        signals.append(found)
        done += electrons
    return signals[0], signals[1]


def _law(evidence: Evidence) -> Callable[[np.ndarray], np.ndarray]:
    """Electrons per primary by the local law, shape (K, Y, X), as a function of the height."""
    import torch

    from napari_sem4d.forward.registry import make_simulator
    from napari_sem4d.verification.evidence import per_primary

    engine = make_simulator("local", evidence.setup, torch.float64)

    def evaluate(height: np.ndarray) -> np.ndarray:
        surface = torch.as_tensor(height, dtype=torch.float64)
        signals = engine.expected_signals(surface, torch.ones_like(surface)).numpy()
        return per_primary(signals, evidence.setup)

    return evaluate


def _in_flat_units(evidence: Evidence, sample: Sample, simulated: np.ndarray, of_scaled: np.ndarray) -> Signals:
    """Everything at the sampled pixels, in units of each segment's signal of a flat."""
    law = _law(evidence)
    flat = law(np.zeros((3, 3)))[:, 1, 1][:, None]
    at = (slice(None), sample.rows, sample.columns)
    higher, lower = law(_scaled(evidence, 1 + _DIFFERENCE)), law(_scaled(evidence, 1 - _DIFFERENCE))
    segments = evidence.setup.instrument.detector.segments
    return Signals(
        measured=evidence.measured[at] / flat,
        simulated=simulated / flat,
        of_scaled=of_scaled / flat,
        scaled_by=_SCALED_BY,
        law=law(evidence.height)[at] / flat,
        law_by_scale=(higher - lower)[at] / (2 * _DIFFERENCE) / flat,
        facing_deg=_facing(evidence)[at],
        weight=sample.weight,
        gain_group=(0,) * len(segments) if evidence.calibrated else tuple(range(len(segments))),
        inflation=float(np.sqrt(1.0 + sample.share * (evidence.correlation_area - 1.0))),
    )


def _facing(evidence: Evidence) -> np.ndarray:
    """Slope towards each segment, degrees, shape (K, Y, X); for a full ring the slope itself."""
    from napari_sem4d.acquisition.orientation import segments_in_image

    p, q = slopes(evidence.height, evidence.setup.pixel_nm)
    out = []
    for segment in segments_in_image(evidence.setup.instrument):
        if segment.azimuth_width_deg >= 360.0:
            out.append(np.hypot(p, q))
            continue
        azimuth = np.radians(segment.azimuth_centre_deg)
        out.append(-(p * np.cos(azimuth) + q * np.sin(azimuth)))
    return np.degrees(np.arctan(out))


def _brightness(evidence: Evidence, sample: Sample, comparison: Comparison) -> Interval | None:
    """Brightness of the images over that of the material: the common gain with the mean relative yield."""
    if not evidence.calibrated:
        return None
    mean = float(sample.weight @ evidence.relative_yield[sample.rows, sample.columns])
    gain = comparison.gains[0]
    return Interval(gain.value * mean, gain.low * mean, gain.high * mean, gain.detectable * mean)
