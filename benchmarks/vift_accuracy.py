"""Systematic error of ViFT and of the local law against Monte Carlo, cell by cell, as JSON and a table.

    python benchmarks/vift_accuracy.py [--cells benchmarks/vift_cells.yaml] [--weights W.safetensors]
                                       [--cache FOLDER] [--threads N] [--json OUT.json]

Cells are families of scenes, materials and energies that training never saw (``vift_cells.yaml``). Every sampled
pixel is simulated twice; with the predictions P and the two simulations Y1 and Y2 the mean square of the
systematic error is mean((P - Y1)(P - Y2)), whatever the noise. Its interval (95 %) is from bootstrap over
pixels. Signals are those of four quarter rings, in units of the flat signal. The simulations are kept in
the cache folder and used again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import yaml

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.local import LocalEngine
from napari_sem4d.forward.vift import VisionEngine
from napari_sem4d.frames import slopes
from napari_sem4d.physics.local_law import law_for
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, Specimen, detector_weights, simulate
from napari_sem4d.physics.planar_table import planar_table
from napari_sem4d.physics.response import ResponseTable
from napari_sem4d.physics.scenes import make_scene
from napari_sem4d.surrogate.weights import load_weights

BINS = Binning(12, 16, 16)
DRAWS = 2000


def segments(polar: list[float]) -> tuple[Segment, ...]:
    return tuple(
        Segment(name=f"S{i}", polar_deg=(polar[0], polar[1]), azimuth_deg=(90 * i - 45, 90 * i + 45))
        for i in range(4)
    )


def sample(height: np.ndarray, plan: dict, pixel: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels drawn half from steep slopes: rows, columns, slope in degrees."""
    p, q = slopes(height, pixel)
    tilt = np.degrees(np.arctan(np.hypot(p, q)))
    inner = slice(plan["margin"], -plan["margin"])
    rows, columns = (a[inner, inner].ravel() for a in np.indices(height.shape))
    steep = tilt[rows, columns] > 30.0
    rng = np.random.default_rng(seed)
    half = plan["pixels"] // 2
    chosen = np.concatenate(
        [rng.choice(np.flatnonzero(which), min(half, which.sum()), replace=False) for which in (steep, ~steep)]
    )
    return rows[chosen], columns[chosen], tilt[rows[chosen], columns[chosen]]


def measure(cell: list, number: int, plan: dict, weights, cache: Path | None, threads: int | None) -> list[dict]:
    """Predictions and simulations of a cell's scenes."""
    family, name, energy = cell
    found, energy = material(name), float(energy)
    table = planar_table(found, energy)
    pixel = plan["pitch"] * table.rho50_nm
    electrons = max(plan["electrons"], int(np.ceil(plan["backscattered"] / table.eta0)))
    ring = segments(plan["polar_deg"])
    results = []
    for i, parameters in enumerate(plan["scenes"][family]):
        seed = 1000 * number + i
        scene = make_scene(family, (plan["edge"],) * 2, pixel, table.rho50_nm, seed, **parameters)
        rows, columns, tilt = sample(scene.height_nm.astype(np.float64), plan, pixel, seed)
        kept = cache / f"{family}-{name}-{energy:g}-{i}-{plan['pixels']}-{electrons}.npz" if cache else None
        if kept and kept.exists():
            with np.load(kept) as file:
                pair = file["pair"]
        else:
            specimen = Specimen.around(scene.height_nm, pixel, found, energy, surroundings=scene.surroundings)
            pair = np.stack(
                [
                    simulate(
                        specimen, energy, electrons, seed=seed * 10 + repeat, binning=BINS, pixels=(rows, columns),
                        probe_nm=plan["probe"] * table.rho50_nm, threads=threads,
                    ).signals(detector_weights(ring, BINS, energy))[0]
                    for repeat in (1, 2)
                ]
            )  # fmt: skip
            if kept:
                np.savez(kept, pair=pair)
        setup = ForwardSetup(
            Instrument(beam=Beam(energy_kev=energy), detector=Detector(segments=ring)), found, pixel
        )
        height = torch.as_tensor(scene.height_nm, dtype=torch.float32)
        ones = torch.ones_like(height)
        flat = float(LocalEngine(setup).expected_signals(torch.zeros(8, 8), torch.ones(8, 8))[:, 4, 4].mean())
        plane = ResponseTable(ring, lambda t, m=found, e=energy: law_for(m, e, t), torch.float32, "cpu")
        predictions = {
            "planes": plane.value(*slopes(height, pixel)),
            "local": LocalEngine(setup).expected_signals(height, ones),
        }
        if weights is not None:
            with torch.no_grad():
                predictions["vift"] = VisionEngine(setup, weights=weights).expected_signals(height, ones)
        results.append(
            {
                "tilt": tilt,
                "pair": pair / flat,
                **{k: v[:, rows, columns].numpy().astype(np.float64) / flat for k, v in predictions.items()},
            }
        )
    return results


