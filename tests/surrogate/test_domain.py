"""What lies outside the network's training is said."""

import pytest

from napari_sem4d.surrogate.domain import beyond_training
from napari_sem4d.surrogate.weights import load_weights

INSIDE = {"eta0": 0.33, "energy_kev": 5.0, "probe_rho50": 0.2, "tilt_deg": 0.0}


def test_copper_at_5_kv_lies_inside_the_shipped_domain():
    assert beyond_training(load_weights().card, **INSIDE) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eta0": 0.02}, "backscatter coefficient of the material .0.02."),
        ({"energy_kev": 40.0}, "beam energy .40 keV. lies outside .* 30 keV"),
        ({"probe_rho50": 3.5}, "probe .3.5 exit radii."),
        ({"tilt_deg": 20.0}, "tilted stage .20 degrees"),
    ],
)
def test_each_condition_outside_is_named(change, words):
    import re

    notes = beyond_training(load_weights().card, **{**INSIDE, **change})
    assert len(notes) == 1
    assert re.search(words, notes[0])


def test_weights_without_a_domain_are_not_trusted():
    assert "do not say" in beyond_training({}, **INSIDE)[0]
