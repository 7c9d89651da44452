"""A larger sweep that begins with the models of a smaller one: only the others are trained, and the bytes are those of
the larger sweep trained at once."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import phasegrid

SMALL = phasegrid.Sweep(
    n_features=3, n_hidden=2, n_experts=2, sparsity=[0.1, 0.9], last_importance=1.0, restarts=2, steps=50
)
# What changes, and how many models both sweeps have.
LARGER: list[tuple[dict[str, Any], int]] = [
    ({"restarts": 5}, 4),
    ({"sparsity": [0.0, 0.1, 0.5, 0.9, 0.95]}, 4),
    ({"sparsity": [0.95, 0.9, 0.5], "restarts": 3}, 2),
    ({"learning_rate": [0.001, 0.003]}, 4),
    ({"n_experts": [1, 2, 3], "n_hidden": [1, 2], "restarts": 3}, 4),
    ({"steps": [20, 50, 80]}, 4),
    ({"seed": [3, 0], "last_importance": [0.5, 1.0]}, 4),
    ({"sparsity": 0.9, "restarts": 4}, 2),
    ({"sparsity": [0.3]}, 0),
]


class Counting(Executor):
    """Trains in this process, and counts the models that it trains."""

    def __init__(self) -> None:
        self.models = 0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        answer = function(*args, **kwargs)
        for arrays, before in zip(answer.results, args[0].resume, strict=True):
            there = 0 if before is None else np.count_nonzero(before["status"] >= 0)
            self.models += int(np.count_nonzero(arrays["status"] >= 0) - there)
        future.set_result(answer)
        return future


@pytest.mark.parametrize("kept", [{}, {"keep": "all", "snapshots": [10]}])
@pytest.mark.parametrize(("change", "common"), LARGER)
def test_only_what_is_missing_is_trained(
    tmp_path: Path, change: dict[str, Any], common: int, kept: dict[str, Any]
) -> None:
    small = phasegrid.train(SMALL.replace(**kept), progress=False)
    large = SMALL.replace(**kept).replace(**change)
    at_once, resumed, over = (tmp_path / f"{name}.npz" for name in ("at_once", "resumed", "over"))
    phasegrid.train(large, out=at_once, progress=False)
    counting = Counting()
    phasegrid.train(large, resume=small, out=resumed, executor=counting, progress=False)
    assert counting.models == large.models - common
    small.save(over)
    phasegrid.train(large, out=over, progress=False)  # in place of the smaller sweep's file, and without an executor
    assert resumed.read_bytes() == at_once.read_bytes()
    assert over.read_bytes() == at_once.read_bytes()


def test_the_smaller_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise LookupError

    out = tmp_path / "out.npz"
    phasegrid.train(SMALL, out=out, progress=False)
    before = out.read_bytes()
    with pytest.raises(LookupError):
        phasegrid.train(SMALL.replace(restarts=2000, steps=2000), out=out, progress=stop)
    assert out.read_bytes() == before


def test_an_interrupted_smaller_sweep() -> None:
    whole = phasegrid.train(SMALL, progress=False)
    part = phasegrid.merge([phasegrid.train(SMALL, shard="1/2", progress=False)])
    large = SMALL.replace(restarts=3)
    np.testing.assert_array_equal(
        phasegrid.train(large, resume=part, progress=False).expert_weights,
        phasegrid.train(large, resume=whole, progress=False).expert_weights,
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"restarts": 1}, "resume: has 2 restarts, and the sweep 1; which of them were kept is known of all alone"),
        ({"steps": 60}, "resume: has steps = 50, and the sweep 60: a training goes on where both have keep = "),
        (
            {"steps": 40},
            "resume: has steps = 50, and the sweep 40: a training that is done cannot become a shorter one",
        ),
        ({"loss": "sum"}, "resume: has loss = 'mean', and the sweep 'sum': no model is of both"),
        ({"loss_power": [2, 4]}, r"resume: has loss_power = 2, and the sweep \[2.*\]: no model is of both"),
        ({"n_features": 4}, "resume: has n_features = 3, and the sweep 4: no model is of both"),
    ],
)
def test_sweeps_without_a_model_in_common(change: dict[str, Any], said: str) -> None:
    small = phasegrid.train(SMALL, progress=False)
    with pytest.raises(ValueError, match=said):
        phasegrid.train(SMALL.replace(**change), resume=small, progress=False)


STATE: dict[str, Any] = {"keep": "training-state"}
# Sweeps of every mapping and optimizer, and what else changes beside the steps.
LONGER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.1}, {}),
    ({"optimizer": "adam", "n_features": 12, "load_balance": 0.01}, {}),
    ({"learning_rate": [0.001, 1e9], "warmup": 70}, {}),  # one diverges
    ({"n_experts": [1, 2], "top_k": [1, 2]}, {}),
    ({"n_experts": 1, "n_features": 30, "tied": False, "hidden": "relu"}, {}),
    ({}, {"restarts": 4, "sparsity": [0.9, 0.5, 0.1]}),  # models of both kinds
]


@pytest.mark.parametrize(("setting", "change"), LONGER)
def test_more_steps_follow(tmp_path: Path, setting: dict[str, Any], change: dict[str, Any]) -> None:
    short = SMALL.replace(**setting, **STATE)
    long = short.replace(steps=120, **change)
    at_once, resumed, over = (tmp_path / f"{name}.npz" for name in ("at_once", "resumed", "over"))
    phasegrid.train(long, out=at_once, progress=False)
    begun = phasegrid.train(short, out=over, progress=False)
    phasegrid.train(long, resume=begun, out=resumed, progress=False)
    phasegrid.train(long, out=over, progress=False)
    assert resumed.read_bytes() == at_once.read_bytes() == over.read_bytes()
    on_workers = phasegrid.train(long, resume=begun, executor=Counting(), progress=False)
    for key, array in phasegrid.load(at_once).arrays().items():
        np.testing.assert_array_equal(on_workers.arrays()[key], array, err_msg=key)
    store = phasegrid.train(long, out=tmp_path / "store.zarr", progress=False).load()  # type: ignore[attr-defined]
    for key, array in phasegrid.load(at_once).arrays().items():
        np.testing.assert_array_equal(store.arrays()[key], array, err_msg=key)


def test_steps_that_are_done_are_not_done_again() -> None:
    """By what models start at: with other moments, or parameters, the longer training would have other bits."""
    short = phasegrid.train(SMALL.replace(**STATE), progress=False)
    forged = {name: np.array(array) for name, array in phasegrid.grid_parts.arrays_of(short.core).items()}
    forged["first_moments"] *= 2
    other = phasegrid.Results(phasegrid._core.results_from(short.core.config, forged))
    long = short.sweep.replace(steps=51)
    at_once = phasegrid.train(long, progress=False).all_losses
    for engine in (None, Counting()):
        assert (phasegrid.train(long, resume=other, executor=engine, progress=False).all_losses != at_once).any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schedule": "cosine"}, "a training goes on where schedule = 'constant', not 'cosine'"),
        ({"drop_below": 0.1}, "a training goes on where drop_below = 0, not 0.1"),
        ({"stop_below": 0.1}, "a training goes on where stop_below = 0, not 0.1"),
        ({"snapshots": [5]}, r"a training goes on where snapshots = \[\], not \[5\]"),
        ({"batch": 7}, "resume: has batch = 512, and the sweep 7: no model is of both"),
    ],
)
def test_what_cannot_go_on(change: dict[str, Any], said: str) -> None:
    short = phasegrid.train(SMALL.replace(**STATE), progress=False)
    with pytest.raises(ValueError, match=said):
        phasegrid.train(short.sweep.replace(steps=60, **change), resume=short, progress=False)


TOML = """
name = "small"
restarts = 2
model = { n_features = 2, n_hidden = 1 }
train = { steps = 20, batch = 64, keep = "training-state" }
axes = { sparsity = [0.1, 0.5] }
"""


def test_the_command(tmp_path: Path, run_program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    (tmp_path / "sweep.toml").write_text(TOML)

    run = functools.partial(run_program, "run", "sweep.toml")
    more = ("--set", "train.steps=30", "--set", "restarts=3")
    for words in (("--out", "few.npz"), ("--out", "at_once.npz", *more)):
        assert run(*words).returncode == 0
    done = run("--out", "more.npz", "--resume", "few.npz", *more)
    assert (done.returncode, done.stdout) == (0, "more.npz: 6 of 6 models\n"), done.stderr
    assert (tmp_path / "more.npz").read_bytes() == (tmp_path / "at_once.npz").read_bytes()
    for words, said in (
        (("--out", "a.npz", "--resume", "none.npz"), "none.npz"),
        (
            ("--out", "a.npz", "--resume", "few.npz", "--set", "train.steps=10"),
            "resume: has steps = 20, and the sweep 10",
        ),
        (("--out", "a.npz", "--resume", "few.npz", "--shard", "1/2"), "--shard cannot be used with --resume"),
        (
            ("--out", "a.npz", "--resume", "few.npz", "--layout", "authors"),
            "--layout authors cannot be used with --resume",
        ),
        (("--out", "a", "--resume", "few.npz"), "--out must end in .npz"),
        (("--out", "a.zarr", "--resume", "few.npz"), "--resume cannot be used with a .zarr store"),
        (
            ("sweep.toml", "--out", "a.npz", "--resume", "few.npz"),
            "--resume goes on with one sweep; give one sweep file",
        ),
    ):
        bad = run(*words)
        assert bad.returncode == 2 and said in bad.stderr and bad.stderr.count("\n") == 1, bad.stderr
