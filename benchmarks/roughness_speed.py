"""Time of the full areal roughness set, and of surfalize on the same map in the same run where it is installed.

    python benchmarks/roughness_speed.py [--size 1024] [--repeats 7] [--json OUT.json]

surfalize (GPL-3) is no dependency of this project: install it in an environment of its own to see its column.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import Times, conditions, print_figures

from napari_sem4d.metrology.evaluate import evaluate
from napari_sem4d.metrology.profile import sample_line
from napari_sem4d.metrology.surface import Treatment, prepare_surface

PIXEL_NM = 10.0


def surface(size: int, noise_nm: float = 1.0) -> np.ndarray:
    """Gaussian texture of length 200 nm and Sq 20 nm with white noise."""
    rng = np.random.default_rng(0)
    k = 2 * np.pi * np.fft.fftfreq(size, PIXEL_NM)
    gain = np.exp(-((k[:, None] ** 2 + k**2) * 200.0**2) / 8)
    texture = np.fft.ifft2(np.fft.fft2(rng.normal(size=(size, size))) * gain).real
    texture *= 20.0 / texture.std()
    return (texture + rng.normal(0, noise_nm, texture.shape)).astype(np.float32)


def repeated(work: Callable[[], object], repeats: int) -> Times:
    """Times of the work; one run before the clocks start."""
    work()
    times = Times()
    for _ in range(repeats):
        times.add(work)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    height = surface(options.size)
    treatment = Treatment("plane", s_nm=50.0)

    def ours() -> object:
        return evaluate(prepare_surface(height, PIXEL_NM, treatment))

    def lines() -> object:
        last = options.size - 1
        ends = [((0, 0), (last, last)), ((0, last), (last, 0)), ((last // 2, 0), (last // 2, last))]
        return [sample_line(height, PIXEL_NM, a, b, 5, spacing_nm=PIXEL_NM) for a, b in ends]

    figures: dict[str, float | int | str] = {
        **conditions(),
        "size": options.size,
        "parameters": len(evaluate(prepare_surface(height, PIXEL_NM, treatment))),
        **repeated(ours, options.repeats).figures("full areal set with levelling and S filter"),
        **repeated(lines, options.repeats).figures("three profiles, 5 pixels wide"),
    }
    try:
        from surfalize import Surface
    except ImportError:
        figures["surfalize"] = "not installed"
    else:
        # surfalize counts in micrometres and raises on NaN; its own default set, without filter.
        micrometres = height.astype(np.float64) / 1e3

        def theirs() -> object:
            return Surface(micrometres, PIXEL_NM / 1e3, PIXEL_NM / 1e3).roughness_parameters()

        figures["surfalize parameters"] = len(Surface(micrometres, 0.01, 0.01).roughness_parameters())
        figures |= repeated(theirs, max(3, options.repeats // 2)).figures("surfalize")
    print_figures(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
