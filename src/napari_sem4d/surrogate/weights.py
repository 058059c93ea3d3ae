"""Weights of ViFT on disk: safetensors with the architecture, version and a hash that is checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from napari_sem4d.errors import StoreError
from napari_sem4d.surrogate.vift import Architecture, ViFT

FORMAT = 2
"""Raised whenever what the network corrects is another: the local law with facets of 2 rho50 since 2."""
SHIPPED = "vift"


@dataclass(frozen=True)
class Tensors:
    """What a file of weights holds, whether or not it fits the network of this version.

    Attributes
    ----------
    state : dict of torch.Tensor
    architecture : Architecture
    card : dict
    sha256 : str
        Of the file.
    format : int
        That of :data:`FORMAT` if the network corrects what this version does.
    """

    state: dict[str, torch.Tensor]
    architecture: Architecture
    card: dict[str, Any]
    sha256: str
    format: int


@dataclass(frozen=True)
class Weights:
    """A network with what is known about it.

    Attributes
    ----------
    network : ViFT
        In evaluation mode, on the CPU.
    card : dict
        Version, training settings, seeds, domain of validity and measured errors.
    sha256 : str
        Of the file of weights.
    """

    network: ViFT
    card: dict[str, Any]
    sha256: str


def save_weights(path: Path, network: ViFT, about: dict[str, Any]) -> str:
    """Write a network and its card (``.json`` beside it); return the SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().float().cpu().contiguous() for name, tensor in network.state_dict().items()}
    partial = path.with_suffix(".part")
    save_file(
        state, partial, metadata={"format": str(FORMAT), "architecture": network.architecture.model_dump_json()}
    )
    digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    partial.replace(path)
    card = {**about, "sha256": digest}
    path.with_suffix(".json").write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return digest


def load_weights(path: Path | None = None) -> Weights:
    """Read weights and check them against their card.

    Parameters
    ----------
    path : Path, optional
        Those shipped with the package by default.

    Raises
    ------
    StoreError
        If the file is missing or broken, its hash is not the card's, or it corrects another local law.
    """
    if path is None:
        with resources.as_file(
            resources.files("napari_sem4d.surrogate") / "weights" / f"{SHIPPED}.safetensors"
        ) as p:
            return _read(p)
    return _read(path)


def read_tensors(path: Path) -> Tensors:
    """Read a file of weights and check it against its card; it may be of an earlier version.

    Raises
    ------
    StoreError
        If the file is missing or broken, or its hash is not the card's.
    """
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the weights {path} or their card cannot be read ({error}); install them again"
        ) from error
    if digest != card.get("sha256"):
        raise StoreError(
            f"the weights {path} have the SHA-256 {digest[:12]}..., and their card says "
            f"{str(card.get('sha256'))[:12]}...: the file was changed or cut; install it again"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        architecture = Architecture.written(json.loads(metadata["architecture"]))
        return Tensors(load_file(path), architecture, card, digest, int(metadata["format"]))
    except (SafetensorError, KeyError, ValueError) as error:
        raise StoreError(f"the weights {path} are of another version ({error}); install them again") from error


def _read(path: Path) -> Weights:
    tensors = read_tensors(path)
    if tensors.format != FORMAT:
        raise StoreError(
            f"the weights {path} were trained to correct another local law than this version's; train them anew, "
            "from these with sem4d train --start"
        )
    network = ViFT(tensors.architecture)
    try:
        network.load_state_dict(tensors.state)
    except RuntimeError as error:
        raise StoreError(f"the weights {path} are of another version ({error}); install them again") from error
    network.eval().requires_grad_(False)
    return Weights(network, tensors.card, tensors.sha256)


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], about: dict[str, str]) -> None:
    """Write named tensors whole or not at all."""
    partial = path.with_suffix(".part")
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, partial, metadata=about)
    partial.replace(path)
