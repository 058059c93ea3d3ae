"""What a result store holds: variables, their units, the attributes, and how large it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum, IntFlag

import dask.array as da
import numpy as np
import xarray as xr

FORMAT = "napari-sem4d result"
FORMAT_VERSION = 1

STATED_ATTRS = (
    "scale_status",
    "datum",
    "settings",
    "calibration",
    "software",
    "device",
    "seeds",
    "inputs",
    "warnings",
)
"""Attributes that whoever creates a store must state (``pixel_nm`` has its own parameter)."""

SCALE_STATUS = ("calibrated", "relative")


class FrameState(IntEnum):
    """What is known about a frame of the series."""

    PENDING = 0
    DONE = 1
    FAILED = 2


class Quality(IntFlag):
    """Bits of the variable ``quality``; 0 is a pixel without a remark."""

    SATURATED = 1
    SHADOWED = 2
    STEEP = 4
    OUTSIDE_DOMAIN = 8
    EDGE = 16
    BAD_PIXEL = 32


QUALITY_TEXT = "1 saturated, 2 shadowed, 4 steep, 8 outside the model's domain, 16 edge, 32 bad pixel"

MAPS: dict[str, tuple[str, str, str]] = {
    "height": ("float32", "nm", "Height"),
    "height_std": ("float32", "nm", "Standard uncertainty of the height"),
    "relative_yield": ("float32", "1", "Relative yield (1 = reference material)"),
    "quality": ("uint16", "1", f"Quality flags: {QUALITY_TEXT}"),
}
"""Variables of shape (time, y, x): number type, unit, meaning."""

TERMS: dict[str, tuple[str, str, str]] = {
    "height_std_noise": ("float32", "nm", "Part of height_std that the noise of the images makes"),
    "height_std_model": ("float32", "nm", "Part of height_std that the forward engine's own error makes"),
}
"""Maps like those of :data:`MAPS`, added in quadrature; results of earlier versions lack them."""

SERIES: dict[str, tuple[str, str, str]] = {
    "misfit": ("float64", "1", "Reduced chi-square of the frame against the noise: 1 = the noise explains it"),
    "drift_x": ("float64", "nm", "Drift of the frame against frame 0, to the right"),
    "drift_y": ("float64", "nm", "Drift of the frame against frame 0, up the screen"),
    "frame_state": ("uint8", "1", "0 pending, 1 done, 2 failed"),
}
"""Variables of shape (time,): number type, unit, meaning."""

SERIES_TERMS: dict[str, tuple[str, str, str]] = {
    "misfit_explained": ("float64", "1", "Reduced chi-square against noise and the engine's own error"),
}
"""Like :data:`SERIES`; results of earlier versions lack them."""

REQUIRED = (*MAPS, *SERIES)


def estimate_bytes(frames: int, shape: tuple[int, int], draws: int = 0) -> int:
    """Upper bound of a store's size in bytes (float noise hardly compresses, so the bound is close).

    Parameters
    ----------
    frames : int
        Number of frames.
    shape : tuple of int
        (Y, X), pixels.
    draws : int
        Posterior draws kept for each frame, 0 for none.
    """
    per_pixel = sum(np.dtype(kind).itemsize for kind, _, _ in (MAPS | TERMS).values()) + 4 * draws
    headers = 64 * (len(MAPS | TERMS) + len(SERIES | SERIES_TERMS) + draws)
    return frames * (per_pixel * shape[0] * shape[1] + headers) + 65_536


def human_size(n_bytes: float) -> str:
    """Size in words, for example ``"3.2 GB"``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} bytes" if unit == "bytes" else f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"


def empty_dataset(
    times: Sequence[float] | np.ndarray,
    time_unit: str,
    shape: tuple[int, int],
    pixel_nm: float,
    attrs: Mapping[str, object],
    draws: int,
) -> xr.Dataset:
    """Lay out a dataset with every frame pending; nothing of its maps is in memory.

    Parameters
    ----------
    times : sequence of float, length T
        Time of each frame.
    time_unit : str
        "s" or "frame".
    shape : tuple of int
        (Y, X), pixels.
    pixel_nm : float
        Edge of the square pixel, nm.
    attrs : mapping
        Attributes of the store.
    draws : int
        Number of posterior draws for each frame.

    Raises
    ------
    ValueError
        If an argument is wrong: the caller's mistake, not the user's.
    """
    missing = [name for name in STATED_ATTRS if name not in attrs]
    if missing:
        raise ValueError(f"a result store must state {', '.join(missing)}")
    if attrs["scale_status"] not in SCALE_STATUS:
        raise ValueError(f"scale_status is one of {SCALE_STATUS}, not {attrs['scale_status']!r}")
    if time_unit not in ("s", "frame"):
        raise ValueError(f"time_unit is 's' or 'frame', not {time_unit!r}")
    if not (pixel_nm > 0 and np.isfinite(pixel_nm)):
        raise ValueError(f"pixel_nm must be positive, it is {pixel_nm}")
    time = np.asarray(times, dtype=np.float64)
    if time.ndim != 1 or time.size == 0 or min(shape) < 1 or draws < 0:
        raise ValueError(f"no frame, no pixel or a negative number of draws: {time.shape}, {shape}, {draws}")

    frames = time.size
    variables: dict[str, tuple[tuple[str, ...], da.Array, dict[str, str]]] = {}
    for name, (kind, unit, meaning) in (MAPS | TERMS).items():
        blank = np.nan if kind.startswith("float") else 0
        array = da.full((frames, *shape), blank, dtype=kind, chunks=(1, *shape))
        variables[name] = (("time", "y", "x"), array, {"units": unit, "long_name": meaning})
    for name, (kind, unit, meaning) in (SERIES | SERIES_TERMS).items():
        blank = np.nan if kind.startswith("float") else 0
        array = da.full((frames,), blank, dtype=kind, chunks=1)
        variables[name] = (("time",), array, {"units": unit, "long_name": meaning})
    if draws:
        array = da.full((frames, draws, *shape), np.nan, dtype="float32", chunks=(1, 1, *shape))
        meaning = "Posterior draws of the height"
        variables["draws"] = (("time", "draw", "y", "x"), array, {"units": "nm", "long_name": meaning})
    coords = {
        "time": ("time", time, {"units": time_unit, "long_name": "Time"}),
        "y": ("y", np.arange(shape[0]) * pixel_nm, {"units": "nm", "long_name": "Down the image"}),
        "x": ("x", np.arange(shape[1]) * pixel_nm, {"units": "nm", "long_name": "To the right"}),
    }
    return xr.Dataset(
        variables,
        coords,
        {**attrs, "pixel_nm": float(pixel_nm), "format": FORMAT, "format_version": FORMAT_VERSION},
    )
