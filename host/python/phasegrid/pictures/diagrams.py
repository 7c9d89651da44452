"""Draws the paper's Figures 4 (phase diagrams) and 8 (losses). Nothing here touches pyplot or a display."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from phasegrid.pictures.balance import like_for_like
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.grids import (
    LETTERS,
    PHASES,
    Grid,
    Phases,
    Shape,
    arrange,
    cell_edges,
    in_order,
    panels_of,
    phase_colours,
    ranges_differ,
)
from phasegrid.pictures.measures import Array
from phasegrid.pictures.sizes import NARROW, check_size, fitted

FORMATS = ("png", "pdf", "svg")
SIDES = ("phasegrid", "published")  # headings of two sets of files drawn side by side
MOST_PANELS = 40  # across or down one figure

INK, QUIET, FRAME, FAINT, BLANK = "#1d2330", "#5b6475", "#8a92a1", "#d5d9e0", "#f6f7f9"
FAMILY_COLOURS: Mapping[str, Mapping[str | None, str]] = {
    "paper": {"A": "#3f6fb5", "B": "#c9772f", "C": "#3c8f6c", None: "#7a7f8c"},
    "safe": {"A": "#0072b2", "B": "#e69f00", "C": "#009e73", None: "#000000"},  # of Okabe and Ito
}
UNTRAINED = {"facecolor": "#e9ebee", "hatch": "//////", "edgecolor": "#b3b9c4", "linewidth": 0}
TICKS = {"color": FRAME, "labelcolor": QUIET, "labelsize": 6.8, "major.size": 2.2, "major.width": 0.6, "major.pad": 2.2}
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same
    "font.size": 7.5,
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FRAME,
    "axes.linewidth": 0.6,
    **{f"{axis}tick.{key}": value for axis in "xy" for key, value in TICKS.items()},
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "phasegrid",
}
# Inches.
PANEL, GAP, GROUP_GAP, SIDE_GAP = 0.98, 0.09, 0.20, 0.46
LEFT, RIGHT, TOP, BOTTOM = 0.56, 0.08, 0.03, 0.42
LABEL, FAMILY_HEAD, FAMILY_GAP, SIDE_HEAD, ROW_GAP = 0.15, 0.20, 0.13, 0.28, 0.05
LABELLED_GAP_X, LABELLED_GAP_Y = 0.36, 0.18
LEGEND_COLUMNS = 3  # of panels, that the legend is wide
LEAST_PANEL, SMALL_PANEL = 0.45, 0.7  # panels must hold their label; small ones have few ticks
LEAST_BOXES, MOST_SLOT = 3.2, 0.9  # what the note below Figure 8 takes; room for a box
SQUARE_LEFT, SQUARE_WIDTH, SQUARE_HEIGHT = 0.36, 1.46, 0.74
NOTES_LEFT, NOTES_INDENT, LEGEND_WIDTH, LEGEND_HEIGHT = 1.98, 0.40, 3.14, 0.96

Cells = Mapping[tuple[int, int], tuple[Shape, int]]  # (row, column) -> architecture and expert of the panel there


def style() -> AbstractContextManager[None]:
    """Our typography over matplotlib's own defaults, whatever the user's matplotlibrc says."""
    defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith("backend")}
    return matplotlib.rc_context({**defaults, **STYLE})


class Sheet:
    """A figure measured in inches from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), facecolor="white")

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self.height - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def text(self, left: float, top: float, text: str, **options: Any) -> None:
        options = {"va": "baseline", **options}
        self.figure.text(left / self.width, 1 - top / self.height, text, **options)

    def centred(self, middle: float, top: float, text: str) -> None:
        self.text(middle, top, text, ha="center", fontsize=8)

    def y_label(self, middle: float, text: str) -> None:
        self.text(0.11, middle, text, rotation=90, ha="center", va="center", fontsize=8)

    def heading(self, left: float, side: int) -> None:
        self.text(left, 0.18, SIDES[side], fontsize=11, weight="bold")

    def frame(self, left: float, top: float, width: float, height: float, **options: Any) -> None:
        corner = (left / self.width, 1 - (top + height) / self.height)
        size = (width / self.width, height / self.height)
        self.figure.add_artist(Rectangle(corner, *size, transform=self.figure.transFigure, **options))


