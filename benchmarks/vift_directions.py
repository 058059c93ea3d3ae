"""What a series of directions cannot say of the local law: the floor under ViFT's error, by order and ring.

    python benchmarks/vift_directions.py [--orders 3 4 5 6]

ViFT's coefficients are learnt from Monte Carlo minus the local law, both as a few coefficients of the directions,
and are added to the local law's exact signals. What of that law no coefficient holds stays in the signals, though
real electrons are spread more smoothly. The root mean square of that part, in flat signals, over four quarter
rings; no Monte Carlo is run.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.local import LocalEngine
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.planar_table import planar_table
from napari_sem4d.physics.scenes import make_scene
from napari_sem4d.surrogate.baseline import FACETS, Baseline
from napari_sem4d.surrogate.directions import acceptance

SCENES = (
    ("polyhedra", {"size": 5, "slope_deg": 50}, "Ni", 4.0),
    ("domes", {"size": 8}, "Al", 2.0),
    ("grating", {"period": 8, "height": 4, "wall_deg": 65}, "W", 2.0),
)
RINGS = ((24.1, 60.0), (10.0, 45.0), (15.0, 52.0), (30.0, 70.0), (5.0, 85.0))
PITCH = 0.5
SIDE = 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, nargs="+", default=[3, 4, 5, 6])
    arguments = parser.parse_args()
    for family, parameters, name, energy in SCENES:
        found = material(name)
        rho50 = planar_table(found, energy).rho50_nm
        scene = make_scene(family, (SIDE, SIDE), PITCH * rho50, rho50, 5, **parameters)
        height = torch.as_tensor(scene.height_nm, dtype=torch.float32)
        series = {n: Baseline(name, energy, n, (0.0,))(height / rho50, PITCH, 0.0)[0] for n in arguments.orders}
        for low, high in RINGS:
            ring = tuple(
                Segment(name=f"S{i}", polar_deg=(low, high), azimuth_deg=(90 * i - 45, 90 * i + 45))
                for i in range(4)
            )
            instrument = Instrument(beam=Beam(energy_kev=energy), detector=Detector(segments=ring))
            engine = LocalEngine(ForwardSetup(instrument, found, PITCH * rho50), facets_nm=FACETS * rho50)
            exact = engine.expected_signals(height, torch.ones_like(height)).numpy()
            flat = float(engine.flat_signals.mean())
            left = []
            for n, coefficients in series.items():
                said = np.einsum("kc,cyx->kyx", acceptance(n, ring), coefficients.numpy())
                left.append(f"order {n} {float(np.sqrt(np.mean((exact - said) ** 2))) / flat:.3f}")
            print(f"{family:10s} {name} {energy:g} keV, {low:g} to {high:g} degrees: " + ", ".join(left))


if __name__ == "__main__":
    main()
