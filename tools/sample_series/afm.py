"""An atomic force microscope's map of the surface after the reaction."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import grey_dilation

from napari_sem4d.simulation.redox import Redox

SIZE, PIXEL_NM = 240, 7.5
TURN_DEG = 6.5
"""The map's x axis points this far counter-clockwise of the images' in the microscope."""
MIDDLE_NM = (35.0, -20.0)
"""Where the map's middle lies, nm right and up of the middle of frame 0."""
TIP_RADIUS_NM, CONE_HALF_DEG = 8.0, 15.0
NOISE_NM, LINE_NOISE_NM = 0.15, 0.3
"""Standard deviations: of every pixel, and of every line's level."""
LEAN = (0.006, -0.004)
"""Slope of the sample on its holder along the map's x and y."""
Z_SCALE = 1.007
"""What the scanner's z calibration is wrong by."""
_FINER = 2
_REACH_NM = 70.0


def places() -> tuple[np.ndarray, np.ndarray]:
    """Places of the map's pixels, nm right and up from the middle of frame 0."""
    along = (np.arange(SIZE) - 0.5 * (SIZE - 1)) * PIXEL_NM
    return _placed(along)


def scan(model: Redox, time_s: float, rng: np.random.Generator) -> np.ndarray:
    """The map, nm, shape (SIZE, SIZE), row 0 at its top."""
    step = PIXEL_NM / _FINER
    along = (np.arange(SIZE * _FINER) - 0.5 * (SIZE * _FINER - 1)) * step
    true = model.state(*_placed(along), time_s).height_nm
    touched = grey_dilation(true, structure=-_tip(step))
    # The finer grid has its nodes beside the map's: each pixel is the mean of the four around it.
    seen = touched.reshape(SIZE, _FINER, SIZE, _FINER).mean(axis=(1, 3))
    coarse = (np.arange(SIZE) - 0.5 * (SIZE - 1)) * PIXEL_NM
    seen = Z_SCALE * (seen - seen.mean()) + LEAN[0] * coarse[None, :] - LEAN[1] * coarse[:, None]
    lines = LINE_NOISE_NM * rng.normal(size=(SIZE, 1))
    out: np.ndarray = seen + lines + NOISE_NM * rng.normal(size=seen.shape)
    return out


def _placed(along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(along, -along)
    c, s = np.cos(np.radians(TURN_DEG)), np.sin(np.radians(TURN_DEG))
    return MIDDLE_NM[0] + c * x - s * y, MIDDLE_NM[1] + s * x + c * y


def _tip(step_nm: float) -> np.ndarray:
    """Height of the tip's surface above its apex, nm: a sphere that passes into a cone."""
    reach = int(_REACH_NM / step_nm)
    along = np.arange(-reach, reach + 1) * step_nm
    radius = np.hypot(*np.meshgrid(along, along))
    half = np.radians(CONE_HALF_DEG)
    touch = TIP_RADIUS_NM * np.cos(half)
    sphere = TIP_RADIUS_NM - np.sqrt(np.maximum(TIP_RADIUS_NM**2 - np.minimum(radius, touch) ** 2, 0.0))
    return sphere + np.maximum(radius - touch, 0.0) / np.tan(half)
