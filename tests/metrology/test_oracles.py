"""Agreement with other programs' libraries, where they are installed (they are no dependency)."""

import runpy
from pathlib import Path

import pytest
from metrology_surfaces import PIXEL, correlated

from napari_sem4d.metrology.areal_hybrid import sdq, squared_gradient
from napari_sem4d.metrology.evaluate import evaluate
from napari_sem4d.metrology.surface import Treatment, prepare_surface


@pytest.fixture(scope="module")
def texture():
    return correlated(200, 400, 20, 1, n=512)


def test_surfalize_agrees_on_heights_core_volumes_and_texture(texture):
    surfalize = pytest.importorskip("surfalize")
    theirs = surfalize.Surface(texture / 1e3, PIXEL / 1e3, PIXEL / 1e3)
    surface = prepare_surface(texture, PIXEL, Treatment("mean"))
    ours = {f.name: f.value for f in evaluate(surface)}
    for name in ("Sa", "Sq", "Sp", "Sv", "Sz"):
        assert ours[name] == pytest.approx(1e3 * getattr(theirs, name)(), rel=1e-6), name
    for name in ("Sk", "Spk", "Svk", "Vmp", "Vmc", "Vvc", "Vvv", "Sal"):
        # They bin the material ratio curve; ours is the sorted heights.
        assert ours[name] == pytest.approx(1e3 * getattr(theirs, name)(), rel=0.01), name
    for name in ("Ssk", "Sku", "Str"):
        assert ours[name] == pytest.approx(getattr(theirs, name)(), rel=0.01), name


def test_surface_topography_agrees_on_rms_height_and_gradient(texture):
    library = pytest.importorskip("SurfaceTopography")
    theirs = library.Topography(texture.T, (512 * PIXEL, 512 * PIXEL), unit="nm", periodic=False)
    ours = evaluate(prepare_surface(texture, PIXEL, Treatment("mean")), ["Sq"])[0].value
    assert ours == pytest.approx(theirs.rms_height_from_area(), rel=1e-9)
    # Their gradient is that of triangles, which sees a little less than the seven-point formula.
    assert sdq(squared_gradient(texture, PIXEL)) == pytest.approx(theirs.rms_gradient(), rel=0.01)


def test_gwyddion_agrees_on_heights_and_gradient(texture):
    benchmark = Path(__file__).parents[2] / "benchmarks" / "roughness_oracles.py"
    try:
        theirs = runpy.run_path(str(benchmark))["of_gwyddion"](texture, ["Sa", "Sq", "Sdq"])
    except ImportError as error:
        pytest.skip(str(error))
    ours = {f.name: f.value for f in evaluate(prepare_surface(texture, PIXEL, Treatment("mean")), ["Sa", "Sq"])}
    assert ours["Sa"] == pytest.approx(theirs["Sa"], rel=1e-9)
    assert ours["Sq"] == pytest.approx(theirs["Sq"], rel=1e-9)
    assert sdq(squared_gradient(texture, PIXEL)) == pytest.approx(theirs["Sdq"], rel=0.01)