def systematic(results: list[dict], engine: str, least_tilt: float = 0.0) -> tuple[float, float, float, int]:
    """Root of the mean product of deviations, its 95 % interval, and the number of pixels."""
    products = np.concatenate(
        [
            ((r[engine] - r["pair"][0]) * (r[engine] - r["pair"][1])).mean(axis=0)[r["tilt"] >= least_tilt]
            for r in results
        ]
    )
    rng = np.random.default_rng(0)
    means = np.array([products[rng.integers(0, products.size, products.size)].mean() for _ in range(DRAWS)])
    low, high = np.quantile(means, (0.025, 0.975))
    value, low, high = (float(np.sqrt(max(v, 0.0))) for v in (products.mean(), low, high))
    return value, low, high, int(products.size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=Path, default=Path(__file__).with_name("vift_cells.yaml"))
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--without-vift", action="store_true", help="only simulate, and judge the local law")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    plan = yaml.safe_load(arguments.cells.read_text(encoding="utf-8"))
    if arguments.cache:
        arguments.cache.mkdir(parents=True, exist_ok=True)
    weights = None if arguments.without_vift else load_weights(arguments.weights)
    engines = ("planes", "local") if weights is None else ("planes", "local", "vift")
    rows, everything = [], []
    print("cell                     | >30 deg | " + " | ".join(f"{e:>21s} | >40 deg" for e in engines))
    for number, cell in enumerate(plan["cells"]):
        start = time.perf_counter()
        results = measure(cell, number, plan, weights, arguments.cache, arguments.threads)
        everything += results
        rows.append(row(" ".join(str(c) for c in cell), results, engines))
        rows[-1]["scenes"] = [
            {"parameters": p, **{e: systematic([r], e)[:3] for e in engines}}
            for p, r in zip(plan["scenes"][cell[0]], results, strict=True)
        ]
        rows[-1]["seconds"] = time.perf_counter() - start
        print(line(rows[-1], engines), flush=True)
    rows.append(row("all", everything, engines))
    print(line(rows[-1], engines))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def row(name: str, results: list[dict], engines: tuple[str, ...]) -> dict:
    tilt = np.concatenate([r["tilt"] for r in results])
    found = {"cell": name, "share_above_30_deg": float((tilt > 30).mean()), "pixels": int(tilt.size)}
    for engine in engines:
        found[engine] = systematic(results, engine)
        found[f"{engine}_steep"] = systematic(results, engine, 40.0)
    return found


def line(r: dict, engines: tuple[str, ...]) -> str:
    cells = [f"{r[e][0]:.4f} [{r[e][1]:.4f} {r[e][2]:.4f}] | {r[f'{e}_steep'][0]:.4f}" for e in engines]
    return f"{r['cell']:24s} | {r['share_above_30_deg']:7.2f} | " + " | ".join(cells)


if __name__ == "__main__":
    main()
