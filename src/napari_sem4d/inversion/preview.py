"""A first height from linearised slopes: one least-squares fit a pixel and one cosine transform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn, idctn

from napari_sem4d.acquisition.instrument import Instrument
from napari_sem4d.acquisition.orientation import segments_in_image
from napari_sem4d.frames import slopes_adjoint
from napari_sem4d.physics.acceptance import planar_response
from napari_sem4d.physics.local_law import law_for
from napari_sem4d.physics.materials import Material

_SLOPE_STEP = 1e-3
_STEEPEST = 2.0
# Curvature that keeps the modes near Nyquist down, which the central difference does not see.
_ROUGHNESS = 0.02


@dataclass(frozen=True)
class LinearPreview:
    """Height (nm, mean zero, shape (Y, X), float32, stage tilt included) and mean relative yield."""

    height: np.ndarray
    mean_yield: float


def linear_preview(
    frame: np.ndarray, instrument: Instrument, material: Material, pixel_nm: float
) -> LinearPreview:
    """Preview of a frame.

    The signals are linear in (yield, yield x slopes) near the stage's plane; the slopes are integrated by least
    squares in the cosine basis (Frankot & Chellappa, IEEE Trans. PAMI 10, 439 (1988), with natural borders).
    Steep slopes come out too small; the solver starts from here and corrects them.

    Parameters
    ----------
    frame : numpy.ndarray, shape (K, Y, X)
        Signals; NaN counts as the segment's mean.
    instrument : Instrument
        With gains and offsets.
    material : Material
    pixel_nm : float
    """
    tangent = float(np.tan(np.radians(instrument.beam.tilt_deg)))
    value, by_p, by_q = linear_response(instrument, material, tangent)
    solver = np.linalg.pinv(np.stack([value, by_p, by_q], axis=1) / value[:, None]) / value
    offset = np.array([s.offset for s in instrument.detector.segments])
    means = np.nanmean(frame, axis=(1, 2))
    signals = frame if np.isfinite(frame).all() else np.where(np.isfinite(frame), frame, means[:, None, None])
    constant = (solver @ offset).astype(np.float32)
    fields = np.tensordot(solver.astype(np.float32), signals.astype(np.float32, copy=False), axes=1)
    fields -= constant[:, None, None]
    mean_yield = float(fields[0].mean(dtype=np.float64))
    relative_yield = np.maximum(fields[0], 0.25 * abs(mean_yield))
    p = np.clip(fields[1] / relative_yield, -_STEEPEST, _STEEPEST)
    q = np.clip(fields[2] / relative_yield, -_STEEPEST, _STEEPEST)
    height = integrate_slopes(p, q, pixel_nm)
    if tangent:
        height += (tangent * pixel_nm * ((height.shape[0] - 1) / 2 - np.arange(height.shape[0])))[:, None]
    return LinearPreview(height.astype(np.float32, copy=False), mean_yield)


def integrate_slopes(slope_x: np.ndarray, slope_y: np.ndarray, pixel_nm: float) -> np.ndarray:
    """Least-squares height of a slope field, mean zero.

    Parameters
    ----------
    slope_x, slope_y : numpy.ndarray, shape (Y, X)
        dh/dx and dh/dy (y up).
    pixel_nm : float
        Edge of a pixel, nm.
    """
    rows, columns = slope_x.shape
    ky = (np.arange(rows, dtype=slope_x.dtype) * np.pi / rows)[:, None]
    kx = (np.arange(columns, dtype=slope_x.dtype) * np.pi / columns)[None, :]
    laplacian = (2 - 2 * np.cos(kx)) + (2 - 2 * np.cos(ky))
    symbol = (np.sin(kx) ** 2 + np.sin(ky) ** 2 + _ROUGHNESS * laplacian**2) / slope_x.dtype.type(pixel_nm) ** 2
    symbol[0, 0] = 1.0
    modes = dctn(slopes_adjoint(slope_x, slope_y, pixel_nm), norm="ortho", workers=2) / symbol
    modes[0, 0] = 0.0
    return np.asarray(idctn(modes, norm="ortho", workers=2))


def linear_response(
    instrument: Instrument, material: Material, tangent: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Response of each segment (with its gain) at the stage's plane and its derivatives, each of shape (K,)."""
    energy = float(instrument.beam.energy_kev or 0.0)
    step = _SLOPE_STEP
    p = np.array([0.0, step, -step, 0.0, 0.0])
    q = tangent + np.array([0.0, 0.0, 0.0, step, -step])
    rows = []
    for segment in segments_in_image(instrument):
        law = law_for(material, energy, segment.threshold_kev)
        rows.append(segment.gain * planar_response(law, segment, p, q))
    r = np.array(rows)
    return r[:, 0], (r[:, 1] - r[:, 2]) / (2 * step), (r[:, 3] - r[:, 4]) / (2 * step)
