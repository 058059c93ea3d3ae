"""What is measured on an imprint, what may be fitted to it, and the signals that a parameter vector predicts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.inversion.geometry import ASSUMED_STD, GeometryPart, moved_segment
from napari_sem4d.inversion.imprint_model import RegionModel, face_slopes

POLAR_UNIT_DEG = 10.0
"""Polar limits in degrees per unit of their internal parameters."""
_NO_FACE = 1e3  # residual, in standard deviations, of a face that has vanished


@dataclass(frozen=True)
class ImprintProblem:
    """Mean signals of four faces and a flat, and what may be fitted to them.

    Attributes
    ----------
    mean, standard_error : numpy.ndarray, shape (5, K)
        Of the faces, counter-clockwise, and the flat; signal units.
    face_azimuths_rad : numpy.ndarray, shape (4,)
        As seen from the centre of the pit.
    inclination_rad : float
        Known inclination of the faces to the axis.
    segments : tuple of Segment
        To start from, azimuths in the image's frame.
    model : RegionModel
        Forward model.
    free_gains, free_offsets, free_polar, free_axis_tilt, free_amplification : bool
        What is fitted besides the common azimuth rotation.
    geometry : tuple of str
        What of the detector's geometry is wanted, and so has to be determined by the signals.
    polar_std_deg, offset_std, face_yield_std : float
        Standard deviations of the priors on the polar limits (deg), the offsets (share of the flat's signal)
        and the relative yield of the faces (0 fixes it).
    model_error : float
        Share of the flat's signal, added to the standard errors in quadrature.
    used : tuple of bool
        Which of the five regions count.
    """

    mean: np.ndarray
    standard_error: np.ndarray
    face_azimuths_rad: np.ndarray
    inclination_rad: float
    segments: tuple[Segment, ...]
    model: RegionModel
    free_gains: bool = True
    free_offsets: bool = True
    free_polar: bool = True
    free_axis_tilt: bool = True
    free_amplification: bool = False
    polar_std_deg: float = 10.0
    offset_std: float = 0.5
    face_yield_std: float = 0.03
    model_error: float = 0.01
    geometry: tuple[GeometryPart, ...] = ()
    used: tuple[bool, ...] = (True,) * 5

    @property
    def flat(self) -> np.ndarray:
        """Signal of the flat in each segment, shape (K,)."""
        return self.mean[4]

    @property
    def sigma(self) -> np.ndarray:
        """Standard deviation that each mean is given, shape (5, K), signal units."""
        return np.hypot(self.standard_error, self.model_error * np.abs(self.flat))

    def without(self, face: int) -> ImprintProblem:
        """Return the problem in which one face does not count."""
        used = [u and r != face for r, u in enumerate(self.used)]
        return replace(self, used=tuple(used))


@dataclass(frozen=True)
class State:
    """One point of the parameter space, in physical terms (image frame)."""

    segments: tuple[Segment, ...]
    slopes: np.ndarray
    face_yield: float
    amplification: float


@dataclass(frozen=True)
class Layout:
    """How the vector of internal parameters is made up, for one arrangement of the segments."""

    problem: ImprintProblem
    model: RegionModel
    base_azimuth_deg: np.ndarray
    reference_response: np.ndarray
    start_rotation_rad: float = 0.0
    blocks: dict[str, slice] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        problem: ImprintProblem,
        base_azimuth_deg: np.ndarray,
        rotation_rad: float,
        model: RegionModel | None = None,
    ) -> Layout:
        """Lay the free parameters out and find the flat's response at the starting geometry.

        ``model`` is a quick model that is good enough to start with.
        """
        k = len(problem.segments)
        sizes = {
            "gain": k * problem.free_gains,
            "offset": k * problem.free_offsets,
            "rotation": 1,
            "own": (k - 1) * ("segment_azimuths" in problem.geometry),
            "distance": int("working_distance" in problem.geometry),
            "tilt": 2 * problem.free_axis_tilt,
            "polar": 2 * (problem.free_polar and "working_distance" not in problem.geometry),
            "yield": int(problem.face_yield_std > 0),
            "amplification": int(problem.free_amplification),
        }
        blocks, start = {}, 0
        for name, size in sizes.items():
            blocks[name] = slice(start, start + size)
            start += size
        slopes = face_slopes(problem.face_azimuths_rad, problem.inclination_rad, np.zeros(2))
        turned = tuple(
            _turned(s, b, rotation_rad) for s, b in zip(problem.segments, base_azimuth_deg, strict=True)
        )
        model = model or problem.model.near(turned, slopes)
        return cls(problem, model, base_azimuth_deg, model(turned, slopes)[4], rotation_rad, blocks)

    def renewed(self, x: np.ndarray) -> Layout:
        """Return the same layout with the model that is exact at the geometry of ``x``."""
        state = self.state(x)
        return replace(self, model=self.problem.model.near(state.segments, state.slopes / state.amplification))

    @property
    def size(self) -> int:
        """Number of free parameters."""
        return self.blocks["amplification"].stop

    def start(self) -> np.ndarray:
        """Starting point: contrast by regression on the model's signals where that is positive."""
        x = np.zeros(self.size)
        x[self.blocks["rotation"]] = self.start_rotation_rad
        return x

    def get(self, x: np.ndarray, name: str, default: float = 0.0) -> np.ndarray:
        """One block of parameters, or ``default`` where it is not free."""
        part = x[self.blocks[name]]
        return part if part.size else np.full(2, default)

    def x_of(self, x: np.ndarray, name: str) -> np.ndarray:
        """One block of parameters; empty if it is not free."""
        return x[self.blocks[name]]

    def state(self, x: np.ndarray, slopes: np.ndarray | None = None) -> State:
        """Physical meaning of a parameter vector; other slopes, shape (5, 2), on request."""
        problem = self.problem
        rotation = float(x[self.blocks["rotation"]][0])
        change = self.get(x, "polar") * POLAR_UNIT_DEG
        gain, offset = x[self.blocks["gain"]], x[self.blocks["offset"]]
        own = np.concatenate([[0.0], x[self.blocks["own"]]]) if x[self.blocks["own"]].size else None
        factor = float(np.exp(self.get(x, "distance")[0]))
        segments = []
        for k, (segment, base) in enumerate(zip(problem.segments, self.base_azimuth_deg, strict=True)):
            update: dict[str, object] = {"polar_deg": moved_segment(segment, 0.0, change, factor).polar_deg}
            if gain.size:
                update["gain"] = float(np.exp(gain[k]) * problem.flat[k] / self.reference_response[k])
            if offset.size:
                update["offset"] = float(segment.offset + offset[k] * problem.flat[k])
            turn = rotation if own is None else rotation + float(own[k])
            segments.append(_turned(segment, base, turn).model_copy(update=update))
        if slopes is None:
            slopes = face_slopes(problem.face_azimuths_rad, problem.inclination_rad, self.get(x, "tilt"))
        return State(
            tuple(segments),
            slopes,
            1.0 + float(self.get(x, "yield")[0]),
            float(np.exp(self.get(x, "amplification")[0])),
        )

    def signals(self, x: np.ndarray, slopes: np.ndarray | None = None) -> np.ndarray:
        """Signals of faces and flat, shape (5, K)."""
        state = self.state(x, slopes)
        response = self.model(state.segments, state.slopes / state.amplification)
        response[:4] *= state.face_yield
        gains = np.array([s.gain for s in state.segments])
        return response * gains + np.array([s.offset for s in state.segments])

    def misfit(self, x: np.ndarray) -> np.ndarray:
        """Residuals of the used regions in units of their standard deviation."""
        used = np.array(self.problem.used)
        rest: np.ndarray = ((self.signals(x) - self.problem.mean) / self.problem.sigma)[used]
        return np.nan_to_num(rest.ravel(), nan=_NO_FACE)

    def priors(self, x: np.ndarray) -> np.ndarray:
        """Distance from what was assumed beforehand, in standard deviations."""
        problem = self.problem
        parts = [x[self.blocks["offset"]] / problem.offset_std]
        parts.append(x[self.blocks["polar"]] * (POLAR_UNIT_DEG / problem.polar_std_deg))
        parts.append(x[self.blocks["own"]] / np.radians(ASSUMED_STD["segment_azimuths"]))
        parts.append(x[self.blocks["distance"]] / ASSUMED_STD["working_distance"])
        if problem.face_yield_std > 0:
            parts.append(x[self.blocks["yield"]] / problem.face_yield_std)
        return np.concatenate(parts)

    def describe(self, x: np.ndarray) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray, np.ndarray]:
        """Names, units, values and derivative of each value by its internal parameter."""
        state, problem = self.state(x), self.problem
        names: list[str] = []
        units: list[str] = []
        values: list[float] = []
        scale: list[float] = []

        def add(name: str, unit: str, value: float, factor: float) -> None:
            names.append(name)
            units.append(unit)
            values.append(value)
            scale.append(factor)

        if problem.free_gains:
            for s in state.segments:
                add(f"gain {s.name}", "signal", s.gain, s.gain)
        if problem.free_offsets:
            for s, flat in zip(state.segments, problem.flat, strict=True):
                add(f"offset {s.name}", "signal", s.offset, float(flat))
        first = state.segments[0]
        add(f"azimuth {first.name}", "deg", first.azimuth_centre_deg, float(np.degrees(1.0)))
        for s, value in zip(state.segments[1:], self.x_of(x, "own"), strict=False):
            add(f"azimuth change {s.name}", "deg", float(np.degrees(value)), float(np.degrees(1.0)))
        for value in self.x_of(x, "distance"):
            add("working distance", "1", float(np.exp(value)), float(np.exp(value)))
        if problem.free_axis_tilt:
            for axis, value in zip("xy", self.get(x, "tilt"), strict=True):
                add(f"axis tilt {axis}", "deg", float(np.degrees(value)), float(np.degrees(1.0)))
        if self.x_of(x, "polar").size:
            for limit, value in zip(("inner", "outer"), self.get(x, "polar"), strict=True):
                add(f"polar change {limit}", "deg", float(value) * POLAR_UNIT_DEG, POLAR_UNIT_DEG)
        if problem.face_yield_std > 0:
            add("face yield", "1", state.face_yield, 1.0)
        if problem.free_amplification:
            add("z amplification", "1", state.amplification, state.amplification)
        return tuple(names), tuple(units), np.array(values), np.array(scale)


def _turned(segment: Segment, base_deg: float, rotation_rad: float) -> Segment:
    width = segment.azimuth_width_deg
    first = base_deg + float(np.degrees(rotation_rad)) - 0.5 * width
    return segment.model_copy(update={"azimuth_deg": (first, first + width)})
