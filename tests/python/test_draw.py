"""What users draw of their own results: scales of axes, names of panels, starved experts, feature directions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_checks import checked
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from numpy.typing import NDArray

import phasegrid
from phasegrid import pictures
from phasegrid.pictures import grids, measures, opened, programs, scales, style

Array = NDArray[np.float64]
AXES: dict[str, Any] = {"sparsity": [0.0, 0.5, 0.9, 0.99], "last_importance": np.geomspace(0.1, 10, 5)}
QUICK: dict[str, Any] = {"restarts": 1, "steps": 20, "batch": 32}


@pytest.fixture(scope="module")
def mixture() -> phasegrid.Results:
    """Three features, two experts: sparsities that are evenly spaced on no scale, geometric importances."""
    return phasegrid.train(n_features=3, n_hidden=2, n_experts=2, **QUICK, **AXES)


def with_router(results: phasegrid.Results, router: Any) -> dict[str, Any]:
    """The arrays of results, every cell with one router (E, n)."""
    arrays = dict(results.arrays())
    arrays["router_weights"] = np.broadcast_to(router, arrays["router_weights"].shape)
    return arrays


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


def hatched(figure: Figure) -> list[int]:
    """How many cells of each panel are hatched as starved."""
    panels = [axes for axes in figure.axes if axes.collections]
    found = [[p for p in axes.patches if isinstance(p, PathPatch) and p.get_hatch()] for axes in panels]
    return [sum(len(patch.get_path().vertices) // 5 for patch in patches) for patches in found]


# ---------------------------------------------------------------- axes
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("linear", np.arange(2, 60) * 0.05),
        ("linear", [0.3]),
        ("linear", [0, 0.33, 0.67, 1]),
        ("log", np.geomspace(0.1, 10, 10)),
        ("log", [1, 3, 10, 30]),
        ("cells", [0.5, 0.9, 0.99, 0.999]),
        ("cells", [0, 0.001, 0.1]),
    ],
)
def test_cells_are_about_equally_large_on_the_scale_that_is_chosen(kind: str, values: Any) -> None:
    scale = scales.Scale("sparsity", np.array(values, float))
    assert scale.kind == kind
    steps = np.diff(np.log(scale.edges) if kind == "log" else scale.edges)
    assert steps.max() / steps.min() < scales.EVEN + 0.01
    assert len(scale.edges) == len(values) + 1


def test_edges_and_ticks() -> None:
    np.testing.assert_allclose(scales.cell_edges(np.array([1.0, 2.0, 4.0])), [0.5, 1.5, 3.0, 5.0])
    np.testing.assert_allclose(scales.cell_edges(np.array([0.5])), [0.0, 1.0])
    np.testing.assert_allclose(scales.axis_ticks(np.arange(2, 60) * 0.05, 3), [1, 2])
    np.testing.assert_allclose(scales.axis_ticks(np.arange(1, 40) * 0.025, 4), [0.25, 0.5, 0.75])
    np.testing.assert_allclose(scales.axis_ticks(np.array([0.3]), 4), [0.3])
    np.testing.assert_allclose(scales.log_ticks(np.geomspace(0.1, 10, 10), 3), [0.1, 1, 10])
    np.testing.assert_allclose(scales.log_ticks(np.geomspace(1, 4, 5), 3), [1, 2])
    assert len(scales.log_ticks(np.geomspace(1e-9, 1e9, 40), 3)) <= 4
    np.testing.assert_allclose(scales.Scale("sparsity", np.array([0.5, 0.9, 0.99])).ticks(4), [0, 1, 2])


def test_ranges_differ_by_more_than_a_cell_or_in_kind() -> None:
    paper, quick = (scales.Scale("x", np.arange(2, 60, step) * 0.05) for step in (1, 3))
    assert not scales.ranges_differ([paper, quick])
    assert scales.ranges_differ([paper, scales.Scale("x", quick.values[:10])])
    assert scales.ranges_differ([paper, scales.Scale("x", np.geomspace(0.1, 2.95, 50))])


def test_a_diagram_has_the_scales_of_its_axes_and_panels_named_by_what_they_are(mixture: phasegrid.Results) -> None:
    figure = checked(mixture.draw())
    panel = figure.axes[0]
    assert panel.get_xscale() == "log" and panel.get_yscale() == "linear"
    assert panel.get_ylim() == (3.5, -0.5)  # equal cells
    assert [label.get_text() for label in panel.get_yticklabels()] == ["0", "0.5", "0.9", "0.99"]
    mesh = panel.collections[0]
    edges = np.log10(mesh.get_coordinates()[0, :, 0])  # type: ignore[attr-defined]
    np.testing.assert_allclose(np.diff(edges), 0.5)
    words = texts(figure)
    assert {"expert 1 of 2", "expert 2 of 2", "3 features, 2 hidden units"} <= set(words)
    assert not any(word in ("C", "C.1/2", "X.e/E") for word in words)
    assert "C.1/2" in texts(pictures.phase_diagram(mixture, names="paper"))


def test_any_two_axes_and_a_row_for_each_value_of_a_third() -> None:
    three = phasegrid.train(
        n_features=2, n_experts=2, top_k=2, **QUICK, sparsity=[0.1, 0.5], learning_rate=[1e-4, 1e-3, 1e-2], seed=[4, 7]
    )
    figure = checked(three.draw())
    panels = [axes for axes in figure.axes if axes.collections]
    assert len(panels) == 4 and panels[0].get_xscale() == "log"
    words = texts(figure)
    assert "learning rate" in words and "feature sparsity S" in words
    heads = [f"2 features, 1 hidden unit, top 2, seed = {seed}" for seed in (4, 7)]
    assert sorted(word for word in words if "seed" in word) == heads
    grid = grids.load_grid(three)[1]
    assert grid.shape.at == (("seed", 7.0),)
    np.testing.assert_array_equal(grid.weights, three.expert_weights[:, 0, :, 1])
    np.testing.assert_array_equal(grid.losses, three.final_losses[:, 0, :, 1])
    with pytest.raises(ValueError, match="its axes are sparsity and learning_rate, those of results sparsity and last"):
        pictures.phase_diagram([phasegrid.train(n_features=3, **QUICK, **AXES), three])


@pytest.mark.parametrize(
    ("long", "expected"),
    [
        ("sparsity last_importance", ("sparsity", "last_importance")),
        ("sparsity seed", ("sparsity", "seed")),
        ("last_importance seed", ("seed", "last_importance")),
        ("learning_rate steps", ("steps", "learning_rate")),
        ("seed steps last_importance", ("steps", "last_importance")),
        ("sparsity", ("sparsity", "last_importance")),
        ("last_importance", ("sparsity", "last_importance")),
    ],
)
def test_which_axis_stands_down(long: str, expected: tuple[str, str]) -> None:
    axes = {name: np.arange(2.0 if name in long.split() else 1.0) for name in opened.AXES}
    assert grids.sides(axes) == expected


def test_one_axis_makes_lines_and_one_cell_arrows(tmp_path: Path) -> None:
    line = phasegrid.train(n_features=3, n_experts=2, **QUICK, sparsity=[0.9, 0.1, 0.5], seed=[0, 1])
    figure = checked(line.draw(tmp_path / "line.png"))
    assert (tmp_path / "line.png").read_bytes().startswith(b"\x89PNG")
    for axes, values in zip(figure.axes, (line.feature_norms(), line.interference()), strict=True):
        for e in range(2):
            np.testing.assert_array_equal(axes.lines[e].get_xdata(), [0.1, 0.5, 0.9])
            expected = values[:, 0, :, e, -1].mean(axis=1)[[1, 2, 0]]
            np.testing.assert_allclose(axes.lines[e].get_ydata(), expected, rtol=1e-4, atol=1e-7)
    assert figure.axes[1].get_xlabel() == "feature sparsity S"
    cell = phasegrid.train(n_features=3, n_experts=2, **QUICK, sparsity=0.9)
    assert "hidden unit 1" not in texts(cell.draw()) and "feature $i$" in texts(cell.draw())
    with pytest.raises(ValueError, match="results: lines of 9 experts; at most 8 can be told apart"):
        phasegrid.train(n_features=2, n_experts=9, **QUICK, sparsity=[0.1, 0.5]).draw()
    with pytest.raises(ValueError, match="allowed are paper, authors"):
        line.draw(score="mine")  # type: ignore[arg-type]


# ---------------------------------------------------------------- starved experts
def test_nonzero_inputs_are_those_that_are_left_when_the_others_are_dropped() -> None:
    rates = np.array([0.9, 0.99, 0.7])
    drawn = measures.draw_inputs(rates, 200_000)
    assert (drawn > 0).any(axis=1).all()
    every = measures.draw_inputs(rates, 400_000, "all", seed=1)
    kept = every[(every > 0).any(axis=1)]
    assert len(kept) == pytest.approx(400_000 * (1 - rates.prod()), rel=0.01)
    for pattern in np.ndindex(2, 2, 2):
        one, other = (np.mean(((inputs > 0) == pattern).all(axis=1)) for inputs in (drawn, kept))
        assert one == pytest.approx(other, abs=0.004), pattern
    assert measures.draw_inputs(np.ones(3), 10).shape == (0, 3)


def test_shares_are_those_of_the_library(mixture: phasegrid.Results) -> None:
    _, active = mixture.expert_usage(200_000)
    starved = opened.opened(mixture)
    for cell in ((0, 0), (2, 3), (3, 1)):
        inputs = measures.draw_inputs(starved.feature_sparsities[cell], 50_000)
        ours = measures.input_shares(mixture.router_weights[cell].astype(np.float64), 1, inputs)
        np.testing.assert_allclose(ours, active[cell], atol=0.012)


@pytest.mark.parametrize("colours", ["paper", "safe"])
def test_starved_experts_are_pale_and_hatched(mixture: phasegrid.Results, colours: str) -> None:
    starving = with_router(mixture, [[-1.0, -1, -1], [1, 1, 1]])  # expert 1 gets the all-zero inputs alone
    figure = checked(pictures.draw(starving, colours=colours))
    assert hatched(figure) == [20, 0]
    assert any("starved" in text for text in texts(figure))
    plain = pictures.draw(starving, colours=colours, starved=False)
    assert hatched(plain) == [0, 0]
    assert not any("starved" in text for text in texts(plain))
    pale, full = (np.asarray(one.axes[0].collections[0].get_array())[..., :3] for one in (figure, plain))
    np.testing.assert_allclose(1 - pale, grids.PALER * (1 - full), atol=1e-6)
    other = [np.asarray(one.axes[1].collections[0].get_array()) for one in (figure, plain)]
    np.testing.assert_array_equal(*other)
    fed = with_router(mixture, [[1.0, 0, 0], [0, 1, 1]])
    assert hatched(pictures.draw(fed)) == [0, 0]
    assert hatched(pictures.draw({k: v for k, v in starving.items() if k != "router_weights"})) == [0, 0]


def test_the_hatching_is_seen_in_grey(mixture: phasegrid.Results, tmp_path: Path) -> None:
    """Within a hatched panel lightness varies by far more than between the cells themselves."""
    starving = with_router(mixture, [[-1.0, -1, -1], [1, 1, 1]])
    starving["expert_weights"] = np.broadcast_to(np.eye(3, 2), starving["expert_weights"].shape)  # cells all alike
    import matplotlib.image

    spread = []
    for starved in (True, False):
        figure = pictures.draw(starving, starved=starved)
        place = figure.axes[0].get_position()
        pictures.save(figure, tmp_path / "p.png", dpi=200)
        shown = matplotlib.image.imread(tmp_path / "p.png")[..., :3] @ [0.299, 0.587, 0.114]
        height, width = shown.shape
        inside = shown[int((1 - place.y1) * height) + 4 : int((1 - place.y0) * height) - 4]
        inside = inside[:, int(place.x0 * width) + 4 : int(place.x1 * width) - 4]
        spread.append(inside.std())
    assert spread[0] > 0.1 and spread[1] < 0.01


def test_the_papers_own_figure_hatches_only_when_asked(mixture: phasegrid.Results, tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", **with_router(mixture, [[-1.0, -1, -1], [1, 1, 1]]))
    pictures_of = []
    for options in ([], ["--starved"]):
        out = tmp_path / f"out{len(options)}"
        assert programs.main(["fig4", str(tmp_path / "s.npz"), "--out", str(out), "--format", "svg", *options]) == 0
        pictures_of.append((out / "fig4.svg").read_text())
    assert ["<pattern" in svg for svg in pictures_of] == [False, True]


def test_lines_are_hollow_where_the_expert_is_starved() -> None:
    line = phasegrid.train(n_features=3, n_experts=2, **QUICK, sparsity=[0.1, 0.5, 0.9])
    arrays = with_router(line, [[-1.0, -1, -1], [1, 1, 1]])
    figure = pictures.draw(arrays)
    hollow = [one for one in figure.axes[0].lines if one.get_markerfacecolor() == "white"]
    assert [np.isfinite(np.asarray(one.get_ydata())).sum() for one in hollow] == [3]
    assert hollow[0].get_markeredgecolor() == style.PALETTES["paper"].series[0]
    assert any(text.startswith("hollow: the expert gets under 1 %") for text in texts(figure))


def test_features_with_sparsities_of_their_own_are_drawn() -> None:
    own = phasegrid.train(
        n_features=2, n_experts=2, feature_sparsity=[0.1, 0.9], **QUICK, last_importance=[1, 2], learning_rate=[0.1, 1]
    )
    np.testing.assert_array_equal(opened.opened(own).feature_sparsities[0, 1, 1], [0.1, 0.9])
    assert len(hatched(own.draw())) == 2


# ---------------------------------------------------------------- feature directions
PENTAGON = np.array([[np.cos(a), np.sin(a)] for a in 2 * np.pi * np.arange(5) / 5])


def model(weights: Array, router: Any = None) -> dict[str, Any]:
    """Results of one cell whose experts are weights (E, n, m)."""
    experts, n, m = weights.shape
    made = phasegrid.train(n_features=n, n_hidden=m, n_experts=experts, **QUICK, sparsity=0.99)
    arrays = with_router(made, np.eye(experts, n) if router is None else router)
    return {**arrays, "expert_weights": weights[None, None]}


def arrow_tips(axes: Any) -> Array:
    return np.array([text.xy for text in axes.texts if getattr(text, "arrow_patch", None) is not None])


def test_a_pentagon_is_drawn_as_one() -> None:
    figure = checked(pictures.features(model(PENTAGON[None])))
    axes = figure.axes[0]
    np.testing.assert_allclose(arrow_tips(axes), PENTAGON, atol=1e-6)
    assert axes.get_aspect() == 1 and axes.get_xlim() == axes.get_ylim()
    numbers = {text.get_text(): text.get_position() for text in axes.texts if text.get_text()}
    assert list(numbers) == ["1", "2", "3", "4", "5"]
    for i, row in enumerate(PENTAGON):  # beyond the tip, in the same direction
        place = np.array(numbers[str(i + 1)])
        assert place @ row / np.linalg.norm(place) == pytest.approx(1, abs=1e-6)
        assert np.linalg.norm(place) > 1
    assert any("S = 0.99" in text for text in texts(figure))
    assert not any("cell" in text for text in texts(figure))


def test_ignored_features_are_faint_dots_and_named() -> None:
    weights = PENTAGON.copy()
    weights[3] *= 0.05
    weights[1] *= 0.5
    axes = pictures.features(model(weights[None])).axes[0]
    assert len(arrow_tips(axes)) == 4
    alpha = [text.arrow_patch.get_facecolor()[3] for text in axes.texts if getattr(text, "arrow_patch", None)]
    np.testing.assert_allclose(alpha, [1, 0.5, 1, 1], atol=1e-6)
    (dot,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert dot.get_color()[3] == pytest.approx(0.2)
    assert "ignored: 4" in [text.get_text() for text in axes.texts]
    same = np.array([[1.0, 0], [1, 0.01], [0, 1]])
    assert "1, 2" in texts(pictures.features(model(same[None])))  # one label for two that point the same way


def test_directions_on_a_line_in_space_and_beyond() -> None:
    random = np.random.default_rng(0)
    line = random.normal(size=(2, 4, 1))
    figure = checked(pictures.features(model(line)))
    for e in range(2):
        big = np.flatnonzero(np.abs(line[e, :, 0]) > 0.1)
        np.testing.assert_allclose(arrow_tips(figure.axes[e]), np.stack([big + 1, line[e, big, 0]], 1), atol=1e-6)
    space = random.normal(size=(1, 6, 3))
    figure = checked(pictures.features(model(space), colours="safe"))
    assert figure.axes[0].name == "3d"
    tips = [line.get_data_3d() for line in figure.axes[0].lines if line.get_marker() == "o"]  # type: ignore[attr-defined]
    np.testing.assert_allclose(np.array(tips)[..., 0], space[0], atol=1e-6)
    many = random.normal(size=(2, 7, 5))
    figure = checked(pictures.features(model(many)))
    np.testing.assert_allclose(np.asarray(figure.axes[1].images[0].get_array()), many[0] @ many[0].T, atol=1e-5)
    heights = [bar.get_height() for bar in figure.axes[0].containers[0]]  # type: ignore[attr-defined]
    np.testing.assert_allclose(heights, np.linalg.norm(many[0], axis=1), rtol=1e-6)


def test_a_starved_expert_says_so_in_its_picture() -> None:
    two = np.stack([PENTAGON, PENTAGON])
    figure = checked(pictures.features(model(two, router=[[-1.0] * 5, [1.0] * 5])))
    assert "expert 1: < 1 %" in texts(figure) and "expert 2: 100 %" in texts(figure)
    pale, full = (
        [text.arrow_patch.get_facecolor()[3] for text in axes.texts if getattr(text, "arrow_patch", None)]  # type: ignore[attr-defined]
        for axes in figure.axes[:2]
    )
    assert max(pale) < 0.5 and min(full) == pytest.approx(1)
    assert any(text.startswith("pale: the expert is starved") for text in texts(figure))


def test_rows_of_ignored_features_fade_in_the_matrix() -> None:
    weights = np.array([[1.0, 0], [0.02, 0.02], [0.6, 0.8]])
    axes = checked(pictures.experts(model(weights[None]))).axes[1]
    np.testing.assert_allclose(axes.images[0].get_alpha()[:, 0], [1, 0.02 * 2**0.5, 1], atol=1e-6)


def test_every_number_of_hidden_units_fits_a_page() -> None:
    random = np.random.default_rng(1)
    for m in (1, 2, 3, 4):
        for width in ("column", "text"):
            figure = checked(pictures.features(model(random.normal(size=(3, 6, m))), width=width))
            assert figure.get_figwidth() == {"column": 3.25, "text": 6.75}[width]


def test_results_draw_their_features(mixture: phasegrid.Results, tmp_path: Path) -> None:
    figure = mixture.draw_features((2, 1), tmp_path / "f.pdf", colours="safe")
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")
    by_value = mixture.draw_features({"sparsity": 0.9, "last_importance": 10**-0.5})
    for one in (figure, by_value):
        words = " ".join(texts(one))
        assert "S = 0.9, r = 0.3162" in words and "2 experts" in words
    with pytest.raises(ValueError, match="must end|ends in"):
        mixture.draw_features((0, 0), "f.gif")


# ---------------------------------------------------------------- losses
def test_pictures_show_reconstruction_losses_and_say_so() -> None:
    settings: dict[str, Any] = {**QUICK, "restarts": 2, "sparsity": [0.0, 0.5], "snapshots": [0, 20]}
    one = phasegrid.train(n_features=3, n_experts=2, load_balance=0.1, **settings)
    assert (one.final_losses - one.reconstruction_losses > 0.05).all()
    for measure, values, label in (
        ("loss", one.reconstruction_losses, "reconstruction loss"),
        ("training_loss", one.final_losses, "training loss"),
        ("log_loss", np.log(one.reconstruction_losses), "natural log of the mean reconstruction loss"),
        ("log_training_loss", np.log(one.final_losses), "natural log of the mean training loss"),
    ):
        axes = pictures.curves(one, measure=measure).axes[0]
        np.testing.assert_allclose(axes.lines[0].get_ydata(), values.ravel(), rtol=1e-6)
        assert axes.get_ylabel() == label
    axes = pictures.losses(one).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.log(one.reconstruction_losses.ravel()), rtol=1e-6)
    for loss, values in (("reconstruction", one.reconstruction_losses), ("training", one.final_losses)):
        figure = pictures.loss_boxes(one, loss=loss)
        medians = [line.get_ydata()[0] for line in figure.axes[0].lines if line.get_linewidth() == 1.5]  # type: ignore[index]
        np.testing.assert_allclose(medians, [np.median(values)], rtol=1e-6)
        assert f"{loss} loss" in texts(figure)
        assert "E = 2\nn = 3\nm = 1" in texts(figure)
    axes = pictures.training(one, 1).axes[0]
    assert axes.get_ylabel() == "reconstruction loss of the next batch"
    assert axes.get_title() == "n = 3, 2 experts, m = 1, k = 1: S = 0.5"
    plane = phasegrid.train(n_features=2, n_experts=2, load_balance=0.1, **QUICK, sparsity=0.5)
    loss = float(plane.reconstruction_losses.item())
    assert pictures.router_regions(plane).axes[0].get_title() == f"S = 0.5: the router\nreconstruction loss {loss:.3f}"


def test_features_per_dimension_is_of_nonzero_inputs_unless_asked() -> None:
    one = phasegrid.train(n_features=6, n_experts=3, **QUICK, sparsity=[0.5, 0.9])
    for inputs in ("nonzero", "all"):
        axes = pictures.features_per_dimension(one, samples=100_000, inputs=inputs).axes[0]
        expected = one.features_per_dimension(100_000, inputs=inputs).ravel()  # type: ignore[arg-type]
        np.testing.assert_allclose(axes.lines[1].get_ydata(), expected, rtol=0.03)
    with pytest.raises(ValueError, match="inputs 'some': allowed are nonzero, all"):
        pictures.features_per_dimension(one, inputs="some")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"names": "mine"}, "names 'mine': allowed are plain, paper"),
        ({"titles": ["one"]}, "titles must hold two headings"),
    ],
)
def test_bad_words_of_a_diagram(mixture: phasegrid.Results, options: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        pictures.phase_diagram(mixture, **options)


def test_headings_of_two_sets(mixture: phasegrid.Results) -> None:
    figure = checked(pictures.phase_diagram(mixture, beside=mixture, titles=["first", "second"]))
    assert {"first", "second"} <= set(texts(figure)) and "published" not in texts(figure)
