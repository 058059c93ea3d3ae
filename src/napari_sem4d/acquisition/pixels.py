"""Pixels of lazily read images, read in the calling thread."""

from __future__ import annotations

import numpy as np
import xarray as xr
from dask.array import Array
from dask.core import flatten, get


def pixels_of(images: xr.DataArray) -> np.ndarray:
    """Read images, whatever other threads are reading at the same time.

    dask's schedulers share their callbacks between threads: where a viewer keeps its cache of images that way, two
    threads that compute at once take one another's book-keeping away, and the reading ends in a KeyError. So the
    graph of the few files that are needed is walked through here, without a scheduler.

    Parameters
    ----------
    images : xarray.DataArray
        Any part of a series' ``signal``.

    Returns
    -------
    numpy.ndarray
        Of the same shape and type.
    """
    if not isinstance(images.data, Array):
        return np.asarray(images.data)
    whole = images.data.rechunk(images.shape)
    (key,) = flatten(whole.__dask_keys__())
    needed = whole.__dask_graph__().cull({key})
    (found,) = get(dict(needed), [key])
    return np.asarray(found)
