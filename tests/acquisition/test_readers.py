"""Headers of vendors' files: values, units, and the known traps."""

from datetime import datetime

import numpy as np
import pytest
import tifffile
from sem_files import noisy_image, write_plain, write_thermo, write_zeiss

from napari_sem4d.acquisition.readers import read_headers
from napari_sem4d.acquisition.readers.tiff_planes import read_plane
from napari_sem4d.errors import InputError


def header_of(path):
    headers = read_headers(path)
    assert len(headers) == 1
    return headers[0]


def test_real_thermo_segment_is_read_in_the_right_units(shared_data):
    header = header_of(next((shared_data / "vickers").glob("*_B_05.tif")))
    assert header.vendor == "Thermo"
    assert (header.shape, header.image_rows, header.bar_known) == ((1103, 1536), 1024, True)
    assert header.pixel_nm == 65.1042
    assert header.energy_kev == 7.0
    assert header.working_distance_mm == 5.01145
    assert header.current_na == 0.5248
    assert header.dwell_us == 20.0
    assert header.scan_rotation_deg == 0.0
    assert abs(header.tilt_deg) < 0.001
    assert (header.detector, header.segment, header.specimen_signal) == ("ABS", "B", "BSE")
    assert header.acquired == datetime(2023, 9, 12, 17, 0, 10)
    assert header.origins["pixel_nm"].startswith("Thermo tag EScan.PixelWidth of Indent")


def test_real_thermo_se_image_knows_its_pixel_and_gamma(shared_data):
    header = header_of(shared_data / "vendors" / "FEI-Helios-Ebeam-16bits.tif")
    assert (header.pixel_nm, header.energy_kev, header.dwell_us) == (3372.4, 5.0, 10.0)
    assert (header.detector, header.segment, header.specimen_signal) == ("ETD", None, "SE")
    assert header.gamma == 1.6
    assert header.image_rows == 442


def test_navigation_camera_with_bad_floats_gives_a_sentence_and_no_wrong_value(shared_data):
    header = header_of(shared_data / "vendors" / "FEI-Helios-navcam-with-no-IRBeam-bad-floats.tif")
    assert header.pixel_nm is None
    assert header.working_distance_mm is None
    # EBeamDeceleration.LandingEnergy says 5000, but the deceleration is off and there is no electron beam.
    assert header.energy_kev is None
    assert header.image_rows == 512
    assert "navigation camera (Nav-Cam)" in header.notes[0]


def test_landing_energy_counts_when_the_beam_is_decelerated(tmp_path):
    slowed = {"EBeamDeceleration__ModeOn": "On", "EBeamDeceleration__LandingEnergy": "2000"}
    assert header_of(write_thermo(tmp_path / "a.tif", **slowed)).energy_kev == 2.0


@pytest.mark.parametrize("mode", ["A-B", "A+B", "All", "COMPO", "Topo"])
def test_thermo_sums_and_differences_are_not_segments(tmp_path, mode):
    header = header_of(write_thermo(tmp_path / "a.tif", segment=mode))
    assert header.segment is None
    assert header.combination == mode


def test_thermo_angles_are_turned_from_radians(tmp_path):
    turned = {"Stage__StageT": "0.5235987756", "Beam__ScanRotation": "-1.570796327"}
    header = header_of(write_thermo(tmp_path / "a.tif", **turned))
    assert header.tilt_deg == pytest.approx(30.0, abs=1e-6)
    assert header.scan_rotation_deg == pytest.approx(-90.0, abs=1e-6)


def test_real_zeiss_pixel_size_is_that_of_the_image(shared_data):
    large = header_of(shared_data / "vendors" / "test_tiff_Zeiss_SEM_1k.tif")
    assert large.pixel_nm == 2614.514
    assert (large.energy_kev, large.working_distance_mm, large.current_na) == (25.0, 14.808, 1.0)
    assert (large.detector, large.specimen_signal) == ("HE-SE2", "SE")
    # ap_tilt_angle says 70 degrees (a compensation), ap_scanrotation 145.6 while the rotation is switched off.
    assert (large.tilt_deg, large.scan_rotation_deg) == (0.0, 0.0)
    assert large.acquired == datetime(2015, 12, 23, 9, 40, 32)
    small = header_of(shared_data / "vendors" / "test_tiff_Zeiss_SEM_512pix.tif")
    assert small.pixel_nm == pytest.approx(11.649976, rel=1e-9)
    assert (small.energy_kev, small.working_distance_mm, small.detector) == (5.0, 3.9, "InLens")


def test_zeiss_pixel_size_comes_from_the_image_field(tmp_path):
    header = header_of(write_zeiss(tmp_path / "a.tif"))
    assert header.pixel_nm == 10.0
    assert "ap_image_pixel_size" in header.origins["pixel_nm"]


def quadrants(*states):
    return {f"DP_4QBSD_Q{i}": f"Q{i} = {state}" for i, state in enumerate(states, start=1)}


