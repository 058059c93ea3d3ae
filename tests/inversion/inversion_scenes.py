"""Small surfaces with known heights, as an uncorrelated detector with four segments would show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.cosine import idct2
from napari_sem4d.forward.engine import DifferentiableEngine, ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.inversion.frame import FrameSolution, first_guess, solve_frame
from napari_sem4d.inversion.objective import FrameData
from napari_sem4d.inversion.options import InversionSettings
from napari_sem4d.inversion.preview import linear_preview
from napari_sem4d.inversion.priors import laplacian_symbol
from napari_sem4d.physics.materials import material

PIXEL_NM = 12.0


@dataclass(frozen=True)
class Scene:
    """A surface (nm), its relative yield, the engine, and the noise-free signals."""

    height: torch.Tensor
    relative_yield: torch.Tensor
    engine: DifferentiableEngine
    signals: torch.Tensor
    sigma: float

    def noisy(self, seed: int) -> FrameData:
        """Signals with white noise of ``sigma``, weighted by its inverse variance."""
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(self.signals.shape, generator=generator, dtype=self.signals.dtype)
        return self.data(self.signals + self.sigma * noise)

    def data(self, signals: torch.Tensor) -> FrameData:
        """Any signals with the scene's weight."""
        weight = torch.full_like(signals, self.sigma**-2)
        return FrameData(signals, weight, torch.zeros_like(signals, dtype=torch.bool))

    def error(self, height: torch.Tensor) -> torch.Tensor:
        """Height minus truth, mean zero, nm."""
        difference = height - self.height
        return difference - difference.mean()


def make_engine_for(segments: int = 4, dtype: torch.dtype = torch.float32) -> DifferentiableEngine:
    """The local engine for an annular detector of equal segments on copper at 10 kV."""
    width = 360 / segments
    ring = tuple(
        Segment(name=f"S{i}", polar_deg=(15, 45), azimuth_deg=(i * width + 10, (i + 1) * width + 10), gain=1e5)
        for i in range(segments)
    )
    instrument = Instrument(beam=Beam(energy_kev=10.0), detector=Detector(segments=ring))
    return make_engine("local", ForwardSetup(instrument, material("Cu"), PIXEL_NM), dtype)


def random_relief(shape: tuple[int, int], rms_slope: float, seed: int = 0, size_px: float = 6.0) -> torch.Tensor:
    """Smooth random heights, nm, of a given rms slope."""
    rng = np.random.default_rng(seed)
    # Cut out of a larger map: at the border of a filtered one slopes would be about twice as steep.
    edge = round(4 * size_px)
    larger = gaussian_filter(rng.normal(size=(shape[0] + 2 * edge, shape[1] + 2 * edge)), size_px)
    height = larger[edge:-edge, edge:-edge]
    gradient = np.gradient(height, PIXEL_NM)
    height *= rms_slope / np.sqrt(np.mean(gradient[0] ** 2 + gradient[1] ** 2))
    return torch.as_tensor(height, dtype=torch.float32)


def relief_of_white_curvature(shape: tuple[int, int]) -> torch.Tensor:
    """Heights, nm, whose curvature is alike in all waves but the longest, as the prior takes it to be."""
    modes = torch.randn(shape, generator=torch.Generator().manual_seed(4))
    return 5.0 * idct2(modes / laplacian_symbol(shape, modes).clamp_min(4e-2))


def make_scene(
    height: torch.Tensor,
    noise: float,
    engine: DifferentiableEngine | None = None,
    relative_yield: torch.Tensor | None = None,
) -> Scene:
    """A scene whose noise is a share of the mean signal."""
    engine = engine or make_engine_for()
    yields = torch.ones_like(height) if relative_yield is None else relative_yield
    signals = engine.expected_signals(height, yields)
    return Scene(height, yields, engine, signals, noise * float(signals.mean()))


def solve(scene: Scene, data: FrameData, settings: InversionSettings | None = None) -> FrameSolution:
    """Preview, then the full solution."""
    settings = settings or InversionSettings()
    setup = scene.engine.setup
    preview = linear_preview(data.signals.numpy(), setup.instrument, setup.material, setup.pixel_nm)
    height = torch.as_tensor(preview.height).to(scene.height.dtype)
    objective, state = first_guess(scene.engine, data, settings, height, preview.mean_yield)
    return solve_frame(objective, state, settings)
