"""What is exported, opened by the program Gwyddion where it is installed (Debian: apt-get install gwyddion)."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from napari_sem4d.io.height_map import height_map
from napari_sem4d.io.surfaces import write_surface

PROGRAM = shutil.which("gwyddion")
PIXEL = (20.0, 10.0)


def letter_f():
    """F of 100 nm: the long bar is at the top, the spine at the left."""
    height = np.zeros((24, 30))
    height[3:21, 5:9] = 100.0
    height[3:6, 5:22] = 100.0
    height[11:14, 5:16] = 100.0
    return height


@pytest.mark.skipif(PROGRAM is None, reason="the program Gwyddion is not installed")
@pytest.mark.parametrize("extension", [".gwy", ".gsf", ".x3p", ".sur"])
def test_gwyddion_opens_the_same_surface(tmp_path, extension):
    gwyfile = pytest.importorskip("gwyfile")
    path = write_surface(tmp_path / f"F{extension}", height_map(letter_f(), PIXEL, "letter F"))
    seen = tmp_path / "seen by Gwyddion.gwy"
    command = [PROGRAM, "--disable-gl", f"--convert-to-gwy={seen}", str(path)]
    if not os.environ.get("DISPLAY"):
        if shutil.which("xvfb-run") is None:
            pytest.skip("Gwyddion needs a screen, and there is no Xvfb")
        command = ["xvfb-run", "-a", *command]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert seen.is_file(), done.stderr
    field = gwyfile.load(str(seen))["/0/data"]
    assert (field.xreal, field.yreal) == pytest.approx((300e-9, 480e-9))
    assert [field[unit]["unitstr"] for unit in ("si_unit_xy", "si_unit_z")] == ["m", "m"]
    assert field.data == pytest.approx(1e-9 * letter_f(), abs=1e-13)
