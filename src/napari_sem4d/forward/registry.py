"""Forward engines by name."""

from __future__ import annotations

import torch

from napari_sem4d.forward.engine import DifferentiableEngine, EngineName, ForwardSetup
from napari_sem4d.forward.local import LocalEngine

_DIFFERENTIABLE: dict[str, type[LocalEngine]] = {"local": LocalEngine}


def make_engine(
    name: EngineName,
    setup: ForwardSetup,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> DifferentiableEngine:
    """Build a differentiable engine.

    Raises
    ------
    KeyError
        If no engine has that name (the settings model admits only known ones).
    SettingsError
        If the setup lacks the beam energy or the segments.
    """
    return _DIFFERENTIABLE[name](setup, dtype, device)
