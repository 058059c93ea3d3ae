"""One Surface layer that follows the time slider: coarse mesh, full-resolution texture."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from napari.layers import Surface

from napari_sem4d.widgets.maps import map_name
from napari_sem4d.widgets.mesh import grid_mesh
from napari_sem4d.widgets.result_data import ResultData
from napari_sem4d.widgets.shading import hillshade, relief_factor, sem_texture
from napari_sem4d.widgets.workspace import METADATA_KEY

Drape = Literal["hillshade", "SEM image", "none"]
NICE = np.array([0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], dtype=float)


def nice_exaggeration(z_range: tuple[float, float], width_nm: float) -> float:
    """Round z exaggeration for the first look: relief of about a fifth of the width, 1 where it has that."""
    relief = max(z_range[1] - z_range[0], 1e-9)
    if 0.08 <= relief / width_nm <= 0.7:
        return 1.0
    wanted = 0.2 * width_nm / relief
    return float(NICE[np.argmin(np.abs(np.log(NICE / wanted)))])


class SurfaceView:
    """The surface of one result, kept in step with frame, drape, exaggeration and view mode.

    Parameters
    ----------
    data : ResultData
        Where the frames come from.
    max_side : int
        Most vertices along a side of the mesh.
    z_range : tuple of float
        Lowest and highest height, nm, at which two unused vertices stand.
    contrast_limits : tuple of float
        Heights of the ends of the colour map, nm.
    exaggeration : float
        z exaggeration (display only).
    flat : bool
        True for a 2D view.
    """

    def __init__(
        self,
        data: ResultData,
        max_side: int,
        z_range: tuple[float, float],
        contrast_limits: tuple[float, float],
        exaggeration: float = 1.0,
        flat: bool = True,
    ) -> None:
        self.data = data
        self.grid = grid_mesh(data.shape, max_side)
        self.z_range = z_range
        self.drape: Drape = "hillshade"
        self.frame = 0
        self.flat = flat
        self.role = "height"
        self._relief: float | None = None
        self._limits: tuple[float, float] | None = None
        kwargs: dict[str, Any] = data.axes.layer_kwargs(3, z_scale=exaggeration)
        self.layer = Surface(
            self._mesh(),
            name=f"{data.quantity} 3D (nm), {data.name}",
            colormap="viridis",
            contrast_limits=contrast_limits,
            shading="none",
            texture=self._texture(),
            texcoords=self.grid.texcoords,
            metadata={METADATA_KEY: data.metadata("surface")},
            visible=not flat,
            **kwargs,
        )

    def _mesh(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        height = self.data.height.frame(self.frame)
        vertices, faces, values = self.grid.vertices(height, self.z_range, self.flat)
        if self.role != "height":
            values = self.grid.values(self.data.store(self.role).frame(self.frame))
        return vertices, faces, values

    def set_colours(self, image: Any, role: str) -> None:
        """Colour the surface by a map, in the colours and limits of its image layer."""
        self.role = role
        what = (
            f"{self.data.quantity} 3D (nm)" if role == "height" else f"3D, coloured by {map_name(self.data, role)}"
        )
        self.layer.name = f"{what}, {self.data.name}"
        self.layer.colormap = image.colormap
        self.layer.contrast_limits_range = self.layer.contrast_limits = image.contrast_limits
        self.layer.data = self._mesh()

    def _texture(self) -> np.ndarray:
        if self.drape == "SEM image" and self.data.series is not None:
            signal = self.data.series.signal.isel(time=self.frame).mean("segment").values
            if self._limits is None:  # the same for all frames, so that a change of brightness stays visible
                from napari_sem4d.widgets.shading import signal_limits

                self._limits = signal_limits(signal)
            return sem_texture(signal, self._limits)
        if self.drape == "none":
            return np.full((2, 2), 255, dtype=np.uint8)
        height = self.data.height.frame(self.frame)
        if self._relief is None and np.isfinite(height).any():
            self._relief = relief_factor(height, self.data.pixel_nm)
        return hillshade(height, self.data.pixel_nm, self._relief or 1.0)

    def show_frame(self, frame: int) -> None:
        """Move the surface to a frame."""
        self.frame = frame
        self.refresh()

    def refresh(self) -> None:
        """Rebuild mesh and texture; nothing is done for a layer that is not looked at."""
        if not self.layer.visible:
            return
        self.layer.texture = self._texture()
        self.layer.data = self._mesh()

    def renew_relief(self) -> None:
        """Choose the strength of the hillshade anew, for the frame that is shown."""
        self._relief = None

    def set_flat(self, flat: bool) -> None:
        """Lay it flat at z = 0 and hide it (2D view), or raise and show it (3D view)."""
        self.flat = flat
        if flat:
            # Before it is hidden: napari does not ask a hidden layer for its extent, and a false z slider stays.
            self.layer.data = self._mesh()
            self.layer.visible = False
        else:
            self.layer.visible = True
            self.refresh()

    def lay_hidden(self, flat: bool) -> None:
        """The same for a surface that stays hidden."""
        self.flat = flat
        self.layer.data = self._mesh()
        self.layer.scale = self.layer.scale  # napari asks a hidden layer for its extent only after this

    def set_drape(self, drape: Drape) -> None:
        """Choose what the texture carries."""
        self.drape = drape
        self.refresh()

    def set_exaggeration(self, factor: float) -> None:
        """Stretch z on screen; heights that are read stay what they are."""
        self.layer.scale = (factor, *self.layer.scale[-2:])

    @property
    def exaggeration(self) -> float:
        """Z exaggeration on screen."""
        return float(self.layer.scale[-3])
