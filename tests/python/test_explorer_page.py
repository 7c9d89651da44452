"""The explorer's pages in headless Chromium: what they show, held against the results; how they are steered."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import explorer_samples as samples
import numpy as np
import pytest
from explorer_samples import Arrays, results
from playwright.sync_api import Browser, Page, sync_playwright

from phasegrid import explorer

STEPS = (0, 100, 500)
PICTURES = Path(os.environ.get("PHASEGRID_SCREENSHOTS", "build/explorer"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "no chromium; apt-get install chromium"
    with sync_playwright() as playwright:
        # Root in a container has no sandbox; 3D drawings need a GPU, or one made of software.
        options = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        started = playwright.chromium.launch(executable_path=chromium, args=options)
        yield started
        started.close()


@dataclass
class Opened:
    """A page and the results it shows."""

    page: Page
    sources: list[Arrays]
    trouble: list[str] = field(default_factory=list)  # errors, and whatever was asked of the network

    def js(self, code: str) -> Any:
        return self.page.evaluate(code)

    def settle(self) -> None:
        """Waits until the models are drawn after a change."""
        self.page.wait_for_function("phasegrid.busy() === false")

    def traces(self, box: str) -> list[dict[str, Any]]:
        """Of a figure, without what a figure only adds to measure or to mark (typed arrays as lists)."""
        code = """box => document.getElementById(box).data.map(t => JSON.parse(JSON.stringify(t, (key, value) =>
                  ArrayBuffer.isView(value) ? Array.from(value) : value)))"""
        return list(self.page.evaluate(code, box))

    def diagram(self, side: str) -> np.ndarray[Any, Any]:
        """(E, rows, columns, 3): the colours of the panels."""
        return np.array([trace["z"] for trace in self.traces(f"diagram-{side}") if trace["type"] == "image"])

    def where(self, side: str, expert: int, row: int, column: int) -> tuple[float, float]:
        """Pixels, in the window, of the middle of a cell."""
        self.page.locator(f"#diagram-{side}").scroll_into_view_if_needed()
        number = expert + 1 if expert else ""
        code = """([side, number, row, column]) => {
          const div = document.getElementById(`diagram-${side}`), box = div.getBoundingClientRect();
          const svg = div.querySelector("svg.main-svg").getBoundingClientRect();
          const x = div._fullLayout[`xaxis${number}`], y = div._fullLayout[`yaxis${number}`];
          return [svg.left + x._offset + x.d2p(column), svg.top + y._offset + y.d2p(row)];
        }"""
        x, y = self.page.evaluate(code, [side, number, row, column])
        return x, y

    def click(self, side: str, expert: int, row: int, column: int) -> None:
        x, y = self.where(side, expert, row, column)
        self.page.mouse.move(x - 3, y - 2)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.up()
        self.settle()

    def chosen(self) -> dict[str, float]:
        return dict(self.js("phasegrid.state.at"))

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


class Opener:
    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.folder, self.opened = browser, folder, list[Opened]()

    def __call__(self, *sources: Arrays, width: int = 1440, height: int = 900, hold: bool = False) -> Opened:
        path = explorer.explore(sources, self.folder / "page.html")
        page = self.browser.new_page(viewport={"width": width, "height": height})
        opened = Opened(page, list(sources))
        page.on("pageerror", lambda error: opened.trouble.append(f"error: {error}"))
        page.on("console", lambda m: opened.trouble.append(m.text) if m.type == "error" else None)
        page.on(
            "request",
            lambda r: opened.trouble.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None,
        )
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        opened.settle()
        self.opened.append(opened)
        return opened


@pytest.fixture
def opener(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens pages of results; at the end none may have met an error or asked for anything of a network."""
    made = Opener(browser, tmp_path)
    yield made
    for opened in made.opened:
        opened.page.close()
        assert opened.trouble == []


def pair() -> list[Arrays]:
    """A dense model and a mixture, with snapshots."""
    return [
        results("dense", (3, 2, 1), snapshots=STEPS, seed=1),
        results("mixture", (3, 2, 2), snapshots=STEPS, seed=2),
    ]


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
    x, y = opened.where("right", 1, row, column)
    opened.page.mouse.move(x - 4, y)
    opened.page.mouse.move(x, y)
    opened.page.wait_for_selector("#tooltip:not([hidden])")
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
    opened = opener(source)
    assert [trace["name"] for trace in opened.traces("router-left")] == ["expert 1: 100.0 %"]


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


