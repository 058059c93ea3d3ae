"""A series, frame by frame, from images to a result store: a generator of small records."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sem4d import __version__
from napari_sem4d.acquisition.series import SemSeries
from napari_sem4d.allocator import large_blocks_kept
from napari_sem4d.errors import Cancelled, InputError, Sem4dError
from napari_sem4d.records import Failed, Finished, FrameDone, FrameFailed, Notice, Preview, Progress, Record
from napari_sem4d.run_geometry import find_geometry
from napari_sem4d.run_setup import Setup, first_readable, prepare, read_frame
from napari_sem4d.settings import Settings

if TYPE_CHECKING:
    import torch

    from napari_sem4d.acquisition.noise import NoiseModel
    from napari_sem4d.inversion.calibration import Calibration
    from napari_sem4d.inversion.frame import FrameSolution
    from napari_sem4d.inversion.model_height_error import HeightModelError
    from napari_sem4d.inversion.objective import Objective, State
    from napari_sem4d.inversion.prepare import PreparedFrame
    from napari_sem4d.inversion.preview import LinearPreview
    from napari_sem4d.io.store import ResultStore

_WEIGHT_FRAMES = 5
_ONE_THREAD_PIXELS = 150_000
_STEEP_DEG = 60.0
_OUTSIDE_DEG = 75.0
_MODEL_SEED = 500_000_000
# Share of a frame's time at which its preview is there.
_PREVIEW_SHARE = 0.15


def reconstruct_steps(
    series: SemSeries,
    out: Path,
    settings: Settings | None = None,
    calibration: Calibration | None = None,
    resume: bool = False,
    cancel: threading.Event | None = None,
) -> Iterator[Record]:
    """Reconstruct a series into a result store, reporting on the way; errors come as records.

    Every finished frame is in the store before its record is given out; a killed or cancelled run keeps it.
    The memory that is needed does not depend on the number of frames.

    Parameters
    ----------
    series : SemSeries
    out : Path
        Result store to make (or to go on with).
    settings : Settings, optional
        How to reconstruct; acquisition values in it have been applied when the series was opened.
    calibration : Calibration, optional
        Without one heights are relative.
    resume : bool
        Go on with the store at ``out``, which must come from the same images, settings and calibration.
    cancel : threading.Event, optional
        Set it to end the run after the step in hand.

    Yields
    ------
    Record
        The last one is ``Finished`` or ``Failed``.
    """
    out = Path(out)
    try:
        with large_blocks_kept(), _few_threads_for(series.shape):
            yield from _run(series, out, settings or Settings(), calibration, resume, cancel or threading.Event())
    except Cancelled:
        yield Finished(out, cancelled=True)
    except Sem4dError as error:
        yield Failed(str(error), out if out.exists() else None)
    except MemoryError:
        yield Failed(
            "the memory of this computer does not suffice for these images; crop or bin them, or close programs",
            out if out.exists() else None,
        )


def _run(
    series: SemSeries,
    out: Path,
    settings: Settings,
    calibration: Calibration | None,
    resume: bool,
    cancel: threading.Event,
) -> Iterator[Record]:
    from napari_sem4d.acquisition.checks import check_frame

    usable = [t for t in range(series.frames) if t not in series.faults]
    if not usable:
        raise InputError(f"no frame can be used; the first: {next(iter(series.faults.values()), 'no images')}")
    yield Progress(0.0, "reading the first frame", usable[0], series.frames)
    first, pixels = first_readable(series, usable)
    setup = prepare(series, settings, calibration, first, pixels)
    store = _open_store(setup, out, resume)
    settings = _frozen_settings(store, settings)
    checks = check_frame(pixels, series.segment_names, series.saturation)
    notes = (*series.warnings, *checks, *_calibration_notes(calibration), *_engine_notes(setup))
    for warning in dict.fromkeys(notes):
        store.add_warning(warning)
        yield Notice(warning)
    setup = yield from find_geometry(setup, store, pixels, cancel)
    pending = store.pending()
    if settings.inversion.curvature_weight is None and len(usable) > 1:
        yield from _choose_weight(setup, store, usable, cancel)
        settings = _frozen_settings(store, settings)
    clock = _Clock(len(pending))
    for done, frame in enumerate(pending):
        _check(cancel)
        yield clock.progress(done, frame, series.frames, "reading")
        try:
            for record in _frame(setup, settings, store, frame, cancel):
                if isinstance(record, FrameDone):
                    settings = _frozen_settings(store, settings)
                yield record
                if isinstance(record, Preview):
                    yield clock.progress(done + _PREVIEW_SHARE, frame, series.frames, "solving")
        except InputError as error:
            store.mark_failed(frame, str(error))
            yield FrameFailed(frame, str(error))
    yield Progress(1.0, "done", None, series.frames, 0.0)
    yield Finished(out, warnings=tuple(json.loads(str(store.attrs.get("warnings") or "[]"))))


def _choose_weight(
    setup: Setup, store: ResultStore, usable: list[int], cancel: threading.Event
) -> Iterator[Record]:
    """Fix the weight of the curvature prior for the whole series: the least that any of a few frames calls for.

    One weight for all frames, so that the resolution does not change in time; the roughest frame decides, so
    that a flat first frame does not smooth away what grows later.
    """
    from napari_sem4d.inversion.frame import find_weight

    chosen = sorted({usable[round(i)] for i in np.linspace(0, len(usable) - 1, _WEIGHT_FRAMES)})
    weights = []
    for n, frame in enumerate(chosen):
        _check(cancel)
        yield Progress(0.0, f"weight of the prior: frame {n + 1} of {len(chosen)}", frame, setup.series.frames)
        try:
            pixels = read_frame(setup.series, frame)
            preview = _preview(setup, pixels)
            if n == 0:
                yield Preview(frame, setup.stage.heights(preview.height, plane_removed=False))
            _, objective, guess = _start(setup, setup.settings, pixels, preview, cancel)
        except InputError:
            continue  # it is flagged when its turn comes
        weights.append(find_weight(objective, guess, setup.settings.inversion, lambda _: _check(cancel))[0])
    if weights:
        store.set_attrs(curvature_weight=min(weights))


def _preview(setup: Setup, pixels: np.ndarray) -> LinearPreview:
    from napari_sem4d.inversion.preview import linear_preview

    return linear_preview(pixels, setup.instrument, setup.material, setup.pixel_nm)


def _start(
    setup: Setup, settings: Settings, pixels: np.ndarray, preview: LinearPreview, cancel: threading.Event
) -> tuple[PreparedFrame, Objective, State]:
    """Weigh a frame's signals, and evaluate its objective where the solver starts."""
    import torch

    from napari_sem4d.inversion.frame import first_guess
    from napari_sem4d.inversion.prepare import prepare_frame

    prepared = prepare_frame(pixels, setup.noise, setup.series.saturation, device=setup.device)
    height = torch.as_tensor(preview.height, device=setup.device)
    objective, state = first_guess(
        setup.engine, prepared.data, settings.inversion, height, preview.mean_yield, lambda _: _check(cancel)
    )
    return prepared, objective, state


