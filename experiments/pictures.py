"""Pictures of phase diagrams: reads result files, measures the last feature, draws the paper's Figures 4 and 8.

Arrays: S sparsities, R importances of the last feature, E experts, n features, m hidden units. NaN stands for a cell
without a trained model. Nothing here touches pyplot or a display.
"""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]

SCORES = ("paper", "authors")
FORMATS = ("png", "pdf", "svg")
SIDES = ("phasegrid", "published")  # headings of two sets of files drawn side by side
LETTERS = {(2, 1): "A", (3, 1): "B", (3, 2): "C"}  # the paper's names of (n, m)
MOST_PANELS = 40  # across or down one figure


class InputError(ValueError):
    """Something a person can mend: one sentence that names the thing and what is allowed."""


# --- Result files -----------------------------------------------------------------------------------------------------


class Shape(NamedTuple):
    """An architecture."""

    n: int
    m: int
    experts: int

    @property
    def family(self) -> tuple[int, int]:
        return self.n, self.m

    def model_label(self) -> str:
        """'A/2' as in Figure 8; 'n m E' for a shape the paper does not name."""
        letter = LETTERS.get(self.family)
        return f"{letter}/{self.experts}" if letter else f"{self.n} {self.m} {self.experts}"

    def panel_label(self, expert: int) -> str:
        """'A.1/2' as in Figure 4, for expert 0 of E = 2."""
        letter = LETTERS.get(self.family)
        return f"{letter}.{expert + 1}/{self.experts}" if letter else f"{self.model_label()}: {expert + 1}"


@dataclass(frozen=True)
class Grid:
    """One trained grid: axes in ascending order, NaN in losses and weights wherever no model was kept."""

    sparsity: Array  # (S)
    importance: Array  # (R)
    losses: Array  # (S, R)
    weights: Array  # (S, R, E, n, m)

    @property
    def shape(self) -> Shape:
        experts, n, m = self.weights.shape[2:]
        return Shape(n, m, experts)

    @property
    def trained(self) -> NDArray[np.bool_]:
        """(S, R): the cells that hold a model."""
        return np.isfinite(self.losses)


