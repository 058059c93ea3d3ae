"""Calibration on the real Vickers imprint: residual, left-out faces, and the reconstructed geometry.

    python benchmarks/vickers.py [FOLDER] [--engine NAME ...] [--no-reconstruction] [--json FILE]

FOLDER holds the three segment images (default: ../shared/data/vickers beside the repository, or the folder that
the variable SEM4D_SHARED_DATA names). No row was chosen by its left-out faces: the first is the default of the
package (engine `local` on a modelled pit: shadows and bounces count), the second leaves the faces without one
another, and the others change one thing each in the second; the last give the detector a threshold. --engine
adds other engines on the modelled pit, and reconstructions of the imprint's surroundings alone, by `local` and by
each.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_sem4d import api
from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument
from napari_sem4d.forward.engine import EngineName, ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.inversion.calibration import Calibration, describe
from napari_sem4d.inversion.imprint import ImprintOutline
from napari_sem4d.inversion.imprint_fit import ImprintFit, fit_imprint
from napari_sem4d.inversion.imprint_geometry import measure_imprint
from napari_sem4d.inversion.imprint_model import EngineRegions, PlanarRegions, RegionModel, pit
from napari_sem4d.inversion.imprint_problem import ImprintProblem
from napari_sem4d.inversion.leave_one_out import angle_between, leave_one_face_out, solve_face
from napari_sem4d.inversion.regions import plane_trend, region_means
from napari_sem4d.inversion.vickers import (
    FACE_NAMES,
    ImprintData,
    VickersSettings,
    calibrate_vickers,
    make_problem,
    measure_regions,
    nominal_segments,
)
from napari_sem4d.physics.local_law import AnalyticLaw
from napari_sem4d.physics.materials import material
from napari_sem4d.settings import Settings

MATERIAL = "Fe"
SURROUNDINGS = 200
MARGINS = (0.05, 0.08, 0.1, 0.15)


@dataclass(frozen=True)
class PowerLaw:
    """Lambert's law with another exponent of the exit angle's cosine, same yield."""

    base: AnalyticLaw
    exponent: float

    def emission(self, tilt: np.ndarray, polar: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
        cosine = np.cos(tilt) * np.cos(polar) + np.sin(tilt) * np.sin(polar) * np.cos(azimuth)
        shape = np.maximum(cosine, 1e-12) ** (self.exponent - 1) * (self.exponent + 1) / 2
        return self.base.emission(tilt, polar, azimuth) * shape


def plain_means(signals: np.ndarray, data: ImprintData, margin: float) -> ImprintData:
    """The same regions averaged as they are: saturated pixels and debris counted in, shading left."""
    shape = signals.shape[1:]
    masks = [*data.outline.face_masks(shape, margin), data.outline.flat_mask(shape)]
    mean = np.array([[image[mask].mean() for image in signals] for mask in masks])
    return replace(data, means=replace(data.means, mean=mean))


def default_folder() -> Path:
    here = Path(__file__).resolve().parents[1]
    return Path(os.environ.get("SEM4D_SHARED_DATA", here.parent / "shared" / "data")) / "vickers"


def row(
    name: str, data: ImprintData, settings: VickersSettings, model: RegionModel, series: Any
) -> dict[str, Any]:
    start = time.perf_counter()
    problem = make_problem(data, nominal_segments(series, settings), settings, model)
    fit = fit_imprint(problem)
    left = leave_one_face_out(problem, FACE_NAMES, fit.layout.model)
    residual = 100 * fit.residual_of_flat
    return {
        "name": name,
        "residual_percent": residual.round(3).tolist(),
        "residual_rms_percent": float(np.sqrt(np.mean(residual**2))),
        "residual_rms_by_region_percent": np.sqrt(np.mean(residual**2, axis=1)).round(3).tolist(),
        "face_yield": fit.face_yield,
        "chi_square": fit.chi_square,
        "polar_deg": fit.segments[0].polar_deg,
        "left_out_normal_deg": [face.normal_error_deg for face in left],
        "left_out_inclination_deg": [face.inclination_error_deg for face in left],
        "left_out_residual_percent": [list(face.residual_percent) for face in left],
        "seconds": time.perf_counter() - start,
    }


def variants(series: Any, signals: np.ndarray, engines: list[str]) -> list[dict[str, Any]]:
    iron, energy = material(MATERIAL), float(series.instrument.beam.energy_kev)
    settings = VickersSettings()
    data = measure_regions(signals, settings.margin, series.saturation)
    local = PlanarRegions(iron, energy)
    lambert = AnalyticLaw.of(iron, energy)
    cases: list[tuple[str, ImprintData, VickersSettings, RegionModel]] = [
        ("default", data, settings, EngineRegions("local", iron, energy)),
        (
            "default, yield of faces fixed",
            data,
            _with(settings, face_yield_std=0.0),
            EngineRegions("local", iron, energy),
        ),
        ("planes without one another", data, settings, local),
        ("planes, analytic law", data, settings, PlanarRegions(iron, energy, lambert)),
        ("planes, yield of faces fixed", data, _with(settings, face_yield_std=0.0), local),
        (
            "planes, analytic law, yield of faces fixed",
            data,
            _with(settings, face_yield_std=0.0),
            PlanarRegions(iron, energy, lambert),
        ),
        ("saturation, debris, shading averaged in", plain_means(signals, data, settings.margin), settings, local),
        ("axis upright", data, _with(settings, free_axis_tilt=False), local),
        ("offsets hardly bound", data, _with(settings, offset_std=5.0), local),
        ("offsets bound to 0.1", data, _with(settings, offset_std=0.1), local),
    ]
    for polar in ((10.0, 35.0), (15.0, 45.0), (25.0, 65.0), (30.0, 70.0), (40.0, 80.0)):
        fixed = _with(settings, free_polar=False, polar_deg=polar)
        cases.append((f"polar range {polar[0]:g} to {polar[1]:g}", data, fixed, local))
    for exponent in (0.8, 1.2):
        law = PlanarRegions(iron, energy, PowerLaw(lambert, exponent))
        cases.append((f"cosine to the power {exponent:g}", data, settings, law))
    for margin in (0.15, 0.2):
        other = measure_regions(signals, margin, series.saturation)
        cases.append((f"margin {margin:g}", other, settings, local))
    whole = EngineRegions("local", iron, energy)
    for geometry in (("segment_azimuths",), ("working_distance",)):
        named = "free: " + geometry[0].replace("_", " ")
        cases.append((named, data, _with(settings, free_geometry=geometry), whole))
    half = 0.5 * data.outline.diagonal * float(series.pixel_nm)
    for engine in engines:
        model = EngineRegions(engine, iron, energy, half, float(series.pixel_nm), side=40)
        cases.append((f"engine {engine}, whole pit", data, settings, model))
    rows = [row(name, d, s, m, series) for name, d, s, m in cases]
    fixed_yield = _with(settings, face_yield_std=0.0)
    for threshold in (1.0, 2.0, 3.0):
        name = f"threshold {threshold:g} keV, yield of faces fixed"
        rows.append(row(name, data, fixed_yield, whole, _above(series, settings, threshold)))
    return rows


PARTS = (("inner", 0.0, 0.55), ("middle", 0.55, 0.72), ("outer", 0.72, 1.0))
"""Bands of a face by the share of the way from the pit's centre to the rim."""


