"""Phase diagrams as numbers: reads result files, colours and arranges the panels.

Arrays: Y and X cells down and across, E experts, n features, m hidden units. NaN stands for a cell without a trained
model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phasegrid.arrays import SHAPE_AXES, Source, as_doubles, name_of, open_arrays
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.measures import Array, last_norm, last_score, starved_experts
from phasegrid.pictures.opened import AXES, SHORT, Opened
from phasegrid.pictures.scales import Scale
from phasegrid.pictures.shapes import Range, Shapes

LETTERS = {(2, 1): "A", (3, 1): "B", (3, 2): "C"}  # the paper's names of (n, m)


# --- Result files -----------------------------------------------------------------------------------------------------


class Shape(NamedTuple):
    """What a set of panels is of: an architecture and, of a grid with further axes, their values there. Where m, E or k
    stands down or across, the numbers are those of the largest model, and `least` holds (m, E, k) of the smallest.
    """

    n: int
    m: int
    experts: int
    top_k: int = 1
    at: tuple[tuple[str, float], ...] = ()
    least: tuple[int, ...] = ()

    @property
    def ranges(self) -> tuple[Range, Range, Range]:
        """Of m, E and k."""
        most = (self.m, self.experts, self.top_k)
        m, experts, top_k = (Range(*ends) for ends in zip(self.least or most, most, strict=True))
        return m, experts, top_k

    @property
    def one_E(self) -> bool:
        return self.ranges[1].least == self.experts

    @property
    def family(self) -> tuple[int, int]:
        return self.n, self.m

    @property
    def letter(self) -> str | None:
        """What the paper calls (n, m)."""
        return LETTERS.get(self.family) if self.ranges[0].least == self.m else None

    @property
    def row(self) -> tuple[object, ...]:
        """What those that may stand in one row have in common."""
        return self.n, self.m, self.at, self.top_k, self.least

    @property
    def settings(self) -> list[str]:
        """What a heading says beside features and hidden units: 1 to 4 experts, top 2, seed = 1."""
        experts = [] if self.one_E else [self.ranges[1].counted("expert")]
        top = [f"top {self.ranges[2]}"] if self.top_k > 1 else []
        return experts + top + [f"{SHORT[name]} = {value:.4g}" for name, value in self.at]

    def model_label(self) -> str:
        """'A/2' as in Figure 8; 'n m E' for a shape the paper does not name."""
        m, experts, _ = self.ranges
        return f"{self.letter}/{experts}" if self.letter else f"{self.n} {m} {experts}"

    def plain_label(self) -> str:
        """What it is, in lines."""
        m, experts, _ = self.ranges
        settings = self.settings if self.one_E else self.settings[1:]
        return "\n".join(["dense" if self.experts == 1 else f"E = {experts}", f"n = {self.n}", f"m = {m}", *settings])

    def panel_label(self, expert: int, paper: bool = False) -> str:
        """'expert 1 of 2', or as in Figure 4 'A.1/2', for expert 0 of E = 2; 'expert 1' where E varies."""
        if not self.one_E:
            return f"{self.letter}.{expert + 1}" if paper and self.letter else f"expert {expert + 1}"
        if paper:
            named = f"{self.letter}.{expert + 1}/{self.experts}"
            return named if self.letter else f"{self.model_label()}: {expert + 1}"
        return "dense" if self.experts == 1 else f"expert {expert + 1} of {self.experts}"


@dataclass(frozen=True)
class Grid:
    """One trained grid: axes in ascending order, NaN in losses and weights wherever no model was kept."""

    shape: Shape
    y: Scale  # downwards
    x: Scale  # to the right
    losses: Array  # (Y, X): training losses
    weights: Array  # (Y, X, E, n, m): 0 for hidden units that a model does not have
    reconstruction: Array | None = None  # (Y, X): reconstruction losses; the authors' files have none
    router: Array | None = None  # (Y, X, E, n); nor routers
    sparsities: Array | None = None  # (Y, X, n): of every feature
    load_balance: float | None = (
        None  # alpha, where training losses of a dense model leave it out: the authors' hold it
    )
    models: Shapes | None = None  # (Y, X), where not all are of one shape

    @property
    def trained(self) -> NDArray[np.bool_]:
        """(Y, X): the cells that hold a model."""
        return np.isfinite(self.losses)

    @property
    def lacks_experts(self) -> bool:
        """Whether some cells' models do not have every expert, or there is no such model."""
        return self.models is not None and not self.models.own_experts(self.shape.experts).all()

    @property
    def untrained(self) -> bool:
        """Whether some cells hold none of the models that there are."""
        return not (self.trained if self.models is None else self.trained | ~self.models.exist).all()

    def starved(self) -> NDArray[np.bool_]:
        """(Y, X, E): experts that get under 1 % of the non-zero inputs; none where routers are not known."""
        if self.router is None or self.sparsities is None:
            return np.zeros((*self.losses.shape, self.shape.experts), bool)
        top_k = self.shape.top_k if self.models is None else self.models.top_k
        return starved_experts(self.router, top_k, self.sparsities)