def load_grid(path: str | os.PathLike[str]) -> Grid:
    """Reads an .npz of phasegrid or of the authors. Further keys are passed over. Raises InputError."""
    dimensions = {"sparsity_values": 1, "importance_values": 1, "final_losses": 2, "expert_weights": 5}
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:  # an .npy fails here: TypeError
            missing = [key for key in dimensions if key not in file.files]
            if missing:
                raise InputError(f"{path}: no key {missing[0]}; needed are {', '.join(dimensions)}")
            data = {key: file[key] for key in dimensions}
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give an .npz that phasegrid or the authors wrote") from None
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, AttributeError, TypeError, NotImplementedError):
        raise InputError(
            f"{path}: not a readable .npz of numbers; give one that phasegrid or the authors wrote"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a readable .npz") from None

    for key, array in data.items():
        if array.dtype.kind not in "fiu":
            raise InputError(f"{path}: {key} holds {array.dtype}; allowed are real numbers")
        if array.ndim != dimensions[key]:
            raise InputError(f"{path}: {key} has shape {array.shape}; it must have {dimensions[key]} dimension(s)")
    sparsity, importance, losses, weights = (array.astype(np.float64) for array in data.values())
    cells = (len(sparsity), len(importance))
    if 0 in cells:
        raise InputError(f"{path}: no cells; sparsity_values and importance_values must each hold at least one value")
    if losses.shape != cells:
        raise InputError(f"{path}: final_losses has shape {losses.shape}; it must be (S, R) = {cells}")
    if weights.shape[:2] != cells or 0 in weights.shape:
        expected = f"({cells[0]}, {cells[1]}, E, n, m)"
        raise InputError(f"{path}: expert_weights has shape {weights.shape}; it must be (S, R, E, n, m) = {expected}")
    for key, values in (("sparsity_values", sparsity), ("importance_values", importance)):
        if not np.isfinite(values).all() or len(np.unique(values)) != len(values):
            raise InputError(f"{path}: {key} must hold finite values, each once")

    trained = np.isfinite(losses) & np.isfinite(weights).all(axis=(2, 3, 4))
    if not trained.any():
        raise InputError(
            f"{path}: no cell holds a trained model; at least one finite loss with finite weights is needed"
        )
    losses = np.where(trained, losses, np.nan)
    weights = np.where(trained[:, :, None, None, None], weights, np.nan)
    rows, columns = np.argsort(sparsity), np.argsort(importance)
    return Grid(sparsity[rows], importance[columns], losses[np.ix_(rows, columns)], weights[np.ix_(rows, columns)])


def load_grids(paths: Iterable[str | os.PathLike[str]]) -> dict[Shape, Grid]:
    """The grids of several files, by architecture. Raises InputError where two files hold the same one."""
    grids: dict[Shape, Grid] = {}
    origin: dict[Shape, str] = {}
    for path in paths:
        grid = load_grid(path)
        if grid.shape in grids:
            first, name = origin[grid.shape], " ".join(map(str, grid.shape))
            raise InputError(f"{path}: the same architecture (n m E = {name}) as {first}; give one file for each")
        grids[grid.shape], origin[grid.shape] = grid, os.fspath(path)
    return grids


# --- Measures and colours ---------------------------------------------------------------------------------------------


def last_norm(weights: Array) -> Array:
    """||W_n|| of the last feature: weights (..., n, m) -> (...). Paper, section 3.2."""
    return np.linalg.norm(weights[..., -1, :], axis=-1)


def last_score(weights: Array, score: str = "paper") -> Array:
    """Superposition score of the last feature, weights (..., n, m) -> (...); 0 where W_n = 0, as Ŵ_n = W_n / ||W_n||.

    paper: sum over j != n of (Ŵ_n . W_j)^2 (caption of Figure 4). authors: the sum over all j, so ||W_n||^2 more (the
    authors' notebook, hence the published picture).
    """
    if score not in SCORES:
        raise InputError(f"score {score!r}: allowed are {', '.join(SCORES)}")
    last, norm = weights[..., -1, :], last_norm(weights)[..., None]
    unit = np.divide(last, norm, out=last.copy(), where=norm > 0)
    others = weights if score == "authors" else weights[..., :-1, :]
    return np.square(np.einsum("...m,...jm->...j", unit, others)).sum(axis=-1)


def relative(values: Array, largest: float) -> Array:
    """values / largest, and 0 where nothing is above 0; NaN stays NaN."""
    return values / largest if largest > 0 else values * 0.0


def phase_colours(y: Array, x: Array) -> Array:
    """Colours (..., 3) of relative norms y (...) and scores x (...) in 0 .. 1: white ignored, blue monosemantic, red
    superposed. The formula of the authors' notebook phase_change."""
    return np.stack([y * x + 1 - y, 1 - y, y * (1 - x) + 1 - y], axis=-1)


@dataclass(frozen=True)
class Panel:
    """Last feature of one expert over the grid: norm and score, each (S, R)."""

    norm: Array
    score: Array

    def largest(self) -> tuple[float, float]:
        return float(np.nanmax(self.norm)), float(np.nanmax(self.score))

    def colours(self, largest: tuple[float, float]) -> Array:
        """(S, R, 4): opaque phase colours on the scale given; clear where no model was trained."""
        y, x = relative(self.norm, largest[0]), relative(self.score, largest[1])
        trained = np.isfinite(y) & np.isfinite(x)
        rgba = np.concatenate([phase_colours(y, x), np.ones((*y.shape, 1))], axis=-1)
        return np.where(trained[..., None], np.clip(rgba, 0, 1), 0.0)


def panels_of(grid: Grid, score: str = "paper") -> list[Panel]:
    """One panel an expert."""
    norm, scores = last_norm(grid.weights), last_score(grid.weights, score)
    return [Panel(norm[:, :, expert], scores[:, :, expert]) for expert in range(grid.shape.experts)]


# --- Arrangement ------------------------------------------------------------------------------------------------------


def in_order(shapes: Iterable[Shape]) -> list[Shape]:
    """The paper's order: A, B, C, then other (n, m); within them by experts."""
    return sorted(shapes, key=lambda shape: (shape.family not in LETTERS, shape))


def arrange(shapes: Iterable[Shape], width: int = 6) -> dict[Shape, tuple[int, int]]:
    """(row, first column) of every architecture's panels. Every (n, m) starts a row; equal E stand below each other;
    a row holds `width` panels (or the widest architecture), so that 6 gives the paper's A, B, C in one row each."""
    ordered = in_order(shapes)
    width = max([width, *(shape.experts for shape in ordered)])
    place: dict[int, tuple[int, int]] = {}  # E -> (line within the family, column)
    line = column = 0
    for experts in sorted({shape.experts for shape in ordered}):
        if column + experts > width:
            line, column = line + 1, 0
        place[experts] = (line, column)
        column += experts
    lines = list(dict.fromkeys((shape.family, place[shape.experts][0]) for shape in ordered))
    return {shape: (lines.index((shape.family, place[shape.experts][0])), place[shape.experts][1]) for shape in ordered}


def cell_edges(values: Array) -> Array:
    """Borders (N + 1) of the cells around ascending values (N): halfway between neighbours."""
    if len(values) == 1:
        return values[0] + np.array([-0.5, 0.5])
    middle = (values[:-1] + values[1:]) / 2
    return np.concatenate([[2 * values[0] - middle[0]], middle, [2 * values[-1] - middle[-1]]])


def ranges_differ(axes: Sequence[Array]) -> bool:
    """Whether the ends of some axes lie more than a cell apart, so that they cannot share tick labels."""
    edges = [cell_edges(values) for values in axes]
    cell = max(float(np.diff(edge).max()) for edge in edges)
    return any(np.ptp([edge[end] for edge in edges]) > cell for end in (0, -1))


def axis_ticks(values: Array, parts: int) -> Array:
    """A few round values between the first and the last of ascending values."""
    low, high = values[[0, -1]]
    ticks = MaxNLocator(nbins=parts, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    return ticks if len(ticks) and low < high else values[:1]


# --- Drawing ----------------------------------------------------------------------------------------------------------

INK, QUIET, FRAME, FAINT = "#1d2330", "#5b6475", "#8a92a1", "#d5d9e0"
FAMILY_COLOURS = {"A": "#3f6fb5", "B": "#c9772f", "C": "#3c8f6c", None: "#7a7f8c"}
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same
    "font.size": 7.5,
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FRAME,
    "axes.linewidth": 0.6,
    "xtick.color": FRAME,
    "ytick.color": FRAME,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "xtick.labelsize": 6.8,
    "ytick.labelsize": 6.8,
    "xtick.major.size": 2.2,
    "ytick.major.size": 2.2,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.pad": 2.2,
    "ytick.major.pad": 2.2,
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
SQUARE_LEFT, SQUARE_WIDTH, SQUARE_HEIGHT = 0.36, 1.46, 0.74
NOTES_LEFT, NOTES_INDENT, LEGEND_WIDTH, LEGEND_HEIGHT = 1.98, 0.40, 3.14, 0.96
UNTRAINED = {"facecolor": "#e9ebee", "hatch": "//////", "edgecolor": "#b3b9c4", "linewidth": 0}


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
        self.figure.text(left / self.width, 1 - top / self.height, text, **options)

    def frame(self, left: float, top: float, width: float, height: float, **options: Any) -> None:
        corner = (left / self.width, 1 - (top + height) / self.height)
        size = (width / self.width, height / self.height)
        self.figure.add_artist(Rectangle(corner, *size, transform=self.figure.transFigure, **options))


def draw_panel(axes: Axes, grid: Grid, colours: Array | None) -> None:
    """One panel: sparsity down, importance to the right; hatched where no model was trained. Without colours only
    the axes of the grid."""
    x, y = cell_edges(grid.importance), cell_edges(grid.sparsity)
    if colours is None:
        axes.text(0.5, 0.5, "not published", ha="center", va="center", color=FRAME, transform=axes.transAxes)
        axes.spines[:].set_color(FAINT)
    else:
        if not grid.trained.all():
            axes.patch.set(**UNTRAINED)
        axes.pcolormesh(x, y, colours, rasterized=True)
    axes.set(xlim=x[[0, -1]], ylim=y[[-1, 0]])
    axes.set_xticks(axis_ticks(grid.importance, 3))
    axes.set_yticks(axis_ticks(grid.sparsity, 4))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")


def draw_legend(sheet: Sheet, left: float, top: float, score: str, shared: bool, untrained: bool) -> None:
    """Norm x score in colours, what they mean, and how panels are named: LEGEND_WIDTH x LEGEND_HEIGHT."""
    axes = sheet.axes(left + SQUARE_LEFT, top, SQUARE_WIDTH, SQUARE_HEIGHT)
    y, x = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0, 1, 128), indexing="ij")
    axes.imshow(phase_colours(y, x), origin="lower", extent=(0, 1, 0, 1), aspect="auto", interpolation="bilinear")
    for words, at, align, colour in (
        ("monosemantic", (0.03, 0.95), ("left", "top"), "white"),
        ("superposed", (0.97, 0.95), ("right", "top"), "white"),
        ("ignored", (0.5, 0.06), ("center", "bottom"), INK),
    ):
        axes.text(*at, words, ha=align[0], va=align[1], color=colour, fontsize=6.5)
    axes.set_xticks([0, 1], ["0", "max"])
    axes.set_yticks([0, 1], ["0", "max"])
    terms = {
        "paper": r"$\Sigma_{j\neq n}(\hat{W}_n\!\cdot\! W_j)^2$",
        "authors": r"$\Sigma_j(\hat{W}_n\!\cdot\! W_j)^2$",
    }
    axes.set_xlabel("score " + terms[score], labelpad=-6.5, fontsize=7)
    axes.set_ylabel(r"norm $\|W_n\|$", labelpad=-12, fontsize=7)
    notes = [
        ("n", "the last feature"),
        ("max", "of all panels" if shared else "of each panel"),
        ("X.e/E", "expert e of E"),
        *([("", "not trained")] if untrained else []),
    ]
    for index, (term, meaning) in enumerate(notes):
        start, down = left + NOTES_LEFT, top + 0.08 + index * 0.19
        if term:
            sheet.text(start, down, term, va="center_baseline", fontsize=7, weight="bold", color=QUIET)
        else:
            sheet.frame(start, down - 0.055, 0.27, 0.11, **UNTRAINED)
        sheet.text(start + NOTES_INDENT, down, meaning, va="center_baseline", fontsize=7)


