import numpy as np
import pytest
import xarray as xr

from napari_sem4d.acquisition.instrument import Beam, Detector, Instrument, Segment
from napari_sem4d.acquisition.series import DIMS, SemSeries
from napari_sem4d.errors import InputError, SettingsError
from napari_sem4d.inversion.flat import calibrate_flat
from napari_sem4d.inversion.imprint_model import PlanarRegions
from napari_sem4d.physics.materials import material

GAINS = (2e5, 3e5, 1.5e5, 2.5e5)


def _segments(gains: tuple[float, ...] = (1.0,) * 4) -> tuple[Segment, ...]:
    return tuple(
        Segment(name=n, polar_deg=(20, 50), azimuth_deg=(90 * k, 90 * k + 90), gain=g, offset=100.0 * k)
        for k, (n, g) in enumerate(zip("ABCD", gains, strict=True))
    )


def _series(shading: float = 0.0, segments: tuple[Segment, ...] | None = None) -> SemSeries:
    true = _segments(GAINS)
    response = PlanarRegions(material("Cu"), 10.0)(true, np.zeros((5, 2)))[4]
    signal = np.array([s.gain * r + s.offset for s, r in zip(true, response, strict=True)])[:, None, None]
    noise = 0.05 * signal * np.random.default_rng(2).normal(size=(4, 64, 80))
    images = signal * (1 + shading * np.linspace(-0.5, 0.5, 80)) + noise
    images[:, :, 60:] *= 1.5
    return SemSeries(
        xr.DataArray(images[None], dims=DIMS, coords={"time": [0.0], "segment": list("ABCD")}),
        Instrument(
            beam=Beam(energy_kev=10.0), detector=Detector(segments=_segments() if segments is None else segments)
        ),
        pixel_nm=10.0,
        material="Cu",
    )


REGION = (0, 0, 64, 60)


def test_gains_of_a_marked_flat_are_found_within_their_uncertainty() -> None:
    found = calibrate_flat(_series(), region=REGION)
    for segment, parameter, gain in zip(found.segments, found.parameters, GAINS, strict=True):
        assert segment.gain == pytest.approx(gain, rel=0.005)
        assert abs(parameter.value - gain) < 4 * parameter.standard_uncertainty
        assert 0 < parameter.standard_uncertainty < 0.005 * gain
    assert [s.offset for s in found.segments] == [0.0, 100.0, 200.0, 300.0]


def test_a_flat_says_that_heights_stay_relative() -> None:
    found = calibrate_flat(_series(), region=REGION)
    assert not found.fixes_height_scale
    assert any("heights are relative" in w for w in found.warnings)


def test_shading_of_the_flat_is_said() -> None:
    assert any("brightness changes" in w for w in calibrate_flat(_series(0.1), region=REGION).warnings)
    assert not any("brightness changes" in w for w in calibrate_flat(_series(), region=REGION).warnings)


def test_a_signal_below_its_offset_is_refused() -> None:
    segments = tuple(s.model_copy(update={"offset": 1e9}) for s in _segments())
    with pytest.raises(InputError, match="not more than its offset"):
        calibrate_flat(_series(segments=segments), region=REGION)


def test_a_detector_without_segments_is_asked_for() -> None:
    with pytest.raises(SettingsError, match="segments are not known"):
        calibrate_flat(_series(segments=()))


def test_a_tiny_area_is_refused() -> None:
    with pytest.raises(InputError, match="too few"):
        calibrate_flat(_series(), region=(0, 0, 4, 4))
