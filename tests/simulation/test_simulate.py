"""`sem4d simulate`: a series that opens without questions, its truth, resuming, refusing."""

import json
import threading

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_sem4d import api
from napari_sem4d.acquisition.checks import check_series
from napari_sem4d.cli import app
from napari_sem4d.errors import SettingsError
from napari_sem4d.io.height_map import height_map
from napari_sem4d.io.surfaces import read_surface, write_surface
from napari_sem4d.records import Finished, Progress
from napari_sem4d.settings import Settings

SETTINGS = """\
beam: {energy_kev: 2, probe_nm: 1}
material: Cu
detector:
  segments:
    - {name: Süd 1, polar_deg: [15, 60], azimuth_deg: [180, 360], gain: 2000, offset: 7}
    - {name: Nord 1, polar_deg: [15, 60], azimuth_deg: [0, 180], gain: 2000, offset: 7}
"""


@pytest.fixture
def settings_file(tmp_path):
    path = tmp_path / "Einstellungen größer.yaml"
    path.write_text(SETTINGS, encoding="utf-8")
    return path


@pytest.fixture
def settings(settings_file):
    from napari_sem4d.settings import load_settings

    return load_settings(settings_file)


def bump(shape=(20, 28)):
    y, x = np.indices(shape)
    return 25.0 * np.exp(-((y - 7) ** 2 + (x - 18) ** 2) / 20.0)


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_height_map_becomes_a_series_that_opens_without_questions(tmp_path, settings_file):
    heights, out = tmp_path / "Höhe.tif", tmp_path / "Serie neu"
    write_surface(heights, height_map(bump(), (8.0, 8.0), "height"))
    done = run("simulate", heights, "--settings", settings_file, "--electrons", 200, "--out", out, "-q", "--json")
    assert done.exit_code == 0, done.output
    series = api.open_series(out)
    assert series.missing() == ()
    assert not series.warnings
    assert not check_series(series)
    assert (series.frames, series.shape, series.pixel_nm, series.material) == (1, (20, 28), 8.0, "Cu")
    assert {s.name: s.gain for s in series.instrument.detector.segments} == {"Süd 1": 2000.0, "Nord 1": 2000.0}
    signals = dict(zip(series.segment_names, series.signal[0].values, strict=True))
    # Above the bump the surface faces the top of the image.
    facing_up = np.s_[2:6, 15:22]
    assert signals["Nord 1"][facing_up].mean() > 1.1 * signals["Süd 1"][facing_up].mean()
    truth = read_surface(out / "truth" / "height_nm.tif")
    assert np.allclose(truth.height, bump(), atol=1e-4)
    assert truth.pixel_nm == pytest.approx((8.0, 8.0))
    error = tifffile.imread(out / "truth" / "standard_error_Nord 1.tif")
    flat = np.s_[12:, :8]
    assert signals["Nord 1"][flat].std() == pytest.approx(np.sqrt((error[flat] ** 2).mean()), rel=0.35)
    record = json.loads((out / "truth" / "simulation.json").read_text(encoding="utf-8"))
    assert record["seed"] == 0
    assert record["electrons_per_pixel"] == 200
    assert record["surface"]["file"] == "Höhe.tif"