def test_the_slider_moves_diagram_and_model_through_the_snapshots(opener: Opener) -> None:
    opened = opener(*pair())
    source, final = opened.sources[1], opened.diagram("right")
    opened.page.focus("#snapshot")
    opened.page.keyboard.press("ArrowLeft")
    opened.settle()
    assert opened.js("phasegrid.state.step") == STEPS[-1]
    weights = source["snapshot_expert_weights"][..., -1, :, :, :]
    norm, score = (of(weights)[..., -1] for of in (samples.norms, samples.interferences))
    for expert, colours in enumerate(opened.diagram("right")):
        assert np.abs(colours - samples.phase_colours(norm[..., expert], score[..., expert])).max() < 1
    arrows = [trace for trace in opened.traces("directions-right") if len(trace["x"]) == 2]
    tips = np.array([[trace["x"][1], trace["y"][1]] for trace in arrows])
    np.testing.assert_allclose(tips, weights[1, 2].reshape(-1, 2), rtol=1e-6)
    assert "after step 500" in opened.page.inner_text("#cell-right")

    opened.page.keyboard.press("Home")
    opened.settle()
    assert opened.js("phasegrid.state.step") == STEPS[0]
    opened.picture("snapshot")
    opened.page.focus("#diagram-right")
    for _ in STEPS:
        opened.page.keyboard.press("]")
        opened.settle()
    assert opened.js("phasegrid.state.step") is None
    np.testing.assert_array_equal(opened.diagram("right"), final)

    opened.page.click("#play")
    opened.page.wait_for_function("phasegrid.state.step === 100")


def test_training_history(opener: Opener) -> None:
    opened = opener(*pair())
    source, traces = opened.sources[0], opened.traces("training-left")
    cell = (1, 2)
    kept = int(source["kept"][cell])
    assert [trace["mode"] for trace in traces] == ["lines", "lines", "lines+markers"]
    assert traces[-1]["x"] == [*STEPS, 1000]
    expected = [*source["snapshot_losses"][cell][kept], source["all_losses"][cell][kept]]
    np.testing.assert_allclose(traces[-1]["y"], expected, rtol=1e-6)


def test_choosing_what_lies_side_by_side(opener: Opener) -> None:
    opened = opener(*pair(), results("other", (2, 1, 3), axes={"last_importance": [0.2, 1.9]}, seed=3))
    opened.click("left", 0, 2, 3)
    opened.page.get_by_label("results on the right").select_option("other")
    opened.settle()
    assert opened.js("phasegrid.state.sides") == [0, 2]
    assert opened.diagram("right").shape == (3, 3, 2, 3)
    assert "1.9" in opened.page.inner_text("#cell-right")  # nearest to the 2.0 of the left
    opened.page.get_by_label("mixture on the left").click()
    opened.settle()
    assert opened.js("phasegrid.state.sides") == [1, 2]
    opened.page.get_by_label("results on the right").select_option("none")
    opened.settle()
    assert opened.page.locator("#diagram-right").is_hidden()
    assert opened.page.locator("#gallery canvas").count() == 6


def test_safe_colours(opener: Opener) -> None:
    opened = opener(*pair())
    opened.page.check("#safe")
    opened.settle()
    weights = opened.sources[0]["expert_weights"][:, :, 0]
    norm, score = samples.norms(weights)[..., -1], samples.interferences(weights)[..., -1]
    assert np.abs(opened.diagram("left")[0] - samples.phase_colours(norm, score, "safe")).max() < 1
    opened.picture("safe")


def test_keyboard(opener: Opener) -> None:
    opened = opener(*pair())
    opened.click("left", 0, 1, 1)
    opened.page.focus("#diagram-left")
    for key, chosen in (
        ("ArrowRight", (0.5, 1.5)),
        ("ArrowDown", (0.9, 1.5)),
        ("ArrowDown", (0.9, 1.5)),
        ("Home", (0.9, 0.5)),
        ("ArrowLeft", (0.9, 0.5)),
        ("ArrowUp", (0.5, 0.5)),
        ("End", (0.5, 2.0)),
    ):
        opened.page.keyboard.press(key)
        assert opened.chosen() == {"sparsity": chosen[0], "last_importance": chosen[1]}
    opened.settle()
    assert f"loss {opened.sources[0]['final_losses'][1, 3]:#.4g}" in opened.page.inner_text("#live")

    reached = set()  # by Tab alone
    opened.page.evaluate("document.activeElement.blur()")
    for _ in range(40):
        opened.page.keyboard.press("Tab")
        reached.add(opened.js("document.activeElement.id"))
    assert {
        "quantity",
        "feature",
        "score",
        "snapshot",
        "play",
        "shared",
        "safe",
        "diagram-left",
        "diagram-right",
    } <= reached


def test_cells_without_a_model_are_gaps(opener: Opener) -> None:
    source = results("unfinished", (3, 2, 2), snapshots=STEPS)
    samples.drop(source, (0, 1), -1)
    samples.drop(source, (2, 2), 7)
    source["snapshot_losses"][1, 1, :, 2] = np.nan  # ended early
    opened = opener(source)
    drawn = opened.diagram("left")
    gaps = (drawn == (222, 226, 232)).all(axis=-1)
    assert np.argwhere(gaps[0]).tolist() == [[0, 1], [2, 2]]
    assert "2 of them without a model" in opened.page.inner_text("#heads-left")
    opened.click("left", 0, 0, 1)
    assert "not trained yet" in opened.page.inner_text("#cell-left")
    assert "No model in this cell" in opened.page.inner_text("#directions-left")
    opened.click("left", 0, 2, 2)
    assert "stopped being finite from step 7" in opened.page.inner_text("#cell-left")
    opened.click("left", 0, 1, 1)
    opened.page.focus("#snapshot")
    opened.page.keyboard.press("ArrowLeft")
    opened.settle()
    assert "had ended by then" in opened.page.inner_text("#cell-left")
    opened.picture("gaps")


