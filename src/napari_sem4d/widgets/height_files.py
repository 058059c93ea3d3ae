"""Height maps of other instruments and programs as layers that every dock takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sem4d.io.height_map import UnknownUnitError
from napari_sem4d.widgets.workspace import METADATA_KEY

if TYPE_CHECKING:
    from napari_sem4d.io.heights import Heights

CORE = (".gwy", ".gsf", ".x3p", ".sur", ".xyz")
TEXT = (".asc", ".txt")
WITH_EXTRA = (".al3d", ".di", ".ibw", ".jpk", ".mi", ".nid", ".opd", ".plu", ".sdf", ".spm", ".stp", ".top")
"""Formats that the extra surface-io adds; without it the reader says how to install it."""
UNITS = ("nm", "um", "angstrom", "mm", "m")


def is_height_file(path: Path) -> bool:
    """Whether a file holds heights, by its extension or, for TIFF and text, by its content."""
    kind = path.suffix.lower()
    if kind in (".tif", ".tiff"):
        from napari_sem4d.io.tiff_map import holds_heights

        return holds_heights(path)
    if kind in TEXT:
        return _has_points(path)
    return kind in (*CORE, *WITH_EXTRA)


def height_layer_data(path: Path, ask: bool = False) -> tuple[Any, dict[str, Any], str]:
    """A height map as layer data of napari.

    Parameters
    ----------
    path : Path
        The file.
    ask : bool
        Whether the user may be asked for a unit that the file does not say (needs a window).

    Raises
    ------
    InputError
        If it cannot be read.
    """
    from napari_sem4d import api

    try:
        heights = api.open_heights(path)
    except UnknownUnitError:
        unit = _asked_unit(path) if ask else None
        if unit is None:
            raise
        heights = api.open_heights(path, unit=unit)
    return layer_data(heights)


def layer_data(heights: Heights) -> tuple[Any, dict[str, Any], str]:
    """The first frame of heights as a two-dimensional image in nm."""
    height = heights.height(heights.ready[0]).astype("float32")
    quantity = "relative height" if heights.relative else "height"
    title = (
        heights.title if heights.title.startswith(heights.path.stem) else f"{heights.path.stem}, {heights.title}"
    )
    kwargs: dict[str, Any] = {
        "name": f"{quantity} (nm), {title}",
        "colormap": "viridis",
        "contrast_limits": _limits(height),
        "scale": heights.pixel_nm,
        "units": ("nm", "nm"),
        "axis_labels": ("y", "x"),
        "metadata": {
            METADATA_KEY: {
                "path": str(heights.path),
                "role": "height",
                "scale_status": "relative" if heights.relative else "calibrated",
                "unit": "nm",
                "questions": list(heights.questions),
            }
        },
    }
    return height, kwargs, "image"


def _limits(height: Any) -> tuple[float, float]:
    import numpy as np

    low, high = (float(v) for v in np.nanpercentile(height, [0.1, 99.9]))
    return low, high if high > low else low + 1.0


def _has_points(path: Path) -> bool:
    """Whether the first line that is no comment has three numbers or more."""
    try:
        with path.open(encoding="utf-8") as stream:
            for _, line in zip(range(200), stream, strict=False):
                words = line.replace(",", " ").replace(";", " ").split()
                if line.startswith("#") or not words:
                    continue
                return len(words) >= 3 and all(_is_number(word) for word in words)
    except (OSError, UnicodeDecodeError):
        return False
    return False


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _asked_unit(path: Path) -> str | None:
    from qtpy.QtWidgets import QInputDialog

    unit, given = QInputDialog.getItem(
        None, "Unit of the heights", f"{path.name} does not say its unit. x, y and heights are in", UNITS, 0, False
    )
    return unit if given else None
