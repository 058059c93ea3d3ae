"""The truth beside the sample series: maps, and the figures of the growth model as tables."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import yaml

from napari_sem4d.simulation.redox import FAMILIES, Redox, model, movie

STEP_NM = 0.01
"""Heights are rounded to this: what compression then saves is half of the file."""


def write(folder: Path, surface: Redox, recording: dict[str, Any]) -> None:
    """Write maps and tables.

    Parameters
    ----------
    folder : Path
    surface : Redox
    recording : dict
        What the microscope did, as it stands in ``truth.yaml``.
    """
    folder.mkdir(parents=True)
    frames = range(len(movie.TIMES_S))
    imaged = [movie.surface(surface, t) for t in frames]
    still = [movie.surface(surface, t, drifted=False) for t in frames]
    _maps(folder / "height_nm.tif", [s.height_nm for s in imaged])
    _maps(folder / "oxide_nm.tif", [s.oxide_nm for s in imaged])
    _maps(folder / "height_without_drift_nm.tif", [s.height_nm for s in still])
    _write_islands(folder / "islands.csv", surface)
    _write_frames(folder / "frames.csv", surface)
    (folder / "truth.yaml").write_text(yaml.safe_dump(_figures() | recording, sort_keys=False), encoding="utf-8")


def _maps(path: Path, maps: list[np.ndarray]) -> None:
    rounded = (np.round(np.array(maps) / STEP_NM) * STEP_NM).astype(np.float32)
    tifffile.imwrite(path, rounded, compression="zlib", compressionargs={"level": 9}, predictor=3)


def _figures() -> dict[str, Any]:
    return {
        "oxidation_end_s": model.OXIDATION_END_S,
        "facets": {
            name: {
                "plane_of_the_grain": name,
                "side_faces": kind.folds,
                "inclination_deg": round(kind.inclination_deg, 3),
                "side_growth_nm_s": kind.side_growth_nm_s,
                "side_reduction_nm_s": -kind.side_reduction_nm_s,
                "top_growth_nm_s": kind.top_growth_nm_s,
                "top_reduction_nm_s": -kind.top_reduction_nm_s,
            }
            for name, kind in FAMILIES.items()
        },
        "copper_consumed_below_an_island_over_its_height": model.INGROWTH,
        "share_of_a_pit_filled_up_by_reduction": model.REFILL,
        "static_corner": {
            "first_row": 0,
            "first_column": 0,
            "rows": movie.STATIC_PX,
            "columns": movie.STATIC_PX,
            "of": "frame 0; the drift moves it",
        },
    }


def _write_islands(path: Path, surface: Redox) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(
            ["x_nm", "y_nm", "z_nm", "nucleation_s", "reduction_s", "grain", "family", "first_azimuth_deg"]
        )
        for island in surface.islands:
            numbers = (island.x_nm, island.y_nm, island.z_nm, island.nucleation_s, island.reduction_s)
            table.writerow(
                [*(f"{v:.2f}" for v in numbers), island.grain, island.family, f"{island.azimuth_deg:.2f}"]
            )


def _write_frames(path: Path, surface: Redox) -> None:
    """Figures of frame 0's area, so that drift does not change them."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(
            ["time_s", "drift_x_nm", "drift_y_nm", "beam_factor", "oxide_um3", "oxide_cover", "mean_nm"]
        )
        drifts, beams = movie.drift_nm(), movie.beam_factors()
        for t, time_s in enumerate(movie.TIMES_S):
            state = movie.surface(surface, t, drifted=False)
            volume = float(state.oxide_nm.sum()) * movie.PIXEL_NM**2 * 1e-9
            cover = float((state.oxide_nm > 0).mean())
            seen = [f"{time_s:.1f}", *(f"{d:.2f}" for d in drifts[t]), f"{beams[t]:.4f}"]
            table.writerow([*seen, f"{volume:.6f}", f"{cover:.4f}", f"{state.height_nm.mean():.3f}"])
