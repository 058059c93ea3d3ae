"""`sem4d doctor` names what is here, what is missing, and how to get it."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
from typer.testing import CliRunner

from napari_sem4d import doctor, system_libraries
from napari_sem4d.cli import app

runner = CliRunner()


def test_every_package_that_the_program_needs_is_listed_with_its_version() -> None:
    facts = doctor.examine(opengl=False).facts["packages"]
    assert facts["xarray"] == version("xarray")
    needed = [line for line in requires("napari-sem4d") or [] if "extra ==" not in line]
    assert len(needed) > 15
    for line in needed:
        assert any(line.startswith(name) for name in facts), line


def test_a_missing_package_is_serious_and_its_pip_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_zarr(name: str) -> str:
        if name == "zarr":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor, "version", without_zarr)
    report = doctor.examine(opengl=False)
    fault = next(f for f in report.faults if "zarr" in f.what)
    assert fault.serious and not report.ok
    assert fault.remedy.startswith('pip install "zarr')


@pytest.mark.parametrize(
    ("qt", "python", "warned"), [("6.12.0", 11, True), ("6.12.0", 12, False), ("6.11.3", 11, False)]
)
def test_a_qt_that_ends_the_program_is_told_with_the_line_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, qt: str, python: int, warned: bool
) -> None:
    monkeypatch.setattr(doctor, "version", lambda name: qt if name == "PySide6" else version(name))
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: name if name == "PySide6" else None)
    monkeypatch.setattr(sys, "version_info", (3, python, 2))
    report = doctor.examine(opengl=False)
    told = [f for f in report.faults if "PySide6" in f.what]
    assert [f.remedy for f in told] == (['pip install "PySide6!=6.12.0"'] if warned else [])
    assert all(not f.serious for f in told)


def test_missing_system_libraries_come_with_the_apt_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "missing_packages", lambda: ["xvfb", "libegl1"])
    result = runner.invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["ok"] is False
    assert [(f["remedy"], f["serious"]) for f in answer["missing"] if "apt-get" in f["remedy"]] == [
        ("apt-get install -y --no-install-recommends libegl1", True),
        ("apt-get install -y --no-install-recommends xvfb", False),
    ]
    assert "libegl1" in runner.invoke(app, ["doctor"]).stdout


def test_a_library_that_is_not_there_is_found_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    parts = {"libnever9": "libnever.so.9", "never-program": "never-program"}
    monkeypatch.setattr(system_libraries, "DEBIAN_PACKAGES", parts)
    assert system_libraries.missing_packages() == ["libnever9", "never-program"]
    monkeypatch.setattr(sys, "platform", "win32")
    assert system_libraries.missing_packages() == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sonames are Linux's")
def test_a_library_that_is_there_is_found() -> None:
    assert system_libraries._is_there("libc.so.6")
    assert system_libraries._is_there("sh")


def test_opengl_that_does_not_start_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(doctor, "missing_packages", lambda: [])
    monkeypatch.setattr(
        doctor.subprocess,
        "run",
        lambda *a, **k: subprocess.CompletedProcess(a, 1, "", "could not connect to display :0\n"),
    )
    report = doctor.examine()
    assert report.facts["display"]["opengl"] is None
    assert any("could not connect to display :0" in f.what and f.serious for f in report.faults)


@pytest.mark.gl
@pytest.mark.skipif(not shutil.which("xvfb-run") and not os.environ.get("DISPLAY"), reason="no screen, no Xvfb")
def test_the_renderer_is_named() -> None:
    command = [sys.executable, "-m", "napari_sem4d.cli", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)
    answer = json.loads(done.stdout)
    assert len(answer["display"]["opengl"]) > 3, done.stderr
    assert done.returncode == 0
