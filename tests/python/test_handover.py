"""Trained models in PyTorch and in safetensors files.

PyTorch is too large for the tests' own environment, so its part runs in that of the peers, after `make peers`:
    PYTHONPATH=build/python .venv-peers/bin/python -m pytest tests/python/test_handover.py
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

import phasegrid
from phasegrid import handover
from phasegrid.cells import cell_index

EVERY: dict[str, Any] = {
    "n_features": 5,
    "n_hidden": 2,
    "n_experts": 3,
    "top_k": 2,
    "tied": False,
    "restarts": 3,
    "steps": 40,
    "batch": 32,
    "sparsity": [0.1, 0.5, 0.9],
    "learning_rate": [0.01, 0.001],
    "snapshots": [0, 9],
    "keep": "all",
    "progress": False,
}


@pytest.fixture(scope="module")
def results() -> phasegrid.Results:
    return phasegrid.train(**EVERY)


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="needs PyTorch (make peers)")


def some_inputs(n: int) -> np.ndarray:
    """Sparse and dense ones, of both signs, and zeros."""
    drawn = [phasegrid.draw_inputs([sparsity] * n, 40) for sparsity in (0.0, 0.5, 0.95)]
    return np.concatenate([*drawn, -drawn[0], np.zeros((2, n), np.float32)])


def check(torch: Any, results: phasegrid.Results, cell: Any = 0, x: np.ndarray | None = None) -> None:
    """That the module routes and reconstructs as the results do."""
    x = some_inputs(results.sweep.n_features) if x is None else x
    model, expected = results.to_torch(cell), results.reconstruct(cell, x)
    with torch.no_grad():
        np.testing.assert_allclose(model(torch.tensor(x)).numpy(), expected, rtol=1e-6, atol=1e-6)
        experts, gates = model.route(torch.tensor(x))
        routing = results.route(cell, x)
        np.testing.assert_array_equal(experts.numpy(), routing.experts)
        np.testing.assert_allclose(gates.numpy(), routing.gates, atol=1e-6)
        own = results.isel(**dict(zip(results.axes, cell_index(results.axes, cell), strict=True)))
        every = np.zeros((len(x), own.sweep.n_experts))
        np.put_along_axis(every, routing.experts.astype(np.intp), routing.gates, 1)
        np.testing.assert_allclose(model.gates(torch.tensor(x)).numpy(), every, atol=1e-6)
        precise = model.double()(torch.tensor(x).double()).numpy()
        np.testing.assert_allclose(precise, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("experts, k", [(1, 1), (2, 1), (4, 2), (5, 5)])
def test_every_member_of_the_family_reconstructs_in_torch(torch: Any, experts: int, k: int) -> None:
    options = itertools.product((True, False), ("linear", "relu"), ("linear", "relu"), (True, False))
    shape: dict[str, Any] = {"n_features": 7, "n_hidden": 3, "n_experts": experts, "top_k": k}
    sweeps = [
        phasegrid.Sweep(**shape, tied=tied, hidden=hidden, output=output, bias=bias, sparsity=0.7, restarts=2, steps=30)
        for tied, hidden, output, bias in options
    ]
    for trained in phasegrid.train(sweeps, progress=False):
        check(torch, trained)


def test_a_larger_mixture_reconstructs_in_torch(torch: Any) -> None:
    check(torch, phasegrid.train(n_features=300, n_hidden=60, n_experts=4, top_k=3, sparsity=0.9, restarts=1, steps=5))


def test_equal_scores_go_to_the_lower_expert_in_torch(torch: Any) -> None:
    zero = phasegrid.train(n_features=4, n_hidden=2, n_experts=6, top_k=3, sparsity=0.5, steps=0, router_init="zero")
    check(torch, zero)
    experts, gates = zero.to_torch().route(torch.ones(1, 4))
    assert experts.tolist() == [[0, 1, 2]]
    assert gates.detach().numpy() == pytest.approx(np.full((1, 3), 1 / 3))
    # Experts that are pairs, in some order: 16 of them, which a sort that is not stable mixes up.
    rng = np.random.default_rng(1)
    pairs = rng.permutation(np.repeat(np.arange(8), 2))
    start = {"W": rng.normal(size=(16, 4, 2)), "b": rng.normal(size=(16, 4)), "G": rng.integers(-2, 3, (8, 4))[pairs]}
    for k in (1, 2, 5, 16):
        settings = {"n_features": 4, "n_hidden": 2, "n_experts": 16, "top_k": k, "sparsity": 0.5, "steps": 0}
        tied = phasegrid.train(**settings, initial=start, restarts=1)
        check(torch, tied)
        check(torch, tied, x=rng.integers(-1, 2, (200, 4)).astype(np.float32))


def test_scores_that_float32_rounds_to_a_tie_are_told_apart_in_torch(torch: Any) -> None:
    start = {"W": np.ones((2, 2, 1)), "b": [[0, 0], [1, 1]], "G": [[1, 0], [1, 1]]}
    results = phasegrid.train(n_features=2, n_experts=2, sparsity=0.5, steps=0, restarts=1, initial=start)
    x = np.array([[1, 2.0**-30]], np.float32)
    assert results.route(0, x).experts.tolist() == [[1]]
    check(torch, results, x=x)


def test_parameters_have_the_librarys_names_and_are_trained_on(torch: Any, results: phasegrid.Results) -> None:
    model = results.to_torch((1, 0, 1))
    before = {name: np.array(getattr(results, name)[1, 0, 1]) for name in results.core.parts}
    assert set(before) == {"expert_weights", "decoder_weights", "biases", "router_weights"}
    for name, parameter in model.named_parameters():
        assert parameter.dtype == torch.float32 and parameter.requires_grad
        np.testing.assert_array_equal(parameter.detach().numpy(), before.pop(name))
    assert not before
    x = torch.tensor(phasegrid.draw_inputs([0.5] * 5, 256))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = ((model(x) - x) ** 2).mean()
        loss.backward()
        assert all(parameter.grad.abs().max() > 0 for parameter in model.parameters())
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(results.to_torch((1, 0, 1)).biases.detach().numpy(), results.biases[1, 0, 1])
    other = results.to_torch((0, 0, 0))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(x), model(x))


def test_models_without_parts_have_none_in_torch(torch: Any) -> None:
    plain = phasegrid.train(n_features=3, n_hidden=2, bias=False, sparsity=0.5, steps=1, restarts=1).to_torch()
    assert plain.decoder_weights is None and plain.biases is None
    assert list(plain.state_dict()) == ["expert_weights", "router_weights"]
    assert str(plain) == "ToyModel(n=3, m=2, E=1, k=1, hidden=linear, output=relu, tied=True, bias=False)"


def test_inputs_of_any_leading_shape_in_torch(torch: Any, results: phasegrid.Results) -> None:
    model = results.to_torch()
    x = torch.tensor(phasegrid.draw_inputs([0.5] * 5, 6))
    for shape in ((6,), (2, 3), (1, 6, 1)):
        assert torch.allclose(model(x.reshape(*shape, 5)), model(x).reshape(*shape, 5), atol=1e-6)
    assert torch.allclose(model(x[0]), model(x)[0], atol=1e-6)
    assert model(x[:0]).shape == (0, 5)
    assert model.route(x.reshape(2, 3, 5)).experts.shape == (2, 3, 2)
    for wrong in (torch.zeros(2, 4), torch.zeros(())):
        with pytest.raises(ValueError, match=r"^inputs must have the shape \(.., n_features = 5\), not \("):
            model(wrong)


def test_cells_and_restarts_of_torch_models(torch: Any, results: phasegrid.Results) -> None:
    weights = results.expert_weights[2, 0, 1]
    part = results.sel(sparsity=0.9, learning_rate=0.001)
    for model in (
        results.to_torch((2, 0, 1)),
        results.to_torch(5),
        results.to_torch({"sparsity": 0.9, "learning_rate": 0.001}),
        results.to_torch(results.cell(sparsity=0.9, learning_rate=0.001)),
        results.to_torch((-1, 0, -1), restart=int(results.kept[2, 0, 1])),
        part.to_torch(),
    ):
        np.testing.assert_array_equal(model.expert_weights.detach().numpy(), weights)
    for restart in range(3):
        model = results.to_torch((2, 0, 1), restart=restart)
        for name in results.core.parts:
            array = getattr(results, f"all_{name}")[2, 0, 1, restart]
            np.testing.assert_array_equal(getattr(model, name).detach().numpy(), array)


def test_torch_models_that_are_not_there(results: phasegrid.Results) -> None:
    for restart in (3, -1, 0.0, True, "0"):
        with pytest.raises(ValueError, match="^restart must be a whole number from 0 to 2, not "):
            results.to_torch(0, restart)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="^cell must be an index into the grid"):
        results.to_torch(6)
    shard = phasegrid.train(results.sweep, shard="1/6", progress=False)
    empty = int(np.flatnonzero(shard.kept.ravel() < 0)[0])
    with pytest.raises(ValueError, match=r"^cell \(\d, 0, \d\) has no kept model: it was not trained, or diverged$"):
        shard.to_torch(empty)
    with pytest.raises(ValueError, match=r"^cell \(\d, 0, \d\) has no finite model of restart 1: it was not trained"):
        shard.to_torch(empty, restart=1)
    with pytest.raises(ValueError, match="^only the kept models' parameters are there; train with keep="):
        phasegrid.train(n_features=2, sparsity=0.5, steps=1).to_torch(0, restart=0)


def test_safetensors_hold_every_array_and_the_settings(results: phasegrid.Results, tmp_path: Path) -> None:
    results.to_safetensors(tmp_path / "toy.safetensors")
    arrays = dict(results.arrays())
    assert json.loads(str(arrays.pop("config"))) == results.config
    assert {"decoder_weights", "all_biases", "snapshot_router_weights", "kept", "learning_rate_values"} <= set(arrays)
    loaded = safetensors.numpy.load_file(tmp_path / "toy.safetensors")
    assert set(loaded) == set(arrays)
    for key, array in arrays.items():
        assert loaded[key].dtype == array.dtype
        np.testing.assert_array_equal(loaded[key], array, err_msg=key)
    assert loaded["expert_weights"].shape == (3, 1, 2, 3, 5, 2)
    with safetensors.safe_open(tmp_path / "toy.safetensors", "np") as file:
        assert file.metadata() == {"config": results.core.config}
    # Equal results give equal bytes, and a file that is there is replaced.
    again = (tmp_path / "toy.safetensors").read_bytes()
    phasegrid.train(n_features=2, sparsity=0.5, steps=1).to_safetensors(tmp_path / "toy.safetensors")
    assert (tmp_path / "toy.safetensors").read_bytes() != again
    results.to_safetensors(str(tmp_path / "toy.safetensors"))
    assert (tmp_path / "toy.safetensors").read_bytes() == again
    assert list(tmp_path.iterdir()) == [tmp_path / "toy.safetensors"]


def test_models_of_a_safetensors_file_are_trained_on(results: phasegrid.Results, tmp_path: Path) -> None:
    results.to_safetensors(tmp_path / "toy.safetensors")
    loaded = safetensors.numpy.load_file(tmp_path / "toy.safetensors")
    start = {name: loaded[name][1, 0, 1] for name in results.core.parts}
    sweep = results.sweep.replace(sparsity=0.5, learning_rate=0.001, steps=0, snapshots=[], restarts=1)
    again = phasegrid.train(sweep, initial=start, progress=False)
    assert again.decoder_weights[0, 0].tobytes() == results.decoder_weights[1, 0, 1].tobytes()


def test_safetensors_files_that_cannot_be_written(results: phasegrid.Results, tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    for path, said in (
        (tmp_path / "toy.npz", "path must be the path of a file that ends in .safetensors, not 'toy.npz'"),
        (tmp_path / "no" / "toy.safetensors", r"toy\.safetensors: cannot be written: there is no folder '"),
        (tmp_path / "folder.safetensors", r"folder\.safetensors: cannot be written: it is a folder$"),
        (7, "path must be a path, in UTF-8 and without zero bytes, not 7"),
    ):
        with pytest.raises(ValueError, match=said):
            results.to_safetensors(path)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["folder.safetensors"]


@pytest.mark.parametrize("package, call", [("torch", "to_torch"), ("safetensors", "to_safetensors")])
def test_a_missing_package_is_named(
    results: phasegrid.Results, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str, call: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"^{call}\(\) needs the package {package}: pip install {package}$"):
        getattr(results, call)(*([tmp_path / "toy.safetensors"] if package == "safetensors" else []))
    assert not list(tmp_path.iterdir())


SHAPES: dict[str, Any] = {**EVERY, "n_hidden": [1, 2], "n_experts": [1, 3], "top_k": [1, 2], "learning_rate": 0.01}


def test_a_model_of_a_grid_of_shapes_is_that_of_its_own_shape() -> None:
    results = phasegrid.train(**SHAPES)
    cell = results.cell(sparsity=0.5, n_hidden=1, n_experts=3, top_k=2)
    names = dict(zip(results.axes, cell, strict=True))
    alone = phasegrid.train(**{**SHAPES, "sparsity": 0.5, "n_hidden": 1, "n_experts": 3, "top_k": 2})
    for restart in (None, 1):
        ours, theirs = handover.parts_of(results.isel(**names), restart), handover.parts_of(alone, restart)
        assert ours.keys() == theirs.keys()
        for name, part in theirs.items():
            np.testing.assert_array_equal(ours[name], part)
    with pytest.raises(ValueError, match="has no model: its top_k is above its n_experts"):
        results.to_torch(results.cell(sparsity=0.5, n_hidden=1, n_experts=1, top_k=2))


def test_modules_of_a_grid_of_shapes(torch: Any) -> None:
    results = phasegrid.train(**SHAPES)
    for E, k in ((1, 1), (3, 1), (3, 2)):
        for m in (1, 2):
            check(torch, results, results.cell(sparsity=0.5, n_hidden=m, n_experts=E, top_k=k))
