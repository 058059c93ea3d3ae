"""Forward engines by name."""

from __future__ import annotations

from typing import Any

import torch

from napari_sem4d.forward.engine import DifferentiableEngine, Engine, EngineName, ForwardSetup, SimulatorName
from napari_sem4d.forward.local import LocalEngine


def make_engine(
    name: EngineName,
    setup: ForwardSetup,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> DifferentiableEngine:
    """Build a differentiable engine.

    Raises
    ------
    SettingsError
        If the setup lacks the beam energy or the segments.
    DomainError, StoreError
        If ViFT does not know the detector's thresholds, or its weights are missing.
    """
    if name == "vift":
        # The network is loaded only where it is used.
        from napari_sem4d.forward.vift import VisionEngine

        return VisionEngine(setup, dtype, device)
    return LocalEngine(setup, dtype, device)


def make_simulator(
    name: SimulatorName,
    setup: ForwardSetup,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    **options: Any,
) -> Engine:
    """Build any engine, differentiable or not.

    Parameters
    ----------
    name : {"local", "monte_carlo"}
    setup : ForwardSetup
    dtype, device
        Of the tensors that it takes and returns.
    **options
        Of :class:`~napari_sem4d.forward.monte_carlo.MonteCarloEngine` (electrons, seed, threads, ...); the other
        engines have none.

    Raises
    ------
    SettingsError
        If the setup lacks the beam energy or the segments.
    """
    if name == "monte_carlo":
        # numba is loaded only where electrons are followed.
        from napari_sem4d.forward.monte_carlo import MonteCarloEngine

        return MonteCarloEngine(setup, dtype, device, **options)
    return make_engine(name, setup, dtype, device)
