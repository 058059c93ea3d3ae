"""Height maps written and read again: the letter F must keep its orientation, its size and its unit."""

import json
import struct
import zipfile

import numpy as np
import pytest

from napari_sem4d.errors import InputError, StoreError
from napari_sem4d.io.height_map import height_map
from napari_sem4d.io.mesh import triangles, write_glb, write_ply
from napari_sem4d.io.surfaces import READABLE, WRITERS, read_surface, write_surface

PIXEL = (20.0, 10.0)
MAPS = (".tif", ".gwy", ".gsf", ".x3p", ".sur", ".xyz", ".csv")


def letter_f(hole=True):
    """F of 100 nm on a slope, upright as an image: the long bar is at the top, the spine at the left."""
    height = np.zeros((24, 30))
    height[3:21, 5:9] = 100.0
    height[3:6, 5:22] = 100.0
    height[11:14, 5:16] = 100.0
    height += 0.05 * np.arange(30) + 0.01 * np.arange(24)[:, None]
    if hole:
        height[20:23, 24:27] = np.nan
    return height_map(height, PIXEL, "letter F")


@pytest.mark.parametrize("extension", MAPS)
def test_a_map_comes_back_upright_with_its_size_unit_and_holes(tmp_path, extension):
    folder = tmp_path / "Höhe und Größe"
    folder.mkdir()
    path = write_surface(folder / f"F{extension}", letter_f())
    found = read_surface(path)
    assert found.height == pytest.approx(letter_f().height, abs=1e-4, nan_ok=True)
    assert found.pixel_nm == pytest.approx(PIXEL, rel=1e-6)
    assert found.questions == ()
    assert not found.relative
    assert [p.name for p in folder.iterdir()] == [path.name]


@pytest.mark.parametrize("extension", MAPS)
def test_a_relative_height_stays_relative(tmp_path, extension):
    whole = letter_f(hole=False)
    path = write_surface(tmp_path / f"F{extension}", height_map(whole.height, PIXEL, "letter F", relative=True))
    assert read_surface(path).relative


def test_gwyddion_files_are_what_another_library_reads(tmp_path):
    import gwyfile

    path = write_surface(tmp_path / "one.gwy", height_map(letter_f().height, PIXEL, "F"))
    container = gwyfile.load(str(path))
    assert len(container["/0/data/title"]) > 1
    field = container["/0/data"]
    assert (field.xreal, field.yreal) == pytest.approx((300e-9, 480e-9))
    assert field.data[4, 20] == pytest.approx(101.04e-9)
    assert container["/0/mask"].data.sum() == 9


@pytest.mark.parametrize("extension", [".stl", ".ply", ".glb"])
def test_a_mesh_is_upright_and_to_scale_in_another_library(tmp_path, extension):
    trimesh = pytest.importorskip("trimesh")
    surface = letter_f()
    path = write_surface(tmp_path / f"F{extension}", surface)
    loaded = trimesh.load(path, force="mesh", process=False)
    points = np.asarray(loaded.vertices, dtype=np.float64)
    if extension == ".glb":
        # Metres, y up: back to nm with z as the height.
        points = np.column_stack([points[:, 0], -points[:, 2], points[:, 1]]) * 1e9
    assert points[:, 0].max() == pytest.approx(290.0, rel=1e-4)
    assert points[:, 1].max() == pytest.approx(460.0, rel=1e-4)
    assert points[:, 2].max() == pytest.approx(np.nanmax(surface.height), rel=1e-4)
    high = points[points[:, 2] > 50]
    # The spine is left, the longest bar is on top: y grows upwards.
    assert high[:, 0].min() == pytest.approx(50.0, abs=0.1)
    top = high[high[:, 1] > 360]
    assert top[:, 0].max() == pytest.approx(210.0, abs=0.1)
    assert high[high[:, 1] < 180][:, 0].max() == pytest.approx(80.0, abs=0.1)
    corners = points[np.asarray(loaded.faces)]
    assert np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2].min() > 0


def test_holes_are_left_out_of_a_mesh():
    vertices, faces, pixel = triangles(letter_f())
    assert np.isfinite(vertices).all()
    assert len(faces) == 2 * (23 * 29 - 16)
    assert faces.max() == len(vertices) - 1 == len(pixel) - 1


def test_colours_reach_the_vertices_and_the_texture(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    surface = letter_f(hole=False)
    colours = np.zeros((24, 30, 3), dtype=np.uint8)
    colours[..., 0], colours[0, 0] = 200, (10, 20, 30)
    write_ply(tmp_path / "F.ply", surface, colours)
    mesh = trimesh.load(tmp_path / "F.ply", process=False)
    assert mesh.visual.vertex_colors[0, :3].tolist() == [10, 20, 30]
    write_glb(tmp_path / "F.glb", surface, colours)
    content = (tmp_path / "F.glb").read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    document = json.loads(content[20 : 20 + length])
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    start = 28 + length + view["byteOffset"]
    import imagecodecs

    assert np.array_equal(imagecodecs.png_decode(content[start : start + view["byteLength"]]), colours)
    with pytest.raises(InputError, match="8-bit RGB"):
        write_glb(tmp_path / "G.glb", surface, colours[:3])


def test_tiff_units_are_those_that_imagej_shows(tmp_path):
    import tifffile

    with tifffile.TiffFile(write_surface(tmp_path / "F.tif", letter_f())) as tif:
        assert (tif.imagej_metadata["unit"], tif.imagej_metadata["vunit"]) == ("nm", "nm")
        assert tif.pages.first.dtype == np.float32


def test_a_tiff_without_units_is_asked_and_other_units_are_converted(tmp_path):
    import tifffile

    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, letter_f(hole=False).height.astype(np.float32) / 1e3)
    with pytest.raises(InputError, match="pixel size"):
        read_surface(path)
    with pytest.raises(InputError, match="unit"):
        read_surface(path, pixel_nm=PIXEL)
    found = read_surface(path, pixel_nm=PIXEL, unit="um")
    assert found.height == pytest.approx(letter_f(hole=False).height, abs=1e-3)
    with pytest.raises(InputError, match="no length"):
        read_surface(path, pixel_nm=PIXEL, unit="V")


