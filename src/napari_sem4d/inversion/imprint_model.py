"""What a forward model says about the mean signals of an imprint's faces and of the flat around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.forward.engine import EngineName, ForwardSetup
from napari_sem4d.physics.acceptance import planar_response
from napari_sem4d.physics.local_law import LocalLaw, law_for
from napari_sem4d.physics.materials import Material

_RESOLVED_RHO50 = 3.0


class RegionModel(Protocol):
    """Mean emission into segments from the faces of a pit and from the flat around it."""

    @property
    def name(self) -> str:
        """Name of the engine."""
        ...

    def __call__(self, segments: Sequence[Segment], slopes: np.ndarray) -> np.ndarray:
        """Energy-weighted electrons per primary.

        Parameters
        ----------
        segments : sequence of Segment
            K segments, azimuths in the image's frame; gain and offset are not applied.
        slopes : numpy.ndarray, shape (5, 2)
            (dh/dx, dh/dy), y up, of the four faces and of the flat.

        Returns
        -------
        numpy.ndarray, shape (5, K)
        """
        ...

    def near(self, segments: Sequence[Segment], slopes: np.ndarray) -> RegionModel:
        """Return a quick model that agrees with this one at one geometry and is close to it nearby."""
        ...


class PlanarRegions:
    """Each region as an infinite plane: the local law without anything from its neighbours.

    Parameters
    ----------
    material : Material
    energy_kev : float
    law : LocalLaw, optional
        Another emission law for all segments (their thresholds are then its own affair).
    """

    name = "local"

    def __init__(self, material: Material, energy_kev: float, law: LocalLaw | None = None) -> None:
        self._material, self._energy_kev, self._law = material, energy_kev, law

    def __call__(self, segments: Sequence[Segment], slopes: np.ndarray) -> np.ndarray:
        """Responses of planes; see :class:`RegionModel`."""
        out = np.empty((len(slopes), len(segments)))
        alike: dict[tuple[object, ...], list[int]] = {}
        for k, s in enumerate(segments):
            # The width is rounded so that turning a segment never changes the number of quadrature nodes.
            alike.setdefault((s.polar_deg, round(s.azimuth_width_deg, 6), s.threshold_kev), []).append(k)
        for (_, width, threshold), members in alike.items():
            # One quadrature for all segments of a shape: the slopes turn instead of the segment.
            turn = np.radians([segments[k].azimuth_centre_deg for k in members])[:, None]
            along = slopes[:, 0] * np.cos(turn) + slopes[:, 1] * np.sin(turn)
            across = slopes[:, 1] * np.cos(turn) - slopes[:, 0] * np.sin(turn)
            half = 0.5 * float(width)  # type: ignore[arg-type]
            segment = segments[members[0]].model_copy(update={"azimuth_deg": (-half, half)})
            law = self._law or law_for(self._material, self._energy_kev, float(threshold))  # type: ignore[arg-type]
            response = planar_response(law, segment, along.ravel(), across.ravel())
            out[:, members] = response.reshape(along.shape).T
        return out

    def near(self, segments: Sequence[Segment], slopes: np.ndarray) -> RegionModel:
        """Return this model, which is quick enough."""
        return self


class EngineRegions:
    """Regions of a modelled pit, by any forward engine, so that what the faces do to one another counts.

    Parameters
    ----------
    engine : str
        Name that :func:`napari_sem4d.forward.registry.make_engine` knows.
    material : Material
    energy_kev : float
    half_diagonal_nm : float
        Mean half diagonal of the imprint; a scale-free engine does not care.
    image_pixel_nm : float, optional
        Pixel of the images. Where it is fine enough for the engine vift to correct anything, the pit is modelled
        with such pixels and so smaller than it is: its faces are planes far from their edges all the same.
    side : int
        Pixels along an edge of the modelled map.
    """

    def __init__(
        self,
        engine: EngineName,
        material: Material,
        energy_kev: float,
        half_diagonal_nm: float = 9000.0,
        image_pixel_nm: float | None = None,
        side: int = 64,
    ) -> None:
        self.name: str = engine
        self._engine: EngineName = engine
        self._material, self._energy_kev = material, energy_kev
        self._side = side
        self._half = side / 3.2  # pixels of the half diagonal
        self._pixel_nm = half_diagonal_nm / self._half
        if engine == "vift" and image_pixel_nm is not None:
            self._pixel_nm = min(self._pixel_nm, max(image_pixel_nm, self._resolved_nm()))
        self._planar = PlanarRegions(material, energy_kev)

    def _resolved_nm(self) -> float:
        """Coarse pixels at which ViFT still corrects, nm."""
        from napari_sem4d.physics.planar_table import planar_table

        return _RESOLVED_RHO50 * planar_table(self._material, self._energy_kev).rho50_nm

    def __call__(self, segments: Sequence[Segment], slopes: np.ndarray) -> np.ndarray:
        """Responses averaged over the shrunk faces of a pit (NaN for none); see :class:`RegionModel`."""
        import torch

        from napari_sem4d.forward.registry import make_engine

        plain = tuple(s.model_copy(update={"gain": 1.0, "offset": 0.0}) for s in segments)
        instrument = Instrument(beam=Beam(energy_kev=self._energy_kev), detector=Detector(segments=plain))
        setup = ForwardSetup(instrument, self._material, self._pixel_nm)
        engine = make_engine(self._engine, setup, torch.float64)
        height, face = pit(slopes, self._half, self._pixel_nm, self._side)
        with torch.no_grad():
            surface = torch.as_tensor(height, dtype=torch.float64)
            signals = engine.expected_signals(surface, torch.ones_like(surface)).numpy()
        means = np.full((5, len(segments)), np.nan)  # a face that its neighbours swallow has no signal
        for r in range(5):
            if (face == r).any():
                means[r] = signals[:, face == r].mean(1)
        return means

    def near(self, segments: Sequence[Segment], slopes: np.ndarray) -> RegionModel:
        """Planes, plus what the engine adds to them at this geometry."""
        added = self(segments, slopes) - self._planar(segments, slopes)
        return _PlanarWithAddition(self.name, self._planar, np.nan_to_num(added))


@dataclass(frozen=True)
class _PlanarWithAddition:
    """Planes plus a constant for every region and segment."""

    name: str
    planar: PlanarRegions
    added: np.ndarray

    def __call__(self, segments: Sequence[Segment], slopes: np.ndarray) -> np.ndarray:
        return self.planar(segments, slopes) + self.added

    def near(self, segments: Sequence[Segment], slopes: np.ndarray) -> RegionModel:
        return self


def pit(slopes: np.ndarray, half_diagonal: float, pixel_nm: float, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Height map of a four-faced pit in a flat, and which region each pixel surely belongs to.

    Parameters
    ----------
    slopes : numpy.ndarray, shape (5, 2)
        Of the faces and the flat (y up); the faces meet in the middle of the map.
    half_diagonal : float
        Mean half diagonal, pixels.
    pixel_nm : float
    side : int
        Edge of the map, pixels.

    Returns
    -------
    height : numpy.ndarray, shape (side, side)
        nm; the flat passes through zero in the middle of the map.
    region : numpy.ndarray of int, shape (side, side)
        0 to 3 faces, 4 flat, -1 within two pixels of an edge.
    """
    rows, cols = np.indices((side, side))
    centre = (side - 1) / 2
    x, y = (cols - centre) * pixel_nm, (centre - rows) * pixel_nm
    planes = slopes[:, 0, None, None] * x + slopes[:, 1, None, None] * y
    steepness = np.hypot(*slopes[:4].T).mean()
    depth = steepness * half_diagonal * pixel_nm / np.sqrt(2)
    pit_floor = planes[:4].max(0) - depth
    height = np.minimum(pit_floor, planes[4])
    region = np.where(pit_floor < planes[4], planes[:4].argmax(0), 4)
    neighbours = [np.roll(region, (i, j), (0, 1)) for i in (-2, -1, 0, 1, 2) for j in (-2, -1, 0, 1, 2)]
    same = np.all([n == region for n in neighbours], axis=0)
    same[:2] = same[-2:] = False
    same[:, :2] = same[:, -2:] = False
    return height, np.where(same, region, -1)


