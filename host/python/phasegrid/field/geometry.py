"""The geometry of features: dimensionality against 1 / p, n = 400, m = 30, and the fractions that features stay at."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from phasegrid.field.base import SAFE, Basis, Claim, Trained, Work, over_seeds, verdict
from phasegrid.field.drawing import log_ticks, plain, sheet
from phasegrid.pictures.diagrams import QUIET
from phasegrid.pictures.measures import Array
from phasegrid.pictures.style import legend_above

NAME = "geometry"
THERE = 0.5  # a norm from which a feature is represented
WIDTH = 0.008  # of a fraction: half of what counts as at it; the same again on either side is beside it
# k features spread evenly over d dimensions have D = d / k each.
FRACTIONS: tuple[tuple[float, str, Basis], ...] = (
    (3 / 4, "3/4 (tetrahedra)", "published"),
    (2 / 3, "2/3 (triangles)", "published"),
    (1 / 2, "1/2 (pairs)", "published"),
    (2 / 5, "2/5 (pentagons)", "published"),
    (3 / 8, "3/8 (square antiprisms)", "published"),
)


def dimensionality(weights: Array) -> Array:
    """D_i of features (.., n, m) -> (.., n): ||W_i||^2 / sum over j of (W_i . W_j / ||W_i||)^2, NaN below THERE."""
    squares = np.square(weights).sum(axis=-1)
    shared = np.square(weights @ np.swapaxes(weights, -1, -2)).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = squares**2 / shared
    return np.where(squares >= THERE**2, found, np.nan)


def loaded(trained: Trained) -> tuple[Array, Array]:
    """1 / p (S) and weights (S, seeds, n, m)."""
    inverse = 1 / (1 - trained.axis(NAME, "sparsity"))
    return inverse, trained.grid(NAME, "expert_weights", "sparsity")[..., 0, :, :]


def share_at(dimensions: Array, fraction: float) -> Array:
    """(seeds): of the features (S, seeds, n) within 2 WIDTH of a fraction, the share within WIDTH of it; a half where
    nothing draws features to it. NaN for a seed without any."""
    distance = np.abs(dimensions - fraction)
    at, near = (distance <= WIDTH).sum(axis=(0, 2)), (distance <= 2 * WIDTH).sum(axis=(0, 2))
    return np.asarray(np.where(near > 0, at / np.maximum(near, 1), np.nan))


def values(trained: Trained) -> list[Claim]:
    inverse, weights = loaded(trained)
    dimensions = dimensionality(weights)
    seeds = weights.shape[1]
    claims = []
    for fraction, words, basis in FRACTIONS:
        found = over_seeds(share_at(dimensions, fraction))
        counts = (np.abs(dimensions - fraction) <= WIDTH).sum(axis=2).mean(axis=1)
        most = int(np.argmax(counts))
        note = (
            f"of the features within {2 * WIDTH:g} of the fraction, the share within {WIDTH:g}; a half where nothing "
            f"draws them there. Most of them, {counts[most]:.0f} per model, at 1/p = {inverse[most]:.3g}"
            if found.count
            else f"no feature lies within {2 * WIDTH:g} of it at any density"
        )
        words = f"features gather at D = {words}"
        met = verdict(found.low > 0.5)
        claims.append(Claim(words, basis, "more than 0.5", found.value, found.text(), found.count or seeds, met, note))
    per_feature = weights.shape[-1] / np.square(weights).sum(axis=(-1, -2))  # m / ||W||_F^2
    closest = int(np.argmin(np.abs(per_feature.mean(axis=1) - 0.5)))
    found = over_seeds(per_feature[closest])
    claims.append(
        Claim(
            "dimensions per feature, m / ||W||_F^2, stay at 1/2",
            "published",
            0.5,
            found.value,
            found.text(),
            seeds,
            verdict(abs(found.value - 0.5) <= 0.01),
            f"the nearest of {len(inverse)} densities, 1/p = {inverse[closest]:.3g}; within 2 %",
        )
    )
    last = over_seeds((np.linalg.norm(weights[-1], axis=-1) >= THERE).mean(axis=-1))
    claims.append(
        Claim(
            f"share of the 400 features that are represented at 1/p = {inverse[-1]:.3g}",
            "none",
            None,
            last.value,
            last.text(),
            seeds,
            "recorded",
            f"features whose norm is at least {THERE:g}",
        )
    )
    return claims


def draw(trained: Trained) -> Figure:
    """D_i of every represented feature as a dot, the fractions as lines, the mean m / ||W||_F^2 as a curve."""
    inverse, weights = loaded(trained)
    dimensions = dimensionality(weights)
    figure, grid = sheet(1, 1, 5.6, 3.4)
    axes = grid[0, 0]
    random = np.random.default_rng(0)
    for at, x in enumerate(inverse):
        found = dimensions[at, 0][np.isfinite(dimensions[at, 0])]  # of the first seed: more would hide each other
        spread = x * np.exp(random.uniform(-0.018, 0.018, len(found)))
        axes.plot(spread, found, ".", markersize=2.2, color=SAFE.series[0], alpha=0.6, markeredgewidth=0)
    for fraction, words in ((f, w.split()[0]) for f, w, _ in FRACTIONS):
        axes.axhline(fraction, color=QUIET, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0.5)
        axes.text(1.005, fraction, words, transform=axes.get_yaxis_transform(), va="center", fontsize=6.5, color=QUIET)
    per_feature = (weights.shape[-1] / np.square(weights).sum(axis=(-1, -2))).mean(axis=1)
    axes.plot(inverse, per_feature, color=SAFE.series[3], linewidth=1.3, marker="s", markersize=2.6)
    plain(axes, ylim=(0, 1), xlabel="1 / p, inverse density of the features", ylabel="dimensionality $D_i$")
    log_ticks(axes, [1, 2, 3, 5, 10, 20, 50, 100])
    legend_above(
        figure,
        [(Line2D([], [], marker=".", linestyle="none", color=SAFE.series[0]), "$D_i$ of a feature, one seed")],
        [(Line2D([], [], color=SAFE.series[3], marker="s", markersize=2.6), r"$m / ||W||_F^2$, mean over seeds")],
    )
    return figure


WORK = Work(
    NAME,
    "The geometry of features",
    "Elhage et al. 2022, Toy Models of Superposition",
    "Four hundred features of equal importance in thirty hidden units. The sparser they are, the more are represented "
    "and the less of a dimension each one has: not gradually, but staying at fractions that belong to regular shapes, "
    "such as 1/2 for pairs of opposite features and 2/5 for pentagons.",
    (NAME,),
    values,
    draw,
)
