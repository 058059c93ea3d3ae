"""Complete the card of ViFT's weights: domain of validity, measured errors, failure cases, licence.

python benchmarks/vift_accuracy.py --json cells.json
python tools/vift_card.py src/napari_sem4d/surrogate/weights/vift.json --cells cells.json --validation FOLDER

FOLDER: patches that served no training (``sem4d dataset --settings validation_set --out FOLDER --patches 64``).
From them the tables of signal error by slope and size are made that ``height_std`` takes its model part from: that
of the weights goes into their card, that of the engine ``local`` beside its module. New weights need theirs anew.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from napari_sem4d.forward.model_error import LOCAL
from napari_sem4d.surrogate.model_error import ModelErrorTable
from napari_sem4d.surrogate.model_error_measure import measure_model_error
from napari_sem4d.surrogate.training_set import load_training_set
from napari_sem4d.surrogate.weights import load_weights

FAILURES = (
    "slopes above 60 degrees: two to four times the error of the mean; above 70 degrees, on kinds of surface "
    "that it was not trained on, six tenths of the local law's",
    "dense steep relief, in which few electrons find a way out: its yield, alike over several rho50",
    "light materials (carbon to silicon): up to 1.5 times the error of copper, in units of their own flat signal",
    "crystals of 5 rho50 with facets of 50 degrees: .048 to .068 of the flat signal",
    "large round bodies: flanks of 45 to 60 degrees near their foot are 3 to 5 % of a flat's signal too bright",
    "detail finer than 0.5 rho50 is taken to leave no contrast; not trained",
    "two materials in one image: only through the relative yield",
    "a tilted stage or beam: not trained",
)


LOCAL_TABLE = Path(__file__).parents[1] / "src" / "napari_sem4d" / "forward" / LOCAL


def measured(rows: list[dict]) -> dict:
    return {
        "what": "root of the mean product of deviations from two simulations, in flat signals, with its 95 % "
        "interval; about half of the pixels steeper than 30 degrees; nothing of it seen in training",
        "cells": [
            {
                "cell": row["cell"],
                **{
                    name: {
                        "all": [round(x, 4) for x in row[key][:3]],
                        "above_40_deg": round(row[f"{key}_steep"][0], 4),
                    }
                    for name, key in (("planes", "planes"), ("local", "local"), ("vift", "vift"))
                },
                "by_size_rho50": [
                    {**scene["parameters"], **{e: round(scene[e][0], 4) for e in ("local", "vift")}}
                    for scene in row.get("scenes", ())
                ],
            }
            for row in rows
        ],
    }


def show(name: str, table: ModelErrorTable) -> None:
    """Print the root mean square error by slope (rows) and bend (columns)."""
    print(f"{name}: correlation length {table.length_rho50:g} rho50, {table.source}")
    print(
        "shown of waves: "
        + ", ".join(f"{w:g} rho50 {v:.2f}" for w, v in zip(table.waves_rho50, table.shown, strict=True))
    )
    print("slope \\ bend | " + " | ".join(f"<{b:g}" for b in table.bend) + " | above")
    for edge, row in zip((*table.slope_deg, 90.0), table.power, strict=True):
        print(f"< {edge:g} deg | " + " | ".join(f"{p**0.5:.3f}" for p in row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", type=Path)
    parser.add_argument("--cells", type=Path, help="JSON of benchmarks/vift_accuracy.py")
    parser.add_argument("--validation", type=Path, help="folder of patches that served no training")
    arguments = parser.parse_args()
    card = json.loads(arguments.card.read_text(encoding="utf-8"))
    plan = load_training_set()
    card["version"] = 3
    card["licence"] = "BSD-3-Clause"
    card["training_set"] = plan.model_dump(mode="json")
    card["domain"] = {
        "eta0": [0.06, 0.49],
        "energy_kev": [1.0, 30.0],
        "slope_deg": 75,
        "probe_rho50": [0.0, 2.0],
        "data_pixel_rho50": [0.25, 4.0],
        "threshold_over_e0": [0.0, 0.5],
    }
    card["failures"] = list(FAILURES)
    if arguments.cells:
        card["measured"] = measured(json.loads(arguments.cells.read_text(encoding="utf-8")))
    if arguments.validation:
        vift = measure_model_error(arguments.validation, load_weights(arguments.card.with_suffix(".safetensors")))
        local = measure_model_error(arguments.validation, None)
        card["model_error"] = vift.model_dump(mode="json")
        LOCAL_TABLE.write_text(local.model_dump_json(indent=1) + "\n", encoding="utf-8")
        for name, table in (("vift", vift), ("local", local)):
            show(name, table)
    arguments.card.write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
