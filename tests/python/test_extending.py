"""A larger sweep that begins with the models of a smaller one: only the others are trained, and the bytes are those of
the larger sweep trained at once."""

from __future__ import annotations

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
        ({"steps": 60}, "resume: has steps = 50, and the sweep 60: no model is of both"),
        ({"loss": "sum"}, "resume: has loss = 'mean', and the sweep 'sum': no model is of both"),
        ({"loss_power": [2, 4]}, r"resume: has loss_power = 2, and the sweep \[2.*\]: no model is of both"),
        ({"n_features": 4}, "resume: has n_features = 3, and the sweep 4: no model is of both"),
    ],
)
def test_sweeps_without_a_model_in_common(change: dict[str, Any], said: str) -> None:
    small = phasegrid.train(SMALL, progress=False)
    with pytest.raises(ValueError, match=said):
        phasegrid.train(SMALL.replace(**change), resume=small, progress=False)
