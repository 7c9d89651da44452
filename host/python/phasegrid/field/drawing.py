"""Parts that the pictures of the field share: arrows in the hidden plane with their polygon, W W^T with biases,
bands."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from phasegrid.field.base import SAFE
from phasegrid.pictures.diagrams import FAINT, FRAME, INK, QUIET
from phasegrid.pictures.feature_panels import IGNORED
from phasegrid.pictures.measures import Array
from phasegrid.pictures.style import bare, constrained, grid_lines, legend_above


def sheet(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    """A figure of panels, each of a size in inches; (rows, columns) of axes."""
    figure = constrained(columns * width + 0.2, rows * height + 0.5, w_pad=0.06, h_pad=0.06)
    return figure, figure.subplots(rows, columns, squeeze=False)


def hull(points: Array) -> Array:
    """The corners (corners, 2) of the convex hull of points in the plane, in order; none where it is hardly an area."""
    order = points[np.lexsort((points[:, 1], points[:, 0]))]

    def half(ordered: Array) -> list[Array]:
        chain: list[Array] = []
        for point in ordered:
            while len(chain) > 1:
                (ax, ay), (bx, by) = chain[-1] - chain[-2], point - chain[-1]
                if ax * by - ay * bx > 0:
                    break
                chain.pop()
            chain.append(point)
        return chain[:-1]

    corners = np.array([*half(order), *half(order[::-1])])
    flat = 0.02 * float(np.square(np.ptp(points, axis=0)).sum())
    return corners if len(corners) > 2 and area(corners) > flat else points[:0]


def area(corners: Array) -> float:
    """Of a polygon."""
    x, y = corners.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def reach_of(weights: Array) -> float:
    return 1.15 * max(1.0, float(np.linalg.norm(weights, axis=-1).max()))


def arrows(axes: Axes, weights: Array, reach: float | None = None, polygon: bool = True) -> None:
    """Feature directions W (n, 2) as arrows; their convex hull when it has three corners or more. Features without a
    norm are dots."""
    limit = reach or reach_of(weights)
    norms = np.linalg.norm(weights, axis=1)
    there = weights[norms > IGNORED]
    axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor=FRAME, linewidth=0.6, linestyle=(0, (3, 3))))
    if polygon and len(there) > 2 and len(corners := hull(there)) > 2:
        axes.add_patch(Polygon(corners, facecolor=FAINT, edgecolor=QUIET, linewidth=0.8, alpha=0.6, zorder=0.5))
    for (x, y), norm in zip(weights, norms, strict=True):
        if norm > IGNORED:
            style = {"arrowstyle": "-|>", "color": SAFE.series[0], "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (x, y), (0, 0), arrowprops={**style, "mutation_scale": 7})
        else:
            axes.plot(x, y, marker="o", markersize=2.5, color=SAFE.series[3], linestyle="none")
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])


def gram(axes: Axes, weights: Array, biases: Array | None) -> None:
    """W W^T of a model (n, m) with its biases as a column to the right, both on one scale from -1.5 to 1.5."""
    n = len(weights)
    shown = weights @ weights.T
    limits: dict[str, Any] = {"vmin": -1.5, "vmax": 1.5, "cmap": SAFE.signed, "interpolation": "nearest"}
    axes.imshow(shown, extent=(0, n, n, 0), **limits)
    if biases is not None:
        axes.imshow(biases[:, None], extent=(n + 0.5, n + 1.5, n, 0), **limits)
        axes.text(n + 1, -0.1, "b", ha="center", va="bottom", fontsize=6.5, color=INK)
    axes.set(xlim=(0, n + (1.5 if biases is not None else 0)), ylim=(n, 0), xticks=[], yticks=[], aspect="equal")
    bare(axes)
    axes.spines[["left", "bottom"]].set_visible(False)


def band(axes: Axes, x: Array, values: Array, colour: str, marker: str, label: str, **options: Any) -> None:
    """Means of values (x, seeds) with the range of 95 % of the seeds."""
    axes.fill_between(
        x, *np.nanpercentile(values, [2.5, 97.5], axis=1), color=colour, alpha=0.22, linewidth=0, zorder=1.5
    )
    axes.plot(
        x, np.nanmean(values, axis=1), color=colour, marker=marker, markersize=3, linewidth=1.2, label=label, **options
    )


def plain(axes: Axes, **options: Any) -> None:
    """A curve's axes: grid, no box, and settings."""
    bare(axes)
    grid_lines(axes)
    axes.set(**options)


def log_ticks(axes: Axes, ticks: list[float]) -> None:
    """A logarithmic x axis with these ticks, written plainly."""
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def legend_of(figure: Figure, *panels: Axes) -> None:
    """One legend above the figure of what curves of these panels are labelled."""
    entries = [entry for axes in panels for entry in zip(*axes.get_legend_handles_labels(), strict=True)]
    legend_above(figure, *[[entry] for entry in entries])
