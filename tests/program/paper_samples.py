"""Made-up reports of every figure, for the tests of the pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "host" / "python"))

from phasegrid.pictures import paper, reports


def panel(title: str, n: int = 4, **more: Any) -> dict[str, Any]:
    """A made-up expert whose first feature is monosemantic."""
    gram = (np.arange(n * n).reshape(n, n) / (n * n) - 0.5).tolist()
    norm, shared = np.linspace(1, 0.25, n).tolist(), np.linspace(0, 1.5, n).tolist()
    return {"title": title, "norm": norm, "polysemanticity": shared, "gram": gram, **more}


def series(name: str, factor: float, **more: Any) -> dict[str, Any]:
    mean = [factor * value for value in (1.0, 1.2, 2.0, 4.0)]
    entry = {"label": name, "mean": mean, "sd": [0.1] * 4, "published": [1.05 * value for value in mean]}
    return {**entry, "mean_without_1_k": mean, "without_1_k_differs": False, **more}


EXPERTS = {"panels": [panel("dense")], "groups": [{"title": "Figure 1, n = 4", "panels": [0]}]}
MARKED = {
    "panels": [panel(f"expert {e}", start=[int(e == i) for i in (1, 2, 3, 4)]) for e in (1, 2, 3, 4)],
    "groups": [{"title": "(a) diagonal", "panels": [0, 1]}, {"title": "(b) k-hot", "panels": [3, 2]}],
}
FIG3 = {
    "inverse_density": [1, 2, 5, 10],
    "series": [
        series("dense, m = 20", 1.0, published=[1.0, None, 2.1, 4.4]),
        series("10 experts", 0.5, mean_without_1_k=[1.0, 1.2, 2.0, 4.0], without_1_k_differs=True),
    ],
}
FIG7 = {
    "inverse_density": [1, 2, 5, 10],
    "series": [
        {
            "label": "dense",
            "log_loss": [-2.7, -2.5, -3.0, -4.1],
            "sd": [0.01, 0.02, 0.03, 0.04],
            "published": {"inverse_density": [1, 10, 50], "log_loss": [-2.69, -4.13, -9.0]},
        },
        {"label": "4 experts", "log_loss": [-2.4, -2.3, -2.9, -3.7], "sd": [0.01] * 4, "published": None},
    ],
}
ROUTERS = [[[0, 0], [0, 0], [0, 0]], [[1, 0], [0, 1], [0.7, 0.7]]]
FIG5 = {
    "panels": [
        {"title": name, "loss": loss, "published_loss": 0.08, "router": router}
        for name, loss, router in zip(("zero", "diagonal"), (0.0812, None), ROUTERS, strict=True)
    ]
}
TABLE1 = {
    "tables": [
        {
            "title": title,
            "columns": [],
            "rows": [
                [0, 60, 461, 40, 80, None, None, None, None, None, None],
                [1, 80, 387, 55, 95, 9.6, 9.5, 18.0, 17.0, 70.0, 67.0],
                [2, 60, 152, 20, 45, 9.1, None, 30.0, 31.0, 95.0, 96.0],
            ],
        }
        for title in ("Xavier", "random k-hot")
    ]
}
BOUNDARIES = {
    "rows": [
        {
            "label": f"{family}/{experts}",
            "expert": e,
            "field": field,
            "concentration": [0.3 / experts, 0.2 / experts, 0.4 / experts],
            "jump": [0.5, 0.4, 0.6],
            "roughness": [2.0 * e, 1.0, 8.0],
        }
        for field in ("norm", "interference")
        for family in "AB"
        for experts in (1, 2)
        for e in range(1, experts + 1)
    ]
}
PICTURES: dict[str, dict[str, Any]] = {
    "fig1": EXPERTS,
    "fig2": EXPERTS,
    "fig3": FIG3,
    "fig5": FIG5,
    "fig6": MARKED,
    "fig7": FIG7,
    "table1": TABLE1,
    "boundaries": BOUNDARIES,
}


def report(figure: str, **more: Any) -> dict[str, Any]:
    head = {"figure": figure, "title": f"{figure}: a title", "preset": "paper", "version": "0.1.0", "device": "CPU"}
    return {**head, "seconds": 1.5, "settings": {"seeds": 8}, "verdicts": [], "picture": PICTURES[figure], **more}


def draw(figure: str, colours: str = "paper", **more: Any) -> Any:
    content = json.loads(json.dumps(report(figure, **more)))
    return paper.draw(reports.parse(content, tuple(paper.FIGURES)), colours)


def legend_texts(figure: Any) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]
