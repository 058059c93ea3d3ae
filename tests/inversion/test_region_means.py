import numpy as np
import pytest

from napari_sem4d.errors import InputError
from napari_sem4d.inversion.regions import censored_mean, plane_trend, region_means, without_debris


def _rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_censored_mean_is_not_pulled_down_by_saturation() -> None:
    values = 100 + 10 * _rng().normal(size=20000)
    limit = 105.0
    clipped = np.minimum(values, limit)
    high = values >= limit
    assert clipped.mean() < 98.5
    assert clipped[~high].mean() < 96.0
    assert censored_mean(clipped, high) == pytest.approx(100.0, abs=0.3)


def test_standard_error_counts_correlated_noise() -> None:
    white = _rng().normal(size=(1, 128, 128))
    rough = np.repeat(np.repeat(_rng().normal(size=(1, 16, 16)), 8, axis=1), 8, axis=2)
    mask = np.ones((1, 128, 128), bool)
    fine = region_means(100 + white, mask, np.inf, 16).standard_error[0, 0]
    coarse = region_means(100 + rough, mask, np.inf, 16).standard_error[0, 0]
    assert fine == pytest.approx(1 / 128, rel=0.4)
    assert coarse == pytest.approx(1 / 16, rel=0.4)


def test_debris_is_left_out() -> None:
    image = 100 + _rng().normal(size=(1, 60, 60))
    image[0, 20:28, 30:38] = 20
    mask = np.ones((60, 60), bool)
    kept = without_debris(image, mask)
    assert not kept[20:28, 30:38].any()
    assert kept.mean() > 0.9
    assert region_means(image, mask[None], np.inf, 12).mean[0, 0] == pytest.approx(100, abs=0.15)


def test_shading_is_fitted_on_the_surroundings() -> None:
    rows, cols = np.indices((40, 50))
    images = np.stack([100 + 0.2 * rows - 0.1 * cols])
    trend = plane_trend(images, np.ones((40, 50), bool), 10.0, 20.0)
    np.testing.assert_allclose(images - trend, 100 + 0.2 * 10 - 0.1 * 20, atol=1e-9)


def test_a_region_saturated_throughout_is_refused() -> None:
    image = np.full((1, 40, 40), 255.0)
    image[0, :5] = 100
    with pytest.raises(InputError, match="saturated"):
        region_means(image, np.ones((1, 40, 40), bool), 255.0)


def test_a_tiny_region_is_refused() -> None:
    mask = np.zeros((1, 40, 40), bool)
    mask[0, :3, :3] = True
    with pytest.raises(InputError, match="too few"):
        region_means(np.ones((1, 40, 40)), mask)
