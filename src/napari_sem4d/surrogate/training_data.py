"""Training patches in memory: surfaces, conditions, and what Monte Carlo adds to the baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from napari_sem4d.errors import InputError
from napari_sem4d.surrogate.baseline import baseline
from napari_sem4d.surrogate.dataset import Chunk, dataset_settings, read_chunk
from napari_sem4d.surrogate.directions import as_detectors_see, shortened
from napari_sem4d.surrogate.inputs import without_border
from napari_sem4d.surrogate.patches import ORDER, THRESHOLDS


@dataclass(frozen=True)
class TrainingData:
    """Patches of one or more folders.

    Attributes
    ----------
    height : torch.Tensor, shape (patches, core + 2 halo, core + 2 halo), float32
        rho50.
    target : torch.Tensor, shape (patches, thresholds x terms, core, core), float16
        Monte Carlo minus baseline, in flat signals; noisy.
    missed : torch.Tensor, shape (patches,), float32
        Mean square of the baseline's systematic error, as detectors see it; can be just below zero.
    conditions : torch.Tensor, shape (patches, 3), float32
    families : tuple of str
        The families of every patch, joined by a plus sign.
    pitch : float
        rho50.
    """

    height: torch.Tensor
    target: torch.Tensor
    missed: torch.Tensor
    conditions: torch.Tensor
    families: tuple[str, ...]
    pitch: float

    @property
    def halo(self) -> int:
        """Pixels of surroundings on every side."""
        return (self.height.shape[-1] - self.target.shape[-1]) // 2

    def batch(self, numbers: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Surfaces, conditions and targets of some patches."""
        index = torch.as_tensor(numbers)
        return self.height[index].float(), self.conditions[index], self.target[index].float()


def load_training_data(
    folder: Path, order: int, *, progress: Callable[[float], None] | None = None
) -> TrainingData:
    """Read a training set's finished chunks; their baselines are worked out once and kept beside them.

    Raises
    ------
    InputError
        If the folder holds no finished chunk.
    StoreError
        If a chunk cannot be read.
    """
    paths = sorted(folder.glob("chunk-*.npz"))
    if not paths:
        raise InputError(f"{folder} holds no finished chunk of a training set; make one with sem4d dataset")
    settings = dataset_settings(folder)
    heights, targets, missed, conditions, families = [], [], [], [], []
    for done, path in enumerate(paths):
        chunk = read_chunk(path)
        target = _residual(chunk, path.with_name(path.name.replace("chunk", "fitted")), order, settings.pitch)
        heights.append(without_border(torch.as_tensor(chunk.height), settings.beyond))
        targets.append(torch.as_tensor(target))
        missed.append(systematic_square(seen_by_detectors(targets[-1].float(), order)))
        conditions.append(torch.as_tensor(chunk.conditions))
        families += ["+".join(c["families"]) for c in chunk.cases]
        if progress is not None:
            progress((done + 1) / len(paths))
    return TrainingData(
        torch.cat(heights),
        torch.cat(targets),
        torch.cat(missed),
        torch.cat(conditions),
        tuple(families),
        settings.pitch,
    )


def flat_signal(conditions: np.ndarray) -> np.ndarray:
    """Energy-weighted electrons per primary of a flat surface, from conditions (..., 3)."""
    flat: np.ndarray = conditions[..., 0] * conditions[..., 1]
    return flat


def seen_by_detectors(error: torch.Tensor, order: int) -> torch.Tensor:
    """Errors of coefficients (B, thresholds x terms, Y, X) as detectors see them, in the same shape."""
    seen = torch.as_tensor(as_detectors_see(order), dtype=error.dtype, device=error.device)
    return torch.einsum("ij,btiyx->btjyx", seen, error.unflatten(1, (-1, len(seen)))).flatten(1, 2)


def systematic_square(rest: torch.Tensor) -> torch.Tensor:
    """Mean square (B,) of the systematic part of noisy errors (B, fields, Y, X).

    It is the mean product of errors at neighbouring pixels, whose noise is independent; it can come out below
    zero where there is hardly any error.
    """
    across, down = rest[..., 1:] * rest[..., :-1], rest[..., 1:, :] * rest[..., :-1, :]
    return 0.5 * (across.mean((1, 2, 3)) + down.mean((1, 2, 3)))


def _residual(chunk: Chunk, kept: Path, order: int, pitch: float) -> np.ndarray:
    if kept.exists():
        with np.load(kept, allow_pickle=False) as file:
            base = file["base"]
    else:
        base = np.stack([_baseline_of(chunk, n, pitch).astype(np.float16) for n in range(len(chunk.cases))])
        partial = kept.with_suffix(".part")
        with partial.open("wb") as stream:
            np.savez(stream, base=base)
        partial.replace(kept)
    difference = chunk.coefficients.astype(np.float32) - base.astype(np.float32)
    difference /= flat_signal(chunk.conditions)[:, None, None, None, None]
    if order < ORDER:
        difference = np.einsum("ij,ntjyx->ntiyx", shortened(order, ORDER).astype(np.float32), difference)
    shape = difference.shape
    return difference.reshape(shape[0], shape[1] * shape[2], *shape[3:]).astype(np.float16)


def _baseline_of(chunk: Chunk, number: int, pitch: float) -> np.ndarray:
    case = chunk.cases[number]
    halo = (chunk.height.shape[-1] - chunk.coefficients.shape[-1]) // 2
    physics = baseline(case["material"], case["energy_kev"], ORDER, THRESHOLDS)
    height = torch.as_tensor(chunk.height[number])
    return physics(height, pitch, float(chunk.conditions[number, 2]), halo).numpy()