def _frame(
    setup: Setup, settings: Settings, store: ResultStore, frame: int, cancel: threading.Event
) -> Iterator[Record]:
    import torch

    from napari_sem4d.inversion.frame import solve_frame
    from napari_sem4d.inversion.gauge import to_datum
    from napari_sem4d.inversion.height_error import height_std, noise_colour
    from napari_sem4d.inversion.model_height_error import height_model_error

    pixels = read_frame(setup.series, frame)
    preview = _preview(setup, pixels)
    yield Preview(frame, setup.stage.heights(preview.height, plane_removed=False))
    _check(cancel)
    prepared, objective, guess = _start(setup, settings, pixels, preview, cancel)
    valid = torch.as_tensor(prepared.valid, device=setup.device)
    solution = solve_frame(objective, guess, settings.inversion, on_step=lambda _: _check(cancel))
    state = solution.state
    height = to_datum(state.height, valid, setup.remove_plane)
    colour = noise_colour(setup.series.shape, *_correlation(setup.noise), like=height)
    noise_std = height_std(solution.objective, state, colour, setup.remove_plane)
    _check(cancel)
    model_error = height_model_error(solution)
    model_std = torch.zeros_like(noise_std)
    if model_error is not None:
        model_std = model_error.std(valid, setup.remove_plane, settings.inversion.seed)
    if settings.inversion.draws:
        _write_draws(setup, settings, store, frame, solution, model_error, valid, cancel)
    if store.attrs.get("curvature_weight") is None:
        store.set_attrs(curvature_weight=solution.objective.priors.curvature_weight)
    on_stage = setup.stage.heights(height.cpu().numpy(), setup.remove_plane)
    terms = {
        name: setup.stage.map(part.cpu().numpy() * setup.stage.cosine, order=1)
        for name, part in (("height_std_noise", noise_std), ("height_std_model", model_std))
    }
    std = _with_calibration_error(setup, np.hypot(*terms.values()), on_stage)
    relative_yield = setup.stage.map(state.relative_yield.cpu().numpy(), order=1)
    misfit = solution.reduced_chi_square
    store.write_frame(
        frame,
        height=on_stage,
        height_std=std,
        relative_yield=relative_yield,
        quality=setup.stage.map(_quality(setup, prepared, state.height)),
        misfit=misfit,
        terms=terms,
        misfit_explained=solution.explained_chi_square,
    )
    yield FrameDone(frame, on_stage, std, relative_yield, misfit)


