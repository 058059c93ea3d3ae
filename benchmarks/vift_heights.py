"""Heights from Monte Carlo images: error of five ways to a surface, and how far their uncertainty can be trusted.

    python benchmarks/vift_heights.py --cache FOLDER [--role tuning|final] [--scenes NAME ...] [--draws 40]
                                      [--threads N] [--json OUT.json] [--picture OUT.png]

The surfaces stand in ``height_scenes.yaml`` (copper at 5 kV, 80 x 80 pixels of 12 nm, eight segments, 10 % noise a
pixel and segment; features of L ranges R = 144 nm). All ways have the same unknowns, height and relative yield:

- classic: photometric stereo with one light a segment, integrated by Frankot & Chellappa
- planar: local law by the Monte Carlo table, without shadows and bounce term
- local, vift: the engines
- noise limit: vift on images that vift made of the true surface, with the same noise and prior

Errors are nm rms without the best plane. "aim" is max(0.4 x planar, 2 x noise limit). "signal" is the systematic
error of an engine's signals at the true surface, from products of neighbouring pixels, in flat signals; chi-square
against the noise, and against noise and model error. Coverage: the share of pixels whose 95 % interval (1.96
``height_std``) holds the truth, by true slope, with the range in which 95 % of the draws of the engine's own error
model lie (pixels are correlated: that range, and the number of independent pixels that it stands for, say how much
a share tells). Short: the power of the surface in waves below 0.6 R, found over true, and what noise adds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import height_scenes
import numpy as np
import torch
from height_methods import (
    engine_made,
    engines,
    frame_data,
    levels,
    solved,
    step_height,
    without_plane,
)
from height_scenes import HeightScene
from photometric_stereo import classic
from scipy.stats import t as student

from napari_sem4d.cosine import angular_frequencies, dct2
from napari_sem4d.forward.engine import DifferentiableEngine
from napari_sem4d.frames import slopes
from napari_sem4d.inversion.frame import FrameSolution
from napari_sem4d.inversion.gauge import to_datum
from napari_sem4d.inversion.height_error import height_std, posterior_draws
from napari_sem4d.inversion.model_height_error import height_model_error
from napari_sem4d.inversion.options import InversionSettings

BANDS_DEG = (0.0, 15.0, 30.0, 45.0, 90.0)
SHORT_RANGES = 0.6


def systematic(engine: DifferentiableEngine, scene: HeightScene) -> tuple[float, np.ndarray]:
    """Systematic error of the signals at the true surface, flat signals, and the expected signals."""
    height = torch.as_tensor(scene.height)
    with torch.no_grad():
        expected = engine.expected_signals(height, torch.ones_like(height))
    flat = float(engine.flat_signals.mean())
    rest = expected - torch.as_tensor(scene.signals)
    neighbours = 0.5 * ((rest[:, 1:] * rest[:, :-1]).mean() + (rest[..., 1:] * rest[..., :-1]).mean())
    return float(neighbours.clamp(min=0.0).sqrt()) / flat, expected.numpy() / flat


def uncertainty(solution: FrameSolution, truth: torch.Tensor, draws: int) -> dict[str, Any]:
    """Coverage of the intervals of heights and of height differences."""
    valid = torch.ones_like(truth, dtype=torch.bool)
    objective, state = solution.objective, solution.state
    model = height_model_error(solution)
    assert model is not None
    noise_std = height_std(objective, state, None, True)
    model_std = model.std(valid, True)
    std = torch.hypot(noise_std, model_std)
    error = to_datum(state.height - truth, valid, True)

    def noise(i: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(900_000 + i)
        return torch.randn(state.residual.shape, generator=generator) / objective.data.weight.sqrt()

    generator = torch.Generator().manual_seed(4)
    drawn = torch.stack(
        [
            to_datum(h - state.height + model.draw(generator), valid, True)
            for h in posterior_draws(objective, state, draws, 70, noise, valid, True)
        ]
    )
    p, q = slopes(truth, objective.priors.pixel_nm)
    tilt = torch.rad2deg(torch.atan(torch.hypot(p, q)))
    inside, drawn_inside = error.abs() < 1.96 * std, drawn.abs() < 1.96 * std
    bands = {}
    for low, high in [*itertools.pairwise(BANDS_DEG), (0.0, 90.0)]:
        here = (tilt >= low) & (tilt < high)
        if int(here.sum()) < 20:
            continue
        shares = drawn_inside[:, here].float().mean(1)
        spread = float(shares.var())
        bands[f"{low:g}-{high:g}"] = {
            "pixels": int(here.sum()),
            "covered": float(inside[here].float().mean()),
            "draws_95": [float(v) for v in shares.quantile(torch.tensor([0.025, 0.975]))],
            "independent": 0.0475 / spread if spread > 0 else None,
        }
    return {
        "noise_nm": rms(noise_std),
        "model_nm": rms(model_std),
        "std_nm": rms(std),
        "bands": bands,
        "differences": differences(error, drawn),
        "drawn": drawn,
    }


def differences(error: torch.Tensor, drawn: torch.Tensor, count: int = 400) -> dict[str, float]:
    """Share of height differences, near (3 to 10 pixels) and far (20 to 60), that the draws' intervals hold."""
    rng = np.random.default_rng(1)
    rows, columns = error.shape
    found = {}
    for name, shortest, longest in (("near", 3, 10), ("far", 20, 60)):
        a = rng.integers(0, (rows, columns), (40 * count, 2))
        b = rng.integers(0, (rows, columns), (40 * count, 2))
        distance = np.hypot(*(a - b).T)
        kept = np.flatnonzero((distance >= shortest) & (distance <= longest))[:count]
        first, second = (a[kept].T, b[kept].T)
        here = error[first[0], first[1]] - error[second[0], second[1]]
        spread = (drawn[:, first[0], first[1]] - drawn[:, second[0], second[1]]).std(0)
        wide = float(student.ppf(0.975, len(drawn) - 1))
        found[name] = float((here.abs() < wide * spread).float().mean())
    return found