def by_part(series: Any, signals: np.ndarray) -> list[dict[str, Any]]:
    """Slopes of the inner, middle and outer part of every face, with one and the same calibration.

    Whatever is wrong with the detector (angles, gains, offsets) is the same for all pixels of an image: it
    cannot make parts of a face differ. A face that is not plane can, and so can bounces: "plane faces" are the
    parts of a pit of plane faces, modelled with the calibrated detector.
    """
    iron, energy, settings = material(MATERIAL), float(series.instrument.beam.energy_kev), VickersSettings()
    data = measure_regions(signals, settings.margin, series.saturation)
    problem = make_problem(
        data, nominal_segments(series, settings), settings, EngineRegions("local", iron, energy)
    )
    fit = fit_imprint(problem)
    half, side = 60.0, 192
    height, _ = pit(fit.slopes, half, 100.0, side)
    middle = (side - 1) / 2
    modelled = replace(data.outline, row=middle, col=middle, half_diagonals=(half,) * 4)
    detector = Detector(segments=fit.segments)
    setup = ForwardSetup(Instrument(beam=Beam(energy_kev=energy), detector=detector), iron, 100.0)
    surface = torch.as_tensor(height, dtype=torch.float32)
    clean = make_engine("local", setup).expected_signals(surface, torch.ones_like(surface)).numpy()
    lean = outline_lean(data.outline, settings.inclination_deg)
    fitted = [(v, e) for n, v, e in zip(fit.names, fit.values, fit.std, strict=True) if n.startswith("axis tilt")]
    print(f"lean of the axis towards x and y, deg: {lean[0]:.2f} {lean[1]:.2f} from the outline, ", end="")
    print(" ".join(f"{v:.2f} +- {e:.2f}" for v, e in fitted), "from the signals")
    rows = _parts("measured", signals, data.outline, problem, fit, series.saturation)
    return rows + _parts("plane faces", clean.astype(np.float64), modelled, problem, fit, None)