def load_grid(source: Source) -> list[Grid]:
    """The phase diagrams of an .npz of phasegrid or of the authors, or of results in memory: over sparsity and last
    importance or, where one of those has one value, over an axis that has more; one for each value of further axes.
    Further keys are passed over. Raises InputError.
    """
    needed = ("sparsity_values", "importance_values", "final_losses", "expert_weights")
    names = {f"{name}_values": name for name in AXES} | {"importance_values": "last_importance"}
    names.pop("last_importance_values")
    path = name_of(source)
    try:
        arrays = open_arrays(source, (*needed, *names, "reconstruction_losses", "router_weights", "config"))
    except ValueError as error:
        raise InputError(str(error)) from None
    missing = [key for key in needed if key not in arrays]
    if missing:
        raise InputError(f"{path}: no key {missing[0]}; needed are {', '.join(needed)}")
    # The two that every file has, then the others in the file's order, as the arrays' dimensions are.
    axis_keys = [*needed[:2], *(key for key in arrays if key in names and key not in needed)]
    dimensions = {key: 1 for key in axis_keys}
    dimensions |= {"final_losses": len(axis_keys), "expert_weights": len(axis_keys) + 3}
    optional = {"reconstruction_losses": len(axis_keys), "router_weights": len(axis_keys) + 2}
    dimensions |= {key: extent for key, extent in optional.items() if key in arrays}
    data: dict[str, Array] = {}
    for key, extent in dimensions.items():
        array = np.asarray(arrays[key])
        if array.dtype.kind not in "fiu":
            raise InputError(f"{path}: {key} holds {array.dtype}; allowed are real numbers")
        if array.ndim != extent:
            raise InputError(f"{path}: {key} has shape {array.shape}; it must have {extent} dimension(s)")
        data[key] = as_doubles(array)
    axes = {names[key]: data[key] for key in axis_keys}
    cells = tuple(map(len, axes.values()))
    letters = ", ".join(["S", "R", *"A" * (len(cells) - 2)])
    if 0 in cells:
        raise InputError(f"{path}: no cells; sparsity_values and importance_values must each hold at least one value")
    if data["final_losses"].shape != cells:
        shape = data["final_losses"].shape
        raise InputError(f"{path}: final_losses has shape {shape}; it must be ({letters}) = {cells}")
    weights = data["expert_weights"]
    if weights.shape[:-3] != cells or 0 in weights.shape:
        expected = f"({', '.join(map(str, cells))}, E, n, m)"
        raise InputError(
            f"{path}: expert_weights has shape {weights.shape}; it must be ({letters}, E, n, m) = {expected}"
        )
    for key, shape in (("reconstruction_losses", cells), ("router_weights", weights.shape[:-1])):
        if key in data and data[key].shape != shape:
            raise InputError(f"{path}: {key} has shape {data[key].shape}; it must be {shape}")
    for key, values in zip(axis_keys, axes.values(), strict=True):
        own_sparsities = key == "sparsity_values" and len(values) == 1  # NaN, where each feature has its own
        if (not np.isfinite(values).all() and not own_sparsities) or len(np.unique(values)) != len(values):
            raise InputError(f"{path}: {key} must hold finite values, each once")
    results = Opened(source, arrays)
    shapes = results.shapes
    data["expert_weights"] = shapes.closed(weights)
    whole = np.isfinite(data["expert_weights"]).all(axis=(-2, -1)) | ~shapes.own_experts(weights.shape[-3])
    trained = np.isfinite(data["final_losses"]) & whole.all(axis=-1) & shapes.exist
    if not trained.any():
        raise InputError(
            f"{path}: no cell holds a trained model; at least one finite loss with finite weights is needed"
        )
    fields = {key: data[key] for key in data if key not in axis_keys}
    if "router_weights" in data:
        fields["sparsities"] = results.feature_sparsities
    ours = "reconstruction_losses" in data and "load_balance" not in axes
    return _grids_of(axes, fields, trained, shapes, results.load_balance if ours else None)


