"""Large blocks are kept while a run lasts, and given back at its end."""

import json
import subprocess
import sys

import pytest

from napari_sem4d.allocator import large_blocks_kept

_USE_BLOCKS = """
import json
from pathlib import Path

import numpy as np

from napari_sem4d.allocator import large_blocks_kept


def resident_mb():
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6


def use():
    blocks = [np.ones(8_000_000) for _ in range(4)]
    del blocks


use()
before = resident_mb()
with large_blocks_kept():
    use()
    kept = resident_mb()
print(json.dumps([before, kept, resident_mb()]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is told by Linux only")
def test_memory_is_kept_inside_and_given_back_at_the_end():
    # In a process of its own: what other tests have left free would be used first.
    ran = subprocess.run([sys.executable, "-c", _USE_BLOCKS], capture_output=True, text=True, check=True)
    before, kept, after = json.loads(ran.stdout)
    assert kept > before + 200
    assert after < before + 60


def test_an_error_inside_is_passed_on():
    with pytest.raises(ValueError, match="inside"), large_blocks_kept():
        raise ValueError("inside")