# --- Figure 4 ---------------------------------------------------------------------------------------------------------


def axis_ticks(values: Array, parts: int) -> Array:
    """A few round values between the first and the last of ascending values."""
    low, high = values[[0, -1]]
    ticks = MaxNLocator(nbins=parts, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    return ticks if len(ticks) and low < high else values[:1]


def draw_panel(axes: Axes, grid: Grid, colours: Array | None, small: bool) -> None:
    """One panel: sparsity down, importance to the right; hatched where no model was trained. Without colours only
    the axes of the grid."""
    x, y = cell_edges(grid.importance), cell_edges(grid.sparsity)
    if colours is None:
        axes.text(0.5, 0.5, "not published", ha="center", va="center", color=FRAME, transform=axes.transAxes)
        axes.set_facecolor(BLANK)
        axes.spines[:].set_color(FAINT)
        axes.tick_params(color=FAINT)
    else:
        if not grid.trained.all():
            axes.patch.set(**UNTRAINED)
        axes.pcolormesh(x, y, colours, rasterized=True)
    axes.set(xlim=x[[0, -1]], ylim=y[[-1, 0]])
    axes.set_xticks(axis_ticks(grid.importance, 2 if small else 3))
    axes.set_yticks(axis_ticks(grid.sparsity, 3 if small else 4))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")


def draw_legend(
    sheet: Sheet, left: float, top: float, score: str, shared: bool, untrained: bool, phases: Phases
) -> None:
    """Norm x score in colours, what they mean, and how panels are named: LEGEND_WIDTH x LEGEND_HEIGHT."""
    axes = sheet.axes(left + SQUARE_LEFT, top, SQUARE_WIDTH, SQUARE_HEIGHT)
    y, x = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0, 1, 128), indexing="ij")
    axes.imshow(
        phase_colours(y, x, phases), origin="lower", extent=(0, 1, 0, 1), aspect="auto", interpolation="bilinear"
    )
    axes.text(0.03, 0.95, "monosemantic", ha="left", va="top", color="white", fontsize=6.5)
    axes.text(0.97, 0.95, "superposed", ha="right", va="top", color="white", fontsize=6.5)
    axes.text(0.5, 0.06, "ignored", ha="center", va="bottom", fontsize=6.5)
    axes.set_xticks([0, 1], ["0", "max"])
    axes.set_yticks([0, 1], ["0", "max"])
    terms = {"paper": r"j\neq n", "authors": "j"}
    axes.set_xlabel(rf"score $\Sigma_{{{terms[score]}}}(\hat{{W}}_n\!\cdot\! W_j)^2$", labelpad=-6.5, fontsize=7)
    axes.set_ylabel(r"norm $\|W_n\|$", labelpad=-12, fontsize=7)

    start, down = left + NOTES_LEFT, top + 0.08
    largest = "of all panels" if shared else "of each panel"
    for term, meaning in (("n", "the last feature"), ("max", largest), ("X.e/E", "expert e of E")):
        sheet.text(start, down, term, va="center_baseline", fontsize=7, weight="bold", color=QUIET)
        sheet.text(start + NOTES_INDENT, down, meaning, va="center_baseline", fontsize=7)
        down += 0.19
    if untrained:
        sheet.frame(start, down - 0.055, 0.27, 0.11, **UNTRAINED)
        sheet.text(start + NOTES_INDENT, down, "not trained", va="center_baseline", fontsize=7)


