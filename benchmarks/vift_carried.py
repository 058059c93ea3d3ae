"""The engines' systematic errors carried to height, cell by cell, as a table and JSON.

    python benchmarks/vift_carried.py --cache FOLDER [--families sphere] [--weights W.safetensors]
                                     [--threads N] [--json OUT.json]

A better fit of the signals is not yet a better surface. For the first scene of every cell of ``vift_cells.yaml``
the inner 64 x 64 pixels are simulated twice. What an engine misses at the true surface, P - Y, is handed to the
linearised problem (derivative of the engine vift, weights of 10 % noise a pixel and segment, a fixed prior on
curvature), whose solution is the surface change that would explain it. The mean product of the two solutions is
the mean square of the height error that the engine's error alone would cause; no noise is left in it. Heights in
rho50, without their best plane, over the inner 48 x 48 pixels. Simulations are kept in the cache folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import yaml
from height_methods import without_plane
from scipy.fft import dctn, idctn
from vift_accuracy import BINS, segments

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.local import LocalEngine
from napari_sem4d.forward.vift import VisionEngine
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Specimen, detector_weights, simulate
from napari_sem4d.physics.planar_table import planar_table
from napari_sem4d.physics.scenes import make_scene
from napari_sem4d.surrogate.weights import load_weights

CORE, HALO, ELECTRONS, NOISE, STEPS = 64, 16, 800, 0.1, 20
CURVATURE = 0.3
"""Weight of the prior, rho50^2: at noise of 10 % it holds waves shorter than about 2 rho50."""

_STEP = 0.03
"""Largest height change of the central differences, rho50."""


def pair_of(scene, cell: list, number: int, pixel: float, cache: Path, threads: int | None) -> np.ndarray:
    """Two simulations of the core, (2, K, CORE, CORE)."""
    family, name, energy = cell
    electrons = int(np.ceil(ELECTRONS * max(1.0, 0.3 / planar_table(material(name), energy).eta0)))
    kept = cache / f"carried-{family}-{name}-{energy:g}-{electrons}.npz"
    if not kept.exists():
        found = material(name)
        specimen = Specimen.around(scene.height_nm, pixel, found, energy, surroundings=scene.surroundings)
        first = (scene.height_nm.shape[0] - CORE) // 2
        at = first + np.indices((CORE, CORE)).reshape(2, -1)
        weights = detector_weights(segments([24.0948, 60.0]), BINS, energy)
        pair = [
            simulate(
                specimen, energy, electrons, seed=7000 + 10 * number + i, binning=BINS, pixels=(at[0], at[1]),
                threads=threads,
            ).signals(weights)[0].reshape(-1, CORE, CORE)
            for i in (1, 2)
        ]  # fmt: skip
        np.savez(kept, pair=np.stack(pair))
    with np.load(kept) as file:
        return file["pair"]


class Linearised:
    """``(J^T W J + prior)^-1 J^T W``, in rho50 and flat signals, by conjugate gradients in the cosine basis."""

    def __init__(
        self, engine: VisionEngine, height: torch.Tensor, rho50: float, flat: float, pixel: float
    ) -> None:
        self._engine, self._height = engine, height
        self._at = engine.linearise(height, torch.ones_like(height))
        self._scale = rho50 / flat
        self._step = _STEP * rho50
        self._weight = torch.zeros_like(self._at.signals)
        self._weight[:, HALO:-HALO, HALO:-HALO] = NOISE**-2
        shape = height.shape
        k = [torch.pi * torch.arange(n, dtype=torch.float64) / n * (rho50 / pixel) for n in shape]
        k2 = (2 - 2 * torch.cos(k[0] * pixel / rho50))[:, None] + (2 - 2 * torch.cos(k[1] * pixel / rho50))[None]
        self._k4 = (k2 * (rho50 / pixel) ** 2).square()
        steep = 0.5 * len(self._weight) * NOISE**-2 * 0.3**2
        kk = self._k4.sqrt()
        self._precondition = 1.0 / (steep * kk * (torch.exp(-1.5 * kk) + 0.02) + self._prior() + 1e-3)

    def _prior(self) -> torch.Tensor:
        return CURVATURE * NOISE**-2 * 0.1 * self._k4

    def _times(self, height: torch.Tensor) -> torch.Tensor:
        # Central differences: four times quicker than forward-mode differentiation of the network.
        change = height.float() * self._scale
        step = change * (self._step / float(change.abs().max()))
        with torch.no_grad():
            ones = torch.ones_like(step)
            ends = [self._engine.expected_signals(self._height + sign * step, ones) for sign in (1.0, -1.0)]
        signals = (ends[0] - ends[1]) * (float(change.abs().max()) / (2.0 * self._step))
        back = self._at.vjp(self._weight * signals)[0].double() * self._scale
        return back + _filtered(height, self._prior())

    def solve(self, signals: torch.Tensor) -> torch.Tensor:
        """Surface change, rho50, that explains a change of the signals."""
        r = self._at.vjp(self._weight * signals)[0].double() * self._scale
        x, z = torch.zeros_like(r), _filtered(r, self._precondition)
        direction, rho = z.clone(), float((r * z).sum())
        first = rho
        for _ in range(STEPS):
            product = self._times(direction)
            step = rho / float((direction * product).sum())
            x += step * direction
            r -= step * product
            z = _filtered(r, self._precondition)
            previous, rho = rho, float((r * z).sum())
            if rho < 1e-4 * first:
                break
            direction = z + rho / previous * direction
        return x


def _filtered(field: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(idctn(dctn(field.numpy(), norm="ortho") * by.numpy(), norm="ortho"))


def carried(cell: list, number: int, plan: dict, weights, cache: Path, threads: int | None) -> dict:
    family, name, energy = cell
    found, energy = material(name), float(energy)
    rho50 = planar_table(found, energy).rho50_nm
    pixel = plan["pitch"] * rho50
    scene = make_scene(family, (plan["edge"],) * 2, pixel, rho50, 1000 * number, **plan["scenes"][family][0])
    pair = pair_of(scene, cell, number, pixel, cache, threads)
    ring = segments(plan["polar_deg"])
    setup = ForwardSetup(Instrument(beam=Beam(energy_kev=energy), detector=Detector(segments=ring)), found, pixel)
    cut = (plan["edge"] - CORE) // 2 - HALO
    whole = torch.as_tensor(scene.height_nm, dtype=torch.float32)
    height = whole[cut : plan["edge"] - cut, cut : plan["edge"] - cut]
    engines = {"local": LocalEngine(setup), "vift": VisionEngine(setup, weights=weights)}
    flat = float(engines["local"].expected_signals(torch.zeros(8, 8), torch.ones(8, 8))[:, 4, 4].mean())
    problem = Linearised(engines["vift"], height.contiguous(), rho50, flat, pixel)
    row = {"cell": f"{family} {name} {energy:g}", "relief": float(height.std()) / rho50}
    inner = slice(HALO + 8, -HALO - 8)
    first = (plan["edge"] - CORE) // 2
    for key, engine in engines.items():
        with torch.no_grad():
            seen = engine.expected_signals(whole, torch.ones_like(whole))
        core = seen[:, first : first + CORE, first : first + CORE]
        changes = []
        for measured in pair:
            rest = torch.zeros(len(ring), *height.shape)
            rest[:, HALO:-HALO, HALO:-HALO] = (core - torch.as_tensor(measured, dtype=torch.float32)) / flat
            changes.append(without_plane(problem.solve(rest).numpy()[inner, inner]))
        row[key] = float(np.sqrt(max(np.mean(changes[0] * changes[1]), 0.0)))
    row["ratio"] = row["vift"] / row["local"]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=Path, default=Path(__file__).with_name("vift_cells.yaml"))
    parser.add_argument("--families", nargs="+", help="only cells of these families of scenes")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    plan = yaml.safe_load(arguments.cells.read_text(encoding="utf-8"))
    arguments.cache.mkdir(parents=True, exist_ok=True)
    weights, rows = load_weights(arguments.weights), []
    print("cell             | relief |  local |   vift | ratio   (root mean square, rho50)")
    for number, cell in enumerate(plan["cells"]):
        if arguments.families and cell[0] not in arguments.families:
            continue
        row = carried(cell, number, plan, weights, arguments.cache, arguments.threads)
        rows.append(row)
        print(
            f"{row['cell']:16s} | {row['relief']:6.2f} | {row['local']:6.3f} | {row['vift']:6.3f} | "
            f"{row['ratio']:5.2f}",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
