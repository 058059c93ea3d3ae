"""Electrons of the sample series: Monte Carlo frame by frame, kept as sums of weights, a file a frame and pass."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, Specimen, simulate
from napari_sem4d.physics.monte_carlo.checkpoint import fingerprint
from napari_sem4d.physics.monte_carlo.scoring import detector_weights
from napari_sem4d.simulation.redox import movie

ENERGY_KEV, PROBE_NM, THRESHOLD_KEV = 5.0, 2.0, 1.0
BINS = Binning(16, 4, 20)
POLAR_BINS = (1, 13)
"""The segments' edges lie on edges of bins, 14.48 and 64.34 degrees, so that no count is divided."""
UNIT = 1.0 / 40.0
"""Weights of the energy bins, (E - threshold)/E0, are whole multiples of this."""
PASSES = (1000, 500)
"""Electrons a pixel, sent in passes over all frames, so that a movie of fewer is there early."""
TARGET_PIXEL_NM = 48.0
_CU, _CU2O = material("Cu"), material("Cu2O")


def segments() -> tuple[Segment, ...]:
    """Four quadrants of the annulus, with gain 1 and offset 0."""
    low, high = np.degrees(BINS.polar_edges())[list(POLAR_BINS)]
    return tuple(
        Segment(
            name=f"Q{k + 1}",
            polar_deg=(round(float(low), 3), round(float(high), 3)),
            azimuth_deg=(90.0 * k, 90.0 * (k + 1)),
            threshold_kev=THRESHOLD_KEV,
        )
        for k in range(4)
    )


def vickers_imprint() -> np.ndarray:
    """A Vickers pit, nm, (SIZE, SIZE) pixels of TARGET_PIXEL_NM: four faces of 22 degrees, turned by 20."""
    half = 0.5 * (movie.SIZE - 1)
    y, x = (np.mgrid[0 : movie.SIZE, 0 : movie.SIZE] - half) * TARGET_PIXEL_NM
    turn = np.radians(20.0)
    u, v = np.abs(x * np.cos(turn) + y * np.sin(turn)), np.abs(y * np.cos(turn) - x * np.sin(turn))
    return np.minimum(0.0, np.tan(np.radians(22.0)) * (np.maximum(u, v) - 0.24 * movie.SIZE * TARGET_PIXEL_NM))


def run_all(folder: Path) -> None:
    """Simulate what is not there yet: pass by pass the frames, in the end the target."""
    folder.mkdir(parents=True, exist_ok=True)
    model = movie.redox()
    frames = len(movie.TIMES_S)
    columns = np.zeros((movie.SIZE + 2 * movie.BORDER_PX,) * 2, np.uint8)
    for number, sent in enumerate(PASSES):
        for frame in range(frames):
            state = movie.surface(model, frame, movie.BORDER_PX)
            specimen = Specimen(
                state.height_nm, movie.PIXEL_NM, (_CU, _CU2O), columns, movie.BORDER_PX, state.oxide_nm
            )
            # Streams of different frames must not be the same, or their noise would be.
            _one(folder / f"frame-{frame:02d}-{number}.npz", specimen, sent, seed=1000 * number + frame)
        _one(
            folder / f"target-{number}.npz",
            Specimen.around(vickers_imprint(), TARGET_PIXEL_NM, _CU, ENERGY_KEV),
            sent,
            seed=1000 * number + 999,
        )


def collected(folder: Path) -> dict[str, tuple[np.ndarray, int]]:
    """Sums of weights, shape (T or 1, K, Y, X), and electrons a pixel, of the passes that are complete."""
    frames = [f"frame-{t:02d}" for t in range(len(movie.TIMES_S))]
    names = [*frames, "target"]
    done = 0
    while done < len(PASSES) and all((folder / f"{name}-{done}.npz").exists() for name in names):
        done += 1
    if not done:
        raise FileNotFoundError(f"{folder} holds no complete pass over all frames yet")

    def stacked(chosen: list[str]) -> tuple[np.ndarray, int]:
        total = [sum(_sums(folder / f"{name}-{n}.npz") for n in range(done)) for name in chosen]
        return np.array(total).astype(np.uint16), sum(PASSES[:done])

    return {"frame": stacked(frames), "target": stacked(["target"])}


def _sums(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as held:
        sums: np.ndarray = held["sums"].astype(np.uint32)
    return sums


def _one(path: Path, specimen: Specimen, sent: int, seed: int) -> None:
    key = fingerprint(
        (specimen.height_nm,) if specimen.layer_nm is None else (specimen.height_nm, specimen.layer_nm),
        specimen.pixel_nm, ENERGY_KEV, PROBE_NM, THRESHOLD_KEV, BINS.shape, POLAR_BINS, sent, seed,
    )  # fmt: skip
    if path.exists():
        with np.load(path, allow_pickle=False) as held:
            if str(held["key"]) == key:
                return
    start = time.monotonic()
    field = simulate(specimen, ENERGY_KEV, sent, seed=seed, binning=BINS, probe_nm=PROBE_NM, threads=1)
    weights = detector_weights(_on_bins(), BINS, ENERGY_KEV).reshape(4, -1)
    sums = np.rint(weights / UNIT).astype(np.uint32) @ field.counts.reshape(len(field.counts), -1).T
    if sums.max() > np.iinfo(np.uint16).max:
        raise OverflowError("sums of weights do not fit 16 bits")
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        np.savez_compressed(stream, key=key, sums=sums.reshape(4, *specimen.scan_shape).astype(np.uint16))
    part.replace(path)
    seconds = time.monotonic() - start
    rate = field.electrons * len(field.counts) / seconds
    print(f"{time.strftime('%H:%M:%S')} {path.name}: {seconds:.0f} s, {rate:.0f} electrons/s", flush=True)


def _on_bins() -> tuple[Segment, ...]:
    """The segments with their polar edges exactly on the bins' (the description rounds them)."""
    low, high = np.degrees(BINS.polar_edges())[list(POLAR_BINS)]
    return tuple(s.model_copy(update={"polar_deg": (float(low), float(high))}) for s in segments())
