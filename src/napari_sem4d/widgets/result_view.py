"""The layers of one result in a viewer: its maps as images, and the 3D surface."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_sem4d.widgets import opengl, raycast
from napari_sem4d.widgets.frame_store import LayerArray
from napari_sem4d.widgets.maps import image_layer_data, map_limits, map_name, roles_of
from napari_sem4d.widgets.result_data import Range, ResultData, frame_range, merge_ranges
from napari_sem4d.widgets.surface_view import SurfaceView, nice_exaggeration
from napari_sem4d.widgets.workspace import METADATA_KEY, sem4d_metadata, unwrap, workspace_of

CAMERA_FROM_ABOVE = (0.0, 0.0, -50.0)


class ResultView:
    """Layers of one result on one time slider.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Gets the layers.
    data : ResultData
        The frames.
    """

    closed = Signal(object)

    def __init__(self, viewer: Any, data: ResultData) -> None:
        self.viewer = unwrap(viewer)
        self.data = data
        self.shown = True
        self.closed_down = False
        self._auto_exaggeration = True
        found = data.value_range()
        self._range: Range = found or ((0.0, 1.0), (0.0, 1.0))
        self._range_known = found is not None
        width = max(data.shape) * data.pixel_nm
        z_scale = nice_exaggeration(self._range[1], width) if found else 1.0
        in_3d = self.viewer.dims.ndisplay == 3
        self.map = "height"
        self._images = self._image_layers()
        self.height = self._images["height"]
        self._show_image(not in_3d)
        self._set_map_limits()
        self.surface = SurfaceView(
            data, opengl.mesh_side(), self._range[1], self._range[0], z_scale, flat=not in_3d
        )
        self.layers = [*reversed(self._images.values()), self.surface.layer]
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._update_surface)
        for layer in self.layers:
            if layer not in self.viewer.layers:
                self.viewer.add_layer(layer)
        self._dress_viewer()
        self.viewer.dims.events.current_step.connect(self._on_step)
        self.viewer.dims.events.ndisplay.connect(self._on_ndisplay)
        self.viewer.layers.events.removed.connect(self._on_removed)
        self.viewer.mouse_move_callbacks.append(self._on_mouse_move)
        self._on_step()
        self.show_text()

    def _image_layers(self) -> dict[str, Image]:
        """The image layers by role: those that a reader has added for this result, otherwise new ones."""
        found = {}
        for layer in self.viewer.layers:
            entry = sem4d_metadata(layer)
            role = str(entry.get("role", ""))
            if (
                isinstance(layer.data, LayerArray)
                and role in roles_of(self.data)
                and (layer.data.store is self.data.store(role))
            ):
                found[role] = layer
        for array, kwargs, _ in image_layer_data(self.data):
            role = kwargs["metadata"][METADATA_KEY]["role"]
            if role not in found:
                found[role] = Image(array, **kwargs)
        return {role: found[role] for role in roles_of(self.data)}

    def _add_new_maps(self) -> None:
        """Layers for maps that a run has only just begun to write."""
        if all(role in self._images for role in roles_of(self.data)):
            return
        self._images = self._image_layers()
        at = min(self.viewer.layers.index(layer) for layer in self.layers if layer in self.viewer.layers)
        for layer in self._images.values():
            if layer not in self.layers:
                self.layers.append(layer)
                self.viewer.layers.insert(at, layer)

    def _dress_viewer(self) -> None:
        """Scale bar, colour bar and overlay text; another layer than the surface is active."""
        self.viewer.canvas.overlays.scale_bar.visible = True
        self.viewer.canvas.overlays.text.visible = True
        self.viewer.canvas.overlays.text.position = "top_left"
        self.surface.layer.colorbar.visible = True
        self.viewer.layers.selection.active = self.height

    # --- time and view mode -------------------------------------------------------------------

    @property
    def frame(self) -> int:
        """Frame under the time slider."""
        step = self.viewer.dims.current_step
        index = int(step[-4]) if len(step) >= 4 else 0
        return min(max(index, 0), self.data.frames - 1)

    def _on_step(self, event: Any = None) -> None:
        self._timer.start()

    def _update_surface(self) -> None:
        if self.frame != self.surface.frame:
            self.surface.show_frame(self.frame)
        self.show_text()

    def _on_ndisplay(self, event: Any = None) -> None:
        in_3d = self.viewer.dims.ndisplay == 3
        if self.shown:
            self._show_image(not in_3d)
            self.surface.frame = self.frame
            self.surface.set_flat(not in_3d)
            self.viewer.layers.selection.active = self.height
        else:
            self.surface.lay_hidden(not in_3d)
        self.show_text()

    def set_exaggeration(self, factor: float) -> None:
        """Stretch z on the screen as the user wants it; from then on it is not chosen automatically."""
        self._auto_exaggeration = False
        self._exaggerate(factor)

    def _exaggerate(self, factor: float) -> None:
        if factor == self.surface.exaggeration:
            return
        self.surface.set_exaggeration(factor)
        self.show_text()
        workspace_of(self.viewer).frames_changed.emit()
        if self._auto_exaggeration and self.viewer.dims.ndisplay == 3 and self.shown:
            self.viewer.reset_view(reset_camera_angle=False)  # it has grown or shrunk on the screen

    def show_3d(self) -> None:
        """Turn the viewer to 3D and look at the surface from above, hills up."""
        self.viewer.dims.ndisplay = 3
        self.viewer.reset_view()
        self.viewer.scene.camera.angles = CAMERA_FROM_ABOVE

    def set_shown(self, shown: bool) -> None:
        """Show or hide the result (its layers stay)."""
        self.shown = shown
        in_3d = self.viewer.dims.ndisplay == 3
        self._show_image(shown and not in_3d)
        self.surface.layer.visible = shown and in_3d
        if shown:
            self.surface.show_frame(self.frame)

    # --- which map -----------------------------------------------------------------------------------

    def show_map(self, role: str) -> None:
        """Show one map: as the image in 2D, as the colour of the surface in 3D."""
        if role not in self._images:
            return
        self.map = role
        self._set_map_limits()
        self.surface.set_colours(self._images[role], role)
        if self.shown:
            self._show_image(self.viewer.dims.ndisplay == 2)
            self.show_text()

    def _show_image(self, shown: bool) -> None:
        """Show the image of the chosen map and hide the others."""
        for role, layer in self._images.items():
            layer.visible = shown and role == self.map
            layer.colorbar.visible = role == self.map

    # --- frames of a run that goes on --------------------------------------------------------------

    def frame_changed(self, frame: int) -> None:
        """Show that a frame was replaced (finished, or by a preview)."""
        height = self.data.height.frame(frame)
        new = frame_range(height)
        if new is not None:
            self._widen(new)
        self._add_new_maps()
        if frame == self.frame:
            for layer in self._images.values():
                layer.refresh()
            self.surface.frame = frame
            self.surface.refresh()
            workspace_of(self.viewer).frames_changed.emit()
        self._set_map_limits()

    def _widen(self, new: Range) -> None:
        """Let the ranges take in a new frame: they only grow, so colours stay comparable."""
        merged = merge_ranges([self._range, new]) if self._range_known else merge_ranges([new])
        self._range_known = True
        if merged is None or merged == self._range:
            return
        self._range = merged
        for layer in (self.height, *([self.surface.layer] if self.map == "height" else [])):
            layer.contrast_limits_range = merged[0]
            layer.contrast_limits = merged[0]
        self.surface.z_range = merged[1]
        self.surface.renew_relief()
        if self._auto_exaggeration:
            self._exaggerate(nice_exaggeration(merged[1], max(self.data.shape) * self.data.pixel_nm))

    def fix_limits(self) -> None:
        """Fix the contrast limits over all frames once the run is over (previews no longer count)."""
        self.data.height.drop_previews()
        found = self.data.value_range()
        if found is not None:
            self._range_known = False
            self._widen(found)
        self._set_map_limits(anew=True)
        self.height.refresh()
        self.surface.refresh()

    def _set_map_limits(self, anew: bool = False) -> None:
        """Contrast of the maps other than height: from what is there at first, over all frames in the end."""
        for role, layer in self._images.items():
            entry = layer.metadata[METADATA_KEY]
            if role == "height" or (entry.get("limits_set") and not anew):
                continue
            limits = map_limits(self.data, role)
            if limits is not None:
                layer.contrast_limits_range = layer.contrast_limits = limits
                entry["limits_set"] = True
        if self.map != "height":
            self.surface.set_colours(self._images[self.map], self.map)

    # --- heights under the cursor ----------------------------------------------------------------------

    def pixel_under(self, position: Any, view_direction: Any = None) -> tuple[float, float] | None:
        """(row, column) of the height map under a world position; in 3D where the line of sight meets it."""
        edge = self.data.pixel_nm
        point = np.asarray(position, dtype=float)
        if self.viewer.dims.ndisplay == 2 or view_direction is None:
            return float(point[-2] / edge), float(point[-1] / edge)
        scale = np.array([self.surface.exaggeration, edge, edge])
        direction = np.asarray(view_direction, dtype=float)[-3:] / scale
        return raycast.hit(self.data.height.frame(self.frame), point[-3:] / scale, direction)

    def reading_at(self, position: Any, view_direction: Any = None) -> str | None:
        """Height under a world position in words; None beside the map."""
        pixel = self.pixel_under(position, view_direction)
        if pixel is None:
            return None
        row, col = round(pixel[0]), round(pixel[1])
        text = self.data.reading(self.frame, row, col)
        if text is None or self.map in ("height", "height_std"):
            return text
        value = float(self.data.store(self.map).frame(self.frame)[row, col])
        return f"{text}, {map_name(self.data, self.map)}: {value:.3g}" if np.isfinite(value) else text

    def _on_mouse_move(self, viewer: Any, event: Any) -> None:
        if self.shown:
            self.show_text(self.reading_at(event.position, event.view_direction))

    def show_text(self, reading: str | None = None) -> None:
        """Write frame, time, exaggeration and the height under the cursor into the viewer."""
        if not self.shown:
            return
        lines = [self.data.time_text(self.frame)]
        if self.viewer.dims.ndisplay == 3 and self.surface.exaggeration != 1:
            lines.append(f"z × {self.surface.exaggeration:g}")
        title = "  |  ".join(lines)
        text = f"{map_name(self.data, self.map)}  |  {title}\n{reading or ''}".rstrip()
        if self.viewer.canvas.overlays.text.text != text:
            self.viewer.canvas.overlays.text.text = text

    # --- end -------------------------------------------------------------------------------------------

    def _on_removed(self, event: Any) -> None:
        if event.value in (self.height, self.surface.layer):
            self.close()

    def close(self) -> None:
        """Let go of the viewer; the layers that are left stay as they are."""
        if self.closed_down:
            return
        self.closed_down = True
        self._timer.stop()
        self.shown = False
        self.viewer.dims.events.current_step.disconnect(self._on_step)
        self.viewer.dims.events.ndisplay.disconnect(self._on_ndisplay)
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        if self._on_mouse_move in self.viewer.mouse_move_callbacks:
            self.viewer.mouse_move_callbacks.remove(self._on_mouse_move)
        self.viewer.canvas.overlays.text.text = ""
        self.closed.emit(self)


def show_result(viewer: Any, data: ResultData) -> ResultView:
    """Add the layers of a result to a viewer and make it the one that is looked at."""
    space = workspace_of(viewer)
    for older in space.results:
        older.set_shown(False)
    view = ResultView(viewer, data)
    space.add_result(view)
    view.set_shown(True)
    return view
