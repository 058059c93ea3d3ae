"""Simulate a surface into a series: a generator of small records, resumable."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from napari_sem4d import __version__
from napari_sem4d.acquisition.instrument import Detector, Instrument
from napari_sem4d.errors import Cancelled, Sem4dError, SettingsError
from napari_sem4d.forward.engine import SimulatorName
from napari_sem4d.records import Failed, Finished, Notice, Progress, Record
from napari_sem4d.settings import Settings
from napari_sem4d.simulation.files import SeriesFolder, check_names
from napari_sem4d.simulation.surface import SIZE, Surface, find_surface

if TYPE_CHECKING:
    from napari_sem4d.forward.engine import ForwardSetup

_TOO_STEEP_DEG = 75.0


def simulate_steps(
    source: str | Path,
    out: str | Path,
    settings: Settings,
    electrons: int,
    *,
    engine: SimulatorName = "monte_carlo",
    seed: int = 0,
    pixel_nm: float | None = None,
    unit: str | None = None,
    size: int = SIZE,
    parameters: Mapping[str, float] | None = None,
    threads: int | None = None,
    cancel: threading.Event | None = None,
) -> Iterator[Record]:
    """Simulate images of a height map or a scene into a folder that opens as a series.

    The folder holds one float TIFF a segment with its pixel size, ``acquisition.yaml``, and in ``truth`` the
    height map, the standard error of every signal and a record of settings, seed and scene. A cancelled run goes
    on where it was when it is called again with the same inputs.

    Parameters
    ----------
    source : path or str
        Height map (TIFF, .npy in nm, .gwy and all that ``read_surface`` reads), or the name of a scene.
    out : path
        Folder to make; nothing is overwritten.
    settings : Settings
        Beam, material and detector; a detector may be the name of a preset.
    electrons : int
        Primaries a pixel. With the local engine 0 means images without noise.
    engine : {"monte_carlo", "vift", "local"}
    seed : int
        Of the electrons, and of a scene's random places.
    pixel_nm : float, optional
        Pixel of a scene (by default that of the settings, else a quarter of rho50), or of a file that does not
        say it.
    unit : str, optional
        Unit of the heights, for files that do not say it.
    size : int
        Rows and columns of a scene.
    parameters : mapping, optional
        Of a scene: lengths in rho50, angles in degrees.
    threads : int, optional
        All cores by default.
    cancel : threading.Event, optional
        Set it to stop; what is finished is kept.

    Returns
    -------
    iterator of Record
        The last one is ``Finished`` or ``Failed``.

    Raises
    ------
    SettingsError
        At once, if something that is needed is unknown or contradicts itself.
    InputError, StoreError
        At once, if the surface cannot be used, or the folder holds something already.
    """
    if engine not in get_args(SimulatorName):
        raise SettingsError(f"engine '{engine}': images are simulated with {' or '.join(get_args(SimulatorName))}")
    if electrons < (1 if engine == "monte_carlo" else 0):
        raise SettingsError(f"{electrons} electrons a pixel: give at least 1 (0 only without Monte Carlo)")
    if size < 2:
        raise SettingsError(f"a size of {size} pixels: give at least 2")
    detector = _detector(settings)
    surface = find_surface(
        source, settings, pixel_nm=pixel_nm, unit=unit, size=size, seed=seed, parameters=parameters or {}
    )
    record = _record(surface, settings, detector, electrons, engine, seed)
    folder = SeriesFolder(Path(out), record)
    return _run(folder, surface, settings, detector, electrons, engine, seed, threads, cancel or threading.Event())


def _run(
    folder: SeriesFolder,
    surface: Surface,
    settings: Settings,
    detector: Detector,
    electrons: int,
    engine: SimulatorName,
    seed: int,
    threads: int | None,
    cancel: threading.Event,
) -> Iterator[Record]:
    from napari_sem4d.forward.engine import ForwardSetup
    from napari_sem4d.physics.materials import material

    notes = (*surface.notes, *_steep(surface))
    try:
        for note in notes:
            yield Notice(note)
        if folder.resumed:
            yield Notice(f"{folder.path} was begun before: the simulation goes on from there.")
        yield Progress(0.0, "preparing")
        setup = ForwardSetup(
            Instrument(beam=settings.beam, detector=detector), material(str(settings.material)), surface.pixel_nm
        )
        shape = (len(detector.segments), *surface.height.shape)
        signals, errors = np.empty(shape), np.empty(shape)
        if engine != "monte_carlo":
            signals[...], errors[...] = _by_law(engine, setup, surface.height, electrons, seed)
        else:
            from napari_sem4d.forward.monte_carlo import MonteCarloEngine

            electrons_engine = MonteCarloEngine(
                setup,
                electrons=electrons,
                seed=seed,
                threads=threads,
                cancel=cancel,
                surroundings=surface.surroundings,
            )
            start = time.monotonic()
            flat_signals, flat_errors = signals.reshape(shape[0], -1), errors.reshape(shape[0], -1)
            ones = np.ones_like(surface.height)
            for block in electrons_engine.blocks(surface.height, ones, checkpoint=folder.parts):
                flat_signals[:, block.part], flat_errors[:, block.part] = block.signals, block.errors
                left = (time.monotonic() - start) / block.share * (1.0 - block.share)
                yield Progress(block.share, f"{electrons} electrons a pixel", seconds_left=left)
        folder.finish(settings, detector, surface.pixel_nm, signals, errors, surface.height)
    except Cancelled:
        yield Finished(folder.path, cancelled=True, warnings=notes)
        return
    except Sem4dError as error:
        yield Failed(str(error), folder.path)
        return
    except MemoryError:
        yield Failed("the memory of this computer does not suffice for this surface; crop it", folder.path)
        return
    yield Progress(1.0, "done", seconds_left=0.0)
    yield Finished(folder.path, warnings=notes)


def _by_law(
    engine: SimulatorName, setup: ForwardSetup, height: np.ndarray, electrons: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Signals and errors by an engine without noise of its own, with counting noise unless ``electrons`` is 0."""
    import torch

    from napari_sem4d.forward.registry import make_simulator
    from napari_sem4d.simulation.counting import counted

    surface = torch.as_tensor(height, dtype=torch.float64)
    law = make_simulator(engine, setup, torch.float64)
    with torch.no_grad():
        signals = law.expected_signals(surface, torch.ones_like(surface)).numpy()
    if not electrons:
        return signals, np.zeros_like(signals)
    instrument = setup.instrument
    energy = float(instrument.beam.energy_kev or 0.0)
    rng = np.random.default_rng(seed)
    return counted(signals, instrument.detector.segments, setup.material, energy, electrons, rng)