def column_offsets(places: Mapping[Shape, tuple[int, int]], gap: float) -> tuple[list[float], float]:
    """Left edges of the columns, and the width of all: a wider gap where no architecture straddles it."""
    columns = max(column + shape.experts for shape, (_, column) in places.items())
    inner = {column + e for shape, (_, column) in places.items() for e in range(1, shape.experts)}
    offsets = [0.0]
    for column in range(1, columns):
        offsets.append(offsets[-1] + PANEL + (gap if column in inner else max(gap, GROUP_GAP)))
    return offsets, offsets[-1] + PANEL


def row_offsets(places: Mapping[Shape, tuple[int, int]], gap: float) -> tuple[list[float], float]:
    """Upper edges of the panels' rows, and the height of all: with room for panel labels and family headings."""
    families = {row: shape.family for shape, (row, _) in places.items()}
    offsets: list[float] = []
    height = 0.0
    for row in range(len(families)):
        new = families[row] != families.get(row - 1)
        height += gap + FAMILY_GAP * new if row else 0.0
        height += LABEL + FAMILY_HEAD * new
        offsets.append(height)
        height += PANEL
    return offsets, height


def draw_family_heads(
    sheet: Sheet, places: Mapping[Shape, tuple[int, int]], lefts: Sequence[float], tops: Sequence[float]
) -> None:
    """'A  2 features, 1 hidden unit' above the first panel of every (n, m)."""
    first: dict[tuple[int, int], tuple[int, int]] = {}
    for shape, place in places.items():
        first[shape.family] = min(place, first.get(shape.family, place))
    for (n, m), (row, column) in first.items():
        letter, left, down = LETTERS.get((n, m)), lefts[column], tops[row] - LABEL - 0.06
        if letter:
            sheet.text(left, down, letter, va="baseline", fontsize=10.5, weight="bold")
        words = f"{n} feature{'s' if n > 1 else ''}, {m} hidden unit{'s' if m > 1 else ''}"
        sheet.text(left + (0.17 if letter else 0.0), down, words, va="baseline", color=QUIET)


