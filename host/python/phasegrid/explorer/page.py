"""The page: template, style, scripts, Plotly and packed results put together, and written whole."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from phasegrid.explorer.packing import Packed
from phasegrid.text import write_whole

# In this order inside one function, so that each sees those before it and the page's global names stay free.
SCRIPTS = (
    "results.js",
    "measures.js",
    "usage.js",
    "quantities.js",
    "regions.js",
    "colours.js",
    "state.js",
    "address.js",
    "panels.js",
    "line.js",
    "diagram.js",
    "cell.js",
    "tooltip.js",
    "space.js",
    "model.js",
    "router.js",
    "training.js",
    "gallery.js",
    "controls.js",
    "main.js",
)


def read(name: str) -> str:
    return (resources.files("phasegrid.explorer") / "page" / name).read_text(encoding="utf-8")


def plotly() -> str:
    """The source of plotly.min.js, from the PyPI package."""
    try:
        from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]
    except ImportError:
        raise ValueError("the package plotly is missing: pip install plotly") from None
    return str(get_plotlyjs())


def safe_json(value: object) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")


def render(packed: Sequence[Packed], title: str, plotly_at: str | None = None) -> str:
    """The whole page. plotly_at: a file beside it that holds plotly(), for pages that share one; else it is in the
    page."""
    script = "\n".join(f"// ---- {name}\n{read(name)}" for name in SCRIPTS)
    blocks = "\n".join(
        f'<script type="application/octet-stream" id="block-{at}">{results.block}</script>'
        for at, results in enumerate(packed)
    )
    parts = {
        "title": html.escape(title),
        "style": read("page.css"),
        "headers": safe_json([results.header for results in packed]),
        "blocks": blocks,
        "plotly": f'<script src="{html.escape(plotly_at)}"></script>' if plotly_at else f"<script>{plotly()}</script>",
        "scripts_from": " 'self' file:" if plotly_at else "",
        "script": f'(() => {{\n"use strict";\n{script}\n}})();',
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], read("page.html"))


def write(path: Path, text: str) -> Path:
    """Writes the page whole or not at all. Raises ValueError naming the path where it cannot be written."""
    write_whole(path, text.encode())
    return path
