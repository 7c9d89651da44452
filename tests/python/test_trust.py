"""What a researcher is told before believing a result: warnings, repr, and the docstring of train()."""

from __future__ import annotations

import ast
import pickle
import re
import warnings
from typing import Any

import numpy as np
import pytest

import phasegrid

SOUND: dict[str, Any] = {"n_features": 3, "n_hidden": 2, "steps": 200, "restarts": 2, "batch": 64, "name": "sound"}
# One step of this length leaves all finite, later ones do not.
DIVERGES: dict[str, Any] = {**SOUND, "learning_rate": [0.01, 1e9], "sparsity": 0.1, "name": "wild"}
# Nothing is learned, and the weights decay away.
DIES: dict[str, Any] = {**SOUND, "weight_decay": 50, "sparsity": [0.999, 0.5], "name": "dead", "learning_rate": 0.01}


def trained(what: Any = None, **settings: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = phasegrid.train(what, **settings)
    assert all(w.category is phasegrid.TrainingWarning and w.filename == __file__ for w in caught), caught
    return results, [str(w.message) for w in caught]


def test_a_sound_training_says_nothing() -> None:
    results, said = trained(**SOUND, sparsity=[0.1, 0.5])
    assert said == []
    assert results.training_health() == {"diverged": 0, "empty": 0, "dead": 0}
    assert repr(results).endswith(f"complete, {results.device}>")


def test_what_diverged_is_said_once_and_where() -> None:
    results, [said] = trained(**DIVERGES)
    assert (results.status[..., 0, :] == 0).all() and (results.status[..., 1, :] > 0).all()
    where = "the first at sparsity 0.1, last_importance 1, learning_rate 1e+09"
    assert said == (
        f"2 restarts that diverged (their loss stopped being finite), {where}; "
        f"1 cells without a model (every restart diverged), {where}"
    )
    assert results.training_health() == {"diverged": 2, "empty": 1, "dead": 0}
    assert repr(results).endswith("; 2 restarts diverged, 1 cells without a model>")
    assert repr(pickle.loads(pickle.dumps(results))) == repr(results)
    assert "diverged" not in repr(results.sel(learning_rate=0.01))


def test_dead_models_are_said() -> None:
    results, [said] = trained(**DIES)
    dead = (results.feature_norms() <= 0.1).all((-1, -2))
    assert dead[0, 0] and results.training_health() == {"diverged": 0, "empty": 0, "dead": int(dead.sum())}
    assert said.startswith(f"{dead.sum()} dead models (no feature has a norm above 0.1), the first at sparsity 0.999, ")
    assert repr(results).endswith(f"; {dead.sum()} dead models>")


def test_one_warning_for_a_list_of_sweeps() -> None:
    sweeps = [phasegrid.Sweep(**settings) for settings in ({**SOUND, "sparsity": 0.1}, DIVERGES, DIES)]
    results, [said] = trained(sweeps)
    assert said.startswith("2 restarts that diverged") and "at sweep 'wild', sparsity 0.1" in said
    assert f"{results[2].training_health()['dead']} dead models" in said and "at sweep 'dead', sparsity 0.999" in said


def test_own_sparsities_are_no_place() -> None:
    settings = {key: value for key, value in DIVERGES.items() if key != "sparsity"}
    _, [said] = trained(**settings, feature_sparsity=[0.1, 0.2, 0.3])
    assert "the first at last_importance 1, learning_rate 1e+09;" in said


def test_the_docstring_names_every_setting_with_its_default() -> None:
    text = phasegrid.train.__doc__ or ""
    table = text[text.index("**Settings") : text.index("Parameters\n")]
    told = dict(re.findall(r"^ {8}(\w+)( \*)?", table, re.M))
    settings = phasegrid.Settings.__annotations__.keys() - {"feature_sparsity", "convention"}
    assert told.keys() == settings and "feature_sparsity" in table
    axes = {name for name, star in told.items() if star}
    everything = phasegrid.Sweep(
        n_features=2, sparsity=[0.1], last_importance=[1], steps=[5], batch=[1], seed=[0], learning_rate=[0.1],
        weight_decay=[0.1], load_balance=[0.1], samples=[9], beta1=[0.9], beta2=[0.9], epsilon=[1e-8], loss_power=[4],
        warmup=[1], floor=[0.1], schedule="linear", n_hidden=[1], n_experts=[1], top_k=[1],
    )  # fmt: skip
    assert axes == {*everything.config["axes"], "active", "momentum"}  # in place of sparsity, and of sgd
    defaults = {name: ast.literal_eval(value) for name, value in re.findall(r"^ {8}(\w+)(?: \*)? = (\S+)", table, re.M)}
    actual = phasegrid.Sweep(n_features=2, sparsity=0.5).settings
    assert defaults == {name: actual[name] for name in settings & actual.keys() - {"n_features", "sparsity"}}


def test_the_docstring_states_what_is_trained() -> None:
    """The equations, held to a model: its reconstruction, and both losses of the batch they are measured on."""
    text = phasegrid.train.__doc__ or ""
    for said in (
        "x' = sum over the k experts of gate_e ReLU(W_e W_e^T x + b_e)",
        "gate = softmax of their scores",
        "sum over features of I_f (x'_f - x_f)^2",
        "load_balance * E * sum over experts of f_e P_e",
        "Each feature is 0 with probability S",
    ):
        assert said in text, said
    settings = {**SOUND, "n_experts": 4, "top_k": 2, "sparsity": 0.3, "importance": [1, 2, 4], "steps": 100}
    for loss in ("mean", "sum"):
        results = phasegrid.train(**settings, loss=loss, load_balance=0.5)
        inputs = phasegrid.draw_inputs([0.3] * 3, 200_000, seed=5)
        W, b, G = (a[0, 0].astype(float) for a in (results.expert_weights, results.biases, results.router_weights))
        scores = inputs @ G.T
        chosen = np.argsort(-scores, 1, kind="stable")[:, :2]
        gates = np.exp(np.take_along_axis(scores, chosen, 1))
        gates /= gates.sum(1, keepdims=True)
        every = np.stack([np.maximum(inputs @ W[e] @ W[e].T + b[e], 0) for e in range(4)], 1)
        outputs = (np.take_along_axis(every, chosen[:, :, None], 1) * gates[:, :, None]).sum(1)
        np.testing.assert_allclose(results.reconstruct(0, inputs), outputs, atol=1e-5)
        error = ((outputs - inputs) ** 2 * [1, 2, 4]).mean(0).sum() / (3 if loss == "mean" else 1)
        assert results.reconstruction_losses[0, 0] == pytest.approx(error, rel=0.03)
        probability = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        share = np.array([(chosen == e).any(1).mean() for e in range(4)])
        term = 0.5 * 4 * (share * probability.mean(0)).sum()
        assert results.final_losses[0, 0] - results.reconstruction_losses[0, 0] == pytest.approx(term, rel=0.03)
