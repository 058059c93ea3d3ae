"""The engine vift on data pixels of 0.25, 0.5, 1 and 2 rho50: how far its answers differ.

    python benchmarks/vift_pixels.py [--weights W.safetensors]

One surface in pixels of 0.25 rho50 is averaged to coarser ones; the signals of either are averaged to the coarser
of the two grids that are compared, and the root mean square of the difference to pixels of 0.5 rho50 is given in
flat signals. The same figure of the local law with its bounce term is beside it: what it shows is what the coarser
surface itself has lost. Copper at 5 kV, four quarter rings, without a border of 8 rho50.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch.nn.functional import avg_pool2d
from vift_accuracy import segments

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.local import LocalEngine
from napari_sem4d.forward.vift import VisionEngine
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.planar_table import planar_table
from napari_sem4d.physics.scenes import make_scene
from napari_sem4d.surrogate.weights import load_weights

ENERGY_KEV, EXTENT, BORDER = 5.0, 72, 8
PIXELS = (0.25, 0.5, 1.0, 2.0)
SCENES = {
    "waves": ("sine", {"period": 16.0, "slope_deg": 40.0}),
    "crystals": ("crystals", {"size": 14, "slope_deg": 45, "spread_deg": 12}),
    "trench": ("trench", {"width": 12, "depth": 8, "wall_deg": 55, "azimuth_deg": 65}),
    "sphere": ("sphere", {"diameter": 24}),
}


def averaged(field: torch.Tensor, by: int) -> torch.Tensor:
    return avg_pool2d(field[None], by)[0] if by > 1 else field


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path)
    arguments = parser.parse_args()
    weights = load_weights(arguments.weights)
    copper, ring = material("Cu"), segments([24.0948, 60.0])
    rho50 = planar_table(copper, ENERGY_KEV).rho50_nm
    instrument = Instrument(beam=Beam(energy_kev=ENERGY_KEV), detector=Detector(segments=ring))
    print("scene    | engine | " + " | ".join(f"{p:g} rho50" for p in PIXELS))
    for name, (family, parameters) in SCENES.items():
        edge = int(EXTENT / PIXELS[0])
        scene = make_scene(family, (edge, edge), PIXELS[0] * rho50, rho50, 3, **parameters)
        fine = torch.as_tensor(scene.height_nm, dtype=torch.float32)
        for engine in ("local", "vift"):
            signals = []
            for pixel in PIXELS:
                height = averaged(fine[None], round(pixel / PIXELS[0]))[0]
                setup = ForwardSetup(instrument, copper, pixel * rho50)
                made = LocalEngine(setup) if engine == "local" else VisionEngine(setup, weights=weights)
                with torch.no_grad():
                    flat = made.expected_signals(torch.zeros(16, 16), torch.ones(16, 16)).mean()
                    signals.append(made.expected_signals(height, torch.ones_like(height)) / flat)
            row = []
            for pixel, seen in zip(PIXELS, signals, strict=True):
                common = max(pixel, 0.5)
                here = averaged(seen, round(common / pixel))
                reference = averaged(signals[1], round(common / 0.5))
                cut = round(BORDER / common)
                rest = (here - reference)[:, cut:-cut, cut:-cut]
                row.append(float(rest.square().mean().sqrt()))
            print(f"{name:8s} | {engine:6s} | " + " | ".join(f"{r:10.4f}" for r in row), flush=True)


if __name__ == "__main__":
    main()
