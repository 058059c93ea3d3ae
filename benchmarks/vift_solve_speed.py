"""Time and memory of a full reconstruction with the engine vift, and where the time goes.

    python benchmarks/vift_solve_speed.py [--side 512] [--energy-kev 5] [--threads 2] [--json OUT.json]

Four segments, copper, pixels of 12 nm (0.56 rho50 at 5 kV; 0.17 at 10 kV, where the network's grid has a tenth of
the pixels), images made by vift, 8 % noise. From the pixels in memory to height, relative yield and both parts of
the uncertainty; once, on the clock and of the processor. The prior's weight is found on the way.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.acquisition.noise import estimate_noise
from napari_sem4d.allocator import large_blocks_kept
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.forward.vift import VisionEngine, VisionLinearisation
from napari_sem4d.inversion.frame import first_guess, solve_frame
from napari_sem4d.inversion.height_error import height_std
from napari_sem4d.inversion.model_height_error import height_model_error
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.inversion.prepare import prepare_frame
from napari_sem4d.inversion.preview import linear_preview
from napari_sem4d.physics.materials import material

PIXEL_NM = 12.0


class Clock:
    """Seconds on the clock and of the processor, and calls, by name."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {}

    def __call__(self, name: str, work: Any) -> Any:
        wall, processor = time.perf_counter(), time.process_time()
        result = work()
        spent = self.found.setdefault(name, [0.0, 0.0, 0.0])
        for i, seconds in enumerate((time.perf_counter() - wall, time.process_time() - processor, 1.0)):
            spent[i] += seconds
        return result


def setup_of(energy_kev: float) -> ForwardSetup:
    ring = tuple(
        Segment(name=f"S{i}", polar_deg=(15, 45), azimuth_deg=(90 * i + 10, 90 * i + 100), gain=1e6)
        for i in range(4)
    )
    return ForwardSetup(
        Instrument(beam=Beam(energy_kev=energy_kev), detector=Detector(segments=ring)), material("Cu"), PIXEL_NM
    )


def images(side: int, setup: ForwardSetup) -> np.ndarray:
    rng = np.random.default_rng(1)
    height = gaussian_filter(rng.normal(size=(side, side)), 8, mode="nearest")
    gradient = np.gradient(height, PIXEL_NM)
    height *= 0.3 / np.sqrt(np.mean(gradient[0] ** 2 + gradient[1] ** 2))
    surface = torch.as_tensor(height, dtype=torch.float32)
    with torch.no_grad():
        signals = make_engine("vift", setup).expected_signals(surface, torch.ones_like(surface)).numpy()
    return signals + rng.normal(size=signals.shape).astype(np.float32) * 0.08 * signals.mean()


def main() -> int:
    with large_blocks_kept():  # as in every run
        return measure()


def measure() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--energy-kev", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    setup, clock = setup_of(options.energy_kev), Clock()
    pixels = images(options.side, setup)
    begin, processor = time.perf_counter(), time.process_time()
    preview = clock("preview", lambda: linear_preview(pixels, setup.instrument, setup.material, PIXEL_NM))
    engine = clock("engine", lambda: make_engine("vift", setup))
    prepared = clock("noise and weights", lambda: prepare_frame(pixels, estimate_noise(pixels)))
    settings = InversionSettings()
    linearise, vjp = VisionEngine.linearise, VisionLinearisation.vjp
    # Patched on the classes: a wrapper on each state would keep its memory until the garbage is collected.
    VisionEngine.linearise = lambda e, h, y: clock("evaluations", lambda: linearise(e, h, y))  # type: ignore[method-assign]
    VisionLinearisation.vjp = lambda e, d, keep=True: clock("vjp", lambda: vjp(e, d, keep))  # type: ignore[method-assign]
    height = torch.as_tensor(preview.height)
    guess = clock(
        "start by local, with one evaluation",
        lambda: first_guess(engine, prepared.data, settings, height, preview.mean_yield),
    )
    solution = clock("solver, with evaluations and vjp", lambda: solve_frame(*guess, settings))
    clock("height_std, noise", lambda: height_std(solution.objective, solution.state, None, True))
    valid = torch.ones_like(height, dtype=torch.bool)
    error = height_model_error(solution)
    if error is not None:
        clock("height_std, model", lambda: error.std(valid, True))
    total = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform != "darwin" else 1e9)
    print(f"{options.side} x {options.side} x 4, {options.energy_kev:g} kV, {options.threads} threads")
    print(f"{'':36s} calls  wall s  processor s")
    for name, (wall, used, calls) in clock.found.items():
        print(f"{name:36s} {calls:5.0f} {wall:7.2f} {used:12.2f}")
    print(f"{'all':36s}       {total:7.2f} {time.process_time() - processor:12.2f}")
    print(f"{clock.found['evaluations'][2]:.0f} evaluations; peak memory {peak:.2f} GB (limits 10 s, 2 GB)")
    if options.json:
        about = {"total_s": total, "peak_gb": peak, "parts": clock.found}
        options.json.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
