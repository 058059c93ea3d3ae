"""A calibration: what a reference has told about the detector, with its uncertainty, saved as YAML."""

from __future__ import annotations

import hashlib
import math
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

import numpy as np
import yaml
from pydantic import Field, ValidationError, model_validator

from napari_sem4d.acquisition.instrument import Instrument, Segment, StrictModel
from napari_sem4d.acquisition.series import SemSeries
from napari_sem4d.errors import InputError, StoreError

_ENERGY_TOLERANCE = 0.01


class CalibratedParameter(StrictModel):
    """One fitted parameter."""

    name: str = Field(description="Name, for example 'gain A'")
    value: float = Field(description="Estimate, in the given unit")
    standard_uncertainty: float = Field(ge=0, description="Standard uncertainty, in the given unit")
    unit: str = Field(description="Unit: signal, deg, or 1")


class ResidualTable(StrictModel):
    """What the model leaves of the reference's mean signals."""

    regions: tuple[str, ...] = Field(description="Names of the rows")
    segments: tuple[str, ...] = Field(description="Names of the columns")
    percent_of_flat: tuple[tuple[float, ...], ...] = Field(
        description="Measured minus modelled mean signal, % of the flat's signal in that segment"
    )

    @property
    def rms_percent(self) -> float:
        """Root mean square over the whole table, % of the flat's signal."""
        return float(np.sqrt(np.mean(np.square(self.percent_of_flat))))


class LeftOutFace(StrictModel):
    """One face that was left out of the calibration and then measured with it."""

    face: str = Field(description="Name of the face")
    normal_error_deg: float = Field(ge=0, description="Angle between its solved and its known normal, degrees")
    inclination_error_deg: float = Field(description="Solved minus known inclination, degrees")
    scale_error: float = Field(description="Solved over known uphill slope, minus 1")
    residual_percent: tuple[float, ...] = Field(
        description="Measured minus predicted signal by segment, % of the flat's signal"
    )


class InputFile(StrictModel):
    """A file the calibration was made from."""

    name: str = Field(description="File name without its folder")
    sha256: str = Field(description="SHA-256 of its content, hexadecimal")


