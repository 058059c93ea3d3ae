"""What every forward engine keeps to."""

import numpy as np
import pytest
import torch

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.errors import SettingsError
from napari_sem4d.forward.engine import Engine, ForwardSetup
from napari_sem4d.forward.registry import make_simulator

TILE = 8


@pytest.fixture(params=["local", "vift", "monte_carlo"])
def engine_name(request):
    return request.param


def ones(surface):
    return torch.ones_like(surface)


def seen(engine, height):
    """Signals of a surface of the reference material, and their standard errors (None where there are none)."""
    if hasattr(engine, "signals_with_errors"):
        return engine.signals_with_errors(height, ones(height))
    return engine.expected_signals(height, ones(height)), None


def tiles(values):
    """Sums over tiles of 8 x 8 pixels, shape (K, Y/8, X/8)."""
    k, rows, columns = values.shape
    return values.reshape(k, rows // TILE, TILE, columns // TILE, TILE).sum((2, 4))


def assert_agree(one, two, **exactly):
    """The same signals: exactly, or within the engine's own standard errors (tile by tile)."""
    (a, a_error), (b, b_error) = one, two
    if a_error is None:
        assert torch.allclose(a, b, **exactly)
        return
    z = (tiles(a) - tiles(b)) / tiles(a_error**2 + b_error**2).sqrt()
    assert float(z.abs().max()) < 5.0
    assert float((z**2).mean()) < 1.0 + 5.0 * np.sqrt(2.0 / z.numel())
    assert abs(float(z.mean())) * z.numel() ** 0.5 < 4.0


def change(one, turn):
    """Apply a permutation of pixels and segments to signals and errors alike."""
    return tuple(None if values is None else turn(values) for values in one)


def test_every_engine_satisfies_the_protocol(build):
    assert isinstance(build(), Engine)


def test_a_flat_surface_gives_equal_segments(build):
    flat = torch.zeros(24, 24, dtype=torch.float64)
    signals, errors = seen(build(), flat)
    assert signals.shape == (4, 24, 24)
    assert float(signals.mean()) > 0
    assert_agree((signals, errors), (signals.mean().expand_as(signals), None if errors is None else 0 * errors))


def test_a_segment_on_the_right_brightens_slopes_that_face_right(build):
    right = (
        Segment(name="right", polar_deg=(20, 45), azimuth_deg=(-45, 45)),
        Segment(name="left", polar_deg=(20, 45), azimuth_deg=(135, 225)),
    )
    x = torch.arange(32, dtype=torch.float64) * 20.0
    facing_right = (-0.3 * x).expand(32, 32)
    signals = (
        build(right).expected_signals(facing_right, torch.ones_like(facing_right))[:, 8:-8, 8:-8].mean((1, 2))
    )
    assert signals[0] > 1.1 * signals[1]


def test_a_segment_at_the_top_brightens_slopes_that_face_the_top(build):
    top = (
        Segment(name="top", polar_deg=(20, 45), azimuth_deg=(45, 135)),
        Segment(name="bottom", polar_deg=(20, 45), azimuth_deg=(225, 315)),
    )
    row = torch.arange(32, dtype=torch.float64)[:, None] * 20.0
    facing_top = (0.3 * row).expand(32, 32)  # falls towards the top of the image, where the row index is small
    signals = build(top).expected_signals(facing_top, torch.ones_like(facing_top))[:, 8:-8, 8:-8].mean((1, 2))
    assert signals[0] > 1.1 * signals[1]


def test_turning_the_surface_by_90_degrees_turns_the_segments(build, surface):
    engine = build()
    here = seen(engine, surface)
    turned = seen(engine, torch.rot90(surface, 1))  # counter-clockwise on the screen
    # What segment k saw, segment k + 1 (90 degrees further counter-clockwise) sees now.
    expected = change(here, lambda values: torch.rot90(values, 1, (1, 2)).roll(1, 0))
    assert_agree(expected, turned, rtol=1e-5, atol=1e-9)


def test_mirroring_the_surface_mirrors_the_segments(build, surface):
    engine = build()
    here = seen(engine, surface)
    mirrored = seen(engine, surface.flip(1))  # left and right change places
    assert_agree(change(here, lambda values: values.flip(2)[[1, 0, 3, 2]]), mirrored, rtol=1e-5, atol=1e-9)


def test_scan_rotation_turns_the_segments_counter_clockwise(build, surface):
    by_rotation = seen(build(pixel_nm=20.0, rotation_deg=30.0), surface)
    segments = tuple(
        Segment(name=f"S{i}", polar_deg=(20, 45), azimuth_deg=(90 * i + 30, 90 * i + 120)) for i in range(4)
    )
    assert_agree(by_rotation, seen(build(segments), surface), rtol=1e-12)


def test_signals_do_not_depend_on_the_pixel_size_of_a_plane(build):
    def plane(n, pixel_nm):
        axis = torch.arange(n, dtype=torch.float64) * pixel_nm
        return 0.3 * axis[None, :] - 0.2 * axis[:, None]

    coarse, fine = plane(32, 40.0), plane(64, 20.0)
    # The middle: a plane has no end, an image has.
    a = change(seen(build(pixel_nm=40.0), coarse), lambda values: values[:, 8:24, 8:24])
    b = change(seen(build(pixel_nm=20.0), fine), lambda values: values[:, 24:40, 24:40])
    assert_agree(a, b, rtol=1e-6)


def test_segments_are_independent_of_their_order(build, surface):
    order = (2, 0, 3, 1)
    segments = tuple(
        Segment(name=f"S{i}", polar_deg=(20, 45), azimuth_deg=(90 * i, 90 * i + 80), gain=1.0 + i)
        for i in range(4)
    )
    here = build(segments, seed=7).expected_signals(surface, ones(surface))
    there = build(tuple(segments[i] for i in order), seed=7).expected_signals(surface, ones(surface))
    assert torch.allclose(here[list(order)], there, rtol=1e-12)


def test_absolute_height_changes_nothing(build, surface):
    engine = build()
    assert_agree(seen(engine, surface + 1000.0), seen(engine, surface), rtol=1e-6)


def test_gain_offset_and_relative_yield_act_as_the_signal_equation_says(build, surface):
    plain = build(seed=3).expected_signals(surface, ones(surface))
    segments = tuple(
        Segment(name=f"S{i}", polar_deg=(20, 45), azimuth_deg=(90 * i, 90 * i + 90), gain=500.0, offset=30.0)
        for i in range(4)
    )
    relative_yield = torch.linspace(0.5, 1.5, surface.shape[1], dtype=torch.float64).expand_as(surface)
    signals = build(segments, seed=3).expected_signals(surface, relative_yield)
    assert torch.allclose(signals, 500.0 * plain * relative_yield + 30.0, rtol=1e-12)


def test_a_threshold_lowers_the_signal(build, surface):
    def total(threshold):
        segments = (Segment(name="A", polar_deg=(20, 45), azimuth_deg=(0, 360), threshold_kev=threshold),)
        return float(build(segments).expected_signals(surface, ones(surface)).sum())

    assert total(0.0) > total(2.0) > total(4.5) > 0


def test_float32_agrees_with_float64(build, surface):
    exact = seen(build(), surface)
    single = seen(build(dtype=torch.float32), surface.float())
    assert single[0].dtype == torch.float32
    assert_agree(change(single, lambda values: values.double()), exact, rtol=2e-4)


def test_an_unknown_beam_energy_is_asked_for(build, engine_name):
    setup = build().setup
    beam = setup.instrument.beam.model_copy(update={"energy_kev": None})
    instrument = setup.instrument.model_copy(update={"beam": beam})
    with pytest.raises(SettingsError, match=r"set beam\.energy_kev"):
        make_simulator(engine_name, ForwardSetup(instrument, setup.material, 20.0))


def test_a_detector_without_segments_is_asked_for(build, engine_name):
    setup = build().setup
    detector = setup.instrument.detector.model_copy(update={"segments": ()})
    instrument = setup.instrument.model_copy(update={"detector": detector})
    with pytest.raises(SettingsError, match="choose a detector preset"):
        make_simulator(engine_name, ForwardSetup(instrument, setup.material, 20.0))
