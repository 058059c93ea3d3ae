"""Accuracy of the solver on planar-law data: bound, coverage, the prior's influence, classic photometric stereo.

    python benchmarks/solver_accuracy.py [--realisations 200] [--coverage 500] [--json FILE]

Images are made by the engine that inverts them (local law, copper, 10 kV, 12 nm pixels, white noise): this judges
the solver, not the physics.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.fft import dctn
from scipy.stats import beta
from scipy.stats import t as student

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "inversion"))
from inversion_scenes import PIXEL_NM, Scene, make_engine_for, make_scene, random_relief, solve
from photometric_stereo import classic

from napari_sem4d.frames import slopes
from napari_sem4d.inversion.height_error import posterior_draws
from napari_sem4d.inversion.objective import Objective, State
from napari_sem4d.inversion.options import InversionSettings

torch.set_num_threads(1)


def estimator_covariance(objective: Objective, state: State) -> tuple[np.ndarray, np.ndarray]:
    """Dense covariances of height in the mean-zero gauge: Cramer-Rao bound at the estimator's bias, posterior.

    With Fisher information F of (height, relative yield) and the priors' Hessian P, an estimator whose mean moves
    as (F + P)^-1 F has the Cramer-Rao bound (F + P)^-1 F (F + P)^-1.
    """
    rows, columns = state.height.shape
    n = rows * columns
    units = torch.eye(n, dtype=torch.float64).reshape(n, rows, columns)
    p, q = (s.reshape(n, n).T for s in slopes(units, PIXEL_NM))
    jacobian = []
    line = state.linearisation
    for k in range(line.by_p.shape[0]):
        weight = objective.data.weight[k].double().sqrt().ravel()[:, None]
        by_height = line.by_p[k].double().ravel()[:, None] * p + line.by_q[k].double().ravel()[:, None] * q
        jacobian.append(weight * torch.cat([by_height, torch.diag(line.by_yield[k].double().ravel())], dim=1))
    full = torch.cat(jacobian)
    fisher = full.T @ full
    prior = torch.zeros_like(fisher)
    zero = torch.zeros(rows, columns, dtype=torch.float64)
    for i in range(n):
        prior[:n, i] = objective.priors.apply(units[i], zero)[0].ravel()
        prior[n:, n + i] = objective.priors.apply(zero, units[i])[1].ravel()
    mean = torch.zeros(2 * n, dtype=torch.float64)
    mean[:n] = 1.0 / n
    total = fisher + prior
    total += torch.outer(mean, mean) * float(torch.diag(total).mean()) * n**2  # the datum: mean height is zero
    posterior = torch.linalg.inv(total)
    bound = posterior @ fisher @ posterior
    return bound[:n, :n].numpy(), posterior[:n, :n].numpy()


def cramer_rao(realisations: int) -> dict[str, float]:
    scene = make_scene(random_relief((48, 48), 0.3), 0.1)
    first = solve(scene, scene.noisy(0))
    fixed = InversionSettings(curvature_weight=first.objective.priors.curvature_weight, tolerance=1e-7)
    errors = torch.stack(
        [scene.error(solve(scene, scene.noisy(1 + i), fixed).state.height) for i in range(realisations)]
    ).double()
    exact = solve(scene, scene.data(scene.signals), fixed)
    bound, posterior = estimator_covariance(exact.objective, exact.state)
    random_error = float(errors.var(0).mean().sqrt())
    return {
        "random_error_nm": random_error,
        "bound_nm": float(np.sqrt(np.diag(bound).mean())),
        "ratio": random_error / float(np.sqrt(np.diag(bound).mean())),
        "total_error_nm": float(errors.square().mean().sqrt()),
        "posterior_nm": float(np.sqrt(np.diag(posterior).mean())),
    }


def areas(scene: Scene, distance: int) -> torch.Tensor:
    """Weights of a height difference: means of two areas of 5 x 5 pixels, ``distance`` pixels apart."""
    rows, columns = scene.height.shape
    weight = torch.zeros(rows, columns)
    row, left = rows // 2 - 2, (columns - distance) // 2 - 2
    weight[row : row + 5, left : left + 5] = -1 / 25
    weight[row : row + 5, left + distance : left + distance + 5] = 1 / 25
    return weight


def coverage(realisations: int, draws: int = 32) -> dict[str, object]:
    """Share of 95 % intervals, from posterior draws, that hold the true height difference."""
    scene = make_scene(random_relief((64, 64), 0.3), 0.1)
    first = solve(scene, scene.noisy(0))
    fixed = InversionSettings(curvature_weight=first.objective.priors.curvature_weight)
    measurand = areas(scene, 40)
    truth = float((measurand * scene.height).sum())
    valid = torch.ones(scene.height.shape, dtype=torch.bool)
    inside, widths, values = 0, [], []
    for i in range(realisations):
        solution = solve(scene, scene.noisy(10_000 + i), fixed)

        def noise(d: int, i: int = i) -> torch.Tensor:
            generator = torch.Generator().manual_seed(1_000_000 + 1000 * i + d)
            return scene.sigma * torch.randn(scene.signals.shape, generator=generator)

        drawn = [
            float((measurand * h).sum())
            for h in posterior_draws(solution.objective, solution.state, draws, 7 * i, noise, valid, False)
        ]
        value = float((measurand * solution.state.height).sum())
        half = float(student.ppf(0.975, draws - 1)) * float(np.std(drawn, ddof=1))
        inside += abs(value - truth) <= half
        widths.append(2 * half)
        values.append(value)
    low = beta.ppf(0.025, inside, realisations - inside + 1)
    high = beta.ppf(0.975, inside + 1, realisations - inside) if inside < realisations else 1.0
    known = 2 * 1.96 * float(np.std(values, ddof=1))
    return {
        "figure": "difference of two 5 x 5 means, 40 pixels apart",
        "realisations": realisations,
        "covered": inside / realisations,
        "binomial_95": [float(low), float(high)],
        "median_width_over_known": float(np.median(widths)) / known,
    }


def prior_sweep() -> list[dict[str, float]]:
    """A step and the Sq of waves from 48 pixels on, over a decade of the prior's weight either way."""
    x = np.arange(192)
    step = 60.0 / (1 + np.exp(-(x - 96) / 3.0))
    relief = random_relief((192, 192), 0.15, size_px=8.0).numpy()
    relief += random_relief((192, 192), 0.1, seed=5, size_px=20.0).numpy()
    height = torch.as_tensor(step[None, :] + relief, dtype=torch.float32)
    scene = make_scene(height, 0.05)
    data = scene.noisy(3)
    weight = solve(scene, data).objective.priors.curvature_weight

    def figures(h: np.ndarray) -> tuple[float, float]:
        rise = h[:, 130:170].mean() - h[:, 22:62].mean()
        modes = dctn(h - h.mean(), norm="ortho")
        wave = 2 * 192 / np.maximum(np.hypot(*np.mgrid[0:192, 0:192]), 1e-9)
        return float(rise), float(np.sqrt((modes[(wave >= 48) & (wave <= 384)] ** 2).sum()) / 192)

    table = []
    for factor in (0.1, 0.316, 1.0, 3.16, 10.0):
        found = solve(scene, data, InversionSettings(curvature_weight=weight * factor)).state.height.numpy()
        rise, sq = figures(found)
        table.append({"factor": factor, "step_nm": rise, "sq_nm": sq})
    base = table[2]
    for row in table:
        row["step_change"] = row["step_nm"] / base["step_nm"] - 1
        row["sq_change"] = row["sq_nm"] / base["sq_nm"] - 1
    rise, sq = figures(height.numpy())
    return [*table, {"factor": 0.0, "step_nm": rise, "sq_nm": sq, "step_change": 0.0, "sq_change": 0.0}]


