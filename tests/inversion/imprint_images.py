"""Images of a made-up imprint with known truth, by the engine plus noise."""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.acquisition.series import DIMS, SemSeries
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.inversion.imprint_model import face_slopes, pit
from napari_sem4d.physics.materials import material

PIXEL_NM = 65.0
ENERGY_KEV = 7.0


@dataclass(frozen=True)
class Truth:
    rotation_deg: float = 8.0
    half_diagonal: float = 36.0
    first_azimuth_deg: float = 100.0
    chirality: int = -1
    count: int = 3
    polar_deg: tuple[float, float] = (28.0, 62.0)
    axis_tilt_deg: tuple[float, float] = (0.6, -0.4)
    noise: float = 0.05
    side: int = 144

    @property
    def face_azimuths_rad(self) -> np.ndarray:
        return np.radians(self.rotation_deg + 45.0 + 90.0 * np.arange(4))

    @property
    def segments(self) -> tuple[Segment, ...]:
        half = 180.0 / self.count
        out = []
        for k in range(self.count):
            centre = self.first_azimuth_deg + self.chirality * 2 * half * k
            out.append(
                Segment(
                    name="ABCDEFGH"[k],
                    polar_deg=self.polar_deg,
                    azimuth_deg=(centre - half, centre + half),
                    gain=1e6 * (1 + 0.15 * k),
                    offset=-9000.0 + 2500.0 * k,
                )
            )
        return tuple(out)

    @property
    def slopes(self) -> np.ndarray:
        return face_slopes(self.face_azimuths_rad, np.radians(22.0), np.radians(self.axis_tilt_deg))

    def height(self) -> np.ndarray:
        return pit(self.slopes, self.half_diagonal, PIXEL_NM, self.side)[0]

    def images(self, seed: int = 1) -> np.ndarray:
        instrument = Instrument(beam=Beam(energy_kev=ENERGY_KEV), detector=Detector(segments=self.segments))
        engine = make_engine("local", ForwardSetup(instrument, material("Fe"), PIXEL_NM), torch.float64)
        height = torch.as_tensor(self.height())
        clean = engine.expected_signals(height, torch.ones_like(height)).numpy()
        flat = clean[:, 2, 2][:, None, None]
        return clean + self.noise * flat * np.random.default_rng(seed).normal(size=clean.shape)

    def series(self, images: np.ndarray | None = None, detector: Detector | None = None) -> SemSeries:
        images = self.images() if images is None else images
        names = [s.name for s in self.segments]
        return SemSeries(
            xr.DataArray(images[None], dims=DIMS, coords={"time": [0.0], "segment": names}),
            Instrument(beam=Beam(energy_kev=ENERGY_KEV), detector=detector or Detector()),
            pixel_nm=PIXEL_NM,
            material="Fe",
        )
