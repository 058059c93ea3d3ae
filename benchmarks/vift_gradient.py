"""ViFT's derivative by height against differences of Monte Carlo with common random numbers.

    python benchmarks/vift_gradient.py --cache FOLDER [--weights W.safetensors] [--electrons 2000] [--threads N]

Copper at 5 kV, pixels of 0.5 rho50, four quarter rings. A surface is moved along a smooth random direction (waves
of 4 to 20 rho50) by plus and minus a step; both are simulated with the same random numbers, so that electrons go
the same way in both for a while. Two such differences, D1 and D2, are independent. With the derivative P of an
engine the cosine similarity behind the noise is <P, D1 + D2> / 2 / sqrt(<P, P> <D1, D2>); its interval (95 %) is
from bootstrap over blocks of 8 x 8 pixels. "plain" has the noise left in, "noise" is its share in D.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
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

ENERGY_KEV, EDGE, CORE, BLOCK = 5.0, 112, 48, 8
STEEPNESS = 0.15
"""Root mean square slope of the step."""
SCENES = {
    "crystals": {"size": 14, "slope_deg": 45, "spread_deg": 12},
    "trench": {"width": 12, "depth": 8, "wall_deg": 55, "azimuth_deg": 65},
    "sphere": {"diameter": 24},
}


def direction(pitch: float, seed: int) -> np.ndarray:
    """Waves of 4 to 20 rho50 with slopes of the root mean square STEEPNESS, (EDGE, EDGE) in rho50."""
    rng = np.random.default_rng(seed)
    k = np.hypot(np.fft.fftfreq(EDGE, pitch)[:, None], np.fft.fftfreq(EDGE, pitch)[None])
    wave = np.fft.fft2(rng.normal(size=(EDGE, EDGE))) * ((k > 1 / 20) & (k < 1 / 4)) / np.maximum(k, 1e-9)
    found = np.real(np.fft.ifft2(wave))
    return found * STEEPNESS / np.sqrt(np.mean(np.square(np.gradient(found, pitch)).sum(0)))


def differences(family: str, cache: Path, electrons: int, threads: int | None) -> tuple[np.ndarray, ...]:
    """Height and step (nm), and two independent differences of the core's signals, (2, K, CORE, CORE)."""
    copper = material("Cu")
    rho50 = planar_table(copper, ENERGY_KEV).rho50_nm
    pixel = 0.5 * rho50
    seed = sorted(SCENES).index(family) + 40
    scene = make_scene(family, (EDGE, EDGE), pixel, rho50, seed, **SCENES[family])
    step = direction(0.5, seed) * rho50
    height = scene.height_nm.astype(np.float64)
    kept = cache / f"gradient-{family}-{electrons}.npz"
    if not kept.exists():
        first = (EDGE - CORE) // 2
        at = first + np.indices((CORE, CORE)).reshape(2, -1)
        weights = detector_weights(segments([24.0948, 60.0]), BINS, ENERGY_KEV)
        found = []
        for repeat in (1, 2):
            ends = [
                simulate(
                    Specimen.around(height + sign * step, pixel, copper, ENERGY_KEV), ENERGY_KEV, electrons,
                    seed=9000 + 10 * seed + repeat, binning=BINS, pixels=(at[0], at[1]), threads=threads,
                ).signals(weights)[0].reshape(-1, CORE, CORE)
                for sign in (1.0, -1.0)
            ]  # fmt: skip
            found.append(0.5 * (ends[0] - ends[1]))
        np.savez(kept, pair=np.stack(found))
    with np.load(kept) as file:
        return height, step, file["pair"]


def similarity(p: np.ndarray, pair: np.ndarray) -> tuple[float, float, float, float, float]:
    """Cosine behind the noise, its interval, the plain one, and the noise's share of the differences."""
    count = CORE // BLOCK
    products = (p * (pair[0] + pair[1]), p * p, pair[0] * pair[1], pair[0] * pair[0])
    cells = np.stack([x.reshape(len(p), count, BLOCK, count, BLOCK).sum((0, 2, 4)).ravel() for x in products])

    def cosine(sums: np.ndarray) -> np.ndarray:
        return 0.5 * sums[0] / np.sqrt(sums[1] * np.maximum(sums[2], 1e-30))

    rng = np.random.default_rng(0)
    drawn = np.stack([cells[:, rng.integers(0, cells.shape[1], cells.shape[1])].sum(1) for _ in range(2000)], 1)
    low, high = np.quantile(cosine(drawn), (0.025, 0.975))
    whole = cells.sum(1)
    plain = 0.5 * whole[0] / np.sqrt(whole[1] * whole[3])
    return float(cosine(whole)), float(low), float(high), float(plain), float(1.0 - whole[2] / whole[3])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--electrons", type=int, default=2000)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    weights = load_weights(arguments.weights)
    ring = segments([24.0948, 60.0])
    copper = material("Cu")
    setup = ForwardSetup(
        Instrument(beam=Beam(energy_kev=ENERGY_KEV), detector=Detector(segments=ring)),
        copper,
        0.5 * planar_table(copper, ENERGY_KEV).rho50_nm,
    )
    engines = {"local": LocalEngine(setup), "vift": VisionEngine(setup, weights=weights)}
    inner = slice((EDGE - CORE) // 2, (EDGE + CORE) // 2)
    print("scene    | engine | cosine behind the noise | plain | noise")
    for family in SCENES:
        height, step, pair = differences(family, arguments.cache, arguments.electrons, arguments.threads)
        h, d = (torch.as_tensor(x, dtype=torch.float32) for x in (height, step))
        for name, engine in engines.items():
            change = engine.linearise(h, torch.ones_like(h)).jvp(d, torch.zeros_like(d))
            c, low, high, plain, noise = similarity(change[:, inner, inner].double().numpy(), pair)
            print(
                f"{family:8s} | {name:6s} | {c:.3f} [{low:.3f} {high:.3f}]     | {plain:.3f} | {noise:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