def short_waves(found: np.ndarray, truth: np.ndarray) -> float:
    """Power of waves shorter than 0.6 R, found over true."""
    ky, kx = angular_frequencies((truth.shape[0], truth.shape[1]), torch.float64, torch.device("cpu"))
    length = 2 * np.pi * height_scenes.plan()["pixel_nm"] / (ky.square() + kx.square()).sqrt().clamp_min(1e-9)
    short = length < SHORT_RANGES * height_scenes.range_nm()
    a, b = (float(dct2(torch.as_tensor(x, dtype=torch.float64))[short].square().mean()) for x in (found, truth))
    return a / b


def rms(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt())


def judged(scene: HeightScene, ways: dict[str, DifferentiableEngine], draws: int) -> dict[str, Any]:
    """Every figure of a scene."""
    truth = torch.as_tensor(scene.height, dtype=torch.float32)
    data = frame_data(scene)
    stepped = scene.name.split()[0] in ("step", "trench")
    row: dict[str, Any] = {"scene": scene.name, "role": scene.role, "relief_nm": float(scene.height.std())}
    old = classic(scene.signals, height_scenes.segments(), height_scenes.plan()["pixel_nm"])
    row["classic_nm"] = float(without_plane(old - scene.height).std())
    if stepped:
        row["true_step_nm"] = step_height(scene.height, scene.height)
    for name, engine in ways.items():
        start = time.process_time()
        solution = solved(engine, data)
        seconds = time.process_time() - start
        found = solution.state.height.numpy()
        row[f"{name}_nm"] = float(without_plane(found - scene.height).std())
        about: dict[str, Any] = {
            "signal": systematic(engine, scene)[0],
            "chi_square": solution.reduced_chi_square,
            "explained": solution.explained_chi_square,
            "weight": solution.objective.priors.curvature_weight,
            "processor_s": seconds,
            "short": short_waves(found, scene.height),
        }
        if stepped:
            about["step_nm"] = step_height(found, scene.height)
        if name != "planar":
            known = uncertainty(solution, truth, draws)
            drawn = known.pop("drawn")
            if stepped:
                high, low = levels(scene.height)
                steps = drawn[:, high].mean(1) - drawn[:, low].mean(1)
                about["step_std_nm"] = float(steps.std())
            about |= known
        if name == "vift":
            fixed = InversionSettings(curvature_weight=about["weight"])
            limit = solved(engine, engine_made(engine, truth, data, 5), fixed).state.height.numpy()
            row["noise_limit_nm"] = float(without_plane(limit - scene.height).std())
            row["noise_limit_short"] = short_waves(limit, scene.height)
        row[name] = about
    row["aim_nm"] = max(0.4 * row["planar_nm"], 2 * row["noise_limit_nm"])
    return row


