"""The documentation builds without a warning, and its tables come from the code."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="the extra docs is not installed")
REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def words(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_every_setting_every_variable_and_every_command_is_documented(site: Path) -> None:
    from napari_sem4d.cli.main import app
    from napari_sem4d.io.layout import REQUIRED
    from napari_sem4d.settings import Settings

    dictionary = words(site / "data-dictionary.html")
    assert [name for name in (*REQUIRED, *Settings.model_fields) if name not in dictionary] == []
    assert "Landing energy of the primaries, keV" in dictionary
    commands = words(site / "reference" / "commands.html")
    names = [command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(names) >= 5
    assert [name for name in names if f"sem4d {name}" not in commands] == []


@pytest.mark.slow
def test_no_marker_of_a_table_is_left(site: Path) -> None:
    assert [
        page.name for page in site.rglob("*.html") if "-reference -->" in page.read_text(encoding="utf-8")
    ] == []


def test_the_drawing_of_the_conventions_is_the_one_that_its_script_draws(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; sys.path.insert(0, 'tools'); import draw_conventions as d;"
        "d.TARGET = pathlib.Path(sys.argv[1]); d.main()"
    )
    drawn = tmp_path / "conventions.svg"
    subprocess.run([sys.executable, "-c", code, str(drawn)], cwd=REPO, check=True)

    def shape(file: Path) -> list[str]:
        return re.findall(r"<!-- (.*?) -->", file.read_text(encoding="utf-8"))

    assert len(shape(drawn)) > 15
    assert shape(drawn) == shape(REPO / "docs" / "images" / "conventions.svg")
