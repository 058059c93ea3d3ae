"""What every forward engine keeps to."""

import numpy as np
import pytest
import torch

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.errors import SettingsError
from napari_sem4d.forward.engine import Engine, ForwardSetup
from napari_sem4d.forward.registry import make_engine


def ones(surface):
    return torch.ones_like(surface)


def test_every_engine_satisfies_the_protocol(build):
    assert isinstance(build(), Engine)


def test_a_flat_surface_gives_equal_segments(build):
    flat = torch.zeros(24, 24, dtype=torch.float64)
    signals = build().expected_signals(flat, torch.ones_like(flat))
    assert signals.shape == (4, 24, 24)
    assert float(signals.min()) > 0
    assert torch.allclose(signals, signals.mean(), rtol=1e-6)


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
    here = engine.expected_signals(surface, ones(surface))
    turned = engine.expected_signals(torch.rot90(surface, 1), ones(surface))  # counter-clockwise on the screen
    # What segment k saw, segment k + 1 (90 degrees further counter-clockwise) sees now.
    for k in range(4):
        assert torch.allclose(torch.rot90(here[k], 1), turned[(k + 1) % 4], rtol=1e-5, atol=1e-9)


def test_mirroring_the_surface_mirrors_the_segments(build, surface):
    engine = build()
    here = engine.expected_signals(surface, ones(surface))
    mirrored = engine.expected_signals(surface.flip(1), ones(surface))  # left and right change places
    for k, partner in enumerate((1, 0, 3, 2)):
        assert torch.allclose(here[k].flip(1), mirrored[partner], rtol=1e-5, atol=1e-9)


def test_scan_rotation_turns_the_segments_counter_clockwise(build, surface):
    by_rotation = build(pixel_nm=20.0, rotation_deg=30.0).expected_signals(surface, ones(surface))
    segments = tuple(
        Segment(name=f"S{i}", polar_deg=(20, 45), azimuth_deg=(90 * i + 30, 90 * i + 120)) for i in range(4)
    )
    by_hand = build(segments).expected_signals(surface, ones(surface))
    assert torch.allclose(by_rotation, by_hand, rtol=1e-12)


def test_signals_do_not_depend_on_the_pixel_size_of_a_plane(build):
    def plane(n, pixel_nm):
        axis = torch.arange(n, dtype=torch.float64) * pixel_nm
        return 0.3 * axis[None, :] - 0.2 * axis[:, None]

    coarse, fine = plane(32, 40.0), plane(64, 20.0)
    a = build(pixel_nm=40.0).expected_signals(coarse, torch.ones_like(coarse))[:, 16, 16]
    b = build(pixel_nm=20.0).expected_signals(fine, torch.ones_like(fine))[:, 32, 32]
    assert torch.allclose(a, b, rtol=1e-6)


def test_segments_are_independent_of_their_order(build, surface):
    order = (2, 0, 3, 1)
    segments = tuple(
        Segment(name=f"S{i}", polar_deg=(20, 45), azimuth_deg=(90 * i, 90 * i + 80), gain=1.0 + i)
        for i in range(4)
    )
    here = build(segments).expected_signals(surface, ones(surface))
    there = build(tuple(segments[i] for i in order)).expected_signals(surface, ones(surface))
    assert torch.equal(here[list(order)], there)


def test_absolute_height_changes_nothing(build, surface):
    engine = build()
    here = engine.expected_signals(surface, ones(surface))
    assert torch.allclose(engine.expected_signals(surface + 1000.0, ones(surface)), here, rtol=1e-6)


def test_gain_offset_and_relative_yield_act_as_the_signal_equation_says(build, surface):
    plain = build().expected_signals(surface, ones(surface))
    segments = tuple(
        Segment(name=f"S{i}", polar_deg=(20, 45), azimuth_deg=(90 * i, 90 * i + 90), gain=500.0, offset=30.0)
        for i in range(4)
    )
    relative_yield = torch.linspace(0.5, 1.5, surface.shape[1], dtype=torch.float64).expand_as(surface)
    signals = build(segments).expected_signals(surface, relative_yield)
    assert torch.allclose(signals, 500.0 * plain * relative_yield + 30.0, rtol=1e-12)


def test_a_threshold_lowers_the_signal(build, surface):
    def total(threshold):
        segments = (Segment(name="A", polar_deg=(20, 45), azimuth_deg=(0, 360), threshold_kev=threshold),)
        return float(build(segments).expected_signals(surface, ones(surface)).sum())

    assert total(0.0) > total(2.0) > total(6.0) > 0


def test_float32_agrees_with_float64(build, surface):
    exact = build().expected_signals(surface, ones(surface))
    single = build(dtype=torch.float32).expected_signals(surface.float(), ones(surface).float())
    assert single.dtype == torch.float32
    assert np.allclose(single.numpy(), exact.numpy(), rtol=2e-4)


def test_an_unknown_beam_energy_is_asked_for(build, engine_name):
    setup = build().setup
    beam = setup.instrument.beam.model_copy(update={"energy_kev": None})
    instrument = setup.instrument.model_copy(update={"beam": beam})
    with pytest.raises(SettingsError, match=r"set beam\.energy_kev"):
        make_engine(engine_name, ForwardSetup(instrument, setup.material, 20.0))


def test_a_detector_without_segments_is_asked_for(build, engine_name):
    setup = build().setup
    detector = setup.instrument.detector.model_copy(update={"segments": ()})
    instrument = setup.instrument.model_copy(update={"detector": detector})
    with pytest.raises(SettingsError, match="choose a detector preset"):
        make_engine(engine_name, ForwardSetup(instrument, setup.material, 20.0))
