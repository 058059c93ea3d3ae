"""Wheel and sdist: whole, without links, with the manifest that napari finds."""

import email
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, encoding="utf-8", cwd=cwd, env=env
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the sdist and the wheel that was made from it, without a network."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, REPO)
    return folder


@pytest.mark.slow
def test_the_wheel_has_every_source_file_and_no_link(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        links = [i.filename for i in archive.infolist() if stat.S_ISLNK(i.external_attr >> 16)]
        names = set(archive.namelist())
        packed_manifest = archive.read("napari_sem4d/napari.yaml").decode("utf-8")
    assert links == []
    source = REPO / "src"
    caches = ("__pycache__", ".egg-info")
    files = {f.relative_to(source).as_posix() for f in source.rglob("*") if f.is_file()}
    files = {f for f in files if not any(cache in f for cache in caches)}
    assert len(files) > 50
    assert files - names == set()
    assert packed_manifest == (REPO / "src/napari_sem4d/napari.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_sdist_holds_what_a_build_and_its_tests_need(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    expected = {"pyproject.toml", "README.md", "LICENSE", "Makefile", "constraints.txt", "tools/make_env.py"}
    assert expected | {"src/napari_sem4d/napari.yaml", "tests/conftest.py"} <= names
    assert not [n for n in names if "__pycache__" in n or ".venv" in n]


@pytest.mark.slow
def test_the_installed_wheel_is_found_by_napari_and_its_manifest_is_valid(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    target = tmp_path / "site mit Umläut"
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", target, wheel)
    find = (
        "from importlib.metadata import distribution as d; import napari_sem4d, npe2;"
        "m = npe2.PluginManifest.from_distribution('napari-sem4d');"
        "print(napari_sem4d.__file__, m.name, len(m.contributions.widgets), sep='\\n')"
    )
    env = dict(os.environ, PYTHONPATH=str(target), PYTHONUTF8="1")
    file, name, widgets = run(sys.executable, "-c", find, cwd=tmp_path, env=env).split("\n")[:3]
    assert Path(file).is_relative_to(target)
    assert name == "napari-sem4d" and int(widgets) >= 3
    validated = run(sys.executable, "-m", "npe2", "validate", target / "napari_sem4d/napari.yaml", env=env)
    assert "valid" in validated.lower()


@pytest.mark.slow
def test_the_wheel_tells_what_the_index_needs(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        data = email.message_from_bytes(archive.read(name))
    assert "Framework :: napari" in data.get_all("Classifier", [])
    assert data["Requires-Python"] == "<3.14,>=3.11"
    assert {"all", "test", "docs"} <= set(data.get_all("Provides-Extra", []))
    unconditional = [r for r in data.get_all("Requires-Dist", []) if "extra ==" not in r]
    assert not [r for r in unconditional if r.lower().startswith(("pyside", "pyqt5", "pyqt6"))]


def test_every_command_of_the_manifest_exists() -> None:
    import importlib

    import yaml

    manifest = yaml.safe_load((REPO / "src/napari_sem4d/napari.yaml").read_text(encoding="utf-8"))
    commands = manifest["contributions"]["commands"]
    assert len(commands) >= 5
    for command in commands:
        module, _, attribute = command["python_name"].partition(":")
        assert callable(getattr(importlib.import_module(module), attribute)), command["id"]
