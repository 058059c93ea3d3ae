"""Opening reads headers only, says where each value came from, and one bad frame does not kill the series."""

import time

import numpy as np
import pytest
from sem_files import noisy_image, write_plain, write_thermo, write_zeiss

from napari_sem4d.acquisition import lazy_images
from napari_sem4d.acquisition.description import AcquisitionSettings
from napari_sem4d.acquisition.opening import collect_inputs, open_series
from napari_sem4d.errors import InputError, SettingsError


def settings(**values):
    return AcquisitionSettings.model_validate(values)


@pytest.fixture
def reads(monkeypatch):
    """Counts how often pixels are read."""
    count = []
    read = lazy_images.read_plane

    def counted(path, plane, rows=None):
        count.append(path)
        return read(path, plane, rows)

    monkeypatch.setattr(lazy_images, "read_plane", counted)
    return count


def test_the_vickers_set_opens_as_one_frame_of_three_segments_without_its_data_bar(shared_data):
    series = open_series(shared_data / "vickers")
    assert series.signal.shape == (1, 3, 1024, 1536)
    assert series.signal.dtype == np.float32
    assert series.pixel_nm == 65.1042
    assert series.instrument.beam.energy_kev == 7.0
    assert series.instrument.detector.working_distance_mm == pytest.approx(5.011, abs=0.001)
    assert series.instrument.detector.name == "ABS"
    assert series.instrument.beam.scan_rotation_deg == 0.0
    assert series.saturation == 65535
    assert series.missing() == ("material", "detector.segments")
    assert not series.faults
    frame = series.signal[0].values
    # The bar is 64512 over whole rows; the image's mean and noise go on to its last row.
    assert np.all(frame[:, -4:].std(axis=(1, 2)) > 1000)
    assert np.all(frame[:, -1].max(axis=1) - frame[:, -1].min(axis=1) > 5000)
    assert not np.any(np.all(frame == frame[:, :, :1], axis=2))


def test_a_thousand_frames_open_on_headers_only(tmp_path, reads):
    image = noisy_image(16, 16)
    for i in range(1000):
        for segment in "ABC":
            write_thermo(tmp_path / f"{i:04d}_{segment}.tif", image, bar_rows=4, segment=segment)
    start = time.perf_counter()
    series = open_series(tmp_path)
    seconds = time.perf_counter() - start
    assert series.signal.shape == (1000, 3, 16, 16)
    assert reads == []
    assert series.signal.chunks == ((1,) * 1000, (1,) * 3, (16,), (16,))
    assert series.signal[7, 2].values.shape == (16, 16)
    assert [path.name for path in reads] == ["0007_C.tif"]
    # About 1 ms a file; the margin is for slow disks.
    assert seconds < 60


def test_every_value_says_where_it_came_from(shared_data):
    series = open_series(shared_data / "vickers")
    assert series.origins["beam.energy_kev"] == (
        "Thermo tag Beam.HV of Indent_20230912_7kV_spot4.5_FOV100um_multiBSE_A_05.tif"
    )
    for key in ("pixel_nm", "beam.current_na", "beam.dwell_us", "detector.working_distance_mm", "segments"):
        assert series.origins[key]


def test_settings_go_before_the_description_and_that_before_the_files(tmp_path):
    for segment in "ABC":
        write_thermo(tmp_path / f"{segment}.tif", segment=segment)
    (tmp_path / "acquisition.yaml").write_text(
        "pixel_nm: 20\nmaterial: Cu\nbeam: {energy_kev: 9}\n", encoding="utf-8"
    )
    series = open_series(tmp_path, settings(pixel_nm=30.0))
    assert (series.pixel_nm, series.material, series.instrument.beam.energy_kev) == (30.0, "Cu", 9.0)
    assert series.instrument.beam.current_na == 0.5248
    assert series.origins["pixel_nm"] == "settings"
    assert series.origins["material"].endswith("acquisition.yaml")
    assert series.origins["beam.current_na"].startswith("Thermo tag EBeam.BeamCurrent")


