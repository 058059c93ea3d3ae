"""How well a calibration measures a face that it has not seen, and what that means for heights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares

from napari_sem4d.inversion.calibration import LeftOutFace
from napari_sem4d.inversion.imprint_fit import ImprintFit, fit_imprint
from napari_sem4d.inversion.imprint_model import RegionModel, face_slopes
from napari_sem4d.inversion.imprint_problem import ImprintProblem, Layout

# Slopes at which the height scale is judged: from gentle relief to beyond the faces of the reference.
_INCLINATIONS_DEG = (5.0, 10.0, 15.0, 22.0, 30.0)
_YIELD_STD = 0.03
_STEP = 1e-4
_RENEWALS = 4
_SETTLED = 2e-3  # change of slope


def leave_one_face_out(
    problem: ImprintProblem, names: tuple[str, ...], start: RegionModel | None = None
) -> tuple[LeftOutFace, ...]:
    """Leave each face out of the calibration in turn and measure it with the calibrated model.

    The known normal of the left-out face follows from the inclination, its azimuth in the image and the axis
    tilt of the remaining fit; nothing of its signals enters the calibration. Its slopes are solved with the
    relative yield that the other faces gave.

    Parameters
    ----------
    problem : ImprintProblem
    names : tuple of str
        Of the faces.
    start : RegionModel, optional
        Quick model to start with, as that of the fit to all faces (no measured signal is in it).
    """
    out = []
    for face in range(4):
        fit = fit_imprint(problem.without(face), start)
        solved = solve_face(fit, face, problem)
        known = fit.slopes[face]
        normal_error = np.degrees(angle_between(known, solved))
        uphill = known / np.hypot(*known)
        residual = (problem.mean[face] - fit.layout.signals(fit.x)[face]) / problem.flat
        out.append(
            LeftOutFace(
                face=names[face],
                normal_error_deg=float(normal_error),
                inclination_error_deg=float(
                    np.degrees(np.arctan(np.hypot(*solved)) - np.arctan(np.hypot(*known)))
                ),
                scale_error=float(solved @ uphill / np.hypot(*known) - 1),
                residual_percent=tuple(float(100 * r) for r in residual),
            )
        )
    return tuple(out)


def solve_face(fit: ImprintFit, face: int, problem: ImprintProblem | None = None) -> np.ndarray:
    """Slopes (dh/dx, dh/dy) of one face from its mean signals, the other regions as known."""
    problem = problem or fit.layout.problem
    solved, layout = fit.slopes[face], fit.layout  # its model is exact at the known slopes
    for _ in range(_RENEWALS):

        def residual(slope: np.ndarray, layout: Layout = layout) -> np.ndarray:
            slopes = fit.slopes.copy()
            slopes[face] = slope
            rest: np.ndarray = (layout.signals(fit.x, slopes)[face] - problem.mean[face]) / problem.sigma[face]
            return rest

        before, solved = solved, np.asarray(least_squares(residual, solved).x)
        if np.abs(solved - before).max() < _SETTLED or layout.model is problem.model:
            break
        slopes = fit.slopes.copy()
        slopes[face] = solved
        layout = replace(fit.layout, model=problem.model.near(fit.segments, slopes / fit.amplification))
    return solved


def angle_between(slope_a: np.ndarray, slope_b: np.ndarray) -> float:
    """Angle between the normals of two planes of given slopes, rad."""
    a, b = np.append(-slope_a, 1.0), np.append(-slope_b, 1.0)
    return float(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))


def slope_scale_uncertainty(problem: ImprintProblem, fit: ImprintFit) -> float:
    """Relative standard uncertainty of uphill slopes that follows from the parameters' covariance.

    Parameters that change the signals by ``d`` change the solved slope by the least-squares answer to ``-d``
    (relative yield free within 3 %). Root mean square over inclinations from 5 to 30 degrees in four directions.
    """
    layout = fit.layout
    squares = []
    for inclination in np.radians(_INCLINATIONS_DEG):
        slopes = face_slopes(problem.face_azimuths_rad, inclination, np.zeros(2))
        by_parameter = _by_parameter(layout, fit.x, slopes)
        by_slope = _by_slope(layout, fit.x, slopes)
        signals = layout.signals(fit.x, slopes)
        offsets = np.array([s.offset for s in fit.segments])
        for face in range(4):
            known = slopes[face]
            design = np.concatenate([by_slope[:, face], (signals[face] - offsets)[None]]).T
            weight = 1 / problem.sigma[face] ** 2
            normal = design.T @ (weight[:, None] * design)
            normal[2, 2] += 1 / _YIELD_STD**2
            answer = -np.linalg.solve(normal, design.T @ (weight[:, None] * by_parameter[:, face].T))[:2]
            uphill = answer.T @ known / (known @ known)
            squares.append(uphill @ fit.covariance_x @ uphill)
    return float(np.sqrt(np.mean(squares)))


def _by_parameter(layout: Layout, x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Derivative of the signals by every parameter at fixed slopes, shape (P, 5, K)."""
    out = []
    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = _STEP
        out.append((layout.signals(x + step, slopes) - layout.signals(x - step, slopes)) / (2 * _STEP))
    return np.stack(out)


def _by_slope(layout: Layout, x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Derivative of the faces' signals by their own slopes, shape (2, 5, K)."""
    out = []
    for axis in range(2):
        step = np.zeros((5, 2))
        step[:4, axis] = _STEP
        out.append((layout.signals(x, slopes + step) - layout.signals(x, slopes - step)) / (2 * _STEP))
    return np.stack(out)
