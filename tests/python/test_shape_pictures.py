"""Pictures of results whose axes change the shape of their models; made-up arrays, no compiled part."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import explorer_samples as samples
import numpy as np
import pytest
from figure_checks import checked
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from shape_samples import cells, model, of_shapes, shape

from phasegrid import pictures
from phasegrid.pictures import grids, measures
from phasegrid.pictures.opened import AXES, opened

ALL: dict[str, Any] = {"n_hidden": [1, 2], "n_experts": [1, 2, 4], "top_k": [1, 2]}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


def drawn(figure: Figure) -> np.ndarray[Any, Any]:
    """(panels, Y, X): which cells of a phase diagram have colours."""
    panels = [axes for axes in figure.axes if axes.collections]
    return np.array([np.asarray(axes.collections[0].get_array())[..., 3] > 0 for axes in panels])


def starved(figure: Figure) -> int:
    """How many cells are hatched as starved."""
    found = [patch for axes in figure.axes for patch in axes.patches if isinstance(patch, PathPatch)]
    return sum(len(patch.get_path().vertices) // 5 for patch in found if patch.get_hatch())


# ---------------------------------------------------------------- measures
def test_measures_of_a_smaller_model_are_those_of_it_alone() -> None:
    arrays = of_shapes(**ALL)
    results = opened(arrays)
    inputs = np.random.default_rng(1).random((500, 4))
    norm, score = measures.last_norm(results.weights), measures.last_score(results.weights)
    for cell in cells(arrays):
        _, E, k = shape(arrays, cell)
        if k > E:
            assert np.isnan(norm[cell]).all() and np.isnan(score[cell]).all()
            continue
        own, router = model(arrays, cell), model(arrays, cell, "router_weights")
        np.testing.assert_allclose(norm[cell][:E], samples.norms(own)[:, -1])
        np.testing.assert_allclose(score[cell][:E], samples.interferences(own)[:, -1], atol=1e-12)
        assert np.isnan(norm[cell][E:]).all() and np.isnan(score[cell][E:]).all()
        np.testing.assert_array_equal(results.of_cell("expert_weights", cell), own)
        padded = arrays["router_weights"][cell].astype(np.float64)
        for one, other in zip(measures.route(padded, k, inputs), measures.route(router, k, inputs), strict=True):
            np.testing.assert_array_equal(one, other)
        for of in (measures.expert_usage, measures.input_shares):
            np.testing.assert_array_equal(of(padded, k, inputs)[:E], of(router, k, inputs))
            assert np.isnan(of(padded, k, inputs)[E:]).all()


def test_starved_are_experts_that_there_are_by_the_top_k_of_their_cell() -> None:
    arrays = of_shapes(**ALL)
    for cell in cells(arrays):  # the last expert of each model gets nothing, unless all are active
        E = shape(arrays, cell)[1]
        arrays["router_weights"][cell] = np.arange(4)[::-1, None] + 1
        arrays["router_weights"][cell][E:] = np.nan
    results = opened(arrays)
    found = measures.starved_experts(results.array("router_weights"), results.shapes.top_k, results.feature_sparsities)
    for cell in cells(arrays):
        _, E, k = shape(arrays, cell)
        expected = (np.arange(4) >= k) & (np.arange(4) < E) if k <= E else np.zeros(4, bool)
        np.testing.assert_array_equal(found[cell], expected)


# ---------------------------------------------------------------- phase diagrams
def test_a_diagram_over_experts_leaves_blank_what_a_cell_does_not_have() -> None:
    arrays = of_shapes(n_experts=[1, 2, 4])
    figure = checked(pictures.draw(arrays))
    has = drawn(figure)
    assert has.shape == (4, 2, 3)
    np.testing.assert_array_equal(has, np.broadcast_to(np.arange(4)[:, None, None] < [1, 2, 4], has.shape))
    blank = [bool(axes.patch.get_hatch()) for axes in figure.axes if axes.collections]
    assert blank == [False, True, True, True]
    words = texts(figure)
    assert {"expert 1", "expert 4", "experts E", "no such expert", "4 features, 2 hidden units, 1 to 4 experts"} <= set(
        words
    )
    assert not any("of 4" in word or word in ("dense", "not trained") for word in words)
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks == ["1", "2", "4"]
    # Colours are those of the panel's own cells.
    norm, score = (
        np.stack([[np.append(of(model(arrays, cell))[:, -1], [np.nan] * 4)[0] for cell in row] for row in rows])
        for of in (samples.norms, samples.interferences)
        for rows in [[[(s, 0, e) for e in range(3)] for s in range(2)]]
    )
    shown = np.asarray(figure.axes[0].collections[0].get_array())[..., :3]
    hungry = measures.starved_experts(
        opened(arrays).array("router_weights"), opened(arrays).shapes.top_k, opened(arrays).feature_sparsities
    )
    plain = samples.phase_colours(norm, score) / 255
    expected = np.where(hungry[:, 0, :, 0, None], 1 - grids.PALER * (1 - plain), plain)
    np.testing.assert_allclose(shown, expected, atol=1e-6)


def test_absent_experts_are_not_starved_and_untrained_cells_still_not_trained() -> None:
    arrays = of_shapes(n_experts=[1, 2, 4])
    E = arrays["router_weights"].shape[-2]
    arrays["router_weights"][:] = np.where(np.isnan(arrays["router_weights"]), np.nan, np.arange(E)[::-1, None] + 1)
    assert starved(pictures.draw(arrays)) == 2 * (0 + 1 + 3)
    arrays["final_losses"][0, 0, 0] = np.nan
    assert "no model" in texts(pictures.draw(arrays))  # some of each
    lone = of_shapes(n_hidden=[1, 2])
    assert not {"no such expert", "not trained", "no model"} & set(texts(pictures.draw(lone)))
    lone["final_losses"][0] = np.nan
    assert "not trained" in texts(pictures.draw(lone))


def test_hidden_units_and_top_k_stand_in_titles_by_their_range() -> None:
    by_m = texts(checked(pictures.draw(of_shapes(n_hidden=[1, 2, 5]))))
    assert "4 features, 1 to 5 hidden units" in by_m and "dense" in by_m and "hidden units m" in by_m
    figure = checked(pictures.draw(of_shapes(n_experts=[1, 2, 4], top_k=[1, 2], axes={"sparsity": [0.5]})))
    assert {"4 features, 2 hidden units, 1 to 4 experts, top 1 to 2", "active experts k"} <= set(texts(figure))
    has = drawn(figure)
    assert not has[:, 0, 1].any()  # one expert, of which two are active
    np.testing.assert_array_equal(has.sum(axis=(1, 2)), [5, 4, 2, 2])


def test_a_row_for_each_shape_that_is_neither_down_nor_across() -> None:
    arrays = of_shapes(**ALL, axes={"last_importance": [0.5, 1, 2]})
    loaded = grids.load_grid(arrays)
    architectures = [(m, E, k) for m in (1, 2) for E in (1, 2, 4) for k in (1, 2) if k <= E]
    assert [tuple(grid.shape)[1:4] for grid in loaded] == architectures
    for grid, (m, E, k) in zip(loaded, architectures, strict=True):
        at = ([1, 2].index(m), [1, 2, 4].index(E), k - 1)
        np.testing.assert_array_equal(grid.weights, arrays["expert_weights"][:, :, *at, :E, :, :m])
        assert grid.trained.all() and not grid.lacks_experts
    words = texts(checked(pictures.draw(arrays)))
    assert {"4 features, 1 hidden unit", "4 features, 2 hidden units, top 2", "dense", "expert 3 of 4"} <= set(words)
    assert not any("E =" in word or "no such" in word for word in words)
    assert len(pictures.loss_boxes(arrays).axes[0].get_xticklabels()) == len(architectures)
    assert "E = 1 to 4\nn = 4\nm = 2" in texts(pictures.loss_boxes(of_shapes(n_experts=[1, 2, 4])))


def test_names_of_the_paper() -> None:
    arrays = of_shapes(n=3, n_experts=[1, 2, 3])
    assert {"C", "C.1", "C.3"} <= set(texts(pictures.phase_diagram(arrays, names="paper")))
    assert "C/1 to 3" in texts(pictures.loss_boxes(arrays, names="paper"))
    assert "C" not in texts(pictures.phase_diagram(of_shapes(n=3, n_hidden=[1, 2]), names="paper"))


# ---------------------------------------------------------------- lines
@pytest.mark.parametrize(
    ("axis", "values", "title"),
    [
        ("n_experts", [1, 2, 4], "1 to 4 experts, m = 2, k = 1"),
        ("n_experts", [1, 2, 3], "1 to 3 experts, m = 2, k = 1"),
        ("n_hidden", [1, 2, 5], "dense, m = 1 to 5"),
    ],
)
def test_one_axis_of_shapes_makes_lines(axis: str, values: list[int], title: str) -> None:
    arrays = of_shapes(**{axis: values}, axes={"sparsity": [0.5]})
    figure = checked(pictures.draw(arrays))
    assert any(title in text for text in texts(figure))
    for axes, of in zip(figure.axes, (samples.norms, samples.interferences), strict=True):
        for e in range(arrays["expert_weights"].shape[-3]):
            own = [model(arrays, (0, 0, at)) for at in range(len(values))]
            expected = [of(weights)[e, -1] if e < len(weights) else np.nan for weights in own]
            np.testing.assert_allclose(axes.lines[e].get_ydata(), expected, atol=1e-12)
    ticks = figure.axes[-1].get_xticks()
    np.testing.assert_array_equal(ticks, values)
    curves = pictures.curves(arrays)
    np.testing.assert_allclose(curves.axes[0].lines[0].get_ydata(), arrays["reconstruction_losses"][0, 0])


def test_lines_over_top_k_have_a_gap_without_a_model() -> None:
    arrays = of_shapes(n_experts=[2], top_k=[1, 2, 3], axes={"sparsity": [0.5]})
    figure = checked(pictures.draw(arrays))
    assert np.isnan(np.asarray(figure.axes[0].lines[0].get_ydata())).tolist() == [False, False, True]
    assert any("2 experts, m = 2, k = 1 to 2" in text for text in texts(figure))


def test_curves_at_a_fixed_shape_are_of_it() -> None:
    arrays = of_shapes(**ALL)
    figure = pictures.curves(arrays, fixed={"n_hidden": 0, "n_experts": 1, "top_k": 1}, axis="sparsity", measure="norm")
    own = np.array([samples.norms(model(arrays, (s, 0, 0, 1, 1)))[:, -1] for s in range(2)])
    assert len(figure.axes[0].lines) == 2
    for e, line in enumerate(figure.axes[0].lines):
        np.testing.assert_allclose(line.get_ydata(), own[:, e])
    assert "2 experts, m = 1, k = 2: expert 2" in texts(figure)
    with pytest.raises(ValueError, match="need one value of n_hidden, which has 2"):
        pictures.curves(arrays, axis="sparsity")


def test_figures_3_and_7_have_a_curve_for_each_shape() -> None:
    arrays = of_shapes(n_experts=[1, 2, 4], top_k=[1, 2], n_hidden=[2])
    kinds = [(E, k) for E in (1, 2, 4) for k in (1, 2) if k <= E]
    labels = ["dense, m = 2", *(f"{E} experts, m = 2, k = {k}" for E, k in kinds[1:])]
    loss, density = pictures.losses(arrays), pictures.features_per_dimension(arrays, samples=20_000)
    assert list(dict.fromkeys(text for text in texts(loss) if "m = 2" in text)) == labels
    for at, (E, k) in enumerate(kinds):
        cell = (0, [1, 2, 4].index(E), k - 1)
        expected = np.log(arrays["reconstruction_losses"][(slice(None), 0, *cell)])
        np.testing.assert_allclose(loss.axes[0].lines[at].get_ydata(), expected)
        per = []
        for s, sparsity in enumerate([0.5, 0.9]):
            own = model(arrays, (s, 0, *cell))
            gate = samples.usages(model(arrays, (s, 0, *cell), "router_weights"), sparsity, k)[1]
            per.append((gate * (own**2).sum(axis=(1, 2))).sum() / (2 * k))
        np.testing.assert_allclose(density.axes[0].lines[1 + at].get_ydata(), per, rtol=0.03)


# ---------------------------------------------------------------- cells
@pytest.mark.parametrize("draw", [pictures.features, pictures.experts])
def test_a_cell_is_drawn_as_its_own_model(draw: Callable[..., Figure]) -> None:
    arrays = of_shapes(n_hidden=[1, 2, 5], n_experts=[1, 2, 4], top_k=[1, 2])
    for cell in cells(arrays):
        m, E, k = shape(arrays, cell)
        if k > E:
            with pytest.raises(ValueError, match="no model of top_k 2 and n_experts 1; give a cell whose top_k is at"):
                draw(arrays, cell)
            continue
        figure = draw(arrays, cell)
        name = f"dense, m = {m}" if E == 1 else f"{E} experts, m = {m}, k = {k}"
        words = texts(figure)
        assert any(name in word for word in [" ".join(words)]) and not any("no value" in word for word in words)
        named = [word.split(":")[0] for word in words if word.startswith(("expert ", "dense"))]
        assert sorted(set(named) - {name}) == (["dense"] if E == 1 else [f"expert {e + 1}" for e in range(E)])
    assert "hidden unit 1" in texts(pictures.features(arrays, (0, 0, 1, 0, 0)))
    assert "hidden unit 1" not in texts(pictures.features(arrays, (0, 0, 0, 0, 0)))


def test_regions_and_training_of_a_cell() -> None:
    arrays = of_shapes(n=2, n_experts=[1, 2, 4], top_k=[1, 2], snapshots=(0, 10))
    assert len(pictures.router_regions(arrays, (0, 0, 1, 0)).axes) == 1
    assert "n = 2, 2 experts, m = 2, k = 1: S = 0.5" in texts(pictures.training(arrays, (0, 0, 1, 0)))
    for draw in (pictures.router_regions, pictures.training):
        with pytest.raises(ValueError, match="no model of top_k 2 and n_experts 1"):
            draw(arrays, (0, 0, 0, 1))


@pytest.mark.parametrize(
    ("axis", "values", "most"), [("n_experts", [1, 2.5, 4], 4), ("n_hidden", [0, 1, 2], 2), ("n_experts", [1, 2, 5], 4)]
)
def test_values_that_are_no_shapes(axis: str, values: list[float], most: int) -> None:
    arrays = of_shapes(**{axis: {"n_experts": [1, 2, 4], "n_hidden": [1, 2]}[axis]})
    if axis == "n_hidden":
        values = values[:2]
    arrays[f"{axis}_values"] = np.array(values, float)
    with pytest.raises(ValueError, match=f"{axis}_values must hold whole numbers from 1 to {most}"):
        pictures.draw(arrays)


def test_every_axis_of_a_sweep_can_be_drawn() -> None:
    """Those of include/phasegrid/sweep.hpp."""
    header = Path(__file__).resolve().parents[2] / "include" / "phasegrid" / "sweep.hpp"
    found = re.search(r"enum class AxisName \{(.*?)\}", header.read_text(), re.S)
    assert found and re.findall(r"\w+", found[1]) == list(AXES)


def test_top_k_of_the_file_still_counts_without_an_axis() -> None:
    arrays = of_shapes(n_experts=[1, 2, 4])
    config = json.loads(str(arrays["config"]))
    config["model"]["top_k"] = 2
    arrays["config"] = np.array(json.dumps(config))
    arrays["final_losses"][:, :, 0] = np.nan
    assert "4 features, 2 hidden units, 2 to 4 experts, top 2" in texts(pictures.draw(arrays))
