"""What the explorer's pages show, held against the results, in headless Chromium."""

from __future__ import annotations

from typing import Any

import explorer_browser
import explorer_samples as samples
import numpy as np
import pytest
from explorer_browser import STEPS, Opened, Opener, pair
from explorer_samples import results
from numpy.typing import NDArray

browser, kept, opener = explorer_browser.browser, explorer_browser.kept, explorer_browser.opener  # fixtures


def test_diagrams_have_every_cell_in_the_colours_of_the_paper(opener: Opener) -> None:
    opened = opener(*pair())
    for side, source in zip(("left", "right"), opened.sources, strict=True):
        weights = source["expert_weights"]
        norm, score = (of(weights)[..., -1] for of in (samples.norms, samples.interferences))
        drawn = opened.diagram(side)
        assert drawn.shape == (weights.shape[2], 3, 4, 3)
        starved = samples.usage_grid(source)[0] < 0.01
        for expert, colours in enumerate(drawn):
            expected = samples.phase_colours(norm[..., expert], score[..., expert])
            assert np.abs(colours - samples.faded(expected, starved[..., expert])).max() < 1
    assert opened.page.title() == "n = 3, m = 2, dense; n = 3, m = 2, E = 2, top 1"
    opened.picture("pair")


def test_score_of_the_authors_and_one_scale(opener: Opener) -> None:
    opened = opener(*pair())
    opened.page.select_option("#score", "authors")
    opened.page.check("#shared")
    opened.page.select_option("#feature", "0")
    opened.settle()
    weights = [source["expert_weights"] for source in opened.sources]
    norms = [samples.norms(w)[..., 0] for w in weights]
    scores = [samples.interferences(w)[..., 0] + norm**2 for w, norm in zip(weights, norms, strict=True)]
    colours = samples.phase_colours(np.concatenate(norms, axis=2), np.concatenate(scores, axis=2))
    starved = [samples.usage_grid(source)[0] < 0.01 for source in opened.sources]
    colours = samples.faded(colours, np.concatenate(starved, axis=2))
    drawn = np.concatenate([opened.diagram(side) for side in ("left", "right")])
    assert np.abs(np.moveaxis(drawn, 0, 2) - colours).max() < 1


@pytest.mark.parametrize("top_k", [1, 2])
def test_other_quantities(opener: Opener, top_k: int) -> None:
    source = results("mixture", (3, 2, 3), snapshots=STEPS, seed=2, top_k=top_k)
    opened = opener(source)
    weights, (active, gate) = source["expert_weights"], samples.usage_grid(source, top_k)
    squares = (weights.astype(float) ** 2).sum(axis=(-1, -2))
    expected = {
        "reconstruction_loss": (source["reconstruction_losses"][..., None], 1e-6),
        "training_loss": (source["final_losses"][..., None], 1e-6),
        "norm": (samples.norms(weights)[..., -1], 1e-6),
        "interference": (samples.interferences(weights)[..., -1], 1e-6),
        "dimensionality": (samples.dimensionalities(weights)[..., -1], 1e-6),
        "usage": (active, 0.05),  # from 2,000 inputs
        "features_per_dimension": (((gate * squares).sum(axis=-1) / (2 * top_k))[..., None], 0.15),
        "capacity": (samples.capacities(weights)[..., None], 1e-6),
    }
    offered = opened.page.locator("#quantity option").evaluate_all("options => options.map(option => option.value)")
    assert set(offered) == {"phase", *expected}
    for quantity, (values, tolerance) in expected.items():
        opened.page.select_option("#quantity", quantity)
        opened.settle()
        panels = opened.js("phasegrid.panelsOf(phasegrid.state.all[0]).map(panel => panel.values)")
        np.testing.assert_allclose(np.moveaxis(np.array(panels), 0, 2), values, rtol=1e-6, atol=tolerance)
        assert len(opened.diagram("left")) == values.shape[2]


def test_starved_experts_are_hatched_and_said_in_the_legend(opener: Opener) -> None:
    opened = opener(*pair())
    assert "under 1 % of the non-zero inputs" in opened.page.inner_text("#legend")
    hatches = [trace for trace in opened.traces("diagram-right") if trace.get("mode") == "lines"]
    assert [trace["xaxis"] for trace in hatches] == ["x"]  # the first expert, in some cells
    assert not [trace for trace in opened.traces("diagram-left") if trace.get("mode") == "lines"]
    starved = samples.usage_grid(opened.sources[1])[0] < 0.01
    assert starved[..., 0].any() and not starved[..., 1].any()
    points = [(x, y) for x, y in zip(hatches[0]["x"], hatches[0]["y"], strict=True) if x is not None]
    middles = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(points[::2], points[1::2], strict=True)]
    assert {(round(y), round(x)) for x, y in middles} == set(map(tuple, np.argwhere(starved[..., 0])))
    opened.page.select_option("#quantity", "capacity")  # of all experts: nothing to hatch
    opened.settle()
    assert "under 1 %" not in opened.page.inner_text("#legend")


