"""Files of the authors' layout: read by Python, pictures and the explorer without unpickling, and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SOURCE
from numpy.typing import NDArray

import phasegrid
from phasegrid import explorer, pictures
from phasegrid.pictures import diagrams, grids

Arrays = dict[str, NDArray[Any]]
SPARSITY, IMPORTANCE = np.arange(0.025, 1, 0.475), np.array([0.1, 1.1, 2.95, 0.5])


class Trap:
    """Ends the test where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("unpickled",))


def theirs(experts: int = 2, seed: int = 0) -> tuple[Arrays, Arrays]:
    """Their arrays, of nine cells in an order of their own, and the grid that they make."""
    random = np.random.default_rng(seed)
    shape = (SPARSITY.size, IMPORTANCE.size)
    grid: Arrays = {
        "sparsity_values": SPARSITY,
        "importance_values": IMPORTANCE,
        "final_losses": random.uniform(0.02, 0.2, shape),
        "expert_weights": random.normal(size=(*shape, experts, 3, 2)).astype(np.float32),
    }
    order = random.permutation(SPARSITY.size * IMPORTANCE.size)
    keys = np.array([(s, r) for s in SPARSITY for r in IMPORTANCE])
    objects = np.array([Trap()] * order.size)
    flat: Arrays = {
        "sparsity_values": SPARSITY,
        "importance_values": IMPORTANCE,
        "config_params": np.array(Trap()),
        "grid_keys": keys[order],
        "final_losses": grid["final_losses"].ravel()[order],
        "expert_weights_list": grid["expert_weights"].reshape(order.size, experts, 3, 2)[order],
        "router_weights_list": objects,
        "n_grid_points": np.array(order.size, object),
        "save_timestamp": np.array("2025-08-15T07:29:49.086310"),
    }
    return flat, grid


def save(path: Path, arrays: Arrays) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]  # its stub takes allow_pickle by the same name
    return path


def test_their_files_open_as_grids(tmp_path: Path) -> None:
    flat, grid = theirs()
    path = save(tmp_path / "212.npz", flat)
    for source in (path, flat):
        arrays = phasegrid.open_arrays(source)
        assert set(arrays) == set(grid)
        for key, values in grid.items():
            np.testing.assert_array_equal(arrays[key], values)
    assert set(phasegrid.open_arrays(path, ("final_losses", "config"))) == {"final_losses"}
    with pytest.raises(ValueError, match="is in the authors' layout, which says no settings.* open_arrays"):
        phasegrid.load(path)


def test_pictures_and_explorer_read_them(tmp_path: Path) -> None:
    flat, grid = theirs()
    path = save(tmp_path / "212.npz", flat)
    (read,), (whole,) = grids.load_grid(path), grids.load_grid(grid)
    np.testing.assert_array_equal(read.losses, whole.losses)
    np.testing.assert_array_equal(read.weights, whole.weights)
    drawn = [diagrams.render(pictures.phase_diagram(source), "png", 50) for source in (path, grid)]
    assert drawn[0] == drawn[1]
    assert pictures.experts(path, (1, 2)).axes
    assert explorer.explore(path, tmp_path / "page.html").stat().st_size > 0


