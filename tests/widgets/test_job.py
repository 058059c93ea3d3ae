"""One job after the other: the end of a thread never ends the run that came after it."""

import threading

from napari_sem4d.records import Finished
from napari_sem4d.widgets.job import Job


def test_the_late_end_of_a_thread_leaves_the_next_run_alone(qtbot, tmp_path):
    job, gate, ends = Job(), threading.Event(), []

    def second():
        gate.wait(20)
        yield Finished(tmp_path / "second")

    def start_second(record):
        ends.append(record.path)
        if len(ends) == 1:  # at once, before the first thread has ended
            job.claim()
            job.launch(lambda cancel: second(), tmp_path / "second")

    job.ended.connect(start_second)
    job.claim()
    job.launch(lambda cancel: iter([Finished(tmp_path / "first")]), tmp_path / "first")
    qtbot.waitUntil(lambda: len(ends) == 1, timeout=20000)
    qtbot.wait(500)
    assert job.running
    gate.set()
    qtbot.waitUntil(lambda: not job.running, timeout=20000)
    assert ends == [tmp_path / "first", tmp_path / "second"]
