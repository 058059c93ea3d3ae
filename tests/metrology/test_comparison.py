import numpy as np
import pytest
from metrology_surfaces import correlated, grid

from napari_sem4d.errors import DomainError, InputError
from napari_sem4d.metrology.comparison import compare, measurement_noise


@pytest.fixture(scope="module")
def world():
    """A surface on 5 nm pixels, 3.84 um wide."""
    return correlated(150, 150, 20, 0, n=768, pixel=5.0)


def test_a_shifted_tilted_and_stretched_map_is_found_again(world):
    reference = world[100:612, 100:612]
    x, y = grid(512, 5.0)
    # Features of the moving map lie 35 nm to the left and 60 nm up.
    moving = 1.07 * world[112:624, 107:619] + 0.02 * x - 0.01 * y + 300.0
    found = compare(reference, 5.0, moving, 5.0)
    assert found.shift_nm == pytest.approx((-35.0, 60.0), abs=0.1)
    assert found.amplitude == pytest.approx(1.07, abs=1e-3)
    assert found.rms_nm == pytest.approx(0.07 * 20, rel=0.15)
    assert found.rms_scaled_nm < 0.2
    assert found.correlation > 0.999
    assert found.overlap == pytest.approx((512 - 12) * (512 - 7) / 512**2, abs=0.01)


def test_a_finer_map_with_other_pixels_noise_and_holes_is_compared_on_the_reference(world):
    rng = np.random.default_rng(1)
    coarse = world.reshape(384, 2, 384, 2).mean(axis=(1, 3))
    moving = world + rng.normal(0, 3, world.shape)
    moving[200:240, 300:400] = np.nan
    found = compare(coarse, 10.0, moving, (5.0, 5.0))
    assert found.shift_nm == pytest.approx((0.0, 0.0), abs=0.3)
    assert found.amplitude == pytest.approx(1.0, abs=5e-3)
    # 3 nm on four pixels, smoothed a little more by the interpolation.
    assert 0.8 < found.rms_nm < 2.5
    assert np.isnan(found.difference[105:115, 160:190]).all()


def test_a_shift_of_part_of_a_pixel_is_measured(world):
    k = 2 * np.pi * np.fft.fftfreq(768)
    moved = np.fft.ifft2(np.fft.fft2(world) * np.exp(-1j * k * 0.4)).real
    found = compare(world, 5.0, moved, 5.0)
    # 0.4 of a pixel to the right.
    assert found.shift_nm == pytest.approx((2.0, 0.0), abs=0.05)


def test_maps_of_different_places_are_refused(world):
    other = correlated(150, 150, 20, 99, n=256, pixel=5.0)
    with pytest.raises(DomainError, match="resemble"):
        compare(world[:256, :256], 5.0, other, 5.0, largest_shift_nm=50.0)


def test_the_noise_of_two_repeats_is_that_of_one_map(world):
    rng = np.random.default_rng(2)
    a, b = (world + rng.normal(0, 1.5, world.shape) for _ in range(2))
    x, _ = grid(768, 5.0)
    assert measurement_noise(a, b + 0.1 * x, 5.0) == pytest.approx(1.5, rel=0.01)
    with pytest.raises(InputError, match="same shape"):
        measurement_noise(a, b[1:], 5.0)