def _write_draws(
    setup: Setup,
    settings: Settings,
    store: ResultStore,
    frame: int,
    solution: FrameSolution,
    model_error: HeightModelError | None,
    valid: torch.Tensor,
    cancel: threading.Event,
) -> None:
    import torch

    from napari_sem4d.inversion.gauge import to_datum
    from napari_sem4d.inversion.height_error import posterior_draws

    signals = solution.state.linearisation.signals.cpu().numpy()

    def noise(i: int) -> torch.Tensor:
        rng = np.random.default_rng([settings.inversion.seed, frame, i])
        return torch.as_tensor(setup.noise.sample(rng, signals), dtype=torch.float32, device=setup.device)

    draws = posterior_draws(
        solution.objective,
        solution.state,
        settings.inversion.draws,
        settings.inversion.seed + 1000 * frame,
        noise,
        valid,
        setup.remove_plane,
    )
    for i, draw in enumerate(draws):
        _check(cancel)
        if model_error is not None:
            generator = torch.Generator().manual_seed(settings.inversion.seed + 1000 * frame + i + _MODEL_SEED)
            draw = draw + to_datum(model_error.draw(generator), valid, setup.remove_plane)
        store.write_draw(frame, i, setup.stage.heights(draw.cpu().numpy(), setup.remove_plane))


def _with_calibration_error(setup: Setup, std: np.ndarray, height: np.ndarray) -> np.ndarray:
    """A standard uncertainty with that of the calibration, where one fixes the scale."""
    if setup.calibration is None or not setup.calibration.fixes_height_scale:
        return std
    return np.asarray(np.hypot(std, setup.calibration.height_std(height)))


def _quality(setup: Setup, prepared: PreparedFrame, height: torch.Tensor) -> np.ndarray:
    from napari_sem4d.frames import slopes
    from napari_sem4d.io.layout import Quality

    p, q = slopes(height, setup.pixel_nm)
    tilt = np.degrees(np.arctan(np.hypot(p.cpu().numpy(), q.cpu().numpy())))
    edge = np.ones(tilt.shape, dtype=bool)
    edge[1:-1, 1:-1] = False
    flags = {
        Quality.SATURATED: prepared.saturated,
        Quality.BAD_PIXEL: prepared.bad,
        Quality.STEEP: tilt > _STEEP_DEG,
        Quality.OUTSIDE_DOMAIN: (tilt > _OUTSIDE_DEG) | bool(setup.engine.beyond),
        Quality.EDGE: edge,
    }
    quality = np.zeros(tilt.shape, dtype=np.uint16)
    for flag, where in flags.items():
        quality[where] |= np.uint16(flag)
    return quality


