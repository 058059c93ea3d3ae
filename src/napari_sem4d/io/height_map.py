"""A height map as files hold it, in nm, and the questions that its numbers raise."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_sem4d.acquisition.readers.values import length_nm
from napari_sem4d.errors import InputError


class NoHeightError(InputError):
    """A channel that holds no heights; another channel of the file may."""


class UnknownUnitError(InputError):
    """A file that does not say the unit of its heights: whoever reads it must give it."""


@dataclass(frozen=True)
class HeightMap:
    """Heights with their pixel size.

    Attributes
    ----------
    height : ndarray, shape (Y, X)
        nm; NaN is invalid; row 0 is the top of the image.
    pixel_nm : (y, x)
        Row and column spacing, nm.
    title : str
        What the file calls it.
    relative : bool
        True when no reference has fixed the height scale; written into every file that can say so.
    questions : tuple of str
        What looks wrong and should be asked, each a sentence.
    """

    height: np.ndarray
    pixel_nm: tuple[float, float]
    title: str = "height"
    relative: bool = False
    questions: tuple[str, ...] = field(default=())


def height_map(
    height: np.ndarray, pixel_nm: tuple[float, float], title: str, *, relative: bool = False
) -> HeightMap:
    """Make a checked height map; what is implausible becomes a question.

    Raises
    ------
    InputError
        If there is no finite height, or a pixel size is not positive.
    """
    array = np.asarray(height)
    if array.ndim != 2 or min(array.shape, default=0) < 1:
        raise InputError(f"A height map has rows and columns, this one has shape {array.shape}: choose one image.")
    array = array.astype(np.float64)
    array[~np.isfinite(array)] = np.nan
    if not np.isfinite(array).any():
        raise InputError(f"{title} holds no finite height: nothing can be measured on it.")
    py, px = (float(p) for p in pixel_nm)
    if not (np.isfinite(py) and np.isfinite(px) and py > 0 and px > 0):
        raise InputError(f"{title} has a pixel size of {px} x {py} nm: give the true pixel size in nm.")
    return HeightMap(array, (py, px), title, relative, _questions(array, py, px))


def _questions(height: np.ndarray, py: float, px: float) -> tuple[str, ...]:
    asked = []
    side = max(height.shape[0] * py, height.shape[1] * px)
    relief = float(np.nanmax(height) - np.nanmin(height))
    numbers = f"The heights span {relief:.4g} nm on a map of {side:.4g} nm"
    if relief > side:
        asked.append(f"{numbers}, more than its width: are the heights really in the unit that the file says?")
    elif 0 < relief < 1e-6 * side:
        asked.append(f"{numbers}, less than a millionth: are the heights really in the unit that the file says?")
    elif relief == 0:
        asked.append("All heights are equal: is this the height channel?")
    if not min(py, px) >= 0.01 or max(py, px) > 1e6:
        asked.append(f"A pixel of {px:.4g} x {py:.4g} nm is unusual: is the unit of the pixel size right?")
    if max(py / px, px / py) > 10:
        asked.append(f"A pixel of {px:.4g} x {py:.4g} nm is very oblong: are both scan sizes right?")
    return tuple(asked)


def unit_nm(unit: str, what: str) -> float:
    """Length of a unit in nm.

    Raises
    ------
    NoHeightError
        If the unit is none of length (volts, degrees, counts): such a channel is no height.
    """
    scale = length_nm(1.0, unit)
    if scale is None:
        raise NoHeightError(
            f"{what} has the unit {unit!r}, which is no length: choose a height channel, or give its unit."
        )
    return scale
