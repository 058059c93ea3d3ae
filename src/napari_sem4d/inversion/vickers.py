"""Calibration on a Vickers imprint: four faces of known inclination and the flat around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_sem4d.acquisition.instrument import Instrument, Segment
from napari_sem4d.acquisition.orientation import segments_in_image
from napari_sem4d.acquisition.pixels import pixels_of
from napari_sem4d.acquisition.series import SemSeries
from napari_sem4d.errors import SettingsError
from napari_sem4d.forward.engine import EngineName
from napari_sem4d.inversion.calibration import (
    CalibratedParameter,
    Calibration,
    ResidualTable,
    input_files,
)
from napari_sem4d.inversion.geometry import ASSUMED_STD, check_free, refuse_undetermined
from napari_sem4d.inversion.imprint import ImprintOutline, find_imprint
from napari_sem4d.inversion.imprint_fit import ImprintFit, fit_imprint
from napari_sem4d.inversion.imprint_model import EngineRegions, RegionModel
from napari_sem4d.inversion.imprint_problem import ImprintProblem
from napari_sem4d.inversion.leave_one_out import leave_one_face_out, slope_scale_uncertainty
from napari_sem4d.inversion.regions import RegionMeans, plane_trend, region_means
from napari_sem4d.inversion.vickers_options import VickersSettings
from napari_sem4d.physics.materials import material as find_material

FACE_NAMES = ("face 1", "face 2", "face 3", "face 4", "flat")
_HIGH_CORRELATION = 0.95
_MUCH_CLIPPED = 0.02
_PIXEL_NM = 100.0  # where the pixel is unknown: only an engine with a length would care


@dataclass(frozen=True)
class ImprintData:
    """What was measured on the image of an imprint.

    Attributes
    ----------
    outline : ImprintOutline
        In pixels of the whole image.
    means : RegionMeans
        Of the four faces (counter-clockwise from the first half diagonal) and the flat.
    """

    outline: ImprintOutline
    means: RegionMeans


def measure_regions(
    signals: np.ndarray,
    margin: float = 0.1,
    saturation: float | None = None,
    region: tuple[int, int, int, int] | None = None,
) -> ImprintData:
    """Find the imprint and its mean signals.

    Parameters
    ----------
    signals : numpy.ndarray, shape (K, Y, X)
    margin : float
        Share of the half diagonal that is kept from ridges and edges.
    saturation : float, optional
        Signal at and above which a pixel is saturated.
    region : tuple of int, optional
        First row, first column, rows and columns of the area to search in.
    """
    top, left, rows, columns = region or (0, 0, *signals.shape[1:])
    part = signals[:, top : top + rows, left : left + columns]
    found = find_imprint(part)
    shape = part.shape[1:]
    flat = found.flat_mask(shape)
    masks = np.concatenate([found.face_masks(shape, margin), flat[None]])
    trend = plane_trend(part, flat, found.row, found.col)
    block = max(4, int(found.diagonal / 12))
    means = region_means(part, masks, saturation, block, trend)
    return ImprintData(found.shifted(top, left), means)


def calibrate_vickers(
    series: SemSeries,
    settings: VickersSettings | None = None,
    *,
    frame: int = 0,
    region: tuple[int, int, int, int] | None = None,
    engine: EngineName,
) -> Calibration:
    """Calibrate the detector on the image of a Vickers imprint.

    Parameters
    ----------
    series : SemSeries
        With beam energy and material known. Its segments' polar and azimuth widths are the starting point;
        without segments, equal sectors of a full ring are assumed.
    settings : VickersSettings, optional
    frame : int
        Frame that shows the imprint.
    region : tuple of int, optional
        First row, first column, rows and columns of the area to search in.
    engine : str
        Forward engine; it sees a modelled pit of the imprint's size. Calibrate with the engine that reconstructs.

    Raises
    ------
    InputError
        If no imprint is found, or its faces are saturated.
    SettingsError
        If energy or material is unknown, or parameters are freed that the imprint cannot tell apart.
    """
    settings = settings or VickersSettings()
    energy, name = known_beam_and_material(series)
    signals = np.asarray(pixels_of(series.signal[frame]), dtype=np.float64)
    data = measure_regions(signals, settings.margin, series.saturation, region)
    pixel_nm = series.pixel_nm or _PIXEL_NM
    half_diagonal_nm = 0.5 * data.outline.diagonal * pixel_nm
    model = EngineRegions(engine, find_material(name), energy, half_diagonal_nm, series.pixel_nm)
    nominal = nominal_segments(series, settings)
    check_free(settings.free_geometry, len(nominal))
    problem = make_problem(data, nominal, settings, model)
    fit = fit_imprint(problem)
    check_amplification(fit)
    check_geometry(fit, settings.free_geometry)
    left_out = leave_one_face_out(problem, FACE_NAMES, fit.layout.model)
    scale = float(
        np.hypot(
            slope_scale_uncertainty(problem, fit),
            np.sqrt(np.mean([face.scale_error**2 for face in left_out])),
        )
    )
    residual = fit.residual_of_flat * 100
    segments = calibrated_segments(fit, series.instrument)
    return Calibration(
        reference="vickers",
        material=name,
        energy_kev=energy,
        engine=model.name,
        detector_name=series.instrument.detector.name,
        segments=segments,
        common_rotation_deg=segments[0].azimuth_centre_deg,
        chirality=fit.chirality,
        working_distance_mm=_working_distance(fit, series.instrument),
        z_amplification=fit.amplification,
        parameters=tuple(
            CalibratedParameter(name=n, value=float(v), standard_uncertainty=float(s), unit=u)
            for n, v, s, u in zip(fit.names, fit.values, fit.std, fit.units, strict=True)
        ),
        correlation=tuple(tuple(float(np.round(c, 4)) for c in row) for row in fit.correlation),
        residuals=ResidualTable(
            regions=FACE_NAMES,
            segments=series.segment_names,
            percent_of_flat=tuple(tuple(float(v) for v in row) for row in residual),
        ),
        reduced_chi_square=fit.reduced_chi_square,
        model_error_percent=100 * settings.model_error,
        left_out_faces=left_out,
        scale_uncertainty=scale,
        warnings=_warnings(data, fit, series),
        inputs=input_files(series, frame),
    )


def known_beam_and_material(series: SemSeries) -> tuple[float, str]:
    """Beam energy (keV) and material name of a series.

    Raises
    ------
    SettingsError
        If one of them is unknown.
    """
    energy = series.instrument.beam.energy_kev
    if energy is None:
        raise SettingsError("the beam energy of the reference is not known: set beam.energy_kev (keV)")
    if series.material is None:
        raise SettingsError("the material of the reference is not known: set material, for example Fe for steel")
    return energy, series.material


def nominal_segments(series: SemSeries, settings: VickersSettings) -> tuple[Segment, ...]:
    """Segments in the image's frame to start from: those of the detector, else equal sectors of a ring."""
    if series.instrument.detector.segments:
        return segments_in_image(series.instrument)
    count = series.signal.sizes["segment"]
    return tuple(
        Segment(name=n, polar_deg=settings.polar_deg, azimuth_deg=(k * 360 / count, (k + 1) * 360 / count))
        for k, n in enumerate(series.segment_names)
    )


