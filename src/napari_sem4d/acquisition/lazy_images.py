"""Images as a dask array: one chunk for each frame and segment, read when computed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph

from napari_sem4d.acquisition.grouping import Plane
from napari_sem4d.acquisition.readers.tiff_planes import read_plane
from napari_sem4d.errors import InputError


def read_image(path: Path | None, page: int, shape: tuple[int, int]) -> np.ndarray:
    """Read one image, cut to the image area; NaN where it cannot be read any more.

    Parameters
    ----------
    path : Path or None
        TIFF file; None stands for an image that is missing.
    page : int
        Image in the file.
    shape : tuple of int
        Rows (from the top; below is the data bar) and columns.

    Returns
    -------
    ndarray, shape (1, 1, Y, X)
        float32, in the file's units.
    """
    if path is not None:
        try:
            pixels = read_plane(path, page, shape[0])
        except InputError:
            # A file that was whole when the series was opened may be gone now: the frame shows as NaN.
            pixels = None
        if pixels is not None and pixels.shape == shape:
            return pixels[np.newaxis, np.newaxis]
    return np.full((1, 1, *shape), np.nan, dtype=np.float32)


def lazy_signal(
    frames: Sequence[Sequence[Plane | None]], faults: Mapping[int, str], shape: tuple[int, int]
) -> da.Array:
    """Build the lazy array (time, segment, y, x) of float32; frames with a fault are NaN."""
    name = f"sem-images-{uuid.uuid4().hex}"
    tasks: dict[Any, Any] = {}
    for i, frame in enumerate(frames):
        for k, plane in enumerate(frame):
            usable = plane is not None and plane.header is not None and i not in faults
            path, page = (plane.path, plane.page) if plane is not None and usable else (None, 0)
            tasks[(name, i, k, 0, 0)] = (read_image, path, page, shape)
    segments = len(frames[0])
    chunks = ((1,) * len(frames), (1,) * segments, (shape[0],), (shape[1],))
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[])
    return da.Array(graph, name, chunks, dtype=np.float32)
