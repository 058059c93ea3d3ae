"""What a repository must not hold: paths of a machine, large files, a second manifest."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
# Written in pieces, so that this file does not find itself.
MACHINE_PATH = re.compile(
    "|".join(["/wo" + "rk/", "/ro" + "ot/", "/ho" + r"me/\w", "/Us" + r"ers/\w", r"[A-Z]:\\\\?Us" + "ers"])
)
TEXT = {".py", ".toml", ".md", ".yaml", ".yml", ".txt", ".cff", ".json", ".svg", ".csv", ""}
LARGEST_FILE = 15_000_000


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    if not (REPO / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a clone, or no git here")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, check=True).stdout
    files = [REPO / name for name in listed.decode("utf-8").split("\0") if name]
    return [file for file in files if file.is_file()]


def test_no_file_names_a_path_of_one_machine(tracked: list[Path]) -> None:
    found = []
    for file in tracked:
        if file.suffix in TEXT and file.stat().st_size < 1_000_000:
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if MACHINE_PATH.search(line):
                    found.append(f"{file.relative_to(REPO)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_no_file_is_too_large_for_a_clone(tracked: list[Path]) -> None:
    assert [f.relative_to(REPO) for f in tracked if f.stat().st_size > LARGEST_FILE] == []


@pytest.mark.skipif(sys.platform == "win32", reason="git writes a link as a text file there")
def test_the_manifest_at_the_top_is_the_packages_own() -> None:
    assert (REPO / "napari.yaml").resolve() == (REPO / "src/napari_sem4d/napari.yaml").resolve()