def make_problem(
    data: ImprintData, nominal: tuple[Segment, ...], settings: VickersSettings, model: RegionModel
) -> ImprintProblem:
    """Put measured means, the detector and the settings together into a least-squares problem."""
    return ImprintProblem(
        mean=data.means.mean,
        standard_error=data.means.standard_error,
        face_azimuths_rad=data.outline.face_azimuths_rad,
        inclination_rad=float(np.radians(settings.inclination_deg)),
        segments=nominal,
        model=model,
        free_gains=settings.free_gains,
        free_offsets=settings.free_offsets,
        free_polar=settings.free_polar,
        free_axis_tilt=settings.free_axis_tilt,
        free_amplification=settings.free_z_amplification,
        geometry=settings.free_geometry,
        polar_std_deg=settings.polar_std_deg,
        offset_std=settings.offset_std,
        face_yield_std=settings.face_yield_std,
        model_error=settings.model_error,
    )


def check_geometry(fit: ImprintFit, wanted: Sequence[str]) -> None:
    """Refuse a geometry that the imprint does not determine.

    A gain may be correlated with it: it only makes up for how many electrons a segment catches.

    Raises
    ------
    SettingsError
        If an uncertainty is hardly smaller than what is known beforehand, or a correlation exceeds 0.95.
    """
    problem, layout = fit.layout.problem, fit.layout
    assumed = {"own": ASSUMED_STD["segment_azimuths"], "distance": ASSUMED_STD["working_distance"]}
    assumed |= {"polar": problem.polar_std_deg}
    blocks = {"segment_azimuths": "own", "polar": "polar", "working_distance": "distance"}
    claimed = [(i, assumed[blocks[w]]) for w in wanted for i in _indices(layout.blocks[blocks[w]])]
    others = [i for i, n in enumerate(fit.names) if not n.startswith("gain ") and i not in {c for c, _ in claimed}]
    order = [i for i, _ in claimed] + others
    refuse_undetermined(
        [fit.names[i] for i in order],
        fit.std[order],
        np.array([a for _, a in claimed]),
        fit.correlation[np.ix_(order, order)],
        "Give the offsets from a dark reference (detector.segments, and vickers.offset_std, for example 0.01), "
        "or do not free it",
    )


