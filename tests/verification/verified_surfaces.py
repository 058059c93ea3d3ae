"""A series simulated by Monte Carlo, as a microscope would store it, and results that claim surfaces for it."""

import json
from pathlib import Path

import numpy as np
import tifffile
import yaml

from napari_sem4d import api
from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.inversion.calibration import Calibration
from napari_sem4d.io.store import ResultStore
from napari_sem4d.io.surfaces import read_surface
from napari_sem4d.settings import Settings

ENERGY_KEV, PIXEL_NM, SIZE = 2.0, 4.0, 72
GAIN, OFFSET = 400_000.0, 900.0
SEGMENTS = tuple(
    Segment(
        name=name,
        polar_deg=(20, 60),
        azimuth_deg=(90 * i - 45, 90 * i + 45),
        gain=GAIN * (1 + 0.1 * i),
        offset=OFFSET,
    )
    for i, name in enumerate("ABCD")
)


def settings(material="Cu"):
    return Settings.model_validate(
        {
            "beam": {"energy_kev": ENERGY_KEV},
            "material": material,
            "pixel_nm": PIXEL_NM,
            "detector": {"segments": [s.model_dump(mode="json") for s in SEGMENTS]},
        }
    )


def calibration():
    """Gains and offsets as a reference would give them."""
    return Calibration(
        reference="vickers", material="Cu", energy_kev=ENERGY_KEV, engine="local", segments=SEGMENTS,
        scale_uncertainty=0.01,
    )  # fmt: skip


def write_series(folder: Path, electrons=600, amplifier=0.05, size=SIZE) -> Path:
    """Crystals of copper by Monte Carlo: counting noise of the electrons, amplifier noise, 16 bits."""
    crystals = {"size": 20.0, "slope_deg": 35.0}
    list(api.simulate_steps("crystals", folder, settings(), electrons, seed=11, size=size, parameters=crystals))
    rng = np.random.default_rng(12)
    for path in folder.glob("*.tif"):
        image = tifffile.imread(path).astype(np.float64)
        image += amplifier * (image.mean() - OFFSET) * rng.normal(size=image.shape)
        tifffile.imwrite(path, np.clip(np.round(image), 0, 65535).astype(np.uint16))
    # What the microscopist knows without a reference: no gains.
    known = yaml.safe_load((folder / "acquisition.yaml").read_text(encoding="utf-8"))
    for segment in known["detector"]["segments"]:
        del segment["gain"]
    (folder / "acquisition.yaml").write_text(yaml.safe_dump(known), encoding="utf-8")
    return folder


def truth(folder: Path) -> np.ndarray:
    height = read_surface(folder / "truth" / "height_nm.tif").height
    return height - height.mean()


def claim(
    folder: Path, out: Path, height: np.ndarray, *, like: Path, material="Cu", relative_yield: float = 1.0
) -> Path:
    """A result that claims a surface, with everything else as a real run has recorded it."""
    attrs = dict(api.open_result(like).attrs)
    stated = json.loads(attrs["settings"])
    attrs["settings"] = json.dumps(stated | {"material": material})
    # Format and pixel are the store's own business.
    for name in ("format", "format_version", "pixel_nm"):
        attrs.pop(name)
    store = ResultStore.create(
        out, times=[0.0], time_unit="frame", shape=height.shape, pixel_nm=PIXEL_NM, attrs=attrs
    )
    store.write_frame(
        0,
        height=height.astype(np.float32),
        height_std=np.ones(height.shape, np.float32),
        relative_yield=np.full(height.shape, relative_yield, np.float32),
        quality=np.zeros(height.shape, np.uint16),
        misfit=1.0,
    )
    return out