def _grids_of(
    axes: Mapping[str, Array],
    data: Mapping[str, Array],
    trained: NDArray[np.bool_],
    shapes: Shapes,
    load_balance: float | None,
) -> list[Grid]:
    """A grid for each value of the axes that are neither down nor across, of which there are models."""
    down, across = sides(axes)
    order = [*(name for name in axes if name not in (down, across)), down, across]
    transposed = [list(axes).index(name) for name in order]
    rising = [np.argsort(axes[name], kind="stable") for name in order]
    values = {name: axes[name][ascending] for name, ascending in zip(order, rising, strict=True)}

    def turned(numbers: NDArray[Any]) -> NDArray[Any]:
        """(further axes.., Y, X, ..), ascending along each."""
        numbers = numbers.transpose(*transposed, *range(len(order), numbers.ndim))
        return np.asarray(numbers[np.ix_(*rising)])

    def arranged(numbers: Array) -> Array:
        """The same, NaN where there is no model."""
        known = trained.reshape(trained.shape + (1,) * (numbers.ndim - trained.ndim))
        return turned(np.where(known, numbers, np.nan))

    arrays = {key: arranged(numbers) for key, numbers in data.items()}
    models = shapes.each(turned)
    n = arrays["expert_weights"].shape[-2]
    grids = []
    for place in np.ndindex(arrays["final_losses"].shape[:-2]):
        own = models.at(place)
        if not own.exist.any():
            continue
        m, experts, top_k = own.m, own.E, own.k
        at = tuple(
            (name, float(values[name][i]))
            for name, i in zip(order, place, strict=False)
            if len(values[name]) > 1 and name not in SHAPE_AXES
        )
        ranges = (m, experts, top_k)
        least = tuple(each.least for each in ranges) if any(each.least < each.most for each in ranges) else ()
        part = {key: numbers[place] for key, numbers in arrays.items()}
        grids.append(
            Grid(
                Shape(n, m.most, experts.most, top_k.most, at, least),
                Scale(down, values[down]),
                Scale(across, values[across]),
                part["final_losses"],
                part["expert_weights"][:, :, : experts.most, :, : m.most],
                part.get("reconstruction_losses"),
                part["router_weights"][:, :, : experts.most] if "router_weights" in part else None,
                part.get("sparsities"),
                load_balance,
                own if own.vary else None,
            )
        )
    return grids


def sides(axes: Mapping[str, Array]) -> tuple[str, str]:
    """The axes that stand down and across: sparsity and last importance or, where one has one value, another that has
    more, seeds last."""
    usual = ("sparsity", "last_importance")
    rank = {name: (len(values) == 1, name not in usual, name == "seed") for name, values in axes.items()}
    one, other = sorted(rank, key=lambda name: rank[name])[:2]
    return (other, one) if other == "sparsity" or (one == "last_importance" and other != "sparsity") else (one, other)


