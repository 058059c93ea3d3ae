"""The maps of a result as the viewer shows them: names with units, colours, limits, meaning (no Qt)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sem4d.widgets.frame_store import FrameStore, LayerArray
from napari_sem4d.widgets.workspace import METADATA_KEY

if TYPE_CHECKING:
    from napari_sem4d.widgets.result_data import ResultData

_FRAMES_FOR_LIMITS = 8
_LEAST_YIELD_SPREAD = 0.02


@dataclass(frozen=True)
class MapKind:
    """One map.

    Attributes
    ----------
    title : str
        In the control that chooses it.
    layer_name : str
        With its unit; ``{quantity}`` and ``{material}`` are filled in.
    colormap : str
    meaning : str
        For tooltips.
    """

    title: str
    layer_name: str
    colormap: str
    meaning: str


STD_PARTS = ("height_std_noise", "height_std_model")
KINDS: dict[str, MapKind] = {
    "height": MapKind("height", "{quantity} (nm)", "viridis", "Height over the datum, nm"),
    "height_std": MapKind(
        "uncertainty",
        "height std (nm)",
        "magma",
        "Standard uncertainty of the height, nm: two times out of three the true height is within it. "
        "Neighbouring pixels err together, so differences over short distances are known better",
    ),
    "height_std_noise": MapKind(
        "uncertainty: noise",
        "height std from noise (nm)",
        "magma",
        "The part of the standard uncertainty that comes from the noise of the images, nm",
    ),
    "height_std_model": MapKind(
        "uncertainty: model",
        "height std from model (nm)",
        "magma",
        "The part of the standard uncertainty that comes from the forward model's own error, nm",
    ),
    "relative_yield": MapKind(
        "relative yield",
        "relative yield (1 = {material})",
        "PiYG",
        "Brightness that slopes do not explain, as a factor on the reference material: composition, coverage, "
        "grain orientation. It holds the frame's common gain, and is assumed to change slowly over the image",
    ),
}
"""Every map by its name in the result, in the order of the control."""


def roles_of(data: ResultData) -> tuple[str, ...]:
    """Maps that a result has; no uncertainty in nm for relative heights."""
    return tuple(role for role in KINDS if data.has(role))


def map_name(data: ResultData, role: str) -> str:
    """Name of a map, with the unit."""
    return KINDS[role].layer_name.format(quantity=data.quantity, material=data.material or "reference material")


def map_limits(data: ResultData, role: str) -> tuple[float, float] | None:
    """Contrast limits of a map other than height, over some frames; None where nothing is there yet.

    Uncertainties begin at zero, and the parts share the limits of the whole; yields are symmetric about 1.
    """
    store = data.store("height_std" if role in STD_PARTS else role)
    frames = np.unique(np.linspace(0, data.frames - 1, min(data.frames, _FRAMES_FOR_LIMITS)).astype(int))
    found = [r for r in (_percentiles(store, int(i)) for i in frames) if r is not None]
    if not found:
        return None
    low, high = np.min([r[0] for r in found]), np.max([r[1] for r in found])
    if role == "relative_yield":
        spread = max(abs(low - 1.0), abs(high - 1.0), _LEAST_YIELD_SPREAD)
        return float(1.0 - spread), float(1.0 + spread)
    return 0.0, float(max(high, 1e-3))


def _percentiles(store: FrameStore, frame: int) -> tuple[float, float] | None:
    values = store.frame(frame)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = np.percentile(finite[:: max(1, finite.size // 200_000)], [0.5, 99.5])
    return float(low), float(high)


def image_layer_data(data: ResultData) -> list[tuple[Any, dict[str, Any], str]]:
    """Layer data of the images of a result, the height last (on top)."""
    found = data.value_range()
    common: dict[str, Any] = {"multiscale": False, "rgb": False}
    common |= data.axes.layer_kwargs(4, z_scale=data.pixel_nm)
    layers = []
    for role in reversed(roles_of(data)):
        limits = (found[0] if found else (0.0, 1.0)) if role == "height" else map_limits(data, role)
        kwargs = {
            "name": f"{map_name(data, role)}, {data.name}",
            "colormap": KINDS[role].colormap,
            "contrast_limits": limits or ((0.5, 1.5) if role == "relative_yield" else (0.0, 1.0)),
            "metadata": {METADATA_KEY: data.metadata(role)},
            "visible": role == "height",
        }
        array = LayerArray(data.store(role), data.draws if role == "height" else None)
        layers.append((array, kwargs | common, "image"))
    return layers
