"""How the explorer's pages are steered, and pages of unusual results, in headless Chromium."""

from __future__ import annotations

import explorer_browser
import explorer_samples as samples
import numpy as np
from explorer_browser import STEPS, Opener, pair
from explorer_samples import results

browser, kept, opener = explorer_browser.browser, explorer_browser.kept, explorer_browser.opener  # fixtures


def test_the_slider_moves_diagram_and_model_through_the_snapshots(opener: Opener) -> None:
    opened = opener(*pair())
    source, final = opened.sources[1], opened.diagram("right")
    opened.page.focus("#snapshot")
    opened.page.keyboard.press("ArrowLeft")
    opened.settle()
    assert opened.js("phasegrid.state.step") == STEPS[-1]
    weights = source["snapshot_expert_weights"][..., -1, :, :, :]
    norm, score = (of(weights)[..., -1] for of in (samples.norms, samples.interferences))
    early = {**source, "router_weights": source["snapshot_router_weights"][:, :, -1]}
    starved = samples.usage_grid(early)[0] < 0.01
    for expert, colours in enumerate(opened.diagram("right")):
        expected = samples.phase_colours(norm[..., expert], score[..., expert])
        assert np.abs(colours - samples.faded(expected, starved[..., expert])).max() < 1
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
    opened.wait("phasegrid.state.step === 100")


def test_training_history(opener: Opener) -> None:
    opened = opener(*pair())
    source, traces = opened.sources[0], opened.traces("training-left")
    cell = (1, 2)
    kept = int(source["kept"][cell])
    assert [trace["mode"] for trace in traces] == ["lines", "lines", "lines+markers"]
    for trace, restart in zip(traces, [*(k for k in range(3) if k != kept), kept], strict=True):
        assert trace["x"] == [*STEPS, 1000]
        expected = [
            *source["snapshot_reconstruction_losses"][cell][restart],
            source["all_reconstruction_losses"][cell][restart],
        ]
        np.testing.assert_allclose(trace["y"], expected, rtol=1e-6)


def test_choosing_what_lies_side_by_side(opener: Opener) -> None:
    opened = opener(*pair(), results("other", (2, 1, 3), axes={"last_importance": [0.2, 1.9]}, seed=3))
    opened.click("left", 0, 2, 3)
    opened.page.get_by_label("results on the right").select_option(label="n = 2, m = 1, E = 3, top 1")
    opened.settle()
    assert opened.js("phasegrid.state.sides") == [0, 2]
    assert opened.diagram("right").shape == (3, 3, 2, 3)
    assert "1.9" in opened.page.inner_text("#cell-right")  # nearest to the 2.0 of the left
    opened.page.get_by_label("n = 3, m = 2, E = 2, top 1 on the left").click()
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
    loss = opened.sources[0]["reconstruction_losses"][1, 3]
    assert f"reconstruction loss {loss:#.4g}" in opened.page.inner_text("#live")


