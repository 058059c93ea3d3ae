"""`sem4d info`, `reconstruct`, `calibrate`: answers, files, sentences and exit codes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_sem4d import records
from napari_sem4d.cli import app
from napari_sem4d.cli.options import read_settings
from napari_sem4d.cli.running import follow
from napari_sem4d.errors import SettingsError
from napari_sem4d.io.reading import open_result

runner = CliRunner()


def sem4d(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line for real, in a process of its own."""
    command = [sys.executable, "-m", "napari_sem4d.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=240)


def test_info_tells_what_is_known_and_where_it_came_from(series_folder: Path) -> None:
    result = runner.invoke(app, ["info", str(series_folder), "--json"])
    assert result.exit_code == 0, result.stderr
    data = json.loads(result.stdout)
    assert (data["frames"], data["segments"], data["shape"]) == (3, ["A", "B", "C", "D"], [40, 40])
    assert (data["pixel_nm"], data["material"], data["beam"]["energy_kev"]) == (20.0, "Cu", 10.0)
    assert data["times"] == [0.0, 4.0, 8.0] and data["time_unit"] == "s"
    assert "acquisition.yaml" in data["origins"]["pixel_nm"]
    assert data["missing"] == []
    words = runner.invoke(app, ["info", str(series_folder)]).stdout
    assert "20 nm" in words and "acquisition.yaml" in words and "0 s to 8 s" in words


def test_info_says_what_is_missing_and_how_to_give_it(bare_folder: Path) -> None:
    result = runner.invoke(app, ["info", str(bare_folder)])
    assert result.exit_code == 0, result.stderr
    assert "--set KEY=VALUE" in result.stdout and "pixel_nm" in result.stdout
    assert "annular-4-quadrant" in result.stdout


def test_reconstruct_writes_a_result_that_info_describes(series_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "Höhe.zarr"
    done = sem4d("reconstruct", series_folder, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["frames_done"] == 3 and answer["path"] == str(out) and answer["error"] is None
    result = open_result(out)
    assert result["frame_state"].values.tolist() == [1, 1, 1]
    peak = [float(np.nanmax(h) - np.nanmedian(h)) for h in result["height"].values]
    assert peak[0] < peak[1] < peak[2], "the bump grows from frame to frame"
    described = json.loads(runner.invoke(app, ["info", str(out), "--json"]).stdout)
    assert described["kind"] == "result" and described["done"] == [0, 1, 2]
    assert described["scale_status"] == "relative" and len(described["inputs"]) == 12
    assert "relative: no reference fixed the scale" in runner.invoke(app, ["info", str(out)]).stdout

    call = ["reconstruct", str(series_folder), "--out", str(out), "--json"]
    again = runner.invoke(app, call)
    assert again.exit_code == 1
    assert "nothing is overwritten" in again.stderr and "Traceback" not in again.stderr
    other = runner.invoke(app, [*call, "--resume", "--set", "inversion.max_steps=3"])
    assert other.exit_code == 1 and "settings differ in inversion" in other.stderr
    same = runner.invoke(app, [*call, "--resume"])
    assert same.exit_code == 0 and json.loads(same.stdout)["frames_done"] == 0


def test_the_size_of_draws_is_told_before_the_run(series_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.zarr"
    call = [
        "reconstruct",
        str(series_folder),
        "--out",
        str(out),
        "--engine",
        "local",
        "--set",
        "inversion.draws=2",
    ]
    call += ["-q", "--json"]
    result = runner.invoke(app, call)
    assert result.exit_code == 0, result.stderr
    assert "With 2 draws a frame the result takes up to" in result.stderr.splitlines()[0]
    assert json.loads(result.stdout)["frames_done"] == 3
    assert open_result(out)["draws"].shape == (3, 2, 40, 40)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process of Windows")
def test_ctrl_c_keeps_what_is_finished_and_resume_goes_on(long_series_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.zarr"
    command = [sys.executable, "-m", "napari_sem4d.cli", "reconstruct", str(long_series_folder), "--out", str(out)]
    command += ["--engine", "local"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    deadline = time.monotonic() + 120
    while not (out / "frame_state" / "c" / "2").exists() and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert "finished frames are kept" in told and "Traceback" not in told
    done = int((open_result(out)["frame_state"].values == 1).sum())
    assert 3 <= done < 16
    rest = sem4d(*command[3:], "--resume", "--json", "--quiet")
    assert rest.returncode == 0, rest.stderr
    assert json.loads(rest.stdout)["frames_done"] == 16 - done
    assert (open_result(out)["frame_state"].values == 1).all()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["info", "{tmp}/nothing here"], 1, "nothing here"),
        (["reconstruct", "{bare}", "--out", "{tmp}/r"], 2, "Give it with --set KEY=VALUE"),
        (["reconstruct", "{series}", "--out", "{tmp}/r", "--set", "pixel_size=3"], 2, "Unknown key 'pixel_size'"),
        (["reconstruct", "{series}", "--out", "{tmp}/r", "--set", "pixel_nm"], 2, "write KEY=VALUE"),
        (["reconstruct", "{series}", "--out", "{tmp}/r", "--settings", "{tmp}/no.yaml"], 2, "no.yaml"),
        (["reconstruct", "{series}", "--out", "{tmp}/r", "--calibration", "{tmp}/no.yaml"], 1, "no.yaml"),
        (["reconstruct", "{series}", "--out", "{tmp}/r", "--engine", "magic"], 2, "engine"),
        (["reconstruct", "{series}", "--out", "{tmp}/r", "--detector", "magic"], 2, "magic"),
        (["reconstruct", "{series}"], 2, "--out"),
        (["calibrate", "{series}", "--reference", "moon", "--out", "{tmp}/c.yaml"], 2, "flat and vickers"),
        (["calibrate", "{series}", "--reference", "flat", "--out", "{series}/0000_A.tif"], 1, "exists already"),
        (["calibrate", "{series}", "--reference", "flat", "--out", "{tmp}/c", "--frame", "9"], 2, "has 3 frames"),
        (["no-such-command"], 2, "No such command"),
    ],
)  # fmt: skip
def test_a_fault_is_one_sentence_with_its_exit_code(
    series_folder: Path, bare_folder: Path, tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    filled = [a.format(tmp=tmp_path, series=series_folder, bare=bare_folder) for a in arguments]
    result = runner.invoke(app, filled)
    assert result.exit_code == code, result.stderr
    assert sentence in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "r").exists()


def test_calibrate_on_a_flat_area_writes_a_calibration_that_reconstruct_takes(
    series_folder: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "cal.yaml"
    done = runner.invoke(
        app, ["calibrate", str(series_folder), "--reference", "flat", "--out", str(saved), "--json"]
    )
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["reference"] == "flat" and [s["name"] for s in data["segments"]] == ["A", "B", "C", "D"]
    out = tmp_path / "r.zarr"
    call = [
        "reconstruct",
        str(series_folder),
        "--calibration",
        str(saved),
        "--out",
        str(out),
        "-q",
        "--engine",
        "local",
    ]
    assert runner.invoke(app, call).exit_code == 0
    assert data["id"] in str(open_result(out).attrs["calibration"])


def test_single_settings_go_before_the_file_and_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("material: Si\nbeam: {energy_kev: 5, probe_nm: 2}\n", encoding="utf-8")
    settings = read_settings(file, ["beam.energy_kev=10", "detector.working_distance_mm=9"], "annular-4-quadrant")
    assert (settings.material, settings.beam.energy_kev, settings.beam.probe_nm) == ("Si", 10, 2)
    assert len(settings.detector.segments) == 4 and settings.detector.working_distance_mm == 9
    assert "pixel_nm" not in settings.model_fields_set
    with pytest.raises(SettingsError, match="'material' is a value"):
        read_settings(file, ["material.density=3"])


def test_what_a_run_reports_reaches_the_person_and_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    def steps(_: object) -> Iterator[records.Record]:
        yield records.Progress(0.5, "frame 1 of 2", 0, 2, 75.0)
        yield records.FrameFailed(1, "the file [b].tif is cut off")
        yield records.Notice("saturated")
        yield records.Failed("there is no space left", Path("r.zarr"))

    answer = follow(steps)
    assert answer["error"] == "there is no space left" and answer["path"] == "r.zarr"
    assert answer["frames_failed"] == [1] and answer["warnings"] == ["saturated"]
    told = capsys.readouterr()
    assert "the file [b].tif is cut off" in told.err and told.out == ""


def test_a_fault_of_the_program_is_told_as_such(series_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("wheels fell off")

    monkeypatch.setattr("napari_sem4d.api.open_series", broken)
    result = runner.invoke(app, ["info", str(series_folder)])
    assert result.exit_code == 1
    assert "RuntimeError: wheels fell off. This is a fault of the program" in result.stderr
    assert "Traceback" not in result.stderr
    monkeypatch.setenv("SEM4D_TRACEBACK", "1")
    assert "Traceback" in runner.invoke(app, ["info", str(series_folder)]).stderr


@pytest.mark.parametrize("command", ["info", "reconstruct", "calibrate", "doctor", "demo"])
def test_every_command_has_help_with_the_exit_codes(command: str) -> None:
    result = runner.invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "0 done; 1 the input or the answer is at fault; 2 the call" in " ".join(result.stdout.split())


def test_the_demo_that_cannot_start_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 3))
    result = runner.invoke(app, ["demo", "--headless"])
    assert result.exit_code == 1 and "sem4d doctor" in result.stderr


def test_the_version_is_the_packages() -> None:
    from napari_sem4d import __version__

    assert runner.invoke(app, ["--version"]).stdout.strip() == f"napari-sem4d {__version__}"
