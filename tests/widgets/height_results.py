"""Result stores with draws, and maps, for the tests of the Roughness and Export docks."""

import json

import numpy as np
from napari.layers import Image

from napari_sem4d.io.store import ResultStore

ATTRS = {
    "datum": "mean",
    "settings": "{}",
    "software": "test",
    "device": "cpu",
    "seeds": "{}",
    "inputs": "[]",
    "warnings": "[]",
}
PIXEL_NM = 5.0
NOISE_NM = 2.0


def waves(amplitude_nm, shape=(64, 96)):
    """Waves of 16 pixels along x."""
    return np.tile(amplitude_nm * np.sin(2 * np.pi * (np.arange(shape[1]) + 0.5) / 16), (shape[0], 1))


def make_result(path, scale_status="calibrated", draws=4, frames=3, maps=None):
    """A finished result; frame i holds waves of 10 (i + 1) nm with 2 nm of noise, unless ``maps`` are given."""
    maps = [waves(10.0 * (i + 1)) for i in range(frames)] if maps is None else maps
    calibration = json.dumps({"id": "cal-7", "date": "2026-01-02"}) if scale_status == "calibrated" else ""
    attrs = ATTRS | {"scale_status": scale_status, "calibration": calibration, "scale_uncertainty": 0.03}
    times = [4.0 * i for i in range(len(maps))]
    store = ResultStore.create(path, times=times, shape=maps[0].shape, pixel_nm=PIXEL_NM, attrs=attrs, draws=draws)
    rng = np.random.default_rng(0)
    for frame, truth in enumerate(maps):
        estimate = truth + (NOISE_NM * rng.normal(size=truth.shape) if draws else 0.0)
        for k in range(draws):
            store.write_draw(frame, k, estimate + NOISE_NM * rng.normal(size=truth.shape))
        store.write_frame(
            frame,
            height=estimate,
            height_std=np.full_like(truth, NOISE_NM),
            relative_yield=np.ones_like(truth),
            quality=np.zeros(truth.shape, np.uint16),
            misfit=1.0,
        )
    return path


def map_layer(heights, pixel_nm=PIXEL_NM, name="AFM", unit="nm", scale_status="calibrated"):
    """A height map as the reader gives it."""
    entry = {"path": "", "role": "height", "scale_status": scale_status, "unit": unit}
    return Image(
        np.asarray(heights, dtype=np.float32),
        name=name,
        scale=(pixel_nm, pixel_nm),
        units=("nm", "nm"),
        metadata={"sem4d": entry},
    )