def transfer() -> list[dict[str, float]]:
    """Amplitude of a sine, found over true, by its wavelength (slope amplitude 0.2, 5 % noise)."""
    table = []
    base = make_scene(random_relief((96, 128), 0.3), 0.05)
    weight = solve(base, base.noisy(1)).objective.priors.curvature_weight
    x = np.arange(128)
    for wavelength in (4, 6, 8, 12, 16, 32, 64):
        wave = np.sin(2 * np.pi * x / wavelength) * 0.2 * wavelength * PIXEL_NM / (2 * np.pi)
        scene = make_scene(torch.as_tensor(np.tile(wave, (96, 1)), dtype=torch.float32), 0.05)
        row: dict[str, float] = {"wavelength_px": wavelength}
        for factor in (0.1, 1.0, 10.0):
            fixed = InversionSettings(curvature_weight=weight * factor)
            found = solve(scene, scene.data(scene.signals), fixed).state.height.numpy()
            inner = slice(16, 112)
            row[f"at_{factor:g}_x"] = float((found * wave)[:, inner].mean() / (wave**2)[inner].mean())
        table.append(row)
    return table


def against_classic() -> list[dict[str, float]]:
    table = []
    for slope in (0.1, 0.3, 0.6):
        scene = make_scene(random_relief((128, 160), slope), 0.1, engine=make_engine_for(4))
        data = scene.noisy(5)
        segments = scene.engine.setup.instrument.detector.segments
        old = torch.as_tensor(classic(data.signals.numpy(), segments, PIXEL_NM)).float()
        new = solve(scene, data).state.height
        table.append(
            {
                "rms_slope": slope,
                "relief_nm": float(scene.height.std()),
                "classic_nm": float(scene.error(old).std()),
                "classic_best_scale_nm": float(scene.error(old * best_scale(old, scene.height)).std()),
                "ours_nm": float(scene.error(new).std()),
            }
        )
    return table


def best_scale(found: torch.Tensor, truth: torch.Tensor) -> float:
    a, b = found - found.mean(), truth - truth.mean()
    return float((a * b).sum() / (a * a).sum())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--realisations", type=int, default=200, help="for the Cramer-Rao bound")
    parser.add_argument("--coverage", type=int, default=500, help="realisations for the coverage")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    figures: dict[str, object] = {}
    for name, part in (
        ("cramer_rao", lambda: cramer_rao(options.realisations)),
        ("prior_sweep", prior_sweep),
        ("transfer", transfer),
        ("against_classic", against_classic),
        ("coverage", lambda: coverage(options.coverage)),
    ):
        figures[name] = part()
        print(f"{name}:", flush=True)
        found = figures[name]
        for row in found if isinstance(found, list) else [found]:
            print("  " + ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
