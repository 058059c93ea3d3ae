"""Settings forms made from pydantic models."""

from typing import Literal

import pytest
from pydantic import Field

from napari_sem4d.acquisition.instrument import Beam, Detector, StrictModel
from napari_sem4d.errors import SettingsError
from napari_sem4d.widgets.forms import label_of, settings_form


class Inner(StrictModel):
    radius_nm: float = Field(12.5, gt=0, description="Radius, nm")
    steps: int = Field(4, ge=1, le=9, description="Number of steps")


class Outer(StrictModel):
    engine: Literal["local", "vift"] = Field("local", description="Forward engine")
    tilt_deg: float | None = Field(None, description="Tilt, degrees")
    free: bool = Field(True, description="Free common gain")
    azimuth_deg: tuple[float, float] = Field((0.0, 90.0), description="Range")
    inner: Inner = Field(default_factory=Inner, description="Inner settings")


@pytest.fixture(autouse=True)
def _application(qtbot):
    """Widgets need a Qt application."""


def test_an_untouched_form_gives_the_defaults():
    assert settings_form(Outer).value() == Outer()


def test_what_is_entered_comes_back_as_a_checked_model():
    form = settings_form(Outer)
    form.fields["engine"].value = "vift"
    form.fields["tilt_deg"].value = "-12.5"
    form.fields["free"].value = False
    form.fields["azimuth_deg"].value = "-45, 45"
    form.groups["inner"].fields["radius_nm"].value = "3e-2"
    form.groups["inner"].fields["steps"].value = 7
    assert form.value() == Outer(
        engine="vift",
        tilt_deg=-12.5,
        free=False,
        azimuth_deg=(-45, 45),
        inner=Inner(radius_nm=0.03, steps=7),
    )


def test_a_form_shows_given_values_and_gives_them_back():
    given = Outer(engine="vift", tilt_deg=3.25, inner=Inner(radius_nm=1e-9, steps=2))
    assert settings_form(Outer, values=given).value() == given
    form = settings_form(Outer)
    form.set_value(given)
    assert form.value() == given


def test_a_wrong_entry_is_told_with_the_name_of_the_field():
    form = settings_form(Outer)
    form.groups["inner"].fields["radius_nm"].value = "-3"
    with pytest.raises(SettingsError, match=r"radius \(nm\).*'-3'.*greater than 0"):
        form.value()
    form.groups["inner"].fields["radius_nm"].value = "many"
    with pytest.raises(SettingsError, match="radius"):
        form.value()


def test_labels_carry_units_and_tooltips_the_descriptions():
    form = settings_form(Beam)
    assert form.fields["energy_kev"].label == "energy (keV)"
    assert "Landing energy" in form.fields["energy_kev"].tooltip
    assert label_of("working_distance_mm") == "working distance (mm)"


def test_skipped_fields_are_taken_from_elsewhere():
    form = settings_form(Outer, skip=["tilt_deg"])
    assert "tilt_deg" not in form.fields
    assert form.value(tilt_deg=5.0).tilt_deg == 5.0


def test_lists_of_models_keep_their_value():
    form = settings_form(Detector, values=Detector(name="BSE", working_distance_mm=5))
    assert form.value() == Detector(name="BSE", working_distance_mm=5)