def test_a_sweep_over_one_axis_is_a_line(opener: Opener) -> None:
    rates = [1e-4, 1e-3, 1e-2, 1e-1]
    axes = {"sparsity": [0.5], "last_importance": [1.0], "learning_rate": rates}
    source = results("rates", (3, 2, 2), axes=axes)
    samples.drop(source, (0, 0, 2), 7)
    opened = opener(source)

    def lines() -> list[dict[str, object]]:
        return [trace for trace in opened.traces("diagram-left") if trace["mode"] == "lines+markers"]

    def pixel(point: int, across: float = 0) -> tuple[float, float]:
        """Of a point of the first panel, some pixels beside it."""
        opened.page.locator("#diagram-left").scroll_into_view_if_needed()
        x, y = opened.page.evaluate(
            """point => {
              const div = document.getElementById("diagram-left"), { xaxis, yaxis } = div._fullLayout;
              const svg = div.querySelector("svg.main-svg").getBoundingClientRect();
              const trace = div.data.find(trace => trace.mode === "lines+markers");
              const y = trace.y[point] ?? yaxis.range[0] + 0.03 * (yaxis.range[1] - yaxis.range[0]);
              return [svg.left + xaxis._offset + xaxis.d2p(trace.x[point]), svg.top + yaxis._offset + yaxis.d2p(y)];
            }""",
            point,
        )
        return x + across, y

    def marked() -> float:
        return float(opened.js("document.getElementById('diagram-left').layout.shapes[0].x0"))

    weights = source["expert_weights"][0, 0]
    norm = samples.norms(weights)[..., -1]
    assert len(lines()) == 2 and opened.diagram("left").size == 0
    for expert, line in enumerate(lines()):
        np.testing.assert_allclose(line["x"], np.log10(rates))  # on the scale on which they are evenly spaced
        drawn = np.array(line["y"], float)
        np.testing.assert_allclose(drawn[[0, 1, 3]], norm[[0, 1, 3], expert], rtol=1e-6)
        assert np.isnan(drawn[2])

    opened.page.select_option("#quantity", "reconstruction_loss")
    opened.settle()
    (line,) = lines()
    losses = source["all_reconstruction_losses"][0, 0]
    bars = line["error_y"]
    assert isinstance(bars, dict)
    drawn = np.array(line["y"], float)
    at = [0, 1, 3]
    np.testing.assert_allclose((drawn + bars["array"])[at], losses.max(axis=-1)[at], rtol=1e-6)
    np.testing.assert_allclose((drawn - bars["arrayminus"])[at], losses.min(axis=-1)[at], rtol=1e-6)

    for point, across in ((0, 0.0), (3, -9.0), (2, 0.0)):  # beside a point too, and a cell without a model
        opened.page.mouse.move(2, 2)
        opened.page.mouse.move(*pixel(point, across))
        opened.page.mouse.down()
        opened.page.mouse.up()
        opened.wait(f"phasegrid.state.at.learning_rate === {rates[point]}")
        opened.settle()
        assert abs(marked() - np.log10(rates[point])) < 1e-9
    opened.page.focus("#diagram-left")
    for key, rate in (("Home", 1e-4), ("ArrowLeft", 1e-4), ("ArrowRight", 1e-3), ("ArrowDown", 1e-3), ("End", 0.1)):
        opened.page.keyboard.press(key)
        assert opened.chosen()["learning_rate"] == rate
        opened.settle()
        assert abs(marked() - np.log10(rate)) < 1e-9
    assert "learning rate 0.1" in opened.page.inner_text("#live")
    opened.picture("line")


def test_tab_stops(opener: Opener) -> None:
    """The diagrams are near, and every control is reached."""
    opened = opener(*pair(), results("third", (2, 1, 2)), results("fourth", (4, 2, 2)))
    reached = []  # by Tab alone
    for _ in range(25):
        opened.page.keyboard.press("Tab")
        reached.append(opened.js("document.activeElement.id"))
    assert reached.index("diagram-left") < 5
    assert reached.index("diagram-right") <= reached.index("diagram-left") + 2  # between them, the button that saves
    assert {"quantity", "feature", "score", "snapshot", "play", "shared", "safe", "theme"} <= set(reached)

    opened.page.focus("#gallery button")
    for _ in range(3):
        opened.page.keyboard.press("ArrowRight")
    opened.page.keyboard.press("Enter")
    opened.settle()
    assert opened.js("phasegrid.state.sides") == [0, 1]
    opened.page.keyboard.press("ArrowRight")
    opened.page.keyboard.press("Enter")
    opened.settle()
    assert opened.js("phasegrid.state.sides") == [2, 1]


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
    assert opened.page.inner_text("#training-left") == "No loss to draw: this cell is not trained."
    opened.click("left", 0, 1, 1)
    assert "No loss to draw" not in opened.page.inner_text("#training-left")
    opened.page.focus("#snapshot")
    opened.page.keyboard.press("ArrowLeft")
    opened.settle()
    assert opened.page.locator("#tooltip").is_hidden()
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
    routers = source["router_weights"][2, 2]
    starved = np.array([[samples.usages(G, 0.9)[0][1] < 0.01 for G in row] for row in routers])
    expected = samples.faded(samples.phase_colours(norm, score), starved)
    assert np.abs(opened.diagram("left")[1] - expected).max() < 1
    opened.click("left", 1, 2, 4)
    assert opened.chosen() == {"sparsity": 0.9, "last_importance": 1.5, "learning_rate": 0.01, "seed": 4}
    opened.page.select_option("#axis-x", "learning_rate")  # swaps
    assert opened.js("[phasegrid.state.x, phasegrid.state.y]") == ["learning_rate", "seed"]


def test_one_axis_and_one_cell(opener: Opener) -> None:
    one = {"sparsity": [0.5], "last_importance": [1.0]}
    opened = opener(results("row", (2, 1, 2), axes={**one, "seed": [0, 1, 2]}), results("cell", (2, 1, 1), axes=one))
    assert opened.js("phasegrid.state.sides") == [1, 0]  # the dense one left
    assert [len(trace["x"]) for trace in opened.traces("diagram-right") if trace["mode"] == "lines+markers"] == [3, 3]
    assert opened.diagram("left").shape == (1, 1, 1, 3)


