"""A training set on disk: chunks of patches, each written whole, made in any order by any number of processes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from napari_sem4d.errors import StoreError
from napari_sem4d.surrogate.patches import ORDER, THRESHOLDS, simulate_case
from napari_sem4d.surrogate.training_set import TrainingSet, draw_case, flat_yield

CHUNK = 8
"""Patches in a file."""
_FORMAT = 3
_STALE_S = 3600.0


@dataclass(frozen=True)
class Chunk:
    """Patches of one file.

    Attributes
    ----------
    height : ndarray, shape (patches, edge, edge), float32
        rho50, with all that lies around the core.
    coefficients : ndarray, shape (patches, thresholds, terms, core, core), float16
    conditions : ndarray, shape (patches, 3), float32
        eta0, mean exit energy over E0, probe over rho50.
    cases : list of dict
        Number, families, material, energy_kev, electrons, seed of every patch.
    """

    height: np.ndarray
    coefficients: np.ndarray
    conditions: np.ndarray
    cases: list[dict[str, Any]]


def make_dataset(
    folder: Path,
    settings: TrainingSet,
    patches: int,
    *,
    threads: int | None = None,
    cancel: Event | None = None,
    progress: Callable[[float], None] | None = None,
) -> int:
    """Write the chunks that a folder still lacks; return how many were written.

    Several processes may share a folder: a chunk is claimed by a file of its name with the ending ``.claim``.

    Raises
    ------
    Cancelled
        If ``cancel`` was set; finished chunks are kept.
    StoreError
        If the folder holds a training set of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _claim_settings(folder, settings)
    numbers = range(-(-patches // CHUNK))
    written = 0
    for done, number in enumerate(numbers):
        path = folder / f"chunk-{number:05d}.npz"
        claim = path.with_suffix(".claim")
        if not path.exists() and _claim(claim):
            try:
                _write(path, settings, range(number * CHUNK, min((number + 1) * CHUNK, patches)), threads, cancel)
            finally:
                claim.unlink(missing_ok=True)
            written += 1
        if progress is not None:
            progress((done + 1) / len(numbers))
    return written


def read_chunk(path: Path) -> Chunk:
    """Read a finished chunk.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return Chunk(file["height"], file["coefficients"], file["conditions"], json.loads(str(file["cases"])))
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"{path} cannot be read ({error}); delete it, and sem4d dataset makes it again"
        ) from error


def dataset_settings(folder: Path) -> TrainingSet:
    """Settings that the training set in a folder was made with.

    Raises
    ------
    StoreError
        If the folder does not say, or was written in another format.
    """
    path = folder / "training_set.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if (about["format"], about["order"], tuple(about["thresholds"])) != (_FORMAT, ORDER, THRESHOLDS):
            raise StoreError(f"{folder} was written in another format; make the training set anew")
        return TrainingSet.model_validate(about["settings"])
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"{path} does not describe a training set ({error}); choose another folder") from error


def _write(path: Path, settings: TrainingSet, numbers: range, threads: int | None, cancel: Event | None) -> None:
    heights, found, conditions, cases = [], [], [], []
    for number in numbers:
        case = draw_case(settings, number)
        coefficients, electrons = simulate_case(case, settings, threads=threads, cancel=cancel)
        eta0, energy_fraction, _ = flat_yield(case.material, case.energy_kev)
        heights.append(case.height)
        found.append(coefficients.astype(np.float16))
        conditions.append((eta0, energy_fraction, case.probe))
        cases.append(
            {
                "number": number,
                "families": case.families,
                "material": case.material,
                "energy_kev": case.energy_kev,
                "electrons": electrons,
                "seed": case.seed,
            }
        )
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        np.savez(
            file,
            height=np.stack(heights),
            coefficients=np.stack(found),
            conditions=np.array(conditions, np.float32),
            cases=json.dumps(cases),
        )
    partial.replace(path)


def _claim_settings(folder: Path, settings: TrainingSet) -> None:
    about = {
        "format": _FORMAT,
        "order": ORDER,
        "thresholds": list(THRESHOLDS),
        "settings": settings.model_dump(mode="json"),
    }
    path = folder / "training_set.json"
    if not path.exists():
        path.write_text(json.dumps(about, indent=1), encoding="utf-8")
        return
    # Compared as settings: what a later version can say besides, and this set leaves as it was, is no difference.
    if dataset_settings(folder) != settings:
        raise StoreError(f"{folder} holds a training set of other settings; choose another folder")


def _claim(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        # A process that was killed leaves its claim behind.
        if time.time() - path.stat().st_mtime < _STALE_S:
            return False
        path.touch()
    return True
