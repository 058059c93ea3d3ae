"""What all docks have in common."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QWidget

from napari_sem4d.widgets.messages import Message
from napari_sem4d.widgets.workspace import unwrap, workspace_of


class Dock(QWidget):
    """A dock of a viewer, with a place for sentences.

    Parameters
    ----------
    napari_viewer : napari viewer
        Given by napari.
    """

    SIZE = (340, 440)
    """Wanted width and height, pixels: narrow enough to leave room for the picture."""

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = unwrap(napari_viewer)
        self.space = workspace_of(napari_viewer)
        self.message = Message()

    def sizeHint(self) -> QSize:
        """Narrow enough to leave room for the picture."""
        return QSize(*self.SIZE)
