"""Images are read as they are, only those that are needed, and beside a viewer that reads at the same time."""

import threading

import dask.array as da
import numpy as np
import xarray as xr
from dask.cache import Cache

from napari_sem4d.acquisition.pixels import pixels_of


def series(read=lambda frame: None):
    def page(block_info=None):
        frame, segment = block_info[None]["chunk-location"][:2]
        read(frame)
        return np.full((1, 1, 4, 5), 10.0 * frame + segment, dtype=np.float32)

    chunks = ((1,) * 6, (1,) * 3, (4,), (5,))
    data = da.map_blocks(page, chunks=chunks, dtype=np.float32, meta=np.empty((0,) * 4, np.float32))
    return xr.DataArray(data, dims=("time", "segment", "y", "x"))


def test_every_part_reads_as_the_scheduler_reads_it():
    signal = series()
    for part in (signal[2], signal[1, 2], signal[3, :, 1:3, 2:], signal):
        assert np.array_equal(pixels_of(part), part.values)
        assert pixels_of(part).dtype == np.float32


def test_only_the_frame_that_is_asked_for_is_read():
    frames = []
    pixels_of(series(frames.append)[4])
    assert set(frames) == {4}


def test_images_in_memory_are_handed_on():
    held = xr.DataArray(np.arange(6.0).reshape(2, 3))
    assert np.array_equal(pixels_of(held), held.values)


def test_a_reader_beside_a_cached_viewer_leaves_its_book_keeping_alone():
    started, finish = threading.Event(), threading.Event()

    def wait(frame):
        started.set()
        finish.wait(10)

    slow, quick = series(wait), series()
    errors = []

    def viewer():
        try:
            slow[0].compute(scheduler="synchronous")
        except KeyError as error:
            errors.append(error)

    with Cache(1e6):
        thread = threading.Thread(target=viewer)
        thread.start()
        assert started.wait(10)
        pixels_of(quick[1])
        finish.set()
        thread.join(10)
    assert not errors
