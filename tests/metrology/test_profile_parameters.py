import numpy as np
import pytest

from napari_sem4d.errors import DomainError
from napari_sem4d.metrology.profile_roughness import profile_elements, profile_parameters

SPACING = 10.0


def sine(n=6401, amplitude=50.0, wavelength=1280.0):
    return amplitude * np.sin(2 * np.pi * np.arange(n) * SPACING / wavelength)


def test_a_sine_has_its_closed_form_profile_parameters():
    figures = profile_parameters(sine(), SPACING, 6400.0)
    assert figures.ra == pytest.approx(100 / np.pi, rel=5e-4)
    assert figures.rq == pytest.approx(50 / np.sqrt(2), rel=2e-4)
    assert (figures.rp, figures.rv, figures.rz, figures.rt) == pytest.approx((50, 50, 100, 100), abs=1e-3)
    assert (figures.rsk, figures.rku) == pytest.approx((0.0, 1.5), abs=1e-3)
    assert figures.rdq == pytest.approx(2 * np.pi * 50 / 1280 / np.sqrt(2), rel=5e-4)
    assert (figures.rsm, figures.rc) == pytest.approx((1280.0, 100.0), rel=1e-3)
    assert figures.sections == 10


def test_section_means_differ_from_the_evaluation_length_where_one_section_holds_a_spike():
    z = sine()
    z[700] = 250.0
    figures = profile_parameters(z, SPACING, 6400.0)
    assert figures.rt == pytest.approx(300.0, abs=0.1)
    assert figures.rp == pytest.approx((250 + 9 * 50) / 10, abs=0.1)
    assert figures.rz == pytest.approx((300 + 9 * 100) / 10, abs=0.1)


def test_ripples_below_a_tenth_of_the_height_are_no_profile_elements():
    ripple = sine() + sine(amplitude=3.0, wavelength=60.0)
    assert profile_parameters(ripple, SPACING, 6400.0).rsm == pytest.approx(1280.0, rel=0.01)
    every = profile_elements(ripple, SPACING, 0.0, 0.0)
    assert every.spacing_nm.mean() < 1000.0


def test_gaps_are_left_out():
    z = sine()
    z[1000:1020] = np.nan
    whole, pierced = profile_parameters(sine(), SPACING, 6400.0), profile_parameters(z, SPACING, 6400.0)
    assert pierced.rq == pytest.approx(whole.rq, rel=2e-3)
    assert pierced.rdq == pytest.approx(whole.rdq, rel=2e-3)
    assert pierced.rsm == pytest.approx(whole.rsm, rel=2e-3)


def test_a_flat_profile_has_no_skewness_and_no_elements():
    figures = profile_parameters(np.full(100, 3.0), SPACING)
    assert (figures.ra, figures.rt) == (0.0, 0.0)
    assert np.isnan([figures.rsk, figures.rku, figures.rsm, figures.rc]).all()


def test_a_profile_that_is_too_short_is_refused():
    with pytest.raises(DomainError, match="shorter than one section"):
        profile_parameters(sine(100), SPACING, 6400.0)
    with pytest.raises(DomainError, match="10 valid samples"):
        profile_parameters(np.full(100, np.nan), SPACING)
