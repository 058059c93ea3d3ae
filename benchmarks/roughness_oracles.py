"""Our roughness figures beside those of surfalize, SurfaceTopography and Gwyddion on surfaces of known truth.

    python benchmarks/roughness_oracles.py [--markdown OUT.md]

All three are optional: a column stays empty where one is not installed. Gwyddion is asked through its C library
(Debian: apt-get install libgwyddion2-0).
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_sem4d.errors import DomainError
from napari_sem4d.metrology.evaluate import evaluate
from napari_sem4d.metrology.step_area import areal_step_height
from napari_sem4d.metrology.surface import Treatment, prepare_surface

SIZE, PIXEL = 1024, 10.0


def texture(length_x: float, length_y: float, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=(SIZE, SIZE))
    k = 2 * np.pi * np.fft.fftfreq(SIZE, PIXEL)
    gain = np.exp(-((k * length_x) ** 2)[None, :] / 8 - ((k * length_y) ** 2)[:, None] / 8)
    surface = np.fft.ifft2(np.fft.fft2(noise) * gain).real
    surface -= surface.mean()
    return surface * (sigma / surface.std())


def surfaces() -> dict[str, tuple[np.ndarray, dict[str, float]]]:
    """Name -> heights in nm, truth by figure."""
    x, y = np.meshgrid(np.arange(SIZE) * PIXEL, np.arange(SIZE) * PIXEL)
    rng = np.random.default_rng(0)
    grating = 100.0 * ((x % 700) < 200) + 0.05 * x - 0.03 * y + rng.normal(0, 2, x.shape)
    return {
        "sine, A = 50, wavelength 1280": (
            50 * np.sin(2 * np.pi * x / 1280),
            {"Sa": 31.831, "Sq": 35.3553, "Sdq": 0.17355, "Sdr": 1.48939},
        ),
        "independent Gaussian heights, sigma = 20": (
            rng.normal(0, 20, x.shape),
            {
                "Sq": 20.0,
                "Sk": 51.479,
                "Spk": 18.901,
                "Svk": 18.901,
                "Smrk1": 9.905,
                "Vmp": 0.94686,
                "Vvv": 2.23275,
            },
        ),
        "Gaussian autocorrelation 200 x 400, Sq 20": (
            texture(200, 400, 20),
            {"Sq": 20.0, "Sdq": 20 * (2 / 200**2 + 2 / 400**2) ** 0.5, "Sal": 253.7, "Str": 0.5},
        ),
        "pyramid of slope 0.3": (
            -0.3 * np.maximum(abs(x - 5115), abs(y - 5115)),
            {"Sdq": 0.3, "Sdr": 4.4031},
        ),
        "tilted asymmetric grating of 100 nm": (grating, {"step height": 100.0}),
    }


def ours(height: np.ndarray, names: list[str]) -> dict[str, float]:
    if names == ["step height"]:
        return {"step height": areal_step_height(height, PIXEL).height_nm}
    # The shortest S filter that these pixels allow: slopes are refused without one.
    filtered = {"Sdq", "Sdr"}
    found = {}
    for treatment, part in (
        (Treatment("mean"), [n for n in names if n not in filtered]),
        (Treatment("mean", s_nm=3 * PIXEL), [n for n in names if n in filtered]),
    ):
        if part:
            found |= {f.name: f.value for f in evaluate(prepare_surface(height, PIXEL, treatment), part)}
    return found


def of_surfalize(height: np.ndarray, names: list[str]) -> dict[str, float]:
    from surfalize import Surface

    surface = Surface(height / 1e3, PIXEL / 1e3, PIXEL / 1e3)
    lengths = {"Sa", "Sq", "Sk", "Spk", "Svk", "Vmp", "Vvv", "Sal"}
    found = {}
    for name in names:
        method = {"step height": "stepheight", "Smrk1": "Smr1"}.get(name, name)
        try:
            value = float(getattr(surface, method)())
        except Exception:
            # A peer that gives up on a surface gets an empty cell, whatever it raises.
            continue
        found[name] = value * 1e3 if name in lengths or name == "step height" else value
    return found


def of_surface_topography(height: np.ndarray, names: list[str]) -> dict[str, float]:
    from SurfaceTopography import Topography

    # Its first axis is x.
    surface = Topography(height.T, (SIZE * PIXEL, SIZE * PIXEL), unit="nm", periodic=False)
    known: dict[str, Callable[[], float]] = {
        "Sq": surface.rms_height_from_area,
        "Sdq": surface.rms_gradient,
    }
    return {name: float(known[name]()) for name in names if name in known}


def of_gwyddion(height: np.ndarray, names: list[str]) -> dict[str, float]:
    try:
        # The second library takes symbols of the first.
        ctypes.CDLL("libgwyddion2.so.0", mode=ctypes.RTLD_GLOBAL)
        library = ctypes.CDLL("libgwyprocess2.so.0")
    except OSError as error:
        raise ImportError("Gwyddion's library is not installed") from error
    number, pointer = ctypes.c_double, ctypes.c_void_p
    library.gwy_process_type_init()
    new, data = library.gwy_data_field_new, library.gwy_data_field_get_data
    new.restype, new.argtypes = pointer, [ctypes.c_int, ctypes.c_int, number, number, ctypes.c_int]
    data.restype, data.argtypes = ctypes.POINTER(number), [pointer]
    rows, columns = height.shape
    field = new(columns, rows, columns * PIXEL, rows * PIXEL, 0)
    np.ctypeslib.as_array(data(field), (rows, columns))[:] = height
    stats = [number() for _ in range(5)]
    library.gwy_data_field_get_stats.argtypes = [pointer, *[ctypes.POINTER(number)] * 5]
    library.gwy_data_field_get_stats(field, *map(ctypes.byref, stats))
    for name in ("surface_slope", "surface_area"):
        method = getattr(library, f"gwy_data_field_get_{name}")
        method.restype, method.argtypes = number, [pointer]
    area = library.gwy_data_field_get_surface_area(field) / (rows * columns * PIXEL**2)
    found = {
        "Sa": stats[1].value,
        "Sq": stats[2].value,
        "Sdq": library.gwy_data_field_get_surface_slope(field),
        "Sdr": 100 * (area - 1),
    }
    return {name: found[name] for name in names if name in found}


def column(
    work: Callable[[np.ndarray, list[str]], dict[str, float]], height: np.ndarray, names: list[str]
) -> dict:
    try:
        return work(height, names)
    except (ImportError, DomainError):
        return {}


OTHERS = (of_surfalize, of_surface_topography, of_gwyddion)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    lines = [
        "| surface | figure | truth | this project | surfalize | SurfaceTopography | Gwyddion |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (height, truth) in surfaces().items():
        names = list(truth)
        columns = [column(work, height, names) for work in (ours, *OTHERS)]
        for figure in names:
            cells = [f"{c[figure]:.5g}" if figure in c else "" for c in columns]
            lines.append(f"| {name} | {figure} | {truth[figure]:.5g} | " + " | ".join(cells) + " |")
    print("\n".join(lines))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
