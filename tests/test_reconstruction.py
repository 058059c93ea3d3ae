"""A series becomes a result store, frame by frame, and nothing that is finished is ever lost."""

import json
import threading

import numpy as np
import pytest
import tifffile
import torch

from napari_sem4d import api
from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.errors import InputError, SettingsError, StoreError
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.forward.registry import make_engine
from napari_sem4d.physics.materials import material
from napari_sem4d.records import Failed, Finished, FrameDone, FrameFailed, Notice, Preview, Progress
from napari_sem4d.settings import Settings, dump_settings, load_settings

SHAPE = (48, 64)
PIXEL_NM = 10.0
FRAMES = 3
# The images are the local law's, and what is asked is what happens to a series, not to a surface.
LOCAL = Settings(engine="local")


def segments(**changes):
    return tuple(
        Segment(name=name, polar_deg=(20, 45), azimuth_deg=(start, start + 90), **changes)
        for name, start in zip("ABCD", (0, 90, 180, 270), strict=True)
    )


def bump(frame, tilt_deg=0.0):
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    r2 = (x - 24) ** 2 + (y - 20) ** 2
    return 40.0 * (1 + 0.3 * frame) * np.exp(-r2 / (2 * 8.0**2))


@pytest.fixture(scope="module")
def truth():
    return np.stack([bump(t) for t in range(FRAMES)])


@pytest.fixture
def folder(tmp_path, truth):
    """Three frames of four segments as TIFF, with what is known in acquisition.yaml."""
    detector = Detector(segments=segments(gain=1e6, offset=500.0))
    instrument = Instrument(beam=Beam(energy_kev=10.0), detector=detector)
    engine = make_engine("local", ForwardSetup(instrument, material("Cu"), PIXEL_NM), dtype=torch.float64)
    place = tmp_path / "Kupfer Oxidation ä"
    place.mkdir()
    for t, height in enumerate(truth):
        signals = engine.expected_signals(torch.as_tensor(height), torch.ones(SHAPE, dtype=torch.float64)).numpy()
        rng = np.random.default_rng(t)
        noisy = signals + rng.normal(size=signals.shape) * 0.03 * signals.mean()
        for name, image in zip("ABCD", noisy, strict=True):
            tifffile.imwrite(place / f"{t:04d}_{name}.tif", np.round(image).astype(np.uint16))
    settings = {
        "beam": {"energy_kev": 10.0},
        "material": "Cu",
        "pixel_nm": PIXEL_NM,
        "time": {"start_s": 0, "step_s": 4},
        "detector": {"segments": [s.model_dump(mode="json") for s in segments(offset=500.0)]},
        "files": "{time:04d}_{segment}.tif",
    }
    (place / "acquisition.yaml").write_text(json.dumps(settings), encoding="utf-8")
    return place


def records(folder, out, **more):
    return list(api.reconstruct_steps(api.open_series(folder), out, **{"settings": LOCAL, **more}))


def test_heights_of_every_frame_come_out_unmirrored_and_in_time(folder, tmp_path, truth):
    out = api.reconstruct(api.open_series(folder), tmp_path / "result.zarr", LOCAL)
    result = api.open_result(out)
    assert list(result["time"].values) == [0, 4, 8]
    for t in range(FRAMES):
        height = result["height"][t].values
        flat_truth = truth[t] - truth[t].mean()
        assert np.corrcoef(height.ravel(), flat_truth.ravel())[0, 1] > 0.95
        assert np.unravel_index(height.argmax(), SHAPE) == pytest.approx((20, 24), abs=3)
        assert 0.8 < float(result["misfit"][t]) < 1.3
    growth = [float(result["height"][t].max() - result["height"][t].min()) for t in range(FRAMES)]
    assert growth == sorted(growth)


