"""Draws phase diagrams, the paper's Figure 4 among them. Nothing here touches pyplot or a display."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from phasegrid.pictures.errors import InputError
from phasegrid.pictures.grids import (
    PHASES,
    Grid,
    Phases,
    Shape,
    arrange,
    panels_of,
    phase_colours,
)
from phasegrid.pictures.measures import SCORES, Array
from phasegrid.pictures.opened import AXES
from phasegrid.pictures.scales import ranges_differ
from phasegrid.pictures.sizes import NARROW, check_size, fitted

FORMATS = ("png", "pdf", "svg")
SIDES = ("phasegrid", "published")  # headings of two sets of results side by side, the second the authors'
NAMES = ("plain", "paper")  # of panels: what they are, or as in Figure 4
MOST_PANELS = 40  # across or down one figure

INK, QUIET, FRAME, FAINT, BLANK = "#1d2330", "#5b6475", "#8a92a1", "#d5d9e0", "#f6f7f9"
UNTRAINED = {"facecolor": "#e9ebee", "hatch": "//////", "edgecolor": "#b3b9c4", "linewidth": 0}
STARVED = {"facecolor": "none", "hatch": "\\\\\\\\\\", "edgecolor": INK, "linewidth": 0}  # over paler colours
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
SQUARE_LEFT, SQUARE_WIDTH, SQUARE_HEIGHT = 0.36, 1.46, 0.74
NOTES_LEFT, NOTES_INDENT, LEGEND_WIDTH, LEGEND_HEIGHT = 1.98, 0.40, 3.14, 0.96
STARVED_NOTE = 0.28

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

    def heading(self, left: float, title: str) -> None:
        self.text(left, 0.18, title, fontsize=11, weight="bold")

    def frame(self, left: float, top: float, width: float, height: float, **options: Any) -> None:
        corner = (left / self.width, 1 - (top + height) / self.height)
        size = (width / self.width, height / self.height)
        self.figure.add_artist(Rectangle(corner, *size, transform=self.figure.transFigure, **options))


# --- Figure 4 ---------------------------------------------------------------------------------------------------------


def outline_of(cells: NDArray[np.bool_], x: Array, y: Array) -> Outline:
    """The cells (Y, X) that are true, as one shape: x and y are the edges."""
    corners = [
        [(x[i], y[j]), (x[i + 1], y[j]), (x[i + 1], y[j + 1]), (x[i], y[j + 1]), (x[i], y[j])]
        for j, i in zip(*np.nonzero(cells), strict=True)
    ]
    codes = [Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY] * len(corners)
    return Outline(np.reshape(corners, (-1, 2)), codes)


def draw_panel(
    axes: Axes, grid: Grid, colours: Array | None, small: bool, starved: NDArray[np.bool_] | None, absent: str
) -> None:
    """One panel over the grid's axes: hatched where no model was trained, or the cell's models have no such expert, and
    otherwise where the expert is starved. Without colours only the axes of the grid."""
    x, y = grid.x.edges, grid.y.edges
    if colours is None:
        axes.text(0.5, 0.5, absent, ha="center", va="center", color=FRAME, transform=axes.transAxes)
        axes.set_facecolor(BLANK)
        axes.spines[:].set_color(FAINT)
        axes.tick_params(color=FAINT)
    else:
        if not (grid.trained.all() and (colours[..., 3] > 0).all()):
            axes.patch.set(**UNTRAINED)
        axes.pcolormesh(x, y, colours, rasterized=True)
        if starved is not None and starved.any():
            axes.add_patch(PathPatch(outline_of(starved, x, y), **STARVED))
    grid.x.put(axes, "x", 2 if small else 3)
    grid.y.put(axes, "y", 3 if small else 4)
    axes.set(xlim=x[[0, -1]], ylim=y[[-1, 0]])


@dataclass(frozen=True)
class Legend:
    """Norm x score in colours, what they mean, and how panels are named."""

    score: str
    shared: bool
    phases: Phases
    paper: bool  # whether panels are named as in Figure 4
    absent: str  # what cells without colours are; "" where there are none
    starved: bool

    @property
    def height(self) -> float:
        return LEGEND_HEIGHT + (STARVED_NOTE if self.starved else 0.0)

    def draw(self, sheet: Sheet, left: float, top: float) -> None:
        axes = sheet.axes(left + SQUARE_LEFT, top, SQUARE_WIDTH, SQUARE_HEIGHT)
        y, x = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0, 1, 128), indexing="ij")
        axes.imshow(
            phase_colours(y, x, self.phases),
            origin="lower",
            extent=(0, 1, 0, 1),
            aspect="auto",
            interpolation="bilinear",
        )
        axes.text(0.03, 0.95, "monosemantic", ha="left", va="top", color="white", fontsize=6.5)
        axes.text(0.97, 0.95, "superposed", ha="right", va="top", color="white", fontsize=6.5)
        axes.text(0.5, 0.06, "ignored", ha="center", va="bottom", fontsize=6.5)
        axes.set_xticks([0, 1], ["0", "max"])
        axes.set_yticks([0, 1], ["0", "max"])
        terms = {"paper": r"j\neq n", "authors": "j"}
        axes.set_xlabel(
            rf"score $\Sigma_{{{terms[self.score]}}}(\hat{{W}}_n\!\cdot\! W_j)^2$", labelpad=-6.5, fontsize=7
        )
        axes.set_ylabel(r"norm $\|W_n\|$", labelpad=-12, fontsize=7)

        start, down = left + NOTES_LEFT, top + 0.08
        notes = [("n", "the last feature"), ("max", "of all panels" if self.shared else "of each panel")]
        for term, meaning in notes + ([("X.e/E", "expert e of E")] if self.paper else []):
            sheet.text(start, down, term, va="center_baseline", fontsize=7, weight="bold", color=QUIET)
            sheet.text(start + NOTES_INDENT, down, meaning, va="center_baseline", fontsize=7)
            down += 0.19
        if self.absent:
            sheet.frame(start, down - 0.055, 0.27, 0.11, **UNTRAINED)
            sheet.text(start + NOTES_INDENT, down, self.absent, va="center_baseline", fontsize=7)
        if self.starved:
            down = top + LEGEND_HEIGHT + 0.05
            sheet.frame(left + SQUARE_LEFT, down - 0.055, 0.27, 0.11, **STARVED)
            for line, words in enumerate(
                ("pale, hatched: the expert is starved, it gets", "under 1 % of the non-zero inputs")
            ):
                sheet.text(left + SQUARE_LEFT + 0.33, down + 0.13 * line, words, va="center_baseline", fontsize=7)


def absent_words(grids: Collection[Grid]) -> str:
    """What the cells without colours are: not trained, without such an expert, or some of each; "" where none is."""
    words = []
    if any(grid.untrained for grid in grids):
        words.append("not trained")
    if any(grid.lacks_experts for grid in grids):
        words.append("no such expert")
    return words[0] if len(words) == 1 else "no model" if words else ""


def column_offsets(cells: Cells, gap: float, panel: float) -> list[float]:
    """Left edges of the columns: a wider gap where no architecture straddles it."""
    inner = {column for (_, column), (_, expert) in cells.items() if expert > 0}
    offsets = [0.0]
    for column in range(1, 1 + max(column for _, column in cells)):
        offsets.append(offsets[-1] + panel + (gap if column in inner else max(gap, GROUP_GAP)))
    return offsets


def row_offsets(cells: Cells, gap: float, height: float, panel: float) -> list[float]:
    """Upper edges of the panels' rows below a height: with room for panel labels and family headings."""
    families = {row: shape.row for (row, _), (shape, _) in cells.items()}
    offsets: list[float] = []
    for row in range(len(families)):
        new = families[row] != families.get(row - 1)
        height += gap + FAMILY_GAP * new if row else 0.0
        height += LABEL + FAMILY_HEAD * new
        offsets.append(height)
        height += panel
    return offsets


