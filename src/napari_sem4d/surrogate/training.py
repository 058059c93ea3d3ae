"""Training of ViFT: noisy targets, averaged weights, checkpoints without pickle."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import torch
import yaml
from pydantic import Field, ValidationError
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn.functional import avg_pool2d

from napari_sem4d.acquisition.instrument import StrictModel
from napari_sem4d.errors import Cancelled, DomainError, InputError, StoreError
from napari_sem4d.records import Progress
from napari_sem4d.surrogate.directions import terms
from napari_sem4d.surrogate.inputs import without_border
from napari_sem4d.surrogate.training_data import TrainingData, seen_by_detectors, systematic_square
from napari_sem4d.surrogate.vift import Architecture, ViFT
from napari_sem4d.surrogate.weights import Tensors, save_tensors, save_weights

_BROAD = 8
_EASIEST = 0.1
"""What a patch is taken to miss at least, over the mean: no patch counts more than ten times as much."""


class TrainingSettings(StrictModel):
    """How a network is trained."""

    architecture: Architecture = Field(default_factory=lambda: Architecture())
    steps: int = Field(6000, ge=1, description="Steps of the optimiser")
    batch: int = Field(16, ge=1, description="Patches a step")
    learning_rate: float = Field(2e-3, gt=0, description="Highest learning rate")
    warm_up: int = Field(200, ge=0, description="Steps in which the learning rate grows")
    weight_decay: float = Field(1e-3, ge=0, description="Decay of weights per step and learning rate")
    clip: float = Field(1.0, gt=0, description="Largest norm of the gradient")
    broad: float = Field(
        8.0,
        ge=0,
        description="Weight of the mean square over means of 8 x 8 working pixels (4 rho50) beside that over "
        "pixels: an error that is alike over a wide flank adds up in heights",
    )
    evenness: float = Field(
        0.0,
        ge=0,
        le=1,
        description="How far easy patches count more: the loss of a patch is divided by this power of what the "
        "baseline misses there. 0: patches where little is missed hardly count; 1: all count alike",
    )
    averaging: float = Field(0.998, ge=0, lt=1, description="Memory of the averaged weights, per step")
    check_every: int = Field(250, ge=1, description="Steps between checks on held-out families, with checkpoints")
    patience: int = Field(12, ge=1, description="Checks without a better one before training stops")
    half_precision: bool = Field(True, description="Whether products are done in bfloat16")
    seed: int = Field(1, description="Seed of the first weights and of the order of patches")


def load_training_settings(path: Path | None) -> TrainingSettings:
    """Read training settings from a YAML file; the usual ones without a file.

    Raises
    ------
    InputError
        If the file cannot be read or does not hold training settings.
    """
    if path is None:
        return TrainingSettings()
    try:
        return TrainingSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise InputError(f"{path} does not hold training settings ({error}); see sem4d train --help") from error


class Training:
    """A training that can be stopped and taken up again.

    Parameters
    ----------
    settings : TrainingSettings
    data, held_out : TrainingData
        Patches to learn from, and those of other families to check on.
    folder : Path
        Of checkpoints: ``state.safetensors`` (weights, averages and the optimiser's moments) and the best
        averaged weights, ``vift.safetensors`` with its card.
    start : Tensors, optional
        Weights to start from (fine-tuning); of a network of another depth, or of an earlier version, what fits.
    device : str

    Raises
    ------
    InputError
        If the weights to start from are of a network of other sizes.
    StoreError
        If the folder holds the checkpoint of a training with other settings.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        data: TrainingData,
        held_out: TrainingData,
        folder: Path,
        *,
        start: Tensors | None = None,
        device: str = "cpu",
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.data, self.held_out = settings, data, held_out
        self.folder, self.device = folder, torch.device(device)
        self.network = ViFT(settings.architecture).to(self.device)
        if start is not None:
            self.network.load_state_dict(_take_over(start, self.network))
        self._started_from = None if start is None else start.sha256
        self.average = ViFT(settings.architecture).to(self.device).requires_grad_(False).eval()
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            settings.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=settings.weight_decay,
        )
        self.step = 0
        self.best = math.inf
        self.waited = 0
        self.history: list[tuple[int, float, float]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._checkpoint = folder / "state.safetensors"
        if self._checkpoint.exists():
            self._restore()

    def run(self, cancel: Event | None = None) -> Iterator[Progress]:
        """Train to the end, with a record at every check.

        Raises
        ------
        Cancelled
            If ``cancel`` was set; the last checkpoint is kept.
        DomainError
            If the loss is no longer a number.
        """
        total, since = 0.0, 0
        while self.step < self.settings.steps and self.waited < self.settings.patience:
            if cancel is not None and cancel.is_set():
                raise Cancelled(f"training was cancelled at step {self.step}; it goes on from its last checkpoint")
            total += self._advance()
            since += 1
            if self.step % self.settings.check_every == 0 or self.step == self.settings.steps:
                held_out = self.error(self.held_out)
                self.history.append((self.step, total / since, held_out))
                self.waited = 0 if held_out < self.best else self.waited + 1
                if held_out < self.best:
                    self.best = held_out
                    save_weights(self.folder / "vift.safetensors", self.average, self.about())
                self._save()
                text = f"step {self.step}: {total / since:.6f} in training with noise, {held_out:.6f} held-out"
                yield Progress(self.step / self.settings.steps, text)
                total, since = 0.0, 0

    def error(self, data: TrainingData, batch: int = 16) -> float:
        """Mean square of the systematic error in flat signals squared, with the averaged weights."""
        total = 0.0
        for start in range(0, len(data.height), batch):
            numbers = np.arange(start, min(start + batch, len(data.height)))
            with torch.no_grad():
                rest = self._rest(self.average, numbers, data)
            total += float(systematic_square(rest).sum())
        return total / len(data.height)

    def about(self) -> dict[str, Any]:
        """What the card says about the training."""
        return {
            "training": self.settings.model_dump(mode="json"),
            "started_from": self._started_from,
            "steps": self.step,
            "patches": len(self.data.height),
            "held_out_error": self.best,
        }

    def _advance(self) -> float:
        s = self.settings
        # The order of patches depends on seed and step alone, so that a resumed training repeats nothing.
        rng = np.random.default_rng([s.seed, self.step])
        numbers = rng.choice(len(self.data.height), min(s.batch, len(self.data.height)), replace=False)
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        rest = self._rest(self.network, numbers, self.data)
        fine, wide = (x.square().mean((1, 2, 3)) for x in (rest, avg_pool2d(rest, _BROAD)))
        loss = (self._shares(numbers) * (fine + s.broad * wide)).mean()
        if not math.isfinite(float(loss.detach())):
            raise DomainError(f"training diverged at step {self.step}; take a smaller learning_rate")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), s.clip)
        self.optimiser.step()
        self.step += 1
        keep = min(s.averaging, self.step / (self.step + 10.0))
        with torch.no_grad():
            for mean, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(new, 1.0 - keep)
        return float(loss.detach())

    def _shares(self, numbers: np.ndarray) -> torch.Tensor:
        """How much patches count, (B,)."""
        missed = self.data.missed.clamp(min=0.0)
        usual = missed.mean().clamp(min=torch.finfo(missed.dtype).tiny)
        relative = usual / (missed[torch.as_tensor(numbers)] + _EASIEST * usual)
        return (relative**self.settings.evenness).to(self.device)

    def _rest(self, network: ViFT, numbers: np.ndarray, data: TrainingData) -> torch.Tensor:
        """What a network leaves of some patches' targets (noise included), as detectors see it."""
        height, conditions, target = (x.to(self.device) for x in data.batch(numbers))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.half_precision):
            found = network(height, conditions, data.pitch)
        inside = without_border(found, data.halo).float()
        return seen_by_detectors(inside - target, self.settings.architecture.order)

    def _rate(self) -> float:
        s = self.settings
        if self.step < s.warm_up:
            return s.learning_rate * (self.step + 1) / s.warm_up
        share = (self.step - s.warm_up) / max(1, s.steps - s.warm_up)
        return s.learning_rate * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * share)))

    def _save(self) -> None:
        tensors = {f"network.{n}": t for n, t in self.network.state_dict().items()}
        tensors |= {f"average.{n}": t for n, t in self.average.state_dict().items()}
        for number, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{key}": torch.as_tensor(value) for key, value in state.items()}
        about = {
            "settings": self.settings.model_dump_json(),
            "step": str(self.step),
            "best": repr(self.best),
            "waited": str(self.waited),
            "started_from": self._started_from or "",
        }
        save_tensors(self._checkpoint, tensors, about)

    def _restore(self) -> None:
        with safe_open(self._checkpoint, framework="pt") as file:
            about = file.metadata() or {}
        written = json.loads(about.get("settings", "{}"))
        sizes = Architecture.written(written.get("architecture", {}))
        if TrainingSettings.model_validate({**written, "architecture": sizes}) != self.settings:
            raise StoreError(f"{self.folder} holds a training with other settings; choose another folder")
        tensors = load_file(self._checkpoint)
        for prefix, module in (("network.", self.network), ("average.", self.average)):
            module.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
        state = self.optimiser.state_dict()
        state["state"] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, number, key = name.split(".")
                state["state"].setdefault(int(number), {})[key] = tensor
        self.optimiser.load_state_dict(state)
        self.step, self.waited, self.best = int(about["step"]), int(about["waited"]), float(about["best"])
        self._started_from = about.get("started_from") or None