class Calibration(StrictModel):
    """Gains, offsets, azimuths, polar ranges and z amplification of a detector, with their uncertainty."""

    id: str = Field(default_factory=lambda: str(uuid.uuid4()), description="Identifier, unique")
    date: str = Field(
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"),
        description="When it was made, ISO 8601, UTC",
    )
    reference: Literal["flat", "vickers"] = Field(description="What was imaged")
    material: str = Field(description="Material of the reference")
    energy_kev: float = Field(gt=0, description="Beam energy, keV")
    engine: str = Field(description="Forward model that it was made with")
    detector_name: str | None = Field(None, description="Name of the detector")
    segments: tuple[Segment, ...] = Field(
        min_length=1, description="Calibrated segments; azimuths in the column's frame, without scan rotation"
    )
    common_rotation_deg: float | None = Field(
        None,
        description="Azimuth of the first segment's middle in the column's frame, degrees; None: not measured",
    )
    chirality: Literal[-1, 0, 1] | None = Field(
        None,
        description="Order of the segments around the column: 1 counter-clockwise on the screen, -1 clockwise, "
        "0 another order, None not measured",
    )
    working_distance_mm: float | None = Field(
        None, gt=0, description="Working distance that was found, mm; the segments' polar ranges hold for it"
    )
    z_amplification: float = Field(
        1.0, gt=0, description="True height over modelled height; 1 where gains and offsets were free"
    )
    parameters: tuple[CalibratedParameter, ...] = Field((), description="Fitted parameters")
    correlation: tuple[tuple[float, ...], ...] = Field(
        (), description="Correlation matrix of the parameters, in their order"
    )
    residuals: ResidualTable | None = Field(None, description="Residual by region and segment")
    reduced_chi_square: float | None = Field(None, ge=0, description="At the declared model error")
    model_error_percent: float | None = Field(
        None, ge=0, description="Model error that was added to the measured noise, % of the flat's signal"
    )
    left_out_faces: tuple[LeftOutFace, ...] = Field(
        (), description="Each face left out of the calibration in turn"
    )
    scale_uncertainty: float | None = Field(
        None, ge=0, description="Relative standard uncertainty of the height scale; None: no scale was fixed"
    )
    warnings: tuple[str, ...] = Field((), description="What to keep in mind")
    inputs: tuple[InputFile, ...] = Field((), description="Files it was made from")

    @model_validator(mode="after")
    def _check(self) -> Self:
        n = len(self.parameters)
        if len(self.correlation) != n or any(len(row) != n for row in self.correlation):
            raise ValueError(f"correlation must be a square matrix of {n} rows, one for each parameter")
        return self

    @property
    def fixes_height_scale(self) -> bool:
        """Whether heights made with it carry nanometres; otherwise they are relative heights."""
        return self.scale_uncertainty is not None

    @property
    def covariance(self) -> np.ndarray:
        """Covariance matrix of the parameters, shape (P, P), in their units."""
        std = np.array([p.standard_uncertainty for p in self.parameters])
        return np.array(self.correlation).reshape(std.size, std.size) * np.outer(std, std)

    def height_std(self, height: np.ndarray) -> np.ndarray:
        """Share of the scale uncertainty in a height difference, nm: adds in quadrature to the noise.

        Parameters
        ----------
        height : numpy.ndarray
            Heights over the datum, or height differences, nm.

        Raises
        ------
        InputError
            If this calibration fixes no scale.
        """
        if self.scale_uncertainty is None:
            raise InputError(
                f"a calibration on a {self.reference} reference fixes no height scale, so no uncertainty in nm "
                "can be given; calibrate on a Vickers imprint"
            )
        return np.abs(height) * self.scale_uncertainty

    def apply(self, instrument: Instrument) -> Instrument:
        """Instrument with the calibrated segments.

        Segments are matched by name; an instrument without segments takes them all.

        Raises
        ------
        InputError
            If the number of segments, their names or the beam energy do not agree.
        """
        energy = instrument.beam.energy_kev
        if energy is None:
            raise InputError(
                f"calibration {self.id} holds for {self.energy_kev:g} keV, but the beam energy of these images is "
                "not known; set beam.energy_kev"
            )
        if abs(energy / self.energy_kev - 1) > _ENERGY_TOLERANCE:
            raise InputError(
                f"calibration {self.id} was made at {self.energy_kev:g} keV, these images at {energy:g} keV; "
                "calibrate on a reference that was imaged at the same energy"
            )
        names, own = instrument.segment_names, tuple(s.name for s in self.segments)
        if names and len(names) != len(own):
            raise InputError(
                f"calibration {self.id} describes {len(own)} segments ({', '.join(own)}), these images have "
                f"{len(names)} ({', '.join(names)}); choose the calibration of this detector"
            )
        if names and set(names) != set(own):
            raise InputError(
                f"calibration {self.id} describes the segments {', '.join(own)}, these images are called "
                f"{', '.join(names)}; give the segments the same names, or choose the calibration of this detector"
            )
        by_name = {s.name: s for s in self.segments}
        segments = tuple(by_name[n] for n in names) if names else self.segments
        detector = instrument.detector.model_copy(update={"segments": segments})
        return instrument.model_copy(update={"detector": detector})

    def save(self, path: Path) -> Path:
        """Write the calibration as YAML.

        Raises
        ------
        StoreError
            If the file exists already (nothing is overwritten silently) or cannot be written.
        """
        path = Path(path)
        text = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise StoreError(f"{path} exists already; choose another name, or remove it first") from None
        except OSError as error:
            raise StoreError(f"the calibration cannot be written to {path}: {error.strerror or error}") from error
        return path

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read a calibration from YAML.

        Raises
        ------
        InputError
            If the file is missing, is no YAML, or is no calibration.
        """
        path = Path(path)
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"the calibration {path} cannot be read: {error.strerror or error}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is no YAML file, so no calibration can be read from it: {error}") from error
        if not isinstance(content, dict):
            raise InputError(f"{path} holds no calibration; choose a file that 'sem4d calibrate' has written")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise InputError(
                f"{path} is not a valid calibration: {where}: {first['msg']}; make it again with 'sem4d calibrate'"
            ) from error


def input_files(series: SemSeries, frame: int) -> tuple[InputFile, ...]:
    """Names and hashes of the files that one frame was read from."""
    paths = [] if frame >= len(series.sources) else [page.path for page in series.sources[frame]]
    out = []
    for path in dict.fromkeys(paths):
        with path.open("rb") as file:
            out.append(InputFile(name=path.name, sha256=hashlib.file_digest(file, "sha256").hexdigest()))
    return tuple(out)


def describe(calibration: Calibration) -> str:
    """Return a calibration as text: parameters, residual, left-out faces, warnings."""
    scale = calibration.scale_uncertainty
    lines = [
        f"Calibration {calibration.id} on a {calibration.reference} reference ({calibration.material}, "
        f"{calibration.energy_kev:g} keV, engine {calibration.engine}), {calibration.date}",
        "height scale: " + ("not fixed" if scale is None else f"standard uncertainty {scale:.1%}"),
    ]
    lines += [
        f"  {p.name:<18s}{p.value:>14.6g} +- {p.standard_uncertainty:.2g} {p.unit}" for p in calibration.parameters
    ]
    if calibration.residuals is not None:
        table = calibration.residuals
        chi = calibration.reduced_chi_square or math.nan
        lines.append(f"residual, % of the flat signal (rms {table.rms_percent:.2f}, reduced chi-square {chi:.2f})")
        lines.append(" " * 12 + "".join(f"{s:>9s}" for s in table.segments))
        for name, row in zip(table.regions, table.percent_of_flat, strict=True):
            lines.append(f"  {name:<10s}" + "".join(f"{v:9.2f}" for v in row))
    if calibration.left_out_faces:
        lines.append("each face left out in turn: error of its normal, of its inclination, deg; residual, %")
    for left in calibration.left_out_faces:
        rest = "".join(f"{v:9.2f}" for v in left.residual_percent)
        lines.append(f"  {left.face:<10s}{left.normal_error_deg:9.2f}{left.inclination_error_deg:9.2f} |{rest}")
    lines += [f"note: {w}" for w in calibration.warnings]
    return "\n".join(lines)