def _detector(settings: Settings) -> Detector:
    """The detector of the settings, its segments from a preset where only the name is given.

    Raises
    ------
    SettingsError
        Naming everything that is missing or cannot be simulated.
    """
    from napari_sem4d.acquisition.presets import load_preset, preset_names

    detector = settings.detector
    if not detector.segments and detector.name in preset_names():
        detector = load_preset(str(detector.name), detector.working_distance_mm)
    missing = [
        name
        for name, known in (
            ("beam.energy_kev", settings.beam.energy_kev),
            ("material", settings.material),
            ("detector.segments (or the name of a preset as detector.name)", detector.segments),
        )
        if not known
    ]
    if missing:
        raise SettingsError(f"the settings do not say {', '.join(missing)}; a simulation needs it")
    if abs(settings.beam.tilt_deg) > 0.1:
        raise SettingsError(
            f"beam.tilt_deg is {settings.beam.tilt_deg:g}: images of a tilted stage are not simulated; tilt the "
            "height map instead, and set beam.tilt_deg to 0"
        )
    check_names([s.name for s in detector.segments])
    return detector


def _record(
    surface: Surface, settings: Settings, detector: Detector, electrons: int, engine: str, seed: int
) -> dict[str, Any]:
    record = {
        "software": f"napari-sem4d {__version__}",
        "engine": engine,
        "electrons_per_pixel": electrons,
        "seed": seed,
        "surface": surface.source,
        "shape": list(surface.height.shape),
        "pixel_nm": surface.pixel_nm,
        "surroundings": surface.surroundings,
        "material": settings.material,
        "beam": settings.beam.model_dump(mode="json"),
        "detector": detector.model_dump(mode="json"),
    }
    # As JSON gives it back, so that a record that was read equals one that was made.
    out: dict[str, Any] = json.loads(json.dumps(record))
    return out


def _steep(surface: Surface) -> tuple[str, ...]:
    from napari_sem4d.frames import slopes

    p, q = slopes(surface.height, surface.pixel_nm)
    share = float((np.hypot(p, q) > np.tan(np.radians(_TOO_STEEP_DEG))).mean())
    if share < 1e-3:
        return ()
    return (
        f"{100 * share:.1f} % of the surface is steeper than {_TOO_STEEP_DEG:g} degrees: a height map holds such "
        "walls only smeared over a pixel, and no undercuts.",
    )
