"""Height error on Monte Carlo scenes through the engines local and vift, as a table, JSON and a picture.

    python benchmarks/vift_heights.py --cache FOLDER [--electrons 3000] [--threads N] [--json OUT.json]
                                      [--picture OUT.png]

Copper at 5 kV, 80 x 80 pixels of 12 nm, eight segments (15 to 65 degrees): about 10 % noise a pixel and segment at
3000 electrons a pixel. Features of L ranges R of Kanaya & Okayama (144 nm). The families crystals and trench were
never seen in training; islands were, with other materials, energies and seeds. Both engines have the same unknowns
(height and relative yield). "signal" is the systematic error of the engine's signals at the true surface, from
products of neighbouring pixels, in flat signals; heights are judged without their best plane, "inner" without a
border of 8 pixels. Simulations are kept in the cache folder and used again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.inversion.frame import first_guess, solve_frame
from napari_sem4d.inversion.objective import FrameData
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, Specimen, detector_weights, simulate
from napari_sem4d.physics.planar_table import planar_table
from napari_sem4d.physics.scenes import make_scene

ENERGY_KEV, PIXEL_NM, SIDE, SEED, GAIN = 5.0, 12.0, 80, 7, 1e4
BORDER = 8
BINS = Binning(12, 16, 16)
SCENES = {
    "islands 3": ("islands", 3.0, lambda s: {"size": s, "slope_deg": 45, "aspect": 0.3, "coverage": 0.5}),
    "islands 1": ("islands", 1.0, lambda s: {"size": s, "slope_deg": 45, "aspect": 0.3, "coverage": 0.5}),
    "crystals 1": ("crystals", 1.0, lambda s: {"size": s, "slope_deg": 40, "spread_deg": 8}),
    "trench 1": ("trench", 1.0, lambda s: {"width": s, "depth": s / 2, "wall_deg": 60}),
}
SEGMENTS = tuple(
    Segment(name=f"S{i}", polar_deg=(15, 65), azimuth_deg=(45 * i - 22.5, 45 * i + 22.5)) for i in range(8)
)


def simulated(name: str, cache: Path, electrons: int, threads: int | None) -> dict[str, np.ndarray]:
    """Height (nm), signals and standard errors of a scene."""
    kept = cache / f"scene-{name.replace(' ', '-')}.npz"
    if not kept.exists():
        copper = material("Cu")
        rho50, reach = planar_table(copper, ENERGY_KEV).rho50_nm, copper.range_nm(ENERGY_KEV)
        family, size, parameters = SCENES[name]
        scene = make_scene(family, (SIDE, SIDE), PIXEL_NM, rho50, SEED, **parameters(size * reach / rho50))
        specimen = Specimen.around(scene.height_nm, PIXEL_NM, copper, ENERGY_KEV, surroundings=scene.surroundings)
        counts = simulate(specimen, ENERGY_KEV, electrons, seed=SEED, binning=BINS, threads=threads)
        signals, errors = counts.signals(detector_weights(SEGMENTS, BINS, ENERGY_KEV))
        np.savez(
            kept, height=scene.height_nm, sig=signals.reshape(8, SIDE, SIDE), err=errors.reshape(8, SIDE, SIDE)
        )
    with np.load(kept) as file:
        return {key: file[key] for key in ("height", "sig", "err")}


def inverted(scene: dict[str, np.ndarray], name: str) -> dict:
    """What an engine makes of a scene."""
    segments = tuple(s.model_copy(update={"gain": GAIN}) for s in SEGMENTS)
    instrument = Instrument(beam=Beam(energy_kev=ENERGY_KEV), detector=Detector(segments=segments))
    engine = make_engine(name, ForwardSetup(instrument, material("Cu"), PIXEL_NM))
    truth = torch.as_tensor(scene["height"], dtype=torch.float32)
    signals = torch.as_tensor(scene["sig"] * GAIN, dtype=torch.float32)
    errors = torch.as_tensor(scene["err"] * GAIN, dtype=torch.float32)
    # Counting noise: the variance goes with the signal, here half with its mean, as an estimate would have it.
    slope = float(errors.square().mean() / signals.mean())
    weight = 1.0 / (slope * 0.5 * (signals + signals.mean()))
    data = FrameData(signals, weight, torch.zeros_like(signals, dtype=torch.bool))
    ones = torch.ones_like(truth)
    with torch.no_grad():
        expected = engine.expected_signals(truth, ones)
        flat = float(engine.expected_signals(torch.zeros(16, 16), torch.ones(16, 16)).mean())
    rest = expected - signals
    neighbours = 0.5 * ((rest[:, 1:] * rest[:, :-1]).mean() + (rest[..., 1:] * rest[..., :-1]).mean())
    settings = InversionSettings()
    start = time.perf_counter()
    solution = solve_frame(*first_guess(engine, data, settings, torch.zeros_like(truth), 1.0), settings)
    seconds = time.perf_counter() - start
    difference = without_plane((solution.state.height - truth).numpy())
    inner = difference[BORDER:-BORDER, BORDER:-BORDER]
    return {
        "signal": float(neighbours.clamp(min=0.0).sqrt()) / flat,
        "chi_square": solution.reduced_chi_square,
        "error_nm": float(difference.std()),
        "inner_nm": float(inner.std()),
        "seconds": seconds,
        "expected": expected.numpy() / flat,
        "measured": signals.numpy() / flat,
    }


def without_plane(height: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(height.shape)
    basis = np.stack([np.ones(height.size), rows.ravel(), columns.ravel()], axis=1)
    fit = basis @ np.linalg.lstsq(basis, height.ravel(), rcond=None)[0]
    return height - fit.reshape(height.shape)


def draw(results: dict[str, dict], path: Path) -> None:
    """Signals of one segment by Monte Carlo, vift and local, and what the engines miss."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 2.2 * len(results)), layout="constrained")
    titles = ("height, nm", "Monte Carlo", "vift", "local", "vift - Monte Carlo", "local - Monte Carlo")
    axes = figure.subplots(len(results), len(titles))
    for number, (row, (name, result)) in enumerate(zip(axes, results.items(), strict=True)):
        measured = result["local"]["measured"][0]
        by = {e: result[e]["expected"][0] for e in ("vift", "local")}
        fields = (
            result["height"],
            measured,
            by["vift"],
            by["local"],
            by["vift"] - measured,
            by["local"] - measured,
        )
        for i, (axis, field, title) in enumerate(zip(row, fields, titles, strict=True)):
            limits = {0: {"cmap": "viridis"}, 4: {}, 5: {}}.get(i, {"cmap": "gray", "vmin": 0.0, "vmax": 2.5})
            if i >= 4:
                limits = {"cmap": "RdBu_r", "vmin": -0.5, "vmax": 0.5}
            picture = axis.imshow(field, **limits)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_title("" if number else title, fontsize=8)
            if i in (0, 5):
                figure.colorbar(picture, ax=axis, shrink=0.8)
        row[0].set_ylabel(f"{name} R", fontsize=9)
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--electrons", type=int, default=3000)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    results, rows = {}, []
    print("scene (L/R)  | relief |  engine | signal | chi-square | height error, nm (inner) |   time")
    for name in SCENES:
        scene = simulated(name, arguments.cache, arguments.electrons, arguments.threads)
        results[name] = {"height": scene["height"]}
        for engine in ("local", "vift"):
            found = results[name][engine] = inverted(scene, engine)
            print(
                f"{name:12s} | {scene['height'].std():6.1f} | {engine:>7s} | {found['signal']:6.4f} | "
                f"{found['chi_square']:10.2f} | {found['error_nm']:10.2f} ({found['inner_nm']:5.2f})       | "
                f"{found['seconds']:4.0f} s",
                flush=True,
            )
            rows.append(
                {"scene": name, "engine": engine}
                | {k: v for k, v in found.items() if not isinstance(v, np.ndarray)}
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if arguments.picture:
        draw(results, arguments.picture)


if __name__ == "__main__":
    main()
