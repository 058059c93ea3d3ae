"""What the docks of one viewer share: the series, the calibration, the results (no Qt)."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

if TYPE_CHECKING:
    from napari_sem4d.acquisition.series import SemSeries
    from napari_sem4d.widgets.result_view import ResultView

METADATA_KEY = "sem4d"
"""Layers that we add carry ``layer.metadata["sem4d"]``: path, role, scale_status and what else they know."""


class Workspace:
    """Series, calibration and results of one viewer; each change is signalled."""

    series_changed = Signal(object)
    calibration_changed = Signal(object)
    results_changed = Signal()
    frames_changed = Signal()

    def __init__(self) -> None:
        self.series: SemSeries | None = None
        self.inputs: tuple[Path, ...] = ()
        self.calibration: Any = None
        self.results: list[ResultView] = []

    def set_series(self, series: SemSeries | None, inputs: tuple[Path, ...] | None = None) -> None:
        """Make ``series`` the one that the docks work on."""
        if inputs is not None and inputs != self.inputs:
            self.inputs = inputs
            if self.calibration is not None:  # it belonged to another instrument
                self.set_calibration(None)
        self.series = series
        self.series_changed.emit(series)

    def set_calibration(self, calibration: Any) -> None:
        """Use ``calibration`` from now on; None means relative heights."""
        self.calibration = calibration
        self.calibration_changed.emit(calibration)

    def add_result(self, view: ResultView) -> None:
        """Take in a result that is shown; the ones before it are hidden, not lost."""
        for older in self.results:
            older.set_shown(False)
        self.results.append(view)
        view.closed.connect(self._forget)
        self.results_changed.emit()

    def _forget(self, view: ResultView) -> None:
        if view in self.results:
            self.results.remove(view)
            self.results_changed.emit()


_WORKSPACES: dict[int, Workspace] = {}


def unwrap(viewer: Any) -> Any:
    """Return the viewer itself where napari hands over its public proxy (identity and speed need it)."""
    return getattr(viewer, "__wrapped__", viewer)


def workspace_of(viewer: Any) -> Workspace:
    """The workspace of a viewer; it lives as long as the viewer."""
    viewer = unwrap(viewer)
    key = id(viewer)
    if key not in _WORKSPACES:
        _WORKSPACES[key] = Workspace()
        weakref.finalize(viewer, _WORKSPACES.pop, key, None)
    return _WORKSPACES[key]


def sem4d_metadata(layer: Any) -> dict[str, Any]:
    """Our entry of a layer's metadata; empty for layers of others."""
    found = layer.metadata.get(METADATA_KEY) if isinstance(layer.metadata, dict) else None
    return found if isinstance(found, dict) else {}
