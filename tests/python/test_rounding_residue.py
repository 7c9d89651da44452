"""experiments/rounding_residue.py: its plain trainer trains the library's models, and rounding moves what it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

import phasegrid

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "rounding_residue.py"
spec = importlib.util.spec_from_file_location("rounding_residue", SCRIPT)
residue = importlib.util.module_from_spec(spec)
spec.loader.exec_module(residue)


def test_without_it_a_router_only_shrinks():
    zero = residue.train("zero", 2, 300, False)
    assert (zero.G == 0).all()
    assert (residue.regions(zero.G) == 1).all()
    diagonal = residue.train("diagonal", 2, 300, False)
    np.testing.assert_allclose(diagonal.G[:, 0, 0], (1 - 1e-3 * 0.01) ** 300, rtol=1e-4)
    assert (diagonal.G[:, 2] == 0).all()
    assert (residue.regions(diagonal.G) == 2).all()


def test_with_it_a_zero_router_moves():
    zero = residue.train("zero", 4, 300, True)
    assert (zero.G != 0).any(axis=(1, 2)).all()
    assert np.abs(zero.G).max() < 1


def test_without_it_losses_are_those_of_the_library():
    seeds, steps = 40, 1000
    sweep = phasegrid.Sweep(
        n_features=2, n_hidden=1, n_experts=3, top_k=1, sparsity=0.5, steps=steps, batch=100, loss="sum",
        router_init="diagonal", bias_init="zero", keep="last-batch", restarts=1, seed=list(range(seeds)),
    )  # fmt: skip
    theirs = phasegrid.train(sweep).final_losses.ravel()
    ours = residue.train("diagonal", seeds, steps, False, early=False).loss
    error = np.sqrt((ours.var() + theirs.var()) / (seeds - 1))
    assert abs(ours.mean() - theirs.mean()) < 4 * error
    assert error < 0.3 * theirs.mean()  # it says something
