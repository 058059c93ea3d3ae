"""The sample data that come with the package: complete, consistent with the growth model, described, small."""

import csv
import re

import numpy as np
import pytest
import tifffile
import yaml

from napari_sem4d import api
from napari_sem4d.io.surfaces import read_surface
from napari_sem4d.simulation.redox import FAMILIES, movie

SHAPE = (24, 4, 128, 128)
PLACE = api.sample_series().parent


@pytest.fixture(scope="module")
def model():
    return movie.redox()


@pytest.fixture(scope="module")
def truth():
    return yaml.safe_load((PLACE / "truth" / "truth.yaml").read_text(encoding="utf-8"))


def maps(name):
    return tifffile.imread(PLACE / "truth" / name)


def table(name):
    with (PLACE / "truth" / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def levelled(height):
    rows, columns = np.indices(height.shape)
    design = np.stack([rows.ravel(), columns.ravel(), np.ones(height.size)], axis=1)
    return height - (design @ np.linalg.lstsq(design, height.ravel(), rcond=None)[0]).reshape(height.shape)


def test_the_movie_opens_with_everything_known():
    series = api.open_series(api.sample_series())
    assert series.missing() == ()
    assert series.signal.shape == SHAPE
    np.testing.assert_array_equal(series.signal["time"], movie.TIMES_S)
    assert len(set(np.diff(movie.TIMES_S).round(3))) > 20  # no even steps
    images = series.signal.values
    assert images.max() < 65535
    assert images.min() > 0


def test_the_truth_is_the_growth_model(model):
    for name, drifted, kind in (
        ("height_nm.tif", True, "height_nm"),
        ("oxide_nm.tif", True, "oxide_nm"),
        ("height_without_drift_nm.tif", False, "height_nm"),
    ):
        held = maps(name)
        assert held.shape == (SHAPE[0], *SHAPE[2:])
        for t in (0, 11, 23):
            made = getattr(movie.surface(model, t, drifted=drifted), kind)
            np.testing.assert_allclose(held[t], made, atol=0.0051)


def test_the_tables_of_the_truth_say_what_the_model_does(model, truth):
    islands = table("islands.csv")
    assert len(islands) == len(model.islands)
    for row, island in zip(islands, model.islands, strict=True):
        assert float(row["nucleation_s"]) == pytest.approx(island.nucleation_s, abs=0.01)
        assert float(row["x_nm"]) == pytest.approx(island.x_nm, abs=0.01)
        assert row["family"] == island.family
    for name, kind in FAMILIES.items():
        assert truth["facets"][name]["side_growth_nm_s"] == kind.side_growth_nm_s
        assert truth["facets"][name]["inclination_deg"] == pytest.approx(kind.inclination_deg, abs=1e-3)
    frames = table("frames.csv")
    volume = [float(row["oxide_um3"]) for row in frames]
    assert volume[0] == volume[-1] == 0.0
    assert int(np.argmax(volume)) in (11, 12)
    drift = np.array([[float(row["drift_x_nm"]), float(row["drift_y_nm"])] for row in frames])
    np.testing.assert_allclose(drift, movie.drift_nm(), atol=0.006)


def test_the_images_are_the_electrons_through_the_microscope_that_the_truth_describes(model, truth):
    counted = maps("electrons_redox.tif")
    assert counted.shape == SHAPE
    sent = truth["electrons_per_pixel"]["redox"]
    beams = [float(row["beam_factor"]) for row in table("frames.csv")]
    for t in (0, 12):
        grains = movie.surface(model, t).relative_yield
        for k, name in enumerate(("Q1", "Q2", "Q3", "Q4")):
            image = tifffile.imread(api.sample_series() / f"{t:04d}_{name}.tif").astype(float)
            gain, offset = truth["segments"][name]["gain"], truth["segments"][name]["offset"]
            rest = (image - offset) / gain - counted[t, k] / 40.0 / sent * grains * beams[t]
            noise = truth["amplifier_noise_signal"]
            assert rest.std() == pytest.approx(noise, rel=0.03)
            assert abs(rest.mean()) < 5 * noise / 128


def test_the_static_corner_is_static_in_the_electrons_too():
    counted = maps("electrons_redox.tif").astype(float)
    corner = counted[:, :, 4:20, 4:20].sum(axis=1).mean(axis=(1, 2))
    elsewhere = counted[:, :, 40:, 40:].sum(axis=1).mean(axis=(1, 2))
    assert corner.std() / corner.mean() < 0.01
    assert elsewhere.std() / elsewhere.mean() > 3 * corner.std() / corner.mean()


def test_the_calibration_belongs_to_this_detector_and_holds_the_gains_ratios(truth):
    calibration = api.load_calibration(PLACE / "calibration.yaml")
    assert (calibration.reference, calibration.material, calibration.energy_kev) == ("vickers", "Cu", 5.0)
    # Gain and polar edges go together on an imprint; what the height hangs on is the gains' ratio.
    found = np.array([s.gain for s in calibration.segments])
    true = np.array([truth["segments"][s.name]["gain"] for s in calibration.segments])
    np.testing.assert_allclose(found / found.mean(), true / true.mean(), atol=0.02)


def test_the_force_microscope_saw_the_last_frame_through_its_tip(model, truth):
    afm = truth["afm"]
    found = read_surface(PLACE / "afm" / "after_reaction.gsf")
    assert found.pixel_nm == pytest.approx((7.5, 7.5))
    size = found.height.shape[0]
    along = (np.arange(size) - 0.5 * (size - 1)) * found.pixel_nm[1]
    x, y = np.meshgrid(along, -along)
    c, s = np.cos(np.radians(afm["turned_deg"])), np.sin(np.radians(afm["turned_deg"]))
    state = model.state(
        afm["middle_x_nm"] + c * x - s * y, afm["middle_y_nm"] + s * x + c * y, movie.TIMES_S[afm["frame"]]
    )
    seen, true = levelled(found.height), levelled(state.height_nm)
    assert np.std(seen - true) < 0.06 * np.std(true)
    # A tip never dips below the surface but for noise, and fills pits.
    assert np.std(seen) / afm["z_scale"] < 1.01 * np.std(true)
    assert np.std(np.median(np.diff(found.height, axis=0), axis=1)) > 0.8 * np.sqrt(2) * afm["line_noise_nm"]


def test_the_readme_names_every_file_and_its_figures_are_right(truth):
    text = (PLACE / "README.md").read_text(encoding="utf-8")
    for path in PLACE.rglob("*"):
        if path.is_file() and path.name != "README.md" and not re.match(r"\d{4}_Q\d\.tif", path.name):
            assert path.name in text, f"README.md does not mention {path.relative_to(PLACE)}"
    assert f"{truth['electrons_per_pixel']['redox']:,} electrons a pixel" in text
    assert "24 frames of 128 x 128 pixels of 12 nm" in text
    megabytes = sum(p.stat().st_size for p in PLACE.rglob("*") if p.is_file()) / 1e6
    assert megabytes < 15.0
    assert float(re.search(r"([\d.]+) MB", text).group(1)) == pytest.approx(megabytes, abs=0.2)
