"""The explorer's pages of results whose axes change the shape of their models, in headless Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import explorer_browser
import explorer_samples as samples
import numpy as np
import pytest
from explorer_browser import STEPS, Opener
from shape_samples import Arrays, cells, model, of_shapes, shape

from phasegrid import explorer
from phasegrid.explorer.packing import pack_all

browser, kept, opener = explorer_browser.browser, explorer_browser.kept, explorer_browser.opener  # fixtures

ALL: dict[str, Any] = {"n_hidden": [1, 2], "n_experts": [1, 2, 4], "top_k": [1, 2]}
NO_MODEL = "No model: top_k above n_experts."


def place(arrays: Arrays, cell: tuple[int, ...]) -> int:
    """Among all cells."""
    return int(np.ravel_multi_index(cell, arrays["final_losses"].shape))


def test_titles_say_from_which_shape_to_which() -> None:
    def title(arrays: Arrays) -> str:
        return str(pack_all([arrays])[0].header["title"])

    assert title(of_shapes(**ALL)) == "n = 4, m = 1 to 2, E = 1 to 4, top 1 to 2"
    assert title(of_shapes(n_experts=[1, 2, 4])) == "n = 4, m = 2, E = 1 to 4, top 1"
    assert title(of_shapes(n_hidden=[1, 2, 5])) == "n = 4, m = 1 to 5, dense"
    assert title(of_shapes(n_experts=[4], top_k=[2])) == "n = 4, m = 2, E = 4, top 2"


def test_values_that_are_no_shapes(tmp_path: Path) -> None:
    arrays = of_shapes(n_experts=[1, 2, 4])
    for values in ([1, 2, 5], [0, 1, 2], [1, 1.5, 2], [1, 2, np.nan]):
        arrays["n_experts_values"] = np.array(values, float)
        with pytest.raises(ValueError, match="results 1: n_experts_values must hold whole numbers from 1 to 4"):
            explorer.explore(arrays, tmp_path / "page.html")


def test_an_axis_of_experts_is_drawn_like_any_other(opener: Opener) -> None:
    source = of_shapes(n_experts=[1, 2, 4])
    opened = opener(source)
    assert opened.js("[phasegrid.state.x, phasegrid.state.y]") == ["n_experts", "sparsity"]
    panels = opened.js("phasegrid.panelsOf(phasegrid.state.all[0])")
    assert [panel["e"] for panel in panels] == [0, 1, 2, 3]
    for e, panel in enumerate(panels):
        for key, of in (("norm", samples.norms), ("score", samples.interferences)):
            own = [[of(model(source, (s, 0, at)))[:, -1] for at in range(3)] for s in range(2)]
            expected = [[values[e] if e < len(values) else None for values in row] for row in own]
            for row, wanted in zip(panel[key], expected, strict=True):
                assert [value is None for value in row] == [value is None for value in wanted]
                np.testing.assert_allclose(
                    [value for value in row if value is not None], [value for value in wanted if value is not None],
                    rtol=1e-6,
                )  # fmt: skip
        for row in panel["starved"]:
            assert not any(row[at] for at in range(3) if e >= [1, 2, 4][at])
    grey = opened.js("phasegrid.coloursOf(phasegrid.panelsOf(phasegrid.state.all[0])[3], {norm: 1, score: 1})")
    assert [colour == [222, 226, 232] for colour in grey[0]] == [True, True, False]
    titles = opened.js("document.getElementById('diagram-left').layout.annotations.map(words => words.text)")
    assert titles == [f"expert {e + 1}" for e in range(4)]
    opened.picture("shapes")


@pytest.mark.parametrize("step", [None, STEPS[1]])
def test_every_measure_of_every_cell_is_that_of_its_own_model(opener: Opener, step: int | None) -> None:
    source = of_shapes(**ALL, snapshots=STEPS)
    opened = opener(source)
    snapshot = None if step is None else STEPS.index(step)
    if snapshot is not None:
        source = {
            **source,
            "expert_weights": source["snapshot_expert_weights"][..., snapshot, :, :, :],
            "router_weights": source["snapshot_router_weights"][..., snapshot, :, :],
        }
    asked = "null" if snapshot is None else snapshot
    for cell in cells(source):
        m, E, k = shape(source, cell)
        at = place(source, cell)
        results = "phasegrid.state.all[0]"
        assert opened.js(f"{results}.shapeOf({at})") == {"E": E, "n": 4, "m": m, "topK": k}
        assert opened.js(f"{results}.trained({at}, {asked})") == (k <= E)
        if k > E:
            assert opened.js(f"phasegrid.usageOf({results}, {at}, {asked})") is None
            continue
        own = model(source, cell)
        shown = opened.js(f"Array.from({results}.weights({at}, {asked}))")
        np.testing.assert_allclose(shown, own.ravel(), rtol=1e-6)
        for e in range(E):
            np.testing.assert_allclose(opened.js(f"Array.from({results}.expert({at}, {e}, {asked}))"), own[e].ravel())
        usage = opened.js(f"phasegrid.usageOf({results}, {at}, {asked})")
        sparsity = source["sparsity_values"][cell[0]]
        active, gate = samples.usages(model(source, cell, "router_weights"), sparsity, k)
        np.testing.assert_allclose(usage["active"], active, atol=0.05)
        np.testing.assert_allclose(usage["gate"], gate, atol=0.05)
    if step is not None:
        return
    expected = {
        "capacity": lambda own, cell: samples.capacities(own),
        "features_per_dimension": lambda own, cell: (
            (samples.usages(model(source, cell, "router_weights"), source["sparsity_values"][cell[0]], cell[4] + 1)[1]
             * (own**2).sum(axis=(1, 2))).sum() / (own.shape[2] * (cell[4] + 1))
        ),
    }  # fmt: skip
    across = opened.js("[phasegrid.state.x, phasegrid.state.y]")
    assert across == ["n_experts", "sparsity"]  # at m = 2, k = 2, the middle or the first that holds a model
    chosen = opened.chosen()
    for quantity, of in expected.items():
        opened.page.select_option("#quantity", quantity)
        opened.settle()
        rows = opened.js("phasegrid.panelsOf(phasegrid.state.all[0])[0].values")
        for s, row in enumerate(rows):
            for at, value in enumerate(row):
                cell = (s, 0, [1, 2].index(int(chosen["n_hidden"])), at, int(chosen["top_k"]) - 1)
                if chosen["top_k"] > [1, 2, 4][at]:
                    assert value is None
                else:
                    np.testing.assert_allclose(value, of(model(source, cell), cell), rtol=0.1)


def test_a_cell_shows_its_own_model(opener: Opener) -> None:
    source = of_shapes(n_hidden=[1, 2, 3, 5], n_experts=[1, 2, 4], top_k=[1, 2], snapshots=STEPS)
    opened = opener(source)
    for cell in cells(source):
        if cell[0] == 1:
            continue
        m, E, k = shape(source, cell)
        opened.js(f"phasegrid.chooseCell(0, {place(source, cell)})")
        opened.settle()
        text = opened.page.inner_text("#cell-left").lower()
        for name, value in (("hidden units", m), ("experts", E), ("top k", k)):
            assert f"{name}\n{value}\n" in text
        if k > E:
            assert NO_MODEL in opened.page.inner_text("#cell-left")
            for kind in ("directions", "gram", "router", "training"):
                assert opened.page.inner_text(f"#{kind}-left") == NO_MODEL
            continue
        own = model(source, cell)
        table = opened.page.locator("#cell-left td").all_text_contents()
        expected = np.stack([of(own) for of in (samples.norms, samples.interferences, samples.dimensionalities)], -1)
        np.testing.assert_allclose(np.array(table, float), expected.ravel(), atol=6e-4)
        assert ("experts get" in text) == (E > 1)
        grams = [trace for trace in opened.traces("gram-left") if len(trace["z"][0]) == 4]
        np.testing.assert_allclose([g["z"] for g in grams], own @ np.swapaxes(own, 1, 2), rtol=1e-5, atol=1e-6)
        if m == 3:
            assert opened.page.locator("#directions-left svg[data-expert]").count() == E
        else:
            titles = opened.js("document.getElementById('directions-left').layout.annotations.map(words => words.text)")
            assert titles == (["dense"] if E == 1 else [f"expert {e + 1}" for e in range(E)])
        head = opened.page.inner_text("#model-left h3 >> nth=0")
        assert head.startswith("Norms" if m > 3 else "Directions")
        router = opened.page.inner_text("#router-left") if E == 1 else opened.traces("router-left")[0]["z"]
        if E == 1:
            assert "no router" in router
        else:
            np.testing.assert_allclose(router, model(source, cell, "router_weights"), rtol=1e-6)


def test_the_tooltip_says_why_there_is_no_model(opener: Opener) -> None:
    source = of_shapes(n_experts=[1, 2, 4], top_k=[1, 2], axes={"sparsity": [0.5]})
    opened = opener(source)
    axes = opened.js("[phasegrid.state.x, phasegrid.state.y]")
    assert axes == ["n_experts", "top_k"]
    opened.hover("left", 0, 1, 0)
    assert NO_MODEL in opened.page.inner_text("#tooltip")
    opened.hover("left", 0, 1, 1)
    assert "No model" not in opened.page.inner_text("#tooltip")
    assert opened.page.locator("#tooltip td").count() == 2 * 4 * 3  # both experts, of four features each


def test_a_line_over_experts(opener: Opener) -> None:
    source = of_shapes(n_experts=[1, 2, 4], axes={"sparsity": [0.5]})
    opened = opener(source)
    lines = [trace for trace in opened.traces("diagram-left") if trace.get("mode") == "lines+markers"]
    assert len(lines) == 4
    for e, line in enumerate(lines):
        own = [model(source, (0, 0, at)) for at in range(3)]
        expected = [samples.norms(weights)[e, -1] if e < len(weights) else None for weights in own]
        assert [value is None for value in line["y"]] == [value is None for value in expected]
        np.testing.assert_allclose(
            [value for value in line["y"] if value is not None],
            [value for value in expected if value is not None],
            rtol=1e-6,
        )
    assert "experts (logarithmic)" in opened.js("document.getElementById('diagram-left').layout.xaxis4.title.text")


def test_regions_of_the_plane_are_of_the_cells_experts_and_top_k(opener: Opener) -> None:
    source = of_shapes(n=2, n_experts=[2, 3, 4], top_k=[1, 2])
    opened = opener(source)
    for cell in cells(source)[:6]:
        _, E, k = shape(source, cell)
        opened.js(f"phasegrid.chooseCell(0, {place(source, cell)})")
        opened.settle()
        router = model(source, cell, "router_weights")
        inputs = np.random.default_rng(0).random((20_000, 2))
        chosen = np.sort(np.argsort(-(inputs @ router.T), axis=1, kind="stable")[:, :k] + 1, axis=1)
        sampled = {tuple(map(int, row)) for row in np.unique(chosen, axis=0)}
        names = [trace["name"].split(": ")[0].split(" ", 1)[1] for trace in opened.traces("router-left")]
        drawn = {tuple(int(word) for word in name.split(" + ")) for name in names}
        assert drawn >= {row for row in sampled if (chosen == row).all(axis=1).mean() > 0.003}
        assert all(len(row) == k and max(row) <= E for row in drawn)