def heights_line(row: dict[str, Any]) -> str:
    vift, local = row["vift"], row["local"]
    met = "met" if row["vift_nm"] <= row["aim_nm"] else f"x{row['vift_nm'] / row['aim_nm']:.2f}"
    cells = [row["scene"], row["role"], *(f"{row[k]:.1f}" for k in ("relief_nm", "classic_nm", "planar_nm"))]
    cells += [f"{row['local_nm']:.1f}", *(f"{row[k]:.2f}" for k in ("vift_nm", "noise_limit_nm", "aim_nm")), met]
    cells += [f"{local['signal']:.3f}", f"{vift['signal']:.3f}"]
    cells += [f"{vift['chi_square']:.2f}", f"{vift['explained']:.2f}", f"{vift['processor_s']:.1f}"]
    return f"| {' | '.join(cells)} |"


def coverage_line(row: dict[str, Any], engine: str) -> str:
    about = row[engine]
    cells = []
    for low, high in [*itertools.pairwise(BANDS_DEG), (0.0, 90.0)]:
        band = about["bands"].get(f"{low:g}-{high:g}")
        cells.append(
            f"{band['covered']:.2f} ({band['draws_95'][0]:.2f} to {band['draws_95'][1]:.2f})" if band else "-"
        )
    near, far = about["differences"]["near"], about["differences"]["far"]
    independent = about["bands"]["0-90"]["independent"] or 0.0
    sizes = [f"{v:.2f}" for v in (row[f"{engine}_nm"], about["std_nm"], about["noise_nm"], about["model_nm"])]
    cells = [row["scene"], engine, *sizes, *cells, f"{independent:.0f}", f"{near:.2f}", f"{far:.2f}"]
    return f"| {' | '.join(cells)} |"


def draw(rows: list[dict[str, Any]], scenes: list[HeightScene], ways: dict, path: Path) -> None:
    """Signals of one segment by Monte Carlo, vift and local, and what the engines miss."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 2.2 * len(rows)), layout="constrained")
    titles = ("height, nm", "Monte Carlo", "vift", "local", "vift - Monte Carlo", "local - Monte Carlo")
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for number, (line, scene) in enumerate(zip(axes, scenes, strict=True)):
        measured = scene.signals[0] / float(ways["vift"].flat_signals.mean())
        vift, local = (systematic(ways[e], scene)[1][0] for e in ("vift", "local"))
        fields = (scene.height, measured, vift, local, vift - measured, local - measured)
        for i, (axis, field, title) in enumerate(zip(line, fields, titles, strict=True)):
            limits = {0: {"cmap": "viridis"}, 4: {}, 5: {}}.get(i, {"cmap": "gray", "vmin": 0.0, "vmax": 2.5})
            if i >= 4:
                limits = {"cmap": "RdBu_r", "vmin": -0.5, "vmax": 0.5}
            picture = axis.imshow(field, **limits)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_title("" if number else title, fontsize=8)
            if i in (0, 5):
                figure.colorbar(picture, ax=axis, shrink=0.8)
        line[0].set_ylabel(f"{scene.name} R", fontsize=9)
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--role", choices=("tuning", "final"))
    parser.add_argument("--scenes", nargs="*")
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ways = engines()
    chosen = arguments.scenes or height_scenes.names(arguments.role)
    scenes = [height_scenes.load(name, arguments.cache, arguments.threads) for name in chosen]
    rows = []
    print(
        "| scene, L/R | role | relief | classic | planar | local | vift | noise limit | aim | | local: signal "
        "| vift: signal | chi-square | explained | processor, s |",
        flush=True,
    )
    for scene in scenes:
        rows.append(judged(scene, ways, arguments.draws))
        print(heights_line(rows[-1]), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print("\n| step | true | planar | local | vift | its standard uncertainty |")
    for row in rows:
        if "true_step_nm" in row:
            found = " | ".join(f"{row[e]['step_nm']:.1f}" for e in ("planar", "local", "vift"))
            print(f"| {row['scene']} | {row['true_step_nm']:.1f} | {found} | {row['vift']['step_std_nm']:.1f} |")
    bands = " | ".join(f"{a:g} to {b:g}" for a, b in itertools.pairwise(BANDS_DEG))
    print(f"\n| scene | engine | error | std | noise | model | {bands} | all | independent | near | far |")
    for engine in ("vift", "local"):
        for row in rows:
            print(coverage_line(row, engine))
    print("\n| scene | short waves: vift | noise limit | planar | local |")
    for row in rows:
        print(
            f"| {row['scene']} | {row['vift']['short']:.2f} | {row['noise_limit_short']:.2f} "
            f"| {row['planar']['short']:.2f} | {row['local']['short']:.2f} |"
        )
    if arguments.picture:
        draw(rows, scenes, ways, arguments.picture)


if __name__ == "__main__":
    main()
