#!/usr/bin/env python3
"""Size and first paint of the explorer's page, for results files such as Figure 4's eight at preset paper.

bench/explorer_page.py out/fig4/fig4_*.npz

Opens the page in headless Chromium several times, each in a fresh context, and prints the medians: first paint (heading
and controls), diagrams drawn, and the model of the chosen cell drawn with all else.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "host" / "python"))

from playwright.sync_api import sync_playwright

from phasegrid import explorer

MARKS = """() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
  const first = name => performance.getEntriesByName(name)[0].startTime;
  return [paint, first("diagrams"), first("models")];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE.npz")
    parser.add_argument("--times", type=int, default=7, help="how often the page is opened (default 7)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = explorer.explore(options.files, Path(folder) / "page.html")
        print(f"file: {path.stat().st_size / 1e6:.2f} MB of {len(options.files)} results")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        rows = []
        for _ in range(options.times):
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.goto(path.as_uri())
            page.wait_for_function("performance.getEntriesByName('models').length > 0")
            rows.append(page.evaluate(MARKS))
            page.context.close()
        browser.close()
    for name, times in zip(("first paint", "diagrams drawn", "model drawn"), zip(*rows, strict=True), strict=True):
        print(f"{name}: {statistics.median(times) / 1000:.2f} s (of {len(times)}: {min(times) / 1000:.2f} to "
              f"{max(times) / 1000:.2f})")  # fmt: skip


if __name__ == "__main__":
    main()
