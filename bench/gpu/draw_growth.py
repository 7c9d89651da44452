"""Draws how cost grows, from what gpu_train wrote: models a second against models, and against features.

python bench/gpu/draw_growth.py bench/results/gpu_train.json [more.json ...] --out growth.png    (or .pdf)
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def read_growth(path: Path) -> dict[str, Any]:
    """A report of gpu_train. Raises ValueError where it is none, or was made without the part `growth`."""
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: must be a JSON file that gpu_train wrote ({error})") from error
    for part in ("growth_by_models", "growth_by_features"):
        if not isinstance(report, dict) or part not in report:
            raise ValueError(f"{path}: must have {part}, which gpu_train writes with --parts growth")
    return dict(report)


def curves(rows: list[dict[str, Any]], x: str) -> dict[str, tuple[list[float], list[float]]]:
    """By case: `x` ascending, and models a second."""
    by_case: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        by_case[row["case"]].append((row[x], row["models_per_second"]))
    return {case: tuple(map(list, zip(*sorted(points), strict=True))) for case, points in by_case.items()}  # type: ignore[misc]


def draw(reports: list[dict[str, Any]]) -> Figure:
    """Two panels, both axes logarithmic; one line a case and report."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    parts = (("growth_by_models", "models", "models trained together"), ("growth_by_features", "n", "features n"))
    for axes, (part, x, label) in zip(panels, parts, strict=True):
        for style, report in zip(("-o", "--s", ":^", "-.v") * len(reports), reports, strict=False):
            for case, (xs, ys) in curves(report[part], x).items():
                axes.plot(xs, ys, style, markersize=4, label=f"{case}, {report['machine']['device']}")
        steps = sorted({f"{row['steps']:,}" for report in reports for row in report[part]})
        axes.set(xscale="log", yscale="log", xlabel=label, ylabel=f"models a second, {' or '.join(steps)} steps each")
        axes.grid(True, which="major", alpha=0.3)
        axes.legend(fontsize=8)
    panels[1].set_xscale("log", base=2)
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=Path, help="JSON files of gpu_train")
    parser.add_argument("--out", type=Path, default=Path("growth.png"), help="PNG or PDF (default growth.png)")
    arguments = parser.parse_args()
    if arguments.out.suffix not in (".png", ".pdf"):
        print(f"draw_growth.py: --out must end in .png or .pdf, not {arguments.out}", file=sys.stderr)
        return 2
    try:
        figure = draw([read_growth(path) for path in arguments.reports])
    except ValueError as error:
        print(f"draw_growth.py: {error}", file=sys.stderr)
        return 2
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out, dpi=150)
    print(f"picture: {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