def load_grids(sources: Iterable[Source]) -> dict[Shape, Grid]:
    """The grids of several results, by architecture. Raises InputError where two are of the same one."""
    grids: dict[Shape, Grid] = {}
    origin: dict[Shape, str] = {}
    for source in sources:
        path = name_of(source)
        for grid in load_grid(source):
            if grid.shape in grids:
                first, name = origin[grid.shape], " ".join(map(str, grid.shape[:3]))
                raise InputError(f"{path}: the same architecture (n m E = {name}) as {first}; give one for each")
            grids[grid.shape], origin[grid.shape] = grid, path
    kinds = {(grid.y.name, grid.x.name): origin[shape] for shape, grid in grids.items()}
    if len(kinds) > 1:
        (one, first), (other, second) = list(kinds.items())[:2]
        raise InputError(
            f"{second}: its axes are {' and '.join(other)}, those of {first} {' and '.join(one)}; give results of one "
            "pair of axes"
        )
    return grids


# --- Colours ---------------------------------------------------------------------------------------------


def relative(values: Array, largest: float) -> Array:
    """values / largest, and 0 where nothing is above 0; NaN stays NaN."""
    return values / largest if largest > 0 else values * 0.0


PALER = 0.4  # what a starved expert's colours keep of their distance from white
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
    """Last feature of one expert over the grid: norm and score, each (Y, X)."""

    norm: Array
    score: Array

    def largest(self) -> tuple[float, float]:
        norm, score = (np.nan_to_num(values) for values in (self.norm, self.score))
        return float(norm.max()), float(score.max())

    def colours(
        self,
        largest: tuple[float, float],
        phases: Phases = PHASES["paper"],
        starved: NDArray[np.bool_] | None = None,
    ) -> Array:
        """(Y, X, 4): opaque phase colours on the scale given; paler where `starved`, clear where no model is."""
        y, x = relative(self.norm, largest[0]), relative(self.score, largest[1])
        trained = np.isfinite(y) & np.isfinite(x)
        colours = phase_colours(y, x, phases)
        if starved is not None:
            colours = np.where(starved[..., None], 1 - PALER * (1 - colours), colours)
        rgba = np.concatenate([colours, np.ones((*y.shape, 1))], axis=-1)
        return np.where(trained[..., None], np.clip(rgba, 0, 1), 0.0)


def panels_of(grid: Grid, score: str = "paper") -> list[Panel]:
    """One panel an expert."""
    norm, scores = last_norm(grid.weights), last_score(grid.weights, score)
    return [Panel(norm[:, :, expert], scores[:, :, expert]) for expert in range(grid.shape.experts)]


# --- Arrangement ------------------------------------------------------------------------------------------------------


def in_order(shapes: Iterable[Shape]) -> list[Shape]:
    """The paper's order: A, B, C, then other (n, m); within them by further axes and k, then by experts."""
    return sorted(shapes, key=lambda shape: (shape.letter is None, *shape.row, shape.experts))


def arrange(shapes: Iterable[Shape], width: int = 6) -> dict[Shape, tuple[int, int]]:
    """(row, first column) of every architecture's panels. Every (n, m), k and value of further axes starts a row; equal
    E stand below each other; a row holds `width` panels (or the widest architecture), so that 6 gives the paper's A, B,
    C in one row each."""
    ordered = in_order(shapes)
    width = max([width, *(shape.experts for shape in ordered)])
    place: dict[int, tuple[int, int]] = {}  # E -> (line within the family, column)
    line = column = 0
    for experts in sorted({shape.experts for shape in ordered}):
        if column + experts > width:
            line, column = line + 1, 0
        place[experts] = (line, column)
        column += experts
    lines = list(dict.fromkeys((shape.row, place[shape.experts][0]) for shape in ordered))
    return {shape: (lines.index((shape.row, place[shape.experts][0])), place[shape.experts][1]) for shape in ordered}
