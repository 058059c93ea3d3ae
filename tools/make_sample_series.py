"""Make the sample data: a movie of copper oxidised and reduced, an imprint to calibrate on, an AFM map, the truth.

    python tools/make_sample_series.py

simulates every electron (24 frames and the imprint: about an hour on one core), keeps what is finished in
build/sample_series and goes on from there when it is started again. With ``--recording-only`` it takes the
electrons from the truth folder instead (some ten seconds), to change gains, noise, the AFM map or the files.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from sample_series import afm, electrons, recording, truth

from napari_sem4d.io.height_map import height_map
from napari_sem4d.io.surfaces import write_surface
from napari_sem4d.simulation.redox import movie

REPO = Path(__file__).resolve().parent.parent
PLACE = REPO / "src" / "napari_sem4d" / "sample_data"
WORK = REPO / "build" / "sample_series"
COUNTS = {"frame": "electrons_redox.tif", "target": "electrons_vickers.tif"}
SEED = 20261122


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording-only", action="store_true", help="use the electrons of the truth folder")
    if parser.parse_args().recording_only:
        sums = {kind: _held(PLACE / "truth" / name) for kind, name in COUNTS.items()}
    else:
        electrons.run_all(WORK)
        sums = electrons.collected(WORK)
    install(sums)


def install(sums: dict[str, tuple[np.ndarray, int]]) -> None:
    """Put everything in place of what is there, once it is complete."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "sample_data"
        write(made, *sums["frame"], *sums["target"])
        for old in ("redox", "vickers", "afm", "truth"):
            shutil.rmtree(PLACE / old, ignore_errors=True)
        shutil.copytree(made, PLACE, dirs_exist_ok=True)


def write(place: Path, sums: np.ndarray, sent: int, target_sums: np.ndarray, target_sent: int) -> None:
    """Write everything but the README.

    Parameters
    ----------
    place : Path
    sums, target_sums : ndarray, shape (T, K, Y, X) and (1, K, Y, X), uint16
        Sums of the weights of the electrons that each segment counted, in units of ``electrons.UNIT``.
    sent, target_sent : int
        Electrons a pixel.
    """
    rng = np.random.default_rng(SEED)
    surface, segments = movie.redox(), electrons.segments()
    known = {
        "beam": {"energy_kev": electrons.ENERGY_KEV, "probe_nm": electrons.PROBE_NM, "current_na": 0.5},
        "material": "Cu",
        "pixel_nm": movie.PIXEL_NM,
        "time": list(movie.TIMES_S),
    }
    frames = []
    for t, (counted, beam) in enumerate(zip(sums, movie.beam_factors(), strict=True)):
        grains = movie.surface(surface, t).relative_yield
        frames.append(recording.record(counted * electrons.UNIT / sent * grains * beam, rng))
    recording.write_series(place / "redox", frames, segments, known)
    target = recording.record(target_sums[0] * electrons.UNIT / target_sent, rng)
    here = {k: v for k, v in known.items() if k != "time"} | {"pixel_nm": electrons.TARGET_PIXEL_NM}
    recording.write_series(place / "vickers", [target], segments, here)
    command = [
        sys.executable,
        "-m",
        "napari_sem4d.cli",
        "calibrate",
        str(place / "vickers"),
        "--reference",
        "vickers",
    ]
    subprocess.run([*command, "--out", str(place / "calibration.yaml")], check=True)
    (place / "afm").mkdir()
    probed = afm.scan(surface, movie.TIMES_S[-1], rng)
    pixel = (afm.PIXEL_NM, afm.PIXEL_NM)
    write_surface(place / "afm" / "after_reaction.gsf", height_map(probed, pixel, "AFM after the reaction"))
    truth.write(place / "truth", surface, _recorded(sent, target_sent))
    for kind, stack, number in (("frame", sums, sent), ("target", target_sums, target_sent)):
        tifffile.imwrite(
            place / "truth" / COUNTS[kind],
            stack,
            compression="zlib",
            compressionargs={"level": 9},
            predictor=True,
            description=f"electrons_per_pixel={number}",
        )


def _held(path: Path) -> tuple[np.ndarray, int]:
    with tifffile.TiffFile(path) as file:
        return file.asarray().reshape(-1, 4, movie.SIZE, movie.SIZE), int(file.pages[0].description.split("=")[1])


def _recorded(sent: int, target_sent: int) -> dict[str, object]:
    low, high = afm.MIDDLE_NM
    return {
        "electrons_per_pixel": {"redox": sent, "vickers": target_sent},
        "segments": {
            f"Q{k + 1}": {"gain": gain * recording.GREY_PER_SIGNAL, "offset": offset}
            for k, (gain, offset) in enumerate(zip(recording.GAINS, recording.BRIGHTNESS, strict=True))
        },
        "amplifier_noise_signal": recording.AMPLIFIER,
        "afm": {
            "frame": len(movie.TIMES_S) - 1,
            "turned_deg": afm.TURN_DEG,
            "middle_x_nm": low,
            "middle_y_nm": high,
            "tip_radius_nm": afm.TIP_RADIUS_NM,
            "cone_half_angle_deg": afm.CONE_HALF_DEG,
            "pixel_noise_nm": afm.NOISE_NM,
            "line_noise_nm": afm.LINE_NOISE_NM,
            "slope_x": afm.LEAN[0],
            "slope_y": afm.LEAN[1],
            "z_scale": afm.Z_SCALE,
        },
    }


if __name__ == "__main__":
    main()
