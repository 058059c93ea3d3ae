"""Coverage of the noise part of ``height_std`` on images that the engine itself made.

    python benchmarks/vift_coverage.py [--engine vift|local] [--realisations 500] [--side 32] [--keep FILE.jsonl]
                                       [--json OUT.json]

Copper at 5 kV, pixels of 12 nm, eight segments, 10 % noise a pixel and segment, a random relief with an rms slope
of 0.4 and bumps of about 6 pixels. The prior's weight is found on one image and then kept; to save time the solver
starts at the true surface. Figures: the height of three pixels (a corner, the middle of an edge, the centre), mean
height zero, by 1.96 ``height_std_noise``; and the difference of two means of 5 x 5 pixels, half an image apart, by
the spread of posterior draws of the first image. Share of the realisations that hold the truth with its binomial
95 % interval, and median width over that of the known scatter. The model part is left out: these images have no
model error. With ``--keep`` every realisation is written as it is finished, and a later run goes on from there.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import height_scenes
import numpy as np
import torch
from scipy.stats import beta

from napari_sem4d.forward.registry import make_engine
from napari_sem4d.inversion.frame import first_guess, solve_frame
from napari_sem4d.inversion.gauge import to_datum
from napari_sem4d.inversion.height_error import height_std, posterior_draws
from napari_sem4d.inversion.objective import FrameData
from napari_sem4d.inversion.options import InversionSettings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "inversion"))
from inversion_scenes import random_relief

NOISE, SLOPE, DRAWS = 0.1, 0.4, 100


def has(path: Path | None) -> bool:
    return path is not None and path.exists()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("vift", "local"), default="vift")
    parser.add_argument("--realisations", type=int, default=500)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    side = arguments.side
    engine = make_engine(arguments.engine, height_scenes.setup())
    truth = random_relief((side, side), SLOPE)
    truth = truth - truth.mean()
    ones, valid = torch.ones_like(truth), torch.ones_like(truth, dtype=torch.bool)
    with torch.no_grad():
        signals = engine.expected_signals(truth, ones)
    sigma = NOISE * float(signals.mean())
    weight = torch.full_like(signals, sigma**-2)

    def noise(seed: int) -> torch.Tensor:
        return sigma * torch.randn(signals.shape, generator=torch.Generator().manual_seed(seed))

    def images(seed: int) -> FrameData:
        return FrameData(signals + noise(seed), weight, torch.zeros_like(valid).expand_as(signals))

    open_weight = InversionSettings()
    first = solve_frame(*first_guess(engine, images(0), open_weight, torch.zeros_like(truth), 1.0), open_weight)
    kept = InversionSettings(curvature_weight=first.objective.priors.curvature_weight)
    areas = torch.zeros_like(truth)
    middle, left = side // 2 - 2, side // 4 - 2
    areas[middle : middle + 5, left : left + 5] = -1 / 25
    areas[middle : middle + 5, left + side // 2 : left + side // 2 + 5] = 1 / 25
    drawn = posterior_draws(first.objective, first.state, DRAWS, 3, lambda i: noise(10_000_000 + i), valid, False)
    spread = float(np.std([float((areas * h).sum()) for h in drawn], ddof=1))
    pixels = {"corner": (3, 3), "edge": (side // 2, 2), "centre": (side // 2, side // 2)}
    done = [json.loads(line) for line in arguments.keep.open(encoding="utf-8")] if has(arguments.keep) else []
    for i in range(len(done), arguments.realisations):
        objective = replace(first.objective, data=images(1 + i))
        solution = solve_frame(objective, objective.at(truth, ones), kept)
        error = to_datum(solution.state.height, valid, False) - truth
        std = height_std(solution.objective, solution.state, None, False)
        found = {name: [float(error[at]), float(std[at])] for name, at in pixels.items()}
        found["difference"] = [float((areas * error).sum()), spread]
        found["rms"] = [float(error.square().mean().sqrt()), 0.0]
        done.append(found)
        if arguments.keep:
            with arguments.keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
    done = done[: arguments.realisations]
    errors = {name: [found[name][0] for found in done] for name in (*pixels, "difference", "rms")}
    stds = {name: [found[name][1] for found in done] for name in (*pixels, "difference")}
    n = arguments.realisations
    figures = []
    print(
        f"{arguments.engine}, {side} x {side} pixels, {n} realisations, error {np.mean(errors['rms']):.2f} nm rms"
    )
    print("| figure | covered | binomial 95 % | median width over known | bias over scatter |")
    for name, found in stds.items():
        error, scatter = np.array(errors[name]), float(np.std(errors[name], ddof=1))
        inside = int((np.abs(error) < 1.96 * np.array(found)).sum())
        low = float(beta.ppf(0.025, inside, n - inside + 1))
        high = float(beta.ppf(0.975, inside + 1, n - inside)) if inside < n else 1.0
        row = {
            "figure": name,
            "covered": inside / n,
            "binomial_95": [low, high],
            "width_over_known": float(np.median(found)) / scatter,
            "bias_over_scatter": float(error.mean()) / scatter,
        }
        figures.append(row)
        print(
            f"| {name} | {row['covered']:.3f} | {low:.3f} to {high:.3f} | {row['width_over_known']:.2f} "
            f"| {row['bias_over_scatter']:+.2f} |"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
