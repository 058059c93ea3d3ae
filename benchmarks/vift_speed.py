"""Time and memory of the engine vift beside local: evaluation, and evaluation with vjp.

    python benchmarks/vift_speed.py [--sizes 256 512 1024] [--threads N] [--repeats 3]

Copper at 5 kV, pixels of 0.5 rho50, four segments. Wall and processor time of the fastest repeat, and the most
memory of the process so far. Monte Carlo of the same image to a noise of 2 % of the flat signal in every pixel and
segment would take the seconds beside, at the electrons a second that are given.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.allocator import large_blocks_kept
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.planar_table import planar_table
from napari_sem4d.physics.scenes import make_scene


def best(function, repeats: int) -> tuple[float, float]:
    walls, processors = [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        function()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return min(walls), min(processors)


def timed(name: str, setup: ForwardSetup, height: torch.Tensor, repeats: int) -> torch.Tensor:
    """Print an engine's line; return its signals."""
    engine, ones = make_engine(name, setup), torch.ones_like(height)
    with torch.no_grad():
        signals = engine.expected_signals(height, ones)
        forward = best(lambda: engine.expected_signals(height, ones), repeats)
    both = best(lambda: engine.linearise(height, ones).vjp(signals), repeats)
    print(
        f"{len(height):5d} x {len(height):<5d} {name:6s} evaluation {forward[0]:6.2f} ({forward[1]:6.2f})   "
        f"with vjp {both[0]:6.2f} ({both[1]:6.2f})   "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB",
        flush=True,
    )
    return signals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--electrons-per-second", type=float, default=290_000.0)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    copper = material("Cu")
    rho50 = planar_table(copper, 5.0).rho50_nm
    segments = tuple(
        Segment(name=f"S{i}", polar_deg=(20, 60), azimuth_deg=(90 * i - 45, 90 * i + 45)) for i in range(4)
    )
    instrument = Instrument(beam=Beam(energy_kev=5.0), detector=Detector(segments=segments))
    print(f"{torch.get_num_threads()} threads; wall (processor) seconds")
    for size in arguments.sizes:
        scene = make_scene("crystals", (size, size), 0.5 * rho50, rho50, 1, size=12)
        height = torch.as_tensor(scene.height_nm, dtype=torch.float32)
        setup = ForwardSetup(instrument, copper, 0.5 * rho50)
        with large_blocks_kept():
            for name in ("local", "vift"):
                signals = timed(name, setup, height, arguments.repeats)
        share = float(signals.mean())
        # A segment receives this share of the electrons, weighted by energies of about .7 of the primaries'.
        electrons = 1.0 / (share / 0.7 * 0.02**2)
        seconds = electrons * size**2 / arguments.electrons_per_second
        print(f"{'':14s}Monte Carlo to 2 %: {electrons:.0f} electrons a pixel, {seconds / 3600:.1f} h")


if __name__ == "__main__":
    main()
