"""Sweeps whose axes change the shape of their models, against sweeps of each shape trained alone."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import phasegrid

ROOM = (2, 1, 2, 3, 2)  # sparsity, last importance, n_hidden, n_experts, top_k
HIDDEN, EXPERTS, TOP_K = (1, 2), (1, 2, 4), (1, 2)
QUICK: dict[str, Any] = {"n_features": 4, "sparsity": [0.5, 0.9], "restarts": 2, "steps": 20, "batch": 64}
MORE: dict[str, Any] = {"keep": "all", "snapshots": [0, 10, 20], "progress": False}
SHAPES: dict[str, Any] = {"n_hidden": list(HIDDEN), "n_experts": list(EXPERTS), "top_k": list(TOP_K)}
PARTS = {"expert_weights": "Enm", "decoder_weights": "Enm", "router_weights": "En", "biases": "En"}
LOSSES = ("reconstruction_losses", "final_losses", "all_reconstruction_losses", "all_losses")
SNAPSHOTS = ("snapshot_losses", "snapshot_reconstruction_losses")


@pytest.fixture(scope="module")
def results() -> phasegrid.Results:
    return phasegrid.train(**QUICK, **SHAPES, **MORE)


@pytest.fixture(scope="module")
def alone() -> dict[tuple[int, int, int], phasegrid.Results]:
    """(m, E, k) -> a sweep of that shape."""
    shapes = [(m, E, k) for m, E, k in itertools.product(HIDDEN, EXPERTS, TOP_K) if k <= E]
    return {(m, E, k): phasegrid.train(**QUICK, **MORE, n_hidden=m, n_experts=E, top_k=k) for m, E, k in shapes}


def at(m: int, E: int, k: int) -> tuple[Any, ...]:
    """The cells of a shape: (sparsity, last importance) are left."""
    return (slice(None), slice(None), HIDDEN.index(m), EXPERTS.index(E), TOP_K.index(k))


def cropped(array: NDArray[Any], key: str, m: int, E: int) -> NDArray[Any]:
    """(own part, what is left) of an array (.., E, n, m) or (.., E, n)."""
    own = {"E": E, "m": m}
    return array[(..., *(slice(own.get(letter)) for letter in PARTS[key]))]


def same(one: phasegrid.Results, other: phasegrid.Results) -> None:
    """The same sweep, and the same bits in every array."""
    assert one.sweep == other.sweep
    first, second = one.arrays(), other.arrays()
    assert first.keys() == second.keys()
    for key in first.keys() - {"config"}:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


# ---------------------------------------------------------------- what is trained
def test_a_cell_is_what_a_sweep_of_its_shape_gives(
    results: phasegrid.Results, alone: dict[tuple[int, int, int], phasegrid.Results]
) -> None:
    assert results.expert_weights.shape == (*ROOM, 4, 4, 2)
    assert results.router_weights.shape == results.biases.shape == (*ROOM, 4, 4)
    assert results.all_expert_weights.shape == (*ROOM, 2, 4, 4, 2)
    assert results.snapshot_expert_weights.shape == (*ROOM, 3, 4, 4, 2)
    for (m, E, k), single in alone.items():
        cells = at(m, E, k)
        for key in (*LOSSES, *SNAPSHOTS, "status", "kept"):
            np.testing.assert_array_equal(getattr(results, key)[cells], getattr(single, key), err_msg=key)
        for key, prefix in itertools.product(PARTS, ("", "all_", "snapshot_")):
            whole, expected = getattr(results, prefix + key)[cells], getattr(single, prefix + key)
            own = cropped(whole, key, m, E)
            np.testing.assert_array_equal(own, expected, err_msg=prefix + key)
            assert np.isnan(whole).sum() == whole.size - own.size  # NaN in all the rest
            assert np.isfinite(own).all()


def test_cells_of_more_active_experts_than_there_are_have_no_model(results: phasegrid.Results) -> None:
    none = at(1, 1, 2)[:2] + (slice(None), 0, 1)
    assert (results.status[none] == -2).all() and (results.kept[none] == -1).all()
    assert (results.status >= 0).sum() == results.models_done == results.sweep.models == 2 * 2 * 2 * 5
    assert results.complete
    for key in (*LOSSES, *SNAPSHOTS, *PARTS, *(f"all_{key}" for key in PARTS), *(f"snapshot_{key}" for key in PARTS)):
        assert np.isnan(getattr(results, key)[none]).all(), key
    assert set(results.training_health().values()) == {0}  # neither diverged nor empty nor dead
    inputs = phasegrid.draw_inputs([0.5] * 4, 3)
    cell = (0, 0, 0, 0, 1)
    for given in (lambda: results.reconstruct(cell, inputs), lambda: np.float64(results.route(cell, inputs).gates)):
        try:
            assert np.isnan(given()).all()
        except ValueError as error:
            assert "\n" not in str(error)  # one sentence
    assert "complete" in repr(results) and "without a model" not in repr(results)


def test_settings_of_shapes_are_checked() -> None:
    settings: dict[str, Any] = {"n_features": 4, "sparsity": 0.5}
    for wrong in ({"n_experts": [1, 65]}, {"n_hidden": [0, 1]}, {"top_k": [1, 1]}, {"n_experts": [1, 2.5]}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            phasegrid.Sweep(**settings, **wrong)
    with pytest.raises(ValueError, match="top_k must be at most"):
        phasegrid.Sweep(**settings, n_experts=[1, 2], top_k=[3, 4])
    sweep = phasegrid.Sweep(**settings, **SHAPES)
    assert (sweep.n_hidden, sweep.n_experts, sweep.top_k) == (2, 4, 2)
    assert phasegrid.Sweep(**sweep.settings) == sweep
    assert sweep.replace(n_experts=2).shape == (1, 1, 2, 2)


# ---------------------------------------------------------------- measures
def test_measures_are_those_of_each_shape_alone(
    results: phasegrid.Results, alone: dict[tuple[int, int, int], phasegrid.Results]
) -> None:
    for (m, E, k), single in alone.items():
        cells = at(m, E, k)
        for name in ("feature_norms", "interference", "polysemanticity", "feature_dimensionality"):
            values = getattr(results, name)()[cells]
            np.testing.assert_array_equal(values[..., :E, :], getattr(single, name)(), err_msg=name)
            assert np.isnan(values[..., E:, :]).all()
        for name in ("total_capacity", "features_per_dimension", "global_feature_dimensionality"):
            np.testing.assert_array_equal(getattr(results, name)()[cells], getattr(single, name)(), err_msg=name)
        for name in ("monosemantic_counts", "cone_shares"):
            values = getattr(results, name)()[cells]
            np.testing.assert_array_equal(values[..., :E], getattr(single, name)(), err_msg=name)
            assert np.isnan(values[..., E:]).all()
        for field in ("gate", "active"):
            values = getattr(results.expert_usage(), field)[cells]
            np.testing.assert_array_equal(values[..., :E], getattr(single.expert_usage(), field))
            assert np.isnan(values[..., E:]).all()
    assert np.isnan(results.total_capacity()[:, :, :, 0, 1]).all()


def test_models_route_and_reconstruct(
    results: phasegrid.Results, alone: dict[tuple[int, int, int], phasegrid.Results]
) -> None:
    inputs = phasegrid.draw_inputs([0.5] * 4, 50, seed=2)
    for (m, E, k), single in alone.items():
        cell = results.cell(sparsity=0.9, n_hidden=m, n_experts=E, top_k=k)
        route, expected = results.route(cell, inputs), single.route((1, 0), inputs)
        assert route.experts.shape == (50, k)
        for one, other in zip(route, expected, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(results.reconstruct(cell, inputs), single.reconstruct((1, 0), inputs))


# ---------------------------------------------------------------- parts, files, tables
def test_a_part_of_the_grid_is_what_training_it_alone_gives(
    results: phasegrid.Results, alone: dict[tuple[int, int, int], phasegrid.Results]
) -> None:
    part = results.sel(n_experts=1, top_k=1)
    assert part.expert_weights.shape == (2, 1, 2, 1, 1, 1, 4, 2)
    same(part, phasegrid.train(part.sweep, progress=False))
    smallest = part.sel(n_hidden=1)
    assert smallest.expert_weights.shape == (2, 1, 1, 1, 1, 1, 4, 1)
    np.testing.assert_array_equal(smallest.expert_weights[:, :, 0, 0, 0], alone[1, 1, 1].expert_weights)
    np.testing.assert_array_equal(smallest.all_biases[:, :, 0, 0, 0], alone[1, 1, 1].all_biases)
    np.testing.assert_array_equal(
        smallest.snapshot_router_weights[:, :, 0, 0, 0], alone[1, 1, 1].snapshot_router_weights
    )
    same(results.isel(n_experts=[1, 2]), phasegrid.train(results.sweep.replace(n_experts=[2, 4]), progress=False))
    largest = results.isel(sparsity=0, n_hidden=1, n_experts=2, top_k=1)
    np.testing.assert_array_equal(largest.expert_weights.ravel(), alone[2, 4, 2].expert_weights[0].ravel())
    assert (results.sel(n_experts=[1, 4]).status == -2).sum() == 2 * 2 * 2


def test_files_and_pickles_give_it_back(results: phasegrid.Results, tmp_path: Path) -> None:
    results.save(tmp_path / "r.npz")
    same(phasegrid.load(tmp_path / "r.npz"), results)
    same(pickle.loads(pickle.dumps(results)), results)
    same(pickle.loads(pickle.dumps(results.sel(n_experts=2))), results.sel(n_experts=2))
    with np.load(tmp_path / "r.npz") as file:
        for key, array in results.arrays().items():
            np.testing.assert_array_equal(file[key], array, err_msg=key)
        np.testing.assert_array_equal(file["n_experts_values"], EXPERTS)
    arrays = phasegrid.open_arrays(tmp_path / "r.npz")
    np.testing.assert_array_equal(arrays["expert_weights"], results.expert_weights)


def test_tables(results: phasegrid.Results) -> None:
    pytest.importorskip("xarray")
    pytest.importorskip("pandas")
    data = results.to_xarray()
    cell = data.sel(sparsity=0.9, n_hidden=1, n_experts=2, top_k=2).squeeze()
    np.testing.assert_array_equal(cell.expert_weights, results.expert_weights[1, 0, 0, 1, 1])
    assert dict(data.sizes)["expert"] == 4 and dict(data.sizes)["hidden"] == 2
    assert float(cell.total_capacity) == results.total_capacity()[1, 0, 0, 1, 1]
    cells = results.to_pandas()
    assert {"n_hidden", "n_experts", "top_k"} <= set(cells.columns) and len(cells) == 24
    none = cells[cells.top_k > cells.n_experts]
    assert len(none) == 4 and (none.trained == 0).all() and (none.diverged == 0).all() and (none.kept == -1).all()
    assert none.reconstruction_loss.isna().all() and none.total_capacity.isna().all()
    rest = cells[cells.top_k <= cells.n_experts]
    assert (rest.trained == 2).all() and rest.total_capacity.notna().all()
    restarts = results.to_pandas("restart")
    assert (restarts.status == -2).sum() == 8 and not restarts[restarts.status == -2].kept.any()


def test_pictures_and_the_explorer_take_them(results: phasegrid.Results, tmp_path: Path) -> None:
    assert results.draw(tmp_path / "d.png").axes
    assert results.draw_features((0, 0, 1, 2, 1)).axes
    one = results.isel(n_hidden=1, top_k=0)
    assert one.draw().axes and one.isel(sparsity=0).draw().axes
    with pytest.raises(ValueError, match="no model of top_k 2 and n_experts 1"):
        results.draw_features((0, 0, 0, 0, 1))
    assert results.explore(tmp_path / "page.html").exists()


# ---------------------------------------------------------------- in parts, and on
def test_shards_resumed_and_interrupted_trainings(results: phasegrid.Results, tmp_path: Path) -> None:
    shards = [phasegrid.train(results.sweep, shard=f"{i}/3", progress=False) for i in (1, 2, 3)]
    assert sum(shard.models_done for shard in shards) == results.sweep.models
    assert not any(shard.complete for shard in shards)
    same(phasegrid.merge(shards), results)
    same(phasegrid.train(results.sweep, resume=shards[1], progress=False), results)
    shards[0].save(tmp_path / "shard.npz")
    (tmp_path / "shard.npz").rename(tmp_path / "r.npz.partial")
    same(phasegrid.train(results.sweep, out=tmp_path / "r.npz", progress=False), results)
    assert not (tmp_path / "r.npz.partial").exists()
    same(phasegrid.load(tmp_path / "r.npz"), results)


def test_kept_models_elsewhere(
    results: phasegrid.Results, alone: dict[tuple[int, int, int], phasegrid.Results]
) -> None:
    moved = results.isel(sparsity=0).evaluate(sparsity=[0.3, 0.7])
    assert moved.expert_weights.shape == (*ROOM, 4, 4, 2)
    for (m, E, k), single in alone.items():
        expected = single.isel(sparsity=0).evaluate(sparsity=[0.3, 0.7])
        np.testing.assert_array_equal(moved.reconstruction_losses[at(m, E, k)], expected.reconstruction_losses)
        np.testing.assert_array_equal(
            cropped(moved.expert_weights[at(m, E, k)], "expert_weights", m, E), expected.expert_weights
        )
    assert (moved.status == -2).sum() == 2 * 2


def test_models_to_start_at_must_be_of_the_same_shapes(
    results: phasegrid.Results, alone: dict[tuple[int, int, int], phasegrid.Results]
) -> None:
    """An E = 4 model has as many numbers as there is room for in every cell; it is none of E = 1."""
    largest = alone[2, 4, 2].isel(sparsity=0)
    sweep = phasegrid.Sweep(**{**QUICK, "sparsity": 0.5}, n_hidden=2, n_experts=[1, 2, 4])
    with pytest.raises(ValueError, match="initial has models of n_experts = 4; the sweep has those of 1, 2, 4"):
        phasegrid.train(sweep, initial=largest)
    with pytest.raises(ValueError, match=r"initial is one model, and the sweep has models of n_experts = \[1.0, 2.0"):
        phasegrid.train(sweep, initial={"W": np.zeros((4, 4, 2)), "b": np.zeros((4, 4)), "G": np.zeros((4, 4))})
    with pytest.raises(ValueError, match="initial has 3 values of n_experts and the sweep 1"):
        phasegrid.train(
            phasegrid.Sweep(**{**QUICK, "sparsity": 0.5}, n_hidden=2, n_experts=4),
            initial=results.isel(sparsity=0, n_hidden=1, top_k=0),
        )
    again = phasegrid.train(
        sweep.replace(steps=0, restarts=1), initial=results.isel(sparsity=0, n_hidden=1, top_k=0), progress=False
    )
    np.testing.assert_array_equal(
        again.expert_weights.ravel(), results.isel(sparsity=0, n_hidden=1, top_k=0).expert_weights.ravel()
    )