def draw_phase_diagrams(
    sets: Sequence[Mapping[Shape, Grid]], score: str = "paper", shared_scale: bool = False
) -> Figure:
    """Figure 4: one set of grids in the paper's order, or two sets side by side (the first decides what is drawn).

    Every panel is coloured on its own scale, as published, or all of both sets on one.
    """
    places = arrange(sets[0], width=6 if len(sets) == 1 else 3)
    shown = [{shape: grids[shape] for shape in places if shape in grids} for grids in sets]
    all_grids = [grid for grids in shown for grid in grids.values()]
    panels = [{shape: panels_of(grid, score) for shape, grid in grids.items()} for grids in shown]
    maxima = [panel.largest() for side in panels for experts in side.values() for panel in experts]
    common = (max(norm for norm, _ in maxima), max(score_ for _, score_ in maxima))
    label_all_x = ranges_differ([grid.importance for grid in all_grids])
    label_all_y = ranges_differ([grid.sparsity for grid in all_grids])
    untrained = not all(grid.trained.all() for grid in all_grids)

    with style():
        lefts, side_width = column_offsets(places, LABELLED_GAP_X if label_all_y else GAP)
        tops, rows_height = row_offsets(places, LABELLED_GAP_Y if label_all_x else ROW_GAP)
        columns, rows = len(lefts), len(tops)
        if max(columns * len(sets), rows) > MOST_PANELS:
            raise InputError(
                f"{columns * len(sets)} x {rows} panels: at most {MOST_PANELS} fit across or down a figure"
            )
        head = TOP + (SIDE_HEAD if len(sets) > 1 else 0.0)
        tops = [head + top for top in tops]
        panels_end = head + rows_height

        # The legend fills the free right end of the upper rows where there is room for it, else a row of its own.
        used = {row: max(c + s.experts for s, (r, c) in places.items() if r == row) for row in range(rows)}
        beside = len(sets) == 1 and used[0] + LEGEND_COLUMNS <= max(columns, 6)
        sides = [LEFT + side * (side_width + SIDE_GAP) for side in range(len(sets))]
        width, height = sides[-1] + side_width, panels_end + BOTTOM
        if beside:
            free = next((row for row in range(rows) if used[row] > used[0]), rows)
            free = free if used[0] > 1 else 1  # headings are wider than one panel
            legend_left = LEFT + (lefts[used[0]] if used[0] < columns else side_width + GROUP_GAP)
            legend_top = (tops[0] + tops[free - 1] + PANEL - LEGEND_HEIGHT) / 2
        else:
            legend_left, legend_top = max(LEFT, (LEFT + width - LEGEND_WIDTH) / 2), height + 0.1
            height = legend_top + LEGEND_HEIGHT + 0.03
        sheet = Sheet(max(width, legend_left + LEGEND_WIDTH) + RIGHT, height)

        for side, left in enumerate(sides):
            if len(sets) > 1:
                sheet.text(left, TOP + 0.15, SIDES[side], fontsize=11, weight="bold", va="baseline")
            draw_family_heads(sheet, places, [left + offset for offset in lefts], tops)
            for shape, (row, column) in places.items():
                for expert, at in enumerate(range(column, column + shape.experts)):
                    sheet.text(left + lefts[at], tops[row] - 0.04, shape.panel_label(expert), va="baseline")
                    axes = sheet.axes(left + lefts[at], tops[row], PANEL, PANEL)
                    colours = None
                    if shape in shown[side]:
                        panel = panels[side][shape][expert]
                        colours = panel.colours(common if shared_scale else panel.largest())
                    draw_panel(axes, shown[side].get(shape, sets[0][shape]), colours)
                    below = any(r > row and c <= at < c + s.experts for s, (r, c) in places.items())
                    before = any(r == row and c < column for r, c in places.values()) or expert > 0
                    axes.tick_params(labelbottom=label_all_x or not below, labelleft=label_all_y or not before)
            x_label = "importance r of the last feature"
            sheet.text(left + side_width / 2, panels_end + 0.36, x_label, ha="center", va="baseline", fontsize=8)
        middle = (tops[0] + panels_end) / 2
        sheet.text(0.11, middle, "feature sparsity S", rotation=90, ha="center", va="center", fontsize=8)
        draw_legend(sheet, legend_left, legend_top, score, shared_scale, untrained)
    return sheet.figure