def test_a_scene_is_drawn_in_units_of_rho50_and_recorded(tmp_path, settings_file):
    out = tmp_path / "scene"
    done = run(
        "simulate", "ridge", "--settings", settings_file, "--electrons", 20, "--out", out, "--size", 16,
        "--parameter", "width=6", "--parameter", "slope_deg=40", "--seed", 3, "-q",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    record = json.loads((out / "truth" / "simulation.json").read_text(encoding="utf-8"))
    assert record["surface"]["scene"] == "ridge"
    assert record["surface"]["parameters_in_rho50_and_degrees"] == {"width": 6, "slope_deg": 40, "azimuth_deg": 0}
    assert record["pixel_nm"] == pytest.approx(0.25 * record["surface"]["rho50_nm"])
    assert api.open_series(out).shape == (16, 16)


def test_an_array_and_a_gwy_file_give_the_same_images_as_a_tiff(tmp_path, settings):
    heights = bump((12, 12)).astype(np.float32)
    np.save(tmp_path / "h.npy", heights)
    for name in ("h.tif", "h.gwy"):
        write_surface(tmp_path / name, height_map(heights, (8.0, 8.0), "height"))
    images = []
    for name in ("h.tif", "h.gwy", "h.npy"):
        out = tmp_path / name.replace(".", "-")
        pixel = 8.0 if name.endswith("npy") else None
        list(api.simulate_steps(tmp_path / name, out, settings, 30, seed=5, pixel_nm=pixel))
        images.append(api.open_series(out).signal.values)
    # Pixel sizes of files are rounded, so a few electrons may take another way.
    for other in images[1:]:
        assert (images[0] == other).mean() > 0.9


def test_the_local_engine_counts_electrons_too(tmp_path, settings):
    np.save(tmp_path / "flat.npy", np.zeros((40, 40)))
    for electrons, name in ((0, "exact"), (500, "noisy")):
        steps = api.simulate_steps(
            tmp_path / "flat.npy", tmp_path / name, settings, electrons, engine="local", pixel_nm=8
        )
        assert isinstance(list(steps)[-1], Finished)
    exact = api.open_series(tmp_path / "exact").signal[0].values
    noisy = api.open_series(tmp_path / "noisy").signal[0].values
    assert np.ptp(exact[0]) < 1e-3 * exact.mean()
    assert noisy.mean() == pytest.approx(exact.mean(), rel=0.02)
    error = tifffile.imread(tmp_path / "noisy" / "truth" / "standard_error_Nord 1.tif")
    assert noisy.std() == pytest.approx(error.mean(), rel=0.1)


def test_a_cancelled_simulation_goes_on_and_gives_the_same_images(tmp_path, settings):
    np.save(tmp_path / "h.npy", bump())
    whole, halted = tmp_path / "whole", tmp_path / "halted"
    list(api.simulate_steps(tmp_path / "h.npy", whole, settings, 1500, pixel_nm=8))
    stop = threading.Event()
    for record in api.simulate_steps(tmp_path / "h.npy", halted, settings, 1500, pixel_nm=8, cancel=stop):
        if isinstance(record, Progress) and record.fraction > 0:
            stop.set()
    assert record == Finished(halted, cancelled=True)
    assert not list(halted.glob("*.tif"))
    again = list(api.simulate_steps(tmp_path / "h.npy", halted, settings, 1500, pixel_nm=8))
    assert "goes on from there" in again[0].message
    assert np.array_equal(api.open_series(whole).signal, api.open_series(halted).signal)
    assert sorted(p.name for p in whole.rglob("*")) == sorted(p.name for p in halted.rglob("*"))


def test_progress_tells_the_time_left(tmp_path, settings):
    np.save(tmp_path / "h.npy", bump())
    records = [
        r
        for r in api.simulate_steps(tmp_path / "h.npy", tmp_path / "out", settings, 1500, pixel_nm=8)
        if isinstance(r, Progress)
    ]
    assert records[1].seconds_left > 0
    assert records[-1].seconds_left == 0.0


def test_nothing_is_overwritten(tmp_path, settings_file):
    np.save(tmp_path / "h.npy", bump((8, 8)))
    call = ["simulate", tmp_path / "h.npy", "--settings", settings_file, "--pixel-nm", 8, "--electrons", 5, "-q"]
    assert run(*call, "--out", tmp_path / "out").exit_code == 0
    again = run(*call, "--out", tmp_path / "out")
    assert again.exit_code == 1
    assert "exists already" in again.output


def test_another_seed_does_not_go_on_with_what_was_begun(tmp_path, settings_file, settings):
    np.save(tmp_path / "h.npy", bump())
    stop = threading.Event()
    stop.set()
    list(api.simulate_steps(tmp_path / "h.npy", tmp_path / "out", settings, 100, pixel_nm=8, cancel=stop))
    other = run(
        "simulate", tmp_path / "h.npy", "--settings", settings_file, "--pixel-nm", 8, "--electrons", 100,
        "--seed", 1, "--out", tmp_path / "out", "-q",
    )  # fmt: skip
    assert other.exit_code == 1
    assert "unfinished simulation with other settings" in other.output


def test_what_is_missing_or_wrong_is_said_in_a_sentence(tmp_path, settings, settings_file):
    np.save(tmp_path / "h.npy", bump((8, 8)))
    h, out = tmp_path / "h.npy", tmp_path / "out"
    with pytest.raises(SettingsError, match=r"do not say beam\.energy_kev, material, detector\.segments"):
        api.simulate_steps(h, out, Settings(), 10)
    with pytest.raises(SettingsError, match="--pixel-nm"):
        api.simulate_steps(h, out, settings, 10)
    tilted = settings.model_copy(update={"beam": settings.beam.model_copy(update={"tilt_deg": 30.0})})
    with pytest.raises(SettingsError, match="tilted stage"):
        api.simulate_steps(h, out, tilted, 10, pixel_nm=8)
    common = ["--settings", settings_file, "--out", out, "-q"]
    nothing = run("simulate", "nowhere", "--electrons", 10, *common)
    assert nothing.exit_code == 1
    assert "neither a file nor a scene" in nothing.output
    assert run("simulate", h, "--electrons", 10, "--engine", "magic", *common).exit_code == 2
    assert run("simulate", "ridge", "--electrons", 10, "--parameter", "height=2", *common).exit_code == 2
    assert run("simulate", "ridge", "--electrons", 10, "--parameter", "width", *common).exit_code == 2
    assert not out.exists()
