"""What a run needs before its first frame: everything known, instrument, noise, engine, device."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_sem4d.acquisition.instrument import Instrument
from napari_sem4d.acquisition.pixels import pixels_of
from napari_sem4d.acquisition.series import SemSeries
from napari_sem4d.errors import InputError, SettingsError
from napari_sem4d.inversion.stage import Stage
from napari_sem4d.settings import Settings

if TYPE_CHECKING:
    import torch

    from napari_sem4d.acquisition.noise import NoiseModel
    from napari_sem4d.forward.engine import DifferentiableEngine
    from napari_sem4d.inversion.calibration import Calibration
    from napari_sem4d.physics.materials import Material

_RESOLVED_RANGES = 0.3
_ASK = {
    "pixel_nm": "the pixel size (pixel_nm, nm)",
    "beam.energy_kev": "the beam energy (beam.energy_kev, keV)",
    "material": "the material (material, a name or a formula)",
    "detector.segments": "the detector's segments (detector, a preset or your own)",
}


def require_known(series: SemSeries, calibration: Calibration | None = None) -> None:
    """Refuse a series that lacks what a reconstruction needs (a calibration brings the segments along).

    Raises
    ------
    SettingsError
        Naming everything that is missing.
    """
    given = () if calibration is None else ("detector.segments",)
    missing = [name for name in series.missing() if name not in given]
    if missing:
        wanted = "; ".join(_ASK[name] for name in missing)
        raise SettingsError(
            f"the files do not say everything that is needed: give {wanted}, in the Load series widget, in "
            "acquisition.yaml beside the images, or in the settings"
        )


def choose_device(name: str) -> torch.device:
    """The torch device for a name of the settings ("auto", "cpu", "cuda", "mps").

    Raises
    ------
    SettingsError
        If that device is not there.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[name]:
        raise SettingsError(f"device '{name}' is not available on this computer; use device: auto or cpu")
    return torch.device(name)


@dataclass(frozen=True)
class Setup:
    """What is the same for every frame of a run; noise and engine are made when they are first needed.

    Attributes
    ----------
    series : SemSeries
    settings : Settings
    calibration : Calibration or None
    instrument : Instrument
        With the gains that the run uses.
    material : Material
        The reference material.
    device : torch.device
    reference_frame : int
        The frame from which gains (without a calibration) and noise are taken.
    """

    series: SemSeries
    settings: Settings
    calibration: Calibration | None
    instrument: Instrument
    material: Material
    device: torch.device
    reference_frame: int

    @cached_property
    def noise(self) -> NoiseModel:
        """Noise as measured in the reference frame."""
        from napari_sem4d.acquisition.noise import estimate_noise

        return estimate_noise(read_frame(self.series, self.reference_frame), saturation=self.series.saturation)

    @cached_property
    def engine(self) -> DifferentiableEngine:
        """The forward engine of the settings."""
        from napari_sem4d.forward.engine import ForwardSetup
        from napari_sem4d.forward.registry import make_engine

        setup = ForwardSetup(self.instrument, self.material, self.pixel_nm)
        return make_engine(self.settings.engine, setup, device=self.device)

    @property
    def pixel_nm(self) -> float:
        """Edge of a pixel, nm."""
        return float(self.series.pixel_nm or 0.0)

    @property
    def resolution_nm(self) -> float:
        """Length below which structure leaves no contrast of slopes, nm: about 0.3 of the electrons' range."""
        return _RESOLVED_RANGES * self.material.range_nm(float(self.instrument.beam.energy_kev or 0.0))

    @property
    def stage(self) -> Stage:
        """The stage that the heights are given on."""
        return Stage(self.instrument.beam.tilt_deg, self.pixel_nm)

    @property
    def remove_plane(self) -> bool:
        """Without a calibration the segments' gains are free, and the mean plane with them."""
        return self.calibration is None

    @property
    def scale_status(self) -> str:
        """Whether a reference has fixed the scale of the heights."""
        fixed = self.calibration is not None and self.calibration.fixes_height_scale
        return "calibrated" if fixed else "relative"


def read_frame(series: SemSeries, frame: int) -> np.ndarray:
    """Pixels of one frame, shape (K, Y, X), float32.

    Raises
    ------
    InputError
        If the frame was flagged as unusable, or holds no finite value.
    """
    if frame in series.faults:
        raise InputError(series.faults[frame])
    pixels = np.asarray(pixels_of(series.signal.isel(time=frame)), dtype=np.float32)
    for name, image in zip(series.segment_names, pixels, strict=True):
        finite = image[np.isfinite(image)]
        if finite.size == 0:
            raise InputError(f"frame {frame} cannot be read: segment {name} holds no value")
        if float(finite.min()) == float(finite.max()):
            raise InputError(
                f"frame {frame}, segment {name} is constant ({finite[0]:g} everywhere): the detector was off or "
                "its brightness out of range; record it again or leave the frame out"
            )
    return pixels


def first_readable(series: SemSeries, usable: Sequence[int]) -> tuple[int, np.ndarray]:
    """The first frame that can be read, and its pixels; if there is none, the first one's error is raised."""
    for frame in usable:
        with contextlib.suppress(InputError):
            return frame, read_frame(series, frame)
    return usable[0], read_frame(series, usable[0])


def run_instrument(
    series: SemSeries, calibration: Calibration | None, pixels: np.ndarray
) -> tuple[Instrument, Material]:
    """Instrument with gains from the calibration or else from the images, and the reference material."""
    from napari_sem4d.acquisition.checks import require_segments
    from napari_sem4d.inversion.prepare import nominal_gains
    from napari_sem4d.physics.materials import material

    require_known(series, calibration)
    require_segments(series)
    reference = material(str(series.material))
    if calibration is not None:
        return calibration.apply(series.instrument), reference
    return nominal_gains(series.instrument, reference, pixels), reference


def prepare(
    series: SemSeries, settings: Settings, calibration: Calibration | None, frame: int, pixels: np.ndarray
) -> Setup:
    """Set a run up; ``frame`` is its reference frame, ``pixels`` what was read of it.

    Raises
    ------
    SettingsError, InputError
        If something needed is unknown or the frame cannot be used.
    """
    device = choose_device(settings.device)
    instrument, reference = run_instrument(series, calibration, pixels)
    return Setup(series, settings, calibration, instrument, reference, device, frame)
