"""The gallery's static site, in headless Chromium at the widths of a desk and of a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from explorer_browser import PICTURES, browser  # noqa: F401 (a fixture)
from field_samples import SEEDS, save
from playwright.sync_api import Browser, Page

from phasegrid.field import __main__ as program
from phasegrid.field import site
from phasegrid.pictures.errors import InputError

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two works of made-up models: one of dense models, one of an encoder, a decoder and ReLU units."""
    made = tmp_path_factory.mktemp("field")
    random = np.random.default_rng(0)
    for law in ("correlated", "anticorrelated", "independent"):
        save(made, f"pairs_{law}", {"sparsity": [0.5, 0.9]}, random.normal(size=(2, SEEDS, 4, 2)))
    for n, m in ((3, 6), (20, 8)):
        weights, config = random.normal(size=(2, SEEDS, n, m)), {"data": {"importance": "uniform"}}
        model = {"tied": False, "hidden": "relu", "n_features": n, "n_hidden": m}
        name = f"absolute_n{n}_m{m}"
        save(made, name, {"sparsity": [0.0, 0.9]}, weights, 0.1, {**config, "model": model}, decoder_weights=weights)
    for name in ("pairs", "absolute"):
        assert program.main(["work", name, "--folder", str(made), "--preset", "quick", "--seconds", "60"]) == 0
    return made


@pytest.fixture(scope="module")
def index(folder: Path) -> Path:
    out = folder / "site"
    assert program.main(["site", str(folder), "--out", str(out)]) == 0
    return out / "index.html"


@pytest.fixture(params=list(WIDTHS))
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:  # noqa: F811
    """A window of each width; at the end no page in it may have met an error or asked for anything of a network."""
    width, height = WIDTHS[request.param]
    opened, trouble = browser.new_page(viewport={"width": width, "height": height}), []
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("console", lambda m: trouble.append(m.text) if m.type == "error" else None)
    opened.on("request", lambda r: trouble.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None)
    yield opened
    opened.close()
    assert trouble == []


def fits(page: Page) -> bool:
    """Whether nothing sticks out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def pictures_are_there(page: Page) -> bool:
    code = "[...document.images].every(i => { i.loading = 'eager'; return i.complete && i.naturalWidth > 100; })"
    for _ in range(200):
        if page.evaluate(code):
            return True
        page.wait_for_timeout(20)
    return False


def test_from_the_index_to_a_work_to_its_models(page: Page, index: Path) -> None:
    width = page.viewport_size and page.viewport_size["width"]
    page.goto(index.as_uri())
    assert page.locator(".cards li").count() == 2
    assert pictures_are_there(page) and fits(page)
    page.screenshot(path=_picture(f"site_index_{width}"), full_page=True)
    page.locator(".cards a").filter(has_text="pairs").click()
    assert page.locator("h1").inner_text() == "Correlated and anticorrelated pairs"
    assert pictures_are_there(page) and fits(page)
    assert page.locator("tbody tr").count() == 5
    assert page.locator(".verdict").first.is_visible()
    assert "phasegrid reproduce field --work pairs --preset quick" in page.locator("pre").inner_text()
    page.screenshot(path=_picture(f"site_work_{width}"), full_page=True)
    page.locator("a.button").click()
    page.wait_for_selector("html[data-ready]")
    assert page.title() == "Correlated and anticorrelated pairs"
    page.go_back()
    page.locator("header a").click()
    assert page.locator(".cards li").count() == 2


def test_pages_of_other_models_open(page: Page, index: Path) -> None:
    page.goto((index.parent / "explore-absolute.html").as_uri())
    page.wait_for_selector("html[data-ready]")
    assert fits(page)


def test_the_site_is_small_and_whole(index: Path) -> None:
    files = {path.name: path.stat().st_size for path in index.parent.iterdir()}
    names = [f"{page}{name}.html" for name in ("pairs", "absolute") for page in ("", "explore-")]
    assert sorted(files) == sorted(["index.html", site.PLOTLY, "pairs.png", "absolute.png", *names])
    assert sum(files.values()) < 40e6
    assert all(size < 1e6 for name, size in files.items() if name != site.PLOTLY)  # Plotly once, not in every page


def test_a_site_that_is_too_large_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the site would have 4. MB; at most 40"):
        site.write_site(folder, tmp_path / "site", lambda: "x" * 45_000_000)
    assert not (tmp_path / "site").exists()


def test_large_results_are_thinned() -> None:
    axes = {"sparsity_values": np.linspace(0, 0.9, 9), "importance_values": np.ones(1), "seed_values": np.arange(8.0)}
    arrays = {
        **axes,
        "final_losses": np.zeros((9, 1, 8)),
        "expert_weights": np.zeros((9, 1, 8, 1, 400, 300), np.float32),
        "snapshot_steps": np.arange(100),
        "snapshot_losses": np.zeros((9, 1, 8, 1, 100)),
    }
    made = site.part(arrays)
    assert made["seed_values"].tolist() == [0] and made["sparsity_values"].tolist() == [0, 0.45, 0.9]
    assert made["expert_weights"].shape == (3, 1, 1, 1, 400, 300)
    assert made["snapshot_losses"].shape == (3, 1, 1, 1, 12) and made["snapshot_steps"][[0, -1]].tolist() == [0, 99]


def _picture(name: str) -> Path:
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES / f"{name}.png"
