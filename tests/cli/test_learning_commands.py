"""`sem4d dataset` and `sem4d train`: a tiny training run from nothing to weights."""

import json

import yaml
from typer.testing import CliRunner

from napari_sem4d.cli import app
from napari_sem4d.surrogate.training_set import load_training_set
from napari_sem4d.surrogate.weights import load_weights


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def small_set(path, seed):
    settings = load_training_set().model_copy(
        update={
            "seed": seed,
            "core": 16,
            "halo": 8,
            "materials": ["Al"],
            "energies_kev": {2.0: 1.0},
            "electrons": 4.0,
        }
    )
    path.write_text(yaml.safe_dump(json.loads(settings.model_dump_json())), encoding="utf-8")
    return path


def test_a_network_is_trained_from_nothing(tmp_path):
    for name, seed in (("data", 1), ("other", 2)):
        done = run("dataset", "--settings", small_set(tmp_path / f"{name}.yaml", seed), "--patches", 4, "--out",
                   tmp_path / name, "-q")  # fmt: skip
        assert done.exit_code == 0, done.output
    plan = tmp_path / "training.yaml"
    plan.write_text(
        "architecture: {width: 2, depth: 1, order: 2}\nsteps: 4\nbatch: 2\ncheck_every: 2\n", encoding="utf-8"
    )
    arguments = ("train", tmp_path / "data", "--held-out", tmp_path / "other", "--settings", plan, "--out",
                 tmp_path / "run", "-q")  # fmt: skip
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    weights = load_weights(tmp_path / "run" / "vift.safetensors")
    assert weights.card["patches"] == 4
    tuned = run(*arguments[:-2], tmp_path / "tuned", "-q", "--start", tmp_path / "run" / "vift.safetensors")
    assert tuned.exit_code == 0, tuned.output
    plan.write_text("steps: 2\nbatch: 2\n", encoding="utf-8")
    tuned = run(*arguments[:-2], tmp_path / "same", "-q", "--start", tmp_path / "run" / "vift.safetensors")
    assert tuned.exit_code == 0, tuned.output
    same = load_weights(tmp_path / "same" / "vift.safetensors")
    assert same.network.architecture == weights.network.architecture
    assert same.card["started_from"] == weights.sha256
    plan.write_text("architecture: {width: 3, depth: 1, order: 2}\n", encoding="utf-8")
    other = run(*arguments[:-2], tmp_path / "else", "-q", "--start", tmp_path / "run" / "vift.safetensors")
    assert other.exit_code == 1
    assert "another width" in other.stderr


def test_a_file_that_is_no_training_set_is_refused(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("pitch: 0.5\n", encoding="utf-8")
    done = run("dataset", "--settings", wrong, "--out", tmp_path / "x", "-q")
    assert done.exit_code == 1
    assert "does not describe a training set" in done.stderr


def test_training_without_patches_is_refused(tmp_path):
    done = run("train", tmp_path, "--held-out", tmp_path, "--out", tmp_path / "run", "-q")
    assert done.exit_code == 1
    assert "sem4d dataset" in done.stderr
