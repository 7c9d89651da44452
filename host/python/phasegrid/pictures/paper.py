"""Draws Figures 1, 2, 3, 5, 6, 7, Table 1 and the boundaries of Figure 4 from what `phasegrid reproduce` found.

Each picture is made of a report that host/program/reproduce/ writes. A null there is NaN here: nothing is drawn for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from phasegrid.pictures.diagrams import FAINT, QUIET, style
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.expert_panels import draw_experts
from phasegrid.pictures.feature_panels import draw_features
from phasegrid.pictures.lines import draw_fig3, draw_fig7, draw_lines, draw_phase_lines, draw_training
from phasegrid.pictures.measures import Array
from phasegrid.pictures.reports import Entry, Report
from phasegrid.pictures.sizes import Width, check_size, fitted, inches
from phasegrid.pictures.style import (
    PALETTES,
    Palette,
    bare,
    constrained,
    grid_lines,
    legend_above,
    note_preset,
    open_marker,
)

SQUARE, LEAST_SQUARE = 2.15, 1.65  # inches, of a panel of Figure 5
RASTER = 400  # points along each side of Figure 5's square
TINT = 0.35  # of white in the regions' colours, so that dark letters read on them
NAMED_FROM = 0.06  # share of the square from which on a region has room for its expert's name

# --- Figure 5: regions of the plane -----------------------------------------------------------------------------------


def regions(router: Array) -> NDArray[np.intp]:
    """Expert of each point of [0,1]^2: argmax of G x, ties to the lower expert. [RASTER rows, from y = 0][columns]."""
    side = (np.arange(RASTER) + 0.5) / RASTER
    x, y = np.meshgrid(side, side)
    return np.asarray(np.argmax(router[:, 0, None, None] * x + router[:, 1, None, None] * y, axis=0))


def loss_line(panel: Entry) -> str:
    ours = panel["loss"].number(nulls=True)
    words = f"reconstruction loss {ours:.3f}" if np.isfinite(ours) else "no loss"
    return words + (f"\n(published {panel['published_loss'].number():g})" if panel.has("published_loss") else "")


def name_regions(axes: Axes, expert: NDArray[np.intp]) -> None:
    """In the middle of each region: for k = 1 regions are convex, so they hold it."""
    for e in np.unique(expert):
        rows, columns = np.nonzero(expert == e)
        share = len(rows) / expert.size
        if share < NAMED_FROM:
            continue
        words = f"expert {e + 1}\n{100 * share:.0f} %"
        at = (columns.mean() + 0.5) / RASTER, (rows.mean() + 0.5) / RASTER
        axes.text(*at, words, ha="center", va="center", fontsize=7.5)


def draw_fig5(report: Report, palette: Palette, page: float | None) -> Figure:
    panels = report.picture["panels"].entries()
    routers = [panel["router"].numbers(None, 2) for panel in panels]
    experts, most = max(map(len, routers)), len(palette.series)
    if experts > most:
        raise InputError(f"{report.picture.place}.panels: {experts} experts; at most {most} can be told apart")
    width = fitted(page, own=0.35 + SQUARE * len(panels), least=0.35 + LEAST_SQUARE)
    columns = len(panels) if page is None else min(len(panels), int((width - 0.35 + 1e-9) / LEAST_SQUARE))
    rows = -(-len(panels) // columns)
    lines = 3 if any(panel.has("published_loss") for panel in panels) else 2  # of a title
    height = 0.6 + 0.15 * lines + rows * min(SQUARE, (width - 0.35) / columns) + (rows - 1) * (0.15 + 0.15 * lines)
    check_size(width, height)
    figure = constrained(width, height, w_pad=0.06, h_pad=0.05)
    tints = [tuple(TINT + (1 - TINT) * np.array(to_rgb(colour))) for colour in palette.series]
    for at, (panel, router) in enumerate(zip(panels, routers, strict=True)):
        axes = figure.add_subplot(rows, columns, at + 1)
        expert = regions(router)
        box = (0, 1, 0, 1)
        axes.imshow(
            expert,
            origin="lower",
            extent=box,
            cmap=ListedColormap(tints),
            vmin=-0.5,
            vmax=most - 0.5,
            interpolation="nearest",
        )
        name_regions(axes, expert)
        axes.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlabel="feature $x_1$")
        axes.tick_params(labelleft=at % columns == 0)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        axes.set_title(f"{panel['title'].text()} router\n{loss_line(panel)}", fontsize=8)
        if at % columns == 0:
            axes.set_ylabel("feature $x_2$")
    legend_above(figure, *([(Patch(color=tints[e]), f"expert {e + 1}")] for e in range(experts)))
    note_preset(figure, report)
    return figure


# --- Table 1: how many features experts represent monosemantically, and when the router uses them ---------------------

COLUMNS = 11  # features, experts, published experts, low, high, then usage and published usage of three kinds of input
USAGES = ("random inputs", "the expert's feature(s) active", "only the expert's feature(s) active")
USAGE_MARKERS = ("s", "o", "D")
SHIFT = 0.2  # of ours to the left and theirs to the right


def per_thousand(counts: Array, total: float) -> Array:
    return 1000 * counts / total if total > 0 else counts


def label_counts(axes: Axes, at: Array, tops: Array, counts: Array, **options: Any) -> None:
    for x, top, count in zip(at, tops, counts, strict=True):
        if np.isfinite(count):
            axes.annotate(
                f"{count:.0f}", (x, top), (0, 2), textcoords="offset points", ha="center", va="bottom", **options
            )


def draw_counts(axes: Axes, rows: Array, palette: Palette) -> None:
    """Experts of each kind in 1,000, ours as a bar and theirs as a dot with the counts compatible with it."""
    features, ours, theirs, low, high = rows.T[:5]
    total, their_total = np.nansum(ours), np.nansum(theirs)
    bars, dots = per_thousand(ours, total), per_thousand(theirs, their_total)
    low, high = per_thousand(low, total), per_thousand(high, total)
    axes.bar(features - SHIFT, bars, width=0.34, color=palette.series[0])
    axes.vlines(features + SHIFT, low, high, color=palette.series[3], linewidth=1.3)
    axes.plot(features + SHIFT, dots, **open_marker("o", palette.series[3]))
    label_counts(axes, features - SHIFT, np.nan_to_num(bars), bars, fontsize=6.5, color=QUIET)
    label_counts(
        axes, features + SHIFT, np.nanmax([dots, high, np.zeros_like(dots)], axis=0), dots, fontsize=6.5, color=QUIET
    )
    axes.set_ylim(bottom=0)
    axes.margins(y=0.1)


def draw_usages(axes: Axes, rows: Array, palette: Palette) -> None:
    features = rows[:, 0]
    for kind, (marker, colour) in enumerate(zip(USAGE_MARKERS, palette.series, strict=False)):
        ours, theirs = rows[:, 5 + 2 * kind], rows[:, 6 + 2 * kind]
        axes.plot(features - SHIFT / 2, ours, marker=marker, linestyle="none", markersize=4.4, color=colour)
        axes.plot(features + SHIFT / 2, theirs, **open_marker(marker, colour, 4.4))
    axes.set(ylim=(-4, 106), yticks=range(0, 101, 25))


def read_table(table: Entry) -> Array:
    rows = table["rows"].numbers(None, COLUMNS, nulls=True, least=0)
    if not np.isfinite(rows[:, :2]).all() or len(np.unique(rows[:, 0])) != len(rows):
        raise InputError(
            f"{table.place}.rows must start with a number of features, each once, and a number of experts, not null"
        )
    return rows[np.argsort(rows[:, 0])]


def draw_table1(report: Report, palette: Palette, page: float | None) -> Figure:
    tables = [(table["title"].text(), read_table(table)) for table in report.picture["tables"].entries()]
    width, height = fitted(page, own=0.6 + 3.3 * len(tables), least=0.6 + 2.2 * len(tables)), 5.0
    check_size(width, height)
    figure = constrained(width, height, w_pad=0.06, h_pad=0.05, hspace=0.03)
    grid = figure.subplots(2, len(tables), squeeze=False, sharex="col", sharey="row", height_ratios=(1, 1.05))
    for (title, rows), (counts, usages) in zip(tables, grid.T, strict=True):
        draw_counts(counts, rows, palette)
        draw_usages(usages, rows, palette)
        counts.set_title(f"{title} router", fontsize=8.5)
        usages.set_xlabel("monosemantic features of an expert")
        usages.set_xticks(rows[:, 0])
        usages.xaxis.set_major_formatter("{x:g}")
        for axes in (counts, usages):
            grid_lines(axes, axis="y")
            axes.tick_params(axis="x", length=0)
            bare(axes)
    grid[0, 0].set_ylabel("experts in 1,000")
    grid[1, 0].set_ylabel("mean expert usage (% of inputs)")
    theirs = Line2D([], [], **{**open_marker("o", palette.series[3]), "linestyle": "-", "color": palette.series[3]})
    sides = [
        (Patch(color=palette.series[0]), "above: ours"),
        (theirs, "above: published; line: what ours may count (99 %)"),
        (
            (Line2D([], [], color=QUIET, marker="s", linestyle="none", markersize=4.4)),
            "below: filled ours, hollow published",
        ),
    ]
    kinds = [
        (Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=4.4), words)
        for words, marker, colour in zip(USAGES, USAGE_MARKERS, palette.series, strict=False)
    ]
    legend_above(figure, sides, kinds)
    note_preset(figure, report)
    return figure


# --- Figure 4's boundaries: how abruptly the last feature changes over the grid ---------------------------------------

MEASURES = {
    "concentration": "concentration\n$\\Sigma J\\ /\\ \\Sigma V$",
    "jump": "jump\nmean of $J$",
    "roughness": "roughness\nmean of $V - |$last $-$ first$|$",
}
FIELDS = {
    "norm": r"norm $\|W_n\|$",
    "interference": r"interference $\Sigma_{j \neq n} (\hat{W}_n \cdot W_j)^2$",
}
LINE = 0.165  # inches


def read_boundaries(picture: Entry) -> dict[str, list[tuple[str, str, Array]]]:
    """Of each field: (family, panel as in Figure 4, measures [3][value, low, high])."""
    fields: dict[str, list[tuple[str, str, Array]]] = {}
    for row in picture["rows"].entries():
        label, expert = row["label"].text(), row["expert"].whole(1, 10**6)
        family, slash, experts = label.partition("/")
        name = f"{family}.{expert}/{experts}" if slash else f"{label}, expert {expert}"
        values = np.stack([row[measure].numbers(3, nulls=True) for measure in MEASURES])
        if (values[:, 1] > values[:, 2]).any():
            raise InputError(f"{row.place}: an interval must be [value, low, high] with low at most high")
        fields.setdefault(row["field"].text(), []).append((family, name, values))
    return fields


def draw_boundaries(report: Report, palette: Palette, page: float | None) -> Figure:
    fields = read_boundaries(report.picture)
    lines = [len(rows) for rows in fields.values()]
    width, height = fitted(page, own=7.2, least=5.6), 1.05 + sum(LINE * count + 0.42 for count in lines)
    check_size(width, height)
    figure = constrained(width, height, w_pad=0.05, h_pad=0.04)
    grid = figure.subplots(len(fields), len(MEASURES), squeeze=False, sharey="row", height_ratios=lines)
    dense_colour, moe_colour = palette.series[3], palette.series[0]
    for down, ((field, rows), line) in enumerate(zip(fields.items(), grid, strict=True)):
        for m, (axes, title) in enumerate(zip(line, MEASURES.values(), strict=True)):
            for y, (family, name, values) in enumerate(rows):
                value, low, high = values[m]
                dense = name.endswith("/1")
                colour = dense_colour if dense else moe_colour
                axes.plot([low, high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
                axes.plot(value, y, marker="D" if dense else "o", markersize=3.8, color=colour, markeredgewidth=0)
                if dense and np.isfinite(value):
                    end = max(at for at, row in enumerate(rows) if row[0] == family)
                    axes.plot([value, value], [y, end + 0.4], color=dense_colour, linewidth=0.8, linestyle=":")
                if y > 0 and rows[y - 1][0] != family:
                    axes.axhline(y - 0.5, color=FAINT, linewidth=0.8)
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_yticks(range(len(rows)), [name for _, name, _ in rows])
            axes.tick_params(axis="y", length=0)
            if np.nanmin([values[m] for _, _, values in rows], initial=0) >= 0:
                axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
            axes.xaxis.set_major_formatter("{x:g}")
            grid_lines(axes, axis="x")
            bare(axes)
            if down == 0:
                axes.set_title(title, fontsize=8)
        line[0].set_ylabel(FIELDS.get(field, field))
    moe = Line2D([], [], color=moe_colour, marker="o", markersize=3.8, linewidth=1.6)
    dense_line = Line2D([], [], color=dense_colour, marker="D", markersize=3.8, linewidth=1.6)
    legend_above(
        figure,
        [(dense_line, "dense, 95 % interval"), (moe, "expert of a mixture, 95 % interval")],
        [
            (Line2D([], [], color=dense_colour, linewidth=0.8, linestyle=":"), "the dense model's value"),
            (Line2D([], [], color="none"), "$J$, $V$: largest, sum of |differences| along a line of cells"),
        ],
    )
    note_preset(figure, report)
    return figure


FIGURES: Mapping[str, Callable[[Report, Palette, float | None], Figure]] = {
    "fig1": draw_experts,
    "fig2": draw_experts,
    "fig3": draw_fig3,
    "fig5": draw_fig5,
    "fig6": draw_experts,
    "fig7": draw_fig7,
    "table1": draw_table1,
    "boundaries": draw_boundaries,
}
DRAWN = {  # of results alone, not of the paper
    **FIGURES,
    "curves": draw_lines,
    "training": draw_training,
    "phase_lines": draw_phase_lines,
    "features": draw_features,
}


def draw(report: Report, colours: str = "paper", width: Width = None) -> Figure:
    """The picture of one report. Raises InputError for what is not as it must be."""
    if colours not in PALETTES:
        raise InputError(f"colours {colours!r}: allowed are {', '.join(PALETTES)}")
    with style():
        return DRAWN[report.figure](report, PALETTES[colours], inches(width))
