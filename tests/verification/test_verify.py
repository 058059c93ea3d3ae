"""`sem4d verify` accepts a right surface, and rejects one scaled by 1.1 and one of the wrong material."""

import inspect
import json
import threading

import numpy as np
import pytest
import tifffile
import typer
import verified_surfaces as surfaces
from typer.testing import CliRunner

from napari_sem4d import api
from napari_sem4d.cli import app
from napari_sem4d.errors import Cancelled, InputError
from napari_sem4d.inversion.stage import Stage
from napari_sem4d.records import Failed, Finished, Notice, Progress
from napari_sem4d.settings import Settings
from napari_sem4d.verification import Tolerances, Verification
from napari_sem4d.verification.evidence import on_images

LOCAL = Settings(engine="local")
SMALL = {"pixels": 500, "electrons": 40}
ENOUGH = {"pixels": 4000, "electrons": 500}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("Prüfung groß")


@pytest.fixture(scope="module")
def series(place):
    return surfaces.write_series(place / "Bilder Cu")


@pytest.fixture(scope="module")
def calibrated(place, series):
    """The local engine's own result, calibrated."""
    return api.reconstruct(api.open_series(series), place / "local.zarr", LOCAL, surfaces.calibration())


@pytest.fixture(scope="module")
def relative(place, series):
    return api.reconstruct(api.open_series(series), place / "relative.zarr", LOCAL)


@pytest.fixture(scope="module")
def claim(place, series, calibrated):
    """Store a claim on the series' surface: its truth times a factor, in a material."""

    def make(scale=1.0, material="Cu", like=calibrated, relative_yield=1.0):
        name = f"{like.stem} {scale} {material} {relative_yield}.zarr"
        if not (place / name).exists():
            height = scale * surfaces.truth(series)
            surfaces.claim(
                series, place / name, height, like=like, material=material, relative_yield=relative_yield
            )
        return place / name

    return make


@pytest.mark.slow
def test_the_true_surface_is_accepted(claim):
    found = api.verify(claim(), **ENOUGH)
    assert found.verdict == "agrees", found.sentences
    assert found.comparison.height_scale.value == pytest.approx(1.0, abs=0.04)
    assert found.comparison.effect.high < 0.03
    assert found.brightness.value == pytest.approx(1.0, abs=0.02)


@pytest.mark.slow
def test_a_surface_scaled_by_1_1_is_rejected(claim):
    found = api.verify(claim(scale=1.1), **ENOUGH)
    assert found.verdict == "differs", found.sentences
    assert found.comparison.height_scale.value == pytest.approx(1 / 1.1, abs=0.04)
    assert found.sentences[1].startswith(f"Heights times {found.comparison.height_scale.value:.3f}")


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["Si", "Au"])
def test_the_wrong_material_is_rejected(claim, wrong):
    found = api.verify(claim(material=wrong), **ENOUGH)
    assert found.verdict == "differs", found.sentences
    assert any(f"as bright as {wrong}" in s and "outside" in s for s in found.sentences)


@pytest.mark.slow
def test_without_a_calibration_the_wrong_material_shows_in_the_contrast(claim, relative):
    found = api.verify(claim(material="Si", like=relative), **ENOUGH)
    assert found.verdict == "differs", found.sentences
    assert found.brightness is None
    assert len(found.comparison.gains) == 4
    assert found.comparison.height_scale.low > 1.2


def test_a_common_gain_in_the_relative_yield_is_not_held_against_the_surface(claim):
    # Brighter by 4 % than the calibration, and said so in the relative yield.
    found = api.verify(claim(relative_yield=1.04), pixels=1000, electrons=100)
    assert found.comparison.gains[0].value == pytest.approx(1 / 1.04, abs=0.02)
    assert found.brightness.value == pytest.approx(1.0, abs=0.02)
    assert found.verdict != "differs"


def test_few_pixels_are_too_little_to_tell(claim):
    found = api.verify(claim(), **SMALL)
    assert found.verdict == "too little data"
    assert "Too little data" in found.sentences[0]
    assert found.comparison.height_scale.detectable > 0.05


