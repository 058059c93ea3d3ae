"""Large blocks of memory kept between uses: arrays of tens of megabytes come and go at every step of a solver.

The C library of Linux hands every large block back to the system at once, whose pages must then be made anew; that
can take as long as the arithmetic itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of mallopt, malloc.h of the GNU C library."""
_USUAL = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}
_KEEPING = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}


@contextlib.contextmanager
def large_blocks_kept() -> Iterator[None]:
    """While this lasts, freed memory stays with the process; at its end it goes back to the system.

    Does nothing where the C library is not that of GNU.
    """
    library = _gnu_library()
    if library is None:
        yield
        return
    _set(library, _KEEPING)
    try:
        yield
    finally:
        _set(library, _USUAL)
        library.malloc_trim(0)


def _set(library: ctypes.CDLL, values: dict[int, int]) -> None:
    for parameter, value in values.items():
        library.mallopt(parameter, value)


def _gnu_library() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