def test_usage_of_nearly_empty_inputs(opener: Opener) -> None:
    """At S = 0.999 two inputs in a thousand are not all zero; a third of them each hold one of the features alone."""
    source = results("sparse", (3, 2, 2), axes={"sparsity": [0.999], "last_importance": [1.0]})
    source["router_weights"][0, 0] = [[1, -1, -1], [-1, 1, 1]]
    opened = opener(source)
    usage = opened.js("phasegrid.usageOf(phasegrid.state.all[0], 0, null)")
    np.testing.assert_allclose(usage["active"], [1 / 3, 2 / 3], atol=0.04)
    np.testing.assert_allclose(usage["gate"], usage["active"])


def test_files_without_some_arrays_say_so(opener: Opener) -> None:
    keys = ("sparsity_values", "importance_values", "final_losses", "expert_weights")
    opened = opener({key: value for key, value in results("authors", (3, 2, 2)).items() if key in keys})
    for quantity, words in (
        ("reconstruction_loss", "this file holds training losses alone"),
        ("usage", "this file has no router weights"),
        ("features_per_dimension", "this file has no router weights"),
    ):
        opened.page.select_option("#quantity", quantity)
        opened.settle()
        assert words in opened.page.inner_text("#diagram-left")
    opened.page.select_option("#quantity", "training_loss")
    opened.settle()
    assert opened.diagram("left").shape == (1, 3, 4, 3)
    opened.click("left", 0, 2, 1)
    assert "training loss" in opened.page.inner_text("#cell-left")
    assert "reconstruction loss" not in opened.page.inner_text("#cell-left")