def test_a_default_of_the_settings_does_not_hide_a_value_of_the_file(tmp_path):
    for segment in "ABC":
        write_thermo(tmp_path / f"{segment}.tif", segment=segment, Beam__ScanRotation="0.5235987756")
    series = open_series(tmp_path, settings(beam={"energy_kev": 7}))
    assert series.instrument.beam.scan_rotation_deg == pytest.approx(30.0)
    assert any("scan is rotated by 30.0 degrees" in text for text in series.warnings)
    stated = open_series(tmp_path, settings(beam={"scan_rotation_deg": 0}))
    assert stated.instrument.beam.scan_rotation_deg == 0.0
    assert not any("rotated" in text for text in stated.warnings)


def test_unknown_values_stay_unknown_and_are_asked_for(tmp_path):
    for segment in "ABC":
        write_plain(tmp_path / f"{segment}.tif", resolution=(300, 300), resolutionunit="INCH")
    series = open_series(tmp_path)
    assert series.missing() == ("pixel_nm", "beam.energy_kev", "material", "detector.segments")
    assert series.pixel_nm is None
    assert "pixel_nm" not in series.origins


def test_an_implausible_pixel_size_is_asked_for(tmp_path):
    for segment in "ABC":
        write_thermo(
            tmp_path / f"{segment}.tif", segment=segment, EScan__PixelWidth="0.5", EScan__PixelHeight="0.5"
        )
    series = open_series(tmp_path)
    assert series.pixel_nm is None
    assert any("pixel size in A.tif, 5e+08 nm, is implausible" in text for text in series.warnings)
    assert not any("implausible" in text for text in open_series(tmp_path, settings(pixel_nm=5.0)).warnings)


def test_oblong_pixels_are_not_taken_as_square(tmp_path):
    for segment in "ABC":
        write_thermo(tmp_path / f"{segment}.tif", segment=segment, EScan__PixelHeight="8e-008")
    series = open_series(tmp_path)
    assert series.pixel_nm is None
    assert any("pixels of A.tif are not square (65.1042 nm wide, 80 nm high)" in text for text in series.warnings)


def test_one_truncated_frame_is_flagged_and_the_series_goes_on(tmp_path):
    for i in range(5):
        for segment in "ABC":
            write_thermo(tmp_path / f"{i}_{segment}.tif", segment=segment)
    broken = tmp_path / "3_C.tif"
    broken.write_bytes(broken.read_bytes()[:900])
    series = open_series(tmp_path)
    assert list(series.faults) == [3]
    assert "3_C.tif" in series.faults[3]
    assert np.isnan(series.signal[3].values).all()
    assert np.isfinite(series.signal[4].values).all()


def test_a_file_that_vanishes_after_opening_reads_as_nan(tmp_path):
    for segment in "ABC":
        write_plain(tmp_path / f"{segment}.tif")
    series = open_series(tmp_path)
    (tmp_path / "B.tif").unlink()
    frame = series.signal[0].values
    assert np.isnan(frame[1]).all()
    assert np.isfinite(frame[[0, 2]]).all()


def test_different_shapes_name_both_shapes_and_files(tmp_path):
    write_plain(tmp_path / "A.tif", noisy_image(40, 48))
    write_plain(tmp_path / "B.tif", noisy_image(40, 48))
    write_plain(tmp_path / "C.tif", noisy_image(40, 50))
    with pytest.raises(InputError, match=r"shape of C\.tif is 40 x 50 pixels, that of A\.tif is 40 x 48 pixels"):
        open_series(tmp_path)


def test_one_odd_frame_among_many_is_a_fault(tmp_path):
    for i in range(10):
        for segment in "ABC":
            write_plain(tmp_path / f"{i}_{segment}.tif", noisy_image(40, 50 if i == 4 else 48))
    series = open_series(tmp_path)
    assert list(series.faults) == [4]
    assert "40 x 50 pixels" in series.faults[4]


def test_different_pixel_sizes_name_both(tmp_path):
    for segment, pixel in zip("ABC", ("6e-8", "6e-8", "3e-8"), strict=True):
        write_thermo(
            tmp_path / f"{segment}.tif", segment=segment, EScan__PixelWidth=pixel, EScan__PixelHeight=pixel
        )
    with pytest.raises(InputError, match=r"pixel size of C\.tif is 30 nm, that of A\.tif is 60 nm"):
        open_series(tmp_path)


def test_a_changed_energy_is_said(tmp_path):
    for segment, volts in zip("ABC", ("7000", "7000", "5000"), strict=True):
        write_thermo(tmp_path / f"{segment}.tif", segment=segment, Beam__HV=volts)
    series = open_series(tmp_path)
    assert any(
        "Beam energy is not the same in all images: 7 keV in A.tif, 5 keV in C.tif" in t for t in series.warnings
    )


