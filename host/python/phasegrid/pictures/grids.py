"""Phase diagrams as numbers: reads result files, colours and arranges the panels.

Arrays: S sparsities, R importances of the last feature, E experts, n features, m hidden units. NaN stands for a cell
without a trained model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from phasegrid.arrays import Source, name_of, open_arrays
from phasegrid.pictures.balance import load_balance
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.measures import Array, last_norm, last_score
from phasegrid.pictures.opened import AXES

LETTERS = {(2, 1): "A", (3, 1): "B", (3, 2): "C"}  # the paper's names of (n, m)


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
    load_balance: float | None = None  # None where the file does not say: see balance.py

    @property
    def shape(self) -> Shape:
        experts, n, m = self.weights.shape[2:]
        return Shape(n, m, experts)

    @property
    def trained(self) -> NDArray[np.bool_]:
        """(S, R): the cells that hold a model."""
        return np.isfinite(self.losses)


def load_grid(source: Source) -> Grid:
    """The grid of an .npz of phasegrid or of the authors, or of results in memory. Further keys are passed over.

    Raises InputError.
    """
    dimensions = {"sparsity_values": 1, "importance_values": 1, "final_losses": 2, "expert_weights": 5}
    more = [f"{name}_values" for name in AXES if f"{name}_values" not in dimensions]
    path = name_of(source)
    try:
        arrays = open_arrays(source, (*dimensions, *more, "reconstruction_losses", "config"))
    except ValueError as error:
        raise InputError(str(error)) from None
    missing = [key for key in dimensions if key not in arrays]
    if missing:
        raise InputError(f"{path}: no key {missing[0]}; needed are {', '.join(dimensions)}")
    data = {key: np.asarray(arrays[key]) for key in dimensions}
    if further := [key.removesuffix("_values") for key in more if key in arrays]:
        raise InputError(
            f"{path}: has the axis {further[0]} too; a phase diagram has sparsity and last_importance alone: "
            "draw curves, or train one sweep for each diagram"
        )
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
    order = np.ix_(rows, columns)
    return Grid(sparsity[rows], importance[columns], losses[order], weights[order], load_balance(arrays))


def load_grids(sources: Iterable[Source]) -> dict[Shape, Grid]:
    """The grids of several results, by architecture. Raises InputError where two are of the same one."""
    grids: dict[Shape, Grid] = {}
    origin: dict[Shape, str] = {}
    for source in sources:
        grid, path = load_grid(source), name_of(source)
        if grid.shape in grids:
            first, name = origin[grid.shape], " ".join(map(str, grid.shape))
            raise InputError(f"{path}: the same architecture (n m E = {name}) as {first}; give one for each")
        grids[grid.shape], origin[grid.shape] = grid, path
    return grids


# --- Colours ---------------------------------------------------------------------------------------------


def relative(values: Array, largest: float) -> Array:
    """values / largest, and 0 where nothing is above 0; NaN stays NaN."""
    return values / largest if largest > 0 else values * 0.0


# Colours of a feature that is represented alone, and of one in superposition; one that is ignored is white.
Phases = tuple[tuple[float, float, float], tuple[float, float, float]]
PHASES: Mapping[str, Phases] = {
    "paper": ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0)),  # blue, red: the authors' notebook phase_change
    "safe": ((0.0, 0.447, 0.698), (0.835, 0.369, 0.0)),  # Okabe and Ito's blue and vermilion
}


def phase_colours(y: Array, x: Array, phases: Phases = PHASES["paper"]) -> Array:
    """Colours (..., 3) of relative norms y (...) and scores x (...) in 0 .. 1: white for y = 0, else between the two
    phases. The formula of the authors' notebook phase_change."""
    alone, superposed = (np.array(colour) for colour in phases)
    x, y = x[..., None], y[..., None]
    colours: Array = (1 - y) + y * ((1 - x) * alone + x * superposed)
    return colours


@dataclass(frozen=True)
class Panel:
    """Last feature of one expert over the grid: norm and score, each (S, R)."""

    norm: Array
    score: Array

    def largest(self) -> tuple[float, float]:
        return float(np.nanmax(self.norm)), float(np.nanmax(self.score))

    def colours(self, largest: tuple[float, float], phases: Phases = PHASES["paper"]) -> Array:
        """(S, R, 4): opaque phase colours on the scale given; clear where no model was trained."""
        y, x = relative(self.norm, largest[0]), relative(self.score, largest[1])
        trained = np.isfinite(y) & np.isfinite(x)
        rgba = np.concatenate([phase_colours(y, x, phases), np.ones((*y.shape, 1))], axis=-1)
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
        return np.asarray(values[0] + np.array([-0.5, 0.5]))
    middle = (values[:-1] + values[1:]) / 2
    return np.concatenate([[2 * values[0] - middle[0]], middle, [2 * values[-1] - middle[-1]]])


def ranges_differ(axes: Sequence[Array]) -> bool:
    """Whether the ends of some axes lie more than a cell apart, so that they cannot share tick labels."""
    edges = [cell_edges(values) for values in axes]
    cell = max(float(np.diff(edge).max()) for edge in edges)
    return any(np.ptp([edge[end] for edge in edges]) > cell for end in (0, -1))
