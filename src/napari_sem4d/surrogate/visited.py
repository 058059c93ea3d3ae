"""Surfaces from files for a training set, such as those that a solver visits on its way."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from napari_sem4d.errors import InputError


def cut_of(folder: Path, edge: int, rng: np.random.Generator) -> np.ndarray:
    """A square piece of one of a folder's surfaces, turned and mirrored at random.

    Parameters
    ----------
    folder : Path
        Of ``.npy`` files, each a height map (Y, X) in rho50.
    edge : int
        Pixels.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (edge, edge), float64
        rho50.

    Raises
    ------
    InputError
        If there is no such file, or one cannot be read, is no map of finite heights or is too small.
    """
    paths = _files(folder)
    path = paths[rng.integers(len(paths))]
    try:
        surface = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise InputError(f"the surface {path} cannot be read as .npy ({error}); write it again") from error
    if surface.ndim != 2 or min(surface.shape) < edge:
        raise InputError(
            f"the surface {path} has the shape {surface.shape}, and a map of at least {edge} x {edge} pixels is "
            "needed; leave it out of the folder or take a smaller core, halo and beyond"
        )
    row, column = (int(rng.integers(n - edge + 1)) for n in surface.shape)
    piece = np.array(surface[row : row + edge, column : column + edge], dtype=np.float64)
    if not np.isfinite(piece).all():
        raise InputError(f"the surface {path} holds values that are no heights; fill or cut them")
    piece = np.rot90(piece, int(rng.integers(4)))
    return np.ascontiguousarray(piece[:, ::-1] if rng.random() < 0.5 else piece)


@lru_cache(maxsize=4)
def _files(folder: Path) -> tuple[Path, ...]:
    paths = tuple(sorted(folder.glob("*.npy")))
    if not paths:
        raise InputError(f"the folder {folder} holds no surface (.npy); check 'visited' in the training set")
    return paths