def test_progress_then_the_verdict_then_the_end(claim):
    records = list(api.verify_steps(claim(), **SMALL))
    shares = [r.fraction for r in records if isinstance(r, Progress)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert isinstance(records[-2], Verification)
    assert isinstance(records[-1], Finished)


def test_the_same_seed_gives_the_same_figures(claim):
    one, two = (api.verify(claim(), threads=n, seed=4, **SMALL) for n in (1, 2))
    assert one.comparison == two.comparison
    assert api.verify(claim(), seed=5, **SMALL).comparison != one.comparison


def test_the_command_answers_in_words_and_as_json(claim):
    call = ["verify", str(claim()), "--pixels", "300", "--electrons", "40", "-q"]
    words = CliRunner().invoke(app, call)
    assert words.exit_code == 1  # too little data is no agreement
    assert "would have been found" in words.output
    data = json.loads(CliRunner().invoke(app, [*call, "--json"]).stdout)
    assert data["verdict"] == "too little data"
    assert data["segments"] == list("ABCD")
    band = data["comparison"]["bands"][0]["difference"]
    assert band["low"] < band["value"] < band["high"]
    assert CliRunner().invoke(app, ["verify", str(claim()), "--pixels", "3", "-q"]).exit_code == 2


def test_images_that_were_moved_are_found_in_the_folder_that_is_named(place, series, calibrated, tmp_path):
    alone = tmp_path / "elsewhere" / "result.zarr"
    surfaces.claim(series, alone, surfaces.truth(series), like=calibrated)
    with pytest.raises(InputError, match=r"4 of the 4 images .* --images"):
        api.verify(alone, **SMALL)
    assert not [r for r in api.verify_steps(alone, images=series, **SMALL) if isinstance(r, (Notice, Failed))]


def test_images_that_have_changed_are_told(series, calibrated, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in series.glob("*.*"):
        (copy / file.name).write_bytes(file.read_bytes())
    changed = copy / "0000_B.tif"
    tifffile.imwrite(changed, np.roll(tifffile.imread(changed), 1, axis=0))
    notices = [r for r in api.verify_steps(calibrated, images=copy, **SMALL) if isinstance(r, Notice)]
    assert any("other hash: 0000_B.tif" in n.message for n in notices)


def test_a_relative_result_says_what_the_verdict_rests_on(relative):
    notices = [r.message for r in api.verify_steps(relative, **SMALL) if isinstance(r, Notice)]
    assert any("Without a calibration the gain of every segment was free" in n for n in notices)


def test_a_cancelled_verification_writes_nothing(claim):
    stop = threading.Event()
    stop.set()
    before = sorted(claim().rglob("*"))
    with pytest.raises(Cancelled):
        api.verify(claim(), cancel=stop, **SMALL)
    assert sorted(claim().rglob("*")) == before


def test_what_is_no_result_or_no_frame_is_said(claim, tmp_path):
    with pytest.raises(InputError, match="there is no frame 7"):
        api.verify(claim(), frame=7, **SMALL)
    last = list(api.verify_steps(tmp_path / "nothing.zarr", **SMALL))[-1]
    assert isinstance(last, Failed)
    assert "there is no result" in last.message


def test_the_command_has_the_defaults_of_the_library():
    command = typer.main.get_command(app).commands["verify"]
    stated = {p.name: p.default for p in command.params}
    of_library = {name: p.default for name, p in inspect.signature(api.verify_steps).parameters.items()}
    for name in ("frame", "pixels", "electrons", "seed", "images", "threads"):
        assert stated[name] == of_library[name], name
    tolerances = Tolerances(stated["tolerance"], stated["scale_tolerance"], stated["brightness_tolerance"])
    assert tolerances == Tolerances()


def test_a_result_on_a_tilted_stage_goes_back_to_the_beam():
    row, column = np.indices((60, 50))
    along_beam = 20.0 * np.sin(row / 9.0) * np.cos(column / 7.0)
    stage = Stage(tilt_deg=35.0, pixel_nm=10.0)
    along_beam = along_beam + stage.plane(60)
    on_stage = stage.heights(along_beam.astype(np.float32), plane_removed=False)
    assert on_stage.shape == (73, 50)
    ones = np.ones(on_stage.shape)
    quality = np.zeros(on_stage.shape, np.uint16)
    quality[:8] = 1
    maps = {"height": on_stage, "relative_yield": ones, "quality": quality}
    height, relative_yield, flags = on_images(stage, maps, (60, 50))
    assert np.abs(height - along_beam)[2:-2].max() < 0.5
    assert np.allclose(relative_yield, 1.0)
    assert flags[:6].all()
    assert not flags[8:].any()
