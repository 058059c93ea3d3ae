"""What the widgets, the command line and scripts call: series in, calibration, height maps out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_sem4d.errors import Cancelled, InputError, SettingsError
from napari_sem4d.reconstruction import reconstruct_steps
from napari_sem4d.records import Failed, Finished
from napari_sem4d.settings import Settings
from napari_sem4d.simulation import simulate_steps
from napari_sem4d.verification import Verification, verify_steps

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from napari_sem4d.acquisition.series import SemSeries
    from napari_sem4d.inversion.calibration import Calibration
    from napari_sem4d.io.heights import Heights
    from napari_sem4d.verification.kept import KeptVerdict

__all__ = [
    "calibrate",
    "keep_verification",
    "kept_verifications",
    "load_calibration",
    "open_heights",
    "open_result",
    "open_series",
    "preview",
    "reconstruct",
    "reconstruct_steps",
    "sample_series",
    "simulate_steps",
    "verify",
    "verify_steps",
]

Region = tuple[int, int, int, int]


def open_series(inputs: str | Path | Sequence[str | Path], settings: Settings | None = None) -> SemSeries:
    """Open files, folders or patterns as a series; only headers are read.

    Parameters
    ----------
    inputs : path or sequence of paths
        Files, folders, glob patterns, or an ``acquisition.yaml``.
    settings : Settings, optional
        Its acquisition values go before what the files say.

    Raises
    ------
    InputError
        If the files cannot be grouped into frames and segments.
    """
    from napari_sem4d.acquisition.opening import open_series as open_files

    return open_files(inputs, settings, model=Settings)


def preview(series: SemSeries, calibration: Calibration | None = None, frame: int = 0) -> np.ndarray:
    """Height of one frame from linearised slopes, nm, shape (Y, X): fast, right for gentle slopes only."""
    from napari_sem4d.inversion.preview import linear_preview
    from napari_sem4d.run_setup import read_frame, run_instrument

    pixels = read_frame(series, frame)
    instrument, reference = run_instrument(series, calibration, pixels)
    return linear_preview(pixels, instrument, reference, float(series.pixel_nm or 0.0)).height


def calibrate(
    series: SemSeries,
    reference: Literal["flat", "vickers"],
    settings: Settings | None = None,
    frame: int = 0,
    region: Region | None = None,
) -> Calibration:
    """Calibrate the detector on a reference.

    Parameters
    ----------
    series : SemSeries
        Images of the reference, with energy, material and segments known.
    reference : {"flat", "vickers"}
        A flat area (gains only: heights stay relative), or a Vickers imprint (gains, offsets, azimuths).
    settings : Settings, optional
        Its engine is the one to calibrate for; ``vickers`` says what is freed.
    frame : int
        Which frame.
    region : tuple of int, optional
        First row, first column, rows and columns of the area to use; the whole image by default.

    Raises
    ------
    InputError
        If the reference is not found in the images.
    SettingsError
        If something that the reference needs is unknown, or the reference has no such name.
    """
    if reference == "flat":
        from napari_sem4d.inversion.flat import calibrate_flat

        return calibrate_flat(series, frame=frame, region=region)
    if reference == "vickers":
        from napari_sem4d.inversion.vickers import calibrate_vickers

        return calibrate_vickers(
            series,
            settings.vickers if settings else None,
            frame=frame,
            region=region,
            engine=(settings or Settings()).engine,
        )
    raise SettingsError(f"reference '{reference}' is not known; take flat or vickers")


def load_calibration(path: str | Path) -> Calibration:
    """Read a saved calibration (YAML)."""
    from napari_sem4d.inversion.calibration import Calibration

    return Calibration.load(Path(path))


def reconstruct(
    series: SemSeries,
    out: str | Path,
    settings: Settings | None = None,
    calibration: Calibration | None = None,
    resume: bool = False,
    cancel: threading.Event | None = None,
) -> Path:
    """Reconstruct a series into a result store and return its path; see :func:`reconstruct_steps`.

    Raises
    ------
    InputError
        If the run failed; finished frames are in the store.
    """
    last = None
    for last in reconstruct_steps(series, Path(out), settings, calibration, resume, cancel):
        if isinstance(last, Failed):
            raise InputError(last.message)
    assert isinstance(last, Finished)
    return last.path


def open_result(path: str | Path) -> xr.Dataset:
    """Open a result store lazily; see :mod:`napari_sem4d.io.store`."""
    from napari_sem4d.io.store import open_result as open_store

    return open_store(Path(path))


def open_heights(
    path: str | Path,
    *,
    pixel_nm: tuple[float, float] | None = None,
    unit: str | None = None,
    channel: int | None = None,
) -> Heights:
    """Open a result or any height map to measure it or to write it; see :mod:`napari_sem4d.io.heights`.

    Parameters
    ----------
    path : path
        Result store, float TIFF, .gwy, .gsf, .x3p, .sur, XYZ text; with the extra ``surface-io`` many more.
    pixel_nm : (y, x), optional
        Pixel size in nm, for files that do not say it.
    unit : str, optional
        Unit of the heights, for files that do not say it.
    channel : int, optional
        Which channel of a file that holds several; the first that is a height if not given.
    """
    from napari_sem4d.io import heights

    return heights.open_heights(path, pixel_nm=pixel_nm, unit=unit, channel=channel)


def verify(path: str | Path, **options: Any) -> Verification:
    """Verify a finished surface by Monte Carlo and return the verdict; options of :func:`verify_steps`.

    Raises
    ------
    InputError
        If the result or its images cannot be used.
    Cancelled
        If it was cancelled.
    """
    verdict = None
    for record in verify_steps(path, **options):
        if isinstance(record, Verification):
            verdict = record
        elif isinstance(record, Failed):
            raise InputError(record.message)
    if verdict is None:
        raise Cancelled("the verification was cancelled")
    return verdict


def keep_verification(path: str | Path, verification: Verification) -> KeptVerdict:
    """Write a verdict into its result, so that it is shown with it; see :mod:`napari_sem4d.verification.kept`.

    Raises
    ------
    StoreError
        If the result cannot be written.
    """
    from napari_sem4d.verification.kept import keep

    return keep(path, verification)


def kept_verifications(result: xr.Dataset) -> dict[int, KeptVerdict]:
    """Verdicts that were kept with an opened result, by frame."""
    from napari_sem4d.verification.kept import kept

    return kept(result)


def sample_series() -> Path:
    """Folder of the sample series that comes with the package."""
    from importlib.resources import as_file, files

    with as_file(files("napari_sem4d") / "sample_data") as folder:
        return Path(folder) / "redox"