def draw_loss_boxes(sets: Sequence[Mapping[Shape, Grid]]) -> Figure:
    """Figure 8: a box plot of the kept losses of each architecture; two sets side by side share the loss axis."""
    shapes = in_order(sets[0])
    longest = max(len(shape.model_label()) for shape in shapes)
    slot = max(0.36 if len(sets) > 1 else 0.62, 0.075 * longest)
    side_width, height = max(slot * len(shapes), 3.0 / len(sets)), 2.4
    box_width = 0.52 * slot * len(shapes) / side_width
    head = SIDE_HEAD + 0.04 if len(sets) > 1 else 0.1
    with style():
        sheet = Sheet(LEFT + len(sets) * side_width + (len(sets) - 1) * 0.25 + RIGHT, head + height + 0.64)
        first: Axes | None = None
        for side, grids in enumerate(sets):
            left = LEFT + side * (side_width + 0.25)
            axes = sheet.axes(left, head, side_width, height)
            if first is None:
                first = axes
            else:
                axes.sharey(first)
                axes.tick_params(labelleft=False)
            if len(sets) > 1:
                sheet.text(left, 0.2, SIDES[side], fontsize=11, weight="bold", va="baseline")
            for at, shape in enumerate(shapes):
                if shape in grids:
                    draw_box(axes, at, box_width, grids[shape], FAMILY_COLOURS[LETTERS.get(shape.family)])
                else:
                    axes.text(
                        at,
                        0.5,
                        "not published",
                        rotation=90,
                        ha="center",
                        va="center",
                        color=FRAME,
                        fontsize=6.8,
                        transform=axes.get_xaxis_transform(),
                        bbox={"facecolor": "white", "linewidth": 0, "pad": 2},
                    )
            axes.set(xlim=(-0.6, len(shapes) - 0.4))
            axes.set_xticks(range(len(shapes)), [shape.model_label() for shape in shapes])
            axes.tick_params(axis="x", length=0, pad=4, labelsize=7.5, labelcolor=INK)
            axes.grid(axis="y", color=FAINT, linewidth=0.5)
            axes.set_axisbelow(True)
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.tick_params(axis="y", length=0)
        sheet.text(0.11, head + height / 2, "final loss", rotation=90, ha="center", va="center", fontsize=8)
        middle = (LEFT + sheet.width - RIGHT) / 2
        sheet.text(middle, head + height + 0.34, "model X/E", ha="center", va="baseline", fontsize=8)
        note = "box: quartiles and median · whiskers: 1.5 × box · diamond: mean"
        sheet.text(middle, head + height + 0.53, note, ha="center", va="baseline", fontsize=6.4, color=QUIET)
    return sheet.figure


