"""Colours, markers and small parts that the pictures of the paper's figures share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from phasegrid.pictures.diagrams import FAINT, QUIET
from phasegrid.pictures.reports import Report

LEGEND_KEY, LEGEND_LETTER = 0.45, 0.052  # inches: beside a label, and a letter of it
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")  # with the colours: no series is told by its colour alone


@dataclass(frozen=True)
class Palette:
    series: tuple[str, ...]  # of curves, in the paper's order; of experts; of kinds of bars
    shared: Colormap  # polysemanticity, from monosemantic to superposed
    signed: Colormap  # values around 0


def ramp(name: str, *colours: str) -> Colormap:
    return LinearSegmentedColormap.from_list(name, colours)


PALETTES: Mapping[str, Palette] = {
    # As the captions of Figures 1 and 3 name them: purple to green; blue, orange, green, red.
    "paper": Palette(
        ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f"),
        ramp("purple_green", "#6a2c91", "#9a8fae", "#1e8c45"),
        matplotlib.colormaps["RdBu_r"],
    ),
    # Okabe and Ito's eight, and maps of rising lightness, for every kind of colour vision.
    "safe": Palette(
        ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#000000"),
        ramp("blue_yellow", *matplotlib.colormaps["cividis"](np.linspace(0, 0.9, 16))),
        matplotlib.colormaps["PuOr_r"],
    ),
}


def constrained(width: float, height: float, **pads: Any) -> Figure:
    """A figure, in inches, whose parts Matplotlib arranges."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(**pads))


def bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def grid_lines(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    axes.grid(color=FAINT, linewidth=0.5, axis=axis)
    axes.set_axisbelow(True)


def sd_label(report: Report) -> str:
    return "mean ± 1 standard deviation over " + (f"{report.seeds} seeds" if report.seeds else "seeds")


def open_marker(marker: str, colour: str, size: float = 4.0) -> dict[str, Any]:
    """How published values are drawn: hollow, over ours."""
    return {
        "linestyle": "none",
        "marker": marker,
        "markersize": size,
        "markerfacecolor": "white",
        "markeredgecolor": colour,
        "markeredgewidth": 1.0,
    }


def blank() -> Artist:
    return Patch(visible=False)


def legend_above(figure: Figure, *columns: Sequence[tuple[Artist | tuple[Artist, ...], str]]) -> None:
    """Columns of (handle, label) above the axes, where they hide no data; fewer where the figure is narrow."""
    widths = [LEGEND_KEY + LEGEND_LETTER * max(len(label) for _, label in column) for column in columns]
    if sum(widths) > figure.get_figwidth():
        entries = [entry for column in columns for entry in column]
        fit = max(1, int(figure.get_figwidth() / max(widths)))
        rows = -(-len(entries) // fit)
        columns = tuple(entries[at : at + rows] for at in range(0, len(entries), rows))
    rows = max(map(len, columns))
    entries = [entry for column in columns for entry in [*column, *[(blank(), "")] * (rows - len(column))]]
    handles: list[Any] = [handle for handle, _ in entries]
    figure.legend(
        handles,
        [label for _, label in entries],
        loc="outside upper center",
        ncols=len(columns),
        frameon=False,
        fontsize=7.5,
        handlelength=2.4,
        columnspacing=2.5,
    )


def key_line(**options: Any) -> Line2D:
    return Line2D([], [], color=QUIET, **options)


def note_preset(figure: Figure, report: Report) -> None:
    """Says in the lower right corner, below everything else, that a picture is not of the paper's settings."""
    if report.preset in (None, "paper"):
        return
    words = f"preset {report.preset} "
    figure.text(1, 0, words, ha="right", va="bottom", fontsize=6, color=QUIET, in_layout=False)
    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        strip = 0.1 / figure.get_figheight()
        layout.set(rect=(0, strip, 1, 1 - strip))
