"""A map of where training works, over a learning rate of the weights and one of the biases."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from phasegrid.field.base import SAFE, Bools, Claim, Trained, Work, over_seeds, verdict
from phasegrid.field.drawing import sheet
from phasegrid.pictures.diagrams import INK
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.measures import Array
from phasegrid.pictures.style import legend_above

LINES = 17  # variants, each a largest value c
SWEEPS = tuple(f"trainability_c{line + 1:02d}" for line in range(LINES))
SLOW = 1.0  # weight rates below count as small; above it weights diverge first


def constant_loss(p: float, n: int) -> float:
    """The summed loss of the best constant output, for values in [0, 1): what a model that learned nothing has."""
    return n * (p / 3 - p**2 / 4)


def largest_value(trained: Trained, name: str) -> float:
    """c of the values in [0, c); a file says "uniform" where it is 1."""
    law = trained.open(name).config.get("data", {}).get("values", "uniform")
    if isinstance(law, dict) and "uniform" in law:
        return float(law["uniform"][1])
    if law != "uniform":
        raise InputError(f"{name}: data.values must be {{ uniform = [0, c] }}, not {law!r}")
    return 1.0


def loaded(trained: Trained) -> tuple[Array, Array, Array]:
    """Rates of the weights and of the biases (lines, rates), and losses (lines, rates, seeds) of values in [0, 1)."""
    weights, biases, losses = [], [], []
    for name in SWEEPS:
        c = largest_value(trained, name)
        rates = trained.axis(name, "learning_rate")
        weights.append(rates * c**2)
        biases.append(rates)
        losses.append(trained.grid(name, "reconstruction_losses", "learning_rate") / c**2)
    return np.stack(weights), np.stack(biases), np.stack(losses)


def trains(losses: Array, limit: float) -> Bools:
    """Whether the final loss is a number below that of the best constant output."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(losses) & (losses < limit))


def limit_of(trained: Trained) -> float:
    p = float(1 - trained.axis(SWEEPS[0], "sparsity")[0])
    n = int(np.shape(trained.open(SWEEPS[0]).arrays["expert_weights"])[-2])
    return constant_loss(p, n)


def largest(rates: Array, good: Bools) -> Array:
    """(.., seeds): the largest of rates (.., R) at which training works, from good (.., R, seeds); 0 for none."""
    return np.asarray(np.where(good, rates[..., None], 0).max(axis=-2))


