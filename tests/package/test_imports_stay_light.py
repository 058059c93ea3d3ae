"""What importing the package loads: neither torch nor numba nor Qt before they are used."""

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "numba",
    "qtpy",
    "PySide6",
    "PyQt5",
    "PyQt6",
    "napari",
    "vispy",
    "magicgui",
    "pyqtgraph",
    "matplotlib",
)


def loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "module",
    ["napari_sem4d", "napari_sem4d.cli", "napari_sem4d.settings", "napari_sem4d.api", "napari_sem4d.io.store"],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    assert loaded(f"import {module}") & set(HEAVY) == set()


def test_the_command_line_starts_without_numpy() -> None:
    assert "numpy" not in loaded("import napari_sem4d.cli")


def test_the_check_would_see_a_heavy_import() -> None:
    assert "torch" in loaded("import torch")