def _indices(block: slice) -> range:
    return range(block.start, block.stop)


def check_amplification(fit: ImprintFit) -> None:
    """Refuse a z amplification that the imprint cannot tell from other parameters.

    Raises
    ------
    SettingsError
        If its multiple correlation with the others, in the signals alone, exceeds 0.95.
    """
    if "z amplification" not in fit.names:
        return
    row = fit.names.index("z amplification")
    if fit.data_correlation[row] > _HIGH_CORRELATION:
        others = np.abs(np.delete(fit.correlation[row], row))
        closest = [n for n in fit.names if n != "z amplification"][int(others.argmax())]
        raise SettingsError(
            "the z amplification cannot be told from the other free parameters on this imprint (multiple "
            f"correlation {fit.data_correlation[row]:.3f}, limit {_HIGH_CORRELATION}, closest '{closest}'). "
            "Keep it at 1, or give gains and offsets from a flat and a dark reference and fix them"
        )


def _working_distance(fit: ImprintFit, instrument: Instrument) -> float | None:
    """The working distance that was found, mm; None where it was not wanted or none was stated."""
    stated = instrument.detector.working_distance_mm
    if stated is None or "working distance" not in fit.names:
        return None
    return float(stated * fit.values[fit.names.index("working distance")])


def calibrated_segments(fit: ImprintFit, instrument: Instrument) -> tuple[Segment, ...]:
    """Segments of the fit, azimuths turned back into the column's frame."""
    turn = instrument.beam.scan_rotation_deg
    out = []
    for segment in fit.segments:
        first = (segment.azimuth_deg[0] - turn) % 360.0
        out.append(segment.model_copy(update={"azimuth_deg": (first, first + segment.azimuth_width_deg)}))
    return tuple(out)


def _warnings(data: ImprintData, fit: ImprintFit, series: SemSeries) -> tuple[str, ...]:
    out = []
    clipped = data.means.clipped
    for r, k in np.argwhere(clipped > _MUCH_CLIPPED):
        out.append(
            f"{FACE_NAMES[r]} of segment {series.segment_names[k]} is saturated in {clipped[r, k]:.0%} of its "
            "pixels; its mean was estimated from the others, but a record with less contrast is better"
        )
    if fit.order_changed and series.instrument.detector.segments:
        out.append(
            "the segments lie around the column in another order than the detector settings say; the order found "
            "in the images was taken"
        )
    pairs = np.argwhere(np.triu(np.abs(fit.correlation), 1) > _HIGH_CORRELATION)
    if pairs.size:
        named = ", ".join(f"{fit.names[i]} and {fit.names[j]}" for i, j in pairs[:4])
        out.append(
            f"strongly correlated (above {_HIGH_CORRELATION}), so not to be read one by one: {named}"
            + (f" and {len(pairs) - 4} more pairs" if len(pairs) > 4 else "")
        )
    for name, ratio in fit.hardly_determined:
        out.append(
            f"'{name}' is hardly determined by this imprint (its uncertainty is {ratio:.0%} of the one assumed "
            "beforehand); a known detector geometry or a dark reference helps"
        )
    return tuple(out)