def test_authors_files_and_own_sparsities(opener: Opener) -> None:
    own = results("own", (4, 2, 3), axes={"sparsity": [np.nan], "seed": [0, 1]})
    own["config"] = np.array(str(own["config"]).replace('"data": {}', '"data": {"sparsity": [0.1, 0.5, 0.9, 1.0]}'))
    keys = ("sparsity_values", "importance_values", "final_losses", "expert_weights")
    authors = {key: value for key, value in results("authors", (3, 2, 2)).items() if key in keys}
    opened = opener(own, authors)
    assert len(opened.traces("router-left")) == 2
    assert "no router weights" in opened.page.inner_text("#router-right")
    assert "Kept model: training loss" in opened.page.inner_text("#training-right")


def test_names_cannot_break_the_page(opener: Opener) -> None:
    name = "</script><img src=x onerror=alert(1)>"
    opened = opener(results(name, (2, 1, 1)), results("two", (2, 1, 2)))
    assert opened.page.locator("img").count() == 0
    assert name in opened.page.inner_text("#heads-left")


def test_the_address_holds_the_whole_state(opener: Opener) -> None:
    sources = [*pair(), results("space", (4, 3, 2), axes={"seed": [0, 1, 2]}, snapshots=STEPS)]
    opened = opener(*sources)
    opened.page.get_by_label("n = 4, m = 3, E = 2, top 1 on the right").click()
    opened.settle()
    for box, value in (("quantity", "interference"), ("feature", "1"), ("axis-x", "seed"), ("theme", "dark")):
        opened.page.select_option(f"#{box}", value)
    opened.page.uncheck("#shared")
    opened.page.check("#safe")
    opened.page.focus("#snapshot")
    opened.page.keyboard.press("ArrowLeft")
    opened.page.focus("#directions-right .space")
    opened.page.keyboard.press("ArrowRight")
    opened.settle()
    opened.click("right", 1, 0, 2)
    code = "JSON.stringify({...phasegrid.state, all: null, turn: phasegrid.state.turn.map(a => a.toFixed(3))})"
    state, address = opened.js(code), opened.js("location.hash")
    assert "at.seed=2" in address and "at.sparsity=0.1" in address

    other = opener(*sources, address=address)
    assert other.js(code) == state
    assert other.js("location.hash") == address
    np.testing.assert_array_equal(other.diagram("right"), opened.diagram("right"))
    assert other.page.inner_text("#cell-right") == opened.page.inner_text("#cell-right")


def test_back_and_forward(opener: Opener) -> None:
    opened = opener(*pair())
    first = opened.chosen()
    opened.click("left", 0, 0, 3)
    opened.page.select_option("#quantity", "norm")
    opened.settle()
    opened.page.go_back()
    opened.wait("phasegrid.state.quantity === 'phase'")
    assert opened.chosen() == {"sparsity": 0.1, "last_importance": 2.0}
    assert opened.page.locator("#quantity").input_value() == "phase"
    opened.page.go_back()
    opened.wait(f"phasegrid.state.at.sparsity === {first['sparsity']}")
    assert opened.chosen() == first
    opened.settle()
    assert f"{opened.sources[0]['final_losses'][1, 2]:#.4g}" in opened.page.inner_text("#cell-left")
    for quantity, sparsity in (("phase", 0.1), ("norm", 0.1)):
        opened.page.go_forward()
        opened.wait(f"phasegrid.state.quantity === '{quantity}' && phasegrid.state.at.sparsity === {sparsity}")
    opened.settle()


def test_going_back_leaves_an_address_that_was_typed(opener: Opener) -> None:
    opened = opener(*pair())
    entries, first = opened.js("history.length"), opened.js("location.hash")
    opened.js("location.hash = '#colour=norm'")
    opened.wait("phasegrid.state.quantity === 'norm'")
    opened.settle()
    assert "at.sparsity" in opened.js("location.hash")
    assert opened.js("history.length") == entries + 1
    opened.page.go_back()
    opened.wait("phasegrid.state.quantity === 'phase'")
    opened.settle()
    assert opened.js("location.hash") == first


def test_addresses_of_other_pages_do_no_harm(opener: Opener) -> None:
    address = (
        "#left=gone&across=none&down=&at.sparsity=x&at.nothing=1&colour=<b>&feature=99&step=7&turn=1&theme=pink&safe"
    )
    opened = opener(*pair(), address=address)
    assert opened.js("phasegrid.state.sides") == [0, 1]
    assert opened.js("[phasegrid.state.x, phasegrid.state.y]") == ["last_importance", "sparsity"]
    assert opened.chosen() == {"sparsity": 0.5, "last_importance": 1.5}
    assert opened.js("[phasegrid.state.quantity, phasegrid.state.theme]") == ["phase", "auto"]
