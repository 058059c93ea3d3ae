"""Large blocks are kept while a run lasts, and given back at its end."""

import sys
from pathlib import Path

import numpy as np
import pytest

from napari_sem4d.allocator import large_blocks_kept


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is told by Linux only")
def test_memory_is_kept_inside_and_given_back_at_the_end():
    def use() -> None:
        blocks = [np.ones(8_000_000) for _ in range(4)]
        del blocks

    use()
    before = resident_mb()
    with large_blocks_kept():
        use()
        kept = resident_mb()
    after = resident_mb()
    assert kept > before + 200
    assert after < before + 60


def test_an_error_inside_is_passed_on():
    with pytest.raises(ValueError, match="inside"), large_blocks_kept():
        raise ValueError("inside")