def face_slopes(azimuths_rad: np.ndarray, inclination_rad: float, axis_tilt: np.ndarray) -> np.ndarray:
    """Slopes of the faces of a pit whose axis leans, and of the flat.

    Parameters
    ----------
    azimuths_rad : numpy.ndarray, shape (4,)
        Azimuth of each face as seen from the pit's centre, rad: the face rises in that direction.
    inclination_rad : float
        Angle between each face's normal and the axis.
    axis_tilt : numpy.ndarray, shape (2,)
        Lean of the axis towards +x and +y (up), rad: rotation vector (-ty, tx, 0).

    Returns
    -------
    numpy.ndarray, shape (5, 2)
        (dh/dx, dh/dy) of the faces, then (0, 0) for the flat.
    """
    sin, cos = np.sin(inclination_rad), np.cos(inclination_rad)
    inward = np.stack([-np.cos(azimuths_rad), -np.sin(azimuths_rad)], axis=1)
    normals = np.concatenate([sin * inward, np.full((4, 1), cos)], axis=1)
    tx, ty = axis_tilt
    angle = float(np.hypot(tx, ty))
    if angle > 0:
        k = np.array([-ty, tx, 0.0]) / angle
        normals = (
            normals * np.cos(angle)
            + np.cross(k, normals) * np.sin(angle)
            + np.outer(normals @ k, k) * (1 - np.cos(angle))
        )
    return np.vstack([-normals[:, :2] / normals[:, 2:], np.zeros((1, 2))])
