"""Files are sorted into frames and segments as their makers meant it, and doubts are said aloud."""

import numpy as np
import pytest
import tifffile
from sem_files import noisy_image, thermo_text, write_plain, write_thermo

from napari_sem4d.acquisition.description import AcquisitionSettings
from napari_sem4d.acquisition.opening import open_series
from napari_sem4d.errors import InputError, SettingsError


def layout(series):
    """File names by frame, for comparison."""
    return [[page.path.name for page in frame] for frame in series.sources]


def settings(**values):
    return AcquisitionSettings.model_validate(values)


def detector(*names):
    segments = [
        {"name": n, "polar_deg": [15, 45], "azimuth_deg": [i * 90, i * 90 + 90]} for i, n in enumerate(names)
    ]
    return {"segments": segments}


@pytest.mark.parametrize(
    ("names", "segments", "frames"),
    [
        (["0000_A", "0000_B", "0000_C", "0001_A", "0001_B", "0001_C"], "A B C", 2),
        (["img001A", "img001B", "img001C", "img001D", "img002A", "img002B", "img002C", "img002D"], "A B C D", 2),
        (["Q1_t9", "Q2_t9", "Q3_t9", "Q4_t9", "Q1_t10", "Q2_t10", "Q3_t10", "Q4_t10"], "Q1 Q2 Q3 Q4", 2),
        (["scan_t001_bse1", "scan_t001_bse2", "scan_t001_bse3"], "bse1 bse2 bse3", 1),
        (["A001", "B001", "C001", "A002", "B002", "C002"], "A B C", 2),
        (["7kV_spot4.5_A_05", "7kV_spot4.5_B_05", "7kV_spot4.5_C_05"], "A B C", 1),
        (["left", "right", "top", "bottom"], "bottom left right top", 1),
        (["f1_1", "f1_2", "f1_3", "f1_4", "f2_1", "f2_2", "f2_3", "f2_4"], "1 2 3 4", 2),
        (["a 1", "b 1", "c 1"], "a b c", 1),
    ],
)
def test_usual_names_are_understood(tmp_path, names, segments, frames):
    folder = tmp_path / "Ätzung größer µ (2)"
    for name in names:
        write_plain(folder / f"{name}.tif")
    series = open_series(folder)
    assert series.segment_names == tuple(segments.split())
    assert series.frames == frames
    assert not series.faults
    assert f"{frames} frame(s) of {len(segments.split())} segment(s)" in series.origins["segments"]


def test_frames_are_in_natural_order(tmp_path):
    for time in (1, 2, 10, 9):
        for segment in "ABC":
            write_plain(tmp_path / f"t{time}_{segment}.tif")
    assert [frame[0] for frame in layout(open_series(tmp_path))] == [
        "t1_A.tif",
        "t2_A.tif",
        "t9_A.tif",
        "t10_A.tif",
    ]


def test_folders_by_segment_and_by_time_are_understood(tmp_path):
    for time in range(3):
        for segment in "ABC":
            write_plain(tmp_path / "by segment" / segment / f"img_{time}.tif")
            write_plain(tmp_path / "by time" / f"t{time}" / f"{segment}.tif")
    for name in ("by segment", "by time"):
        series = open_series(tmp_path / name)
        assert (series.frames, series.segment_names) == (3, ("A", "B", "C"))


def test_metadata_go_before_names(tmp_path):
    # The names only count up; the headers know the segments, the clock knows the frames.
    for i, segment in enumerate("CABBCA"):
        second = {"User__Time": f"05:00:{10 + i // 3} PM"}
        write_thermo(tmp_path / f"image_{i}.tif", segment=segment, **second)
    series = open_series(tmp_path)
    assert series.segment_names == ("A", "B", "C")
    assert layout(series) == [
        ["image_1.tif", "image_2.tif", "image_0.tif"],
        ["image_5.tif", "image_3.tif", "image_4.tif"],
    ]
    assert (
        "segments from Thermo tag Detectors.Mode, frames from the time of acquisition"
        in series.origins["segments"]
    )


def test_real_vickers_segments_come_from_the_metadata(shared_data):
    series = open_series(shared_data / "vickers")
    assert series.segment_names == ("A", "B", "C")
    assert "segments from Thermo tag Detectors.Mode" in series.origins["segments"]


