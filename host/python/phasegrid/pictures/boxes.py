"""Box plots of the losses of kept models, the paper's Figure 8 among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasegrid.pictures.diagrams import (
    FAINT,
    FRAME,
    INK,
    LEFT,
    QUIET,
    RIGHT,
    SIDE_HEAD,
    SIDES,
    Sheet,
    check_words,
    style,
)
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.grids import Grid, Shape, in_order
from phasegrid.pictures.measures import Array
from phasegrid.pictures.sizes import fitted

# Which loss, and what the axis beside it is called. The paper's is what training minimised.
LOSSES: Mapping[str, str] = {"reconstruction": "reconstruction loss", "training": "training loss"}
FAMILY_COLOURS: Mapping[str, Mapping[str | None, str]] = {
    "paper": {"A": "#3f6fb5", "B": "#c9772f", "C": "#3c8f6c", None: "#7a7f8c"},
    "safe": {"A": "#0072b2", "B": "#e69f00", "C": "#009e73", None: "#000000"},  # of Okabe and Ito
}
LEAST_BOXES, MOST_SLOT = 3.2, 0.9  # inches: what the note below takes; room for a box
LABEL_LINE, LETTER = 0.125, 0.065  # inches


def draw_box(axes: Axes, at: float, width: float, losses: Array, colour: str) -> None:
    """The box of one grid's kept losses; cells without a model do not count."""
    mean = {"marker": "D", "markersize": 2.8, "markerfacecolor": "white", "markeredgecolor": INK}
    outliers = {"marker": "o", "markersize": 1.7, "markerfacecolor": colour, "markeredgewidth": 0, "alpha": 0.5}
    axes.boxplot(
        [losses[np.isfinite(losses)]],
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


def losses_of(grid: Grid, loss: str, beside: Sequence[Grid]) -> Array:
    """Training losses that leave out the load balance of dense models, the constant alpha, get it where those `beside`
    hold it, as the authors' do."""
    if loss == "training":
        theirs = grid.shape.experts == 1 and any(other.load_balance is None for other in beside)
        return grid.losses + grid.load_balance if theirs and grid.load_balance is not None else grid.losses
    if grid.reconstruction is None:
        raise InputError(
            f"the results of {grid.shape.model_label()} hold training losses alone, as the authors' files do; draw "
            'both by loss="training"'
        )
    return grid.reconstruction


def draw_loss_boxes(
    sets: Sequence[Mapping[Shape, Grid]],
    colours: str = "paper",
    width: float | None = None,
    *,
    loss: str = "reconstruction",
    names: str = "plain",
    titles: Sequence[str] = SIDES,
) -> Figure:
    """A box plot of the kept losses of each architecture; two sets side by side share the loss axis."""
    check_words(colours, names=names, titles=titles)
    if loss not in LOSSES:
        raise InputError(f"loss {loss!r}: allowed are {', '.join(LOSSES)}")
    tints = FAMILY_COLOURS[colours]
    shapes = in_order(sets[0])
    of_shape = {shape: [grids[shape] for grids in sets if shape in grids] for shape in {*chain(*sets)}}
    losses = [{shape: losses_of(grid, loss, of_shape[shape]) for shape, grid in grids.items()} for grids in sets]
    labels = [shape.model_label() if names == "paper" else shape.plain_label() for shape in shapes]
    letters, lines = (max(map(of, labels)) for of in (longest_line, lambda label: label.count("\n")))
    slot = max(0.36 if len(sets) > 1 else 0.62, LETTER * letters)
    side_width, height, gap = max(slot * len(shapes), 3.0 / len(sets)), 2.4, 0.25
    if width is not None:
        around = LEFT + RIGHT + (len(sets) - 1) * gap
        least = max(around + len(sets) * LETTER * letters * len(shapes), LEAST_BOXES)
        side_width = (fitted(width, own=least, least=least) - around) / len(sets)
        slot = min(side_width / len(shapes), MOST_SLOT)
    box_width = 0.52 * slot * len(shapes) / side_width
    head = SIDE_HEAD + 0.04 if len(sets) > 1 else 0.1
    absent: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "bottom", "color": FRAME, "fontsize": 6.8}
    top = 1.04 * max(np.nanmax(side[shape]) for side in losses for shape in shapes if shape in side)
    below = head + height + lines * LABEL_LINE
    with style():
        sheet = Sheet(LEFT + len(sets) * (side_width + gap) - gap + RIGHT, below + 0.64)
        for side, drawn in enumerate(losses):
            left = LEFT + side * (side_width + gap)
            axes = sheet.axes(left, head, side_width, height)
            if side > 0:
                axes.sharey(sheet.figure.axes[0])
                axes.tick_params(labelleft=False)
            if len(sets) > 1:
                sheet.heading(left, titles[side])
            for at, shape in enumerate(shapes):
                if shape in drawn:
                    draw_box(axes, at, box_width, drawn[shape], tints[shape.letter])
                else:
                    box: dict[str, Any] = {"facecolor": "white", "linewidth": 0, "pad": 2}
                    words = "not published" if titles[side] == SIDES[1] else "no results"
                    axes.text(at, 0.03, words, transform=axes.get_xaxis_transform(), bbox=box, **absent)
            axes.set(xlim=(-0.6, len(shapes) - 0.4), ylim=(0, top or 1))
            axes.set_xticks(range(len(shapes)), labels)
            axes.tick_params(axis="x", length=0, pad=4, labelsize=7.5, labelcolor=INK)
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="y", color=FAINT, linewidth=0.5)
            axes.set_axisbelow(True)
            axes.spines[["top", "right", "left"]].set_visible(False)
        middle = (LEFT + sheet.width - RIGHT) / 2
        sheet.y_label(head + height / 2, LOSSES[loss])
        sheet.centred(middle, below + 0.34, "model / number of experts" if names == "paper" else "model")
        note = "box: quartiles and median · whiskers: ≤ 1.5 × box · diamond: mean"
        left = middle if width is None else sheet.width / 2
        sheet.text(left, below + 0.53, note, ha="center", fontsize=6.4, color=QUIET)
    return sheet.figure


def longest_line(label: str) -> int:
    return max(map(len, label.split("\n")))
