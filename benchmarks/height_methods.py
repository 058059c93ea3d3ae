"""Ways from the images of a height scene to a surface, all with the same unknowns, for other benchmarks."""

from __future__ import annotations

import height_scenes
import numpy as np
import torch
from height_scenes import HeightScene

from napari_sem4d.forward.engine import DifferentiableEngine
from napari_sem4d.forward.local import LocalEngine
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.inversion.frame import FrameSolution, first_guess, solve_frame
from napari_sem4d.inversion.objective import FrameData
from napari_sem4d.inversion.options import InversionSettings


class PlanarEngine(LocalEngine):
    """The local law of the Monte Carlo table alone: no shadow, no bounce term."""

    def __init__(self) -> None:
        super().__init__(height_scenes.setup())
        count = height_scenes.plan()["segments"]

        def nothing(height: torch.Tensor, pixel_nm: float) -> tuple[torch.Tensor, torch.Tensor]:
            zero = 0.0 * height.expand(count, *height.shape)
            return zero + 1.0, zero

        self._bounce = nothing  # type: ignore[assignment]


def engines() -> dict[str, DifferentiableEngine]:
    setup = height_scenes.setup()
    return {"planar": PlanarEngine(), "local": make_engine("local", setup), "vift": make_engine("vift", setup)}


def frame_data(scene: HeightScene) -> FrameData:
    """Signals with weights of counting noise: half from the signal, half from its mean, as an estimate has it."""
    signals = torch.as_tensor(scene.signals, dtype=torch.float32)
    slope = float(np.square(scene.errors).mean() / scene.signals.mean())
    weight = 1.0 / (slope * 0.5 * (signals + signals.mean()))
    return FrameData(signals, weight, torch.zeros_like(signals, dtype=torch.bool))


def engine_made(engine: DifferentiableEngine, height: torch.Tensor, like: FrameData, seed: int) -> FrameData:
    """What an engine shows of a surface, with the noise of other data."""
    with torch.no_grad():
        signals = engine.expected_signals(height, torch.ones_like(height))
    noise = torch.randn(signals.shape, generator=torch.Generator().manual_seed(seed))
    return FrameData(signals + noise / like.weight.sqrt(), like.weight, like.censored)


def solved(
    engine: DifferentiableEngine, data: FrameData, settings: InversionSettings | None = None
) -> FrameSolution:
    settings = settings or InversionSettings()
    flat = torch.zeros_like(data.signals[0])
    return solve_frame(*first_guess(engine, data, settings, flat, 1.0), settings)


def without_plane(height: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(height.shape)
    basis = np.stack([np.ones(height.size), rows.ravel(), columns.ravel()], axis=1)
    fit = basis @ np.linalg.lstsq(basis, height.ravel(), rcond=None)[0]
    return np.asarray(height - fit.reshape(height.shape))


def step_height(height: np.ndarray, truth: np.ndarray, margin: int = 3) -> float:
    """Mean of the high level less that of the low one, where the true surface is level and far from walls, nm."""
    high, low = levels(truth, margin)
    return float(height[high].mean() - height[low].mean())


def levels(truth: np.ndarray, margin: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the two levels of a step or trench, without pixels near walls or the border."""
    from scipy.ndimage import binary_erosion

    top, bottom = truth.max(), truth.min()
    near = 0.01 * (top - bottom)
    shape = np.ones((2 * margin + 1,) * 2, dtype=bool)
    return tuple(  # type: ignore[return-value]
        binary_erosion(np.abs(truth - level) < near, shape) for level in (top, bottom)
    )
