"""Training end to end, tiny: it learns, stops and goes on with the same result; weights are checked on loading."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sem4d.errors import InputError, StoreError
from napari_sem4d.physics.probe import blur
from napari_sem4d.surrogate.baseline import baseline
from napari_sem4d.surrogate.dataset import make_dataset
from napari_sem4d.surrogate.training import Training, TrainingSettings, load_training_settings
from napari_sem4d.surrogate.training_data import load_training_data
from napari_sem4d.surrogate.training_set import load_training_set
from napari_sem4d.surrogate.vift import Architecture
from napari_sem4d.surrogate.weights import load_weights, read_tensors


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    settings = load_training_set().model_copy(
        update={
            "core": 32,
            "halo": 8,
            "beyond": 4,
            "materials": ["Al"],
            "energies_kev": {2.0: 1.0},
            "electrons": 20.0,
            "families": {"ridge": {"width": (2.0, 3.0)}},
            "sharp": 1.0,
        }
    )
    make_dataset(folder, settings, 8)
    return load_training_data(folder, 2)


def settings(**changes):
    small = Architecture(width=3, depth=1, cell_width=2, cell_depth=(0, 1), head_width=4, order=2)
    chosen = {"architecture": small, "steps": 30, "batch": 4, "warm_up": 5, "check_every": 10, "averaging": 0.8}
    return TrainingSettings(**(chosen | changes))


def test_training_explains_part_of_what_the_baseline_leaves(data, tmp_path):
    training = Training(settings(steps=60), data, data, tmp_path)
    before = training.error(data)
    records = list(training.run())
    assert records[-1].fraction == 1.0
    assert training.error(data) < before
    assert "held-out" in records[-1].message


def test_what_the_baseline_misses_is_the_error_of_a_network_that_has_learnt_nothing(data, tmp_path):
    untrained = Training(settings(), data, data, tmp_path)
    assert float(data.missed.mean()) == pytest.approx(untrained.error(data), rel=1e-4)
    assert float(data.missed.mean()) > 0


def test_evenness_makes_patches_count_where_little_is_missed(data, tmp_path):
    # Surfaces of the easy half are those of the other half with the targets' signs turned: one must lose.
    half = len(data.height) // 2
    easy = replace(
        data,
        height=torch.cat([data.height[:half]] * 2),
        target=torch.cat([data.target[:half], -0.3 * data.target[:half]]),
        missed=torch.cat([data.missed[:half], 0.09 * data.missed[:half]]),
        conditions=torch.cat([data.conditions[:half]] * 2),
    )
    only = replace(
        easy, **{name: getattr(easy, name)[half:] for name in ("height", "target", "missed", "conditions")}
    )
    errors = []
    for evenness in (0.0, 1.0):
        training = Training(settings(steps=60, evenness=evenness), easy, easy, tmp_path / f"{evenness}")
        list(training.run())
        errors.append(training.error(only))
    assert errors[1] < errors[0]


def test_a_training_that_is_resumed_ends_as_one_that_was_not(data, tmp_path):
    whole = Training(settings(), data, data, tmp_path / "whole")
    list(whole.run())
    part = Training(settings(), data, data, tmp_path / "part")
    steps = part.run()
    next(steps)
    resumed = Training(settings(), data, data, tmp_path / "part")
    assert resumed.step == 10
    list(resumed.run())
    for a, b in zip(whole.average.parameters(), resumed.average.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_a_folder_of_another_training_is_left_alone(data, tmp_path):
    list(Training(settings(), data, data, tmp_path).run())
    with pytest.raises(StoreError, match="other settings"):
        Training(settings(steps=31), data, data, tmp_path)


def test_weights_come_back_with_their_card(data, tmp_path):
    training = Training(settings(), data, data, tmp_path)
    list(training.run())
    weights = load_weights(tmp_path / "vift.safetensors")
    assert weights.card["patches"] == 8
    assert weights.sha256 == weights.card["sha256"]
    assert weights.network.architecture == settings().architecture


def test_weights_for_another_local_law_are_refused_but_can_be_started_from(data, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_sem4d.surrogate.weights.FORMAT", 1)
    list(Training(settings(steps=10), data, data, tmp_path).run())
    monkeypatch.undo()
    with pytest.raises(StoreError, match="sem4d train --start"):
        load_weights(tmp_path / "vift.safetensors")
    start = read_tensors(tmp_path / "vift.safetensors")
    assert Training(settings(), data, data, tmp_path / "new", start=start).error(data) > 0


def of_depth(depth, **changes):
    sizes = settings().architecture.model_copy(update={"depth": depth, **changes})
    return settings(architecture=sizes, steps=10)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_a_training_takes_over_what_fits_of_a_network_of_another_depth(data, tmp_path, before, after):
    list(Training(of_depth(before), data, data, tmp_path / "old").run())
    old = read_tensors(tmp_path / "old" / "vift.safetensors")
    started = Training(of_depth(after), data, data, tmp_path / "new", start=old).network.state_dict()
    for name in {"stem.weight", "blocks.0.widen.weight", "lower.weight", "condition.0.weight"}:
        assert torch.equal(old.state[name], started[name])
    shared = min(len(old.state["condition.2.bias"]), len(started["condition.2.bias"]))
    assert torch.equal(old.state["condition.2.bias"][:shared], started["condition.2.bias"][:shared])
    assert all(tensor.isfinite().all() for tensor in started.values())


def test_a_training_that_takes_over_weights_without_elevations_starts_with_the_same_answers(data, tmp_path):
    list(Training(of_depth(1, elevations=False), data, data, tmp_path / "old").run())
    old = read_tensors(tmp_path / "old" / "vift.safetensors")
    started = Training(of_depth(1), data, data, tmp_path / "new", start=old)
    assert started.error(data) == pytest.approx(old.card["held_out_error"], rel=1e-5)


@pytest.mark.parametrize("order", [1, 3])
def test_a_training_takes_over_the_coefficients_that_both_networks_have(data, tmp_path, order):
    list(Training(of_depth(1), data, data, tmp_path / "old").run())
    old = read_tensors(tmp_path / "old" / "vift.safetensors")
    found = []
    for number, taken in enumerate((of_depth(1), of_depth(1, order=order))):
        network = Training(taken, data, data, tmp_path / f"new{number}", start=old).network
        with torch.no_grad():
            height, conditions, _ = data.batch(np.arange(2))
            found.append(network(height, conditions, data.pitch).unflatten(1, (2, -1)))
    shared = min(found[0].shape[2], found[1].shape[2])
    assert torch.allclose(found[0][:, :, :shared], found[1][:, :, :shared], atol=1e-6)
    assert float(found[0].abs().max()) > 1e-4


def test_the_shipped_state_can_be_taken_up_again(data, tmp_path):
    kept = Path(__file__).parents[2] / "tools" / "vift_training"
    (tmp_path / "state.safetensors").write_bytes((kept / "state.safetensors").read_bytes())
    shipped = load_training_settings(kept / "settings.yaml")
    assert Training(shipped, data, data, tmp_path).step == shipped.steps


def test_a_training_does_not_start_from_weights_of_other_sizes(data, tmp_path):
    list(Training(of_depth(1), data, data, tmp_path / "old").run())
    old = read_tensors(tmp_path / "old" / "vift.safetensors")
    with pytest.raises(InputError, match="another width"):
        Training(of_depth(1, width=4), data, data, tmp_path / "new", start=old)


def test_a_resumed_training_remembers_what_it_started_from(data, tmp_path):
    list(Training(of_depth(1), data, data, tmp_path / "old").run())
    old = read_tensors(tmp_path / "old" / "vift.safetensors")
    list(Training(settings(), data, data, tmp_path / "new", start=old).run())
    assert read_tensors(tmp_path / "new" / "vift.safetensors").card["started_from"] == old.sha256
    assert Training(settings(), data, data, tmp_path / "new").about()["started_from"] == old.sha256
    assert Training(settings(), data, data, tmp_path / "third").about()["started_from"] is None


def test_weights_that_were_changed_are_refused(data, tmp_path):
    list(Training(settings(), data, data, tmp_path).run())
    path = tmp_path / "vift.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="SHA-256"):
        load_weights(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        load_weights(path)


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(InputError, match="sem4d dataset"):
        load_training_data(tmp_path, 2)


def test_baselines_are_kept_beside_their_chunk(data, tmp_path_factory):
    assert list(tmp_path_factory.getbasetemp().glob("set*/fitted-*.npz"))


def test_the_target_of_a_flat_is_noise_about_zero():
    from napari_sem4d.surrogate.patches import simulate_case
    from napari_sem4d.surrogate.training_set import Case

    chosen = load_training_set().model_copy(update={"core": 32, "halo": 8, "beyond": 0, "electrons": 100.0})
    case = Case(0, ("flat",), "Al", 2.0, 0.0, np.zeros((48, 48), np.float32), 9)
    found, electrons = simulate_case(case, chosen)
    base = baseline("Al", 2.0, 5, (0.0, 0.35))(torch.zeros(48, 48), 0.5, 0.0)[..., 8:-8, 8:-8].numpy()
    error = (found - base).mean(axis=(2, 3))
    scatter = found.std(axis=(2, 3)) / 32
    assert np.abs(error / np.maximum(scatter, 1e-9)).max() < 5.0 or np.abs(error).max() < 0.01 * base[0, 0].mean()
    assert electrons > 100


def test_a_blur_keeps_the_sum_and_is_its_own_adjoint():
    rng = np.random.default_rng(1)
    a, b = (torch.as_tensor(rng.normal(size=(20, 30))) for _ in range(2))
    assert float(blur(a, 1.3).sum()) == pytest.approx(float(a.sum()), rel=1e-6)
    assert float((blur(a, 1.3) * b).sum()) == pytest.approx(float((a * blur(b, 1.3)).sum()), rel=1e-9)
    assert torch.equal(blur(a, 0.0), a)


def test_a_card_can_be_read_by_anyone(data, tmp_path):
    list(Training(settings(), data, data, tmp_path).run())
    card = json.loads((tmp_path / "vift.json").read_text(encoding="utf-8"))
    assert {"training", "steps", "patches", "held_out_error", "sha256"} <= set(card)
