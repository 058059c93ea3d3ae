"""Runs a reconstruction in napari's threads and shows its records as they come."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

from napari_sem4d.records import Failed, Finished, FrameDone, FrameFailed, Notice, Preview, Progress, Record
from napari_sem4d.widgets.result_data import from_series
from napari_sem4d.widgets.result_view import ResultView, show_result
from napari_sem4d.widgets.run_model import OneJob, check_output, finished_frames, guarded

if TYPE_CHECKING:
    from napari_sem4d.acquisition.series import SemSeries

BUSY = "A reconstruction is running already; wait until it is done, or cancel it."


class Runner(QObject):
    """One run: starts it, shows frames and previews, and ends it."""

    progress = Signal(object)
    told = Signal(str, str)
    ended = Signal(object)

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.view: ResultView | None = None
        self.follow = True
        self._cancel: threading.Event | None = None
        self._worker: Any = None
        self._setting_step = False
        self._followed = 0
        self._end: Record | None = None

    @property
    def running(self) -> bool:
        """Whether a run is going on."""
        return self._worker is not None

    def start(
        self, series: SemSeries, out: Path, settings: Any = None, calibration: Any = None, resume: bool = False
    ) -> None:
        """Start a run.

        Raises
        ------
        StoreError
            If the result exists already, or is not there to be resumed.
        RuntimeError
            If another run is going on: ask ``running`` and :class:`OneJob` first.
        """
        from napari_sem4d import api

        check_output(out, resume)
        data = from_series(series, out, None if calibration is None else calibration.scale_uncertainty)
        if resume:
            data.already_done(finished_frames(api.open_result(out)))
        if not OneJob.take():
            raise RuntimeError(BUSY)
        self._cancel = threading.Event()
        self._end = None
        self.follow = True
        self.view = show_result(self.viewer, data)
        self._followed = self.view.frame
        self.viewer.dims.events.current_step.connect(self._on_step)
        steps = api.reconstruct_steps(
            series, out, settings=settings, calibration=calibration, resume=resume, cancel=self._cancel
        )
        self._worker = create_worker(
            guarded, steps, out, _connect={"yielded": self._take, "finished": self._finished}
        )

    def cancel(self) -> None:
        """Ask the run to end; finished frames are kept."""
        if self._cancel is not None:
            self._cancel.set()

    def _take(self, record: Record) -> None:
        """Show one record."""
        if isinstance(record, Progress):
            self.progress.emit(record)
        elif isinstance(record, Preview):
            self._show(record.frame, lambda data: data.height.set_frame(record.frame, record.height, preview=True))
        elif isinstance(record, FrameDone):
            self._show(
                record.frame,
                lambda data: data.frame_done(
                    record.frame, record.height, record.height_std, record.relative_yield
                ),
            )
        elif isinstance(record, FrameFailed):
            self.told.emit(f"Frame {record.frame + 1} could not be used: {record.message}", "warning")
        elif isinstance(record, Notice):
            self.told.emit(record.message, "warning")
        elif isinstance(record, (Failed, Finished)):
            self._end = record
            self._finished()

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

    def _finished(self) -> None:
        """End of the run: its last record, or the end of its thread, whichever is seen first."""
        if self._worker is None:
            return
        OneJob.give_back()
        self._worker = self._cancel = None
        self.viewer.dims.events.current_step.disconnect(self._on_step)
        if self.view is not None and not self.view.closed_down:
            self.view.fix_limits()
        self.ended.emit(self._end)
