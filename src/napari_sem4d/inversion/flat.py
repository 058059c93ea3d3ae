"""Calibration on a flat area: gains with the offsets given."""

from __future__ import annotations

import numpy as np

from napari_sem4d.acquisition.orientation import segments_in_image
from napari_sem4d.acquisition.pixels import pixels_of
from napari_sem4d.acquisition.series import SemSeries
from napari_sem4d.errors import InputError, SettingsError
from napari_sem4d.inversion.calibration import CalibratedParameter, Calibration, input_files
from napari_sem4d.inversion.imprint_model import PlanarRegions, RegionModel
from napari_sem4d.inversion.regions import plane_trend, region_means
from napari_sem4d.inversion.vickers import known_beam_and_material
from napari_sem4d.physics.materials import material as find_material

_MUCH_SHADING = 0.02
_MUCH_CLIPPED = 0.02


def calibrate_flat(
    series: SemSeries,
    *,
    frame: int = 0,
    region: tuple[int, int, int, int] | None = None,
    model: RegionModel | None = None,
) -> Calibration:
    """Give every segment the gain with which a flat of the reference material explains its signal.

    The offsets stay as the detector settings say (from a dark reference, else 0). A flat tells nothing about
    offsets, azimuths, polar ranges or the height scale: heights stay relative.

    Parameters
    ----------
    series : SemSeries
        With beam energy, material and the detector's segments known. The stage tilt is that of the flat.
    frame : int
        Frame that shows the flat.
    region : tuple of int, optional
        First row, first column, rows and columns of the flat area; the whole frame by default.
    model : RegionModel, optional
        Forward model; the plain local law by default.

    Raises
    ------
    InputError
        If the area is too small or saturated, or a signal does not exceed its offset.
    SettingsError
        If energy, material or segments are unknown.
    """
    energy, name = known_beam_and_material(series)
    if not series.instrument.detector.segments:
        raise SettingsError(
            "the detector's segments are not known: choose a detector preset or set detector.segments; a flat "
            "cannot tell where the segments are"
        )
    model = model or PlanarRegions(find_material(name), energy)
    segments = segments_in_image(series.instrument)
    top, left, rows, columns = region or (0, 0, series.signal.sizes["y"], series.signal.sizes["x"])
    part = series.signal[frame, :, top : top + rows, left : left + columns]
    signals = np.asarray(pixels_of(part), dtype=np.float64)
    if min(signals.shape[1:]) < 8:
        raise InputError(
            f"the flat area has only {signals.shape[1]} x {signals.shape[2]} pixels: too few for a mean; mark a "
            "larger area"
        )
    mask = np.ones(signals.shape[1:], bool)
    block = max(4, min(signals.shape[1:]) // 8)
    means = region_means(signals, mask[None], series.saturation, block)
    slopes = np.zeros((5, 2))
    slopes[:, 1] = np.tan(np.radians(series.instrument.beam.tilt_deg))
    response = model(segments, slopes)[4]
    calibrated, parameters = [], []
    for k, segment in enumerate(series.instrument.detector.segments):
        signal = means.mean[0, k] - segment.offset
        if signal <= 0:
            raise InputError(
                f"segment {segment.name} shows {means.mean[0, k]:g} on the flat, not more than its offset "
                f"{segment.offset:g}; check detector.segments[{k}].offset (signal at zero electrons)"
            )
        gain = float(signal / response[k])
        calibrated.append(segment.model_copy(update={"gain": gain}))
        parameters.append(
            CalibratedParameter(
                name=f"gain {segment.name}",
                value=gain,
                standard_uncertainty=float(means.standard_error[0, k] / response[k]),
                unit="signal",
            )
        )
    warnings = [
        "a flat does not tell the offsets (taken from the detector settings: "
        + ", ".join(f"{s.name} {s.offset:g}" for s in calibrated)
        + "), the azimuths, the polar ranges or the height scale: heights are relative"
    ]
    for k, segment in enumerate(calibrated):
        if means.clipped[0, k] > _MUCH_CLIPPED:
            warnings.append(
                f"segment {segment.name} is saturated in {means.clipped[0, k]:.0%} of the flat area; record it "
                "with less contrast"
            )
    trend = plane_trend(signals, mask, (signals.shape[1] - 1) / 2, (signals.shape[2] - 1) / 2)
    shading = np.ptp(trend, axis=(1, 2)) / means.mean[0]
    if shading.max() > _MUCH_SHADING:
        worst = int(shading.argmax())
        warnings.append(
            f"the flat's brightness changes by {shading[worst]:.1%} over the area in segment "
            f"{calibrated[worst].name}: a tilt or shading, which the gains average over; mark an area near the "
            "middle of the image"
        )
    return Calibration(
        reference="flat",
        material=name,
        energy_kev=energy,
        engine=model.name,
        detector_name=series.instrument.detector.name,
        segments=tuple(calibrated),
        parameters=tuple(parameters),
        correlation=tuple(tuple(float(i == j) for j in range(len(parameters))) for i in range(len(parameters))),
        warnings=tuple(warnings),
        inputs=input_files(series, frame),
    )
