"""Each kind of bad image gives a sentence that says what is wrong, where, and what to do."""

import numpy as np
import pytest
import tifffile
from sem_files import noisy_image, write_plain, write_thermo, write_zeiss

from napari_sem4d.acquisition.checks import (
    check_frame,
    check_series,
    data_bar_row,
    memory_estimate_bytes,
    require_segments,
    saturation_level,
)
from napari_sem4d.acquisition.opening import open_series
from napari_sem4d.acquisition.readers.tiff_planes import read_plane
from napari_sem4d.errors import InputError


def frame(segments=3, rows=128, columns=160, level=30000.0):
    return np.stack([noisy_image(rows, columns, seed=k, level=level) for k in range(segments)]).astype(np.float32)


def says(texts, *parts):
    assert any(all(part in text for part in parts) for text in texts), texts


def test_good_images_give_no_warning(shared_data):
    series = open_series(shared_data / "vickers")
    assert series.warnings == ()
    assert check_series(series) == ()
    assert check_frame(frame(), "ABC", 65535.0) == []


def test_saturation_is_told_with_share_and_level():
    images = frame()
    images[1, :20] = 65535
    says(
        check_frame(images, "ABC", 65535.0),
        "Segment B is saturated: 15.6 % of its pixels stand at its highest level",
    )


def test_saturation_below_full_scale_shows_as_a_pile_up():
    image = np.minimum(frame(1)[0], 31500)
    assert saturation_level(image, 65535.0) == 31500
    assert saturation_level(frame(1)[0], 65535.0) is None
    says(check_frame(image[None], "A", 65535.0), "Segment A is saturated", "highest level 31500")


def test_clipped_blacks_are_told():
    image = np.maximum(frame(1)[0], 29000)
    says(check_frame(image[None], "A", 65535.0), "Segment A is saturated", "lowest level 29000", "masked")


def test_a_constant_image_is_told():
    images = frame()
    images[2] = 512
    says(check_frame(images, "ABC"), "Segment C is constant (all pixels 512)", "the detector was off")


def test_nan_pixels_are_counted():
    images = frame()
    images[0, :, :40] = np.nan
    says(check_frame(images, "ABC"), "Segment A has 25.0 % pixels without a value (NaN)")
    images[0] = np.nan
    says(check_frame(images, "ABC"), "Segment A holds no valid pixel")


def test_a_data_bar_left_in_is_found_with_its_row():
    images = frame(rows=160, columns=200)
    images[:, 140:] = 1024
    images[:, 140] = 64512
    for column in range(20, 120, 7):
        images[:, 146:154, column : column + 3] = 64512
    says(check_frame(images, "ABC"), "Segment A has a data bar (text) in the rows from 140 on", "image_rows: 140")


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("test_tiff_Zeiss_SEM_1k.tif", 691),
        ("test_tiff_Zeiss_SEM_512pix.tif", 350),
        ("tescan_example_sem1.tif", 768),
    ],
)
def test_real_data_bars_are_found_to_the_row(shared_data, name, row):
    assert abs(data_bar_row(read_plane(shared_data / "vendors" / name, 0)) - row) <= 1


def test_real_thermo_bar_is_cut_by_metadata_and_found_without_them(shared_data):
    path = next((shared_data / "vickers").glob("*_A_05.tif"))
    assert data_bar_row(read_plane(path, 0)) == pytest.approx(1024, abs=1)
    assert data_bar_row(read_plane(path, 0, 1024)) is None


def test_a_dark_or_flat_lower_edge_is_no_data_bar():
    image = frame(1)[0]
    image[100:] = 0
    assert data_bar_row(image) is None


def test_eight_bit_images_are_told(tmp_path):
    for segment in "ABC":
        write_plain(tmp_path / f"{segment}.tif", (noisy_image() >> 8).astype(np.uint8))
    series = open_series(tmp_path)
    says(series.warnings, "The images are 8-bit (A.tif)", "Save 16-bit images")
    assert series.saturation == 255


def test_rgb_images_are_told_and_their_annotation_left_out(tmp_path):
    grey = (noisy_image() >> 8).astype(np.uint8)
    colour = np.stack([grey] * 3, axis=-1)
    colour[5:9, 5:9] = (255, 0, 0)
    for segment in "ABC":
        write_plain(tmp_path / f"{segment}.tif", colour, photometric="rgb")
    series = open_series(tmp_path)
    says(series.warnings, "A.tif is a colour (RGB) image", "drawn annotation")
    pixels = series.signal[0, 0].values
    assert np.isnan(pixels[5:9, 5:9]).all()
    assert np.isnan(pixels).sum() == 16
    np.testing.assert_array_equal(pixels[20:], grey[20:])


def test_jpeg_inside_tiff_is_told(tmp_path):
    for segment in "ABC":
        image = (noisy_image(64, 64) >> 8).astype(np.uint8)
        tifffile.imwrite(tmp_path / f"{segment}.tif", image, metadata=None, compression="jpeg")
    says(open_series(tmp_path).warnings, "A.tif was compressed with loss (JPEG inside TIFF)")


