"""`sem4d roughness`, `profile`, `spectrum`, `compare`: figures of results and of height maps."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_sem4d.cli import app
from napari_sem4d.io.height_map import height_map
from napari_sem4d.io.store import ResultStore
from napari_sem4d.io.surfaces import read_surface, write_surface

runner = CliRunner()
ATTRS = {
    "datum": "mean",
    "settings": "{}",
    "software": "test",
    "device": "cpu",
    "seeds": "{}",
    "inputs": "[]",
    "warnings": "[]",
}
NOISE_NM = 3.0


def sine(amplitude: float = 50.0) -> np.ndarray:
    """Waves of 32 pixels along x, 64 x 128 pixels, nm."""
    return np.tile(amplitude * np.sin(2 * np.pi * (np.arange(128) + 0.5) / 32), (64, 1))


def make_result(
    path: Path, scale_status: str = "calibrated", draws: int = 8, truths: tuple[np.ndarray, ...] | None = None
) -> Path:
    """Three frames of 5 nm pixels, waves of 10 and 20 nm (or ``truths``), the last not finished."""
    calibration = json.dumps({"id": "cal-7", "date": "2026-01-02"}) if scale_status == "calibrated" else ""
    attrs = ATTRS | {"scale_status": scale_status, "calibration": calibration, "scale_uncertainty": 0.03}
    store = ResultStore.create(path, times=[0, 4, 8], shape=(64, 128), pixel_nm=5.0, attrs=attrs, draws=draws)
    rng = np.random.default_rng(0)
    for frame, truth in enumerate(truths or (sine(10.0), sine(20.0))):
        estimate = truth + NOISE_NM * rng.normal(size=truth.shape)
        for k in range(draws):
            store.write_draw(frame, k, estimate + NOISE_NM * rng.normal(size=truth.shape))
        store.write_frame(
            frame,
            height=estimate,
            height_std=np.full_like(truth, NOISE_NM),
            relative_yield=np.ones_like(truth),
            quality=np.zeros(truth.shape, np.uint16),
            misfit=1.0,
        )
    return path


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_result(tmp_path_factory.mktemp("measuring") / "Höhe.zarr")


@pytest.fixture(scope="module")
def relative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_result(tmp_path_factory.mktemp("measuring") / "relative.zarr", "relative", draws=0)


@pytest.fixture
def height_file(tmp_path: Path) -> Path:
    return write_surface(tmp_path / "sine map.gwy", height_map(sine(), (20.0, 10.0), "sine"))


def ask(*arguments: object) -> dict:
    found = runner.invoke(app, [*map(str, arguments), "--json"])
    assert found.exit_code == 0, found.stderr
    return json.loads(found.stdout)


def test_roughness_of_every_finished_frame_with_the_noise_taken_off(result: Path, tmp_path: Path) -> None:
    table = tmp_path / "Rauheit.csv"
    data = ask("roughness", result, "--names", "Sq,Sa", "--levelling", "mean", "--csv", table)
    assert [part["frame"] for part in data["frames"]] == [0, 1]
    assert data["calibration"] == "cal-7, 2026-01-02" and data["draws"] == 8
    for part, amplitude in zip(data["frames"], (10.0, 20.0), strict=True):
        sq = part["figures"][0]
        assert sq["name"] == "Sq" and sq["unit"] == "nm"
        assert sq["value"] == pytest.approx(amplitude / np.sqrt(2), abs=0.1)
        assert sq["low"] < amplitude / np.sqrt(2) < sq["high"]
        truth = amplitude / np.sqrt(2)
        assert sq["bias"] == pytest.approx(np.hypot(truth, NOISE_NM) - truth, abs=0.1)
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [(row["frame"], row["time"], row["name"]) for row in rows] == [
        ("0", "0 s", "Sq"), ("0", "0 s", "Sa"), ("1", "4 s", "Sq"), ("1", "4 s", "Sa"),
    ]  # fmt: skip
    assert float(rows[2]["value"]) == pytest.approx(data["frames"][1]["figures"][0]["value"], rel=1e-5)


def test_roughness_of_a_map_in_a_region_behind_filters(height_file: Path) -> None:
    (part,) = ask("roughness", height_file, "--region", 0, 0, 64, 96, "--s-nm", 100, "--levelling", "mean")[
        "frames"
    ]
    figures = {figure["name"]: figure for figure in part["figures"]}
    # A wave of 320 nm passes the Gaussian of 100 nm with exp(-pi (a 100 / 320)^2), a^2 = ln 2 / pi.
    passed = np.exp(-np.log(2) * (100 / 320) ** 2)
    assert figures["Sq"]["value"] == pytest.approx(passed * 50 / np.sqrt(2), rel=0.01)
    assert figures["Sdq"]["value"] == pytest.approx(passed * 2 * np.pi * 50 / 320 / np.sqrt(2), rel=0.06)
    assert figures["Sq"]["s_nm"] == 100 and figures["Sq"]["low"] is None


def test_a_relative_height_has_no_nm_unless_asked_in_relative_units(relative: Path) -> None:
    refused = runner.invoke(app, ["roughness", str(relative), "--names", "Sq,Sa", "--json"])
    assert refused.exit_code == 1
    figures = json.loads(refused.stdout)["frames"][0]["figures"]
    assert all("relative" in figure["refusal"] and figure["value"] is None for figure in figures)
    mixed = ask("roughness", relative, "--names", "Sq,Sku")["frames"][0]["figures"]
    assert mixed[0]["value"] is None and mixed[1]["value"] > 1
    asked = ask("roughness", relative, "--names", "Sq", "--relative-units")["frames"][0]["figures"][0]
    assert asked["unit"] == "nm (relative)" and asked["value"] > 5 and asked["low"] is None
    for command in (
        ["spectrum", str(relative)],
        ["profile", str(relative), "--points", "5,0 5,90", "--step", "step"],
    ):
        answer = runner.invoke(app, command)
        assert answer.exit_code == 1 and "relative" in answer.stderr and answer.stdout == ""


def test_a_profile_has_its_true_length_its_samples_and_its_figures(height_file: Path, tmp_path: Path) -> None:
    table = tmp_path / "line.csv"
    data = ask("profile", height_file, "--points", "0,0 30,80", "--points", "10,0 10,127", "--csv", table)
    diagonal, along = data["profiles"]
    assert diagonal["length_nm"] == pytest.approx(1000.0)  # 600 down, 800 across
    assert along["height_nm"] == pytest.approx(sine()[10].tolist(), abs=1e-3)
    rq = next(figure for figure in along["figures"] if figure["name"] == "Rq")
    assert rq["value"] == pytest.approx(50 / np.sqrt(2), rel=0.03)
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert list(rows[0]) == ["profile", "time", "distance_nm", "height_nm", "x_nm", "y_nm"]
    last = rows[-1]
    assert (last["profile"], float(last["distance_nm"]), float(last["y_nm"])) == ("line 2", 1270.0, 200.0)
    assert len(rows) == len(diagonal["height_nm"]) + 128


def test_a_step_and_a_height_difference_carry_noise_and_calibration_in_their_intervals(tmp_path: Path) -> None:
    truth = np.where(np.arange(128) < 60, 0.0, 100.0) * np.ones((64, 1))
    path = make_result(tmp_path / "step.zarr", draws=32, truths=(truth,))
    asked = ("profile", path, "--points", "32,0 32,127", "--cursors", 100, 500, "--step", "step", "--names", "Ra")
    (line,) = ask(*asked)["profiles"]
    (step,) = line["steps"]
    assert line["cursor_distance_nm"] == 400.0
    assert line["angle_deg"] == pytest.approx(np.degrees(np.arctan(100 / 400)), abs=1.5)
    for read, height in ((step, step["height_nm"]), (line, line["height_difference_nm"])):
        assert read["scale_std"] == pytest.approx(0.03 * height)
        assert read["low"] < 100.0 < read["high"]
        assert read["high"] - read["low"] > 2 * 1.96 * np.hypot(read["std"], read["scale_std"]) * 0.999
    # Two single pixels of 3 nm each against two levels of some fifty pixels.
    assert line["std"] == pytest.approx(NOISE_NM * 2**0.5, rel=0.4) and step["std"] < 0.4 * line["std"]
    words = runner.invoke(app, [*map(str, asked)]).stdout
    assert "height difference" in words and words.count("95 %") == 3


def test_a_step_is_measured_along_a_line_of_a_tilted_map(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    truth = np.where(np.arange(128) < 60, 0.0, 100.0) + 0.1 * np.arange(128)
    path = write_surface(
        tmp_path / "step.tif", height_map(np.tile(truth, (40, 1)) + rng.normal(size=(40, 128)), (10, 10), "step")
    )
    (line,) = ask("profile", path, "--points", "20,0 20,127", "--width", 9, "--step", "step")["profiles"]
    assert line["steps"][0]["height_nm"] == pytest.approx(100.0, abs=0.6)


def test_the_spectrum_shows_the_wave_and_integrates_to_the_variance(height_file: Path, tmp_path: Path) -> None:
    table = tmp_path / "spectrum.csv"
    (one,) = ask("spectrum", height_file, "--kind", "x", "--csv", table)["spectra"]
    power, frequency = np.array(one["power"]), np.array(one["frequency_per_nm"])
    assert 1 / frequency[power.argmax()] == pytest.approx(320.0)
    assert power.sum() * (frequency[1] - frequency[0]) == pytest.approx(50**2 / 2, rel=0.05)
    header = table.read_text(encoding="utf-8").splitlines()[0]
    assert header == "frame,time,frequency_per_nm,wavelength_nm,power (nm3)"


def test_the_spectrum_of_a_result_has_the_noise_taken_off(result: Path) -> None:
    (one,) = ask("spectrum", result, "--frame", 1, "--kind", "x")["spectra"]
    power, noise = np.array(one["power"]), np.array(one["noise"])
    flat = np.array(one["frequency_per_nm"]) > 1 / 40
    assert noise[flat].mean() == pytest.approx(2 * NOISE_NM**2 * 5.0, rel=0.15)  # white: one-sided, 5 nm pixels
    assert power[flat].mean() < 0.3 * noise[flat].mean()
    assert all(low <= high for low, high in zip(one["low"], one["high"], strict=True))


def test_two_maps_are_compared_and_their_difference_is_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    texture = np.cumsum(np.cumsum(rng.normal(size=(90, 90)), 0), 1)
    one = write_surface(tmp_path / "afm.gwy", height_map(texture[:80, :80], (10, 10), "afm"))
    two = write_surface(tmp_path / "sem.tif", height_map(1.1 * texture[4:84, 7:87], (10, 10), "sem"))
    difference = tmp_path / "difference.tif"
    data = ask("compare", one, two, "--difference", difference)
    # What is at (4, 7) in the reference is at (0, 0) in the map: its features lie to the left and higher up.
    assert abs(data["shift_nm"]["x"]) == pytest.approx(70.0, abs=0.5)
    assert abs(data["shift_nm"]["y_up"]) == pytest.approx(40.0, abs=0.5)
    assert data["amplitude"] == pytest.approx(1.1, abs=0.01)
    assert read_surface(difference).height.shape == (80, 80)
    again = runner.invoke(app, ["compare", str(one), str(two), "--difference", str(difference)])
    assert again.exit_code == 1 and "exists already" in again.stderr


def test_repeats_give_the_measurement_noise(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    files = [
        write_surface(
            tmp_path / f"{k}.gsf", height_map(sine() + 2 * rng.normal(size=(64, 128)), (10, 10), f"run {k}")
        )
        for k in range(2)
    ]
    data = ask("compare", *files, "--repeats", "--largest-shift-nm", 50)
    assert data["measurement_noise_nm"] == pytest.approx(2.0, rel=0.05)


def test_a_map_without_units_is_compared_with_a_result(result: Path, tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "bare.tif", sine(0.02).astype(np.float32))
    given = ["--pixel-nm", 5, "--unit", "um", "--largest-shift-nm", 40]
    data = ask("compare", tmp_path / "bare.tif", result, "--frame", 1, *given)
    assert data["amplitude"] == pytest.approx(1.0, abs=0.05)
    # What is left is the noise, smoothed a little where the shift is a part of a pixel.
    assert 0.8 * NOISE_NM < data["rms_nm"] < 1.05 * NOISE_NM


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["roughness", "{tmp}/none.gwy"], 1, "none.gwy"),
        (["roughness", "{map}", "--levelling", "cubic"], 2, "polynomial2 to polynomial8"),
        (["roughness", "{map}", "--s-nm", "90", "--l-nm", "80"], 2, "must be smaller"),
        (["roughness", "{map}", "--names", "Sq,Sx"], 2, "choose among"),
        (["roughness", "{map}", "--frame", "3"], 1, "there is no frame 3"),
        (["roughness", "{map}", "--pixel-nm", "3"], 1, "not 3 x 3 nm"),
        (["roughness", "{map}", "--region", "0", "0", "65", "1"], 2, "leaves the map"),
        (["roughness", "{result}", "--frame", "2"], 1, "not finished"),
        (["roughness", "{result}", "--pixel-nm", "5"], 1, "leave them away"),
        (["profile", "{map}", "--points", "3,4"], 2, "two or more pairs"),
        (["profile", "{map}", "--points", "3;4 5;6"], 2, "ROW,COLUMN"),
        (["profile", "{map}"], 2, "--points"),
        (["profile", "{map}", "--points", "0,0 0,9", "--step", "hill"], 2, "step, groove or grating"),
        (["spectrum", "{map}", "--kind", "z"], 2, "radial, x, y"),
        (["compare", "{map}"], 2, "MAP"),
    ],
)  # fmt: skip
def test_a_fault_of_a_measuring_command_is_one_sentence(
    result: Path, height_file: Path, tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    filled = [a.format(tmp=tmp_path, map=height_file, result=result) for a in arguments]
    found = runner.invoke(app, filled)
    assert found.exit_code == code, found.stderr
    assert sentence in found.stderr and "Traceback" not in found.stderr and found.stdout == ""


def test_words_on_the_screen_name_value_unit_interval_and_what_is_not_given(result: Path) -> None:
    words = runner.invoke(app, ["roughness", str(result), "--frame", "1"]).stdout
    assert "Höhe: 128 x 64 pixels of 5 nm" in words and "frame 1, t = 4 s" in words
    assert "95 %:" in words and "not given: Sdq, Sdr, Spc, Svc. Sdq without an S filter" in words


def test_a_real_force_microscope_file_is_measured(shared_data: Path) -> None:
    data = ask("roughness", shared_data / "afm" / "x3p-2.x3p", "--names", "Sq")
    assert data["shape"] == [650, 650]
    assert data["frames"][0]["figures"][0]["value"] == pytest.approx(77.19, abs=0.05)


@pytest.mark.parametrize("name", ["di-3.di", "mi-1.mi", "top-1.top", "al3d-1.al3d", "stp-1.stp"])
def test_files_of_other_instruments_are_measured_with_the_extra(shared_data: Path, name: str) -> None:
    pytest.importorskip("SurfaceTopography")
    data = ask("roughness", shared_data / "afm" / name, "--names", "Sq")
    assert data["frames"][0]["figures"][0]["value"] > 1.0


@pytest.mark.parametrize("command", ["roughness", "profile", "spectrum", "compare", "export"])
def test_every_measuring_command_has_help_with_the_exit_codes(command: str) -> None:
    found = runner.invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert found.exit_code == 0
    assert "0 done; 1 the input or the answer is at fault; 2 the call" in " ".join(found.stdout.split())