def box_dimension(good: Bools) -> float:
    """Of the boundary of a map (lines, rates): the slope of log boxes that it crosses over log boxes along a side."""
    edge = np.zeros(good.shape, bool)
    edge[:-1] |= good[:-1] != good[1:]
    edge[:, :-1] |= good[:, :-1] != good[:, 1:]
    sizes = [size for size in (1, 2, 4) if min(good.shape) >= 4 * size]
    counts = []
    for size in sizes:
        rows, columns = (np.size(edge, side) // size * size for side in (0, 1))
        boxes = edge[:rows, :columns].reshape(rows // size, size, columns // size, size)
        counts.append(boxes.any(axis=(1, 3)).sum())
    if len(sizes) < 2 or min(counts) == 0:
        return math.nan
    return float(-np.polyfit(np.log(sizes), np.log(counts), 1)[0])


def values(trained: Trained) -> list[Claim]:
    weights, biases, losses = loaded(trained)
    limit, seeds = limit_of(trained), losses.shape[-1]
    good = trains(losses, limit)
    step = float(biases[0, 1] / biases[0, 0])
    # Where the weights' own rate is small on the whole line, the bias rate alone decides.
    slow = [line for line in range(len(weights)) if weights[line].max() < SLOW]
    found = over_seeds(np.exp(np.log(np.maximum(largest(biases[slow], good[slow]), 1e-9)).mean(axis=0)))
    claims = [
        Claim(
            "the largest learning rate of the biases that trains, where that of the weights is small",
            "calculated",
            1.0,
            found.value,
            found.text(3),
            seeds,
            verdict(1 / step <= found.value <= step),
            "where an output is above 0, a step changes its bias by 2 rate times the error, which overshoots by ever "
            f"more from a rate of 1 on. Within one step of the map, a factor {step:.3g}; means over {len(slow)} lines "
            f"of the map whose rate of the weights is below {SLOW:g}",
        )
    ]
    p = float(1 - trained.axis(SWEEPS[0], "sparsity")[0])
    alone = 3 / (4 * p)
    found = over_seeds(largest(weights, good).max(axis=0))
    claims.append(
        Claim(
            "the largest learning rate of the weights that trains",
            "calculated",
            f"at most {alone:.3g}",
            found.value,
            found.text(3),
            seeds,
            verdict(found.high <= alone * step),
            f"a feature alone in a direction has the curvature 8 p / 3 at its norm 1, and gradient descent is stable "
            f"up to 2 over that; interference makes it less. One step of the map, a factor {step:.3g}, is allowed",
        )
    )
    found = over_seeds(np.array([box_dimension(good[..., seed]) for seed in range(seeds)]))
    claims.append(
        Claim(
            "box dimension of the boundary between what trains and what does not",
            "none",
            None,
            found.value,
            found.text(3),
            seeds,
            "recorded",
            f"over boxes of 1, 2 and 4 cells of a map of {good.shape[0]} x {good.shape[1]}: 1 is a smooth line, more a "
            f"rough one; a zoom would need finer maps",
        )
    )
    return claims


def draw(trained: Trained) -> Figure:
    """The share of seeds that train, and the mean loss of those, each over both rates."""
    weights, biases, losses = loaded(trained)
    limit = limit_of(trained)
    good = trains(losses, limit)
    figure, grid = sheet(1, 2, 3.0, 2.6)
    with np.errstate(invalid="ignore"):
        mean = np.where(good, losses, 0).sum(axis=-1) / good.sum(axis=-1)
    seeds = losses.shape[-1]
    ramp = ListedColormap([SAFE.shared(x) for x in np.linspace(0, 1, seeds + 1)])
    norm = BoundaryNorm(np.arange(seeds + 2) - 0.5, seeds + 1)
    first = grid[0, 0].pcolormesh(weights, biases, good.sum(axis=-1), cmap=ramp, norm=norm, shading="nearest")
    second = grid[0, 1].pcolormesh(weights, biases, mean, cmap=SAFE.shared.reversed(), shading="nearest")
    for axes, shown, words in (
        (grid[0, 0], first, f"seeds of {seeds} that train"),
        (grid[0, 1], second, "mean loss of those"),
    ):
        axes.set(xscale="log", yscale="log", xlabel="learning rate of the weights", title=words)
        axes.axhline(1, color=INK, linewidth=1, linestyle="--")
        ticks = range(0, seeds + 1, max(1, seeds // 4)) if shown is first else None
        bar = figure.colorbar(shown, ax=axes, fraction=0.05, pad=0.02, ticks=ticks)
        bar.outline.set_visible(False)
    p = float(1 - trained.axis(SWEEPS[0], "sparsity")[0])
    for axes in grid[0]:
        axes.axvline(3 / (4 * p), color=INK, linewidth=1, linestyle=":")
    grid[0, 0].set_ylabel("learning rate of the biases")
    legend_above(
        figure,
        [(Line2D([], [], color=INK, linestyle="--"), "calculated limit of the biases")],
        [(Line2D([], [], color=INK, linestyle=":"), "calculated bound of the weights")],
    )
    return figure


WORK = Work(
    "trainability",
    "Where training works: a map over two learning rates",
    "After Sohl-Dickstein 2024, The boundary of neural network trainability is fractal, on toy models",
    "Full-batch gradient descent with one learning rate for the weights and one for the biases. Beyond some rates "
    "training diverges or all outputs die. The map shows where the loss falls below that of a constant; dashed and "
    "dotted lines are limits that can be calculated.",
    SWEEPS,
    values,
    draw,
)
