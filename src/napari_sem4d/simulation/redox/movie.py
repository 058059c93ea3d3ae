"""The sample movie's plan: which area is scanned when, where it has drifted to, how bright the beam is."""

from __future__ import annotations

import numpy as np

from napari_sem4d.simulation.redox.model import Redox, State

SEED = 3
SIZE, PIXEL_NM = 128, 12.0
STATIC_PX = 30
"""Edge of the square at the top left of frame 0 that never changes, pixels."""
TIMES_S = (
    0.0, 44.1, 74.6, 99.2, 120.8, 140.3, 160.9, 180.2, 199.7, 220.6, 240.4, 260.1,
    281.3, 300.2, 318.8, 336.1, 354.7, 372.2, 390.9, 408.3, 428.6, 452.0, 481.4, 520.3,
)  # fmt: skip
"""Oxidation up to 262 s, reduction from then on."""
BORDER_PX = 20
"""Surroundings that are simulated with the area: a range of electrons of 5 keV in Cu2O."""
_MARGIN_NM = 340.0
_DRIFT_NM_S, _JITTER_NM = (0.045, -0.03), 1.5


def redox() -> Redox:
    """The movie's surface."""
    return Redox(0.5 * SIZE * PIXEL_NM, STATIC_PX * PIXEL_NM, _MARGIN_NM, SEED)


def drift_nm() -> np.ndarray:
    """Where frame 0's content has moved to in every frame, nm to the right and up, shape (frames, 2).

    A steady creep that slows down, and a jitter from frame to frame: sub-pixel steps, some pixels in all.
    """
    times = np.array(TIMES_S)
    settling = 300.0 * (1.0 - np.exp(-times / 300.0)) + 0.35 * times
    jitter = _JITTER_NM * np.random.default_rng((SEED, 1)).normal(size=(len(times), 2))
    drift: np.ndarray = settling[:, None] * np.array(_DRIFT_NM_S) + jitter - jitter[0]
    return drift


def beam_factors() -> np.ndarray:
    """Beam current of every frame over that of frame 0: a slow loss, unrest, and one readjustment."""
    frames = len(TIMES_S)
    unrest = 0.006 * np.random.default_rng((SEED, 2)).normal(size=frames)
    factors = 1.0 - 0.05 * np.arange(frames) / frames + unrest + np.where(np.arange(frames) >= 15, 0.03, 0.0)
    return factors / factors[0]


def places(frame: int, border_px: int = 0, *, drifted: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Places x, y (nm from the middle of frame 0) of a frame's pixels and of a border around them.

    Parameters
    ----------
    frame : int
    border_px : int
        Pixels added on every side.
    drifted : bool
        False for the places of frame 0's pixels.
    """
    size = SIZE + 2 * border_px
    along = (np.arange(size) - 0.5 * (size - 1)) * PIXEL_NM
    dx, dy = drift_nm()[frame] if drifted else (0.0, 0.0)
    x, y = np.meshgrid(along - dx, -along - dy)
    return x, y


def surface(model: Redox, frame: int, border_px: int = 0, *, drifted: bool = True) -> State:
    """What a frame shows (or, not drifted, what lies below frame 0's pixels at its time)."""
    return model.state(*places(frame, border_px, drifted=drifted), TIMES_S[frame])
