"""refine(): the boundary is found, few other cells are trained, and what is trained has the bits of the full grid."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import phasegrid
from phasegrid.refining_boxes import Boxes, parts_of

SIZE = 65
SWEEP = phasegrid.Sweep(
    n_features=2,
    n_hidden=1,
    sparsity=np.linspace(0, 0.95, SIZE),
    last_importance=np.linspace(0.1, 3, SIZE),
    steps=1,
    restarts=2,
)


def circle(results: phasegrid.Results) -> NDArray[np.bool_]:
    """A field that is known: inside of a circle or not, whatever was trained."""
    x, y = results.sparsity_values[:, None] / 0.95, (results.importance_values - 0.1) / 2.9
    return (x - 0.5) ** 2 + (y - 0.45) ** 2 < 0.09


def beside_others(field: NDArray[Any]) -> NDArray[np.bool_]:
    found = np.zeros(field.shape, bool)
    down, right = field[1:] != field[:-1], field[:, 1:] != field[:, :-1]
    found[1:] |= down
    found[:-1] |= down
    found[:, 1:] |= right
    found[:, :-1] |= right
    return found


def trained(results: phasegrid.Results) -> NDArray[np.bool_]:
    return np.asarray((results.status >= 0).all(axis=-1))


def test_every_cell_at_a_boundary_is_trained_and_few_others() -> None:
    rounds: list[tuple[int, ...]] = []
    results = phasegrid.refine(SWEEP, by=circle, report=lambda *round_: rounds.append(round_))
    done = trained(results)
    boundary = beside_others(circle(results))
    assert done[boundary].all()
    assert done.sum() < 6 * boundary.sum() < 0.4 * done.size
    assert rounds[0] == (1, 25, 25, SIZE * SIZE) and sum(new for _, new, _, _ in rounds) == done.sum()
    assert len(rounds) < 10  # batches, not cells


def test_what_is_trained_has_the_bits_of_the_full_grid(tmp_path: Path) -> None:
    full = phasegrid.train(SWEEP, progress=False)
    results = phasegrid.refine(SWEEP, by=circle)
    done = trained(results)
    np.testing.assert_array_equal(results.expert_weights[done], full.expert_weights[done])
    assert np.isnan(results.expert_weights[~done]).all()
    rest = phasegrid.train(SWEEP, resume=results, progress=False)
    np.testing.assert_array_equal(rest.expert_weights, full.expert_weights)


def test_a_file_is_gone_on_from(tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    first = phasegrid.refine(SWEEP, by=circle, budget=300, out=out)
    assert 250 <= first.models_done <= 300 and phasegrid.load(out).models_done == first.models_done
    again = phasegrid.refine(SWEEP, by=circle, out=out)
    assert trained(again)[trained(first)].all()
    np.testing.assert_array_equal(trained(again), trained(phasegrid.refine(SWEEP, by=circle)))
    with pytest.raises(ValueError, match="is there already and would be replaced: move it away"):
        phasegrid.refine(SWEEP.replace(steps=2), by=circle, out=out)


@pytest.mark.parametrize("by", ["class", "norm", "interference"])
def test_the_measures_of_the_last_feature(by: Any) -> None:
    sweep = SWEEP.replace(
        sparsity=np.linspace(0, 0.95, 17),
        last_importance=np.linspace(0.1, 3, 17),
        steps=1000,
        batch=128,
        learning_rate=0.003,
        restarts=5,
    )
    results = phasegrid.refine(sweep, by=by, coarse=8)
    field = phasegrid.refining.classes(phasegrid.train(sweep, resume=results, progress=False))[..., 0]
    done = trained(results)
    assert 9 < done.sum() < done.size
    if by == "class":  # of the others few are at a boundary: of islands that no coarse box met
        assert (beside_others(field) & ~done).sum() < 0.25 * beside_others(field).sum()


def test_one_axis_and_three() -> None:
    line = SWEEP.replace(last_importance=1.0)
    done = trained(phasegrid.refine(line, by=lambda results: results.sparsity_values[:, None] > 0.4))
    assert list(np.flatnonzero(done[:, 0])) == [0, 16, 24, 26, 27, 28, 32, 48, 64]
    solid = SWEEP.replace(
        sparsity=np.linspace(0, 0.9, 9),
        last_importance=np.linspace(0.1, 3, 9),
        learning_rate=np.linspace(1e-3, 9e-3, 9),
    )
    results = phasegrid.refine(
        solid,
        coarse=4,
        by=lambda one: (
            np.add.outer(
                np.add.outer(one.axes["sparsity"], one.axes["last_importance"]), 200 * one.axes["learning_rate"]
            )
            > 3
        ),
    )
    assert 27 < trained(results).sum() < 9**3


def test_boxes() -> None:
    boxes = Boxes((6, 1), 4)
    assert list(np.flatnonzero(boxes.wanted)) == [0, 4, 5]
    assert boxes.cut(lambda box: box[0].start == 0)
    assert list(np.flatnonzero(boxes.wanted)) == [0, 2, 4, 5]
    assert not boxes.cut(lambda box: False)
    cells = np.zeros((3, 9), bool)
    cells[[0, 2], 3:5] = cells[1, 8] = True
    assert [[list(at) for at in part] for part in parts_of(cells)] == [[[0, 2], [3, 4]], [[1], [8]]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "loss"}, "by must be class, norm, interference or a function of results, not 'loss'"),
        ({"by": lambda results: 3}, "by must return an array whose shape begins with the grid's"),
        ({"tolerance": -1, "by": "norm"}, "tolerance must be a number from 0, not -1"),
        ({"tolerance": 0.1}, "tolerance is of numbers: classes are the same or not"),
        ({"coarse": 1}, "coarse must be a whole number from 2 to 1000000000, not 1"),
        ({"budget": 0}, "budget must be a whole number from 1 to 1000000000, not 0"),
    ],
)
def test_bad_input(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        phasegrid.refine(SWEEP, **options)


def test_a_grid_without_an_axis() -> None:
    with pytest.raises(ValueError, match="there is nothing to refine"):
        phasegrid.refine(SWEEP.replace(sparsity=0.5, last_importance=[1, 2]))


TOML = """
restarts = 1
model = { n_features = 2, n_hidden = 1 }
train = { steps = 300, batch = 64 }
axes = { sparsity = { start = 0, stop = 0.8, step = 0.1 }, last_importance = { start = 0.1, stop = 1.7, step = 0.2 } }
"""


def test_the_command(tmp_path: Path, run_program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    (tmp_path / "sweep.toml").write_text(TOML)

    run = functools.partial(run_program, "refine")
    done = run("sweep.toml", "--out", "out.npz", "--coarse", "4", "--set", "restarts=2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("round 1: 9 cells more, 9 of 81 (11.1 %)")
    assert phasegrid.load(tmp_path / "out.npz").sweep.restarts == 2
    for words, said in (
        (("sweep.toml",), "phasegrid refine: the following arguments are required: --out (see --help)"),
        (("no.toml", "--out", "a.npz"), "no.toml"),
        (("sweep.toml", "--out", "a.npz", "--coarse", "1"), "coarse must be a whole number from 2"),
    ):
        bad = run(*words)
        assert bad.returncode == 2 and said in bad.stderr and bad.stderr.count("\n") == 1, bad.stderr
