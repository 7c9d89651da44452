"""Parts of results and of the package: cells by index and value, sel, isel, replace, pickles, tables, the program."""

from __future__ import annotations

import concurrent.futures
import copy
import io
import multiprocessing
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import phasegrid
from phasegrid import pictures

SETTINGS: dict[str, Any] = {
    "n_features": 3,
    "n_hidden": 2,
    "n_experts": 2,
    "restarts": 3,
    "steps": 40,
    "batch": 32,
    "sparsity": [0.1, 0.5, 0.9],
    "last_importance": np.array([0.5, 2.0]),
    "learning_rate": [0.01, 0.001],
    "snapshots": [0, 9],
}


@pytest.fixture(scope="module")
def results() -> phasegrid.Results:
    return phasegrid.train(**SETTINGS)


def same(a: phasegrid.Results, b: phasegrid.Results) -> None:
    assert a.sweep == b.sweep and a.device == b.device
    ours, theirs = a.arrays(), b.arrays()
    assert ours.keys() == theirs.keys()
    for key in ours:
        np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)


def test_a_part_of_a_grid_is_what_training_it_alone_gives(results: phasegrid.Results) -> None:
    parts = (
        results.sel(sparsity=0.5),
        results.sel(sparsity=[0.9, 0.1], last_importance=slice(1, None), learning_rate=0.001),
        results.isel(sparsity=slice(1, 3), learning_rate=-1),
        results.isel(sparsity=np.array([0, 2]), last_importance=1),
    )
    assert [p.sweep.shape for p in parts] == [(1, 2, 2), (2, 1, 1), (2, 2, 1), (2, 1, 2)]
    for part in parts:
        same(part, phasegrid.train(part.sweep))
    assert parts[1].sparsity_values.tolist() == [0.9, 0.1]
    np.testing.assert_array_equal(parts[2].expert_weights[:, :, 0], results.expert_weights[1:, :, 1])
    same(results.sel(), results)
    assert results.sel(sparsity=np.float32(0.1)).sweep.shape == (1, 2, 2)