def _parts(
    name: str, signals: np.ndarray, outline: ImprintOutline, problem: ImprintProblem, fit: ImprintFit, full: Any
) -> list[dict[str, Any]]:
    shape = signals.shape[1:]
    along, across = outline.local(shape)
    faces, flat = outline.face_masks(shape, 0.1), outline.flat_mask(shape)
    depth = np.zeros(shape)
    for j, (u, v) in enumerate(((along, across), (across, -along), (-along, -across), (-across, along))):
        share = u / outline.half_diagonals[j] + v / outline.half_diagonals[(j + 1) % 4]
        depth = np.where(faces[j], share, depth)
    trend = plane_trend(signals, flat, outline.row, outline.col)
    rows = []
    for part, low, high in PARTS:
        masks = np.concatenate([faces & (depth > low) & (depth <= high), flat[None]])
        means = region_means(signals, masks, full, max(4, int(outline.diagonal / 12)), trend)
        these = replace(problem, mean=means.mean, standard_error=means.standard_error)
        solved = [solve_face(fit, face, these) for face in range(4)]
        rows.append(
            {
                "part": f"{name}, {part}",
                "inclination_deg": [float(np.degrees(np.arctan(np.hypot(*s)))) for s in solved],
                "normal_error_deg": [
                    float(np.degrees(angle_between(fit.slopes[f], s))) for f, s in enumerate(solved)
                ],
                "inclination_std_deg": [_inclination_std(fit, these, face) for face in range(4)],
            }
        )
    return rows


def _inclination_std(fit: ImprintFit, problem: ImprintProblem, face: int) -> float:
    """Standard error of a face's inclination from that of its mean signals, degrees."""
    step, columns = 1e-3, []
    for axis in range(2):
        ends = []
        for sign in (1, -1):
            slopes = fit.slopes.copy()
            slopes[face, axis] += sign * step
            ends.append(fit.layout.signals(fit.x, slopes)[face])
        columns.append((ends[0] - ends[1]) / (2 * step) / problem.standard_error[face])
    design, slope = np.stack(columns, axis=1), fit.slopes[face]
    uphill = slope / np.hypot(*slope)
    error = np.sqrt(uphill @ np.linalg.inv(design.T @ design) @ uphill)
    return float(np.degrees(error / (1 + slope @ slope)))


def outline_lean(outline: ImprintOutline, inclination_deg: float) -> np.ndarray:
    """Lean of the axis towards +x and +y that makes the half diagonals differ, degrees: no signal enters.

    A pit whose axis leans by t has half diagonals in the ratio tan(a + t) to tan(a - t), a the inclination of
    its edges.
    """
    edge = np.arctan(np.tan(np.radians(inclination_deg)) / np.sqrt(2))
    d = outline.half_diagonals
    along, across = (0.5 * np.sin(2 * edge) * (d[i] - d[i + 2]) / (d[i] + d[i + 2]) for i in (0, 1))
    cos, sin = np.cos(outline.rotation_rad), np.sin(outline.rotation_rad)
    return np.degrees([along * cos - across * sin, along * sin + across * cos])


def _above(series: Any, settings: VickersSettings, threshold_kev: float) -> Any:
    """The series with a detector that misses electrons below a threshold."""
    segments = tuple(
        s.model_copy(update={"threshold_kev": threshold_kev}) for s in nominal_segments(series, settings)
    )
    detector = series.instrument.detector.model_copy(update={"segments": segments})
    return replace(series, instrument=series.instrument.model_copy(update={"detector": detector}))


def _with(settings: VickersSettings, **update: object) -> VickersSettings:
    return VickersSettings(**{**settings.model_dump(), **update})


