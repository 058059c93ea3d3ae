"""From the beam's view of a tilted stage to the stage's own: its plane, its normal, its foreshortening."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import zoom

# Below this tilt the foreshortening is under 2e-6.
_NO_TILT_DEG = 0.1


@dataclass(frozen=True)
class Stage:
    """The stage, tilted about the image's x axis; positive when the top edge comes nearer to the pole piece.

    Heights are found along the beam on the image's grid. Seen from the stage's normal, the relief over its plane
    is smaller by cos(tilt), and the image's y axis is longer by 1/cos(tilt): maps are resampled along y so that
    pixels stay square. The sideways shift of high points, relief times tan(tilt), is not corrected.
    """

    tilt_deg: float
    pixel_nm: float

    @property
    def is_tilted(self) -> bool:
        """Whether there is anything to do."""
        return abs(self.tilt_deg) >= _NO_TILT_DEG

    @property
    def cosine(self) -> np.float32:
        """Length along the stage's normal over length along the beam."""
        return np.float32(np.cos(np.radians(self.tilt_deg)) if self.is_tilted else 1.0)

    def shape(self, image_shape: tuple[int, int]) -> tuple[int, int]:
        """Shape (Y, X) of maps on the stage for an image's shape."""
        if not self.is_tilted:
            return image_shape
        return round(image_shape[0] / float(self.cosine)), image_shape[1]

    def plane(self, rows: int) -> np.ndarray:
        """The stage's plane along the beam, nm, mean zero, shape (Y, 1), float32."""
        rise = np.tan(np.radians(self.tilt_deg)) * self.pixel_nm
        return np.asarray(rise * ((rows - 1) / 2 - np.arange(rows)), dtype=np.float32)[:, None]

    def heights(self, height: np.ndarray, plane_removed: bool) -> np.ndarray:
        """Heights along the beam (nm, shape (Y, X)) to heights along the stage's normal, on its grid."""
        if not self.is_tilted:
            return height
        relief = height if plane_removed else height - self.plane(height.shape[0])
        return self.map(relief * self.cosine, order=1)

    def map(self, values: np.ndarray, order: int = 0) -> np.ndarray:
        """Any map (Y, X) on the stage's grid; ``order`` 0 takes the nearest pixel, 1 interpolates."""
        if not self.is_tilted:
            return values
        factor = self.shape((values.shape[0], values.shape[1]))[0] / values.shape[0]
        return np.asarray(zoom(values, (factor, 1), order=order, mode="nearest", grid_mode=True))
