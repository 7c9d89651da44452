"""The wider family of models from Python: known values, the physics that theory gives, starting models."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

import phasegrid

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments"))
import known_values


def polygon(k, radius):
    turns = 2 * np.pi * np.arange(k) / k
    return radius * np.stack([np.cos(turns), np.sin(turns)], axis=1)


def gaps(weights):
    """Angles between neighbouring directions of a plane, in degrees."""
    angles = np.sort(np.degrees(np.arctan2(weights[:, 1], weights[:, 0])))
    return np.diff(np.append(angles, angles[0] + 360))


# Fewer seeds than `python experiments/known_values.py` takes; its own bounds widen with the standard errors.
def test_known_values():
    for row in known_values.rows(seeds=48):
        assert row.off <= 1, f"{row.name}: {row.mean:.6g} where {row.known:.6g} is known"


def test_five_features_in_a_plane_are_a_pentagon():
    results = phasegrid.train(
        n_features=5,
        n_hidden=2,
        sparsity=0.95,
        restarts=20,
        bias_init="zero",
        steps=10000,
        batch=1024,
        learning_rate=0.003,
        weight_decay=0,
        progress=False,
    )
    assert results.reconstruction_losses.ravel()[0] == pytest.approx(0.00168, rel=0.02)
    assert gaps(results.expert_weights[0, 0, 0]) == pytest.approx(np.full(5, 72), abs=1)


def test_dense_inputs_give_the_principal_components():
    results = phasegrid.train(
        n_features=5,
        n_hidden=2,
        sparsity=0,
        restarts=10,
        bias_init="zero",
        weight_decay=0,
        steps=8000,
        batch=1024,
        schedule="cosine",
        learning_rate=0.003,
        progress=False,
    )
    assert results.all_reconstruction_losses.ravel() == pytest.approx(np.full(10, (5 - 2) / (12 * 5)), rel=0.01)


@pytest.mark.parametrize("k, norm, bias, loss", [(5, 1.17046, -0.2823, 0.015826), (6, 1.32053, -0.61814, 0.048192)])
def test_one_active_feature_stays_at_its_polygon(k, norm, bias, loss):
    start = {"W": polygon(k, norm), "b": np.full(k, bias)}
    results = phasegrid.train(
        n_features=k,
        n_hidden=2,
        active=1,
        loss="sum",
        learning_rate=0.01,
        steps=4000,
        batch=1024,
        weight_decay=0,
        schedule="cosine",
        restarts=3,
        initial=start,
        progress=False,
    )
    assert results.all_reconstruction_losses.ravel() == pytest.approx(np.full(3, loss), rel=0.01)
    assert gaps(results.expert_weights[0, 0, 0]) == pytest.approx(np.full(k, 360 / k), abs=1)


def test_zero_steps_evaluate_the_models_they_are_given(tmp_path):
    settings = dict(n_features=6, n_hidden=2, n_experts=2, restarts=3, steps=300, progress=False)
    trained = phasegrid.train(sparsity=[0.5, 0.8], **settings)
    again = phasegrid.train(sparsity=[0.5, 0.8], **(settings | {"steps": 0, "restarts": 1}), initial=trained)
    assert again.expert_weights.tobytes() == trained.expert_weights.tobytes()
    assert again.reconstruction_losses == pytest.approx(trained.reconstruction_losses, rel=0.05)
    trained.save(tmp_path / "trained.npz")
    from_file = phasegrid.train(
        sparsity=[0.5, 0.8], **(settings | {"steps": 0, "restarts": 1}), from_init=str(tmp_path / "trained.npz")
    )
    assert from_file.reconstruction_losses.tobytes() == again.reconstruction_losses.tobytes()


def test_starting_models_must_fit():
    settings = dict(n_features=3, n_hidden=2, sparsity=0.5, steps=0, progress=False)
    weights = polygon(3, 1.0)
    for start, said in [
        ({"W": weights}, "initial has no b"),
        ({"W": weights, "b": np.zeros(4)}, r"initial\['b'\] must be of shape \(1, 3\), not \(4,\)"),
        ({"W": weights, "b": np.zeros(3), "D": weights}, "initial has 'decoder_weights'"),
        ({"W": weights * math.nan, "b": np.zeros(3)}, "of finite numbers"),
        (7, "initial must be Results or a mapping of arrays, not 7"),
    ]:
        with pytest.raises(ValueError, match=said):
            phasegrid.train(**settings, initial=start)


def test_models_without_biases_and_with_decoders():
    results = phasegrid.train(
        n_features=6,
        n_hidden=2,
        n_experts=2,
        sparsity=0.5,
        steps=20,
        restarts=2,
        tied=False,
        bias=False,
        keep="all",
        snapshots=[0, 20],
        progress=False,
    )
    assert set(results.core.parts) == {"expert_weights", "decoder_weights", "router_weights"}
    assert results.decoder_weights.shape == results.expert_weights.shape == (1, 1, 2, 6, 2)
    assert not np.array_equal(results.decoder_weights, results.expert_weights)
    assert not results.biases.any()
    assert results.biases.shape == (1, 1, 2, 6)
    assert results.all_decoder_weights.shape == (1, 1, 2, 2, 6, 2)
    assert results.snapshot_decoder_weights.shape == (1, 1, 2, 2, 6, 2)
    x = np.array([0.5, 0, 0, 0.25, 0, 0], np.float32)
    e = int(results.route((0, 0), x[None]).experts[0, 0])
    expected = np.maximum(results.decoder_weights[0, 0, e] @ (results.expert_weights[0, 0, e].T @ x), 0)
    assert results.reconstruct((0, 0), x[None])[0] == pytest.approx(expected, abs=1e-6)
    tied = phasegrid.train(n_features=6, n_hidden=2, sparsity=0.5, steps=5, restarts=1, progress=False)
    assert tied.decoder_weights.tobytes() == tied.expert_weights.tobytes()


def test_restarts_and_cells_may_share_their_inputs():
    settings = dict(
        n_features=4,
        n_hidden=2,
        n_experts=2,
        sparsity=0.5,
        steps=0,
        restarts=3,
        keep="last-batch",
        load_balance=0,
        progress=False,
    )
    start = {"W": np.ones((2, 4, 2)), "b": np.zeros((2, 4)), "G": np.zeros((2, 4))}
    assert len(set(phasegrid.train(**settings, initial=start).all_losses.ravel())) == 3
    assert len(set(phasegrid.train(**settings, shared="restarts", initial=start).all_losses.ravel())) == 1
    grid = settings | {"learning_rate": [0.001, 0.002], "restarts": 1}
    assert len(set(phasegrid.train(**grid, initial=start).all_losses.ravel())) == 2
    assert len(set(phasegrid.train(**grid, shared="cells", initial=start).all_losses.ravel())) == 1


def test_measures_draw_inputs_of_the_cells_own_law():
    results = phasegrid.train(n_features=6, n_hidden=2, n_experts=3, active=1, steps=50, restarts=2, progress=False)
    usage = results.expert_usage(inputs="all")
    assert usage.active.sum() == pytest.approx(1)
    # One active feature: an expert's usage is a whole number of sixths.
    assert usage.active.ravel() * 6 == pytest.approx(np.round(usage.active.ravel() * 6), abs=0.1)


def test_conventions_are_the_defaults_of_others():
    sweep = phasegrid.Sweep(convention="anthropic", n_features=5, n_hidden=2, sparsity=0.9, steps=7)
    train, init = sweep.settings, sweep.settings
    assert (train["steps"], train["batch"], init["bias_init"]) == (7, 1024, "zero")
    liu = phasegrid.Sweep(convention="liu2025", n_features=20, n_hidden=4, sparsity=0.9).settings
    assert liu["weights_init"] == {"normal": 0.5}
    assert liu["values"] == {"uniform": [0, 2]}
    with pytest.raises(ValueError, match='convention must be "anthropic" or "arena" or'):
        phasegrid.Sweep(convention="openai", n_features=5, sparsity=0.9)


def test_kept_models_are_evaluated_at_other_settings():
    results = phasegrid.train(
        n_features=8, n_hidden=3, sparsity=0.9, weight_decay=[0, 0.1], restarts=2, steps=500, progress=False
    )
    there = results.evaluate(sparsity=[0.5, 0.9, 0.99])
    assert list(there.axes) == ["sparsity", "last_importance", "weight_decay"]
    assert there.reconstruction_losses.shape == (3, 1, 2)
    assert there.reconstruction_losses[1] == pytest.approx(results.reconstruction_losses[0], rel=0.05)
    assert (there.reconstruction_losses[0] > there.reconstruction_losses[2]).all()
    assert there.expert_weights[2, 0, 1].tobytes() == results.expert_weights[0, 0, 1].tobytes()
    with pytest.raises(ValueError, match="initial has 2 values of weight_decay and the sweep 3"):
        results.evaluate(weight_decay=[0, 0.1, 0.2])


OPTIONS = [
    {"tied": False, "hidden": "relu", "output": "linear", "bias": False},
    {"values": "normal", "target": "absolute"},
    {"values": {"uniform": [-1, 2]}, "samples": 30},
    {"values": "one", "groups": {"kind": "anticorrelated", "size": 2}},
    {"active": [1, 3]},
    {"sparsity": {"power": 1.1, "active": 2}, "shared": "restarts"},
    {"weights_init": {"normal": 0.1}, "bias_init": {"normal": 0.5}, "tied": False, "decoder_init": "transpose"},
    {"optimizer": "sgd", "momentum": [0, 0.9], "weight_decay_on": "weights", "weight_decay": -0.5},
    {"optimizer": "adam", "beta1": 0.5, "beta2": [0.9, 0.99], "epsilon": 1e-6},
    {"loss_power": [2, 4], "schedule": "quarter-cosine", "floor": 0.1, "warmup": 2},
    {"n_experts": 3, "load_balance": 0.01, "load_balance_over": "nonzero"},
    {"convention": "liu2025"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
def test_every_option_reads_back_and_repeats_its_bits_alone(options, tmp_path):
    settings = {"n_features": 6, "n_hidden": 2, "restarts": 2, "steps": 4, "batch": 40}
    if "active" not in options:
        settings["sparsity"] = 0.8
    sweep = phasegrid.Sweep(**(settings | options))
    assert phasegrid.Sweep(**sweep.settings) == sweep
    results = phasegrid.train(sweep, progress=False, out=tmp_path / "r.npz")
    loaded = phasegrid.load(tmp_path / "r.npz")
    assert loaded.sweep == sweep
    for name, array in results.arrays().items():
        assert loaded.arrays()[name].tobytes() == array.tobytes(), name
    assert np.isfinite(results.all_losses).all()
    # The last cell alone gives the same bits.
    axes = {name: float(values[-1]) for name, values in results.axes.items() if len(values) > 1}
    alone = phasegrid.train(sweep.replace(**axes), progress=False) if axes else results
    last = tuple(-1 for _ in results.axes)
    assert alone.expert_weights.tobytes() == results.expert_weights[last].tobytes()


def test_a_power_law_is_a_sparsity_not_a_list_of_them():
    law = {"power": 1, "active": 2}
    assert phasegrid.Sweep(n_features=5, sparsity=law).settings["sparsity"] == law
    with pytest.raises(ValueError, match="^feature_sparsity must be a sequence of numbers"):
        phasegrid.Sweep(n_features=5, feature_sparsity=law)