def test_images_beside_the_segments_are_left_out_and_named(tmp_path):
    for segment in "ABC":
        write_thermo(tmp_path / f"s_{segment}.tif", segment=segment)
    write_thermo(tmp_path / "s_SE.tif", segment="SE", detector="ETD")
    write_thermo(tmp_path / "s_sum.tif", segment="A+B")
    series = open_series(tmp_path)
    assert series.segment_names == ("A", "B", "C")
    assert any("no segment of the detector ABS: s_SE.tif, s_sum.tif" in text for text in series.warnings)


def test_a_missing_segment_is_a_fault_of_its_frame_only(tmp_path):
    for time in range(4):
        for segment in "ABC":
            write_plain(tmp_path / f"{time}_{segment}.tif", noisy_image(seed=time))
    (tmp_path / "2_B.tif").unlink()
    series = open_series(tmp_path)
    assert series.frames == 4
    assert list(series.faults) == [2]
    assert series.faults[2].startswith("Frame 2 misses segment B (it has only 2_A.tif, 2_C.tif)")
    assert np.isnan(series.signal[2].values).all()
    assert np.isfinite(series.signal[3].values).all()
    assert layout(series)[2] == ["2_A.tif", "2_C.tif"]


def test_a_stray_segment_is_doubted(tmp_path):
    for time in range(4):
        for segment in "ABC":
            write_plain(tmp_path / f"{time}_{segment}.tif")
    write_plain(tmp_path / "3_D.tif")
    with pytest.raises(
        InputError, match=r"in doubt whether 'D' is a segment: only 1 of 4 frames have it \(3_D\.tif\)"
    ):
        open_series(tmp_path)


def test_numbers_alone_are_doubted(tmp_path):
    for i in range(4):
        write_plain(tmp_path / f"img_{i}.tif")
    with pytest.raises(InputError, match=r"in doubt whether img_0\.tif, .* are 4 frames or 4 segments"):
        open_series(tmp_path)
    series = open_series(tmp_path, settings(detector=detector("N", "E", "S", "W")))
    assert (series.frames, len(series.segment_names)) == (1, 4)


def test_two_candidates_for_the_segment_are_doubted(tmp_path):
    for a in "AB":
        for q in ("Q1", "Q2", "Q3"):
            write_plain(tmp_path / f"{a}_{q}.tif")
    with pytest.raises(
        InputError, match=r"in doubt which part of the names is the segment \(a, b or q1, q2, q3\)"
    ):
        open_series(tmp_path)
    series = open_series(
        tmp_path,
        settings(files="A_{segment}.tif", detector=detector("Q1", "Q2", "Q3")),
    )
    assert series.segment_names == ("Q1", "Q2", "Q3")


def test_names_that_cannot_be_compared_are_doubted(tmp_path):
    for name in ("one.tif", "another image.tif", "x_1_2_3.tif"):
        write_plain(tmp_path / name)
    with pytest.raises(InputError, match=r"do not tell which is which frame and segment.*files: "):
        open_series(tmp_path)


def test_two_images_for_the_same_place_are_named(tmp_path):
    for name in ("1_A_x.tif", "1_A_y.tif", "1_B_x.tif"):
        write_plain(tmp_path / name)
    with pytest.raises(InputError, match=r"claim the same frame and segment A: 1_A_x\.tif and 1_A_y\.tif"):
        open_series(tmp_path, settings(files="{time}_{segment}_*.tif"))


def test_a_pattern_decides(tmp_path):
    for i in range(6):
        write_plain(tmp_path / f"{i // 3:04d}_{'xyz'[i % 3]}.tif")
    write_plain(tmp_path / "truth.tif")
    (tmp_path / "acquisition.yaml").write_text('files: "{time:04d}_{segment}.tif"\n', encoding="utf-8")
    series = open_series(tmp_path)
    assert series.segment_names == ("x", "y", "z")
    assert series.frames == 2
    assert any("does not match: truth.tif" in text for text in series.warnings)