def test_xyz_points_in_any_order_and_unit_are_put_on_their_grid(tmp_path):
    surface = letter_f()
    written = write_surface(tmp_path / "F.xyz", surface)
    lines = [line for line in written.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    np.random.default_rng(0).shuffle(lines)
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join(line.replace(" ", ";") for line in lines), encoding="utf-8")
    with pytest.raises(InputError, match="unit"):
        read_surface(shuffled)
    found = read_surface(shuffled, unit="um")
    assert found.height == pytest.approx(surface.height * 1e3, abs=1e-3, nan_ok=True)
    assert found.pixel_nm == pytest.approx((20_000, 10_000))
    scattered = tmp_path / "scattered.txt"
    np.savetxt(scattered, np.random.default_rng(1).random((50, 3)))
    with pytest.raises(InputError, match="regular grid"):
        read_surface(scattered, unit="nm")


def test_heights_that_do_not_fit_their_map_are_questioned():
    tall = height_map(letter_f().height * 1e3, PIXEL, "wrong unit")
    assert "unit" in tall.questions[0] and "span" in tall.questions[0]
    assert "millionth" in height_map(letter_f().height * 1e-6, PIXEL, "wrong unit").questions[0]
    assert "oblong" in height_map(letter_f().height, (500.0, 10.0), "one scan size").questions[0]
    assert "equal" in height_map(np.ones((4, 4)), PIXEL, "flat").questions[0]


@pytest.mark.parametrize("extension", MAPS)
def test_truncated_files_say_so(tmp_path, extension):
    path = write_surface(tmp_path / f"F{extension}", letter_f())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(InputError, match=path.name):
        read_surface(path)


def test_empty_missing_foreign_and_existing_files_are_refused(tmp_path):
    empty = tmp_path / "empty.gwy"
    empty.touch()
    with pytest.raises(InputError, match="0 bytes"):
        read_surface(empty)
    with pytest.raises(InputError, match="no file"):
        read_surface(tmp_path / "missing.gwy")
    path = write_surface(tmp_path / "F.gsf", letter_f())
    with pytest.raises(StoreError, match="exists already"):
        write_surface(path, letter_f())
    assert write_surface(path, letter_f(), overwrite=True) == path
    with pytest.raises(InputError, match=r"\.glb"):
        write_surface(tmp_path / "F.doc", letter_f())
    renamed = path.rename(tmp_path / "F.sur")
    assert read_surface(renamed).height.shape == (24, 30)


def test_a_damaged_x3p_fails_its_checksum(tmp_path):
    path = write_surface(tmp_path / "F.x3p", letter_f())
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["bindata/data.bin"] = b"\1" + parts["bindata/data.bin"][1:]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match="checksum"):
        read_surface(path)


def test_every_readable_map_can_be_written_and_named_extensions_agree():
    assert set(MAPS) <= set(WRITERS) & set(READABLE)


def test_real_instrument_files_have_their_known_size_and_roughness(shared_data):
    sur = read_surface(shared_data / "afm" / "sur-3.sur")
    assert sur.pixel_nm[1] * sur.height.shape[1] == pytest.approx(151.3e6, rel=1e-3)
    assert np.nanstd(sur.height) == pytest.approx(1.113e6, rel=1e-3)
    x3p = read_surface(shared_data / "afm" / "x3p-2.x3p")
    size = [n * p for n, p in zip(x3p.height.shape, x3p.pixel_nm, strict=True)]
    assert size == pytest.approx([204.5e3, 82.98e3], rel=1e-3)
    assert np.nanstd(x3p.height) == pytest.approx(77.28, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "shape", "width_nm", "rms_nm"),
    [("di-3.di", (256, 256), 10e3, 226.4), ("mi-1.mi", (256, 256), 20e3, 33.22), ("top-1.top", None, 600, 3.153)],
)
def test_microscope_files_open_with_the_extra(shared_data, name, shape, width_nm, rms_nm):
    pytest.importorskip("SurfaceTopography")
    found = read_surface(shared_data / "afm" / name)
    assert shape is None or found.height.shape == shape
    assert found.pixel_nm[1] * found.height.shape[1] == pytest.approx(width_nm, rel=1e-2)
    assert np.nanstd(found.height) == pytest.approx(rms_nm, rel=2e-2)


def test_a_damaged_microscope_file_gives_a_sentence(shared_data):
    with pytest.raises(InputError, match=r"di_corrupted\.di"):
        read_surface(shared_data / "afm" / "di_corrupted.di")
