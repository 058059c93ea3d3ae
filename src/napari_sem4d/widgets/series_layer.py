"""A series as one Image layer with sliders for segment and time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sem4d.widgets.axes import Axes
from napari_sem4d.widgets.shading import signal_limits
from napari_sem4d.widgets.workspace import METADATA_KEY

if TYPE_CHECKING:
    from napari_sem4d.acquisition.series import SemSeries


def series_axes(series: SemSeries) -> Axes:
    """Axes of a series: in nm where the pixel size is known, otherwise in pixels."""
    times = np.asarray(series.signal["time"].values, dtype=float)
    return Axes.from_times(series.pixel_nm, times, time_unit(series))


def time_unit(series: SemSeries) -> str:
    """Unit of the times of a series: "s" or "frame"."""
    found = series.signal["time"].attrs.get("time_unit") or series.signal.attrs.get("time_unit", "frame")
    return "s" if found == "s" else "frame"


def series_layer_data(series: SemSeries, inputs: tuple[Path, ...] = ()) -> tuple[Any, dict[str, Any], str]:
    """Layer data (lazy) of a series, shape (segment, time, 1, Y, X).

    The segment comes first: a layer's last axes must be the viewer's (time, z, y, x), so that height and
    images share one time slider.

    Parameters
    ----------
    series : SemSeries
        The images.
    inputs : tuple of Path
        Where they came from, for the layer's metadata.
    """
    data = series.signal.transpose("segment", "time", "y", "x").data[:, :, None]
    first = np.asarray(series.signal.isel(time=_first_good_frame(series)).values, dtype=np.float32)
    low, high = signal_limits(first)
    kwargs = {
        "name": f"SEM signal, {inputs[0].stem}" if inputs else "SEM signal",
        "colormap": "gray",
        "contrast_limits": (low, high),
        "multiscale": False,
        "rgb": False,
        "metadata": {
            METADATA_KEY: {
                "path": str(inputs[0]) if inputs else "",
                "role": "series",
                "scale_status": "",
                "segments": list(series.segment_names),
                "pixel_nm": series.pixel_nm,
            }
        },
        **series_axes(series).layer_kwargs(5, z_scale=series.pixel_nm or 1.0),
    }
    return data, kwargs, "image"


def _first_good_frame(series: SemSeries) -> int:
    return next((i for i in range(series.frames) if i not in series.faults), 0)