def test_a_pattern_that_fits_nothing_names_a_file(tmp_path):
    write_plain(tmp_path / "abc.tif")
    with pytest.raises(
        InputError, match=r"No file matches the pattern files: 'x\{time\}\.tif'; the first .* abc\.tif"
    ):
        open_series(tmp_path, settings(files="x{time}.tif"))


@pytest.mark.parametrize("pattern", ["{frame}_{segment}.tif", "{time}_{time}.tif", "*.tif"])
def test_a_pattern_that_makes_no_sense_is_refused(tmp_path, pattern):
    write_plain(tmp_path / "abc.tif")
    with pytest.raises(SettingsError, match=r"The pattern files: '.*' holds"):
        open_series(tmp_path, settings(files=pattern))


def test_pages_of_three_are_taken_as_segments_with_a_warning(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.stack([noisy_image(seed=i) for i in range(3)]),
        photometric="minisblack",
        metadata=None,
    )
    series = open_series(tmp_path / "a.tif")
    assert (series.frames, series.segment_names) == (1, ("1", "2", "3"))
    assert any("does not say what its 3 pages are" in text for text in series.warnings)
    np.testing.assert_array_equal(series.signal[0, 1].values, noisy_image(seed=1))


def test_pages_are_split_by_the_number_of_segments(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.stack([noisy_image(seed=i) for i in range(8)]),
        photometric="minisblack",
        metadata=None,
    )
    series = open_series(tmp_path / "a.tif", settings(detector=detector("N", "E", "S", "W")))
    assert (series.frames, series.segment_names) == (2, ("N", "E", "S", "W"))
    np.testing.assert_array_equal(series.signal[1, 2].values, noisy_image(seed=6))


def test_many_pages_without_a_word_are_doubted(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((7, 40, 48), np.uint16), photometric="minisblack", metadata=None)
    with pytest.raises(InputError, match=r"a\.tif holds 7 pages and does not say which are frames"):
        open_series(tmp_path / "a.tif")


def test_named_axes_of_a_stack_are_used(tmp_path):
    stack = np.arange(2 * 3 * 20 * 24, dtype=np.uint16).reshape(2, 3, 20, 24)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "TCYX", "finterval": 2.5})
    series = open_series(tmp_path / "a.tif")
    np.testing.assert_array_equal(series.signal.values, stack)
    np.testing.assert_array_equal(series.signal["time"].values, [0.0, 2.5])


def test_one_stack_of_frames_for_each_segment(tmp_path):
    for k, name in enumerate("ABC"):
        tifffile.imwrite(
            tmp_path / f"{name}.tif", np.full((5, 20, 24), k, np.uint16), photometric="minisblack", metadata=None
        )
    series = open_series(tmp_path)
    assert series.signal.shape == (5, 3, 20, 24)
    np.testing.assert_array_equal(series.signal[4, :, 0, 0].values, [0, 1, 2])


def test_one_stack_of_segments_for_each_frame(tmp_path):
    for i in range(6):
        tifffile.imwrite(
            tmp_path / f"t{i}.tif", np.full((4, 20, 24), i, np.uint16), photometric="minisblack", metadata=None
        )
    series = open_series(tmp_path)
    assert series.signal.shape == (6, 4, 20, 24)
    np.testing.assert_array_equal(series.signal[:, 3, 0, 0].values, range(6))


def test_unreadable_file_finds_its_place_by_its_name(tmp_path):
    for time in range(3):
        for segment in "ABC":
            write_thermo(tmp_path / f"{time}_{segment}.tif", segment=segment)
    (tmp_path / "1_B.tif").write_bytes(b"")
    series = open_series(tmp_path)
    assert series.frames == 3
    assert list(series.faults) == [1]
    assert "1_B.tif is empty (0 bytes)" in series.faults[1]


def test_segments_follow_the_order_of_the_detector(tmp_path):
    for name in "ABC":
        write_plain(tmp_path / f"{name}.tif")
    series = open_series(tmp_path, settings(detector=detector("C", "A", "B")))
    assert series.segment_names == ("C", "A", "B") == series.instrument.segment_names


def test_thermo_text_is_what_the_helper_says():
    assert "[Detectors]\r\nNumber=1\r\nName=ABS\r\nMode=C" in thermo_text("C")
