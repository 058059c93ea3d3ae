"""How well a calibration knows the tilt of a surface's mean plane."""

from __future__ import annotations

import numpy as np

from napari_sem4d.acquisition.instrument import Instrument
from napari_sem4d.inversion.calibration import Calibration
from napari_sem4d.inversion.preview import linear_response
from napari_sem4d.physics.materials import Material


def plane_std_deg(calibration: Calibration, instrument: Instrument, material: Material) -> float:
    """Standard uncertainty of the tilt of a flat surface, degrees (root mean square of the two directions).

    Errors of gains and offsets make segments unequal, and unequal segments are read as a tilt: they are carried
    through the linearised signals of a flat surface with the calibration's full covariance.
    """
    names = [parameter.name for parameter in calibration.parameters]
    tangent = float(np.tan(np.radians(instrument.beam.tilt_deg)))
    value, by_p, by_q = linear_response(instrument, material, tangent)
    solver = np.linalg.pinv(np.stack([value, by_p, by_q], axis=1) / value[:, None])[1:]
    by_parameter = np.zeros((value.size, len(names)))
    for k, segment in enumerate(instrument.detector.segments):
        for name, effect in ((f"gain {segment.name}", 1 / segment.gain), (f"offset {segment.name}", 1 / value[k])):
            if name in names:
                by_parameter[k, names.index(name)] = effect
    slopes = solver @ by_parameter
    variance = np.trace(slopes @ calibration.covariance @ slopes.T) / 2
    return float(np.degrees(np.arctan(np.sqrt(variance))))
