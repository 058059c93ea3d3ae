"""What is exported, read by other programs' libraries: the letter F upright, its size and its unit."""

import json
import re

import numpy as np
import pytest

from napari_sem4d.io.figure import nice_length
from napari_sem4d.io.height_map import height_map
from napari_sem4d.io.heights import open_heights
from napari_sem4d.io.surfaces import write_surface

PIXEL = (20.0, 10.0)


def letter_f(hole=False, relative=False):
    """F of 100 nm, upright as an image: the long bar is at the top, the spine at the left."""
    height = np.zeros((24, 30))
    height[3:21, 5:9] = 100.0
    height[3:6, 5:22] = 100.0
    height[11:14, 5:16] = 100.0
    if hole:
        height[20:23, 24:27] = np.nan
    return height_map(height, PIXEL, "letter F", relative=relative)


@pytest.mark.parametrize("extension", [".gwy", ".x3p", ".sur", ".xyz"])
def test_surface_topography_reads_the_same_surface(tmp_path, extension):
    """Its axis 0 is x; y of its array counts down the image, as its own .gwy and .x3p readers have it."""
    io = pytest.importorskip("SurfaceTopography.IO")
    path = write_surface(tmp_path / f"F{extension}", letter_f())
    with io.open_topography(str(path)) as reader:
        found = reader.topography()
    heights = np.asarray(np.ma.filled(found.heights(), np.nan))
    assert heights.shape == (30, 24)
    if extension == ".xyz":
        # Bare numbers: no unit; rows of an XYZ table come with y growing upwards.
        heights = heights[:, ::-1]
        scale = 1.0
    else:
        scale = {"m": 1e9, "mm": 1e6, "µm": 1e3, "um": 1e3, "nm": 1.0}[str(found.unit)]
        assert np.array(found.physical_sizes) * scale == pytest.approx((300.0, 480.0), rel=1e-5)
    assert heights.T * scale == pytest.approx(letter_f().height, abs=1e-3)


def test_pandas_reads_the_columns_of_a_csv(tmp_path):
    pandas = pytest.importorskip("pandas")
    path = write_surface(tmp_path / "F.csv", letter_f(hole=True))
    table = pandas.read_csv(path, comment="#", names=["x", "y", "height"])
    seen = table.pivot(index="y", columns="x", values="height")
    # y grows upwards there.
    assert seen.to_numpy()[::-1] == pytest.approx(letter_f(hole=True).height, nan_ok=True)
    assert (seen.columns[1], seen.index[1]) == (10.0, 20.0)


def test_fiji_and_tifffile_see_unit_size_and_an_upright_image(tmp_path):
    import tifffile

    path = write_surface(tmp_path / "F.tif", letter_f(hole=True))
    with tifffile.TiffFile(path) as tif:
        page, tags = tif.pages.first, tif.imagej_metadata
        x, y = (page.tags[name].value for name in ("XResolution", "YResolution"))
        assert (y[1] / y[0], x[1] / x[0], tags["unit"], tags["vunit"]) == (20.0, 10.0, "nm", "nm")
        np.testing.assert_array_equal(page.asarray(), letter_f(hole=True).height.astype(np.float32))


def test_a_picture_is_upright_to_scale_and_has_its_units(tmp_path):
    from skimage.io import imread

    png = write_surface(tmp_path / "F.png", letter_f(hole=True))
    picture = imread(png)[..., :3].astype(int)
    # Yellow of viridis is high, violet low.
    high = (picture[..., 0] > 200) & (picture[..., 1] > 200) & (picture[..., 2] < 90)
    low = (np.abs(picture - np.array([68, 1, 84])).sum(axis=2)) < 12
    low[:, int(0.84 * low.shape[1]) :] = False  # the colour bar
    rows, columns = np.flatnonzero(low.any(axis=1)), np.flatnonzero(low.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    # 30 columns of 10 nm by 24 rows of 20 nm: 1.6 times as tall as wide.
    assert (bottom - top) / (right - left) == pytest.approx(1.6, abs=0.03)
    row = (top + (np.arange(24) + 0.5) / 24 * (bottom - top)).astype(int)
    column = (left + (np.arange(30) + 0.5) / 30 * (right - left)).astype(int)
    seen = high[np.ix_(row, column)]
    truth = letter_f().height > 50
    assert (seen == truth)[:18].mean() > 0.99, "not mirrored, not turned (the scale bar lies below)"

    svg = write_surface(tmp_path / "F.svg", letter_f(relative=True)).read_text(encoding="utf-8")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert "letter F" in texts and "relative height (nm)" in texts and "100 nm" in texts
    assert "height (nm)" not in texts


def test_the_same_heights_give_the_same_picture(tmp_path):
    one, two = (write_surface(tmp_path / f"{k}.svg", letter_f()) for k in (1, 2))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("width", "length", "text"),
    [(300.0, 100.0, "100 nm"), (290.0, 50.0, "50 nm"), (6400.0, 2000.0, "2 µm"), (9e6, 2e6, "2 mm")],
)
def test_a_scale_bar_is_a_round_length_of_at_most_a_third(width, length, text):
    assert nice_length(width) == (pytest.approx(length), text)


def test_a_text_mesh_reader_finds_the_unit_of_a_glb(tmp_path):
    path = write_surface(tmp_path / "F.glb", letter_f(relative=True))
    content = path.read_bytes()
    document = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
    assert document["nodes"][0]["extras"] == {"vertex_unit": "nm", "relative_height": True}


def test_heights_of_a_file_are_one_frame_without_uncertainty(tmp_path):
    path = write_surface(tmp_path / "F.gwy", letter_f(hole=True, relative=True))
    heights = open_heights(path)
    assert (heights.frames, heights.pixel_nm, heights.relative) == (1, pytest.approx(PIXEL), True)
    assert heights.height_std() is None and heights.draws() is None
    assert np.isnan(heights.height()).sum() == 9
    assert heights.as_map().title == "letter F"
