"""Measurement noise and repeatability of a step height at the dose of a real frame, to set beside an AFM's.

    python benchmarks/precision.py [--engine vift|local] [--repeats 8] [--side 96] [--json OUT.json]

Copper at 5 kV, pixels of 12 nm, four quarter rings from 15 to 65 degrees, 0.5 nA for 20 us a pixel, or 62,400
electrons. Images are made by the engine that inverts them, with the counting noise of Monte Carlo images at this
dose (10 % for an eighth of the ring at 3000 electrons), alone and with 3 % of the flat signal on top for amplifier
and digitiser. Included: this noise, the solver, the prior. Not included: drift, scan distortion, charging,
contamination, the calibration and the engine's own error, which repeats do not show.

- measurement noise: Sq of the difference of two repeats without its plane, over sqrt 2 (ISO 25178-700), on a
  relief with an rms slope of 0.1
- step: 100 nm, 45 degree wall, mean of the plateaus further than 5 pixels from the wall, standard deviation over
  the repeats, heights as calibrated (no plane removed)
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import height_scenes
import numpy as np
import torch
from height_methods import solved, step_height, without_plane

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import DifferentiableEngine, ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.inversion.objective import FrameData
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.physics.materials import material

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "inversion"))
from inversion_scenes import random_relief

ELECTRONS = 0.5e-9 * 20e-6 / 1.602e-19
RELATIVE = 0.10 / 2**0.5
"""Noise of a quarter ring of 15 to 65 degrees at 3000 electrons: two of the eighths of ``height_scenes.yaml``."""
AMPLIFIER = 0.03


def make_engine_for(name: str) -> DifferentiableEngine:
    ring = tuple(
        Segment(name=f"S{i}", polar_deg=(15, 65), azimuth_deg=(90 * i, 90 * i + 90), gain=1e4) for i in range(4)
    )
    instrument = Instrument(beam=Beam(energy_kev=5.0), detector=Detector(segments=ring))
    return make_engine(name, ForwardSetup(instrument, material("Cu"), 12.0))


def repeats(
    engine: DifferentiableEngine, height: torch.Tensor, amplifier: float, count: int
) -> tuple[np.ndarray, float]:
    """Heights found in repeated images, shape (count, Y, X), and processor seconds of one."""
    with torch.no_grad():
        signals = engine.expected_signals(height, torch.ones_like(height))
    flat = float(engine.flat_signals.mean())
    counting = RELATIVE**2 * height_scenes.plan()["electrons"] / ELECTRONS * flat
    variance = counting * signals + (amplifier * flat) ** 2
    found, settings, seconds = [], InversionSettings(), []
    for seed in range(count):
        noise = torch.randn(signals.shape, generator=torch.Generator().manual_seed(seed))
        data = FrameData(
            signals + noise * variance.sqrt(), 1.0 / variance, torch.zeros_like(signals, dtype=torch.bool)
        )
        start = time.process_time()
        solution = solved(engine, data, settings)
        seconds.append(time.process_time() - start)
        settings = InversionSettings(curvature_weight=solution.objective.priors.curvature_weight)
        found.append(solution.state.height.numpy())
    return np.stack(found), min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("vift", "local"), default="vift")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    engine, side = make_engine_for(arguments.engine), arguments.side
    relief = random_relief((side, side), 0.1)
    across = (torch.arange(float(side)) - 0.5 * (side - 1)) * 12.0
    step = (across + 50.0).clamp(0.0, 100.0).expand(side, side).contiguous()
    rows = []
    print("| noise a pixel and segment | measurement noise, nm | step found, nm | its standard deviation, nm |")
    for name, amplifier in (("counting", 0.0), ("counting and 3 % amplifier", AMPLIFIER)):
        maps, seconds = repeats(engine, relief, amplifier, 2)
        noise = float(without_plane(maps[1] - maps[0]).std()) / 2**0.5
        maps, _ = repeats(engine, step, amplifier, arguments.repeats)
        steps = [step_height(m, step.numpy(), 5) for m in maps]
        rows.append(
            {
                "noise": name,
                "measurement_noise_nm": noise,
                "step_nm": float(np.mean(steps)),
                "step_std_nm": float(np.std(steps, ddof=1)),
                "repeats": arguments.repeats,
                "processor_s": seconds,
            }
        )
        print(f"| {name} | {noise:.2f} | {np.mean(steps):.2f} | {np.std(steps, ddof=1):.3f} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
