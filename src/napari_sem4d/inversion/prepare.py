"""From the images of one frame to what the solver needs: weights, masks, gains of an uncalibrated detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_sem4d.acquisition.instrument import Instrument
from napari_sem4d.acquisition.noise import NoiseModel
from napari_sem4d.acquisition.orientation import segments_in_image
from napari_sem4d.errors import InputError
from napari_sem4d.inversion.objective import FrameData
from napari_sem4d.physics.acceptance import planar_response
from napari_sem4d.physics.local_law import law_for
from napari_sem4d.physics.materials import Material

_SMOOTHING_PX = 1.5
_OUTLIER_SIGMAS = 6.0
_LEAST_VALID_SHARE = 0.1


@dataclass(frozen=True)
class PreparedFrame:
    """One frame, ready to be solved.

    Attributes
    ----------
    data : FrameData
        Signals, weights, censoring.
    saturated, bad : numpy.ndarray, shape (Y, X), bool
        Pixels saturated in any segment; pixels without a usable signal in some segment (NaN, outliers).
    """

    data: FrameData
    saturated: np.ndarray
    bad: np.ndarray

    @property
    def valid(self) -> np.ndarray:
        """Pixels with a usable signal in every segment, shape (Y, X), bool."""
        return ~self.bad


def prepare_frame(
    frame: np.ndarray,
    noise: NoiseModel,
    saturation: float | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> PreparedFrame:
    """Weigh every signal by its noise, censor saturated pixels, mask bad ones.

    The variance is taken at the smoothed signal, so that a pixel's own noise does not change its weight.

    Parameters
    ----------
    frame : numpy.ndarray, shape (K, Y, X)
        Signals; NaN where there is none.
    noise : NoiseModel
        Of these segments.
    saturation : float, optional
        Signal at and above which a pixel is saturated.

    Raises
    ------
    InputError
        If fewer than a tenth of the pixels can be used.
    """
    finite = np.isfinite(frame)
    filled = np.where(finite, frame, 0.0).astype(np.float32)
    censored = np.zeros(frame.shape, dtype=bool) if saturation is None else finite & (frame >= saturation)
    smooth = np.stack([_smooth(s, f) for s, f in zip(filled, finite, strict=True)])
    variance = np.asarray(noise.variance(smooth), dtype=np.float32)
    outlier = np.stack([_outliers(s, v) for s, v in zip(np.where(finite, filled, smooth), variance, strict=True)])
    usable = finite & (censored | ~outlier)
    if usable.all(axis=0).mean() < _LEAST_VALID_SHARE:
        raise InputError(
            f"only {100 * usable.all(axis=0).mean():.0f} % of the pixels have a usable signal in every segment; "
            "check that the files are the raw segment images"
        )
    weight = np.where(usable, 1.0 / np.maximum(variance, np.finfo(np.float32).tiny), 0.0)

    def tensor(array: np.ndarray, kind: torch.dtype) -> torch.Tensor:
        return torch.as_tensor(array, dtype=kind, device=device)

    data = FrameData(tensor(filled, dtype), tensor(weight, dtype), tensor(censored, torch.bool))
    return PreparedFrame(data, np.asarray(censored.any(axis=0)), np.asarray(~usable.all(axis=0)))


def nominal_gains(instrument: Instrument, material: Material, frame: np.ndarray) -> Instrument:
    """Gains that make the mean of each segment that of a flat surface, for an uncalibrated detector.

    Offsets stay as they are set. Heights found with such gains are relative: a wrong offset scales them.

    Parameters
    ----------
    instrument : Instrument
        With energy and segments.
    material : Material
        The reference material.
    frame : numpy.ndarray, shape (K, Y, X)
        Signals; NaN is left out.

    Raises
    ------
    InputError
        If a segment's mean signal does not exceed its offset.
    """
    energy = float(instrument.beam.energy_kev or 0.0)
    slope_y = np.array([np.tan(np.radians(instrument.beam.tilt_deg))])
    seen = segments_in_image(instrument)
    segments = []
    for segment, in_image, image in zip(instrument.detector.segments, seen, frame, strict=True):
        law = law_for(material, energy, segment.threshold_kev)
        flat = float(planar_response(law, in_image, np.zeros(1), slope_y)[0])
        mean = float(np.nanmean(image)) - segment.offset
        if not mean > 0:
            raise InputError(
                f"segment {segment.name}: the mean signal ({mean + segment.offset:g}) is not above its offset "
                f"({segment.offset:g}); correct the offset of this segment"
            )
        segments.append(segment.model_copy(update={"gain": mean / flat}))
    detector = instrument.detector.model_copy(update={"segments": tuple(segments)})
    return instrument.model_copy(update={"detector": detector})


def _smooth(image: np.ndarray, finite: np.ndarray) -> np.ndarray:
    if finite.all():
        return np.asarray(gaussian_filter(image, _SMOOTHING_PX, mode="nearest"))
    share = gaussian_filter(finite.astype(np.float32), _SMOOTHING_PX, mode="nearest")
    return np.asarray(gaussian_filter(image, _SMOOTHING_PX, mode="nearest") / np.maximum(share, 1e-3))


def _outliers(image: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Pixels that stand out from all their eight neighbours by more than the noise explains."""
    limit = _OUTLIER_SIGMAS * np.sqrt(variance)
    return np.asarray(_beyond_neighbours(image, limit) | _beyond_neighbours(-image, limit))


def _beyond_neighbours(image: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Where a pixel exceeds the largest of its eight neighbours by more than a limit."""
    padded = np.pad(image, 1, mode="edge")
    sideways = np.maximum(padded[:, :-2], padded[:, 2:])
    whole_row = np.maximum(sideways, padded[:, 1:-1])
    neighbours = np.maximum(np.maximum(whole_row[:-2], whole_row[2:]), sideways[1:-1])
    return np.asarray(image - neighbours > limit)
