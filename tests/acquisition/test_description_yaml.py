"""acquisition.yaml: what it may hold, and the sentences about what it may not."""

import numpy as np
import pytest
from pydantic import Field

from napari_sem4d.acquisition.description import AcquisitionSettings, TimeAxis, load_description
from napari_sem4d.acquisition.instrument import StrictModel
from napari_sem4d.acquisition.yaml_settings import load_yaml
from napari_sem4d.errors import SettingsError

FULL = """
beam: {energy_kev: 10, tilt_deg: 0, probe_nm: 2}
material: Cu
pixel_nm: 12.5
time: {start_s: 0, step_s: 4}
detector:
  working_distance_mm: 5
  segments:
    - {name: A, polar_deg: [15, 45], azimuth_deg: [0, 90], threshold_kev: 1.0, gain: 1.0, offset: 0.0}
files: "{time:04d}_{segment}.tif"
"""


def written(tmp_path, text):
    path = tmp_path / "acquisition.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_documented_example_is_read(tmp_path):
    settings = load_description(written(tmp_path, FULL))
    assert settings.beam.energy_kev == 10
    assert settings.detector.segments[0].polar_deg == (15, 45)
    assert settings.files == "{time:04d}_{segment}.tif"
    np.testing.assert_array_equal(settings.time.values(3), [0, 4, 8])
    assert settings.beam.model_fields_set == {"energy_kev", "tilt_deg", "probe_nm"}


def test_settings_survive_a_round_trip(tmp_path):
    settings = load_description(written(tmp_path, FULL))
    assert AcquisitionSettings.model_validate_json(settings.model_dump_json()) == settings


def test_an_empty_file_says_nothing(tmp_path):
    settings = load_description(written(tmp_path, "# nothing yet\n"))
    assert settings == AcquisitionSettings()
    assert not settings.time.known


def test_irregular_times_are_a_plain_list(tmp_path):
    settings = load_description(written(tmp_path, "time: [0, 1.5, 7]"))
    np.testing.assert_array_equal(settings.time.values(3), [0, 1.5, 7])
    with pytest.raises(SettingsError, match="lists 3 times, but the series has 4 frames"):
        settings.time.values(4)


def test_times_must_increase(tmp_path):
    with pytest.raises(SettingsError, match="times must increase; time 2 is 1 s after 2 s at time 1"):
        load_description(written(tmp_path, "time: [0, 2, 1]"))


def test_unknown_times_are_not_made_up():
    with pytest.raises(SettingsError, match="times of the frames are unknown"):
        TimeAxis().values(2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pixle_nm: 3", r"Unknown key 'pixle_nm' in .*acquisition\.yaml; the nearest known key is 'pixel_nm'"),
        (
            "beam: {energy: 5}",
            r"Unknown key 'energy' under 'beam' in .*yaml; the nearest known key is 'energy_kev'",
        ),
        ("energy_kev: 5", r"Unknown key 'energy_kev' in .*; the nearest known key is 'beam.energy_kev'"),
        (
            "detector: {segments: [{name: A, polar: [1, 2], azimuth_deg: [0, 90]}]}",
            r"Unknown key 'polar' under 'detector\.segments\.0' .* nearest known key is 'polar_deg'",
        ),
        ("xyzzy: 1", r"Unknown key 'xyzzy' .* known keys are: beam, material, pixel_nm"),
        ("pixel_nm: -2", r"'pixel_nm' in .*yaml: Input should be greater than 0 \(given: -2\)"),
        ("pixel_nm: wide", r"'pixel_nm' in .*should be a valid number.*\(given: 'wide'\)"),
        ("pixel_nm: 1\npixel_nm: 2", r"not valid YAML in line 2: the key 'pixel_nm' is written twice"),
        ("a: [1", r"is not valid YAML in line"),
        ("- 1", r"must hold 'key: value' lines at its top level, not a list"),
        ("material: !!python/object/apply:os.getcwd []", r"is not valid YAML .*could not determine a constructor"),
    ],
)
def test_faults_are_named_with_file_and_key(tmp_path, text, message):
    with pytest.raises(SettingsError, match=message):
        load_description(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.yaml does not exist"):
        load_description(tmp_path / "none.yaml")


def test_a_file_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "acquisition.yaml"
    path.write_bytes("material: Kupfer-Grün".encode("latin-1"))
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load_description(path)


def test_a_larger_settings_tree_reads_the_same_file(tmp_path):
    class Solver(StrictModel):
        steps: int = Field(4, description="Steps")

    class Tree(AcquisitionSettings):
        solver: Solver = Field(default_factory=Solver, description="Solver")

    path = written(tmp_path, FULL + "solver: {steps: 7}\n")
    assert load_yaml(path, Tree).solver.steps == 7
    with pytest.raises(SettingsError, match="Unknown key 'solver'"):
        load_yaml(path, AcquisitionSettings)
    with pytest.raises(SettingsError, match=r"Unknown key 'step' under 'solver'.* 'steps'"):
        load_yaml(written(tmp_path, "solver: {step: 7}"), Tree)