def test_a_jpeg_file_says_why_not(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(50))
    with pytest.raises(
        InputError, match=r"a\.jpg is a JPEG file\. JPEG compression changes grey values block by block"
    ):
        open_series(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="JPEG compression"):
        open_series(tmp_path)


def test_a_gamma_other_than_one_is_told(tmp_path):
    for segment in "ABC":
        write_thermo(tmp_path / f"{segment}.tif", segment=segment, Image__DigitalGamma="1.4")
    says(open_series(tmp_path).warnings, "A.tif was saved with gamma 1.4", "Record with gamma 1")


def test_contrast_changed_during_the_series_is_told(tmp_path):
    for i, contrast in enumerate(("80", "80", "83")):
        for segment in "ABC":
            write_thermo(tmp_path / f"{i}_{segment}.tif", segment=segment, ABS__Contrast=contrast)
    says(open_series(tmp_path).warnings, "contrast was changed during the series: 80 in 0_A.tif, 83 in 2_A.tif")


def test_different_contrast_of_the_segments_is_no_change(shared_data):
    assert not any("changed" in text for text in open_series(shared_data / "vickers").warnings)


def test_sums_and_differences_are_told_from_the_metadata(tmp_path):
    for mode in ("A+B", "A-B", "COMPO"):
        write_thermo(tmp_path / f"image {mode}.tif", segment=mode)
    says(open_series(tmp_path).warnings, "image A-B.tif is a sum or difference of segments (A-B), not a segment")


def test_signed_differences_are_told_from_the_pixels():
    images = frame()
    images[1] -= 30000
    says(check_frame(images, "ABC"), "Segment B has negative signals, as differences of segments (TOPO) have")


def test_inverse_images_at_mid_grey_are_told_from_the_pixels():
    slope = 6000 * np.sin(np.arange(160) / 9.0)
    images = frame(level=32768.0) * 0.02 + 32768 * 0.98
    images[0] += slope.astype(np.float32)
    images[1] -= slope.astype(np.float32)
    says(check_frame(images, "ABC", 65535.0), "Segments A and B are inverse to each other and stand at mid-grey")


def test_a_single_se_image_says_why_height_cannot_be_had(shared_data):
    series = open_series(shared_data / "vendors" / "test_tiff_Zeiss_SEM_512pix.tif")
    says(
        series.warnings,
        "There is one image per frame: no height can be had from it.",
        "one view, in which a slope and a change of composition look the same",
        "secondary-electron image edges are bright whatever their height",
        "at least 3 segments",
    )
    with pytest.raises(InputError, match="no height can be had"):
        require_segments(series)


def test_two_segments_are_too_few(tmp_path):
    for segment in "AB":
        write_thermo(tmp_path / f"{segment}.tif", segment=segment)
    series = open_series(tmp_path)
    with pytest.raises(
        InputError, match=r"The series has 2 segments \(A, B\): two slopes and the yield are three"
    ):
        require_segments(series)
    for segment in "ABC":
        write_thermo(tmp_path / f"{segment}.tif", segment=segment)
    require_segments(open_series(tmp_path))


def test_huge_images_tell_the_memory_that_they_need(tmp_path):
    for segment in "ABC":
        write_plain(tmp_path / f"{segment}.tif")
    series = open_series(tmp_path)
    small = memory_estimate_bytes(series)
    assert 40 * 48 * 3 * 8 < small < 40 * 48 * 3 * 1000
    import dask.array as da

    large = series.with_values(
        signal=series.signal.copy(data=da.zeros((1, 3, 40, 48))).isel(x=[0] * 20000, y=[0] * 20000)
    )
    assert memory_estimate_bytes(large) == small * 400_000_000 // (40 * 48)
    # Pixels of so large an image are not needed to tell.
    says(huge_without_reading(large), "The images are huge (20000 x 20000 pixels, 3 segments)", "GiB of memory")


def huge_without_reading(series):
    from napari_sem4d.acquisition.checks import memory_warning

    return [memory_warning(series)]


def test_zeiss_difference_images_are_told(tmp_path):
    words = {"N": "Normal", "I": "Inverted"}
    for name, states in (("a", "NNII"), ("b", "NINI"), ("c", "NNNN")):
        quadrants = {f"DP_4QBSD_Q{i}": f"Q{i} = {words[s]}" for i, s in enumerate(states, 1)}
        write_zeiss(tmp_path / f"{name}.tif", **quadrants)
    warnings = open_series(tmp_path).warnings
    says(warnings, "a.tif is a sum or difference of segments (TOPO: Q1+Q2-Q3-Q4), not a segment")
    says(warnings, "c.tif is a sum or difference of segments (COMPO: Q1+Q2+Q3+Q4), not a segment")
    with pytest.raises(InputError, match=r"images .*COMPO: Q1\+Q2\+Q3\+Q4.* are sums or differences of segments"):
        require_segments(open_series(tmp_path))


def test_sums_and_differences_are_told_from_the_file_names(tmp_path):
    for name in ("TOPO1", "TOPO2", "COMPO"):
        write_plain(tmp_path / f"sample_{name}.tif")
    series = open_series(tmp_path)
    says(check_series(series), "The images COMPO, TOPO1, TOPO2 are sums or differences of segments")
    with pytest.raises(InputError, match="are sums or differences of segments, not segments"):
        require_segments(series)