def test_zeiss_backscatter_image_with_one_quadrant_on_is_that_segment(tmp_path):
    header = header_of(write_zeiss(tmp_path / "a.tif", **quadrants("Off", "Off", "Normal", "Off")))
    assert header.segment == "Q3"


def test_zeiss_sum_and_difference_are_told_from_the_quadrants(tmp_path):
    total = header_of(write_zeiss(tmp_path / "a.tif", **quadrants(*["Normal"] * 4)))
    assert (total.segment, total.combination) == (None, "COMPO: Q1+Q2+Q3+Q4")
    difference = header_of(
        write_zeiss(tmp_path / "b.tif", **quadrants("Normal", "Normal", "Inverted", "Inverted"))
    )
    assert (difference.segment, difference.combination) == (None, "TOPO: Q1+Q2-Q3-Q4")


def test_zeiss_annotation_colours_are_no_signal(tmp_path):
    grey = np.arange(256, dtype=np.uint16) * 257
    table = np.stack([grey, grey, grey])
    table[:, 9] = (65535, 0, 0)
    image = np.full((40, 48), 100, dtype=np.uint8)
    image[3, 5] = 9
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="palette", colormap=table)
    pixels = read_plane(tmp_path / "a.tif", 0)
    assert np.isnan(pixels[3, 5])
    assert np.isnan(pixels).sum() == 1
    assert pixels[0, 0] == 100


def test_imagej_resolution_is_a_pixel_size(tmp_path):
    path = tmp_path / "a.tif"
    meta = {"unit": "um", "axes": "TYX", "finterval": 4.0}
    tifffile.imwrite(path, np.zeros((3, 8, 9), np.uint16), imagej=True, resolution=(80.0, 80.0), metadata=meta)
    headers = read_headers(path)
    assert [h.time_index for h in headers] == [0, 1, 2]
    assert headers[0].pixel_nm == pytest.approx(12.5)
    assert headers[0].frame_interval_s == 4.0
    assert "ImageJ" in headers[0].origins["pixel_nm"]


def test_ome_physical_size_is_a_pixel_size(tmp_path):
    path = tmp_path / "a.ome.tif"
    meta = {"axes": "TCYX", "PhysicalSizeX": 12.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 12.5,
            "PhysicalSizeYUnit": "nm"}  # fmt: skip
    tifffile.imwrite(path, np.zeros((2, 3, 8, 9), np.uint16), ome=True, metadata=meta)
    headers = read_headers(path)
    assert headers[0].pixel_nm == 12.5
    assert [(h.time_index, h.segment_index) for h in headers] == [(t, c) for t in range(2) for c in range(3)]


def test_dots_per_inch_are_not_a_pixel_size(tmp_path):
    header = header_of(write_plain(tmp_path / "a.tif", resolution=(300, 300), resolutionunit="INCH"))
    assert header.pixel_nm is None


@pytest.mark.parametrize("compression", ["lzw", "zlib", "packbits", "zstd"])
def test_compressed_tiff_is_read(tmp_path, compression):
    image = noisy_image()
    path = write_plain(tmp_path / "a.tif", image, compression=compression)
    assert not header_of(path).lossy
    np.testing.assert_array_equal(read_plane(path, 0), image)


def test_planes_of_a_stack_with_a_single_directory_are_found(tmp_path):
    stack = np.arange(4 * 20 * 24, dtype=">u2").reshape(4, 20, 24)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "TYX"}, truncate=True)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert len(tiff.pages) == 1
    assert len(read_headers(tmp_path / "a.tif")) == 4
    np.testing.assert_array_equal(read_plane(tmp_path / "a.tif", 2), stack[2])


def test_truncated_file_is_found_out_from_its_header(tmp_path):
    path = write_thermo(tmp_path / "a.tif")
    whole = path.read_bytes()
    tail = tmp_path / "b.tif"
    # Directory first, pixels last: the header alone is whole.
    write_plain(tail, noisy_image(64, 64))
    tail.write_bytes(tail.read_bytes()[:-500])
    with pytest.raises(
        InputError, match=r"b\.tif is cut short: it has \d+ bytes, its pixels end at byte \d+; copy"
    ):
        read_headers(tail)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.tif (cannot be read|is cut short)"):
        read_headers(path)


def test_empty_file_is_named(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.tif is empty \(0 bytes\); copy it again"):
        read_headers(tmp_path / "a.tif")


def test_jpeg_called_tif_is_told_from_its_content(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(100))
    with pytest.raises(
        InputError, match=r"called \.tif but holds JPEG data\. JPEG compression .* uncompressed TIFF"
    ):
        read_headers(tmp_path / "a.tif")


def test_text_called_tif_is_refused(tmp_path):
    (tmp_path / "a.tif").write_text("no image", encoding="utf-8")
    with pytest.raises(InputError, match=r"called \.tif but its first bytes are not those of a TIFF"):
        read_headers(tmp_path / "a.tif")


def test_png_says_what_to_do(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(InputError, match=r"is a PNG file, which is not read; export the segments as TIFF"):
        read_headers(tmp_path / "a.png")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.tif does not exist"):
        read_headers(tmp_path / "gone.tif")
