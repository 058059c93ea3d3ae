"""Does the Monte Carlo check pass what the engine vift finds and fail what the engine local finds?

    python benchmarks/vift_verify.py --cache FOLDER [--scene NAME ...] [--role tuning|final] [--pixels 4000]
                                     [--electrons 1500] [--threads N] [--json OUT.json]

The surfaces of ``height_scenes.yaml`` (copper, 5 kV, 80 x 80 pixels of 12 nm, eight segments, about 10 % noise a
pixel and segment). Each is written as a series, reconstructed with either engine under the same calibration (the
true gains, offsets and angles, so heights and yields are all that is unknown), and verified from its files, as a
user would; the row "truth" is the true surface, so that it is seen what the check itself leaves. Seeds of the
check differ from those of the images.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import height_scenes
import numpy as np
import tifffile
import yaml

from napari_sem4d import api
from napari_sem4d.inversion.calibration import Calibration
from napari_sem4d.io.store import ResultStore
from napari_sem4d.settings import Settings

SEED = 1000
ENGINES = ("local", "vift")


def write_series(scene: height_scenes.HeightScene, folder: Path) -> Path:
    """The images as float TIFF with their description."""
    plan = height_scenes.plan()
    folder.mkdir()
    segments = height_scenes.segments(height_scenes.GAIN)
    for segment, image in zip(segments, scene.signals, strict=True):
        tifffile.imwrite(folder / f"0000_{segment.name}.tif", image.astype(np.float32))
    description = {
        "beam": {"energy_kev": plan["energy_kev"]},
        "material": plan["material"],
        "pixel_nm": plan["pixel_nm"],
        "detector": {"segments": [s.model_dump(mode="json") for s in segments]},
        "files": "{time:04d}_{segment}.tif",
    }
    (folder / "acquisition.yaml").write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
    return folder


def calibration(engine: str) -> Calibration:
    plan = height_scenes.plan()
    return Calibration(
        reference="vickers",
        material=plan["material"],
        energy_kev=plan["energy_kev"],
        engine=engine,
        segments=height_scenes.segments(height_scenes.GAIN),
        scale_uncertainty=0.01,
    )


def claim(path: Path, like: Path, height: np.ndarray) -> Path:
    """A result that claims a surface, otherwise like another one."""
    with api.open_result(like) as result:
        attrs = {k: v for k, v in result.attrs.items() if k not in ("pixel_nm", "format", "format_version")}
        store = ResultStore.create(
            path, times=[0.0], shape=height.shape, pixel_nm=float(result.attrs["pixel_nm"]), attrs=attrs
        )
    ones = np.ones_like(height)
    store.write_frame(
        0, height=height - height.mean(), height_std=ones, relative_yield=ones,
        quality=np.zeros(height.shape, np.uint16), misfit=1.0,
    )  # fmt: skip
    return path


def verified(path: Path, options: dict[str, Any]) -> dict[str, Any]:
    start = time.perf_counter()
    found = api.verify(path, seed=SEED, **options)
    scale, effect = found.comparison.height_scale, found.comparison.effect
    with api.open_result(path) as result:
        misfit = float(result["misfit"][0])
    return {
        "verdict": found.verdict,
        "height_scale": None if scale is None else [scale.value, scale.low, scale.high],
        "effect": [effect.value, effect.low, effect.high],
        "misfit": misfit,
        "verify_seconds": time.perf_counter() - start,
    }


def judged(name: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of one scene: truth, local, vift."""
    scene = height_scenes.load(name, arguments.cache, arguments.threads)
    options = {"pixels": arguments.pixels, "electrons": arguments.electrons, "threads": arguments.threads}
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        folder = write_series(scene, Path(place) / "images")
        series = api.open_series(folder)
        stores = {}
        for engine in ENGINES:
            out = Path(place) / f"{engine}.zarr"
            stores[engine] = api.reconstruct(series, out, Settings(engine=engine), calibration(engine))
        stores = {"truth": claim(Path(place) / "truth.zarr", stores["local"], scene.height), **stores}
        for source, store in stores.items():
            with api.open_result(store) as result:
                difference = result["height"][0].values - scene.height
            row = {"scene": name, "surface": source, "error_nm": float(np.std(difference))}
            rows.append(row | verified(store, options))
            print(line(rows[-1]), flush=True)
    return rows


def line(row: dict[str, Any]) -> str:
    scale = row["height_scale"]
    height = "-" if scale is None else f"{scale[0]:.3f} ({scale[1]:.3f} to {scale[2]:.3f})"
    value, low, high = row["effect"]
    effect = f"{value:.3f} ({low:.3f} to {high:.3f})"
    return (
        f"{row['scene']:14s} | {row['surface']:6s} | {row['error_nm']:6.2f} | {row['misfit']:6.2f} | "
        f"{height:>24s} | {effect} | {row['verdict']:15s} | {row['verify_seconds']:4.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--scene", action="append", default=[])
    parser.add_argument("--role", choices=("tuning", "final"))
    parser.add_argument("--pixels", type=int, default=4000)
    parser.add_argument("--electrons", type=int, default=1500)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print("scene          | surface | error, nm | misfit | height scale | effect | verdict | time")
    rows: list[dict[str, Any]] = []
    for name in arguments.scene or height_scenes.names(arguments.role):
        rows += judged(name, arguments)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