def legend_corner(
    cells: Cells, lefts: Sequence[float], tops: Sequence[float], panel: float, height: float
) -> tuple[float, float] | None:
    """Left and top of the legend in the free right end of the upper rows; None where there is no room for it."""
    used = [1 + max(c for r, c in cells if r == row) for row in range(len(tops))]
    if used[0] + LEGEND_COLUMNS > max(len(lefts), 6):
        return None
    free = next((row for row, columns in enumerate(used) if columns > used[0]), len(used))
    last = free - 1 if used[0] > 1 else 0  # headings are wider than one panel
    left = [*lefts, lefts[-1] + panel + GROUP_GAP][used[0]]
    return LEFT + left, (tops[0] + tops[last] + panel - height) / 2


def draw_family_head(sheet: Sheet, left: float, down: float, shape: Shape, paper: bool) -> None:
    """'3 features, 2 hidden units, seed = 1', and before it, of the paper's names, 'C'."""
    letter = shape.letter if paper else None
    if letter:
        sheet.text(left, down, letter, fontsize=10.5, weight="bold")
    n, m = shape.n, shape.ranges[0]
    words = [f"{n} feature{'s' if n > 1 else ''}", m.counted("hidden unit"), *shape.settings]
    sheet.text(left + (0.17 if letter else 0.0), down, ", ".join(words), color=QUIET)


def check_words(colours: str, score: str = SCORES[0], names: str = NAMES[0], titles: Sequence[str] = SIDES) -> None:
    """Raises InputError for a word that is none of those allowed."""
    for name, word, allowed in (
        ("colours", colours, tuple(PHASES)),
        ("score", score, SCORES),
        ("names", names, NAMES),
    ):
        if word not in allowed:
            raise InputError(f"{name} {word!r}: allowed are {', '.join(allowed)}")
    if len(titles) != 2 or not all(isinstance(title, str) for title in titles):
        raise InputError(f"titles must hold two headings, of the results and of those beside them, not {titles!r:.60}")


