"""What a result claims and what the images say, on one grid and in one unit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError
from scipy.ndimage import zoom

from napari_sem4d.errors import InputError, StoreError
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.io.layout import FrameState, Quality
from napari_sem4d.io.store import open_result
from napari_sem4d.settings import Settings
from napari_sem4d.verification.images import find_images

if TYPE_CHECKING:
    import xarray as xr

    from napari_sem4d.inversion.calibration import Calibration
    from napari_sem4d.inversion.stage import Stage

_MARGIN_RHO50 = 2.0
_LEAST_MARGIN = 2
_LEAST_YIELD = 1e-3


@dataclass(frozen=True)
class Evidence:
    """A finished frame and its images.

    Attributes
    ----------
    setup : ForwardSetup
        Instrument with the gains that the run used, material, pixel.
    height : ndarray, shape (Y, X)
        nm, along the beam, on the images' grid.
    plane : ndarray, shape (Y, 1)
        The stage's plane in it, nm (zero without tilt): a wrong scale of heights turns about it.
    relative_yield : ndarray, shape (Y, X)
        As found, the frame's common gain in it.
    measured : ndarray, shape (K, Y, X)
        ``(signal - offset) / gain / relative yield``: electrons per primary, weighted by energy.
    usable : ndarray of bool, shape (Y, X)
    calibrated : bool
        Whether gains come from a reference (else every segment's gain is free).
    correlation_area : float
        Pixels that share one independent value of noise.
    frame : int
    notes : tuple of str
    """

    setup: ForwardSetup
    height: np.ndarray
    plane: np.ndarray
    relative_yield: np.ndarray
    measured: np.ndarray
    usable: np.ndarray
    calibrated: bool
    correlation_area: float
    frame: int
    notes: tuple[str, ...]


def gather(path: Path, frame: int | None, images: Path | None) -> Evidence:
    """Read a frame of a result, and the images that it was made from.

    Parameters
    ----------
    path : Path
        Result store.
    frame : int, optional
        The first finished one by default.
    images : Path, optional
        Folder of the images, if they have been moved.

    Raises
    ------
    StoreError
        If the result cannot be used.
    InputError
        If there is no such frame, or the images are missing or do not fit.
    """
    from napari_sem4d.acquisition.opening import open_series
    from napari_sem4d.run_geometry import ATTRIBUTE as GEOMETRY
    from napari_sem4d.run_geometry import with_geometry
    from napari_sem4d.run_setup import first_readable, prepare, read_frame

    result = open_result(path)
    number = _frame(result, path, frame)
    settings, calibration = _stated(result, path)
    files, notes = find_images(path, str(result.attrs.get("inputs")), images)
    series = open_series(files, settings, model=Settings)
    if series.frames != result.sizes["time"]:
        raise InputError(
            f"the images are {series.frames} frames and {path.name} has {result.sizes['time']}; give the folder "
            "that holds exactly its images with --images"
        )
    usable_frames = [t for t in range(series.frames) if t not in series.faults]
    if not usable_frames:
        raise InputError(f"no image can be used; the first: {next(iter(series.faults.values()))}")
    reference, reference_pixels = first_readable(series, usable_frames)
    # The gains of the run: from its calibration, or else from the same first frame.
    setup = prepare(
        series, settings.model_copy(update={"device": "cpu"}), calibration, reference, reference_pixels
    )
    setup = with_geometry(setup, str(result.attrs.get(GEOMETRY) or ""))
    pixels = reference_pixels if number == reference else read_frame(series, number)
    maps = {name: result[name].isel(time=number).values for name in ("height", "relative_yield", "quality")}
    height, relative_yield, quality = on_images(setup.stage, maps, series.shape)
    if not np.isfinite(height).all() or not np.isfinite(relative_yield).all():
        raise StoreError(f"frame {number} of {path} holds heights or yields that are not finite")
    forward = ForwardSetup(setup.instrument, setup.material, setup.pixel_nm)
    measured = per_primary(pixels, forward) / np.maximum(relative_yield, _LEAST_YIELD)
    usable = _usable(quality, measured, relative_yield, forward)
    return Evidence(
        forward,
        height,
        setup.stage.plane(series.shape[0]) if setup.stage.is_tilted else np.zeros((series.shape[0], 1)),
        relative_yield,
        measured,
        usable,
        calibration is not None,
        max(setup.noise.correlation_area, 1.0),
        number,
        notes,
    )


def per_primary(signals: np.ndarray, setup: ForwardSetup) -> np.ndarray:
    """Energy-weighted electrons per primary from signals of shape (K, ...): offset and gain taken off."""
    segments = setup.instrument.detector.segments
    across = (len(segments),) + (1,) * (signals.ndim - 1)
    gain, offset = (np.reshape([getattr(s, name) for s in segments], across) for name in ("gain", "offset"))
    return np.asarray((signals - offset) / gain)


def _frame(result: xr.Dataset, path: Path, frame: int | None) -> int:
    states = result["frame_state"].values
    done = np.flatnonzero(states == FrameState.DONE)
    if not done.size:
        raise StoreError(f"{path} holds no finished frame yet; repeat the run with --resume")
    if frame is None:
        return int(done[0])
    if not 0 <= frame < states.size:
        raise InputError(f"{path.name} has {states.size} frames, counted from 0: there is no frame {frame}")
    if frame not in done:
        raise InputError(f"frame {frame} of {path.name} is not finished; choose another, or resume the run")
    return frame


def _stated(result: xr.Dataset, path: Path) -> tuple[Settings, Calibration | None]:
    from napari_sem4d.inversion.calibration import Calibration

    try:
        settings = Settings.model_validate_json(str(result.attrs.get("settings")))
        text = str(result.attrs.get("calibration") or "")
        return settings, Calibration.model_validate_json(text) if text else None
    except ValidationError as error:
        first = error.errors()[0]
        raise StoreError(
            f"the settings or the calibration in {path} cannot be read ({first['msg']}); it was written by "
            "another version of napari-sem4d"
        ) from error


def on_images(
    stage: Stage, maps: dict[str, np.ndarray], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Height along the beam, relative yield and quality on the images' grid: the way back from the stage's."""
    height = maps["height"].astype(np.float64)
    relative_yield, quality = maps["relative_yield"].astype(np.float64), maps["quality"]
    if stage.is_tilted:
        factor = (shape[0] / height.shape[0], 1.0)
        height = zoom(height, factor, order=1, mode="nearest", grid_mode=True) / float(stage.cosine)
        height += stage.plane(shape[0])
        relative_yield = zoom(relative_yield, factor, order=1, mode="nearest", grid_mode=True)
        quality = zoom(quality, factor, order=0, mode="nearest", grid_mode=True)
    if height.shape != shape:
        raise InputError(
            f"the images have {shape[1]} x {shape[0]} pixels and the result {height.shape[1]} x "
            f"{height.shape[0]}; these are not the images that it was made from"
        )
    return height, relative_yield, quality


def _usable(
    quality: np.ndarray, measured: np.ndarray, relative_yield: np.ndarray, setup: ForwardSetup
) -> np.ndarray:
    """Pixels whose signal and surroundings are known."""
    from napari_sem4d.physics.planar_table import planar_table

    unknown = Quality.SATURATED | Quality.BAD_PIXEL | Quality.OUTSIDE_DOMAIN
    usable = (quality & np.uint16(unknown)) == 0
    usable &= np.isfinite(measured).all(axis=0) & (relative_yield > _LEAST_YIELD)
    rho50 = planar_table(setup.material, float(setup.instrument.beam.energy_kev or 0.0)).rho50_nm
    margin = max(_LEAST_MARGIN, int(np.ceil(_MARGIN_RHO50 * rho50 / setup.pixel_nm)))
    inner = np.zeros(usable.shape, dtype=bool)
    # Beyond the image's border the terrain is not known; an image of few exit radii keeps its middle.
    rows, columns = (min(margin, n // 8) for n in usable.shape)
    inner[rows : usable.shape[0] - rows, columns : usable.shape[1] - columns] = True
    usable &= inner
    if not usable.any():
        raise InputError("no pixel of this frame can be compared: all are saturated, bad or too steep")
    return np.asarray(usable)
