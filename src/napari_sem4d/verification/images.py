"""Find the images that a result was made from, by name and hash."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from napari_sem4d.errors import InputError, StoreError
from napari_sem4d.io.hashing import sha256_of

_LISTED = 3


def find_images(store: Path, recorded: str, folder: Path | None) -> tuple[list[Path], tuple[str, ...]]:
    """Files that a result was made from.

    Parameters
    ----------
    store : Path
        The result; images are looked for beside it, in the folders beside it, and likewise where the program runs.
    recorded : str
        The store's attribute ``inputs``: names and hashes as JSON.
    folder : Path, optional
        Where the images are, if they have been moved.

    Returns
    -------
    files : list of Path
        In the recorded order.
    notes : tuple of str
        A sentence if the content of a file is not what it was.

    Raises
    ------
    StoreError
        If the result names no images.
    InputError
        If images are missing.
    """
    try:
        inputs = [(str(entry["name"]), str(entry["sha256"])) for entry in json.loads(recorded or "[]")]
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{store} does not say which images it was made from; take another copy") from error
    if not inputs:
        raise StoreError(f"{store} was made from images that were no files, so it cannot be verified")
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder} is no folder; give the one that holds the images")
    places = [folder] if folder is not None else [store.resolve().parent, Path.cwd()]
    folders = [f for place in places for f in (place, *_inside(place))]
    found: list[Path] = []
    changed: list[str] = []
    missing: list[str] = []
    for name, sha256 in inputs:
        there = [f / name for f in folders if (f / name).is_file()]
        same = next((path for path in there if path not in found and sha256_of(path) == sha256), None)
        if same is None and there:
            changed.append(name)
        if same is None and not there:
            missing.append(name)
        else:
            found.append(same or there[0])
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(inputs)} images that {store.name} was made from are not found "
            f"({_list(missing)}); give their folder with --images"
        )
    notes: tuple[str, ...] = ()
    if changed:
        notes = (
            f"{len(changed)} of the {len(inputs)} images are not what they were when the result was made "
            f"(other hash: {_list(changed)}): the verdict is about the images as they are now.",
        )
    return found, notes


def _inside(place: Path) -> list[Path]:
    return sorted(f for f in place.iterdir() if f.is_dir() and not f.name.endswith(".zarr"))


def _list(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_LISTED]) + (", ..." if len(listed) > _LISTED else "")
