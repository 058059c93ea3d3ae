"""Axes of every layer that we add: scale, translation, units and labels (no Qt).

All layers share the axes (segment, time, z, y, x): a layer with fewer has the last ones, as napari aligns
axes from the right. A layer without units would switch the units off for all, so each gets them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LABELS = ("segment", "time", "z", "y", "x")


@dataclass(frozen=True)
class Axes:
    """How the array axes lie in the world of the viewer.

    Attributes
    ----------
    pixel_nm : float or None
        Pixel edge, nm; None while unknown: then the axes y and x are in pixels.
    time_step : float
        World units between two frames: seconds where the time stamps are regular, otherwise 1 (a frame).
    time_start : float
        Time of the first frame in the same unit.
    time_unit : str
        "s" or "frame".
    """

    pixel_nm: float | None
    time_step: float = 1.0
    time_start: float = 0.0
    time_unit: str = "frame"

    @classmethod
    def from_times(cls, pixel_nm: float | None, times: np.ndarray, unit: str) -> Axes:
        """Axes for frames at ``times`` (``unit`` "s" or "frame"); irregular times are shown as frames."""
        times = np.asarray(times, dtype=float)
        if unit == "s" and len(times) > 1:
            steps = np.diff(times)
            step = float(steps.mean())
            if step > 0 and np.allclose(steps, step, rtol=1e-3, atol=0):
                return cls(pixel_nm, step, float(times[0]), "s")
        return cls(pixel_nm)

    def layer_kwargs(self, ndim: int, z_scale: float = 1.0) -> dict[str, object]:
        """Scale, translate, units and axis labels of a layer with the last ``ndim`` of the five axes.

        Parameters
        ----------
        ndim : int
            2 (y, x), 3 (z, y, x), 4 (time first) or 5 (segment first).
        z_scale : float
            Exaggeration of z (display only).
        """
        edge = self.pixel_nm or 1.0
        length = "nm" if self.pixel_nm else "pixel"
        time_unit = "s" if self.time_unit == "s" else "pixel"
        scale = (1.0, self.time_step, z_scale, edge, edge)
        units = ("pixel", time_unit, length, length, length)
        translate = (0.0, self.time_start, 0.0, 0.0, 0.0)
        return {
            "scale": scale[-ndim:],
            "translate": translate[-ndim:],
            "units": units[-ndim:],
            "axis_labels": LABELS[-ndim:],
        }
