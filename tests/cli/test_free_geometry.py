"""What ``--free`` names reaches the settings."""

import pytest

from napari_sem4d.cli.options import freed, read_settings
from napari_sem4d.errors import SettingsError


def test_names_on_the_command_line_become_settings():
    given = freed("vickers.free_geometry", ["segment-azimuths", "working-distance"])
    settings = read_settings(None, [*given, *freed("free_geometry", ["azimuth"])])
    assert settings.vickers.free_geometry == ("segment_azimuths", "working_distance")
    assert settings.free_geometry == ("azimuth",)
    assert freed("free_geometry", None) == []


@pytest.mark.parametrize("part", ["working-distance", "nonsense"])
def test_what_images_alone_do_not_tell_is_no_setting(part):
    with pytest.raises(SettingsError, match="free_geometry"):
        read_settings(None, freed("free_geometry", [part]))
