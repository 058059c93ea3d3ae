"""Where the local law fails: its error against Monte Carlo by structure and size, as JSON and a table.

    python benchmarks/local_law_failures.py [--electrons 3000] [--sizes 0.1 0.3 1 3 10] [--json OUT.json]

For copper at 10 kV, D = (right - left) / (right + left) of two half rings (15 to 65 degrees). The error is the rms
deviation of the Monte Carlo from the local law (the table of the same Monte Carlo on planes), over the rms of D
by the local law; its noise is taken out with two independent simulations, mean((P - Y1)(P - Y2)). Sizes L
are in ranges R of Kanaya & Okayama: period of the sine, height of the step, width of the others. "caught" is the
part of the error that goes away when electrons that left may not meet the surface again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.physics.acceptance import planar_response
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, Specimen, detector_weights, simulate
from napari_sem4d.physics.planar_table import TabulatedLaw
from napari_sem4d.physics.scenes import make_scene

ENERGY_KEV = 10.0
BINS = Binning(12, 4, 8)


def rings(polar: tuple[float, float]) -> tuple[Segment, Segment]:
    return (
        Segment(name="right", polar_deg=polar, azimuth_deg=(-90, 90)),
        Segment(name="left", polar_deg=polar, azimuth_deg=(90, 270)),
    )


# structure: scene, its parameters as functions of the size L, and the half width of the window in L
STRUCTURES = {
    "sine, 45 degrees": ("sine", lambda size: {"period": size, "slope_deg": 45.0}, 0.5),
    "step, 70 degrees": ("step", lambda size: {"height": size, "wall_deg": 70.0}, 1.0),
    "ridge, 60 degrees": ("ridge", lambda size: {"width": size, "slope_deg": 60.0}, 0.75),
    "trench, 60 degrees": ("trench", lambda size: {"width": size, "depth": 0.5 * size, "wall_deg": 60.0}, 0.75),
    "pyramid, 45 degrees": ("pyramid", lambda size: {"width": size, "slope_deg": 45.0}, 0.75),
}
PIXELS_PER_SIZE = 32


def specimen_of(name: str, parameters: dict, half: float, size_nm: float, range_nm: float):
    """Terrain that reaches three sizes and one range beyond the window, and the window's pixels."""
    copper = material("Cu")
    pixel = size_nm / PIXELS_PER_SIZE
    inner = int(2 * half * PIXELS_PER_SIZE)
    border = int(np.ceil(max(range_nm, 3.0 * size_nm) / pixel))
    edge = inner + 2 * border
    # One unit of length is the structure's size.
    scene = make_scene(name, (edge, edge), pixel, size_nm, **parameters)
    columns = np.zeros((edge, edge), np.uint8)
    terrain = Specimen(scene.height_nm.astype(np.float64), pixel, (copper,), columns, border)
    if name == "pyramid":
        rows, cols = np.indices((inner, inner))[:, ::4, ::2].reshape(2, -1)
    else:
        rows, cols = np.full(inner, inner // 2), np.arange(inner)
    return terrain, (rows, cols)


def local_signals(terrain: Specimen, pixels, segments) -> np.ndarray:
    """Signals of both rings by the local law, averaged over the four facets that meet in a pixel."""
    law = TabulatedLaw(material("Cu"), ENERGY_KEV)
    h, b = terrain.height_nm, terrain.border
    i, j = pixels[0] + b, pixels[1] + b
    total = np.zeros((2, i.size))
    for di in (0, 1):
        for dj in (0, 1):
            # Corner of the bilinear cell between nodes; slopes a quarter of a cell from the node.
            a, c = i - 1 + di, j - 1 + dj
            near_row, far_row = (0.75, 0.25) if di else (0.25, 0.75)
            near_col, far_col = (0.75, 0.25) if dj else (0.25, 0.75)
            along_x = near_row * (h[a, c + 1] - h[a, c]) + far_row * (h[a + 1, c + 1] - h[a + 1, c])
            along_rows = near_col * (h[a + 1, c] - h[a, c]) + far_col * (h[a + 1, c + 1] - h[a, c + 1])
            p, q = along_x / terrain.pixel_nm, -along_rows / terrain.pixel_nm
            for k, ring in enumerate(segments):
                total[k] += 0.25 * planar_response(law, ring, p, q)
    return total


def contrast(signals: np.ndarray) -> np.ndarray:
    return (signals[0] - signals[1]) / np.maximum(signals[0] + signals[1], 1e-9)


def cell(structure: str, ratio: float, electrons: int, polar: tuple[float, float]) -> dict:
    name, parameters, half = STRUCTURES[structure]
    range_nm = material("Cu").range_nm(ENERGY_KEV)
    terrain, pixels = specimen_of(name, parameters(1.0), half, ratio * range_nm, range_nm)
    if name == "pyramid":
        electrons = max(electrons // 2, 200)
    segments = rings(polar)
    weights = detector_weights(segments, BINS, ENERGY_KEV)
    predicted = contrast(local_signals(terrain, pixels, segments))

    def run(seed: int, reentry: bool) -> np.ndarray:
        result = simulate(terrain, ENERGY_KEV, electrons, seed=seed, binning=BINS, pixels=pixels, reentry=reentry)
        return contrast(result.signals(weights)[0])

    caught, free = [run(s, True) for s in (1, 2)], [run(s, False) for s in (3, 4)]
    rms = np.sqrt(np.mean(predicted**2))

    def error(pair: list[np.ndarray]) -> tuple[float, float]:
        products = (predicted - pair[0]) * (predicted - pair[1])
        square, spread = products.mean(), products.std() / np.sqrt(products.size)
        low, value, high = np.sqrt(np.maximum([square - spread, square, square + spread], 0.0)) / rms
        return float(value), float(0.5 * (high - low))

    return {
        "structure": structure,
        "ratio": ratio,
        "error": error(caught)[0],
        "error_interval": error(caught)[1],
        "error_without_reentry": error(free)[0],
        "error_without_reentry_interval": error(free)[1],
        # Least squares through the origin: how much of the predicted contrast is there.
        "transfer": float(np.mean(0.5 * (caught[0] + caught[1]) * predicted) / rms**2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--electrons", type=int, default=3000, help="per pixel and simulation")
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.1, 0.3, 1.0, 3.0, 10.0])
    parser.add_argument("--polar", type=float, nargs=2, default=[15.0, 65.0], help="polar range of the rings")
    parser.add_argument("--structures", nargs="+", default=list(STRUCTURES), choices=list(STRUCTURES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    start = time.monotonic()
    cells = [
        cell(s, r, options.electrons, tuple(options.polar)) for s in options.structures for r in options.sizes
    ]
    print("Cu, 10 kV: error of D by the local law over the rms of D (in brackets without re-entry)")
    print(f"{'structure':<22}" + "".join(f"{f'L/R {r:g}':>14}" for r in options.sizes))
    for structure in options.structures:
        row = [c for c in cells if c["structure"] == structure]
        print(
            f"{structure:<22}"
            + "".join(f"{c['error']:7.2f} ({c['error_without_reentry']:.2f})".rjust(14) for c in row)
        )
    print("\ntransfer of D")
    for structure in options.structures:
        row = [c for c in cells if c["structure"] == structure]
        print(f"{structure:<22}" + "".join(f"{c['transfer']:14.2f}" for c in row))
    print(f"{time.monotonic() - start:.0f} s, {options.electrons} electrons a pixel and simulation")
    if options.json:
        report = {
            "benchmark": "local_law_failures",
            "electrons": options.electrons,
            "polar_deg": options.polar,
            "cells": cells,
        }
        options.json.write_text(json.dumps(report, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
