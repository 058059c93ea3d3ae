"""Small surfaces and results for the tests of the viewer."""

import numpy as np
import xarray as xr


def letter_f(shape=(48, 64), height_nm=100.0):
    """A raised letter F, upright in the array: neither mirrored nor turned copies look the same."""
    image = np.zeros(shape, dtype=np.float32)
    image[8:40, 16:22] = height_nm  # the stem, left
    image[8:14, 16:48] = height_nm  # the long bar, top
    image[21:27, 16:36] = height_nm  # the short bar, below it
    return image


def result_dataset(frames=3, shape=(48, 64), pixel_nm=5.0, scale_status="calibrated", heights=None):
    """A result as the store gives it, frame i being (i + 1) times a letter F."""
    if heights is None:
        heights = np.stack([(i + 1) * letter_f(shape) for i in range(frames)])
    frames, *shape = heights.shape
    flat = np.ones_like(heights)
    return xr.Dataset(
        {
            "height": (("time", "y", "x"), heights.astype(np.float32)),
            "height_std": (("time", "y", "x"), 1.5 * flat),
            "relative_yield": (("time", "y", "x"), flat),
        },
        coords={
            "time": ("time", 4.0 * np.arange(frames), {"units": "s"}),
            "y": ("y", pixel_nm * np.arange(shape[0]), {"units": "nm"}),
            "x": ("x", pixel_nm * np.arange(shape[1]), {"units": "nm"}),
        },
        attrs={"pixel_nm": pixel_nm, "scale_status": scale_status},
    )
