"""Draws Figures 1, 2, 3, 5, 6, 7, Table 1 and the boundaries of Figure 4 from what `phasegrid reproduce` found.

Each function takes the "picture" of a FIGURE.json (host/reproduce/ writes it) and gives a Figure. A null in the file is
NaN here: nothing is drawn for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from diagrams import Array, InputError
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from pictures import FAINT, INK, QUIET, style

Picture = Mapping[str, Any]

# Okabe and Ito's palette, which every kind of colour vision tells apart.
SERIES = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
REGIONS = ListedColormap(["#0072b2", "#e69f00", "#009e73"])
SHARED = LinearSegmentedColormap.from_list("shared", ["#6a3d9a", "#b9a7cf", "#2f8f4e"])  # monosemantic .. superposed
RASTER = 400


def get(picture: Any, *path: str | int) -> Any:
    """The value at a path of keys and positions; a missing one is an InputError that names it."""
    here = picture
    for depth, key in enumerate(path):
        try:
            here = here[key]
        except (KeyError, IndexError, TypeError):
            name = ".".join(str(part) for part in path[: depth + 1])
            raise InputError(f"picture.{name} is missing") from None
    return here


def numbers(picture: Any, *path: str | int, shape: tuple[int | None, ...] = (None,)) -> Array:
    """A list (of lists) of numbers and nulls at a path, of the given shape (None: any length)."""
    name = "picture." + ".".join(str(part) for part in path)
    found = get(picture, *path)
    try:
        values = np.array(found, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers or null in lists of equal length") from None
    fits = values.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, values.shape, strict=True))
    if not fits:
        wanted = " x ".join("any" if want is None else str(want) for want in shape)
        raise InputError(f"{name} must have the shape {wanted}, not {' x '.join(map(str, values.shape)) or 'a number'}")
    return values


def text(picture: Any, *path: str | int) -> str:
    value = get(picture, *path)
    if not isinstance(value, str):
        raise InputError(f"picture.{'.'.join(map(str, path))} must be text, not {value!r}")
    return value


def bare(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


# --- Figures 1, 2 and 6: what experts represent ----------------------------------------------------------------------


def draw_expert(bars: Axes, matrix: Axes, picture: Picture, index: int) -> None:
    norm = numbers(picture, "panels", index, "norm")
    n = len(norm)
    shared = numbers(picture, "panels", index, "polysemanticity", shape=(n,))
    gram = numbers(picture, "panels", index, "gram", shape=(n, n))
    start = get(picture, "panels", index).get("start")
    at = np.arange(1, n + 1)
    bars.bar(at, np.nan_to_num(norm), color=SHARED(Normalize(0, 1, clip=True)(np.nan_to_num(shared))), width=0.8)
    if start is not None:
        on = numbers(picture, "panels", index, "start", shape=(n,)) > 0
        bars.plot(at[on], np.full(on.sum(), -0.09), marker="^", ls="none", ms=2.6, color=INK, clip_on=False)
    bars.set(xlim=(0.3, n + 0.7), ylim=(0, max(1.25, 1.05 * float(np.nanmax(norm, initial=0)))), xticks=[])
    bars.set_title(text(picture, "panels", index, "title"), fontsize=7.5, pad=3)
    bare(bars)
    matrix.imshow(np.nan_to_num(gram), cmap="RdBu_r", vmin=-1, vmax=1, extent=(0.5, n + 0.5, n + 0.5, 0.5))
    matrix.set(xticks=[1, n], yticks=[1, n])


def draw_experts(picture: Picture) -> Figure:
    groups = get(picture, "groups")
    widest = max(len(get(group, "panels")) for group in groups)
    figure = Figure(figsize=(1.0 + 1.55 * widest, 0.55 + 2.75 * len(groups)))
    grid = figure.add_gridspec(
        2 * len(groups), widest, height_ratios=[1.0, 1.6] * len(groups), hspace=0.28, wspace=0.3,
        left=0.5 / figure.get_figwidth(), right=1 - 0.55 / figure.get_figwidth(),
        top=1 - 0.42 / figure.get_figheight(), bottom=0.3 / figure.get_figheight(),
    )  # fmt: skip
    image = None
    for row, group in enumerate(groups):
        for column, index in enumerate(get(group, "panels")):
            bars = figure.add_subplot(grid[2 * row, column])
            matrix = figure.add_subplot(grid[2 * row + 1, column])
            draw_expert(bars, matrix, picture, index)
            image = matrix.images[0]
            if column == 0:
                bars.set_ylabel(r"$\Vert W_i \Vert$")
                matrix.set_ylabel(r"$\hat W_i \cdot W_j$")
                bars.annotate(
                    text(picture, "groups", row, "title"), (0, 1), (-26, 16), xycoords="axes fraction",
                    textcoords="offset points", fontsize=8.5, fontweight="bold",
                )  # fmt: skip
    if image is not None:
        height = 0.9 / figure.get_figheight()
        left = 1 - 0.42 / figure.get_figwidth()
        for bottom, label, mappable in (
            (0.12, r"$\hat W_i \cdot W_j$", image),
            (0.88 - height, "polysemanticity", None),
        ):
            axes = figure.add_axes((left, bottom, 0.09 / figure.get_figwidth(), height))
            if mappable is None:
                axes.imshow(np.linspace(1, 0, 64)[:, None], cmap=SHARED, aspect="auto", extent=(0, 1, 0, 1))
                axes.set(xticks=[], yticks=[0, 1], yticklabels=["0", "≥1"])
                axes.yaxis.tick_right()
            else:
                figure.colorbar(mappable, cax=axes, ticks=[-1, 0, 1])
            axes.set_title(label, fontsize=6, pad=3, loc="center", color=QUIET)
    return figure


# --- Figures 3 and 7: curves over feature density ---------------------------------------------------------------------


def density_axes(figure: Figure, at: Array) -> Axes:
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_xlim(at.min() / 1.03, at.max() * 1.03)
    axes.set_xticks([1, 2, 3, 5, 10], ["1", "2", "3", "5", "10"])
    axes.minorticks_off()
    axes.set_xlabel(r"inverse feature density  $1 / (1 - S)$")
    axes.grid(color=FAINT, lw=0.4)
    bare(axes)
    return axes


def draw_fig3(picture: Picture) -> Figure:
    at = numbers(picture, "inverse_density")
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axes = density_axes(figure, at)
    axes.axhline(1, color=QUIET, lw=0.8, ls=(0, (4, 3)))
    for i in range(len(get(picture, "series"))):
        mean = numbers(picture, "series", i, "mean", shape=at.shape)
        sd = np.nan_to_num(numbers(picture, "series", i, "sd", shape=at.shape))
        colour, marker = SERIES[i % len(SERIES)], MARKERS[i % len(MARKERS)]
        axes.fill_between(at, mean - sd, mean + sd, color=colour, alpha=0.22, lw=0)
        axes.plot(at, mean, color=colour, lw=1.3, label=text(picture, "series", i, "label"))
        if get(picture, "series", i, "published") is not None:
            theirs = numbers(picture, "series", i, "published", shape=at.shape)
            axes.plot(at, theirs, marker=marker, ls="none", ms=3.2, mfc="white", mec=colour, mew=0.9)
        if get(picture, "series", i, "without_1_k_differs"):
            without = numbers(picture, "series", i, "mean_without_1_k", shape=at.shape)
            axes.plot(at, without, color=colour, lw=0.8, ls=":")
    axes.plot([], [], color=QUIET, lw=0.8, ls=":", label="without the factor 1/k")
    axes.plot([], [], marker="o", ls="none", ms=3.2, mfc="white", mec=QUIET, label="published (one run)")
    axes.set_ylabel("features per dimension")
    axes.legend(frameon=False, loc="upper left", fontsize=7)
    return figure


def draw_fig7(picture: Picture) -> Figure:
    at = numbers(picture, "inverse_density")
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axes = density_axes(figure, at)
    for i in range(len(get(picture, "series"))):
        mean = numbers(picture, "series", i, "log_loss", shape=at.shape)
        sd = np.nan_to_num(numbers(picture, "series", i, "sd", shape=at.shape))
        colour, marker = SERIES[i % len(SERIES)], MARKERS[i % len(MARKERS)]
        axes.fill_between(at, mean - sd, mean + sd, color=colour, alpha=0.22, lw=0)
        axes.plot(at, mean, color=colour, lw=1.3, label=text(picture, "series", i, "label"))
        if get(picture, "series", i, "published") is not None:
            x = numbers(picture, "series", i, "published", "inverse_density")
            y = numbers(picture, "series", i, "published", "log_loss", shape=x.shape)
            axes.plot(x, y, marker=marker, ls="none", ms=4.5, mfc="white", mec=colour, mew=1.1, clip_on=False)
    axes.plot([], [], marker="o", ls="none", ms=4.5, mfc="white", mec=QUIET, label="published (read off, ±0.02)")
    axes.set_ylabel("log of the mean loss")
    axes.legend(frameon=False, loc="lower left", fontsize=7)
    return figure


# --- Figure 5: regions of the plane -----------------------------------------------------------------------------------


def regions(router: Array) -> Array:
    """Expert of each point of [0,1]^2: argmax of G x, ties to the lower expert. [RASTER rows, from y = 0][columns]."""
    side = (np.arange(RASTER) + 0.5) / RASTER
    x, y = np.meshgrid(side, side)
    return np.argmax(router[:, 0, None, None] * x + router[:, 1, None, None] * y, axis=0)


def draw_fig5(picture: Picture) -> Figure:
    panels = get(picture, "panels")
    figure = Figure(figsize=(0.4 + 1.9 * len(panels), 2.35), layout="constrained")
    for i in range(len(panels)):
        router = numbers(picture, "panels", i, "router", shape=(None, 2))
        axes = figure.add_subplot(1, len(panels), i + 1)
        axes.imshow(regions(router), origin="lower", extent=(0, 1, 0, 1), cmap=REGIONS, vmin=0, vmax=2)
        axes.set(xticks=[0, 1], yticks=[0, 1], xlabel="feature 1")
        if i == 0:
            axes.set_ylabel("feature 2")
        loss, theirs = get(picture, "panels", i, "loss"), get(picture, "panels", i, "published_loss")
        axes.set_title(f"{text(picture, 'panels', i, 'title')} router\nloss {loss:.3f} (published {theirs:g})", fontsize=7.5)
    for e, colour in enumerate(REGIONS.colors):
        figure.axes[-1].plot([], [], "s", color=colour, label=f"expert {e + 1}")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=7)
    return figure


# --- Table 1 and the boundaries ---------------------------------------------------------------------------------------


def draw_table1(picture: Picture) -> Figure:
    tables = get(picture, "tables")
    figure = Figure(figsize=(3.1 * len(tables), 2.6), layout="constrained")
    for i in range(len(tables)):
        rows = numbers(picture, "tables", i, "rows", shape=(None, 11))
        axes = figure.add_subplot(1, len(tables), i + 1)
        at, ours, theirs, low, high = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], rows[:, 4]
        axes.bar(at, ours, color=SERIES[0], width=0.62, label="ours")
        axes.errorbar(
            at, theirs, yerr=[np.maximum(theirs - low, 0), np.maximum(high - theirs, 0)], fmt="o", ms=3.5, mfc="white",
            mec=SERIES[3], ecolor=SERIES[3], elinewidth=1, capsize=2, label="published, and the counts compatible with it (99 %)",
        )  # fmt: skip
        axes.set(xlabel="monosemantic features of an expert", xticks=at, title=f"{text(picture, 'tables', i, 'title')} router")
        axes.title.set_fontsize(8)
        if i == 0:
            axes.set_ylabel("experts")
        bare(axes)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=7)
    return figure


def draw_boundaries(picture: Picture) -> Figure:
    rows = get(picture, "rows")
    fields = list(dict.fromkeys(text(row, "field") for row in rows))
    measures = ("concentration", "jump", "roughness")
    per_field = max(sum(text(row, "field") == field for row in rows) for field in fields)
    figure = Figure(figsize=(6.6, 0.9 + 0.17 * per_field * len(fields)), layout="constrained")
    grid = figure.subplots(len(fields), len(measures), squeeze=False, sharey="row")
    for down, field in enumerate(fields):
        mine = [row for row in rows if text(row, "field") == field]
        labels = [f"{text(row, 'label')}, expert {get(row, 'expert')}" for row in mine]
        for across, measure in enumerate(measures):
            axes = grid[down][across]
            values = np.array([numbers(row, measure, shape=(3,)) for row in mine])
            for y, (value, low, high) in enumerate(values):
                dense = text(mine[y], "label").endswith("/1")
                colour = SERIES[3] if dense else SERIES[0]
                axes.plot([low, high], [y, y], color=colour, lw=1)
                axes.plot(value, y, marker="D" if dense else "o", ms=3.2, color=colour)
            axes.set_ylim(len(mine) - 0.5, -0.5)
            axes.set_yticks(range(len(mine)), labels)
            axes.set_xlim(left=0)
            axes.grid(axis="x", color=FAINT, lw=0.4)
            axes.set_title(f"{measure} of the {field}", fontsize=7.5)
            bare(axes)
    return figure


FIGURES: Mapping[str, Callable[[Picture], Figure]] = {
    "fig1": draw_experts,
    "fig2": draw_experts,
    "fig3": draw_fig3,
    "fig5": draw_fig5,
    "fig6": draw_experts,
    "fig7": draw_fig7,
    "table1": draw_table1,
    "boundaries": draw_boundaries,
}


def draw(report: Mapping[str, Any]) -> Figure:
    """The picture of one report."""
    name = report.get("figure")
    if name not in FIGURES:
        raise InputError(f"figure must be one of {', '.join(FIGURES)}, not {name!r}")
    if not isinstance(report.get("picture"), dict):
        raise InputError("picture is missing: the file holds no numbers to draw")
    with style():
        return FIGURES[name](report["picture"])


__all__: Sequence[str] = ("FIGURES", "draw", "regions")