def _open_store(setup: Setup, out: Path, resume: bool) -> ResultStore:
    from napari_sem4d.io.hashing import describe_inputs
    from napari_sem4d.io.store import ResultStore

    series, settings = setup.series, setup.settings
    inputs = json.dumps(describe_inputs(page.path for pages in series.sources for page in pages))
    calibration = "" if setup.calibration is None else setup.calibration.model_dump_json()
    stated = {"settings": _full_settings(setup).model_dump_json(), "calibration": calibration, "inputs": inputs}
    times = series.signal["time"].values
    shape = setup.stage.shape(series.shape)
    if resume:
        match = {
            **stated,
            "pixel_nm": series.pixel_nm,
            "times": times.tolist(),
            "shape": list(setup.stage.shape(series.shape)),
        }
        return ResultStore.resume(out, match=match)
    tilt = setup.instrument.beam.tilt_deg
    attrs: dict[str, object] = {
        **stated,
        "scale_status": setup.scale_status,
        "datum": f"mean height of the valid pixels of each frame is zero; {_plane_text(setup)}"
        + (
            f"; heights along the normal of the stage, tilted by {tilt:g} degrees; y corrected for foreshortening"
            if setup.stage.is_tilted
            else ""
        ),
        "software": f"napari-sem4d {__version__}",
        "engine": settings.engine,
        "device": _device_text(setup.device),
        "seeds": json.dumps({"draws": settings.inversion.seed}),
        "warnings": "[]",
        "material": str(series.material),
        "curvature_weight": settings.inversion.curvature_weight,
        "resolution_nm": setup.resolution_nm,
        "scale_uncertainty": None if setup.calibration is None else setup.calibration.scale_uncertainty,
    }
    return ResultStore.create(
        out,
        times=times,
        time_unit=str(series.signal.attrs.get("time_unit", "frame")),
        shape=shape,
        pixel_nm=float(series.pixel_nm or 0.0),
        attrs=attrs,
        draws=settings.inversion.draws,
    )


def _full_settings(setup: Setup) -> Settings:
    """The settings with everything that the series knew: what a second run needs to give the same."""
    instrument = setup.series.instrument
    known = {
        "beam": instrument.beam,
        "detector": instrument.detector,
        "material": setup.series.material,
        "pixel_nm": setup.series.pixel_nm,
    }
    return setup.settings.model_copy(update=known)


def _plane_text(setup: Setup) -> str:
    if setup.calibration is None:
        return "mean plane removed"
    from napari_sem4d.inversion.plane_error import plane_std_deg

    uncertain = plane_std_deg(setup.calibration, setup.instrument, setup.material)
    return (
        f"plane as calibrated, its tilt known to {uncertain:.2g} degrees (standard uncertainty, not in height_std)"
    )


def _frozen_settings(store: ResultStore, settings: Settings) -> Settings:
    """Settings with the curvature weight that an earlier frame of this store has fixed."""
    weight = store.attrs.get("curvature_weight")
    if settings.inversion.curvature_weight is not None or weight is None:
        return settings
    inversion = settings.inversion.model_copy(update={"curvature_weight": float(str(weight))})
    return settings.model_copy(update={"inversion": inversion})


def _calibration_notes(calibration: Calibration | None) -> tuple[str, ...]:
    if calibration is not None:
        return tuple(calibration.warnings)
    return (
        "No calibration: heights are relative. Calibrate on a reference (a flat area or a Vickers imprint) to "
        "get nanometres with an uncertainty.",
    )


def _engine_notes(setup: Setup) -> tuple[str, ...]:
    notes = []
    if setup.resolution_nm > 2 * setup.pixel_nm:
        notes.append(
            f"Structure shorter than about {setup.resolution_nm:.3g} nm (0.3 of the electrons' range) leaves "
            "hardly any contrast of slopes: the map is smooth there because nothing says otherwise. A lower beam "
            "energy resolves more."
        )
    notes += setup.engine.beyond
    if setup.engine.model_error is None:
        notes.append(
            f"The error of the engine {setup.engine.name} with these weights has not been measured: height_std "
            "holds the noise alone."
        )
    return tuple(notes)


def _correlation(noise: NoiseModel) -> tuple[list[float], list[float]]:
    return list(noise.correlation_x[1:]), list(noise.correlation_y[1:])


def _device_text(device: torch.device) -> str:
    import platform

    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.processor() or platform.machine()}, {torch.get_num_threads()} threads)"


def _check(cancel: threading.Event) -> None:
    if cancel.is_set():
        raise Cancelled("cancelled by the user")


@contextlib.contextmanager
def _few_threads_for(shape: tuple[int, int]) -> Iterator[None]:
    """Small images on one thread: several would wait for one another longer than they work."""
    import torch

    before = torch.get_num_threads()
    if shape[0] * shape[1] < _ONE_THREAD_PIXELS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class _Clock:
    """Time left from the frames done so far."""

    frames: int

    def __post_init__(self) -> None:
        self._start = time.monotonic()

    def progress(self, done: float, frame: int, frames: int, what: str) -> Progress:
        elapsed = time.monotonic() - self._start
        left = elapsed / done * (self.frames - done) if done > 0.5 else None
        share = done / max(self.frames, 1)
        return Progress(share, f"frame {frame + 1} of {frames}: {what}", frame, frames, left)
