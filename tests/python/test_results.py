"""Results as Python sees them: shapes, the paper's measures against NumPy, xarray, devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import phasegrid


@pytest.fixture(scope="module")
def results() -> phasegrid.Results:
    return phasegrid.train(
        n_features=5,
        n_hidden=3,
        n_experts=4,
        top_k=2,
        restarts=2,
        steps=200,
        batch=128,
        sparsity=[0.2, 0.6, 0.9],
        last_importance=[0.5, 2.0],
    )


def _with_other_rate(results: phasegrid.Results) -> phasegrid.Sweep:
    """A sweep whose results have the same shapes."""
    return phasegrid.Sweep(
        n_features=5,
        n_hidden=3,
        n_experts=4,
        top_k=2,
        restarts=2,
        steps=200,
        batch=128,
        sparsity=[0.2, 0.6, 0.9],
        last_importance=results.importance_values,
        learning_rate=0.5,
    )


def test_feature_measures_follow_the_papers_formulas(results: phasegrid.Results) -> None:
    weights = results.expert_weights.astype(np.float64)
    norms = np.linalg.norm(weights, axis=-1)
    unit = weights / norms[..., None]
    overlaps = np.einsum("...im,...jm->...ij", unit, weights) ** 2
    diagonal = np.einsum("...ii->...i", overlaps)
    np.testing.assert_allclose(results.feature_norms(), norms, rtol=1e-5)
    np.testing.assert_allclose(results.interference(), overlaps.sum(-1) - diagonal, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(results.polysemanticity(), np.sqrt(overlaps.sum(-1) - diagonal), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(results.feature_dimensionality(), norms**2 / overlaps.sum(-1), rtol=1e-4)
    np.testing.assert_allclose(results.total_capacity(), results.feature_dimensionality().sum((-1, -2)), rtol=1e-4)
    assert results.feature_norms().shape == (3, 2, 4, 5)


def test_models_route_and_reconstruct_as_the_paper_says(results: phasegrid.Results) -> None:
    inputs = phasegrid.draw_inputs([0.6] * 5, 200, seed=3)
    assert inputs.shape == (200, 5) and 0.5 < (inputs == 0).mean() < 0.7
    cell = (1, 1)
    scores = inputs @ results.router_weights[cell].T
    chosen, gates = results.route(cell, inputs)
    np.testing.assert_array_equal(np.sort(chosen, 1), np.sort(np.argsort(-scores, 1, kind="stable")[:, :2], 1))
    picked = np.take_along_axis(scores, chosen, 1).astype(np.float64)
    softmax = np.exp(picked - picked.max(1, keepdims=True))
    softmax /= softmax.sum(1, keepdims=True)
    np.testing.assert_allclose(gates, softmax, rtol=1e-5)
    expected = np.zeros((200, 5))
    for i in range(200):
        for e, gate in zip(chosen[i], softmax[i], strict=True):
            w = results.expert_weights[cell][e].astype(np.float64)
            expected[i] += gate * np.maximum(w @ (w.T @ inputs[i]) + results.biases[cell][e], 0)
    np.testing.assert_allclose(results.reconstruct(cell, inputs), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(results.reconstruct(3, inputs), results.reconstruct((1, 1), inputs))


def test_measures_over_inputs(results: phasegrid.Results) -> None:
    gate, active = results.expert_usage(2000, seed=1)  # of non-zero inputs, as features_per_dimension
    np.testing.assert_allclose(gate.sum(-1), 1, rtol=1e-9)
    np.testing.assert_allclose(active.sum(-1), 2, rtol=1e-9)
    frobenius = (results.expert_weights.astype(np.float64) ** 2).sum((-1, -2))
    np.testing.assert_allclose(
        results.features_per_dimension(2000, seed=1), (gate * frobenius).sum(-1) / 3 / 2, rtol=1e-6
    )
    np.testing.assert_allclose(
        results.features_per_dimension(2000, seed=1, divide_by_k=False), (gate * frobenius).sum(-1) / 3, rtol=1e-6
    )
    np.testing.assert_allclose(results.cone_shares(500).sum(-1), 1)
    assert results.global_feature_dimensionality(500).shape == (3, 2, 5)
    assert results.monosemantic_counts().shape == (3, 2, 4)
    counts = results.monosemantic_counts(threshold=1e9)
    np.testing.assert_array_equal(counts, 5)
    sharp = phasegrid.boundary_sharpness(np.repeat([[0.0, 0, 1, 1]], 4, 0))
    assert sharp.concentration.value == pytest.approx(1)


def test_to_xarray_has_names_and_coordinates(results: phasegrid.Results) -> None:
    data = results.to_xarray()
    assert data.sizes == {
        "sparsity": 3, "last_importance": 2, "restart": 2, "expert": 4, "feature": 5, "hidden": 3,
    }  # fmt: skip
    best = data.training_loss.sel(sparsity=0.6, last_importance=2.0)
    assert float(best) == results.final_losses[1, 1]
    np.testing.assert_array_equal(data.feature_norm.isel(expert=2), results.feature_norms()[:, :, 2])


def test_a_sparsity_a_feature(tmp_path: Path) -> None:
    results = phasegrid.train(n_features=2, feature_sparsity=np.array([0.1, 0.8]), steps=20, restarts=2)
    assert np.isnan(results.sparsity_values).all() and results.final_losses.shape == (1, 1)
    assert "sparsity" not in results.to_xarray().coords
    with pytest.raises(ValueError, match="layout authors has one sparsity for all features"):
        results.save(tmp_path / "a.npz", layout="authors")


def test_load_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(ValueError, match=r"x\.npz"):
        phasegrid.load(tmp_path / "x.npz")
    with pytest.raises(ValueError, match=r"none\.npz"):
        phasegrid.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.reconstruct(99, np.zeros((1, 5))),
        lambda r: r.reconstruct((0, 0, 0), np.zeros((1, 5))),
        lambda r: r.reconstruct("a", np.zeros((1, 5))),
        lambda r: r.reconstruct(0, np.zeros((1, 4))),
        lambda r: r.reconstruct(0, np.zeros(5)),
        lambda r: r.reconstruct(0, [["a"] * 5]),
        lambda r: r.expert_usage(0),
        lambda r: r.expert_usage(10**9),
        lambda r: r.expert_usage(10, seed=-1),
        lambda r: r.cone_shares("x"),
        lambda r: r.monosemantic_counts([]),
        lambda r: r.monosemantic_counts(0.2, np.nan),
        lambda r: phasegrid.read_sweeps(3),
        lambda r: phasegrid.load("\ud800"),
        lambda r: r.save(3),
        lambda r: r.save("/nonexistent/folder/x.npz"),
        lambda r: r.save("x.npz", layout="theirs"),
        lambda r: phasegrid.draw_inputs([0.5, 1.0], 3),
        lambda r: phasegrid.draw_inputs([[0.5]], 3),
        lambda r: phasegrid.draw_inputs("abc", 3),
        lambda r: phasegrid.boundary_sharpness([1.0, 2.0]),
        lambda r: phasegrid.train([r]),
        lambda r: phasegrid.train("sweep"),
        lambda r: phasegrid.train(r.sweep, steps=3),
        lambda r: phasegrid.train(r.sweep, resume=[r, r]),
        lambda r: phasegrid.train(phasegrid.Sweep(sparsity=0.1), resume=r),
        lambda r: phasegrid.train(_with_other_rate(r), resume=r),
    ],
)
def test_bad_arguments_are_value_errors(results: phasegrid.Results, call: Any) -> None:
    with pytest.raises(ValueError) as caught:
        call(results)
    assert str(caught.value) and "\n" not in str(caught.value)


def test_devices_and_version() -> None:
    lines = phasegrid.devices()
    assert any(line.startswith("cpu") for line in lines) and any(line.startswith("cuda") for line in lines)
    assert phasegrid.__version__.count(".") == 2
    assert "train" in dir(phasegrid)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        phasegrid.trian  # noqa: B018


def test_usage_counts_the_inputs_that_are_not_all_zero() -> None:
    results = phasegrid.train(n_features=10, n_hidden=1, n_experts=2, restarts=1, steps=1, sparsity=0.99, batch=8)
    seen, everything = results.expert_usage(20_000)[1][0, 0], results.expert_usage(20_000, inputs="all")[1][0, 0]
    assert seen.sum() == pytest.approx(1) and everything.sum() == pytest.approx(1)
    zeros = 0.99**10  # all of them go to the first expert
    np.testing.assert_allclose(everything, zeros * np.array([1, 0]) + (1 - zeros) * seen, atol=0.02)
    square = (results.expert_weights[0, 0] ** 2).sum((-1, -2))
    assert results.features_per_dimension(20_000)[0, 0] == pytest.approx((seen * square).sum(), rel=1e-5)
    per_dimension = results.features_per_dimension(20_000, inputs="all")[0, 0]
    assert per_dimension == pytest.approx((everything * square).sum(), rel=1e-5)
    with pytest.raises(ValueError, match="inputs must be one of nonzero, all, not 'some'"):
        results.expert_usage(inputs="some")  # type: ignore[arg-type]


def test_the_default_is_no_load_balance_and_a_fair_choice_of_restart() -> None:
    results = phasegrid.train(n_features=3, n_hidden=1, n_experts=2, restarts=2, steps=50, sparsity=0.5)
    assert results.config["train"]["load_balance"] == 0 and results.config["train"]["keep"] == "evaluation"
    np.testing.assert_array_equal(results.reconstruction_losses, results.final_losses)
    balanced = phasegrid.train(
        n_features=3, n_hidden=1, n_experts=2, restarts=2, steps=50, sparsity=0.5, load_balance=0.1, snapshots=[0, 50]
    )
    for name in ("final_losses", "all_losses", "snapshot_losses"):
        reconstruction = getattr(balanced, name.replace("final_", "").replace("losses", "reconstruction_losses"))
        term = getattr(balanced, name) - reconstruction
        assert (term > 0.05).all() and (term < 0.2).all(), name
    keys = balanced.arrays()
    assert {"reconstruction_losses", "all_reconstruction_losses", "snapshot_reconstruction_losses"} <= set(keys)
