"""Hashes of input files, so that a result says exactly what it was computed from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from napari_sem4d.errors import InputError

BLOCK = 1 << 20
"""Bytes read at a time: memory does not grow with the file."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{path} cannot be read ({reason}); check that it is there and that you may read it"
        ) from error
    return digest.hexdigest()


def describe_inputs(paths: Iterable[Path]) -> list[dict[str, str]]:
    """Names and hashes of input files, each file once, in the order given.

    Only the file's name is kept, not its folder: a result that is passed on does not tell where it was made,
    and stays the same when the folder moves.

    Returns
    -------
    list of dict
        ``{"name": ..., "sha256": ...}`` for each file.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    return [{"name": path.name, "sha256": sha256_of(path)} for path in dict.fromkeys(map(Path, paths))]


def hash_inputs(paths: Iterable[Path]) -> str:
    """Return :func:`describe_inputs` as the JSON text of the store's attribute ``inputs``."""
    return json.dumps(describe_inputs(paths))