def column_offsets(cells: Cells, gap: float, panel: float) -> list[float]:
    """Left edges of the columns: a wider gap where no architecture straddles it."""
    inner = {column for (_, column), (_, expert) in cells.items() if expert > 0}
    offsets = [0.0]
    for column in range(1, 1 + max(column for _, column in cells)):
        offsets.append(offsets[-1] + panel + (gap if column in inner else max(gap, GROUP_GAP)))
    return offsets


def row_offsets(cells: Cells, gap: float, height: float, panel: float) -> list[float]:
    """Upper edges of the panels' rows below a height: with room for panel labels and family headings."""
    families = {row: shape.family for (row, _), (shape, _) in cells.items()}
    offsets: list[float] = []
    for row in range(len(families)):
        new = families[row] != families.get(row - 1)
        height += gap + FAMILY_GAP * new if row else 0.0
        height += LABEL + FAMILY_HEAD * new
        offsets.append(height)
        height += panel
    return offsets


def legend_corner(
    cells: Cells, lefts: Sequence[float], tops: Sequence[float], panel: float
) -> tuple[float, float] | None:
    """Left and top of the legend in the free right end of the upper rows; None where there is no room for it."""
    used = [1 + max(c for r, c in cells if r == row) for row in range(len(tops))]
    if used[0] + LEGEND_COLUMNS > max(len(lefts), 6):
        return None
    free = next((row for row, columns in enumerate(used) if columns > used[0]), len(used))
    last = free - 1 if used[0] > 1 else 0  # headings are wider than one panel
    left = [*lefts, lefts[-1] + panel + GROUP_GAP][used[0]]
    return LEFT + left, (tops[0] + tops[last] + panel - LEGEND_HEIGHT) / 2


def draw_family_head(sheet: Sheet, left: float, down: float, n: int, m: int) -> None:
    """'A  2 features, 1 hidden unit'."""
    letter = LETTERS.get((n, m))
    if letter:
        sheet.text(left, down, letter, fontsize=10.5, weight="bold")
    words = f"{n} feature{'s' if n > 1 else ''}, {m} hidden unit{'s' if m > 1 else ''}"
    sheet.text(left + (0.17 if letter else 0.0), down, words, color=QUIET)


