"""The bounce term on scenes, materials and energies that it was not made on, and what it does for the height.

    python benchmarks/bounce_held_out.py [--electrons 1500] [--threads 1] [--json OUT.json]

Pyramids, a pit, trenches and islands with faces of 45 to 70 degrees, about ten ranges R of Kanaya & Okayama wide,
so that the interaction volume hardly counts; four segments from 15 to 60 degrees. "signal": root mean square
error over pixels and segments by the engine `local` with its bounce term and without it (the local law alone), in
units of the signal of a flat, free of counting noise (products of differences from two simulations); "steep": the
same on slopes above 30 degrees. "height": error of the height that the solver finds from the Monte Carlo images,
rms after the mean plane is removed, in per cent of the range of the true heights, with both engines and with
the engine's own images at the same noise (what noise and solver alone would leave).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.local import LocalEngine
from napari_sem4d.frames import slopes
from napari_sem4d.inversion.frame import first_guess, solve_frame
from napari_sem4d.inversion.gauge import to_datum
from napari_sem4d.inversion.objective import FrameData
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.inversion.preview import linear_preview
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, Specimen, detector_weights, simulate
from napari_sem4d.physics.scenes import make_scene

SEGMENTS = tuple(
    Segment(name=n, polar_deg=(15, 60), azimuth_deg=(a - 45, a + 45))
    for n, a in (("right", 0), ("top", 90), ("left", 180), ("bottom", 270))
)
SIDE, BORDER = 48, 24
WIDTH_PX = 18.0
RANGES = 10.0


@dataclass(frozen=True)
class Case:
    """A scene with lengths in pixels, its material and energy."""

    scene: str
    material: str
    energy_kev: float
    parameters: dict[str, float] = field(default_factory=dict)
    seed: int = 3


CASES = (
    Case("pyramid", "Si", 10.0, {"width": 24, "slope_deg": 45}),
    Case("pyramid", "Au", 15.0, {"width": 24, "slope_deg": 60}),
    Case("etched_pit", "Fe", 7.0, {"width": 26, "slope_deg": 45, "depth": 40}),
    Case("trench", "Fe", 15.0, {"width": 20, "depth": 10, "wall_deg": 60}),
    Case("trench", "Si", 20.0, {"width": 24, "depth": 14, "wall_deg": 70}),
    Case("islands", "Au", 5.0, {"size": 20, "slope_deg": 55, "coverage": 0.5}),
    Case("islands", "C", 10.0, {"size": 20, "slope_deg": 45, "coverage": 0.5}),
)


class PlanesOnly:
    """In place of the bounce term: everything visible, nothing bounced."""

    def __call__(self, height: torch.Tensor, pixel_nm: float) -> tuple[torch.Tensor, torch.Tensor]:
        one = torch.ones((len(SEGMENTS), *height.shape), dtype=height.dtype) + 0.0 * height
        return one, one - one


def images(case: Case, height: np.ndarray, pixel_nm: float, options: argparse.Namespace) -> list[np.ndarray]:
    """Two independent simulations of the inner part, shape (K, SIDE, SIDE)."""
    made = material(case.material)
    specimen = Specimen(height, pixel_nm, (made,), np.zeros(height.shape, np.uint8), BORDER)
    binning = Binning(24, 16, 16)
    weights = detector_weights(SEGMENTS, binning, case.energy_kev)
    runs = [
        simulate(specimen, case.energy_kev, options.electrons, seed=s, binning=binning, threads=options.threads)
        for s in (1, 2)
    ]
    return [r.signals(weights)[0].reshape(len(SEGMENTS), SIDE, SIDE) for r in runs]


def solved(engine: LocalEngine, signals: np.ndarray, sigma: float) -> np.ndarray:
    """Height that the solver finds, nm, mean plane removed."""
    setup = engine.setup
    seen = torch.as_tensor(signals, dtype=torch.float32)
    data = FrameData(seen, torch.full_like(seen, sigma**-2), torch.zeros_like(seen, dtype=torch.bool))
    settings = InversionSettings(max_steps=15)
    preview = linear_preview(signals.astype(np.float32), setup.instrument, setup.material, setup.pixel_nm)
    guess = first_guess(engine, data, settings, torch.as_tensor(preview.height), preview.mean_yield)
    found = solve_frame(*guess, settings).state.height
    return to_datum(found, torch.ones_like(found, dtype=torch.bool), True).numpy()


def compare(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    made = material(case.material)
    pixel = RANGES * made.range_nm(case.energy_kev) / WIDTH_PX
    # Lengths in pixels: the scene's unit of length is one pixel.
    scene = make_scene(
        case.scene, (SIDE + 2 * BORDER,) * 2, pixel, pixel, case.seed, azimuth_deg=25.0, **case.parameters
    ) if case.scene != "islands" else make_scene(
        case.scene, (SIDE + 2 * BORDER,) * 2, pixel, pixel, case.seed, **case.parameters
    )  # fmt: skip
    terrain = scene.height_nm.astype(np.float64)
    runs = images(case, terrain, pixel, options)
    instrument = Instrument(beam=Beam(energy_kev=case.energy_kev), detector=Detector(segments=SEGMENTS))
    engines = {n: LocalEngine(ForwardSetup(instrument, made, pixel)) for n in ("without", "with")}
    engines["without"]._bounce = PlanesOnly()  # type: ignore[assignment]
    inner = slice(BORDER, -BORDER)
    flat_map = torch.zeros(8, 8)
    flat = float(engines["with"].expected_signals(flat_map, torch.ones_like(flat_map)).mean())
    steep = np.hypot(*slopes(terrain, pixel))[inner, inner] > np.tan(np.radians(30))
    truth = torch.as_tensor(terrain[inner, inner])
    truth = to_datum(truth, torch.ones_like(truth, dtype=torch.bool), True).numpy()
    extent = float(np.ptp(terrain[inner, inner]))
    mean = 0.5 * (runs[0] + runs[1])
    sigma = float(np.sqrt(np.mean((runs[0] - runs[1]) ** 2) / 4))

    def rms(prediction: np.ndarray, where: np.ndarray) -> float:
        product = ((prediction - runs[0]) * (prediction - runs[1]))[:, where].mean()
        return float(np.sign(product) * np.sqrt(abs(product)) / flat)

    out: dict[str, Any] = {"scene": case.scene, "material": case.material, "energy_kev": case.energy_kev}
    out |= {"parameters": case.parameters, "noise_percent": 100 * sigma / flat}
    surface = torch.as_tensor(terrain, dtype=torch.float32)
    for name, engine in engines.items():
        with torch.no_grad():
            whole = engine.expected_signals(surface, torch.ones_like(surface)).numpy()
        prediction = whole[:, inner, inner]
        out[f"signal_{name}"] = rms(prediction, np.ones_like(steep))
        out[f"steep_{name}"] = rms(prediction, steep)
        height = solved(engine, mean, sigma)
        out[f"height_{name}_percent"] = 100 * float((height - truth).std()) / extent
    noise = np.random.default_rng(0).normal(size=mean.shape) * sigma
    small = torch.as_tensor(terrain[inner, inner], dtype=torch.float32)
    own = engines["with"].expected_signals(small, torch.ones_like(small)).detach().numpy() + noise
    out["height_noise_percent"] = 100 * float((solved(engines["with"], own, sigma) - truth).std()) / extent
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--electrons", type=int, default=1500, help="per pixel and run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", type=int, nargs="+", default=list(range(len(CASES))))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    print(f"{'':31} {'signal':>15}   {'steep':>15}   {'height, %':>15} {'noise':>7}")
    pair = f"{'without':>8} {'with':>6}"
    print(f"{'':31} {pair}   {pair}   {pair} {'alone':>7}")
    for number in options.cases:
        case, start = CASES[number], time.monotonic()
        r = compare(case, options)
        rows.append(r)
        angle = case.parameters.get("slope_deg") or case.parameters.get("wall_deg")
        print(
            f"{case.scene:<11} {angle:3.0f} deg, {case.material:<2} {case.energy_kev:3.0f} kV  "
            f"{r['signal_without']:8.3f} {r['signal_with']:6.3f}   "
            f"{r['steep_without']:8.3f} {r['steep_with']:6.3f}   "
            f"{r['height_without_percent']:8.2f} {r['height_with_percent']:6.2f} {r['height_noise_percent']:7.2f}"
            f"   {time.monotonic() - start:.0f} s",
            flush=True,
        )
    if options.json:
        text = json.dumps({"benchmark": "bounce_held_out", "rows": rows}, indent=2)
        options.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
