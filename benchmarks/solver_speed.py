"""Speed and memory of preview and full solution.

    python benchmarks/solver_speed.py [--repeats 3] [--json FILE]

Simulated images (local engine, copper, 10 kV, 8 % noise); times are medians of wall time from the pixels in memory
to preview, and to height, relative yield and uncertainty, noise estimate and engine included. Memory is the
process's peak.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.acquisition.noise import estimate_noise
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.inversion.frame import first_guess, solve_frame
from napari_sem4d.inversion.height_error import height_std
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.inversion.prepare import nominal_gains, prepare_frame
from napari_sem4d.inversion.preview import linear_preview
from napari_sem4d.physics.materials import material

CASES = {"1024 x 1536 x 3": (1024, 1536, 3), "512 x 512 x 4": (512, 512, 4)}
LIMITS_S = {"1024 x 1536 x 3": (1.0, 5.0), "512 x 512 x 4": (1.0, 1.5)}
PIXEL_NM = 12.0


def instrument(segments: int) -> Instrument:
    width = 360 / segments
    ring = tuple(
        Segment(name=f"S{i}", polar_deg=(15, 45), azimuth_deg=(i * width + 10, (i + 1) * width + 10), gain=1e6)
        for i in range(segments)
    )
    return Instrument(beam=Beam(energy_kev=10.0), detector=Detector(segments=ring))


def images(rows: int, columns: int, segments: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    height = gaussian_filter(rng.normal(size=(rows, columns)), 8, mode="nearest")
    gradient = np.gradient(height, PIXEL_NM)
    height *= 0.3 / np.sqrt(np.mean(gradient[0] ** 2 + gradient[1] ** 2))
    surface = torch.as_tensor(height, dtype=torch.float32)
    engine = make_engine("local", ForwardSetup(instrument(segments), material("Cu"), PIXEL_NM))
    signals = engine.expected_signals(surface, torch.ones_like(surface)).numpy()
    return signals + rng.normal(size=signals.shape).astype(np.float32) * 0.08 * signals.mean()


def run(pixels: np.ndarray) -> tuple[float, float, float]:
    """Seconds to preview, to the full solution, and to the solution with its uncertainty."""
    start = time.perf_counter()
    copper = material("Cu")
    known = nominal_gains(instrument(pixels.shape[0]), copper, pixels)
    preview = linear_preview(pixels, known, copper, PIXEL_NM)
    seen = time.perf_counter() - start
    settings = InversionSettings()
    engine = make_engine("local", ForwardSetup(known, copper, PIXEL_NM))
    prepared = prepare_frame(pixels, estimate_noise(pixels))
    guess = first_guess(engine, prepared.data, settings, torch.as_tensor(preview.height), preview.mean_yield)
    solution = solve_frame(*guess, settings)
    solved = time.perf_counter() - start
    height_std(solution.objective, solution.state, None, True)
    return seen, solved, time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    figures: dict[str, object] = {
        "machine": f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    }
    print(f"{figures['machine']}\n{'images':>18} {'preview s':>10} {'solved s':>10} {'with std s':>11}  limits s")
    for name, (rows, columns, segments) in CASES.items():
        pixels = images(rows, columns, segments)
        times = [statistics.median(t) for t in zip(*(run(pixels) for _ in range(options.repeats)), strict=True)]
        figures[name] = dict(zip(("preview_s", "solved_s", "with_std_s"), times, strict=True))
        limits = " and ".join(f"{x:g}" for x in LIMITS_S[name])
        print(f"{name:>18} {times[0]:10.2f} {times[1]:10.2f} {times[2]:11.2f}  {limits}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform != "darwin" else 1e9)
    figures["peak_memory_gb"] = peak
    print(f"peak memory {peak:.2f} GB (limit 2 GB)")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