def draw_phase_diagrams(
    sets: Sequence[Mapping[Shape, Grid]],
    score: str = "paper",
    shared_scale: bool = False,
    colours: str = "paper",
    width: float | None = None,
) -> Figure:
    """Figure 4: one set of grids in the paper's order, or two sets side by side (the first decides what is drawn).

    Every panel is coloured on its own scale, as published, or all of both sets on one. width: in inches; panels shrink
    or grow to it, and fewer stand in a row of a narrow picture.
    """
    if colours not in PHASES:
        raise InputError(f"colours {colours!r}: allowed are {', '.join(PHASES)}")
    phases = PHASES[colours]
    narrow = width is not None and width < NARROW
    places = arrange(sets[0], width=6 if len(sets) == 1 and not narrow else 3)
    cells = {(row, column + e): (shape, e) for shape, (row, column) in places.items() for e in range(shape.experts)}
    columns, rows = (1 + max(ends) for ends in ([column for _, column in cells], [row for row, _ in cells]))
    if max(columns * len(sets), rows) > MOST_PANELS:
        raise InputError(f"{columns * len(sets)} x {rows} panels: at most {MOST_PANELS} fit across or down a figure")

    shown = [{shape: grid for shape, grid in grids.items() if shape in places} for grids in sets]
    grids = [grid for side in shown for grid in side.values()]
    panels = [{shape: panels_of(grid, score) for shape, grid in side.items()} for side in shown]
    largest = [panel.largest() for side in panels for experts in side.values() for panel in experts]
    common = (max(norm for norm, _ in largest), max(superposed for _, superposed in largest))
    label_all_x = ranges_differ([grid.importance for grid in grids])
    label_all_y = ranges_differ([grid.sparsity for grid in grids])

    gap_x, gap_y = LABELLED_GAP_X if label_all_y else GAP, LABELLED_GAP_Y if label_all_x else ROW_GAP
    size = PANEL
    if width is not None:
        around = LEFT + RIGHT + len(sets) * column_offsets(cells, gap_x, 0)[-1] + (len(sets) - 1) * SIDE_GAP
        across = columns * len(sets)
        least = max(around + across * LEAST_PANEL, LEGEND_WIDTH + RIGHT)
        size = (fitted(width, own=least, least=least) - around) / across
    lefts = column_offsets(cells, gap_x, size)
    tops = row_offsets(cells, gap_y, TOP + (SIDE_HEAD if len(sets) > 1 else 0.0), size)
    side_width, panels_end = lefts[-1] + size, tops[-1] + size
    sides = [LEFT + side * (side_width + SIDE_GAP) for side in range(len(sets))]
    right, height = sides[-1] + side_width, panels_end + BOTTOM
    corner = legend_corner(cells, lefts, tops, size) if len(sets) == 1 else None
    if corner is None or (width is not None and corner[0] + LEGEND_WIDTH + RIGHT > width):  # a row of its own
        left = max(LEFT, (LEFT + right - LEGEND_WIDTH) / 2)
        corner = (left if width is None else min(left, width - RIGHT - LEGEND_WIDTH), height + 0.1)
        height = corner[1] + LEGEND_HEIGHT + 0.03
    check_size(right, height)

    with style():
        sheet = Sheet(max(right, corner[0] + LEGEND_WIDTH) + RIGHT, height)
        for side, left in enumerate(sides):
            if len(sets) > 1:
                sheet.heading(left, side)
            # Reversed: of a family's places the first one stays.
            for (n, m), (row, column) in {s.family: place for s, place in reversed(places.items())}.items():
                draw_family_head(sheet, left + lefts[column], tops[row] - LABEL - 0.06, n, m)
            for (row, column), (shape, expert) in cells.items():
                sheet.text(left + lefts[column], tops[row] - 0.04, shape.panel_label(expert))
                axes = sheet.axes(left + lefts[column], tops[row], size, size)
                cells_of_panel = None
                if shape in shown[side]:
                    panel = panels[side][shape][expert]
                    cells_of_panel = panel.colours(common if shared_scale else panel.largest(), phases)
                draw_panel(axes, shown[side].get(shape, sets[0][shape]), cells_of_panel, size < SMALL_PANEL)
                lowest = row == max(r for r, c in cells if c == column)
                leftmost = column == min(c for r, c in cells if r == row)
                axes.tick_params(labelbottom=label_all_x or lowest, labelleft=label_all_y or leftmost)
            sheet.centred(left + side_width / 2, panels_end + 0.36, "importance r of the last feature")
        sheet.y_label((tops[0] + panels_end) / 2, "feature sparsity S")
        untrained = not all(grid.trained.all() for grid in grids)
        draw_legend(sheet, *corner, score, shared_scale, untrained, phases)
    return sheet.figure


# --- Figure 8 ---------------------------------------------------------------------------------------------------------


def draw_box(axes: Axes, at: float, width: float, grid: Grid, colour: str) -> None:
    """The box of one grid's kept losses; cells without a model do not count."""
    mean = {"marker": "D", "markersize": 2.8, "markerfacecolor": "white", "markeredgecolor": INK}
    outliers = {"marker": "o", "markersize": 1.7, "markerfacecolor": colour, "markeredgewidth": 0, "alpha": 0.5}
    axes.boxplot(
        [grid.losses[grid.trained]],
        positions=[at],
        widths=width,
        patch_artist=True,
        showmeans=True,
        manage_ticks=False,
        boxprops={"facecolor": matplotlib.colors.to_rgba(colour, 0.28), "edgecolor": colour, "linewidth": 0.9},
        medianprops={"color": colour, "linewidth": 1.5},
        whiskerprops={"color": colour, "linewidth": 0.9},
        capprops={"color": colour, "linewidth": 0.9},
        meanprops={**mean, "markeredgewidth": 0.7},
        flierprops={**outliers, "rasterized": True},
    )


