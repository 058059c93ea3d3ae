"""The detector's geometry from the images of a run, before its first frame; kept in the result."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sem4d.acquisition.instrument import Instrument, Segment
from napari_sem4d.errors import Cancelled, StoreError
from napari_sem4d.records import Notice, Progress, Record
from napari_sem4d.run_setup import Setup

if TYPE_CHECKING:
    from napari_sem4d.inversion.self_calibration import GeometryFit
    from napari_sem4d.io.store import ResultStore

ATTRIBUTE = "geometry"
"""Attribute of a result: JSON with names, units, values, standard uncertainties, correlation and the segments."""

_SIDE = 256
_ADVICE = (
    "More relief in all directions or less noise would; else measure it on an imprint (sem4d calibrate), or do "
    "not free it (free_geometry)"
)


def find_geometry(
    setup: Setup, store: ResultStore, pixels: np.ndarray, cancel: threading.Event
) -> Generator[Record, None, Setup]:
    """Find what ``free_geometry`` names on the reference frame, unless the store holds it already.

    Large images are judged by their middle, 256 x 256 pixels.

    Parameters
    ----------
    setup : Setup
    store : ResultStore
        Gets the outcome.
    pixels : ndarray, shape (K, Y, X)
        Of the reference frame.
    cancel : threading.Event

    Returns
    -------
    Setup
        With the segments that were found.

    Raises
    ------
    SettingsError
        If the images do not determine what is to be found.
    Cancelled
    """
    free = setup.settings.free_geometry
    if not free:
        return setup
    if store.attrs.get(ATTRIBUTE):
        return with_geometry(setup, str(store.attrs[ATTRIBUTE]))
    yield Progress(0.0, "the detector's geometry, from the images", setup.reference_frame, setup.series.frames)
    fit = _fit(setup, pixels, cancel)
    text = json.dumps(
        {
            "names": fit.names,
            "units": fit.units,
            "values": fit.values.tolist(),
            "standard_uncertainties": fit.std.tolist(),
            "correlation": fit.correlation.round(4).tolist(),
            "segments": [s.model_dump(mode="json") for s in fit.instrument.detector.segments],
        }
    )
    store.set_attrs(**{ATTRIBUTE: text})
    found = ", ".join(
        f"{n} {v:+.2f} +- {s:.2f} {u}"
        for n, v, s, u in zip(fit.names, fit.values, fit.std, fit.units, strict=True)
    )
    notice = f"The detector's geometry was found from the images: {found} (standard uncertainty)."
    store.add_warning(notice)
    yield Notice(notice)
    return with_geometry(setup, text)


def with_geometry(setup: Setup, text: str) -> Setup:
    """The setup with the segments that an attribute of a result states; as it is where that is empty.

    Raises
    ------
    StoreError
        If the attribute makes no sense.
    """
    if not text:
        return setup
    try:
        segments = tuple(Segment.model_validate(s) for s in json.loads(text)["segments"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"the detector's geometry in the result cannot be read: {error}") from error
    detector = setup.instrument.detector.model_copy(update={"segments": segments})
    return replace(setup, instrument=setup.instrument.model_copy(update={"detector": detector}))


def _fit(setup: Setup, pixels: np.ndarray, cancel: threading.Event) -> GeometryFit:
    import torch

    from napari_sem4d.forward.engine import DifferentiableEngine, ForwardSetup
    from napari_sem4d.forward.registry import make_engine
    from napari_sem4d.inversion.frame import first_guess, solve_frame
    from napari_sem4d.inversion.geometry import Geometry, check_free, refuse_undetermined
    from napari_sem4d.inversion.prepare import prepare_frame
    from napari_sem4d.inversion.preview import linear_preview
    from napari_sem4d.inversion.self_calibration import fit_geometry

    segments = setup.instrument.detector.segments
    check_free(setup.settings.free_geometry, len(segments))
    rows, columns = (_middle(n) for n in pixels.shape[1:])
    part = np.ascontiguousarray(pixels[:, rows, columns])

    def engine_for(instrument: Instrument) -> DifferentiableEngine:
        forward = ForwardSetup(instrument, setup.material, setup.pixel_nm)
        return make_engine(setup.settings.engine, forward, device=setup.device)

    def on_step(_: object) -> None:
        if cancel.is_set():
            raise Cancelled("cancelled by the user")

    options = setup.settings.inversion
    prepared = prepare_frame(part, setup.noise, setup.series.saturation, device=setup.device)
    preview = linear_preview(part, setup.instrument, setup.material, setup.pixel_nm)
    height = torch.as_tensor(preview.height, device=setup.device)
    objective, guess = first_guess(
        engine_for(setup.instrument), prepared.data, options, height, preview.mean_yield, on_step
    )
    solution = solve_frame(objective, guess, options, on_step=on_step)
    geometry = Geometry(segments, setup.settings.free_geometry)
    fit, _, _ = fit_geometry(
        solution.objective,
        solution.state,
        geometry,
        engine_for,
        gains_free=setup.calibration is None,
        correlation_area=max(setup.noise.correlation_area, 1.0),
        max_steps=options.max_steps,
        on_step=on_step,
    )
    refuse_undetermined(fit.names, fit.std, geometry.assumed_std, fit.correlation, _ADVICE)
    return fit


def _middle(n: int) -> slice:
    first = max(0, (n - _SIDE) // 2)
    return slice(first, first + min(n, _SIDE))
