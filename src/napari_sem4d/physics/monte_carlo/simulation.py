"""Run the kernel over a scan: chunks, threads, progress, cancel, checkpoints, memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np

from napari_sem4d.errors import Cancelled, DomainError
from napari_sem4d.physics.monte_carlo.checkpoint import Checkpoint, fingerprint
from napari_sem4d.physics.monte_carlo.scoring import Binning, EmissionCounts
from napari_sem4d.physics.monte_carlo.specimen import Specimen
from napari_sem4d.physics.monte_carlo.tables import REACH
from napari_sem4d.physics.monte_carlo.terrain import Terrain

_CHUNK_ELECTRONS = 20_000
_CHUNK_BYTES = 4_000_000
TALLY = ("escaped", "below", "lost", "stopped", "given_up", "energy_left", "energy_laid", "energy_given_up")
_FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


def estimate_memory(specimen: Specimen, energy_kev: float, pixels: int, binning: Binning) -> int:
    """Bytes that :func:`simulate` will take at most: terrain with its pyramids, counts, tables."""
    return Terrain.bytes_needed(specimen, energy_kev) + pixels * (binning.size * 4 + 8 * len(TALLY))


def simulate(
    specimen: Specimen,
    energy_kev: float,
    electrons: int,
    *,
    seed: int = 0,
    binning: Binning | None = None,
    pixels: tuple[np.ndarray, np.ndarray] | None = None,
    probe_nm: float = 0.0,
    tilt_deg: float = 0.0,
    reentry: bool = True,
    reach: float = REACH,
    threads: int | None = None,
    cancel: Event | None = None,
    progress: Callable[[float], None] | None = None,
    checkpoint: Path | None = None,
    memory_limit: int = 2_000_000_000,
) -> EmissionCounts:
    """Simulate a scan, or a choice of its pixels in their true surroundings.

    Parameters
    ----------
    specimen : Specimen
        Terrain, pixel size and materials.
    energy_kev : float
        Energy of the primaries, keV.
    electrons : int
        Primaries per pixel, spread evenly over it and by the probe.
    seed : int
        An electron's path is fixed by (seed, pixel, its number): the result does not depend on threads,
        chunks, or which other pixels are simulated.
    binning : Binning, optional
        Bins of direction (about the optical axis) and energy.
    pixels : (rows, columns), optional
        Pixels of the scanned part, integer arrays of one shape (n,); all of them in row order by default.
    probe_nm : float
        Full width at half maximum of a Gaussian probe, nm.
    tilt_deg : float
        Stage tilt about the image's x axis, positive when the top edge comes nearer to the pole piece.
        Heights stay those of the untilted specimen; directions count from the optical axis.
    reentry : bool
        Whether electrons that leave may meet the surface again.
    reach : float
        See :data:`~napari_sem4d.physics.monte_carlo.tables.REACH`.
    threads : int, optional
        Threads; all cores by default.
    cancel : threading.Event, optional
        Set it to stop; finished chunks are kept where there is a checkpoint.
    progress : callable, optional
        Is given the finished share, 0 to 1.
    checkpoint : Path, optional
        File to keep finished chunks in; a run with the same inputs goes on from it.
    memory_limit : int
        Bytes that the run may take.

    Raises
    ------
    Cancelled
        If ``cancel`` was set.
    DomainError
        If the run would take more memory than allowed, or the energy is outside the laws' range.
    StoreError
        If the checkpoint belongs to another run or cannot be read.
    """
    from napari_sem4d.physics.monte_carlo._heightfield import run_jobs

    if electrons < 1:
        raise DomainError(f"{electrons} electrons a pixel; at least one is needed")
    bins = binning or Binning()
    rows, columns = pixels if pixels is not None else np.indices(specimen.scan_shape).reshape(2, -1)
    rows, columns = np.asarray(rows, np.int64).ravel(), np.asarray(columns, np.int64).ravel()
    needed = estimate_memory(specimen, energy_kev, rows.size, bins)
    if needed > memory_limit:
        raise DomainError(
            f"simulating {rows.size} pixels would take {needed / 1e9:.1f} GB, and {memory_limit / 1e9:.1f} GB are "
            "allowed; simulate part of the pixels at a time or use fewer bins"
        )
    terrain = Terrain.build(specimen, energy_kev)
    counts = np.zeros((rows.size, *bins.shape), np.uint32)
    tally = np.zeros((rows.size, len(TALLY)))
    chunks = _chunks(rows.size, electrons, bins.size)
    store = None
    if checkpoint is not None:
        key = fingerprint(
            terrain.arrays(),
            rows, columns, electrons, energy_kev, seed, bins.shape, probe_nm, tilt_deg, reentry, reach,
        )  # fmt: skip
        store = Checkpoint(checkpoint, key, len(chunks))
        store.load(counts, tally)
    turn = _turn(tilt_deg)
    probe_sigma = probe_nm / _FWHM_PER_SIGMA / specimen.pixel_nm
    width = specimen.scan_shape[1]
    reference = float(specimen.height_nm.mean() / specimen.pixel_nm)

    def work(chunk: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray] | None:
        if cancel is not None and cancel.is_set():
            return None
        first, last, start, count = chunk
        part = slice(first, last)
        kernel: Callable[..., None] = run_jobs
        got = np.zeros((last - first, *bins.shape), np.uint32), np.zeros((last - first, len(TALLY)))
        kernel(
            seed,
            rows[part] + specimen.border, columns[part] + specimen.border,
            rows[part] * width + columns[part], np.full(last - first, start, np.int64), count,
            *terrain.arrays(), reach, probe_sigma, reference, turn, reentry, *got,
        )  # fmt: skip
        return got

    waiting = [n for n in range(len(chunks)) if store is None or not store.done[n]]
    finished = len(chunks) - len(waiting)
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        # Results are added in the order of the chunks, so that sums do not depend on the threads.
        for number, got in zip(waiting, pool.map(work, [chunks[n] for n in waiting]), strict=True):
            if got is None:
                continue
            part = slice(*chunks[number][:2])
            counts[part] += got[0]
            tally[part] += got[1]
            finished += 1
            if store is not None:
                store.done[number] = True
                store.save(counts, tally, now=finished == len(chunks))
            if progress is not None:
                progress(finished / len(chunks))
    if finished < len(chunks):
        if store is not None:
            store.save(counts, tally, now=True)
        raise Cancelled("the simulation was cancelled; finished parts are in its checkpoint if it has one")
    return EmissionCounts(
        counts, electrons, energy_kev, bins, {name: tally[:, i].copy() for i, name in enumerate(TALLY)}
    )


def _chunks(pixels: int, electrons: int, bins: int) -> list[tuple[int, int, int, int]]:
    """Pieces of work: first pixel, last pixel, first electron, electrons; each of about the same cost."""
    per_pixel = min(electrons, _CHUNK_ELECTRONS)
    block = max(1, min(_CHUNK_ELECTRONS // per_pixel, _CHUNK_BYTES // (4 * bins)))
    return [
        (first, min(first + block, pixels), start, min(per_pixel, electrons - start))
        for first in range(0, pixels, block)
        for start in range(0, electrons, per_pixel)
    ]


def _turn(tilt_deg: float) -> np.ndarray:
    """Rotation (x, y up, z) from the specimen to the frame of the optical axis: the top edge rises."""
    c, s = np.cos(np.radians(tilt_deg)), np.sin(np.radians(tilt_deg))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
