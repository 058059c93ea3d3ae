"""What each engine makes of the sample movie, with its own calibration on the imprint: the table of its README.

    python benchmarks/sample_movie.py [--frames 0 6 11 14 18 23] [--engines local vift]

Relief is the rms of the true height, error the rms of found minus true heights, each without its mean; scale is
the slope of found over true heights. Seconds are those of a whole run over these frames.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import torch

from napari_sem4d import api
from napari_sem4d.settings import Settings


def take(frames: list[int], engine: str, folder: Path) -> Settings:
    """Copy these frames of the movie into a folder; return what is known of them."""
    series = api.open_series(api.sample_series())
    times = tuple(float(series.signal["time"].values[t]) for t in frames)
    for t in frames:
        for path in api.sample_series().glob(f"{t:04d}_*.tif"):
            shutil.copy(path, folder)
    beam, known = series.instrument.beam, {"times_s": times}
    return Settings(engine=engine, beam=beam, material="Cu", pixel_nm=series.pixel_nm, time=known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[0, 6, 11, 14, 18, 23])
    parser.add_argument("--engines", nargs="+", default=["local", "vift"])
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    place = api.sample_series().parent
    truth = tifffile.imread(place / "truth" / "height_nm.tif").astype(np.float64)
    imprint = api.open_series(place / "vickers")
    for engine in arguments.engines:
        calibration = api.calibrate(imprint, "vickers", settings=Settings(engine=engine))
        with tempfile.TemporaryDirectory() as folder:
            known = take(arguments.frames, engine, Path(folder))
            start = time.perf_counter()
            out = api.reconstruct(api.open_series(folder, known), Path(folder) / "r.zarr", known, calibration)
            seconds = time.perf_counter() - start
            result = api.open_result(out)
            heights, misfits = result["height"].values, result["misfit"].values
        print(f"{engine}: {seconds:.0f} s for {len(arguments.frames)} frames")
        for frame, height, misfit in zip(arguments.frames, heights, misfits, strict=True):
            true = truth[frame] - truth[frame].mean()
            height = height - height.mean()
            scale = float((height * true).sum() / (true**2).sum())
            error = float(np.std(height - true))
            print(f"  frame {frame:2d}: relief {true.std():5.1f} nm, error {error:4.1f} nm, scale {scale:.2f}, "
                  f"misfit {float(misfit):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
