"""Runs a reconstruction and shows its records as they come."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_sem4d.records import FrameDone, FrameFailed, Preview
from napari_sem4d.widgets.job import Job
from napari_sem4d.widgets.result_data import from_series
from napari_sem4d.widgets.result_view import ResultView, show_result
from napari_sem4d.widgets.run_model import check_output

if TYPE_CHECKING:
    from napari_sem4d.acquisition.series import SemSeries


class Runner(Job):
    """One run: starts it, shows frames and previews, and ends it."""

    WHAT = "The reconstruction"

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.view: ResultView | None = None
        self.follow = True
        self._setting_step = False
        self._followed = 0

    def start(
        self, series: SemSeries, out: Path, settings: Any = None, calibration: Any = None, resume: bool = False
    ) -> None:
        """Start a run.

        Raises
        ------
        StoreError
            If the result exists already, or is not there to be resumed.
        RuntimeError
            If another job is going on.
        """
        from napari_sem4d import api

        check_output(out, resume)
        data = from_series(series, out, None if calibration is None else calibration.scale_uncertainty)
        data.engine = str(getattr(settings, "engine", ""))
        if resume:
            data.already_done(api.open_result(out))
        self.claim()
        self.follow = True
        self.view = show_result(self.viewer, data)
        self._followed = self.view.frame
        self.viewer.dims.events.current_step.connect(self._on_step)
        self.launch(
            lambda cancel: api.reconstruct_steps(
                series, out, settings=settings, calibration=calibration, resume=resume, cancel=cancel
            ),
            out,
        )

    def take(self, record: Any) -> None:
        """Show a preview or a finished frame."""
        if isinstance(record, Preview):
            self._show(record.frame, lambda data: data.height.set_frame(record.frame, record.height, preview=True))
        elif isinstance(record, FrameDone):
            self._show(record.frame, lambda data: data.frame_done(record))
        elif isinstance(record, FrameFailed):
            self.told.emit(f"Frame {record.frame + 1} could not be used: {record.message}", "warning")

    def _show(self, frame: int, change: Any) -> None:
        if self.view is None:
            return
        change(self.view.data)
        if self.view.closed_down:
            return  # the user removed the layers; the run goes on into its store
        if self.follow and self.view.shown and self.view.frame != frame:
            self._setting_step = True
            steps = self.viewer.dims.current_step
            self.viewer.dims.set_current_step(len(steps) - 4, frame)
            self._setting_step = False
            self._followed = frame
        self.view.frame_changed(frame)

    def _on_step(self, event: Any = None) -> None:
        if self.view is not None and not self._setting_step and self.view.frame != self._followed:
            self.follow = False  # the user looks at another frame: do not pull the slider away

    def closing(self) -> None:
        """Fix the limits over all frames."""
        self.viewer.dims.events.current_step.disconnect(self._on_step)
        if self.view is not None and not self.view.closed_down:
            self.view.fix_limits()
