"""The geometry of an imprint in a reconstructed height map, by independent plane fits on its faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sem4d.errors import InputError
from napari_sem4d.inversion.imprint import ImprintOutline

_LEAST_PIXELS = 10


@dataclass(frozen=True)
class ImprintGeometry:
    """What four faces of a height map look like.

    Attributes
    ----------
    inclination_deg : numpy.ndarray, shape (4,)
        Angle of each face to the image plane, degrees, counter-clockwise from the first half diagonal.
    azimuth_deg : numpy.ndarray, shape (4,)
        Direction in which each face rises, degrees, counter-clockwise on the screen from +x.
    opposite_angle_deg : tuple of float
        Angle between the faces 1 and 3, and 2 and 4 (136 degrees for a Vickers indenter).
    azimuth_step_deg : numpy.ndarray, shape (4,)
        Azimuth from each face to the next about the imprint's own axis, which is the mean of the faces' normals
        (90 degrees for a Vickers indenter). In the image plane a pit whose axis leans by 0.7 degrees shows steps
        from 88.1 to 91.9 degrees.
    axis_tilt_deg : float
        Angle between that axis and the optical axis.
    depth_nm : float
        Flat surroundings over the four face planes in the centre; positive for a pit.
    diagonal_nm : float
        Mean diagonal of the outline.
    is_pit : bool
        Whether all four faces rise away from the centre.
    """

    inclination_deg: np.ndarray
    azimuth_deg: np.ndarray
    opposite_angle_deg: tuple[float, float]
    azimuth_step_deg: np.ndarray
    axis_tilt_deg: float
    depth_nm: float
    diagonal_nm: float
    is_pit: bool

    @property
    def mean_inclination_deg(self) -> float:
        """Mean inclination of the four faces, degrees."""
        return float(self.inclination_deg.mean())

    @property
    def depth_over_seventh_of_diagonal(self) -> float:
        """Depth over a seventh of the mean diagonal (1 for a Vickers indenter without elastic recovery)."""
        return self.depth_nm / (self.diagonal_nm / 7)


def measure_imprint(
    height: np.ndarray, pixel_nm: float, faces: ImprintOutline, margin: float = 0.08
) -> ImprintGeometry:
    """Measure the faces of an imprint.

    Parameters
    ----------
    height : numpy.ndarray, shape (Y, X)
        nm; NaN where invalid.
    pixel_nm : float
    faces : ImprintOutline
        As :func:`napari_sem4d.inversion.imprint.find_imprint` returns it, in pixels of ``height``.
    margin : float
        Distance kept from ridges and edges, as a share of the half diagonal.

    Raises
    ------
    InputError
        If a face has too few valid heights.
    """
    shape = height.shape
    masks = [*faces.face_masks(shape, margin), faces.flat_mask(shape)]
    names = ("face 1", "face 2", "face 3", "face 4", "the flat around the imprint")
    planes = np.stack([_plane(height, pixel_nm, faces, m, n) for m, n in zip(masks, names, strict=True)])
    slopes, centre = planes[:, 1:], planes[:, 0]
    normals = np.concatenate([-slopes[:4], np.ones((4, 1))], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    azimuth = np.degrees(np.arctan2(slopes[:4, 1], slopes[:4, 0])) % 360.0
    axis = normals.sum(axis=0) / np.linalg.norm(normals.sum(axis=0))
    about_axis = _azimuth_about(axis, -normals)
    outward = np.stack([np.cos(faces.face_azimuths_rad), np.sin(faces.face_azimuths_rad)], axis=1)
    between = [180 - np.degrees(np.arccos(np.clip(normals[i] @ normals[i + 2], -1, 1))) for i in (0, 1)]
    return ImprintGeometry(
        inclination_deg=np.degrees(np.arctan(np.hypot(*slopes[:4].T))),
        azimuth_deg=azimuth,
        opposite_angle_deg=(float(between[0]), float(between[1])),
        azimuth_step_deg=(np.roll(about_axis, -1) - about_axis) % 360.0,
        axis_tilt_deg=float(np.degrees(np.arctan2(np.hypot(*axis[:2]), axis[2]))),
        depth_nm=float(centre[4] - centre[:4].mean()),
        diagonal_nm=faces.diagonal * pixel_nm,
        is_pit=bool(((slopes[:4] - slopes[4]) * outward).sum(1).min() > 0),
    )


def _azimuth_about(axis: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Azimuths (deg) of vectors, shape (N, 3), about an axis near +z, from the direction nearest to +x."""
    east = np.array([1.0, 0.0, 0.0]) - axis[0] * axis
    east /= np.linalg.norm(east)
    north = np.cross(axis, east)
    return np.degrees(np.arctan2(vectors @ north, vectors @ east)) % 360.0


def _plane(height: np.ndarray, pixel_nm: float, faces: ImprintOutline, mask: np.ndarray, name: str) -> np.ndarray:
    """Height at the centre of the imprint (nm) and slopes dh/dx, dh/dy (y up) of one region."""
    rows, cols = np.nonzero(mask & np.isfinite(height))
    if rows.size < _LEAST_PIXELS:
        raise InputError(
            f"{name} has only {rows.size} valid heights: too few for a plane; the imprint is too small in this "
            "map, or its heights are missing there"
        )
    x, y = (cols - faces.col) * pixel_nm, (faces.row - rows) * pixel_nm
    design = np.stack([np.ones(rows.size), x, y], axis=1)
    plane: np.ndarray = np.linalg.lstsq(design, height[rows, cols].astype(np.float64), rcond=None)[0]
    return plane