def test_a_part_of_an_axis_that_is_none(results: phasegrid.Results) -> None:
    one = phasegrid.train(n_features=2, steps=9, restarts=2, feature_sparsity=[0.1, 0.2], learning_rate=[0.1, 0.2])
    part = one.sel(last_importance=1, learning_rate=0.2)
    same(part, phasegrid.train(part.sweep))
    same(one.isel(sparsity=0), one)
    with pytest.raises(ValueError, match="sparsity has no values to choose by: each feature has its own"):
        one.sel(sparsity=0.1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda r: r.sel(sparsity=0.51), r"^sparsity has no value 0\.51; the nearest are 0\.5 and 0\.9; it has 0\.1, "),
        (lambda r: r.sel(sparsity=[0.1, 2]), r"^sparsity has no value 2;"),
        (lambda r: r.sel(spars=1), r"^'spars' is no axis of this grid; its axes are sparsity, last_importance, learn"),
        (lambda r: r.sel(sparsity="a"), r"^sparsity must be a value of its axis, .* not 'a'$"),
        (lambda r: r.sel(sparsity=np.nan), r"^sparsity must be a value of its axis, .* not nan$"),
        (lambda r: r.sel(sparsity=slice(0.2, 0.3)), r"^sparsity: no value of the axis is meant by slice"),
        (lambda r: r.sel(sparsity=slice(0, 1, 2)), r"^sparsity must be a slice from a value to a value"),
        (lambda r: r.sel(sparsity=[0.1, 0.1]), r"^sparsity: \[0\.1, 0\.1\] means a value of the axis twice$"),
        (lambda r: r.isel(sparsity=3), r"^sparsity must be an index from -3 to 2, not 3$"),
        (lambda r: r.isel(sparsity=True), r"^sparsity must be an index from -3 to 2, not True$"),
        (lambda r: r.isel(sparsity=[]), r"^sparsity: no value of the axis is meant by \[\]$"),
        (lambda r: r.isel(sparsity=slice("a", 3)), r"^sparsity must be a slice of whole numbers"),
        (lambda r: r.isel(steps=0), r"^'steps' is no axis"),
        (lambda r: r.cell(sparsity=0.5), r"there is none for last_importance, learning_rate$"),
        (
            lambda r: r.reconstruct((0, 0), np.zeros((1, 3))),
            r"grid \(sparsity: 3, last_importance: 2, learning_rate: 2",
        ),
        (lambda r: r.reconstruct(12, np.zeros((1, 3))), r"or a whole number below 12, not 12$"),
        (
            lambda r: pictures.training(r, (0, 0, 2)),
            r"results: cell must be an index into the grid .* not \(0, 0, 2\)$",
        ),
        (lambda r: pictures.training(r, {"sparsity": 0.2}), r"results: sparsity has no value 0\.2"),
        (lambda r: r.to_pandas("x"), r'^rows must be "cell" or "restart", not \'x\'$'),
    ],
)
def test_what_is_not_in_the_grid_gets_one_sentence(results: phasegrid.Results, call: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        call(results)
    assert "\n" not in str(caught.value)


def test_a_long_axis_is_not_listed() -> None:
    long = phasegrid.train(n_features=2, steps=1, restarts=1, batch=1, sparsity=np.linspace(0, 0.9, 91))
    with pytest.raises(ValueError, match=r"^sparsity has no value 0\.955; .* 0\.89 and 0\.9; it goes from 0 to 0\.9$"):
        long.sel(sparsity=0.955)


def test_a_cell_means_the_same_everywhere(results: phasegrid.Results) -> None:
    inputs = phasegrid.draw_inputs([0.5] * 3, 20)
    index = (2, 1, 0)
    by_value = {"sparsity": 0.9, "last_importance": 2, "learning_rate": 0.01}
    assert results.cell(**by_value) == index
    for cell in ([2, 1, 0], (-1, 1, -2), by_value, 10, np.int64(-2)):
        np.testing.assert_array_equal(results.reconstruct(cell, inputs), results.reconstruct(index, inputs))
        np.testing.assert_array_equal(results.route(cell, inputs)[1], results.route(index, inputs)[1])
        for draw in (pictures.experts, pictures.training):
            assert titles(draw(results, cell)) == titles(draw(results, index))
            assert titles(draw(results, cell)) != titles(draw(results, 3))
    alone = results.sel(**by_value)
    np.testing.assert_array_equal(alone.reconstruct(0, inputs), results.reconstruct(index, inputs))


def test_one_value_of_a_further_axis_is_drawn(results: phasegrid.Results) -> None:
    with pytest.raises(
        ValueError, match=r"has the axis learning_rate too; .* results\.sel\(learning_rate=\.\.\)\.draw"
    ):
        results.draw()
    drawn = results.sel(learning_rate=0.001).draw()
    alone = phasegrid.train(**{**SETTINGS, "learning_rate": 0.001}).draw()
    assert pictures_bytes(drawn) == pictures_bytes(alone)


def pictures_bytes(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def titles(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_replace_and_settings() -> None:
    sweep = phasegrid.Sweep(**SETTINGS, importance={"geometric": 0.9}, router_init="zero", seed=[0, 3])
    assert sweep.replace() == sweep == phasegrid.Sweep(**sweep.settings)
    assert sweep.replace(steps=50).config["train"]["steps"] == 50
    assert sweep.replace(sparsity=0.3).shape == (1, 2, 2, 2)
    assert sweep.replace(weight_decay=[0, 0.1]).shape == (3, 2, 2, 2, 2)
    own = sweep.replace(feature_sparsity=[0.1, 0.2, 0.3])
    assert own.config["data"]["sparsity"] == [0.1, 0.2, 0.3] and own.shape == (1, 2, 2, 2)
    assert own.replace() == own and own.replace(sparsity=[0.1, 0.5, 0.9]) == sweep
    assert sweep.replace(seed=7).seed == 7 and sweep.replace(seed=7).shape == (3, 2, 2)
    assert [sweep.replace(n_experts=E, top_k=1, name=f"E{E}").n_experts for E in (1, 4)] == [1, 4]
    with pytest.raises(ValueError, match=r"top_k must be at most n_experts = 1, not 2$"):
        sweep.replace(n_experts=1, top_k=2)


def test_replace_keeps_a_files_seed_beside_its_axis(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("seed = 5\n[model]\nn_features = 2\n[axes]\nsparsity = [0.1]\nseed = [0, 3]\n")
    [sweep] = phasegrid.read_sweeps(tmp_path / "s.toml")
    longer = sweep.replace(steps=7)
    assert longer.seed == 5 and longer.axes["seed"].tolist() == [0, 3] and longer.config["train"]["steps"] == 7
    assert sweep.replace() == sweep


def capacity(results: phasegrid.Results) -> float:
    return float(results.total_capacity().sum())


def test_results_go_through_pickle_copies_and_processes(results: phasegrid.Results) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        same(pickle.loads(pickle.dumps(results, protocol)), results)
    same(copy.deepcopy(results), results)
    same(copy.copy(results), results)
    assert copy.deepcopy(results.sweep) == results.sweep
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        assert list(pool.map(capacity, [results, results.isel(sparsity=0)])) == [
            capacity(results),
            capacity(results.isel(sparsity=0)),
        ]
        same(pool.submit(phasegrid.train, results.sweep).result(), results)
    stopped = pickle.loads(pickle.dumps(phasegrid.Interrupted(results)))
    same(stopped.results, results)


def test_a_pickle_whose_arrays_are_not_of_its_config_is_refused(results: phasegrid.Results) -> None:
    make, (config, arrays) = results.__reduce__()
    for bad in (
        {**arrays, "kept": arrays["kept"][:1]},
        {key: array for key, array in arrays.items() if key != "kept"},
        {**arrays, "kept": np.concatenate([arrays["kept"], arrays["kept"]])},
    ):
        with pytest.raises(ValueError, match="kept is not as large as config says"):
            make(config, bad)


def test_tables_of_cells_and_of_restarts(results: phasegrid.Results) -> None:
    cells = results.to_pandas()
    assert len(cells) == 12
    assert cells.columns.tolist()[:3] == ["sparsity", "last_importance", "learning_rate"]
    row = cells[(cells.sparsity == 0.9) & (cells.last_importance == 2) & (cells.learning_rate == 0.01)]
    assert float(row.training_loss.iloc[0]) == results.final_losses[2, 1, 0]
    assert float(row.reconstruction_loss.iloc[0]) == results.reconstruction_losses[2, 1, 0]
    assert int(row.kept.iloc[0]) == results.kept[2, 1, 0] and int(row.trained.iloc[0]) == 3
    assert float(row.total_capacity.iloc[0]) == results.total_capacity()[2, 1, 0]
    restarts = results.to_pandas("restart")
    assert len(restarts) == 36
    for column, losses in (
        ("training_loss", results.all_losses),
        ("reconstruction_loss", results.all_reconstruction_losses),
    ):
        np.testing.assert_array_equal(restarts[column].to_numpy().reshape(losses.shape), losses)
    kept = restarts[restarts.kept]
    np.testing.assert_array_equal(kept.restart.to_numpy(), results.kept.ravel())
    np.testing.assert_array_equal(kept.sparsity.to_numpy(), cells.sparsity.to_numpy())


@pytest.mark.parametrize(("package", "call"), [("pandas", "to_pandas"), ("xarray", "to_xarray")])
def test_a_missing_package_is_named(
    results: phasegrid.Results, monkeypatch: pytest.MonkeyPatch, package: str, call: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"^{call}\(\) needs the package {package}: pip install {package}$"):
        getattr(results, call)()


def test_pictures_and_explorer_are_there_after_import_and_load_no_library() -> None:
    code = (
        "import sys, phasegrid\n"
        "assert not {'phasegrid.pictures', 'phasegrid.explorer', 'numpy'} & set(sys.modules)\n"
        "assert phasegrid.pictures.__name__ == 'phasegrid.pictures' and callable(phasegrid.explorer.explore)\n"
        "assert not {'matplotlib', 'plotly', 'phasegrid._core'} & set(sys.modules)\n"
        "assert {'pictures', 'explorer'} <= set(dir(phasegrid))\n"
        "phasegrid.train(n_features=2, sparsity=0.5, steps=1, restarts=1, batch=1)\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_python_m_phasegrid_is_the_program(tmp_path: Path, program: str) -> None:
    module = [sys.executable, "-m", "phasegrid"]
    (tmp_path / "t.toml").write_text(
        "restarts = 1\n[model]\nn_features = 2\n[data]\nsparsity = 0.5\n[train]\nsteps = 5\n"
    )
    ours = subprocess.run(
        [*module, "run", tmp_path / "t.toml", "--out", tmp_path / "a.npz"], capture_output=True, text=True
    )
    assert ours.returncode == 0 and "1 of 1 models" in ours.stdout, ours
    subprocess.run([program, "run", tmp_path / "t.toml", "--out", tmp_path / "b.npz"], check=True, capture_output=True)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    refused = subprocess.run([*module, "run"], capture_output=True, text=True)
    assert refused.returncode == 2 and refused.stderr.startswith("phasegrid: ")
    page = subprocess.run([*module, "explore", tmp_path / "a.npz", "--out", tmp_path / "a.html"], capture_output=True)
    assert page.returncode == 0 and (tmp_path / "a.html").exists()


def test_python_m_phasegrid_without_the_program_says_so(tmp_path: Path) -> None:
    package = Path(phasegrid.__file__).parent
    alone = tmp_path / "a" / "b" / "phasegrid"
    alone.mkdir(parents=True)
    for file in ("__init__.py", "__main__.py"):
        (alone / file).write_bytes((package / file).read_bytes())
    done = subprocess.run(
        [sys.executable, "-S", "-m", "phasegrid", "devices"],
        env={**os.environ, "PYTHONPATH": str(alone.parent)},
        capture_output=True,
        text=True,
    )
    scripts = Path(sys.executable).parent / "phasegrid"
    if not scripts.exists():  # a package that is installed in this Python has its program there
        assert done.returncode == 2 and done.stderr.startswith("phasegrid: the program is not beside this package"), (
            done
        )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda r, p: phasegrid.train(r.sweep, out=p / "x.h5"), r"^out must be .* ends in \.npz, not '.*x\.h5'$"),
        (lambda r, p: phasegrid.train(r.sweep, out=p / "no" / "x.npz"), r"there is no folder '.*no'; make it first$"),
        (lambda r, p: r.isel(learning_rate=0).draw(p / "no" / "x.png"), r"there is no folder '.*no'; make it first$"),
        (
            lambda r, p: r.isel(learning_rate=0).draw(p / "x.h5"),
            r"^path must be .* ends in \.png or \.pdf or \.svg, not ",
        ),
        (lambda r, p: pictures.save(r.isel(learning_rate=0).draw(), p / "no" / "x.png"), r"there is no folder '.*no'"),
        (lambda r, p: r.save(p / "no" / "x.npz"), r"there is no folder '.*no'; make it first$"),
        (lambda r, p: r.save(p / "x.npy"), r"^path must be .* ends in \.npz"),
        (lambda r, p: r.explore(p / "no" / "x.html"), r"there is no folder '.*no'; make it first$"),
        (lambda r, p: phasegrid.explorer.explore(r, p / "no" / "x.html"), r"there is no folder '.*no'"),
        (lambda r, p: phasegrid.train([r.sweep], out=p / "no"), r"no: cannot be written: out must be a folder that is"),
    ],
)
def test_where_a_file_cannot_go_is_said_alike(
    results: phasegrid.Results, tmp_path: Path, call: Any, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        call(results, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []  # nothing was made
