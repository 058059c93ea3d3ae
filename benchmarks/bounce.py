"""Error of the local law with and without the bounce term against Monte Carlo, on steep facets of any size.

    python benchmarks/bounce.py [--energy-kev 5] [--electrons 12000] [--threads 1] [--json OUT.json]

Copper; facets of 45 and 70 degrees as V-grooves side by side, as a single ridge and as a single step, of width
L (V-groove, ridge) or height L (step), L = 3, 10 and 100 ranges R of Kanaya & Okayama; a detector of four
segments from 15 to 60 degrees. Errors are root mean squares over the pixels of the facets and over the segments,
in units of the signal of a flat, free of counting noise (products of differences from two simulations).
"whole" compares signals: local law alone, with shadowing and bounces. "isolated" compares with Monte Carlo
with re-entry minus without, where the local law itself cannot err. The aim is a third or less.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.frames import slopes
from napari_sem4d.physics.acceptance import planar_response
from napari_sem4d.physics.bounce import BounceTerm
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, Specimen, detector_weights, simulate
from napari_sem4d.physics.planar_table import TabulatedLaw

SEGMENTS = tuple(
    Segment(name=n, polar_deg=(15, 60), azimuth_deg=(a - 45, a + 45))
    for n, a in (("right", 0), ("top", 90), ("left", 180), ("bottom", 270))
)
FACET_PIXELS = 12
HALF = 64
"""Terrain on either side of the scanned pixels."""


def profile(shape: str, slope_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Heights along x in pixels, and the columns of one facet of FACET_PIXELS."""
    x = np.arange(2 * HALF) - HALF + 0.5
    steep = np.tan(np.radians(slope_deg))
    sections = {
        "v-groove": np.abs((x + FACET_PIXELS) % (2 * FACET_PIXELS) - FACET_PIXELS),
        "ridge": np.maximum(FACET_PIXELS - np.abs(x), 0.0),
        "step": np.clip(x, 0.0, FACET_PIXELS),
    }
    return steep * sections[shape], np.flatnonzero((x > 0) & (x < FACET_PIXELS))


def compare(shape: str, slope_deg: float, ratio: float, options: argparse.Namespace) -> dict[str, object]:
    copper, energy = material("Cu"), options.energy_kev
    line, columns = profile(shape, slope_deg)
    width = ratio * copper.range_nm(energy)
    if shape == "step":
        width /= np.tan(np.radians(slope_deg))
    pixel = width / FACET_PIXELS
    height = np.repeat(line[None, :] * pixel, 2 * HALF, axis=0)
    border = HALF - 1
    specimen = Specimen(height, pixel, (copper,), np.zeros(height.shape, np.uint8), border)
    # The scanned part is 2 x 2; its pixels are addressed from its corner.
    pixels = np.zeros(columns.size, int), columns - border
    binning = Binning(24, 16, 16)
    weights = detector_weights(SEGMENTS, binning, energy)

    def run(seed: int, reentry: bool) -> np.ndarray:
        counts = simulate(
            specimen, energy, options.electrons, seed=seed, binning=binning, pixels=pixels, reentry=reentry,
            threads=options.threads,
        )  # fmt: skip
        return counts.signals(weights)[0]

    on = [run(s, True) for s in (1, 2)]
    off = [run(s, False) for s in (1, 2)]
    law = TabulatedLaw(copper, energy)
    row = HALF - 1
    p, q = (s[row, columns] for s in slopes(height, pixel))
    local = np.stack([planar_response(law, s, p, q) for s in SEGMENTS])
    flat = float(np.mean([planar_response(law, s, np.zeros(1), np.zeros(1))[0] for s in SEGMENTS]))
    term = BounceTerm(SEGMENTS, lambda t: TabulatedLaw(copper, energy, t))
    with torch.no_grad():
        visible, bounced = (t.numpy()[:, row, columns] for t in term(torch.as_tensor(height), pixel))

    def error(prediction: np.ndarray, truths: list[np.ndarray]) -> float:
        product = np.mean((prediction - truths[0]) * (prediction - truths[1]))
        return float(np.sign(product) * np.sqrt(abs(product)) / flat)

    difference = [a - b for a, b in zip(on, off, strict=True)]
    change = local * (visible - 1.0) + bounced
    return {
        "shape": shape,
        "slope_deg": slope_deg,
        "ratio": ratio,
        "whole_without": error(local, on),
        "whole_with": error(local + change, on),
        "isolated_without": error(np.zeros_like(local), difference),
        "isolated_with": error(change, difference),
        "law_alone": error(local, off),
        "segments_monte_carlo": [round(float(v), 3) for v in np.mean(difference, axis=0).mean(1) / flat],
        "segments_term": [round(float(v), 3) for v in change.mean(1) / flat],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--energy-kev", type=float, default=5.0)
    parser.add_argument("--electrons", type=int, default=12_000, help="per pixel and run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ratios", type=float, nargs="+", default=[3.0, 10.0, 100.0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    print(f"{'':<20}   {'whole':>15}   {'isolated':>15}   {'':>6}   change of right, top, left, bottom")
    pair = f"{'without':>8} {'with':>6}"
    print(f"{'facets':<9} {'deg':>4} {'L/R':>5}   {pair}   {pair}   {'ratio':>6}")
    for shape in ("v-groove", "ridge", "step"):
        for slope in (45.0, 70.0):
            for ratio in options.ratios:
                start = time.monotonic()
                r = compare(shape, slope, ratio, options)
                rows.append(r)
                print(
                    f"{shape:<9} {slope:4.0f} {ratio:5.0f}   {r['whole_without']:8.3f} {r['whole_with']:6.3f}   "
                    f"{r['isolated_without']:8.3f} {r['isolated_with']:6.3f}   "
                    f"{r['isolated_with'] / r['isolated_without']:6.2f}   "
                    f"Monte Carlo {r['segments_monte_carlo']}, term {r['segments_term']}, "
                    f"{time.monotonic() - start:.0f} s",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps({"benchmark": "bounce", "rows": rows}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
