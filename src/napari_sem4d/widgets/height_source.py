"""A height map in the viewer as metrology needs it: frame, pixel size, unit, uncertainty (no Qt)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Image

from napari_sem4d.errors import InputError
from napari_sem4d.widgets.workspace import METADATA_KEY, sem4d_metadata


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
    origin : tuple of float
        (y, x) of the centre of the first pixel in the world, in ``length_unit``.
    value_scale : float
        What the numbers of the layer are multiplied with to give ``value_unit``.
    """

    layer: Image
    pixel: tuple[float, float]
    length_unit: str
    value_unit: str
    relative: bool
    std: Image | None = None
    origin: tuple[float, float] = (0.0, 0.0)
    value_scale: float = 1.0

    @property
    def name(self) -> str:
        """Name of the layer."""
        return str(self.layer.name)

    def index(self, dims: Any) -> tuple[int, ...]:
        """Index of the frame under the sliders of the viewer (all axes but y and x)."""
        leading = self.layer.ndim - 2
        if not leading:
            return ()
        # World positions, not slider steps: these count in steps of the finest layer.
        points = np.asarray(dims.point[-self.layer.ndim : -2])
        at = (points - np.asarray(self.layer.translate)[:leading]) / np.asarray(self.layer.scale)[:leading]
        shape = self.layer.data.shape[:leading]
        return tuple(int(np.clip(round(float(s)), 0, n - 1)) for s, n in zip(at, shape, strict=True))

    @property
    def frames(self) -> int:
        """Number of times (length of the first axis; 1 for a single map)."""
        return int(self.layer.data.shape[0]) if self.layer.ndim > 2 else 1

    def index_at(self, frame: int, dims: Any) -> tuple[int, ...]:
        """Index of a frame, the other sliders staying where they are."""
        index = self.index(dims)
        return (min(frame, self.frames - 1), *index[1:]) if index else ()

    def pixels(self, world: np.ndarray) -> np.ndarray:
        """(row, column) of world positions (y, x), shape (P, 2), in ``length_unit``."""
        return (np.asarray(world, dtype=float) - np.array(self.origin)) / np.array(self.pixel)

    def height(self, index: tuple[int, ...]) -> np.ndarray:
        """Heights (Y, X) of one frame."""
        return self._scaled(np.asarray(self.layer.data[index]))

    def read_height(self, index: tuple[int, ...]) -> np.ndarray:
        """The same from any thread: past the cache that the viewer uses, which is not for two at a time."""
        store = getattr(self.layer.data, "store", None)
        return self.height(index) if store is None else self._scaled(store.read_through(index[0]))

    def height_std(self, index: tuple[int, ...]) -> np.ndarray | None:
        """Standard uncertainties (Y, X) of one frame; None where there are none that may be shown."""
        return None if self.std is None else self._scaled(np.asarray(self.std.data[index]))

    @property
    def scale_std(self) -> float:
        """Relative standard uncertainty of the height scale from the calibration; 0 where none is known."""
        return 0.0 if self.relative else float(sem4d_metadata(self.layer).get("scale_uncertainty") or 0.0)

    @property
    def has_draws(self) -> bool:
        """Whether posterior draws may be there."""
        return not self.relative and getattr(self.layer.data, "draws", None) is not None

    def read_draws(self, index: tuple[int, ...]) -> np.ndarray | None:
        """Posterior draws (D, Y, X) of one frame, from any thread; None where there are none."""
        if not self.has_draws or not index:
            return None
        found: np.ndarray | None = self.layer.data.draws(index[0])
        return found if found is not None and np.isfinite(found).any() else None

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return values if self.value_scale == 1.0 else values * self.value_scale

    @property
    def angles(self) -> bool:
        """Whether an angle has a meaning: both directions in nm, the height scale known."""
        return self.length_unit == "nm" and self.value_unit == "nm" and not self.relative

    def time_text(self, index: tuple[int, ...]) -> str:
        """Frame and time of an index, for a table or a title."""
        times = sem4d_metadata(self.layer).get("times")
        if not times or not index:
            return ""
        frame = index[0]
        unit = sem4d_metadata(self.layer).get("time_unit", "frame")
        return f"t = {times[frame]:g} s" if unit == "s" else f"frame {frame + 1}"


