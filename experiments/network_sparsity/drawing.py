"""The study's pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from claims import DATA, PARTS
from map_table import Table
from matplotlib.axes import Axes
from statements import MIXTURES

from phasegrid import Results, pictures

# Of every kind of colour vision (Okabe and Ito), with a marker each.
LOOKS = {
    ("independent", "xavier"): ("#0072B2", "o", "--"),
    ("independent", "matched"): ("#56B4E9", "s", "--"),
    ("correlated", "xavier"): ("#000000", "o", "-"),
    ("correlated", "matched"): ("#009E73", "s", "-"),
    ("correlated", "mixed"): ("#D55E00", "^", "-"),
}
ROUTERS = {"xavier": "random router", "matched": "matched", "mixed": "mixed"}
SIDES = ("balance over inputs that are not all zero", "balance over all inputs")


def line(axes: Axes, table: Table, x: str, measure: str, look: tuple[str, str]) -> None:
    """Means over seeds with their intervals, over a column of the table."""
    levels = np.unique(table.columns[x]).tolist()
    found = [table.where(**{x: level}).estimate(measure) for level in levels]
    colour, marker, dash = LOOKS[look]
    errors = np.abs([[e.mean - e.low for e in found], [e.high - e.mean for e in found]])
    means = [e.mean for e in found]
    label = f"{look[0]}, {ROUTERS[look[1]]}"
    axes.errorbar(levels, means, errors, color=colour, marker=marker, ls=dash, ms=4, lw=1, capsize=2, label=label)


def doubling(axes: Axes, name: str, levels: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(levels, [str(level) for level in levels])
    axes.set_xlabel(name)


def draw_map(table: Table, path: Path, measure: str = "dimensionality") -> None:
    """Rows: equal E m, equal m. Columns: over E, over k, over sparsity, over the match."""
    figure, grid = plt.subplots(2, 4, figsize=(12, 5.6), sharey="row", layout="constrained")
    for row, (part, title) in zip(grid, PARTS.items(), strict=True):
        rows = table.where(part=part)
        for data, router in LOOKS:
            own = rows.where(data=data, router=("dense", router))
            line(row[0], own.where(k=1), "E", measure, (data, router))
            line(row[1], own.where(E=16), "k", measure, (data, router))
            line(row[2], own.where(E=16, k=1), "S", measure, (data, router))
        mixtures = rows.where(data="correlated", E=(2, 4, 8, 16))
        dots = row[3].scatter(
            mixtures.numbers("routing_match"),
            mixtures.numbers(measure),
            c=np.log2(mixtures.numbers("E") / mixtures.numbers("k")),
            s=3,
            cmap="viridis",
            rasterized=True,
        )
        figure.colorbar(dots, ax=row[3], label="network sparsity, log2(E / k)")
        row[0].set_ylabel(f"{title}\nmean D of represented features")
        doubling(row[0], "experts E (k = 1)", [1, 2, 4, 8, 16])
        doubling(row[1], "active experts k (E = 16)", [1, 2, 4, 8, 16])
        row[2].set_xlabel("sparsity S (E = 16, k = 1)")
        row[3].set_xlabel("match of router and groups")
        row[3].set_title("each model, correlated", fontsize=8)
    grid[0, 0].legend(fontsize=6.5)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_sparsities(table: Table, path: Path, measure: str = "dimensionality") -> None:
    """How network sparsity acts at each sparsity: random routers, k = 1."""
    figure, grid = plt.subplots(2, 2, figsize=(8, 5.6), sharex=True, sharey="row", layout="constrained")
    shades = plt.get_cmap("viridis")
    for row, (part, title) in zip(grid, PARTS.items(), strict=True):
        for axes, data in zip(row, DATA, strict=True):
            rows = table.where(part=part, data=data, router=("dense", "xavier"), k=1)
            for i, E in enumerate((1, 2, 4, 8, 16)):
                levels = np.unique(rows.columns["S"]).tolist()
                found = [rows.where(E=E, S=S).estimate(measure) for S in levels]
                errors = np.abs([[e.mean - e.low for e in found], [e.high - e.mean for e in found]])
                means = [e.mean for e in found]
                axes.errorbar(
                    levels, means, errors, color=shades(i / 4.5), marker="o", ms=3, capsize=2, label=f"E = {E}"
                )
            axes.set_title(f"{title}, {data} features, k = 1", fontsize=9)
        row[0].set_ylabel("mean D of represented features")
    for axes in grid[1]:
        axes.set_xlabel("sparsity S")
    grid[0, 0].legend(fontsize=7)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_changes(summary: Mapping[str, Any], path: Path) -> None:
    """How abrupt changes are, and how many experts are starved: dense, balance over all, over non-zero inputs."""
    found = {(row["diagram"], row["number"]): row for row in summary["figure4"]}
    panels = {
        "starved": "starved experts (share)",
        "concentration": "concentration of norm changes",
        "jump": "largest norm change",
        "score": "superposition score",
    }
    figure, grid = plt.subplots(1, 4, figsize=(12, 2.9), layout="constrained")
    shapes = ("211", "311", "321", *MIXTURES)
    for axes, (number, title) in zip(grid, panels.items(), strict=True):
        for over, shift, colour in (("", 0.0, "#999999"), ("all", -0.15, "#D55E00"), ("nonzero", 0.15, "#0072B2")):
            at = [i for i, shape in enumerate(shapes) if (f"{shape}_{over}".rstrip("_"), number) in found]
            rows = [found[f"{shapes[i]}_{over}".rstrip("_"), number] for i in at]
            means, low, high = (np.array([row[end] for row in rows], float) for end in ("mean", "low", "high"))
            errors = np.abs([means - low, means - high])
            label = {"": "dense", "all": SIDES[1], "nonzero": SIDES[0]}[over]
            axes.errorbar(np.array(at) + shift, means, errors, color=colour, marker="o", ms=4, ls="", capsize=2,
                          label=label)  # fmt: skip
        axes.set_xticks(range(len(shapes)), shapes, fontsize=7)
        axes.set_title(title, fontsize=9)
    grid[0].legend(fontsize=6)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_all(summary: Mapping[str, Any], table: Table, trained: Mapping[str, Results], folder: Path) -> list[Path]:
    draw_map(table, folder / "network_sparsity.png")
    draw_sparsities(table, folder / "over_sparsity.png")
    draw_changes(summary, folder / "phase_changes.png")

    def first_seed(over: str) -> list[Results]:
        dense = [trained[f"fig4_{shape}"] for shape in ("211", "311", "321")]
        return [r.isel(seed=0) for r in [*dense, *(trained[f"fig4_{shape}_{over}"] for shape in MIXTURES)]]

    figure = pictures.phase_diagram(first_seed("nonzero"), beside=first_seed("all"), titles=SIDES, names="paper")
    pictures.save(figure, folder / "fig4_nonzero.png", dpi=110)
    return [folder / name for name in ("network_sparsity.png", "over_sparsity.png", "phase_changes.png",
                                       "fig4_nonzero.png")]  # fmt: skip
