"""At which lengths ViFT errs: mean square error of pixels, cells (2 x 2), tokens (4 x 4) and over 4 rho50 (8 x 8).

    sem4d dataset --settings S.yaml --out FOLDER --patches 32      # of a seed that served no training
    python benchmarks/vift_scales.py FOLDER [--weights W.safetensors] [--threads N]

Every patch is simulated a second time with another seed; with the prediction P and the two simulations Y1 and Y2
the mean square is mean((P - Y1)(P - Y2)), whatever the noise. In coefficients of the emission field as detectors
see them, flat signals.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from napari_sem4d.surrogate.dataset import dataset_settings, read_chunk
from napari_sem4d.surrogate.directions import shortened
from napari_sem4d.surrogate.inputs import without_border
from napari_sem4d.surrogate.patches import ORDER, simulate_case
from napari_sem4d.surrogate.training_data import flat_signal, load_training_data, seen_by_detectors
from napari_sem4d.surrogate.training_set import draw_case
from napari_sem4d.surrogate.weights import load_weights

SCALES = {"pixels": 1, "cells": 2, "tokens": 4, "4 rho50": 8}
OTHER_SEED = 1 << 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    network = load_weights(arguments.weights).network
    order = network.architecture.order
    few = shortened(order, ORDER)
    data, settings = load_training_data(arguments.folder, order), dataset_settings(arguments.folder)
    cases = [c for path in sorted(arguments.folder.glob("chunk-*.npz")) for c in read_chunk(path).cases]
    errors = np.zeros((2, len(SCALES)))
    for n, about in enumerate(cases):
        first = read_chunk(arguments.folder / f"chunk-{n // 8:05d}.npz").coefficients[n % 8]
        case = draw_case(settings, about["number"])
        again, _ = simulate_case(replace(case, seed=case.seed ^ OTHER_SEED), settings, threads=arguments.threads)
        flat = float(flat_signal(data.conditions[n].numpy()))
        first, again = (
            torch.as_tensor(np.einsum("ij,tjyx->tiyx", few, x / flat), dtype=torch.float32).flatten(0, 1)
            for x in (first, again)
        )
        height, conditions, target = data.batch(np.array([n]))
        with torch.no_grad():
            found = without_border(network(height, conditions, data.pitch)[0], data.halo)
        local = first - target[0]
        for row, prediction in zip(errors, (local + found, local), strict=True):
            left = [seen_by_detectors((prediction - y)[None], order) for y in (first, again)]
            for column, edge in enumerate(SCALES.values()):
                rest = [avg_pool2d(x, edge) for x in left]
                row[column] += float((rest[0] * rest[1]).mean()) / len(cases)
    print(f"{len(cases)} patches; mean square, 1e-4   " + "   ".join(f"{s:>8s}" for s in SCALES))
    for name, row in zip(("vift", "local"), errors, strict=True):
        print(f"{name:33s}" + "   ".join(f"{1e4 * x:8.2f}" for x in row))
    print(f"{'vift over local':33s}" + "   ".join(f"{x:8.3f}" for x in errors[0] / errors[1]))


if __name__ == "__main__":
    main()
