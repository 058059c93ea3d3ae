"""A height map in the viewer as metrology needs it: frame, pixel size, unit, uncertainty (no Qt)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image

from napari_sem4d.widgets.workspace import sem4d_metadata


@dataclass(frozen=True)
class HeightSource:
    """One image layer that holds heights.

    Attributes
    ----------
    layer : Image
        The layer; its last two axes are y and x.
    pixel : tuple of float
        (y, x) size of a pixel, in ``length_unit``.
    length_unit : str
        "nm" or "pixel".
    value_unit : str
        "nm" for heights of ours, otherwise "" (not known).
    relative : bool
        True where no reference has fixed the scale of the heights.
    std : Image or None
        Layer of the standard uncertainties, where the heights are calibrated.
    """

    layer: Image
    pixel: tuple[float, float]
    length_unit: str
    value_unit: str
    relative: bool
    std: Image | None = None

    @property
    def name(self) -> str:
        """Name of the layer."""
        return str(self.layer.name)

    def index(self, dims: Any) -> tuple[int, ...]:
        """Index of the frame under the sliders of the viewer (all axes but y and x)."""
        leading = self.layer.ndim - 2
        if not leading:
            return ()
        steps = dims.current_step[-self.layer.ndim : -2]
        shape = self.layer.data.shape[:leading]
        return tuple(int(np.clip(s, 0, n - 1)) for s, n in zip(steps, shape, strict=True))

    def height(self, index: tuple[int, ...]) -> np.ndarray:
        """Heights (Y, X) of one frame."""
        return np.asarray(self.layer.data[index])

    def height_std(self, index: tuple[int, ...]) -> np.ndarray | None:
        """Standard uncertainties (Y, X) of one frame; None where there are none that may be shown."""
        return None if self.std is None else np.asarray(self.std.data[index])

    def time_text(self, index: tuple[int, ...]) -> str:
        """Frame and time of an index, for a table or a title."""
        times = sem4d_metadata(self.layer).get("times")
        if not times or not index:
            return ""
        frame = index[0]
        unit = sem4d_metadata(self.layer).get("time_unit", "frame")
        return f"t = {times[frame]:g} s" if unit == "s" else f"frame {frame + 1}"


def height_source(layer: Any, layers: Any = ()) -> HeightSource | None:
    """A layer as a source of heights; None for layers that hold none.

    Parameters
    ----------
    layer : napari layer
        Heights of ours, or any single-channel image (an AFM map, say).
    layers : iterable of layers
        Where the uncertainty of the same result is looked for.
    """
    if not isinstance(layer, Image) or layer.rgb or layer.multiscale or layer.ndim < 2:
        return None
    entry = sem4d_metadata(layer)
    if entry and entry.get("role") != "height":
        return None
    to_nm = _nanometres(layer.units[-1])
    factor = to_nm if to_nm is not None else 1.0
    pixel = (float(layer.scale[-2]) * factor, float(layer.scale[-1]) * factor)
    std = None
    for other in layers:
        found = sem4d_metadata(other)
        if entry and found.get("role") == "height_std" and found.get("path") == entry.get("path"):
            std = other
    relative = entry.get("scale_status") == "relative"
    return HeightSource(
        layer,
        pixel,
        "nm" if to_nm is not None else "pixel",
        str(entry.get("unit", "")),
        relative,
        None if relative else std,
    )


def _nanometres(unit: Any) -> float | None:
    """Nanometres in one of ``unit``; None where it is no length."""
    import pint

    try:
        return float((1 * unit).to("nm").magnitude)
    except (pint.DimensionalityError, pint.UndefinedUnitError, AttributeError, TypeError):
        return None