def test_nothing_trained_at_all(opener: Opener) -> None:
    source = results("nothing", (2, 1, 2))
    samples.drop(source, (), -1)
    opened = opener(source)
    assert (opened.diagram("left") == (222, 226, 232)).all()


def test_further_axes(opener: Opener) -> None:
    source = results("axes", (2, 1, 2), axes={"learning_rate": [1e-4, 1e-3, 1e-2], "seed": [0, 1, 2, 3, 4]})
    opened = opener(source)
    assert opened.diagram("left").shape == (2, 3, 4, 3)
    opened.page.select_option("#axis-x", "seed")
    opened.page.select_option("#axis-y", "learning_rate")
    opened.settle()
    assert opened.diagram("left").shape == (2, 3, 5, 3)
    opened.page.focus("#at-sparsity")
    opened.page.keyboard.press("End")
    opened.settle()
    weights = source["expert_weights"][2, 2, :, :, 1]  # importance: the middle, 1.5
    norm, score = samples.norms(weights)[..., -1], samples.interferences(weights)[..., -1]
    assert np.abs(opened.diagram("left")[1] - samples.phase_colours(norm, score)).max() < 1
    opened.click("left", 1, 2, 4)
    assert opened.chosen() == {"sparsity": 0.9, "last_importance": 1.5, "learning_rate": 0.01, "seed": 4}
    opened.page.select_option("#axis-x", "learning_rate")  # swaps
    assert opened.js("[phasegrid.state.x, phasegrid.state.y]") == ["learning_rate", "seed"]


def test_one_axis_and_one_cell(opener: Opener) -> None:
    one = {"sparsity": [0.5], "last_importance": [1.0]}
    opened = opener(results("row", (2, 1, 2), axes={**one, "seed": [0, 1, 2]}), results("cell", (2, 1, 1), axes=one))
    assert opened.js("phasegrid.state.sides") == [1, 0]  # the dense one left
    assert opened.diagram("right").shape == (2, 1, 3, 3)
    assert opened.diagram("left").shape == (1, 1, 1, 3)


def test_authors_files_and_own_sparsities(opener: Opener) -> None:
    own = results("own", (4, 2, 3), axes={"sparsity": [np.nan], "seed": [0, 1]})
    own["config"] = np.array(str(own["config"]).replace('"data": {}', '"data": {"sparsity": [0.1, 0.5, 0.9, 1.0]}'))
    keys = ("sparsity_values", "importance_values", "final_losses", "expert_weights")
    authors = {key: value for key, value in results("authors", (3, 2, 2)).items() if key in keys}
    opened = opener(own, authors)
    assert len(opened.traces("router-left")) == 2
    assert "no router weights" in opened.page.inner_text("#router-right")
    assert "Kept loss" in opened.page.inner_text("#training-right")


def test_a_phone(opener: Opener) -> None:
    opened = opener(*pair(), results("wide", (20, 6, 8)), width=360, height=740)
    opened.page.get_by_label("wide on the right").click()
    opened.settle()
    assert opened.js("document.documentElement.scrollWidth") <= 360
    left, right = (opened.page.locator(f"#diagram-{side}").bounding_box() for side in ("left", "right"))
    assert left and right and right["y"] >= left["y"] + left["height"]
    opened.picture("phone")


def test_words_can_be_read(opener: Opener) -> None:
    """WCAG AA: 4.5 to 1 between text and what lies under it."""
    opened = opener(*pair(), results("third", (2, 1, 2)))
    opened.page.click(".help summary")
    code = """() => {
      const parse = text => text.match(/[\\d.]+/g).map(Number);
      const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const bad = [];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || element.closest("script, svg, .unseen") || !element.checkVisibility()) continue;
        let under = element;
        while (under && (parse(getComputedStyle(under).backgroundColor)[3] ?? 1) === 0) under = under.parentElement;
        const a = light(parse(getComputedStyle(element).color)), b = light(under ? parse(getComputedStyle(under).backgroundColor) : [255, 255, 255]);
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) bad.push(`${walker.currentNode.data}: ${ratio}`);
      }
      return bad;
    }"""  # noqa: E501
    assert opened.js(code) == []


def test_names_cannot_break_the_page(opener: Opener) -> None:
    name = "</script><img src=x onerror=alert(1)>"
    opened = opener(results(name, (2, 1, 1)), results("two", (2, 1, 2)))
    assert opened.page.locator("img").count() == 0
    assert name in opened.page.inner_text("h1")
