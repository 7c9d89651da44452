"""Figures 1, 2 and 6: what each expert represents, as bars of ||W_i|| above the matrix of Ŵ_i . W_j."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from phasegrid.pictures.diagrams import BLANK, FAINT, FRAME, INK, QUIET, UNTRAINED, Sheet
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.measures import Array
from phasegrid.pictures.reports import Entry, Report
from phasegrid.pictures.sizes import check_size, fitted
from phasegrid.pictures.style import Palette, bare, note_preset

# Inches.
SIDES = {1: 2.6, 2: 2.3, 3: 1.95}  # of a matrix, by how many stand in a row
SIDE = 1.3  # where more do
LEAST_SIDE = 1.15  # in a picture that is to fit a page; what is more stands in rows of its own
BARS = 0.5  # height of the bars, as a share of that side
LEFT, RIGHT, GAP = 0.58, 0.12, 0.16
TOP, HEAD_LINE, TITLE, GUTTER, FOOT, AXIS_LABEL = 0.06, 0.17, 0.2, 0.1, 0.3, 0.14
SCALE_WIDTH, SCALE_HEIGHT, SCALE_GAP = 1.38, 0.085, 0.26
LEGEND, NOTES, NOTE_LETTER = 0.56, 0.2, 0.057
LEAST_WIDTH = 2 * SCALE_WIDTH + SCALE_GAP + 0.1  # of a picture that is to fit a page

SHARED = Normalize(0, 1, clip=True)  # polysemanticity, the paper's threshold being far below 1
SHARED_TICKS = [(0, "0\nmonosemantic"), (1, "≥ 1\nsuperposed")]
SHARES = "%: of the inputs that are not all zero, how many the expert gets"
# What the matrix is: as published, the same with rows that fade, or W W^T.
MATRICES = {"unit": r"$\hat{W}_i \cdot W_j$", "faded": r"$\hat{W}_i \cdot W_j$", "product": r"$W_i \cdot W_j$"}


@dataclass(frozen=True)
class Expert:
    title: str
    norm: Array  # (n)
    polysemanticity: Array  # (n)
    gram: Array  # (n, n)
    start: NDArray[np.bool_] | None  # (n): features that the router started the expert on

    @property
    def whole(self) -> bool:
        return bool(np.isfinite(self.norm).all() and np.isfinite(self.gram).all())


def read_expert(panel: Entry) -> Expert:
    norm = panel["norm"].numbers(None, nulls=True, least=0)
    n = len(norm)
    start = None
    if panel.has("start"):
        marks = panel["start"].numbers(n)
        if not np.isin(marks, (0, 1)).all():
            raise InputError(f"{panel.place}.start must hold 0 and 1 alone")
        start = marks > 0
    shared = panel["polysemanticity"].numbers(n, nulls=True, least=0)
    return Expert(panel["title"].text(), norm, shared, panel["gram"].numbers(n, n, nulls=True), start)


def read_groups(picture: Entry) -> list[tuple[str, list[Expert]]]:
    experts = [read_expert(panel) for panel in picture["panels"].entries()]
    if not any(np.isfinite(expert.norm).any() for expert in experts):
        raise InputError("picture.panels holds no number but nulls: there is nothing to draw")
    return [
        (group["title"].text(), [experts[at.whole(0, len(experts) - 1)] for at in group["panels"].entries()])
        for group in picture["groups"].entries()
    ]


def draw_bars(axes: Axes, expert: Expert, highest: float, palette: Palette) -> None:
    n = len(expert.norm)
    at, width = np.arange(1, n + 1), 0.84 if n <= 60 else 1.0
    known = np.isfinite(expert.norm) & np.isfinite(expert.polysemanticity)
    colours = palette.shared(SHARED(np.nan_to_num(expert.polysemanticity)))
    colours[~known] = (0.7, 0.72, 0.76, 1)
    if expert.start is not None:
        for i in at[expert.start]:
            axes.axvspan(i - 0.5, i + 0.5, color=FAINT, alpha=0.75, linewidth=0, zorder=0)
        mark: dict[str, Any] = {
            "marker": "^",
            "linestyle": "none",
            "color": INK,
            "markersize": 3.4,
            "markeredgewidth": 0,
        }
        axes.plot(
            at[expert.start],
            np.full(expert.start.sum(), -0.1),
            transform=axes.get_xaxis_transform(),
            clip_on=False,
            **mark,
        )
    if not expert.whole:
        axes.patch.set(**UNTRAINED)
    axes.bar(at, expert.norm, width=width, color=colours, linewidth=0)
    axes.axhline(1, color=FRAME, linewidth=0.5, linestyle=(0, (3, 3)), zorder=0.5)
    axes.set(xlim=(0.5, n + 0.5), ylim=(0, highest), xticks=[])
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter("{x:g}")
    bare(axes)


def draw_matrix(axes: Axes, expert: Expert, palette: Palette, side: float, faded: bool) -> None:
    """Rows that fade are as strong as the norm of their feature."""
    n = len(expert.norm)
    strength = np.repeat(np.clip(np.nan_to_num(expert.norm), 0, 1)[:, None], n, axis=1) if faded else None
    if expert.whole:
        axes.set_facecolor(BLANK)
    else:
        axes.patch.set(**UNTRAINED)
    box = (0.5, n + 0.5, n + 0.5, 0.5)
    axes.imshow(
        expert.gram,
        cmap=palette.signed,
        vmin=-1,
        vmax=1,
        extent=box,
        interpolation="nearest",
        aspect="auto",
        alpha=strength,
    )
    ticks = [
        1,
        *(
            tick
            for tick in MaxNLocator(max(1, min(4, int(side / 0.25))), integer=True).tick_values(1, n)
            if 1 + 0.12 * n < tick <= n
        ),
    ]
    axes.set(xticks=ticks, yticks=ticks)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")


def draw_scale(
    sheet: Sheet, left: float, top: float, mappable: ScalarMappable, label: str, ticks: Sequence[tuple[float, str]]
) -> None:
    axes = sheet.axes(left, top, SCALE_WIDTH, SCALE_HEIGHT)
    bar = sheet.figure.colorbar(mappable, cax=axes, orientation="horizontal")
    bar.set_ticks([at for at, _ in ticks], labels=[words for _, words in ticks])
    labels = axes.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")
    bar.outline.set(linewidth=0.5, edgecolor=FRAME)
    axes.tick_params(length=0, pad=2)
    axes.set_title(label, fontsize=7, pad=3)


def notes_on(width: float, experts: Sequence[Expert], matrix: str, shares: bool) -> list[str]:
    """What the panels show besides bars and matrices, in lines that fit."""
    notes = [SHARES] if shares else []
    if matrix == "faded":
        notes.append("rows of the matrix fade with the norm of their feature")
    if any(expert.start is not None and expert.start.any() for expert in experts):
        notes.append("▲ and shading: features that the router started the expert on")
    if not all(expert.whole for expert in experts):
        notes.append("hatched: no value")
    return [line for note in notes for line in wrapped(note, width, NOTE_LETTER)]


def draw_legend(
    sheet: Sheet, top: float, experts: Sequence[Expert], palette: Palette, label: str, notes: Sequence[str]
) -> None:
    """Both colour scales, and below them the notes."""
    beyond = np.nanmax([np.nanmax(np.abs(expert.gram), initial=0) for expert in experts]) > 1
    left = (sheet.width - 2 * SCALE_WIDTH - SCALE_GAP) / 2
    shared = ScalarMappable(SHARED, palette.shared)
    draw_scale(sheet, left, top, shared, "polysemanticity", SHARED_TICKS)
    ends = [(-1, "≤ −1" if beyond else "−1"), (0, "0"), (1, "≥ 1" if beyond else "1")]
    signed = ScalarMappable(Normalize(-1, 1), palette.signed)
    draw_scale(sheet, left + SCALE_WIDTH + SCALE_GAP, top, signed, label, ends)
    for line, note in enumerate(notes):
        sheet.text(left + SCALE_WIDTH + SCALE_GAP / 2, top + LEGEND + line * NOTES, note, ha="center", fontsize=7)


def wrapped(title: str, width: float, letter: float = 0.082) -> list[str]:
    """Lines of a heading; "n = 20" stays in one. letter: what one takes, in inches."""
    lines = textwrap.wrap(title.replace(" = ", "\xa0=\xa0"), max(10, int(width / letter)))
    return [line.replace("\xa0", " ") for line in lines]


def draw_experts(report: Report, palette: Palette, page: float | None) -> Figure:
    """A row of panels for each group."""
    groups = read_groups(report.picture)
    shown = [expert for _, experts in groups for expert in experts]
    if page is not None:
        fit = max(1, int((page - LEFT - RIGHT + GAP) / (LEAST_SIDE + GAP)))
        groups = [
            (title if at == 0 else "", experts[at : at + fit])
            for title, experts in groups
            for at in range(0, len(experts), fit)
        ]
    widest = max(len(experts) for _, experts in groups)
    side, around = SIDES.get(widest, SIDE), LEFT + (widest - 1) * GAP + RIGHT
    width = fitted(page, own=around + widest * side, least=LEAST_WIDTH)
    if page is not None:
        side = min((width - around) / widest, SIDES[1])
    matrix = report.picture["matrix"].text() if report.picture.has("matrix") else "unit"
    notes = notes_on(width, shown, matrix, report.picture.has("shares") and report.picture["shares"].flag())
    start = LEFT + (width - around - widest * side) / 2  # panels grow no further, and stand in the middle
    heads = [wrapped(title, width - LEFT) for title, _ in groups]
    rows = [len(head) * HEAD_LINE + TITLE + BARS * side + GUTTER + side + FOOT for head in heads]
    height = TOP + sum(rows) + AXIS_LABEL + LEGEND + len(notes) * NOTES
    check_size(width, height)
    highest = max(1.12, 1.05 * float(np.nanmax([np.nanmax(expert.norm, initial=0) for expert in shown])))

    sheet = Sheet(width, height)
    top = TOP
    for (_, experts), head, row in zip(groups, heads, rows, strict=True):
        for line, words in enumerate(head):
            sheet.text(start, top + 0.13 + line * HEAD_LINE, words, fontsize=9, weight="bold")
        down = top + len(head) * HEAD_LINE + TITLE
        for column, expert in enumerate(experts):
            left = start + column * (side + GAP)
            bars = sheet.axes(left, down, side, BARS * side)
            square = sheet.axes(left, down + BARS * side + GUTTER, side, side)
            draw_bars(bars, expert, highest, palette)
            draw_matrix(square, expert, palette, side, faded=matrix == "faded")
            sheet.text(left, down - 0.06, expert.title, color=QUIET)
            if top + row >= TOP + sum(rows) - 1e-6:
                square.set_xlabel("feature $i$ (bars), $j$ (matrix)", labelpad=2)
            if column == 0:
                bars.set_ylabel(r"norm $\|W_i\|$")
                square.set_ylabel("feature $i$")
                for axes in (bars, square):
                    axes.yaxis.set_label_coords(-0.36 / side, 0.5)
            else:
                bars.tick_params(labelleft=False)
                square.tick_params(labelleft=False)
        top += row
    draw_legend(sheet, top + AXIS_LABEL + 0.1, shown, palette, MATRICES[matrix], notes)
    note_preset(sheet.figure, report)
    return sheet.figure