def table(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'':42s}{'rms %':>7s}{'chi2':>7s}{'yield':>7s}  polar range   left-out normal, deg        worst"]
    for r in rows:
        left = "".join(f"{v:6.2f}" for v in r["left_out_normal_deg"])
        low, high = r["polar_deg"]
        figures = f"{r['residual_rms_percent']:7.2f}{r['chi_square']:7.1f}{r['face_yield']:7.3f}"
        lines.append(
            f"{r['name']:42s}{figures}  {low:5.1f}-{high:4.1f} {left}{max(r['left_out_normal_deg']):9.2f}"
        )
    for r in rows[:4]:
        lines.append(f"\n{r['name']}: residual, % of the flat signal, by face (the last is the flat) and segment")
        lines += ["  " + "".join(f"{v:8.2f}" for v in line) for line in r["residual_percent"]]
    return "\n".join(lines)


def reconstruct(
    series: Any, calibration: Calibration, engine: EngineName, half: int | None = None
) -> dict[str, Any]:
    """Geometry of the reconstructed pit; of so many pixels on either side of its centre where ``half`` says so."""
    known = replace(series, instrument=calibration.apply(series.instrument))
    outline = measure_regions(np.asarray(series.signal[0].values, np.float64)).outline
    if half is not None:
        top, left = int(outline.row) - half, int(outline.col) - half
        part = known.signal.isel(y=slice(top, top + 2 * half), x=slice(left, left + 2 * half))
        known = replace(known, signal=part)
        outline = replace(outline, row=outline.row - top, col=outline.col - left)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        settings = Settings(material=MATERIAL, engine=engine)
        store = api.reconstruct(known, Path(folder) / "imprint.zarr", settings, calibration)
        seconds = time.perf_counter() - start
        with api.open_result(store) as result:
            height, misfit = result.height[0].values, float(result.misfit[0])
    out: dict[str, Any] = {"seconds": seconds, "misfit": misfit, "by_margin": {}}
    print(f"{engine}: reconstructed in {seconds:.1f} s, reduced chi-square {misfit:.3f}")
    print("margin  mean deg  opposite deg   azimuth steps deg           lean deg depth nm  over diagonal/7  pit")
    for margin in MARGINS:
        g = measure_imprint(height, float(series.pixel_nm), outline, margin)
        steps = " ".join(f"{v:6.2f}" for v in g.azimuth_step_deg)
        first, second = g.opposite_angle_deg
        print(
            f"{margin:6.2f}{g.mean_inclination_deg:10.2f}   {first:.2f} {second:.2f}"
            f"  {steps}{g.axis_tilt_deg:7.2f}{g.depth_nm:12.0f}"
            f"{g.depth_over_seventh_of_diagonal:16.3f}  {g.is_pit}"
        )
        out["by_margin"][str(margin)] = {
            "inclination_deg": g.inclination_deg.tolist(),
            "mean_inclination_deg": g.mean_inclination_deg,
            "opposite_angle_deg": list(g.opposite_angle_deg),
            "azimuth_step_deg": g.azimuth_step_deg.tolist(),
            "axis_tilt_deg": g.axis_tilt_deg,
            "depth_nm": g.depth_nm,
            "depth_over_seventh_of_diagonal": g.depth_over_seventh_of_diagonal,
            "is_pit": g.is_pit,
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description="Calibration on the real Vickers imprint.")
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder())
    parser.add_argument("--engine", action="append", default=[], help="also with this engine")
    parser.add_argument("--no-reconstruction", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.folder.is_dir():
        print(f"the images are not at {options.folder}: nothing to do")
        return
    series = api.open_series(options.folder, Settings(material=MATERIAL))
    signals = np.asarray(series.signal[0].values, dtype=np.float64)
    rows = variants(series, signals, options.engine)
    print(table(rows), end="\n\n")
    parts = by_part(series, signals)
    print("part of the face: inclination of each face, deg; angle to the face as calibrated, deg")
    for part in parts:
        pairs = zip(part["inclination_deg"], part["inclination_std_deg"], strict=True)
        tilts = "".join(f"{v:7.2f} +-{e:5.2f}" for v, e in pairs)
        print(f"{part['part']:20s}{tilts} |" + "".join(f"{v:6.2f}" for v in part["normal_error_deg"]))
    figures: dict[str, Any] = {"variants": rows, "parts": parts}
    if not options.no_reconstruction:
        calibration = calibrate_vickers(series, engine="local")
        print(describe(calibration), end="\n\n")
        figures["reconstruction"] = reconstruct(series, calibration, "local")
        if options.engine:
            around = ("local", *options.engine)
            figures["surroundings"] = {e: reconstruct(series, calibration, e, SURROUNDINGS) for e in around}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