def test_every_frame_is_previewed_then_done_with_progress_between(folder, tmp_path):
    seen = records(folder, tmp_path / "r.zarr")
    kinds = [type(r) for r in seen if not isinstance(r, Progress | Notice)]
    assert kinds == [Preview, *[Preview, FrameDone] * FRAMES, Finished]  # one preview at once
    shares = [r.fraction for r in seen if isinstance(r, Progress)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any(r.seconds_left is not None for r in seen if isinstance(r, Progress))


def test_without_a_calibration_heights_are_called_relative(folder, tmp_path):
    seen = records(folder, tmp_path / "r.zarr")
    assert any(isinstance(r, Notice) and "relative" in r.message for r in seen)
    result = api.open_result(tmp_path / "r.zarr")
    assert result.attrs["scale_status"] == "relative"
    assert any("relative" in w for w in json.loads(result.attrs["warnings"]))


def test_the_weight_of_the_prior_is_found_once_and_kept(folder, tmp_path):
    records(folder, tmp_path / "r.zarr")
    weight = api.open_result(tmp_path / "r.zarr").attrs["curvature_weight"]
    assert weight > 0
    again = Settings.model_validate({"engine": "local", "inversion": {"curvature_weight": weight}})
    records(folder, tmp_path / "again.zarr", settings=again)
    first, second = (api.open_result(tmp_path / n)["height"].values for n in ("r.zarr", "again.zarr"))
    assert np.abs(first - second).max() < 0.05 * first.std()


def sample_frames(out, *frames):
    """Result of some frames of the sample movie, and their true heights."""
    place = api.sample_series().parent
    calibration = api.load_calibration(place / "calibration.yaml")
    times = {"times_s": tuple(20.0 * t for t in frames)}
    known = Settings(beam=Beam(energy_kev=5.0), material="Cu", pixel_nm=12.0, time=times)
    images = [path for t in frames for path in sorted(api.sample_series().glob(f"{t:04d}_*.tif"))]
    result = api.open_result(api.reconstruct(api.open_series(images, known), out, known, calibration))
    return result, tifffile.imread(place / "truth" / "height_nm.tif")[list(frames)]


def test_a_flat_first_frame_does_not_smooth_away_what_grows_later(tmp_path):
    together, truth = sample_frames(tmp_path / "r.zarr", 0, 6, 11)
    alone, _ = sample_frames(tmp_path / "alone.zarr", 11)
    assert together.attrs["scale_status"] == "calibrated"
    assert np.std(together["height"][2].values - alone["height"][0].values) < 1.0
    for found, true_height in zip(together["height"].values, truth, strict=True):
        true_height = true_height - true_height.mean()
        # The local law lowers what is as small as the electrons' range; it must not flatten it.
        assert (found * true_height).sum() / (true_height**2).sum() > 0.65
        assert np.std(found - true_height) < 2.0 + 0.3 * true_height.std()


def test_a_calibration_brings_the_segments_along(tmp_path):
    result, _ = sample_frames(tmp_path / "r.zarr", 0)
    assert result.attrs["scale_status"] == "calibrated"
    assert float(result["misfit"][0]) == pytest.approx(1.0, abs=0.15)


def test_cancelling_keeps_what_is_done_and_resume_goes_on(folder, tmp_path):
    cancel = threading.Event()
    out = tmp_path / "r.zarr"
    seen = []
    for record in api.reconstruct_steps(api.open_series(folder), out, LOCAL, cancel=cancel):
        seen.append(record)
        if isinstance(record, FrameDone):
            cancel.set()
    assert isinstance(seen[-1], Finished)
    assert seen[-1].cancelled
    assert list(api.open_result(out)["frame_state"].values) == [1, 0, 0]
    first = api.open_result(out)["height"][0].values
    done = [r.frame for r in records(folder, out, resume=True) if isinstance(r, FrameDone)]
    assert done == [1, 2]
    assert np.array_equal(api.open_result(out)["height"][0].values, first)


def test_nothing_is_overwritten(folder, tmp_path):
    out = tmp_path / "r.zarr"
    records(folder, out)
    before = api.open_result(out)["height"].values
    last = records(folder, out)[-1]
    assert isinstance(last, Failed)
    assert "nothing is overwritten" in last.message
    assert np.array_equal(api.open_result(out)["height"].values, before)


def test_resuming_with_other_settings_is_refused(folder, tmp_path):
    out = tmp_path / "r.zarr"
    records(folder, out)
    other = Settings.model_validate({"engine": "local", "inversion": {"yield_length_px": 20.0}})
    last = records(folder, out, resume=True, settings=other)[-1]
    assert isinstance(last, Failed)
    assert "made from something else" in last.message


def test_one_unreadable_frame_does_not_stop_the_series(folder, tmp_path):
    (folder / "0001_B.tif").write_bytes(b"")
    seen = records(folder, tmp_path / "r.zarr")
    assert [r.frame for r in seen if isinstance(r, FrameDone)] == [0, 2]
    assert [r.frame for r in seen if isinstance(r, FrameFailed)] == [1]
    result = api.open_result(tmp_path / "r.zarr")
    assert list(result["frame_state"].values) == [1, 2, 1]
    assert any("0001_B.tif" in w for w in json.loads(result.attrs["warnings"]))


def test_what_is_missing_is_asked_for_in_one_sentence(folder):
    (folder / "acquisition.yaml").unlink()
    series = api.open_series(folder)
    with pytest.raises(SettingsError) as error:
        api.preview(series)
    for name in ("pixel_nm", "beam.energy_kev", "material", "detector"):
        assert name in str(error.value)


def test_a_constant_image_is_refused(folder, tmp_path):
    for path in folder.glob("*_C.tif"):
        tifffile.imwrite(path, np.full(SHAPE, 700, dtype=np.uint16))
    last = records(folder, tmp_path / "r.zarr")[-1]
    assert isinstance(last, Failed)
    assert "constant" in last.message


def test_a_single_image_is_refused_and_told_why(folder, tmp_path):
    for path in folder.glob("*_[BCD].tif"):
        path.unlink()
    (folder / "acquisition.yaml").unlink()
    with pytest.raises(InputError, match="one"):
        api.preview(api.open_series(folder, Settings(pixel_nm=10, material="Cu", beam=Beam(energy_kev=10))))


def test_a_read_only_place_gives_a_sentence(folder, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder", encoding="utf-8")
    last = records(folder, blocker / "r.zarr")[-1]
    assert isinstance(last, Failed)
    assert str(blocker) in last.message


def test_a_signal_below_its_offset_names_the_segment(folder, tmp_path):
    text = (folder / "acquisition.yaml").read_text(encoding="utf-8").replace("500.0", "60000.0")
    (folder / "acquisition.yaml").write_text(text, encoding="utf-8")
    last = records(folder, tmp_path / "r.zarr")[-1]
    assert isinstance(last, Failed)
    assert "segment A" in last.message
    assert "offset" in last.message


def test_draws_are_stored_on_request(folder, tmp_path):
    # The common error of the contrast is one random number a draw, and much of what `local` has: so many draws.
    settings = Settings.model_validate({"engine": "local", "inversion": {"draws": 48}})
    records(folder, tmp_path / "r.zarr", settings=settings)
    result = api.open_result(tmp_path / "r.zarr")
    scatter = result["draws"][0].std("draw").values
    assert scatter.mean() == pytest.approx(float(result["height_std"][0].mean()), rel=0.3)


def test_a_tilted_stage_gives_heights_along_its_normal(tmp_path):
    tilt = 20.0
    detector = Detector(segments=segments(gain=1e6))
    instrument = Instrument(beam=Beam(energy_kev=10.0, tilt_deg=tilt), detector=detector)
    engine = make_engine("local", ForwardSetup(instrument, material("Cu"), PIXEL_NM), dtype=torch.float64)
    rows = np.arange(SHAPE[0])[:, None]
    plane = np.tan(np.radians(tilt)) * PIXEL_NM * ((SHAPE[0] - 1) / 2 - rows)  # top edge nearer to the pole piece
    height = torch.as_tensor(bump(0) / np.cos(np.radians(tilt)) + plane)
    signals = engine.expected_signals(height, torch.ones(SHAPE, dtype=torch.float64)).numpy()
    noisy = signals + np.random.default_rng(0).normal(size=signals.shape) * 0.01 * signals.mean()
    tifffile.imwrite(tmp_path / "stack.tif", noisy.astype(np.float32), photometric="minisblack")
    known = Settings(
        engine="local",
        beam=instrument.beam,
        detector=Detector(segments=segments()),
        material="Cu",
        pixel_nm=PIXEL_NM,
    )
    out = api.reconstruct(api.open_series(tmp_path / "stack.tif", known), tmp_path / "r.zarr", known)
    result = api.open_result(out)
    found = result["height"][0].values
    assert float(np.ptp(found)) == pytest.approx(40.0, rel=0.12)
    assert "tilted by 20 degrees" in result.attrs["datum"]
    assert "foreshortening" in result.attrs["datum"]
    assert found.shape == (round(SHAPE[0] / np.cos(np.radians(tilt))), SHAPE[1])


def test_settings_survive_yaml(tmp_path):
    settings = Settings.model_validate(
        {"beam": {"energy_kev": 5}, "material": "Cu2O", "inversion": {"draws": 3}, "time": [0, 1.5, 7]}
    )
    path = tmp_path / "Einstellungen ü.yaml"
    dump_settings(settings, path)
    assert load_settings(path) == settings


def test_an_unknown_key_in_settings_is_named(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("inversion: {curvature_wait: 3}", encoding="utf-8")
    with pytest.raises(SettingsError, match="curvature_wait"):
        load_settings(path)


def test_a_result_store_that_is_none_is_refused(tmp_path):
    (tmp_path / "x.zarr").mkdir()
    with pytest.raises(StoreError):
        api.open_result(tmp_path / "x.zarr")
