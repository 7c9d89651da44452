"""Optimisers, schedules and decay against plain NumPy, in PyTorch's order of operations. With no importance there is no
gradient but that of the decay, so that every constant shows in the parameters.
"""

import math
from typing import Any

import numpy as np
import pytest

import phasegrid

STEPS = 12
CASES: list[dict[str, Any]] = [
    {},
    {"weight_decay_on": "weights"},
    {"weight_decay": -0.5},
    {"schedule": "linear", "floor": 0.2},
    {"schedule": "cosine", "warmup": 4},
    {"schedule": "quarter-cosine", "floor": 0.1, "warmup": 3},
    {"optimizer": "adam"},
    {"optimizer": "adam", "beta1": 0.5, "beta2": 0.8, "epsilon": 0.1, "weight_decay_on": "weights"},
    {"optimizer": "sgd"},
    {"optimizer": "sgd", "momentum": 0.9, "schedule": "quarter-cosine"},
    {"optimizer": "sgd", "momentum": 0.5, "weight_decay_on": "weights", "warmup": 5},
]


def factor(t: int, schedule: str, floor: float, warmup: int) -> float:
    """Of the learning rate at step t from 0."""
    if t < warmup:
        return (t + 1) / warmup
    done = t / STEPS
    shape = {
        "constant": 1.0,
        "linear": 1 - done,
        "cosine": (1 + math.cos(math.pi * done)) / 2,
        "quarter-cosine": math.cos(math.pi * done / 2),
    }[schedule]
    return shape if schedule == "constant" else floor + (1 - floor) * shape


def trained(w: Any, decays: bool, s: dict[str, Any]) -> Any:
    decay = s["weight_decay"] if decays else 0.0
    first, second = np.zeros_like(w), np.zeros_like(w)
    for t in range(STEPS):
        rate = s["learning_rate"] * factor(t, s["schedule"], s["floor"], s["warmup"])
        gradient = np.zeros_like(w) if s["optimizer"] == "adamw" else decay * w
        if s["optimizer"] == "sgd":
            first = s["momentum"] * first + gradient
            w = w - rate * first
            continue
        if s["optimizer"] == "adamw":
            w = w * (1 - rate * decay)
        first = s["beta1"] * first + (1 - s["beta1"]) * gradient
        second = s["beta2"] * second + (1 - s["beta2"]) * gradient**2
        corrected = np.sqrt(second / (1 - s["beta2"] ** (t + 1))) + s["epsilon"]
        w = w - rate * first / (1 - s["beta1"] ** (t + 1)) / corrected
    return w


@pytest.mark.parametrize("n_features", [3, 8], ids=["tiny", "block"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case.values())) or "default")
def test_every_constant_is_where_pytorch_has_it(case: dict[str, Any], n_features: int) -> None:
    settings = {"learning_rate": 0.05, "weight_decay": 0.3} | case
    sweep = phasegrid.Sweep(
        n_features=n_features, n_hidden=2, n_experts=2, sparsity=0.5, steps=STEPS, restarts=1,
        importance=[0.0] * n_features, snapshots=[0, STEPS], **settings,
    )  # fmt: skip
    results = phasegrid.train(sweep, progress=False)
    everything = sweep.settings
    for part in ("expert_weights", "biases", "router_weights"):
        before, after = getattr(results, f"snapshot_{part}")[0, 0].astype(float)
        decays = everything["weight_decay_on"] == "all" or part == "expert_weights"
        np.testing.assert_allclose(after, trained(before, decays, everything), rtol=2e-5, atol=1e-7, err_msg=part)


def test_starting_numbers_have_the_spread_that_is_asked_for() -> None:
    results = phasegrid.train(
        n_features=60, n_hidden=20, sparsity=0.5, steps=0, restarts=1, tied=False, weights_init={"normal": 0.3},
        bias_init={"normal": 2.0}, seed=list(range(40)), keep="last-batch", batch=8, progress=False,
    )  # fmt: skip
    assert results.expert_weights.std() == pytest.approx(0.3, rel=0.02)
    assert results.decoder_weights.std() == pytest.approx(0.3, rel=0.02)
    assert results.biases.std() == pytest.approx(2.0, rel=0.05)
    both = np.corrcoef(results.expert_weights.ravel(), results.decoder_weights.ravel())[0, 1]
    assert abs(both) < 0.02
    same = phasegrid.train(
        n_features=6,
        n_hidden=2,
        sparsity=0.5,
        steps=0,
        restarts=1,
        tied=False,
        decoder_init="transpose",
        progress=False,
    )
    assert same.expert_weights.tobytes() == same.decoder_weights.tobytes()
