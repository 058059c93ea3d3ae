"""The folder of a simulated series: images, their description, and the truth beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from napari_sem4d.acquisition.description import DESCRIPTION_FILE
from napari_sem4d.acquisition.instrument import Detector
from napari_sem4d.errors import SettingsError, StoreError
from napari_sem4d.settings import Settings

PATTERN = "{time:04d}_{segment}.tif"
UNFINISHED = ".unfinished"
RECORD = "simulation.json"
TRUTH = "truth"
_NOT_IN_NAMES = '\\/:*?"<>|{}'


class SeriesFolder:
    """A folder that a simulation writes, unfinished until everything is in place.

    Parameters
    ----------
    path : Path
    record : dict
        Everything that decides the images; an unfinished folder is gone on with only if it is the same.

    Raises
    ------
    StoreError
        If something else is there already, or the folder cannot be written.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.path = path
        self.record = record
        self.parts = path / UNFINISHED
        self.resumed = False
        begun = self.parts / RECORD
        text = json.dumps(record, indent=2, ensure_ascii=False)
        try:
            if begun.is_file():
                if begun.read_text(encoding="utf-8") != text:
                    raise StoreError(
                        f"{path} holds an unfinished simulation with other settings; repeat that one, or choose "
                        "another folder"
                    )
                self.resumed = True
                return
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise StoreError(f"{path} exists already; choose another folder, nothing is overwritten")
            self.parts.mkdir(parents=True)
            begun.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error

    def finish(
        self,
        settings: Settings,
        detector: Detector,
        pixel_nm: float,
        signals: np.ndarray,
        errors: np.ndarray,
        height: np.ndarray,
    ) -> None:
        """Write images, description and truth; then the folder is a series.

        Parameters
        ----------
        signals, errors : ndarray, shape (K, Y, X)
            Signal units.
        height : ndarray, shape (Y, X)
            nm.
        """
        from napari_sem4d.io.height_map import height_map
        from napari_sem4d.io.surfaces import write_surface

        try:
            truth = self.path / TRUTH
            truth.mkdir(exist_ok=True)
            write_surface(
                truth / "height_nm.tif", height_map(height, (pixel_nm, pixel_nm), "height"), overwrite=True
            )
            for segment, image, error in zip(detector.segments, signals, errors, strict=True):
                _write_image(self.path / PATTERN.format(time=0, segment=segment.name), image, pixel_nm)
                _write_image(truth / f"standard_error_{segment.name}.tif", error, pixel_nm)
            (truth / RECORD).write_text(json.dumps(self.record, indent=2, ensure_ascii=False), encoding="utf-8")
            description = describe(settings, detector, pixel_nm)
            (self.path / DESCRIPTION_FILE).write_text(
                yaml.safe_dump(description, sort_keys=False, allow_unicode=True), encoding="utf-8"
            )
            shutil.rmtree(self.parts)
        except OSError as error:
            raise StoreError(f"the images cannot be written to {self.path}: {error.strerror or error}") from error


def describe(settings: Settings, detector: Detector, pixel_nm: float) -> dict[str, Any]:
    """What ``acquisition.yaml`` says: all that a reconstruction needs."""
    return {
        "beam": settings.beam.model_dump(mode="json", exclude_none=True),
        "material": settings.material,
        "pixel_nm": pixel_nm,
        "detector": detector.model_dump(mode="json", exclude_none=True),
        "files": PATTERN,
    }


def check_names(names: Sequence[str]) -> None:
    """Refuse segments whose names no file can have.

    Raises
    ------
    SettingsError
        Naming the segment.
    """
    for name in names:
        if any(c in _NOT_IN_NAMES for c in name) or name.strip(" .") != name:
            raise SettingsError(
                f"segment '{name}' cannot be part of a file name; call it otherwise in the settings"
            )


def _write_image(path: Path, image: np.ndarray, pixel_nm: float) -> None:
    import tifffile

    tifffile.imwrite(
        path,
        image.astype(np.float32),
        imagej=True,
        resolution=(1.0 / pixel_nm, 1.0 / pixel_nm),
        metadata={"unit": "nm"},
    )
