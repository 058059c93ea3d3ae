"""What the header of one image says, the same for every vendor."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class FrameHeader:
    """One image of a file, without its pixels. None means that the header does not say.

    Attributes
    ----------
    path, page : Path, int
        The file, and the number of the image in it.
    vendor : str
        Reader that understood the header, for example "Thermo".
    shape : tuple of int
        Rows and columns in the file, data bar included.
    dtype : numpy.dtype
        Type of the stored pixels.
    image_rows : int
        Rows from the top that belong to the image; the rest is the data bar.
    bar_known : bool
        Whether the header itself tells where the image ends.
    channels : int
        Samples per pixel: 1 grey, 3 or 4 colour.
    palette, lossy : bool
        Pixels are indices into a colour table; pixels went through a lossy compression.
    pixel_nm, pixel_y_nm : float or None
        Width and height of a pixel, nm (``pixel_y_nm`` None: not given apart).
    energy_kev, working_distance_mm, tilt_deg, scan_rotation_deg, current_na, dwell_us : float or None
        Landing energy (keV), working distance (mm), stage tilt and scan rotation (degrees), probe current
        (nA), dwell time (us).
    detector, segment : str or None
        Detector name; the segment (or the detector's mode) that made this image.
    combination : str or None
        Says that the image is a sum or difference of segments, for example "A-B" or "TOPO".
    acquired : datetime or None
        When the image was taken (the microscope's clock, no time zone).
    contrast, brightness, gamma : float or None
        Settings of the detector's amplifier (vendor's units) and of the grey scale.
    specimen_signal : str or None
        "SE" or "BSE" where the header says which electrons made the signal.
    time_index, segment_index : int or None
        Place in a stack whose axes the file names.
    frame_interval_s : float or None
        Time from frame to frame of a stack, s.
    origins : dict
        Where each value stands in the file, by attribute name.
    notes : tuple of str
        Whole sentences for the user about this file.
    """

    path: Path
    page: int
    vendor: str
    shape: tuple[int, int]
    dtype: np.dtype
    image_rows: int
    bar_known: bool = False
    channels: int = 1
    palette: bool = False
    lossy: bool = False
    pixel_nm: float | None = None
    pixel_y_nm: float | None = None
    energy_kev: float | None = None
    working_distance_mm: float | None = None
    tilt_deg: float | None = None
    scan_rotation_deg: float | None = None
    current_na: float | None = None
    dwell_us: float | None = None
    detector: str | None = None
    segment: str | None = None
    combination: str | None = None
    acquired: datetime | None = None
    contrast: float | None = None
    brightness: float | None = None
    gamma: float | None = None
    specimen_signal: str | None = None
    time_index: int | None = None
    segment_index: int | None = None
    frame_interval_s: float | None = None
    origins: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
