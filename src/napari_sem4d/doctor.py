"""What this machine offers, what is missing for the program, and how to get it."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from napari_sem4d import __version__
from napari_sem4d.system_libraries import HEADLESS_ONLY, install_line, missing_packages

QT_BINDINGS = ("PySide6", "PyQt6", "PyQt5")
UNSOUND = {("PySide6", "6.12.0"): (3, 12)}
"""Versions that abort the program below a version of Python: each call takes a reference from None."""
PROBE_SECONDS = 90.0


@dataclass(frozen=True)
class Fault:
    """Something that is missing: in words, how to get it, and whether the program runs without."""

    what: str
    remedy: str
    serious: bool = True


@dataclass(frozen=True)
class Report:
    """The findings: ``facts`` by section (JSON can hold them), and what is missing."""

    facts: dict[str, dict[str, Any]]
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything is there that the program needs."""
        return not any(fault.serious for fault in self.faults)


def examine(opengl: bool = True) -> Report:
    """Look at the machine; takes some seconds, because torch is imported and OpenGL is started.

    Parameters
    ----------
    opengl : bool
        Whether to ask for the OpenGL renderer (in a process of its own, so that a crash there hurts nobody).
    """
    faults: list[Fault] = []
    facts = {
        "program": {
            "napari-sem4d": __version__,
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "packages": _packages(faults),
        "device": _device(faults),
        "display": _display(faults, opengl),
    }
    return Report(facts, faults)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _packages(faults: list[Fault]) -> dict[str, Any]:
    needed = [line for line in requires("napari-sem4d") or [] if "extra ==" not in line]
    found: dict[str, Any] = {}
    for line in needed:
        name = re.split(r"[\s\[<>=!~;(]", line, maxsplit=1)[0]
        found[name] = _installed(name)
        if found[name] is None:
            faults.append(Fault(f"the package {name} is not installed", f'pip install "{line}"'))
    qt = {name: _installed(name) for name in QT_BINDINGS if importlib.util.find_spec(name) is not None}
    if not qt:
        faults.append(Fault("there is no Qt, so no window can be opened", 'pip install "napari-sem4d[all]"'))
    for (name, bad), python in UNSOUND.items():
        if qt.get(name) == bad and sys.version_info < python:
            faults.append(
                Fault(
                    f"{name} {bad} ends the program after a while on Python {platform.python_version()}",
                    f'pip install "{name}!={bad}"',
                    serious=False,
                )
            )
    return found | qt


def _device(faults: list[Fault]) -> dict[str, Any]:
    facts: dict[str, Any] = {"cpu_cores": os.cpu_count()}
    if importlib.util.find_spec("torch") is None:
        return facts
    try:
        import torch
    except (ImportError, OSError) as error:
        faults.append(
            Fault(f"torch is installed and cannot be loaded ({error})", "pip install --force-reinstall torch")
        )
        return facts
    facts |= {"torch_threads": torch.get_num_threads(), "in_use": "cpu"}
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        facts |= {"cuda": gpu.name, "cuda_memory_gb": round(gpu.total_memory / 1e9, 1)}
    else:
        facts["cuda"] = None
    return facts


def _display(faults: list[Fault], opengl: bool) -> dict[str, Any]:
    packages = missing_packages()
    for_window = [name for name in packages if name not in HEADLESS_ONLY]
    if for_window:
        listed = ", ".join(for_window)
        faults.append(Fault(f"libraries that the window needs are missing ({listed})", install_line(for_window)))
    for_tests = [name for name in packages if name in HEADLESS_ONLY]
    if for_tests:
        what = "a screen in memory is missing; only `make test` and `make demo HEADLESS=1` need it"
        faults.append(Fault(what, install_line(for_tests), serious=False))
    facts: dict[str, Any] = {"screen": _has_screen(), "missing_system_packages": packages}
    if opengl and not for_window:
        facts["opengl"] = _opengl(faults)
    return facts


def _has_screen() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _opengl(faults: list[Fault]) -> str | None:
    command = [sys.executable, "-m", "napari_sem4d.widgets.opengl_probe"]
    if not _has_screen():
        if shutil.which("xvfb-run") is None:
            faults.append(
                Fault("there is no screen here", "work at a desktop, or use remote desktop", serious=False)
            )
            return None
        command = ["xvfb-run", "-a", *command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason, name = str(error), ""
    else:
        lines = done.stdout.strip().splitlines()
        name = lines[-1] if done.returncode == 0 and lines else ""
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if not name:
        remedy = "bring the graphics driver up to date; on Linux install libgl1-mesa-dri"
        faults.append(Fault(f"OpenGL does not start, so the 3D view cannot work ({reason})", remedy))
        return None
    return name