def draw_loss_boxes(sets: Sequence[Mapping[Shape, Grid]], colours: str = "paper", width: float | None = None) -> Figure:
    """Figure 8: a box plot of the kept training losses of each architecture; two sets side by side share the loss axis,
    and both count the load balance of dense models where one does, as the authors do."""
    sets = like_for_like(sets)
    if colours not in FAMILY_COLOURS:
        raise InputError(f"colours {colours!r}: allowed are {', '.join(FAMILY_COLOURS)}")
    tints = FAMILY_COLOURS[colours]
    shapes = in_order(sets[0])
    labels = [shape.model_label() for shape in shapes]
    slot = max(0.36 if len(sets) > 1 else 0.62, 0.075 * max(map(len, labels)))
    side_width, height, gap = max(slot * len(shapes), 3.0 / len(sets)), 2.4, 0.25
    if width is not None:
        around = LEFT + RIGHT + (len(sets) - 1) * gap
        least = max(around + len(sets) * 0.075 * max(map(len, labels)) * len(shapes), LEAST_BOXES)
        side_width = (fitted(width, own=least, least=least) - around) / len(sets)
        slot = min(side_width / len(shapes), MOST_SLOT)
    box_width = 0.52 * slot * len(shapes) / side_width
    head = SIDE_HEAD + 0.04 if len(sets) > 1 else 0.1
    absent: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "bottom", "color": FRAME, "fontsize": 6.8}
    top = 1.04 * max(np.nanmax(grids[shape].losses) for grids in sets for shape in shapes if shape in grids)
    with style():
        sheet = Sheet(LEFT + len(sets) * (side_width + gap) - gap + RIGHT, head + height + 0.64)
        for side, grids in enumerate(sets):
            left = LEFT + side * (side_width + gap)
            axes = sheet.axes(left, head, side_width, height)
            if side > 0:
                axes.sharey(sheet.figure.axes[0])
                axes.tick_params(labelleft=False)
            if len(sets) > 1:
                sheet.heading(left, side)
            for at, shape in enumerate(shapes):
                if shape in grids:
                    draw_box(axes, at, box_width, grids[shape], tints[LETTERS.get(shape.family)])
                else:
                    box: dict[str, Any] = {"facecolor": "white", "linewidth": 0, "pad": 2}
                    axes.text(at, 0.03, "not published", transform=axes.get_xaxis_transform(), bbox=box, **absent)
            axes.set(xlim=(-0.6, len(shapes) - 0.4), ylim=(0, top or 1))
            axes.set_xticks(range(len(shapes)), labels)
            axes.tick_params(axis="x", length=0, pad=4, labelsize=7.5, labelcolor=INK)
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="y", color=FAINT, linewidth=0.5)
            axes.set_axisbelow(True)
            axes.spines[["top", "right", "left"]].set_visible(False)
        middle = (LEFT + sheet.width - RIGHT) / 2
        sheet.y_label(head + height / 2, "training loss")
        sheet.centred(middle, head + height + 0.34, "model / number of experts")
        note = "box: quartiles and median · whiskers: ≤ 1.5 × box · diamond: mean"
        sheet.text(
            middle if width is None else sheet.width / 2,
            head + height + 0.53,
            note,
            ha="center",
            fontsize=6.4,
            color=QUIET,
        )
    return sheet.figure


def render(figure: Figure, kind: str, dpi: int) -> bytes:
    """The file's bytes: the same for the same figure, so without dates or versions."""
    dropped = {"png": ("Software",), "pdf": ("Creator", "Producer", "CreationDate"), "svg": ("Date", "Creator")}
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=dict.fromkeys(dropped[kind]))
    return buffer.getvalue()