def height_source(layer: Any, layers: Any = ()) -> HeightSource | None:
    """A layer as a source of heights; None for layers that hold none, and for those that lie turned.

    Parameters
    ----------
    layer : napari layer
        Heights of ours, or any single-channel image (an AFM map, say).
    layers : iterable of layers
        Where the uncertainty of the same result is looked for.
    """
    if not _may_hold_heights(layer) or is_turned(layer):
        return None
    entry = sem4d_metadata(layer)
    to_nm = _nanometres(layer.units[-1])
    factor = to_nm if to_nm is not None else 1.0
    pixel = (float(layer.scale[-2]) * factor, float(layer.scale[-1]) * factor)
    std = None
    for other in layers:
        found = sem4d_metadata(other)
        if entry and found.get("role") == "height_std" and found.get("path") == entry.get("path"):
            std = other
    relative = entry.get("scale_status") == "relative"
    value_unit = str(entry.get("unit", ""))
    value_nm = _nanometres(value_unit) if value_unit else None
    return HeightSource(
        layer,
        pixel,
        "nm" if to_nm is not None else "pixel",
        "nm" if value_nm is not None else value_unit,
        relative,
        None if relative else std,
        (float(layer.translate[-2]) * factor, float(layer.translate[-1]) * factor),
        value_nm if value_nm is not None else 1.0,
    )


def _may_hold_heights(layer: Any) -> bool:
    if not isinstance(layer, Image) or layer.rgb or layer.multiscale or layer.ndim < 2:
        return False
    entry = sem4d_metadata(layer)
    return not entry or entry.get("role") == "height"


def is_turned(layer: Image) -> bool:
    """Whether rows and columns do not lie along y and x, or are stretched on top of the pixel size."""
    turned = np.array(layer.affine.affine_matrix[:-1, :-1]) @ layer.rotate
    return not np.allclose(turned, np.eye(layer.ndim)) or bool(np.any(layer.shear))


def turned_sentence(layers: Any) -> str:
    """Which maps are not offered because they lie turned, and what to do; empty where there are none."""
    names = [f"'{layer.name}'" for layer in layers if _may_hold_heights(layer) and is_turned(layer)]
    if not names:
        return ""
    return (
        f"{', '.join(names)}: rotated, sheared or stretched by hand in the viewer, so lengths cannot be read. "
        "Reset the transform of the layer, or turn the file before it is opened."
    )


def require_lengths(source: HeightSource) -> None:
    """Refuse a map whose lengths are not known.

    Raises
    ------
    InputError
        If the pixel size or the unit of the heights is not known.
    """
    if source.length_unit != "nm":
        raise InputError(f"The pixel size of {source.name} is not known: give it below the name of the map.")
    if source.value_unit != "nm":
        raise InputError(f"The unit of the heights of {source.name} is not known: choose it beside the name.")


def set_value_unit(layer: Image, unit: str) -> None:
    """Note the unit of the heights of a map that came without one ("nm", "um", ...)."""
    kept = sem4d_metadata(layer)
    mine = {"path": "", "scale_status": "", "role": "height", "unit": unit, "unit_by_user": True}
    layer.metadata[METADATA_KEY] = {**kept, **mine}


def _nanometres(unit: Any) -> float | None:
    """Nanometres in one of ``unit``; None where it is no length."""
    import pint

    try:
        unit = pint.get_application_registry()(unit) if isinstance(unit, str) else 1 * unit
        return float(unit.to("nm").magnitude)
    except (pint.DimensionalityError, pint.UndefinedUnitError, AttributeError, TypeError):
        return None