def draw_box(axes: Axes, at: float, width: float, grid: Grid, colour: str) -> None:
    """The box of one grid's kept losses; cells without a model do not count."""
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
        meanprops={
            "marker": "D",
            "markersize": 2.8,
            "markerfacecolor": "white",
            "markeredgecolor": INK,
            "markeredgewidth": 0.7,
        },
        flierprops={
            "marker": "o",
            "markersize": 1.4,
            "markerfacecolor": colour,
            "markeredgewidth": 0,
            "alpha": 0.35,
            "rasterized": True,
        },
    )


# --- Files ------------------------------------------------------------------------------------------------------------


def render(figure: Figure, kind: str, dpi: int) -> bytes:
    """The file's bytes: the same for the same figure, so without dates or versions."""
    dropped = {"png": ("Software",), "pdf": ("Creator", "Producer", "CreationDate"), "svg": ("Date", "Creator")}
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=dict.fromkeys(dropped[kind]))
    return buffer.getvalue()


def write_files(folder: str | os.PathLike[str], files: Mapping[str, bytes]) -> list[Path]:
    """Writes name -> bytes into the folder (made where missing), each whole or not at all. Raises InputError."""
    path = folder = Path(folder)
    staged: dict[Path, str] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            path = folder / name
            handle, staged[path] = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(staged[path], 0o644)
        for path, temporary in staged.items():
            os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); give a folder to write into") from None
    finally:
        for temporary in staged.values():
            Path(temporary).unlink(missing_ok=True)
    return list(staged)
