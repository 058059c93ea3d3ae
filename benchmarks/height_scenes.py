"""Monte Carlo images of the surfaces in ``height_scenes.yaml``, kept in a folder and used by other benchmarks.

    python benchmarks/height_scenes.py --cache FOLDER [--role tuning|final] [--threads N]

Makes the images that the folder lacks: about three minutes a scene on one thread.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo import Binning, Specimen, detector_weights, simulate
from napari_sem4d.physics.planar_table import planar_table
from napari_sem4d.physics.scenes import make_scene

GAIN = 1e4
BINS = Binning(12, 16, 16)


@dataclass(frozen=True)
class HeightScene:
    """A surface with its images.

    Attributes
    ----------
    name, role : str
    size : float
        Of the features, in ranges R.
    height : ndarray, shape (Y, X)
        nm.
    signals, errors : ndarray, shape (K, Y, X)
        Signal units at a gain of :data:`GAIN`, and the standard error of each.
    """

    name: str
    role: str
    size: float
    parameters: dict[str, float]
    height: np.ndarray
    signals: np.ndarray
    errors: np.ndarray


@cache
def plan() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return found


def names(role: str | None = None) -> list[str]:
    return [name for name, about in plan()["scenes"].items() if role in (None, about["role"])]


def range_nm() -> float:
    return float(material(plan()["material"]).range_nm(plan()["energy_kev"]))


def rho50_nm() -> float:
    return float(planar_table(material(plan()["material"]), plan()["energy_kev"]).rho50_nm)


def segments(gain: float = 1.0) -> tuple[Segment, ...]:
    count, polar = plan()["segments"], tuple(plan()["polar_deg"])
    half = 180.0 / count
    return tuple(
        Segment(name=f"S{i}", polar_deg=polar, azimuth_deg=(2 * half * i - half, 2 * half * i + half), gain=gain)
        for i in range(count)
    )


def setup() -> ForwardSetup:
    instrument = Instrument(beam=Beam(energy_kev=plan()["energy_kev"]), detector=Detector(segments=segments(GAIN)))
    return ForwardSetup(instrument, material(plan()["material"]), plan()["pixel_nm"])


def load(name: str, folder: Path, threads: int | None = None) -> HeightScene:
    """A scene with its images; simulated where the folder lacks it."""
    about, p = plan()["scenes"][name], plan()
    kept = folder / f"scene-{name.replace(' ', '-')}.npz"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        lengths = {key: share * about["size"] * range_nm() / rho50_nm() for key, share in about["lengths"].items()}
        shape = (p["side"], p["side"])
        scene = make_scene(
            about["family"], shape, p["pixel_nm"], rho50_nm(), about["seed"], **lengths, **about["others"]
        )
        specimen = Specimen.around(
            scene.height_nm,
            p["pixel_nm"],
            material(p["material"]),
            p["energy_kev"],
            surroundings=scene.surroundings,
        )
        counts = simulate(
            specimen, p["energy_kev"], p["electrons"], seed=about["seed"], binning=BINS, threads=threads
        )
        signals, errors = counts.signals(detector_weights(segments(), BINS, p["energy_kev"]))
        partial = kept.with_suffix(f".{os.getpid()}.part")
        with partial.open("wb") as file:
            np.savez(file, height=scene.height_nm, sig=signals.reshape(-1, *shape), err=errors.reshape(-1, *shape))
        partial.replace(kept)
    with np.load(kept) as file:
        return HeightScene(
            name, about["role"], about["size"], about["others"],
            file["height"], GAIN * file["sig"], GAIN * file["err"],
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--role", choices=("tuning", "final"))
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    for name in names(arguments.role):
        start = time.perf_counter()
        scene = load(name, arguments.cache, arguments.threads)
        noise = float(scene.errors.mean() / scene.signals.mean())
        print(
            f"{name:13s} ({scene.role}): relief {scene.height.std():5.1f} nm rms, {noise:.1%} noise, "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
