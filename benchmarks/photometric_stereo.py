"""Classic photometric stereo, what the benchmarks stand beside."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_sem4d.acquisition.instrument import Segment


def classic(signals: np.ndarray, segments: Sequence[Segment], pixel_nm: float) -> np.ndarray:
    """Photometric stereo (Woodham 1980) with one light a segment, integrated by Frankot & Chellappa (1988), nm."""
    lights = []
    for segment in segments:
        polar, azimuth = math.radians(sum(segment.polar_deg) / 2), math.radians(segment.azimuth_centre_deg)
        lights.append([math.sin(polar) * math.cos(azimuth), math.sin(polar) * math.sin(azimuth), math.cos(polar)])
    normals = np.tensordot(np.linalg.pinv(np.array(lights)), signals, axes=1)
    p, q = -normals[0] / normals[2], -normals[1] / normals[2]
    p, q = np.clip(p, -3, 3), np.clip(q, -3, 3)
    rows, columns = p.shape
    p = np.block([[p, -p[:, ::-1]], [p[::-1], -p[::-1, ::-1]]])  # even extension of the height
    q = np.block([[q, q[:, ::-1]], [-q[::-1], -q[::-1, ::-1]]])
    u = 2 * np.pi * np.fft.fftfreq(2 * columns)[None, :]
    v = -2 * np.pi * np.fft.fftfreq(2 * rows)[:, None]  # y up
    square = u**2 + v**2
    square[0, 0] = 1.0
    modes = (-1j * u * np.fft.fft2(p) - 1j * v * np.fft.fft2(q)) / square
    modes[0, 0] = 0.0
    return np.real(np.fft.ifft2(modes))[:rows, :columns] * pixel_nm
