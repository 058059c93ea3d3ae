"""Files of force microscopes and profilometers through SurfaceTopography (MIT), the extra ``surface-io``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from napari_sem4d.errors import InputError
from napari_sem4d.io.height_map import HeightMap, NoHeightError, height_map, unit_nm


def can_read_others() -> bool:
    """Whether the extra is installed."""
    return find_spec("SurfaceTopography") is not None


def read_other(path: Path, channel: int = 0) -> HeightMap:
    """Read a height channel with SurfaceTopography.

    Raises
    ------
    InputError
        If that library cannot read the file, or the channel has no unit or no area.
    """
    from SurfaceTopography.IO import open_topography

    try:
        with open_topography(str(path)) as reader:
            if not 0 <= channel < len(reader.channels):
                raise InputError(
                    f"{path.name} has {len(reader.channels)} channels, there is no channel {channel}."
                )
            topography = reader.topography(channel_index=channel)
            heights = np.ma.filled(np.ma.asarray(topography.heights(), dtype=np.float64), np.nan)
            unit, sizes, name = topography.unit, topography.physical_sizes, reader.channels[channel].name
    except InputError:
        raise
    # Its readers raise whatever a damaged file makes them raise.
    except Exception as error:
        raise InputError(
            f"{path.name} is damaged or of an unknown format, no reader of SurfaceTopography takes it: copy it "
            "again, or export it as .gwy or .x3p."
        ) from error
    if heights.ndim != 2 or not unit or sizes is None:
        raise NoHeightError(f"Channel {channel} of {path.name} is no height map with a unit: choose another.")
    scale = unit_nm(str(unit), path.name)
    # Its axis 0 is x; here rows come first.
    columns, rows = heights.shape
    pixel = (float(sizes[1]) * scale / rows, float(sizes[0]) * scale / columns)
    return height_map(heights.T * scale, pixel, f"{path.stem}, {name}")