def test_measures_against_numpy(opener: Opener) -> None:
    opened = opener(results("any", (2, 1, 1)))
    random = np.random.default_rng(5)
    for n, m in ((1, 1), (2, 1), (3, 2), (6, 3), (20, 7)):
        weights = random.normal(size=(n, m)).astype(np.float32)
        weights[n // 2] = 0
        code = """([W, n, m]) => ["featureNorm", "interference", "dimensionality"].map(name =>
                  Array.from({length: n}, (_, i) => phasegrid[name](Float32Array.from(W), n, m, i)))"""
        measured = opened.page.evaluate(code, [weights.ravel().tolist(), n, m])
        for values, of in zip(measured, (samples.norms, samples.interferences, samples.dimensionalities), strict=True):
            np.testing.assert_allclose(values, of(weights), rtol=1e-9, atol=1e-12)


def test_hovering_shows_the_losses_of_all_restarts_norms_and_interference(opener: Opener) -> None:
    opened = opener(*pair())
    source, row, column = opened.sources[1], 2, 3
    opened.hover("right", 1, row, column)
    text = opened.page.inner_text("#tooltip")
    for loss in source["all_reconstruction_losses"][row, column]:
        assert f"{loss:#.5g}" in text
    for loss in (source["reconstruction_losses"], source["final_losses"]):
        assert f"{loss[row, column]:#.4g}" in text
    assert f"{source['kept'][row, column] + 1} of 3" in text
    weights = source["expert_weights"][row, column]
    cells = opened.page.locator("#tooltip td").all_inner_texts()
    expected = np.stack([samples.norms(weights), samples.interferences(weights), samples.dimensionalities(weights)], -1)
    assert cells == [f"{value:.3f}" for value in expected.ravel()]
    opened.page.mouse.move(2, 2)
    opened.page.wait_for_selector("#tooltip", state="hidden")


def test_clicking_draws_the_model_and_chooses_the_same_settings_beside(opener: Opener) -> None:
    opened = opener(*pair())
    opened.click("right", 0, 0, 2)
    assert opened.chosen() == {"sparsity": 0.1, "last_importance": 1.5}
    for side, source in zip(("left", "right"), opened.sources, strict=True):
        weights, biases = source["expert_weights"][0, 2], source["biases"][0, 2]
        arrows = [trace for trace in opened.traces(f"directions-{side}") if len(trace["x"]) == 2]
        tips = np.array([[trace["x"][1], trace["y"][1]] for trace in arrows])
        np.testing.assert_allclose(tips, weights.reshape(-1, 2), rtol=1e-6)
        grams = opened.traces(f"gram-{side}")
        for expert, matrix in enumerate(weights.astype(float)):
            np.testing.assert_allclose(grams[2 * expert]["z"], matrix @ matrix.T, rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(np.ravel(grams[2 * expert + 1]["z"]), biases[expert], rtol=1e-6)
        for key in ("reconstruction_losses", "final_losses"):
            assert f"{source[key][0, 2]:#.4g}" in opened.page.inner_text(f"#cell-{side}")


@pytest.mark.parametrize(("features", "experts", "top_k"), [(2, 2, 1), (2, 3, 2), (3, 3, 1), (3, 4, 2)])
def test_router_regions_are_those_of_sampled_inputs(opener: Opener, features: int, experts: int, top_k: int) -> None:
    opened = opener(results("one", (features, 2, experts), top_k=top_k))
    opened.click("left", 0, 1, 1)
    router = opened.sources[0]["router_weights"][1, 1].astype(float)
    random = np.random.default_rng(0)
    inputs = random.random((40_000, 2)) if features == 2 else random.dirichlet([1, 1, 1], 40_000)
    chosen = np.sort(np.argsort(-(inputs @ router.T), axis=1, kind="stable")[:, :top_k] + 1, axis=1)
    sampled = {tuple(row): float(np.mean((chosen == row).all(axis=1))) for row in np.unique(chosen, axis=0)}
    drawn = {}
    for trace in opened.traces("router-left"):
        words, share = trace["name"].removesuffix(" %").split(": ")
        drawn[tuple(int(word) for word in words.split(" ", 1)[1].split(" + "))] = float(share) / 100
    assert drawn.keys() >= {key for key, share in sampled.items() if share > 0.002}
    for key, share in drawn.items():
        assert abs(share - sampled.get(key, 0.0)) < 0.015
    assert abs(sum(drawn.values()) - 1) < 0.003


def test_equal_routers_send_everything_to_the_first(opener: Opener) -> None:
    source = results("zero", (2, 1, 3))
    source["router_weights"][:] = 0
    many = results("many", (6, 2, 3))
    many["router_weights"][:] = 0
    opened = opener(source, many)
    assert [trace["name"] for trace in opened.traces("router-left")] == ["expert 1: 100.0 %"]
    np.testing.assert_allclose(opened.traces("router-right")[1]["x"], [1, 0, 0])


def test_many_features_show_router_weights_and_usage(opener: Opener) -> None:
    opened = opener(results("many", (12, 5, 4), top_k=2))
    opened.click("left", 0, 1, 1)
    source = opened.sources[0]
    weights, bars = opened.traces("router-left")
    np.testing.assert_allclose(weights["z"], source["router_weights"][1, 1], rtol=1e-6)
    expected, _ = samples.usages(source["router_weights"][1, 1], 0.5, top_k=2)
    np.testing.assert_allclose(bars["x"], expected, atol=0.05)  # from 2,000 inputs
    for expert in range(4):
        norms = samples.norms(source["expert_weights"][1, 1, expert])
        np.testing.assert_allclose(opened.traces("directions-left")[expert]["y"], norms, rtol=1e-6)
    opened.picture("many_features")


def in_space(opened: Opened, expert: int, feature: int) -> NDArray[Any]:
    """Pixels, rightwards and upwards, of an arrow of a model of three hidden units."""
    code = """([expert, feature]) => {
      const svg = document.querySelector(`#directions-left svg[data-expert="${expert}"]`);
      const shaft = svg.querySelector(`[data-feature="${feature}"] .shaft`);
      const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map(name => Number(shaft.getAttribute(name)));
      return [x2 - x1, y1 - y2];
    }"""
    return np.array(opened.page.evaluate(code, [expert, feature]))


def test_three_hidden_units_are_drawn_in_space_and_turned(opener: Opener) -> None:
    opened = opener(results("space", (4, 3, 2)))
    weights = opened.sources[0]["expert_weights"][1, 2].astype(float)

    def check() -> list[float]:
        around, up = opened.js("phasegrid.state.turn")
        right = np.array([-np.sin(around), np.cos(around), 0])
        towards = np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
        seen = weights @ np.stack([right, np.cross(towards, right)]).T  # (E, n, 2)
        drawn = np.array([[in_space(opened, e, i) for i in range(4)] for e in range(2)])
        scale = (drawn * seen).sum() / (seen * seen).sum()  # pixels per unit
        assert scale > 10
        np.testing.assert_allclose(drawn, scale * seen, atol=1e-3)
        return [around, up]

    first = check()
    x, y = opened.middle("#directions-left svg")
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 60, y + 30, steps=3)
    opened.page.mouse.up()
    np.testing.assert_allclose(check(), [first[0] - 0.6, first[1] + 0.3])
    opened.page.focus("#directions-left .space")
    opened.page.keyboard.press("ArrowLeft")
    np.testing.assert_allclose(check(), [first[0] - 0.5, first[1] + 0.3])
    opened.picture("space")


def test_one_hidden_unit(opener: Opener) -> None:
    opened = opener(results("line", (3, 1, 2)))
    weights = opened.sources[0]["expert_weights"][1, 2]
    tips = [trace["x"][1] for trace in opened.traces("directions-left")]
    np.testing.assert_allclose(tips, weights.ravel(), rtol=1e-6)
