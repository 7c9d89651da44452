"""What the explorer's pages show, held against the results, in headless Chromium."""

from __future__ import annotations

import explorer_browser
import explorer_samples as samples
import numpy as np
import pytest
from explorer_browser import Opener, pair
from explorer_samples import results

browser, opener = explorer_browser.browser, explorer_browser.opener  # fixtures


def test_diagrams_have_every_cell_in_the_colours_of_the_paper(opener: Opener) -> None:
    opened = opener(*pair())
    for side, source in zip(("left", "right"), opened.sources, strict=True):
        weights = source["expert_weights"]
        norm, score = (of(weights)[..., -1] for of in (samples.norms, samples.interferences))
        drawn = opened.diagram(side)
        assert drawn.shape == (weights.shape[2], 3, 4, 3)
        for expert, colours in enumerate(drawn):
            expected = samples.phase_colours(norm[..., expert], score[..., expert])
            assert np.abs(colours - expected).max() < 1
    assert opened.page.title() == "dense, mixture"
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
    drawn = np.concatenate([opened.diagram(side) for side in ("left", "right")])
    assert np.abs(np.moveaxis(drawn, 0, 2) - colours).max() < 1


@pytest.mark.parametrize("quantity", ["loss", "norm", "interference", "dimensionality"])
def test_other_quantities(opener: Opener, quantity: str) -> None:
    opened = opener(*pair())
    opened.page.select_option("#quantity", quantity)
    opened.settle()
    source = opened.sources[1]
    of = {"norm": samples.norms, "interference": samples.interferences, "dimensionality": samples.dimensionalities}
    panels = opened.js("phasegrid.panelsOf(phasegrid.state.all[1]).map(panel => panel.values)")
    if quantity == "loss":
        expected = source["final_losses"][..., None]
    else:
        expected = of[quantity](source["expert_weights"])[..., -1]
    np.testing.assert_allclose(np.moveaxis(np.array(panels), 0, 2), expected, rtol=1e-6, atol=1e-12)
    assert len(opened.diagram("right")) == (1 if quantity == "loss" else 2)


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
    for loss in source["all_losses"][row, column]:
        assert f"{loss:#.5g}" in text
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
        assert f"{source['final_losses'][0, 2]:#.4g}" in opened.page.inner_text(f"#cell-{side}")


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
    random = np.random.default_rng(0)
    inputs = random.random((40_000, 12)) * (random.random((40_000, 12)) >= 0.5)
    order = np.argsort(-(inputs @ source["router_weights"][1, 1].T.astype(float)), axis=1, kind="stable")[:, :2]
    expected = [(order == expert).any(axis=1).mean() for expert in range(4)]
    np.testing.assert_allclose(bars["x"], expected, atol=0.05)  # from 2,000 inputs
    for expert in range(4):
        norms = samples.norms(source["expert_weights"][1, 1, expert])
        np.testing.assert_allclose(opened.traces("directions-left")[expert]["y"], norms, rtol=1e-6)
    opened.picture("many_features")


def test_three_hidden_units_are_drawn_in_space(opener: Opener) -> None:
    opened = opener(results("space", (4, 3, 2)))
    weights = opened.sources[0]["expert_weights"][1, 2]
    traces = opened.traces("directions-left")
    assert {trace["type"] for trace in traces} == {"scatter3d"}
    tips = np.array([[trace[axis][1] for axis in "xyz"] for trace in traces])
    np.testing.assert_allclose(tips, weights.reshape(-1, 3), rtol=1e-6)
    opened.picture("space")


def test_one_hidden_unit(opener: Opener) -> None:
    opened = opener(results("line", (3, 1, 2)))
    weights = opened.sources[0]["expert_weights"][1, 2]
    tips = [trace["x"][1] for trace in opened.traces("directions-left")]
    np.testing.assert_allclose(tips, weights.ravel(), rtol=1e-6)
