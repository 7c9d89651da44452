"""Feature directions: the rows of every expert's W as arrows, on a line, in the plane or in space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from phasegrid.pictures.diagrams import FAINT, FRAME, INK, QUIET, UNTRAINED, Sheet
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.expert_panels import (
    NOTE_LETTER,
    SCALE_HEIGHT,
    SCALE_WIDTH,
    SHARED,
    SHARED_TICKS,
    SHARES,
    draw_scale,
    wrapped,
)
from phasegrid.pictures.measures import Array
from phasegrid.pictures.reports import Report
from phasegrid.pictures.sizes import check_size, fitted
from phasegrid.pictures.style import Palette, bare

IGNORED = 0.1  # a norm up to which a feature is not represented: its arrow is a dot (kDeadNorm in metrics.hpp)
MOST_LABELS = 24  # features that get their number
NEAR = 0.16  # tips nearer than this share one label, as a part of what the panel shows
STARVED_ALPHA = 0.45

# Inches.
SIDES = {1: 2.6, 2: 2.3, 3: 1.9}  # of a panel, by how many stand in a row
SIDE, LEAST_SIDE, MOST_COLUMNS = 1.6, 1.4, 4
LEFT, RIGHT, GAP, TOP, HEAD_LINE, TITLE, FOOT = 0.5, 0.12, 0.3, 0.06, 0.17, 0.22, 0.34
LEGEND, NOTES = 0.52, 0.17
LEAST_WIDTH = 3.2


@dataclass(frozen=True)
class Directions:
    title: str
    weights: Array  # (n, m)
    polysemanticity: Array  # (n)
    starved: bool

    @property
    def norms(self) -> Array:
        return np.asarray(np.linalg.norm(self.weights, axis=1))

    def colours(self, palette: Palette) -> Array:
        """(n, 4): by polysemanticity, as strong as the norm, and paler where the expert is starved."""
        colours = np.asarray(palette.shared(SHARED(self.polysemanticity)))
        colours[:, 3] = np.clip(self.norms, 0.2, 1) * (STARVED_ALPHA if self.starved else 1)
        return colours


def read_directions(report: Report) -> list[Directions]:
    found = []
    for panel in report.picture["panels"].entries():
        weights = panel["weights"].numbers(None, None, nulls=True)
        if weights.shape[1] > 3:
            raise InputError(f"{panel.place}.weights must have at most 3 columns, not {weights.shape[1]}")
        shared = panel["polysemanticity"].numbers(len(weights), nulls=True)
        found.append(Directions(panel["title"].text(), weights, shared, panel["starved"].flag()))
    if not any(np.isfinite(one.weights).all() for one in found):
        raise InputError("picture.panels holds no model: there is nothing to draw")
    return found


def shared_labels(tips: Array, near: float) -> list[list[int]]:
    """Which tips (count, dims) have one label between them: those nearer to the first of a group than `near`."""
    groups: list[list[int]] = []
    for i, tip in enumerate(tips):
        home = next((group for group in groups if np.linalg.norm(tips[group[0]] - tip) < near), None)
        if home is None:
            groups.append([i])
        else:
            home.append(i)
    return groups


def label_tips(axes: Any, one: Directions, reach: float) -> None:
    """Numbers beyond the tips of represented features; ignored ones are named in the corner."""
    norms = one.norms
    drawn = np.flatnonzero(norms > IGNORED)
    ignored = np.flatnonzero(norms <= IGNORED)
    if len(norms) <= MOST_LABELS:
        distance = np.maximum(norms[drawn] + 0.11 * reach, 0.3 * reach)  # clear of the crowd at the origin
        beyond = one.weights[drawn] * (distance / norms[drawn])[:, None]
        for group in shared_labels(beyond, NEAR * reach):
            words = ", ".join(str(drawn[i] + 1) for i in group)
            axes.text(
                *beyond[group].mean(axis=0),
                words,
                ha="center",
                va="center",
                fontsize=7,
                color=QUIET if one.starved else INK,
            )
    if len(ignored):
        listed = ", ".join(str(i + 1) for i in ignored[:6]) + (" .." if len(ignored) > 6 else "")
        words = f"ignored: {listed}" if len(norms) <= MOST_LABELS else f"{len(ignored)} of {len(norms)} ignored"
        options: dict[str, Any] = {"transform": axes.transAxes, "ha": "left", "fontsize": 6.5, "color": QUIET}
        if one.weights.shape[1] == 3:
            axes.text2D(0, 0.98, words, va="top", **options)
        else:
            axes.text(0.02, 0.02, words, va="bottom", **options)


def draw_plane(axes: Axes, one: Directions, reach: float, palette: Palette) -> None:
    axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor=FRAME, linewidth=0.6, linestyle=(0, (3, 3))))
    axes.axhline(0, color=FAINT, linewidth=0.6, zorder=0)
    axes.axvline(0, color=FAINT, linewidth=0.6, zorder=0)
    for (x, y), norm, colour in zip(one.weights, one.norms, one.colours(palette), strict=True):
        if norm > IGNORED:
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (x, y), (0, 0), arrowprops={**arrow, "mutation_scale": 8})
        else:
            axes.plot(x, y, marker="o", markersize=2.4, color=colour, linestyle="none")
    label_tips(axes, one, reach)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
        axis.set_major_formatter("{x:g}")


def draw_line(axes: Axes, one: Directions, reach: float, palette: Palette) -> None:
    n = len(one.weights)
    for level in (-1, 0, 1):
        axes.axhline(level, zorder=0, color=FRAME, linewidth=0.6, linestyle="-" if level == 0 else (0, (3, 3)))
    for i, (weight, colour) in enumerate(zip(one.weights[:, 0], one.colours(palette), strict=True)):
        if abs(weight) > IGNORED:
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (i + 1, weight), (i + 1, 0), arrowprops={**arrow, "mutation_scale": 8})
        else:
            axes.plot(i + 1, weight, marker="o", markersize=2.4, color=colour, linestyle="none")
    axes.set(xlim=(0.5, n + 0.5), ylim=(-reach, reach))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    bare(axes)


def draw_space(axes: Any, one: Directions, reach: float, palette: Palette) -> None:
    """A parallel projection; three circles of the unit sphere for the eye."""
    around = np.linspace(0, 2 * math.pi, 73)
    circle = np.stack([np.cos(around), np.sin(around), np.zeros_like(around)])
    for turn in range(3):
        axes.plot(*np.roll(circle, turn, axis=0), color=FRAME, linewidth=0.5, linestyle=(0, (3, 3)))
    for row, norm, colour in zip(one.weights, one.norms, one.colours(palette), strict=True):
        if norm > IGNORED:
            axes.plot(*np.stack([np.zeros(3), row], axis=1), color=colour, linewidth=1.5)
        axes.plot(*row[:, None], marker="o", markersize=3.2 if norm > IGNORED else 2, color=colour, linestyle="none")
    label_tips(axes, one, reach)
    axes.set_proj_type("ortho")
    axes.view_init(elev=22, azim=-58)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
    axes.set_box_aspect((1, 1, 1), zoom=0.95)
    for axis, name in ((axes.xaxis, "1"), (axes.yaxis, "2"), (axes.zaxis, "3")):
        axis.pane.set(facecolor="white", edgecolor=FAINT)
        axis.line.set_color(FRAME)
        axis.set_ticks([-1, 0, 1], labels=[])
        axis.set_label_text(f"unit {name}")
        axis.labelpad = -14
        axis._axinfo["grid"].update(color=FAINT, linewidth=0.5)


DRAW = {1: draw_line, 2: draw_plane, 3: draw_space}


def draw_panels(
    sheet: Sheet, places: Sequence[tuple[float, float, float]], shown: Sequence[Directions], palette: Palette
) -> None:
    """Panels of one scale at (left, top, side)."""
    m = shown[0].weights.shape[1]
    known = [np.abs(one.norms) for one in shown if np.isfinite(one.weights).all()]
    reach = 1.25 * max(1.0, *(float(norms.max()) for norms in known))
    for (left, down, side), one in zip(places, shown, strict=True):
        box = (left / sheet.width, 1 - (down + side) / sheet.height, side / sheet.width, side / sheet.height)
        axes: Any = sheet.figure.add_axes(box, projection="3d" if m == 3 else None)
        sheet.text(left, down - 0.06, one.title, color=QUIET)
        if not np.isfinite(one.weights).all():
            axes.patch.set(**UNTRAINED)
            axes.set(xticks=[], yticks=[])
            continue
        DRAW[m](axes, one, reach, palette)
        if m < 3:
            axes.set_xlabel("hidden unit 1" if m == 2 else "feature $i$", labelpad=2)
            first = left == min(at for at, _, _ in places)
            axes.set_ylabel(("hidden unit 2" if m == 2 else "$W_i$") if first else "", labelpad=1)
            axes.tick_params(labelleft=first)


def draw_features(report: Report, palette: Palette, page: float | None) -> Figure:
    """A panel an expert."""
    shown = read_directions(report)
    columns = min(len(shown), MOST_COLUMNS)
    if page is not None:
        columns = min(columns, max(1, int((page - LEFT - RIGHT + GAP) / (LEAST_SIDE + GAP))))
    side, around = SIDES.get(columns, SIDE), LEFT + (columns - 1) * GAP + RIGHT
    width = fitted(page, own=max(around + columns * side, LEAST_WIDTH), least=LEAST_WIDTH)
    if page is not None:
        side = min((width - around) / columns, SIDES[1])
    start = LEFT + (width - around - columns * side) / 2
    head = wrapped(report.picture["title"].text(), width - 0.3)
    rows = -(-len(shown) // columns)
    notes = [
        "arrows: the directions $W_i$ of the features; paler the further their norm is below 1",
        *([SHARES] if report.picture["shares"].flag() else []),
        *(["pale: the expert is starved, it gets under 1 % of them"] if any(one.starved for one in shown) else []),
        *(["hatched: no value"] if not all(np.isfinite(one.weights).all() for one in shown) else []),
    ]
    row = TITLE + side + FOOT
    panels_end = TOP + len(head) * HEAD_LINE + rows * row
    lines = [line for note in notes for line in wrapped(note, width - 0.1, NOTE_LETTER)]
    height = panels_end + LEGEND + len(lines) * NOTES + 0.06
    check_size(width, height)
    sheet = Sheet(width, height)
    for line, words in enumerate(head):
        sheet.text(start, TOP + 0.13 + line * HEAD_LINE, words, fontsize=9, weight="bold")
    top = TOP + len(head) * HEAD_LINE + TITLE
    places = [(start + at % columns * (side + GAP), top + at // columns * row, side) for at in range(len(shown))]
    draw_panels(sheet, places, shown, palette)
    scale_top = panels_end + 0.16
    mappable = ScalarMappable(SHARED, palette.shared)
    draw_scale(sheet, (width - SCALE_WIDTH) / 2, scale_top, mappable, "polysemanticity", SHARED_TICKS)
    for line, words in enumerate(lines):
        down = scale_top + SCALE_HEIGHT + 0.42 + line * NOTES
        sheet.text(width / 2, down, words, ha="center", fontsize=7)
    return sheet.figure
