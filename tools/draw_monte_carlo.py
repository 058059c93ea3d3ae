"""Draw the validation figure of the Monte Carlo from the benchmark's JSON.

python benchmarks/monte_carlo_validation.py --json out/validation.json
python tools/draw_monte_carlo.py out/validation.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "monte-carlo-validation.svg"
COLOURS = {"C": "#555555", "Si": "#0072b2", "Cu": "#d55e00", "Au": "#b8860b"}


def main() -> None:
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    plt.rcParams.update({"font.size": 9, "svg.fonttype": "path", "svg.hashsalt": "sem4d"})
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.6), constrained_layout=True)
    for name, colour in COLOURS.items():
        cells = [r for r in report["coefficients"] if r["material"] == name]
        kv = np.array([r["kv"] for r in cells])
        low, high = (np.array([r[k] for r in cells]) for k in ("joy_low", "joy_high"))
        left.vlines(kv, low, high, color=colour, alpha=0.35, linewidth=5)
        left.plot(kv, [r["joy"] for r in cells], "_", color=colour, markersize=11)
        left.plot(kv, [r["eta"] for r in cells], "o-", color=colour, markersize=3, linewidth=1, label=name)
    left.set(xscale="log", xlabel="beam energy, kV", ylabel="backscatter coefficient", ylim=(0, 0.56))
    left.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    left.minorticks_off()
    left.legend(ncols=4, fontsize=8, loc="upper left", frameon=False)
    left.set_title("normal incidence; bars: Joy's database", fontsize=9)
    tilt = [r["tilt_deg"] for r in report["tilt"]]
    middle.plot(tilt, [r["eta"] for r in report["tilt"]], "o-", color=COLOURS["Cu"], markersize=4, label="ours")
    middle.plot(tilt, [r["tilt_law"] for r in report["tilt"]], "--", color="#555555", label="tilt law of Drescher")
    middle.set(xlabel="tilt, degrees", ylabel="backscatter coefficient", ylim=(0, 0.8))
    middle.legend(fontsize=8, frameon=False)
    middle.set_title("Cu, 20 kV", fontsize=9)
    for row, shade in zip(report["directions"], np.linspace(0.15, 0.85, len(report["directions"])), strict=True):
        n = len(row["over_lambert"])
        angle = np.degrees(np.arcsin(np.sqrt((np.arange(n) + 0.5) / n)))
        right.plot(angle, row["over_lambert"], color=plt.cm.viridis(shade), label=f"{row['tilt_deg']}")
    right.axhline(1.0, color="#999999", linewidth=0.8)
    right.set(xlabel="exit angle from the normal, degrees", ylabel="emission over Lambert's law", ylim=(0.4, 2.4))
    right.legend(title="tilt, degrees", fontsize=8, frameon=False)
    right.set_title("Cu, 10 kV", fontsize=9)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, metadata={"Date": None})


if __name__ == "__main__":
    main()