def test_the_authors_own_file() -> None:
    own = SOURCE.parent / "shared" / "faults" / "authors_layout_sample.npz"
    whole = SOURCE.parent / "shared" / "reference" / "fig4_212.npz"
    if not own.exists() or not whole.exists():
        pytest.skip(f"no {own}")
    part, grid = phasegrid.open_arrays(own), phasegrid.open_arrays(whole)
    rows = [int(np.abs(grid["sparsity_values"] - value).argmin()) for value in part["sparsity_values"]]
    columns = [int(np.abs(grid["importance_values"] - value).argmin()) for value in part["importance_values"]]
    for key in ("final_losses", "expert_weights"):
        np.testing.assert_array_equal(part[key].astype(np.float32), grid[key][np.ix_(rows, columns)])


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("no key grid_keys; files of the authors hold sparsity_values", {"grid_keys": None}),
        ("no key final_losses", {"final_losses": np.array([None] * 12)}),
        (r"grid_keys has shape \(12, 3\); it must be \(12, 2\)", {"grid_keys": np.ones((12, 3))}),
        (r"final_losses has shape \(11,\); it must be \(12,\)", {"final_losses": np.ones(11)}),
        (r"expert_weights_list has shape \(12, 2, 3\)", {"expert_weights_list": np.ones((12, 2, 3))}),
        (r"router_weights_list has shape \(12, 2\)", {"router_weights_list": np.ones((12, 2))}),
        ("sparsity_values holds <U1; allowed are real numbers", {"sparsity_values": np.array(["a", "b", "c"])}),
        ("importance_values has shape .0,.; it must be a list", {"importance_values": np.ones(0)}),
        ("grid_keys must name every pair", {"grid_keys": np.full((12, 2), 0.1)}),
        ("grid_keys must name every pair", {"grid_keys": np.full((12, 2), np.nan)}),
        ("grid_keys must name every pair", {"importance_values": np.array([0.1, 1.1, 2.95, 0.6])}),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, words: str, change: Arrays) -> None:
    flat = {key: value for key, value in (theirs()[0] | change).items() if value is not None}
    path = save(tmp_path / "212.npz", flat)
    with pytest.raises(ValueError, match=rf"212\.npz: .*{words}"):
        phasegrid.open_arrays(path)
    with pytest.raises(ValueError, match=words):
        pictures.phase_diagram(path)


@pytest.fixture(scope="module")
def dense() -> phasegrid.Results:
    return phasegrid.train(
        n_features=3, n_hidden=2, restarts=2, steps=50, load_balance=0.25, sparsity=SPARSITY, last_importance=IMPORTANCE
    )


def test_what_is_written_reads_back(dense: phasegrid.Results, tmp_path: Path) -> None:
    for path in (tmp_path / "a.npz", tmp_path / "b.npz"):
        dense.save(path, layout="authors")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    arrays = phasegrid.open_arrays(tmp_path / "a.npz")
    for key in ("expert_weights", "router_weights", "sparsity_values", "importance_values"):
        np.testing.assert_array_equal(arrays[key], getattr(dense, key))
    np.testing.assert_allclose(arrays["final_losses"], dense.final_losses.astype(np.float64) + 0.25, rtol=0, atol=1e-15)
    with np.load(tmp_path / "a.npz") as file:  # as their notebook looks for it
        assert file["expert_weights_list"].ndim == 4
        assert [tuple(key) for key in file["grid_keys"]] == [(s, r) for s in SPARSITY for r in IMPORTANCE]


def test_losses_side_by_side_are_like_for_like(dense: phasegrid.Results, tmp_path: Path) -> None:
    """Theirs hold the load balance of dense models, ours do not."""
    dense.save(tmp_path / "theirs.npz", layout="authors")
    published = tmp_path / "theirs.npz"
    shown = {}
    for name, sources, beside in (("ours", dense, None), ("both", dense, published), ("theirs", published, None)):
        figure = pictures.loss_boxes(sources, beside=beside, loss="training")
        shown[name] = [next(np.median(line.get_ydata()) for line in axes.lines if line.get_linewidth() == 1.5)
                       for axes in figure.axes]  # fmt: skip
    median = float(np.median(dense.final_losses))
    assert shown["ours"] == pytest.approx([median])
    assert shown["theirs"] == pytest.approx([median + 0.25])
    assert shown["both"] == pytest.approx([median + 0.25] * 2)
    mixture = theirs(2)[0]  # both hold it, whatever it is
    assert pictures.loss_boxes(mixture, beside=mixture, loss="training").axes
    with pytest.raises(ValueError, match="hold training losses alone, as the authors' files do"):
        pictures.loss_boxes(dense, beside=published)
