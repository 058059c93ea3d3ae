"""Distance, angle and radius between places and faces of a surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from napari_sem4d.errors import DomainError
from napari_sem4d.frames import azimuth_deg
from napari_sem4d.metrology.pixels import PixelNm, height_map, pixel_yx
from napari_sem4d.metrology.profile import Profile
from napari_sem4d.metrology.robust import robust_fit


@dataclass(frozen=True)
class PointDistance:
    """Between two points of a surface, nm: in the plane, in height (second minus first), in space."""

    lateral_nm: float
    height_nm: float
    spatial_nm: float
    azimuth_deg: float
    inclination_deg: float


@dataclass(frozen=True)
class Face:
    """A plane fitted to an area: slopes (y up), unit normal (x, y up, z), polar angle and azimuth in degrees."""

    slope_x: float
    slope_y: float
    normal: tuple[float, float, float]
    polar_deg: float
    azimuth_deg: float
    noise_nm: float


@dataclass(frozen=True)
class Radius:
    """A circle or sphere fitted to heights: ``radius_nm`` is positive for a bump, negative for a hollow."""

    radius_nm: float
    noise_nm: float


def point_distance(
    height: np.ndarray, pixel_nm: PixelNm, first_rc: tuple[float, float], second_rc: tuple[float, float]
) -> PointDistance:
    """Measure between the heights at two (row, column) points, taken at the nearest pixel.

    The azimuth of the way from the first to the second point is counter-clockwise on the screen from +x;
    the inclination is positive upwards. Raises DomainError on invalid pixels.
    """
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    levels = []
    for r, c in (first_rc, second_rc):
        i, j = round(r), round(c)
        if not (0 <= i < surface.shape[0] and 0 <= j < surface.shape[1]) or not np.isfinite(surface[i, j]):
            raise DomainError(f"The point at row {r:g}, column {c:g} lies outside the map or is invalid: move it.")
        levels.append(float(surface[i, j]))
    dx, dy_up = (second_rc[1] - first_rc[1]) * px, -(second_rc[0] - first_rc[0]) * py
    lateral, dz = float(np.hypot(dx, dy_up)), levels[1] - levels[0]
    inclination = float(np.degrees(np.arctan2(dz, lateral)))
    return PointDistance(lateral, dz, float(np.hypot(lateral, dz)), float(azimuth_deg(dx, dy_up)), inclination)


def fit_face(height: np.ndarray, pixel_nm: PixelNm, mask: np.ndarray) -> Face:
    """Fit a plane (Tukey loss) to the valid pixels of ``mask`` (Y, X); DomainError if they do not fix one."""
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    rows, columns = np.nonzero(np.asarray(mask, dtype=bool) & np.isfinite(surface))
    if rows.size < 3:
        raise DomainError("A face needs at least 3 valid pixels: mark a larger area.")
    x, y = columns * px, -rows * py
    scale = max(float(np.ptp(x)), float(np.ptp(y)))
    design = np.column_stack([(x - x.mean()) / scale, (y - y.mean()) / scale, np.ones(x.size)])
    fit = robust_fit(design, surface[rows, columns].astype(np.float64))
    p, q = (float(v) / scale for v in fit.coefficients[:2])
    length = float(np.sqrt(1 + p * p + q * q))
    normal = (-p / length, -q / length, 1.0 / length)
    return Face(p, q, normal, float(np.degrees(np.arctan(np.hypot(p, q)))), float(azimuth_deg(-p, -q)), fit.noise)


def angle_between(first: Face, second: Face) -> float:
    """Angle between the normals of two faces, degrees (0 for parallel faces)."""
    a, b = np.array(first.normal), np.array(second.normal)
    # The arctangent keeps small angles, which an arccosine would lose.
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def line_angle(profile: Profile, start_nm: float, end_nm: float) -> float:
    """Inclination of the line fitted (Tukey loss) to a stretch of a profile, degrees, positive when it rises."""
    use = profile.valid & (profile.distance_nm >= start_nm) & (profile.distance_nm <= end_nm)
    if use.sum() < 2:
        raise DomainError("The stretch holds fewer than 2 valid samples: mark a longer one.")
    x = profile.distance_nm[use] - profile.distance_nm[use].mean()
    scale = max(float(np.abs(x).max()), 1e-300)
    fit = robust_fit(np.column_stack([x / scale, np.ones(x.size)]), profile.height_nm[use])
    return float(np.degrees(np.arctan(fit.coefficients[0] / scale)))


def circle_radius(profile: Profile, start_nm: float, end_nm: float) -> Radius:
    """Radius of the circle fitted (orthogonal distances) to a stretch of a profile, nm.

    Raises
    ------
    DomainError
        If the stretch is straight within its noise, or has fewer than 5 valid samples.
    """
    use = profile.valid & (profile.distance_nm >= start_nm) & (profile.distance_nm <= end_nm)
    return _radius(profile.distance_nm[use][:, None], profile.height_nm[use])


def sphere_radius(height: np.ndarray, pixel_nm: PixelNm, mask: np.ndarray) -> Radius:
    """Radius of the sphere fitted (orthogonal distances) to the valid pixels of ``mask``, nm."""
    surface = height_map(height)
    py, px = pixel_yx(pixel_nm)
    rows, columns = np.nonzero(np.asarray(mask, dtype=bool) & np.isfinite(surface))
    return _radius(np.column_stack([columns * px, rows * py]), surface[rows, columns].astype(np.float64))


def _radius(places: np.ndarray, z: np.ndarray) -> Radius:
    if z.size < 5:
        raise DomainError("A radius needs at least 5 valid points: mark a longer stretch.")
    points = np.column_stack([places, z])
    centre = points.mean(axis=0)
    points = points - centre
    scale = float(np.abs(points).max())
    points /= scale
    # Algebraic start: |p|^2 = 2 c.p + const; then the true distances.
    design = np.column_stack([2 * points, np.ones(z.size)])
    solution, _, rank, _ = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=1e-12)
    radius = float(np.sqrt(max(solution[-1] + solution[:-1] @ solution[:-1], 0.0)))
    if rank < design.shape[1] or not np.isfinite(radius) or radius > 1e4:
        raise DomainError("These points lie on a plane within the noise and have no radius: mark a longer part.")

    def distances(parameters: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points - parameters[:-1], axis=1) - parameters[-1]

    fit = optimize.least_squares(distances, np.append(solution[:-1], radius), method="lm")
    above = fit.x[-2] > float(np.mean(points[:, -1]))
    sign = -1.0 if above else 1.0
    return Radius(sign * abs(float(fit.x[-1])) * scale, float(np.std(fit.fun)) * scale)