def draw_phase_diagrams(
    sets: Sequence[Mapping[Shape, Grid]],
    score: str = "paper",
    shared_scale: bool = False,
    colours: str = "paper",
    width: float | None = None,
    *,
    names: str = "plain",
    starved: bool = True,
    titles: Sequence[str] = SIDES,
) -> Figure:
    """One set of grids in the paper's order, or two sets side by side (the first decides what is drawn).

    Every panel is coloured on its own scale, as published, or all of both sets on one. width: in inches; panels shrink
    or grow to it, and fewer stand in a row of a narrow picture. starved: whether experts that get under 1 % of the
    inputs that are not all zero are hatched.
    """
    check_words(colours, score, names, titles)
    phases, paper = PHASES[colours], names == "paper"
    narrow = width is not None and width < NARROW
    places = arrange(sets[0], width=6 if len(sets) == 1 and not narrow else 3)
    cells = {(row, column + e): (shape, e) for shape, (row, column) in places.items() for e in range(shape.experts)}
    columns, rows = (1 + max(ends) for ends in ([column for _, column in cells], [row for row, _ in cells]))
    if max(columns * len(sets), rows) > MOST_PANELS:
        raise InputError(
            f"{columns * len(sets)} x {rows} panels: at most {MOST_PANELS} fit across or down a figure; draw fewer "
            "architectures, or fewer values of the axes that are neither down nor across"
        )

    shown = [{shape: grid for shape, grid in grids.items() if shape in places} for grids in sets]
    grids = [grid for side in shown for grid in side.values()]
    panels = [{shape: panels_of(grid, score) for shape, grid in side.items()} for side in shown]
    hungry = [{shape: grid.starved() for shape, grid in side.items()} if starved else {} for side in shown]
    largest = [panel.largest() for side in panels for experts in side.values() for panel in experts]
    common = (max(norm for norm, _ in largest), max(superposed for _, superposed in largest))
    label_all_x = ranges_differ([grid.x for grid in grids])
    label_all_y = ranges_differ([grid.y for grid in grids])
    legend = Legend(
        score,
        shared_scale,
        phases,
        paper,
        absent=absent_words(grids),
        starved=any(cells.any() for side in hungry for cells in side.values()),
    )

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
    corner = legend_corner(cells, lefts, tops, size, legend.height) if len(sets) == 1 else None
    if corner is None or (width is not None and corner[0] + LEGEND_WIDTH + RIGHT > width):  # a row of its own
        left = max(LEFT, (LEFT + right - LEGEND_WIDTH) / 2)
        corner = (left if width is None else min(left, width - RIGHT - LEGEND_WIDTH), height + 0.1)
        height = corner[1] + legend.height + 0.03
    check_size(right, height)

    with style():
        sheet = Sheet(max(right, corner[0] + LEGEND_WIDTH) + RIGHT, height)
        for side, left in enumerate(sides):
            if len(sets) > 1:
                sheet.heading(left, titles[side])
            # Reversed: of places with one heading the first one stays.
            for shape, (row, column) in {s.row: (s, at) for s, at in reversed(places.items())}.values():
                draw_family_head(sheet, left + lefts[column], tops[row] - LABEL - 0.06, shape, paper)
            for (row, column), (shape, expert) in cells.items():
                sheet.text(left + lefts[column], tops[row] - 0.04, shape.panel_label(expert, paper))
                axes = sheet.axes(left + lefts[column], tops[row], size, size)
                colours_of_panel = starved_of_panel = None
                if shape in shown[side]:
                    panel = panels[side][shape][expert]
                    starved_of_panel = hungry[side][shape][..., expert] if starved else None
                    scale = common if shared_scale else panel.largest()
                    colours_of_panel = panel.colours(scale, phases, starved_of_panel)
                absent = "not published" if titles[side] == SIDES[1] else "no results"
                grid = shown[side].get(shape, sets[0][shape])
                draw_panel(axes, grid, colours_of_panel, size < SMALL_PANEL, starved_of_panel, absent)
                lowest = row == max(r for r, c in cells if c == column)
                leftmost = column == min(c for r, c in cells if r == row)
                axes.tick_params(labelbottom=label_all_x or lowest, labelleft=label_all_y or leftmost)
            sheet.centred(left + side_width / 2, panels_end + 0.36, AXES[grids[0].x.name])
        sheet.y_label((tops[0] + panels_end) / 2, AXES[grids[0].y.name])
        legend.draw(sheet, *corner)
    return sheet.figure


def render(figure: Figure, kind: str, dpi: int) -> bytes:
    """The file's bytes: the same for the same figure, so without dates or versions."""
    dropped = {"png": ("Software",), "pdf": ("Creator", "Producer", "CreationDate"), "svg": ("Date", "Creator")}
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=dict.fromkeys(dropped[kind]))
    return buffer.getvalue()
