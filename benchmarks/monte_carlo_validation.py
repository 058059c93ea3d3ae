"""The Monte Carlo against published figures: coefficients, tilt, directions, mean energies, as JSON and tables.

    python benchmarks/monte_carlo_validation.py [--electrons 200000] [--json OUT.json]

Reference: medians and ranges of Joy's database, as in tests/physics/physics_reference.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "physics"))

from physics_reference import JOY, MEAN_ENERGY, TILT_CU_20

from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, simulate_plane

ENERGIES = (1, 2, 5, 10, 15, 20)


def coefficients(electrons: int) -> list[dict]:
    rows = []
    for name in (*JOY, "Fe", "Cu2O", "CuO", "SiO2"):
        for kv in ENERGIES:
            result = simulate_plane(material(name), float(kv), electrons, seed=1)
            median, low, high = JOY.get(name, {}).get(kv, (None, None, None))
            rows.append(
                {
                    "material": name, "kv": kv, "eta": result.coefficient, "error": result.coefficient_error,
                    "joy": median, "joy_low": low, "joy_high": high,
                    "mean_energy": result.mean_energy_fraction, "rho50_nm": result.rho50_nm,
                    "rho50_over_range": result.rho50_nm / material(name).range_nm(kv),
                }
            )  # fmt: skip
    return rows


def tilts(electrons: int) -> list[dict]:
    rows = []
    for degrees, earlier in TILT_CU_20.items():
        eta = simulate_plane(material("Cu"), 20.0, electrons, tilt=np.radians(degrees), seed=2).coefficient
        flat = rows[0]["eta"] if rows else eta
        law = 0.89 * (flat / 0.89) ** np.cos(np.radians(degrees))
        rows.append({"tilt_deg": degrees, "eta": eta, "earlier": earlier, "tilt_law": law})
    return rows


def directions(electrons: int) -> list[dict]:
    rows = []
    for degrees in (0, 30, 45, 60, 75):
        result = simulate_plane(
            material("Cu"), 10.0, electrons, tilt=np.radians(degrees), seed=3, binning=Binning(8, 4, 8)
        )
        polar = result.counts.sum(axis=(1, 2))
        forward = np.roll(result.counts, 1, axis=1).sum(axis=(0, 2))[:2].sum() / polar.sum()
        rows.append(
            {"tilt_deg": degrees, "over_lambert": (polar / polar.mean()).tolist(), "forward": float(forward)}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--electrons", type=int, default=200_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = {
        "benchmark": "monte_carlo_validation",
        "electrons": options.electrons,
        "coefficients": coefficients(options.electrons),
        "tilt": tilts(options.electrons),
        "directions": directions(options.electrons),
    }
    print("Backscatter coefficient at normal incidence: ours, deviation from the median of Joy's database")
    print("          " + "".join(f"{kv:>15} kV" for kv in ENERGIES))
    for name in (*JOY, "Fe", "Cu2O", "CuO", "SiO2"):
        cells = [r for r in report["coefficients"] if r["material"] == name]
        text = [
            f"{r['eta']:.4f}" + (f" {100 * (r['eta'] / r['joy'] - 1):+5.1f} %" if r["joy"] else " " * 8)
            for r in cells
        ]
        print(f"{name:<10}" + "".join(f"{t:>18}" for t in text))
    print("\nMean energy of backscattered electrons / E0 (15 kV), median exit radius / range (10 kV)")
    for name in (*JOY, "Fe", "Cu2O"):
        cells = {r["kv"]: r for r in report["coefficients"] if r["material"] == name}
        known = f" (earlier {MEAN_ENERGY[name]:.2f})" if name in MEAN_ENERGY else ""
        print(f"{name:<6}{cells[15]['mean_energy']:.3f}{known:<16} {cells[10]['rho50_over_range']:.4f}")
    print("\nCu, 20 kV: tilt, coefficient, earlier simulation, tilt law of Drescher, Reimer & Seidel")
    for r in report["tilt"]:
        print(f"{r['tilt_deg']:4d}  {r['eta']:.4f}  {r['earlier']:.3f}  {r['tilt_law']:.4f}")
    print("\nCu, 10 kV: emission about the surface normal over Lambert's law in 8 bins of sin^2; share forward")
    for r in report["directions"]:
        print(f"{r['tilt_deg']:4d}  " + " ".join(f"{v:.3f}" for v in r["over_lambert"]) + f"   {r['forward']:.3f}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
