"""How much the engine vift's derivative keeps of the local law's, by wavelength, beside what the solver assumes.

    python benchmarks/vift_scale.py --cache FOLDER [--scenes NAME ...]

For random height waves of a band, the information of the signals (mean square of the weighted derivative) over
that of the local law alone, at the true surfaces of ``height_scenes.yaml``; "solver" is what the transfer of
contrast gives that the engine measured on a relief of its own (``forward/contrast_transfer.py``).
"""

from __future__ import annotations

import argparse
import itertools
import math
from pathlib import Path

import height_scenes
import numpy as np
import torch

from napari_sem4d.cosine import angular_frequencies, idct2
from napari_sem4d.forward.registry import make_engine

EDGES = (0.04, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.1)


def kept(name: str, cache: Path) -> list[tuple[float, float, float]]:
    """Wavelength in rho50, information kept by the engine, and by the solver's transfer of contrast."""
    scene = height_scenes.load(name, cache)
    height = torch.as_tensor(scene.height)
    ones, none = torch.ones_like(height), torch.zeros_like(height)
    weight = torch.ones(scene.signals.shape)
    setup = height_scenes.setup()
    vift, local = (make_engine(e, setup).linearise(height, ones) for e in ("vift", "local"))
    alone, solver = (line.local_normal_operator(weight) for line in (local, vift))
    ky, kx = angular_frequencies((height.shape[0], height.shape[1]), height.dtype, height.device)
    frequency = (ky.square() + kx.square()).sqrt()
    rows = []
    for low, high in itertools.pairwise(EDGES):
        noise = torch.randn(height.shape, generator=torch.Generator().manual_seed(1))
        wave = idct2(torch.where((frequency >= low) & (frequency < high), noise, 0.0))
        whole = float(vift.jvp(wave, none).square().sum())
        own, taken = (float((wave * product(wave, none)[0]).sum()) for product in (alone, solver))
        length = 2 * math.pi / (0.5 * (low + high)) * setup.pixel_nm / height_scenes.rho50_nm()
        rows.append((length, whole / own, taken / own))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--scenes", nargs="*", default=height_scenes.names("tuning"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tables = [kept(name, arguments.cache) for name in arguments.scenes]
    print("wavelength, rho50 | " + " | ".join(arguments.scenes) + " | solver")
    for i in range(len(EDGES) - 1):
        values = [table[i][1] for table in tables]
        solver = np.mean([table[i][2] for table in tables])
        print(f"{tables[0][i][0]:17.1f} | " + " | ".join(f"{v:11.2f}" for v in values) + f" | {solver:.2f}")


if __name__ == "__main__":
    main()