def test_times_come_from_the_settings_the_clock_or_are_frame_numbers(tmp_path):
    for i, second in enumerate((10, 14, 21)):
        for segment in "ABC":
            write_thermo(tmp_path / f"{i}_{segment}.tif", segment=segment, User__Time=f"05:00:{second} PM")
    series = open_series(tmp_path)
    np.testing.assert_array_equal(series.signal["time"].values, [0, 4, 11])
    assert series.signal.attrs["time_unit"] == "s"
    stated = open_series(tmp_path, settings(time=[0, 1, 5]))
    np.testing.assert_array_equal(stated.signal["time"].values, [0, 1, 5])
    assert stated.origins["time"] == "settings"
    with pytest.raises(SettingsError, match="lists 2 times, but the series has 3 frames"):
        open_series(tmp_path, settings(time=[0, 1]))
    for path in tmp_path.glob("*.tif"):
        write_plain(path)
    plain = open_series(tmp_path)
    np.testing.assert_array_equal(plain.signal["time"].values, [0, 1, 2])
    assert plain.signal.attrs["time_unit"] == "frame"


def test_files_patterns_and_the_description_itself_open_the_same_series(tmp_path):
    folder = tmp_path / "Größe µm ä"
    for segment in "ABC":
        write_zeiss_or_plain(folder / f"s {segment}.tif")
    (folder / "acquisition.yaml").write_text("material: Wolfram\n", encoding="utf-8")
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    ways = (
        folder,
        str(folder),
        folder / "acquisition.yaml",
        str(folder / "*.tif"),
        sorted(folder.glob("*.tif")),
        [folder, folder / "s A.tif"],
    )
    for way in ways:
        series = open_series(way)
        assert series.signal.shape == (1, 3, 40, 48), way
        assert series.material == "Wolfram", way


def write_zeiss_or_plain(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_plain(path)


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(tmp_path):
    path = write_plain(tmp_path / "scan [1].tif")
    files, description = collect_inputs(str(path))
    assert files == [path]
    assert description is None


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere", "does not exist"), ("*.tif", "does not exist"), (".", "holds no TIFF image")],
)
def test_nothing_to_open_is_said(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        open_series(tmp_path / name)


def test_no_input_is_said():
    with pytest.raises(InputError, match="No input was given"):
        open_series([])


def test_two_descriptions_are_refused(tmp_path):
    for name in ("a", "b"):
        write_plain(tmp_path / name / "A.tif")
        (tmp_path / name / "acquisition.yaml").write_text("material: Cu\n", encoding="utf-8")
    with pytest.raises(InputError, match="Two descriptions were found"):
        open_series([tmp_path / "a", tmp_path / "b"])


def test_nothing_readable_says_why(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"")
    with pytest.raises(InputError, match=r"None of the images can be read\. The file .*a\.tif is empty"):
        open_series(tmp_path)


def test_image_rows_cut_off_a_data_bar_that_the_file_does_not_know(tmp_path):
    for segment in "ABC":
        write_zeiss(tmp_path / f"{segment}.tif", noisy_image(40, 48))
    assert open_series(tmp_path, settings(image_rows=30)).signal.shape == (1, 3, 30, 48)


def test_a_detector_named_in_the_settings_is_a_preset_at_the_file_s_working_distance(tmp_path):
    for segment in "ABC":
        write_thermo(tmp_path / f"{segment}.tif", segment=segment)
    series = open_series(tmp_path, settings(detector={"name": "annular-3-segment"}))
    assert series.instrument.segment_names == ("A", "B", "C")
    assert series.instrument.detector.working_distance_mm == 5.0
    low, high = series.instrument.detector.segments[0].polar_deg
    assert low == pytest.approx(np.degrees(np.arctan(2 / 4)), abs=0.01)
    assert high == pytest.approx(np.degrees(np.arctan(6 / 4)), abs=0.01)
    assert series.origins["detector.segments"] == "preset annular-3-segment"


def test_row_zero_is_the_top_of_the_image(tmp_path):
    image = noisy_image(40, 48)
    image[0, :5] = 7
    for segment in "ABC":
        write_plain(tmp_path / f"{segment}.tif", image)
    np.testing.assert_array_equal(open_series(tmp_path).signal[0, 1].values, image)
