import numpy as np
import pytest

from napari_sem4d.physics.materials import material
from napari_sem4d.physics.monte_carlo.tables import (
    elastic_cross_section_nm2,
    inverse_mean_free_path,
    isotropic_probability,
    stopping,
    transport_table,
)


def test_cross_section_equals_the_published_formula_by_hand():
    # Browning et al. 1994 for copper at 1 keV: 3e-18 x 29^1.7 / (1 + 0.005 x 29^1.7 + 0.0007 x 29^2) cm2
    assert elastic_cross_section_nm2(29, np.array(1.0)) == pytest.approx(0.0295, rel=0.005)


def test_stopping_power_of_copper_at_5_kev_equals_the_modified_bethe_law_by_hand():
    # 78500 x 8.96 x 29 / (63.546 x 5) x ln(1.166 (5 + 0.8316 x 0.322) / 0.322) keV/cm
    expected = 78500 * 8.96 * 29 / (63.546 * 5) * np.log(1.166 * (5 + 0.8316 * 0.322) / 0.322) * 1e-7
    assert stopping(material("Cu"), np.array(5.0)) == pytest.approx(expected, rel=1e-3)


def test_stopping_power_stays_positive_at_low_energies_where_bethe_fails():
    energy = np.linspace(0.05, 1.0, 50)
    assert np.all(stopping(material("Au"), energy) > 0)


def test_compound_of_one_element_twice_equals_the_element():
    energy = np.array([1.0, 10.0])
    for a, b in zip(
        inverse_mean_free_path(material("Cu"), energy), inverse_mean_free_path(material("Cu2@8.96"), energy),
        strict=True,
    ):  # fmt: skip
        assert b == pytest.approx(a, rel=1e-12)


def test_collisions_in_a_compound_are_those_of_its_atoms():
    energy = np.array([5.0])
    rate, isotropic = inverse_mean_free_path(material("Cu2O"), energy)
    copper, oxygen = elastic_cross_section_nm2(29, energy), elastic_cross_section_nm2(8, energy)
    share = 2 * copper / (2 * copper + oxygen)
    expected = share * isotropic_probability(29, energy) + (1 - share) * isotropic_probability(8, energy)
    assert isotropic == pytest.approx(expected, rel=1e-6)
    molecules_nm3 = 6.00 * 6.02214e23 / 143.09 * 1e-21
    assert rate == pytest.approx(molecules_nm3 * (2 * copper + oxygen), rel=1e-3)


def test_tables_agree_with_each_other_and_with_the_slowing_down():
    table = transport_table(material("Cu"), 10.0)
    energy = np.linspace(0.3, 10.0, table.path_at.size)
    back = np.interp(table.path_at, np.linspace(0, table.path_nm, table.energy_at.size), table.energy_at)
    assert back == pytest.approx(energy, abs=2e-3)
    slope = np.gradient(table.energy_at, table.path_nm / (table.energy_at.size - 1))
    assert slope[50:-1] == pytest.approx(stopping(material("Cu"), table.energy_at[50:-1]), rel=5e-3)
    assert np.all(np.diff(table.scatter[:, 0]) > 0)
