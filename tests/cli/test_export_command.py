"""`sem4d export`: every format, every frame, nothing overwritten."""

import json
from pathlib import Path

import numpy as np
import pytest
from test_measuring_commands import make_result, sine
from typer.testing import CliRunner

from napari_sem4d.cli import app
from napari_sem4d.cli.exporting import EXTENSIONS
from napari_sem4d.io.height_map import height_map
from napari_sem4d.io.surfaces import WRITERS, read_surface, write_surface

runner = CliRunner()


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_result(tmp_path_factory.mktemp("export") / "r.zarr", draws=0)


def test_help_names_the_formats_that_can_be_written() -> None:
    assert EXTENSIONS.split() == list(WRITERS)


@pytest.mark.parametrize("extension", WRITERS)
def test_a_frame_is_written_in_every_format(result: Path, tmp_path: Path, extension: str) -> None:
    out = tmp_path / f"Höhe 1{extension}"
    found = runner.invoke(app, ["export", str(result), "--frame", "1", "--out", str(out), "--json"])
    assert found.exit_code == 0, found.stderr
    assert json.loads(found.stdout)["written"] == [{"frame": 1, "path": str(out)}]
    assert out.stat().st_size > 500
    if extension in (".tif", ".gwy", ".gsf", ".x3p", ".sur", ".xyz", ".csv"):
        again = read_surface(out)
        assert again.pixel_nm == pytest.approx((5.0, 5.0), rel=1e-6)
        assert np.abs(again.height - sine(20.0)).max() < 20  # noise of 3 nm
    refused = runner.invoke(app, ["export", str(result), "--frame", "1", "--out", str(out)])
    assert refused.exit_code == 1 and "exists already" in refused.stderr


def test_frames_get_numbers_and_none_is_written_if_one_is_in_the_way(result: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "h_0001.gsf"
    blocked.touch()
    call = ["export", str(result), "--out", str(tmp_path / "h.gsf")]
    refused = runner.invoke(app, call)
    assert refused.exit_code == 1 and "h_0001.gsf exists already" in refused.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["h_0001.gsf"]
    blocked.unlink()
    assert runner.invoke(app, call).exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["h_0000.gsf", "h_0001.gsf"]


def test_a_relative_height_stays_relative_and_levelling_is_done_when_asked(tmp_path: Path) -> None:
    tilted = np.tile(0.5 * np.arange(128), (64, 1)) + sine(5.0)
    source = write_surface(tmp_path / "in.gwy", height_map(tilted, (10, 10), "tilted", relative=True))
    for name, levelling in (("raw", "none"), ("flat", "plane")):
        call = ["export", str(source), "--out", str(tmp_path / f"{name}.gsf"), "--levelling", levelling]
        assert runner.invoke(app, call).exit_code == 0
    raw, flat = read_surface(tmp_path / "raw.gsf"), read_surface(tmp_path / "flat.gsf")
    assert raw.relative and flat.relative
    assert np.ptp(raw.height) > 60 and np.ptp(flat.height) < 15


def test_an_unknown_format_is_a_fault_of_the_call(result: Path, tmp_path: Path) -> None:
    found = runner.invoke(app, ["export", str(result), "--out", str(tmp_path / "h.doc")])
    assert found.exit_code == 2 and ".gwy" in found.stderr and not list(tmp_path.iterdir())
