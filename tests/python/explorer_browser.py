"""Headless Chromium for the tests of the explorer's pages."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from explorer_samples import Arrays, results
from playwright.sync_api import Browser, Page, sync_playwright

from phasegrid import explorer

STEPS = (0, 100, 500)  # of snapshots
PICTURES = Path(os.environ.get("PHASEGRID_SCREENSHOTS", "build/explorer"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "no chromium; apt-get install chromium"
    with sync_playwright() as playwright:
        # Root in a container has no sandbox.
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
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

    def wait(self, condition: str) -> None:
        """Until an expression holds. Playwright's own waiting evaluates text in the page, whose policy forbids it."""
        for _ in range(3000):
            if self.js(condition):
                return
            self.page.wait_for_timeout(10)
        raise AssertionError(f"{condition} did not become true in 30 seconds")

    def settle(self) -> None:
        """Waits until the models are drawn, and the address is written, after a change."""
        self.wait("phasegrid.busy() === false")

    def start_anew(self) -> None:
        """As the page was when it was opened: by the browser's way back to an address that tells nothing."""
        self.page.mouse.move(2, 2)
        self.js(
            """() => {
              history.replaceState(null, "", location.href.split("#")[0]);
              document.querySelector(".help").open = false;
              document.activeElement?.blur();
              scrollTo(0, 0);
              performance.clearMarks();
              dispatchEvent(new PopStateEvent("popstate"));
            }"""
        )
        self.wait("performance.getEntriesByName('models').length > 0")
        self.settle()

    def resize(self, width: int, height: int = 900) -> None:
        """To another window, once the page has drawn itself anew: a page is opened in seconds, resized in tenths."""
        size = self.page.viewport_size
        if not size or size["width"] != width:
            self.js("performance.clearMarks()")
            self.page.set_viewport_size({"width": width, "height": height})
            self.wait("performance.getEntriesByName('models').length > 0")
        elif size["height"] != height:
            self.page.set_viewport_size({"width": width, "height": height})
        self.settle()

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

    def middle(self, selector: str) -> tuple[float, float]:
        """Pixels, in the window, of the middle of an element."""
        element = self.page.locator(selector).first
        element.scroll_into_view_if_needed()
        box = element.bounding_box()
        assert box
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def hover(self, side: str, expert: int, row: int, column: int) -> None:
        x, y = self.where(side, expert, row, column)
        self.page.mouse.move(2, 2)
        self.page.wait_for_selector("#tooltip", state="hidden")
        self.page.mouse.move(x, y)
        self.page.wait_for_selector("#tooltip", state="visible")

    def click(self, side: str, expert: int, row: int, column: int) -> None:
        self.hover(side, expert, row, column)
        self.page.mouse.down()
        self.page.mouse.up()
        results = f"phasegrid.state.all[phasegrid.state.sides[{['left', 'right'].index(side)}]]"
        self.wait(f"String(Object.values(phasegrid.placeOf({results}))) === '{column},{row}'")
        self.settle()

    def chosen(self) -> dict[str, float]:
        return dict(self.js("phasegrid.state.at"))

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


Window = tuple[bytes, int, int, bool]  # what a page holds, and how it is looked at


class Opener:
    def __init__(self, browser: Browser, folder: Path, kept: dict[Window, Opened]) -> None:
        self.browser, self.folder, self.kept, self.opened = browser, folder, kept, list[tuple[Window, Opened]]()

    def __call__(
        self, *sources: Arrays, width: int = 1440, height: int = 900, dark: bool = False, address: str = ""
    ) -> Opened:
        path = explorer.explore(sources, self.folder / "page.html")
        window = (hashlib.sha256(path.read_bytes()).digest(), width, height, dark)
        if not address and window in self.kept:
            again = self.kept.pop(window)
            self.opened.append((window, again))
            again.start_anew()
            return again
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        page = self.browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        opened = Opened(page, list(sources))
        page.on("pageerror", lambda error: opened.trouble.append(f"error: {error}"))
        page.on("console", lambda m: opened.trouble.append(m.text) if m.type == "error" else None)
        page.on(
            "request",
            lambda r: opened.trouble.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None,
        )
        page.goto(path.as_uri() + address)
        page.wait_for_selector("html[data-ready]")
        opened.settle()
        self.opened.append((window, opened))
        return opened

    def close(self) -> None:
        """Keeps each page for a test that asks for the same, if its window is what it was."""
        for window, opened in self.opened:
            assert opened.trouble == []
            size = opened.page.viewport_size
            if window in self.kept or not size or (size["width"], size["height"]) != window[1:3]:
                opened.page.close()
            else:
                self.kept[window] = opened


@pytest.fixture(scope="module")
def kept(browser: Browser) -> dict[Window, Opened]:
    """Pages that earlier tests have done with."""
    return {}


@pytest.fixture
def opener(browser: Browser, kept: dict[Window, Opened], tmp_path: Path) -> Iterator[Opener]:
    """Opens pages of results; at the end none may have met an error or asked for anything of a network."""
    made = Opener(browser, tmp_path, kept)
    yield made
    made.close()


def pair() -> list[Arrays]:
    """A dense model and a mixture, with snapshots."""
    return [
        results("dense", (3, 2, 1), snapshots=STEPS, seed=1),
        results("mixture", (3, 2, 2), snapshots=STEPS, seed=2),
    ]
