"""The result store: what is written comes back, and nothing is lost or overwritten."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore

from napari_sem4d.errors import InputError, StoreError
from napari_sem4d.io.hashing import describe_inputs, hash_inputs, sha256_of
from napari_sem4d.io.layout import MAPS, TERMS, Quality, estimate_bytes
from napari_sem4d.io.store import FrameState, ResultStore, open_result

SHAPE = (6, 9)
SETTINGS = {"inversion": {"weight": 0.1}, "material": "Cu"}
ATTRS = {
    "scale_status": "relative",
    "datum": "mean height zero over the valid pixels",
    "settings": json.dumps(SETTINGS),
    "calibration": "",
    "software": "napari-sem4d test",
    "device": "cpu",
    "seeds": "{}",
    "inputs": json.dumps([{"name": "a.tif", "sha256": "0" * 64}]),
    "warnings": "[]",
}


def create(path: Path, frames: int = 3, **changes: object) -> ResultStore:
    arguments: dict = {"times": [4.0 * t for t in range(frames)], "shape": SHAPE, "pixel_nm": 12.5, "attrs": ATTRS}
    return ResultStore.create(path, **(arguments | changes))


def maps_of(frame: int) -> dict:
    rng = np.random.default_rng(frame)
    height = rng.normal(size=SHAPE).astype(np.float32)
    height[0, 0] = np.nan
    return {
        "height": height,
        "height_std": rng.random(SHAPE, dtype=np.float32),
        "relative_yield": 1 + rng.random(SHAPE, dtype=np.float32),
        "quality": rng.integers(0, 64, SHAPE).astype(np.uint16),
    }


def write(store: ResultStore, frame: int) -> None:
    store.write_frame(frame, **maps_of(frame), misfit=1.0 + frame, drift_nm=(0.5 * frame, -frame))


def test_the_terms_of_the_uncertainty_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    parts = {"height_std_noise": np.full(SHAPE, 3.0), "height_std_model": np.full(SHAPE, 4.0)}
    create(path).write_frame(1, **maps_of(1), misfit=2.0, terms=parts, misfit_explained=1.1)
    result = open_result(path)
    for name, values in parts.items():
        np.testing.assert_array_equal(result[name].values[1], values.astype(np.float32))
        assert result[name].attrs["units"] == "nm"
    assert result["misfit_explained"].values[1] == 1.1


def test_a_store_of_an_earlier_version_goes_on_without_the_terms(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    create(path)
    for name in ("height_std_noise", "height_std_model", "misfit_explained"):
        shutil.rmtree(path / name)
    store = ResultStore(path)
    store.write_frame(0, **maps_of(0), misfit=1.0, terms={"height_std_noise": np.ones(SHAPE)})
    result = open_result(path)
    assert "height_std_noise" not in result
    np.testing.assert_array_equal(result["height"].values[0], maps_of(0)["height"])


def test_a_frame_comes_back_as_it_was_written_and_the_others_stay_pending(tmp_path: Path) -> None:
    path = tmp_path / "Ergebnis mit Umläuten.zarr"
    write(create(path), 1)
    result = open_result(path)
    assert result["height"].dims == ("time", "y", "x")
    for name, values in maps_of(1).items():
        np.testing.assert_array_equal(result[name].values[1], values)
        assert result[name].dtype == MAPS[name][0]
    assert result["frame_state"].values.tolist() == [0, 1, 0]
    assert np.isnan(result["height"].values[[0, 2]]).all()
    assert result["misfit"].values[1] == 2.0
    assert (result["drift_x"].values[1], result["drift_y"].values[1]) == (0.5, -1.0)
    assert result["time"].values.tolist() == [0.0, 4.0, 8.0]
    np.testing.assert_allclose(np.diff(result["y"]), 12.5)
    units = {name: result[name].attrs["units"] for name in ("height", "drift_x", "x", "y", "time")}
    assert units == {"height": "nm", "drift_x": "nm", "x": "nm", "y": "nm", "time": "s"}
    assert result.attrs["scale_status"] == "relative" and result.attrs["pixel_nm"] == 12.5


def test_opening_reads_no_map(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    write(create(path), 0)
    for file in (path / "height" / "c").rglob("0"):
        if file.is_file():
            file.write_bytes(b"rubbish")
    result = open_result(path)
    np.testing.assert_array_equal(result["height_std"].values[0], maps_of(0)["height_std"])


def test_a_damaged_map_is_told_with_its_frame_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    store = create(path)
    write(store, 0)
    write(store, 2)
    chunk = path / "height" / "c" / "2" / "0" / "0"
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 0xFF
    chunk.write_bytes(data)
    result = open_result(path)
    with pytest.raises(StoreError, match=r"height of frame 2 .* is damaged .* --resume"):
        result["height"][2].values  # noqa: B018
    np.testing.assert_array_equal(result["height"][0].values, maps_of(0)["height"])


def test_a_lost_map_makes_its_frame_pending_again_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    store = create(path)
    for frame in range(3):
        write(store, frame)
    (path / "height_std" / "c" / "1" / "0" / "0").unlink()
    result = open_result(path)
    assert result["frame_state"].values.tolist() == [1, 0, 1]
    assert "frame 1 are missing" in json.loads(result.attrs["warnings"])[0]
    resumed = ResultStore.resume(path, match={"settings": ATTRS["settings"]})
    assert resumed.pending() == [1]
    write(resumed, 1)
    assert open_result(path)["frame_state"].values.tolist() == [1, 1, 1]


def test_maps_that_equal_the_fill_value_count_as_written(tmp_path: Path) -> None:
    store = create(tmp_path / "r.zarr", frames=1)
    blank = np.full(SHAPE, np.nan, np.float32)
    zero = np.zeros(SHAPE, np.uint16)
    store.write_frame(0, height=blank, height_std=blank, relative_yield=blank, quality=zero, misfit=np.nan)
    assert open_result(tmp_path / "r.zarr")["frame_state"].values.tolist() == [1]


def test_an_existing_result_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    write(create(path), 0)
    before = {f: f.read_bytes() for f in path.rglob("*") if f.is_file()}
    with pytest.raises(StoreError, match=r"already, and nothing is overwritten.*--resume"):
        create(path)
    assert {f: f.read_bytes() for f in path.rglob("*") if f.is_file()} == before
    (tmp_path / "file.zarr").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="nothing is overwritten"):
        create(tmp_path / "file.zarr")
    assert (tmp_path / "file.zarr").read_text(encoding="utf-8") == "mine"


def test_an_empty_folder_from_a_file_dialog_is_used(tmp_path: Path) -> None:
    (tmp_path / "r.zarr").mkdir()
    write(create(tmp_path / "r.zarr"), 0)
    assert [p.name for p in tmp_path.iterdir()] == ["r.zarr"]


def test_resume_gives_the_frames_that_are_left_and_keeps_failed_ones(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    store = create(path, frames=4)
    write(store, 0)
    store.mark_failed(2, "the file b.tif is cut off")
    again = ResultStore.resume(path, match={"settings": SETTINGS, "times": [0.0, 4.0, 8.0, 12.0], "shape": SHAPE})
    assert again.pending() == [1, 3]
    assert again.states()[2] == FrameState.FAILED
    assert json.loads(again.attrs["warnings"]) == ["Frame 2: the file b.tif is cut off"]


@pytest.mark.parametrize(
    ("match", "sentence"),
    [
        ({"settings": {**SETTINGS, "material": "Si"}}, "settings differ in material"),
        ({"inputs": [{"name": "a.tif", "sha256": "1" * 64}]}, "inputs differ"),
        ({"shape": (6, 10)}, "shape differ"),
        ({"pixel_nm": 10.0}, "pixel_nm was 12.5 and is 10.0"),
        ({"calibration": "{}"}, "calibration"),
    ],
)
def test_resume_refuses_another_run(tmp_path: Path, match: dict, sentence: str) -> None:
    create(tmp_path / "r.zarr")
    with pytest.raises(StoreError, match=sentence) as caught:
        ResultStore.resume(tmp_path / "r.zarr", match=match)
    assert "choose another --out" in str(caught.value)


def test_resume_without_a_result_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="leave --resume away"):
        ResultStore.resume(tmp_path / "none.zarr", match={})


def _break_nothing_there(path: Path) -> None:
    pass


def _break_file(path: Path) -> None:
    path.write_bytes(b"II*\0")


def _break_plain_folder(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("hello", encoding="utf-8")


def _break_other_zarr(path: Path) -> None:
    zarr.create_group(path)


def _break_header(path: Path) -> None:
    create(path)
    header = path / "zarr.json"
    header.write_bytes(header.read_bytes()[:40])


def _break_array_header(path: Path) -> None:
    create(path)
    (path / "quality" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "array"}', encoding="utf-8")


def _break_array(path: Path) -> None:
    create(path)
    (path / "misfit" / "zarr.json").unlink()


def _break_version(path: Path) -> None:
    create(path).set_attrs(format_version=99)


@pytest.mark.filterwarnings("ignore:Object at data_type is not recognized")
@pytest.mark.parametrize(
    ("breaking", "sentence"),
    [
        (_break_nothing_there, "there is no result at"),
        (_break_file, "is a file; a result is a folder"),
        (_break_plain_folder, "is not a result of napari-sem4d"),
        (_break_other_zarr, "is not a result of napari-sem4d"),
        (_break_header, "is damaged and cannot be read"),
        (_break_array_header, "is damaged and cannot be opened"),
        (_break_array, "is damaged: misfit is missing"),
        (_break_version, "bring napari-sem4d up to date"),
    ],
)
def test_what_is_not_a_whole_result_is_told_in_a_sentence(tmp_path: Path, breaking: object, sentence: str) -> None:
    path = tmp_path / "r.zarr"
    breaking(path)  # type: ignore[operator]
    with pytest.raises(StoreError, match=sentence) as caught:
        open_result(path)
    assert str(path) in str(caught.value)


def test_no_space_left_keeps_the_finished_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.zarr"
    store = create(path)
    write(store, 0)
    real = LocalStore.set

    async def full(self: LocalStore, key: str, value: object) -> None:
        if key.startswith("c/1") and "quality" in str(self.root):
            raise OSError(errno.ENOSPC, "No space left on device")
        await real(self, key, value)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", full)
        with pytest.raises(StoreError, match=r"no space left to write frame 1 .* are kept, and --resume"):
            write(store, 1)
    result = open_result(path)
    assert result["frame_state"].values.tolist() == [1, 0, 0]
    np.testing.assert_array_equal(result["height"].values[0], maps_of(0)["height"])
    assert ResultStore.resume(path, match={}).pending() == [1, 2]


def test_a_result_larger_than_the_disk_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"takes up to [\d.e+]+ TB and .* left; free some space, ask for fewer"):
        create(tmp_path / "r.zarr", frames=2, shape=(100_000, 100_000), draws=10_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="folders of Windows have no such permission bits")
def test_a_read_only_folder_is_told_and_nothing_is_left_behind() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:  # permissions do not bind root
            os.seteuid(65534)
        try:
            with pytest.raises(StoreError, match=r"read-only for you.*Choose another folder"):
                create(folder / "r.zarr")
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)
        assert list(folder.iterdir()) == []


def test_draws_are_kept_only_on_request_and_their_size_is_known_before(tmp_path: Path) -> None:
    assert "draws" not in open_result(create(tmp_path / "a.zarr").path)
    store = create(tmp_path / "b.zarr", draws=2)
    draw = np.arange(54, dtype=np.float32).reshape(SHAPE)
    store.write_draw(1, 1, draw)
    result = open_result(store.path)
    assert result["draws"].dims == ("time", "draw", "y", "x")
    np.testing.assert_array_equal(result["draws"].values[1, 1], draw)
    assert np.isnan(result["draws"].values[1, 0]).all()
    large = (512, 512)
    assert estimate_bytes(60, large, 32) - estimate_bytes(60, large, 0) == pytest.approx(
        60 * 32 * 4 * 512**2, rel=1e-3
    )


def test_the_estimate_bounds_the_size_of_a_store_of_noise(tmp_path: Path) -> None:
    shape, rng = (128, 160), np.random.default_rng(0)
    store = create(tmp_path / "r.zarr", frames=2, shape=shape)
    for frame in range(2):
        noise = {name: rng.normal(size=shape).astype(np.float32) for name in MAPS if name != "quality"}
        terms = {name: rng.normal(size=shape).astype(np.float32) for name in TERMS}
        store.write_frame(frame, **noise, quality=rng.integers(0, 65536, shape), misfit=1.0, terms=terms)
    size = sum(f.stat().st_size for f in store.path.rglob("*") if f.is_file())
    assert 0.8 * estimate_bytes(2, shape) < size <= estimate_bytes(2, shape)


def test_wrong_calls_are_the_programs_fault_not_the_users(tmp_path: Path) -> None:
    incomplete = {k: v for k, v in ATTRS.items() if k != "datum"}
    with pytest.raises(ValueError, match="datum"):
        create(tmp_path / "r.zarr", attrs=incomplete)
    store = create(tmp_path / "r.zarr")
    with pytest.raises(ValueError, match="shape"):
        store.write_frame(0, **{**maps_of(0), "height": np.zeros((2, 2))}, misfit=1.0)
    with pytest.raises(ValueError, match="frame 3 of 3"):
        write(store, 3)


def test_quality_flags_combine() -> None:
    assert Quality.SATURATED | Quality.BAD_PIXEL == 33
    assert [int(flag) for flag in Quality] == [1, 2, 4, 8, 16, 32]


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import numpy as np
    from napari_sem4d.io.store import ResultStore
    store = ResultStore.resume(Path(sys.argv[1]), match={})
    ones = np.ones(store.shape, np.float32)
    print("go", flush=True)
    for frame in store.pending():
        store.write_frame(frame, height=frame * ones, height_std=ones, relative_yield=ones,
                          quality=ones.astype(int), misfit=1.0)
    """
)


def test_a_killed_run_keeps_every_finished_frame_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    shape = (64, 64)
    create(path, frames=500, shape=shape)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None and writer.stdout.readline() == "go\n"
        deadline = time.monotonic() + 60
        while not (path / "frame_state" / "c" / "20").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        writer.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        writer.wait()
        writer.stdout.close()
    result = open_result(path)
    done = np.flatnonzero(result["frame_state"].values == FrameState.DONE)
    assert 20 < done.size < 500
    assert "missing" not in result.attrs["warnings"]
    heights = result["height"][done].values
    np.testing.assert_array_equal(heights, np.broadcast_to(done[:, None, None], heights.shape))
    assert ResultStore.resume(path, match={}).pending()[0] == done.size


def test_hash_of_inputs_is_sha256_and_names_hold_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "bild ä.tif"
    file.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(file) == known
    assert describe_inputs([file, file]) == [{"name": "bild ä.tif", "sha256": known}]
    with pytest.raises(InputError, match="cannot be read"):
        sha256_of(tmp_path / "none.tif")


def test_inputs_are_kept_as_json_text(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"abc")
    assert json.loads(hash_inputs([tmp_path / "a.tif"])) == describe_inputs([tmp_path / "a.tif"])
