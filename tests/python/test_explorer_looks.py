"""How the explorer's pages look at every width, light and dark: measured in headless Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import explorer_browser
import numpy as np
import pytest
from explorer_browser import STEPS, Opened, Opener, pair
from explorer_samples import Arrays, results

browser, kept, opener = explorer_browser.browser, explorer_browser.kept, explorer_browser.opener  # fixtures


def figure_4() -> Arrays:
    """Narrow cells, and labels of many digits."""
    axes = {"sparsity": list(np.arange(1, 40) * 0.025), "last_importance": list(np.arange(2, 60) * 0.05)}
    return results("fig4_323", (3, 2, 3), axes=axes, snapshots=(0, 100), restarts=2)


def wide() -> Arrays:
    return results(
        "wide", (20, 6, 8), axes={"learning_rate": [1e-5, 3.25e-5, 1e-4, 1.25e-3], "load_balance": [0, 0.001, 1]}
    )


WIDTHS = (390, 1024, 1440)
SOURCES: dict[str, Callable[[], list[Arrays]]] = {
    "pair": pair,
    "figure 4": lambda: [figure_4()],
    "wide": lambda: [wide(), results("space", (5, 3, 2), axes={"seed": list(range(30))}), results("line", (3, 1, 2))],
}


def overflowing(opened: Opened) -> list[Any]:
    """Elements that stick out of the window, but those inside something that scrolls."""
    code = """() => {
      const wide = document.documentElement.clientWidth, bad = [];
      for (const element of document.querySelectorAll("body *")) {
        if (!element.checkVisibility() || element.closest(".unseen, #js-plotly-tester, #gallery .card, .scroll table")) continue;
        const { left, right, width } = element.getBoundingClientRect();
        if (width > 0 && (left < -1 || right > wide + 1)) bad.push([element.tagName, element.id, element.getAttribute("class"), left, right]);
      }
      return document.documentElement.scrollWidth > wide ? ["the page scrolls sideways", ...bad] : bad;
    }"""  # noqa: E501
    return list(opened.page.evaluate(code))


def touching(opened: Opened) -> list[Any]:
    """Labels of a figure whose boxes intersect. The numbers of arrows and of cells lie where the data are."""
    code = """() => {
      const bad = [];
      for (const plot of document.querySelectorAll(".plot")) {
        const labels = [...plot.querySelectorAll("svg text")].filter(text => text.textContent.trim() &&
          !text.closest(".textpoint, .hm, .heatmap-label, .heatmap, .hoverlayer, .modebar-container, .arrow"));
        const boxes = labels.map(text => text.getBoundingClientRect()).map(({ left, right, top, bottom }) => {
          const slack = 1;  // a box has room above its letters
          return { left: left + slack, right: right - slack, top: top + slack + 1, bottom: bottom - slack - 1 };
        });
        if (plot.id.startsWith("diagram") && !labels.length) bad.push(`${plot.id} has no labels to measure`);
        const frame = plot.getBoundingClientRect();
        boxes.forEach((a, i) => {
          if (a.top < frame.top - 2 || a.left < frame.left - 2) bad.push(["cut off", plot.id, labels[i].textContent]);
          boxes.slice(i + 1).forEach((b, j) => {
            if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) {
              bad.push([plot.id, labels[i].textContent, labels[i + 1 + j].textContent]);
            }
          });
        });
      }
      return bad;
    }"""
    return list(opened.page.evaluate(code))


def unreadable(opened: Opened) -> list[str]:
    """Words, of page and figures, with less than 4.5 to 1 between them and what lies under them (WCAG AA)."""
    code = """() => {
      const parse = text => text.match(/[\\d.]+/g)?.map(Number) ?? [0, 0, 0];
      const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const bad = [];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const element = walker.currentNode.parentElement, drawn = element.closest("svg");
        if (!walker.currentNode.data.trim() || element.closest("script, style, title, .unseen, .heatmap-label, .hm, .arrow")
          || !element.checkVisibility()) continue;
        let under = element;
        while (under && (parse(getComputedStyle(under).backgroundColor)[3] ?? 1) === 0) under = under.parentElement;
        const ink = getComputedStyle(element)[drawn ? "fill" : "color"];
        const a = light(parse(ink)), b = light(parse(getComputedStyle(under).backgroundColor));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) bad.push(`${walker.currentNode.data}: ${ratio} (${ink})`);
      }
      return bad;
    }"""  # noqa: E501
    return list(opened.page.evaluate(code))


@pytest.mark.parametrize("which", list(SOURCES))
def test_nothing_overflows_touches_or_is_cut_off(opener: Opener, which: str) -> None:
    opened = opener(*SOURCES[which](), width=WIDTHS[0])
    for quantity in ("phase", "norm", "reconstruction_loss"):
        opened.js(  # on a phone it is folded away
            f"document.querySelector('#quantity').value = '{quantity}';"
            "document.querySelector('#quantity').dispatchEvent(new Event('change'))"
        )
        if quantity == "norm":  # every panel then says its scale
            opened.js("document.querySelector('#shared').checked && document.querySelector('#shared').click()")
        for width in WIDTHS:
            opened.resize(width)
            assert overflowing(opened) == [], (quantity, width)
            assert touching(opened) == [], (quantity, width)
            if quantity == "reconstruction_loss":
                opened.picture(f"{which.replace(' ', '_')}_{width}")


@pytest.mark.parametrize("dark", [False, True])
def test_words_can_be_read(opener: Opener, dark: bool) -> None:
    opened = opener(*pair(), results("third", (2, 1, 2)), dark=dark)
    opened.page.click(".help summary")
    assert unreadable(opened) == []
    background = opened.js("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 24, 30)" if dark else "rgb(255, 255, 255)")
    opened.page.select_option("#theme", "light" if dark else "dark")
    opened.settle()
    assert opened.js("getComputedStyle(document.body).backgroundColor") != background
    assert unreadable(opened) == []
    opened.picture(f"theme_{dark}")


def test_marks_can_be_seen_in_the_dark(opener: Opener) -> None:
    """3 to 1 between what is drawn and the paper, for every colour of features and experts."""
    opened = opener(results("one", (8, 2, 2)), dark=True)
    for safe in (False, True):
        opened.page.set_checked("#safe", safe)
        opened.settle()
        arrows = [trace for trace in opened.traces("directions-left") if len(trace["x"]) == 2]
        assert len(arrows) == 16
        colours = {trace["line"]["color"] for trace in arrows}
        assert len(colours) == 8
        for colour in colours:
            parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
            linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
            paper = 0.0092  # luminance of rgb(20, 24, 30)
            assert (linear @ [0.2126, 0.7152, 0.0722] + 0.05) / (paper + 0.05) > 3, colour


def test_tooltips_do_not_cover_their_panel_and_go_away_after_a_click(opener: Opener) -> None:
    opened = opener(*pair())
    for width, height in ((1440, 900), (1024, 700), (390, 800)):
        opened.resize(width, height)
        opened.page.focus("#diagram-left")
        opened.page.keyboard.press("Home")  # another cell than the one that is clicked
        opened.settle()
        assert opened.chosen() != {"sparsity": 0.9, "last_importance": 2.0}
        check_tooltips(opened, width)


def check_tooltips(opened: Opened, width: int) -> None:
    seen = 0
    for side, expert, row, column in (("left", 0, 0, 0), ("left", 0, 2, 3), ("right", 0, 1, 1), ("right", 1, 2, 3)):
        x, y = opened.where(side, expert, row, column)
        opened.page.mouse.move(2, 2)
        opened.page.mouse.move(x, y)
        opened.page.wait_for_timeout(150)
        code = """([side, number]) => {
          const div = document.getElementById(`diagram-${side}`), { left, top } = div.querySelector("svg.main-svg").getBoundingClientRect();
          const x = div._fullLayout[`xaxis${number}`], y = div._fullLayout[`yaxis${number}`];
          const tip = document.getElementById("tooltip"), box = tip.getBoundingClientRect();
          const over = Math.min(box.right, left + x._offset + x._length) > Math.max(box.left, left + x._offset) &&
            Math.min(box.bottom, top + y._offset + y._length) > Math.max(box.top, top + y._offset);
          const inside = box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
          return [!tip.hidden, over, inside];
        }"""  # noqa: E501
        shown, over, inside = opened.page.evaluate(code, [side, expert + 1 if expert else ""])
        assert not shown or (inside and not over)
        seen += shown
    assert seen == 4 or width < 800  # a phone may have no room

    opened.page.mouse.down()
    opened.page.mouse.up()
    opened.settle()
    for nearer in (1, 2):  # within the same cell
        opened.page.mouse.move(x + nearer, y)
        opened.page.wait_for_timeout(100)
        assert opened.page.locator("#tooltip").is_hidden()
    assert opened.chosen() == {"sparsity": 0.9, "last_importance": 2.0}


def test_ticks_are_values_of_the_axis(opener: Opener) -> None:
    opened = opener(figure_4(), width=1024)
    source = opened.sources[0]
    shown = opened.js(
        """["xaxis", "yaxis"].map(name => {
          const axis = document.getElementById("diagram-left")._fullLayout[name];
          return [axis.tickvals, axis.ticktext, axis.title.text];
        })"""
    )
    for (places, texts, title), key in zip(shown, ("importance_values", "sparsity_values"), strict=True):
        np.testing.assert_allclose([float(text) for text in texts], source[key][places], rtol=1e-4)
        assert len(texts) >= 3
        assert title == {"importance_values": "last importance", "sparsity_values": "sparsity"}[key]


def test_one_axis_and_one_cell_have_no_empty_axes(opener: Opener) -> None:
    one = {"sparsity": [0.5], "last_importance": [1.0]}
    row = results("row", (2, 1, 2), axes={**one, "seed": [0, 1, 2]})
    opened = opener(row, results("cell", (2, 1, 1), axes=one))
    labels = """side => [...document.querySelectorAll(`#diagram-${side} svg text`)].map(text => text.textContent)"""
    assert opened.page.evaluate(labels, "left") == ["dense"]
    words = set(opened.page.evaluate(labels, "right"))
    assert {"0", "1", "2", "expert 1", "expert 2", "seed"} <= words and "last importance" not in words
    assert touching(opened) == []


def test_the_help_tells_the_model(opener: Opener) -> None:
    opened = opener(*pair(), width=390)
    opened.page.click(".help summary")
    text = " ".join(opened.page.inner_text(".help").split())
    for words in ("ReLU(We We⊤ x + be)", "softmax", "reconstruction loss = Σi Ii (xi − x′i)²", "load balance α",
                  "training loss = reconstruction loss + α E Σe fe Pe", "0 with probability S", "uniform"):  # fmt: skip
        assert words in text, text
    assert overflowing(opened) == []


def test_a_phone(opener: Opener) -> None:
    opened = opener(*pair(), results("wide", (20, 6, 8)), width=360, height=740)
    assert opened.page.locator("#quantity").is_hidden()  # the controls are folded
    opened.page.get_by_label("n = 20, m = 6, E = 8, top 1 on the right").click()
    opened.settle()
    assert overflowing(opened) == []
    left, right = (opened.page.locator(f"#diagram-{side}").bounding_box() for side in ("left", "right"))
    assert left and right and right["y"] >= left["y"] + left["height"]
    opened.picture("phone")
    opened.page.click("#steer summary")
    opened.page.select_option("#quantity", "usage")
    opened.settle()
    assert "Usage" in opened.page.inner_text("#steer summary")
    assert overflowing(opened) == []
    opened.page.set_viewport_size({"width": 1200, "height": 800})
    opened.page.locator("#quantity").wait_for(state="visible")


def test_models_of_many_hidden_units_have_their_products_beside_their_norms(opener: Opener) -> None:
    opened = opener(results("many", (12, 5, 4), snapshots=STEPS), width=1024)
    norms, products = (opened.page.locator(f"#{name}-left").bounding_box() for name in ("directions", "gram"))
    assert norms and products
    assert products["x"] >= norms["x"] + norms["width"] and abs(products["y"] - norms["y"]) < 5
