from pathlib import Path

import numpy as np
import pytest

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.errors import InputError, StoreError
from napari_sem4d.inversion.calibration import CalibratedParameter, Calibration


def _segments(names: str, gain: float = 5.0) -> tuple[Segment, ...]:
    width = 360.0 / len(names)
    return tuple(
        Segment(name=n, polar_deg=(20, 60), azimuth_deg=(k * width, (k + 1) * width), gain=gain + k)
        for k, n in enumerate(names)
    )


def _calibration(scale: float | None = 0.05) -> Calibration:
    parameters = tuple(
        CalibratedParameter(name=f"gain {n}", value=5.0, standard_uncertainty=0.5, unit="signal") for n in "AB"
    )
    return Calibration(
        reference="vickers",
        material="Fe",
        energy_kev=7.0,
        engine="local",
        segments=_segments("ABC"),
        parameters=parameters,
        correlation=((1.0, 0.5), (0.5, 1.0)),
        scale_uncertainty=scale,
    )


def _instrument(names: str = "", energy_kev: float | None = 7.0) -> Instrument:
    segments = _segments(names, gain=1.0) if names else ()
    return Instrument(beam=Beam(energy_kev=energy_kev), detector=Detector(segments=segments))


def test_a_saved_calibration_comes_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "Eindruck für später.yaml"
    calibration = _calibration()
    calibration.save(path)
    assert Calibration.load(path) == calibration
    assert calibration.id in path.read_text(encoding="utf-8")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    _calibration().save(path)
    with pytest.raises(StoreError, match="exists already"):
        _calibration().save(path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        _calibration().save(tmp_path / "none" / "c.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "no YAML"),
        ("- 1", "holds no calibration"),
        ("reference: flat", "material"),
        ("!!python/object/apply:os.getcwd []", "no YAML"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        Calibration.load(path)


def test_an_unknown_key_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    _calibration().save(path)
    path.write_text(path.read_text(encoding="utf-8") + "gian: 3\n", encoding="utf-8")
    with pytest.raises(InputError, match="gian"):
        Calibration.load(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Calibration.load(tmp_path / "none.yaml")


def test_segments_are_matched_by_name() -> None:
    applied = _calibration().apply(_instrument("CAB"))
    assert [s.name for s in applied.detector.segments] == ["C", "A", "B"]
    assert [s.gain for s in applied.detector.segments] == [7.0, 5.0, 6.0]


def test_an_instrument_without_segments_takes_the_calibrated_ones() -> None:
    assert _calibration().apply(_instrument()).segment_names == ("A", "B", "C")


@pytest.mark.parametrize(
    ("instrument", "message"),
    [
        (_instrument("ABCD"), "3 segments .* have 4"),
        (_instrument("ABD"), "same names"),
        (_instrument("ABC", 10.0), "7 keV, these images at 10 keV"),
        (_instrument("ABC", None), "energy of these images is not known"),
    ],
)
def test_a_calibration_of_another_instrument_is_refused(instrument: Instrument, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _calibration().apply(instrument)


def test_scale_uncertainty_joins_heights_only_where_a_scale_is_fixed() -> None:
    np.testing.assert_allclose(_calibration().height_std(np.array([-100.0, 20.0])), [5.0, 1.0])
    with pytest.raises(InputError, match="fixes no height scale"):
        _calibration(None).height_std(np.zeros(2))


def test_covariance_follows_from_correlation() -> None:
    np.testing.assert_allclose(_calibration().covariance, [[0.25, 0.125], [0.125, 0.25]])
