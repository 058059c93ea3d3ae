"""What a long computation reports while it runs: small records, without Qt, numpy arrays inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Progress:
    """How far the run is.

    ``fraction`` runs from 0 to 1 over the whole run; ``seconds_left`` is None until it can be told.
    """

    fraction: float
    message: str
    frame: int | None = None
    frames: int | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class Preview:
    """A first height of one frame from linearised slopes, nm, shape (Y, X); replaced by the frame later."""

    frame: int
    height: np.ndarray


@dataclass(frozen=True)
class FrameDone:
    """One finished frame, already in the store. Heights in nm, shape (Y, X)."""

    frame: int
    height: np.ndarray
    height_std: np.ndarray
    relative_yield: np.ndarray
    misfit: float


@dataclass(frozen=True)
class FrameFailed:
    """One frame that could not be used; the run goes on."""

    frame: int
    message: str


@dataclass(frozen=True)
class Notice:
    """A warning for the user that does not stop the run."""

    message: str


@dataclass(frozen=True)
class Failed:
    """The run stopped on an error; what was finished is kept at ``path``."""

    message: str
    path: Path | None = None


@dataclass(frozen=True)
class Finished:
    """The run is over. ``cancelled`` says that the user ended it; finished frames are in the store."""

    path: Path
    cancelled: bool = False
    warnings: tuple[str, ...] = field(default=())


Record = Progress | Preview | FrameDone | FrameFailed | Notice | Failed | Finished