def _take_over(start: Tensors, network: ViFT) -> dict[str, torch.Tensor]:
    """Weights to start with: those that fit; the network keeps its own where it has more blocks or inputs."""
    ours, theirs = network.architecture, start.architecture
    free = {"depth", "elevations", "order"}
    sizes, others = ours.model_dump(), theirs.model_dump()
    differing = [name for name, value in sizes.items() if value != others[name] and name not in free]
    if differing:
        raise InputError(
            f"the weights to start from have another {' and '.join(differing)} than the settings' architecture; "
            "only depth, elevations and order may differ: change the settings, or leave their architecture out"
        )
    found = network.state_dict()
    for name, tensor in start.state.items():
        if name in found:
            into, taken = _growing_first(name, found[name], ours), _growing_first(name, tensor, theirs)
            rows = min(len(taken), len(into))
            into[:rows] = taken[:rows]
    return found


def _growing_first(name: str, weight: torch.Tensor, a: Architecture) -> torch.Tensor:
    """A view of a weight by what a network may have more of, first what all have.

    Rows of the conditions are for cells first, then for block after block; those of the last layer are for
    threshold after threshold, coefficients of low order first.
    """
    if name == "lower.weight":
        return weight.view(a.thresholds, len(terms(a.order)), -1).transpose(0, 1)
    return weight
