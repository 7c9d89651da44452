"""Memorisation against generalisation: samples, or features, on a polygon of the hidden plane."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from phasegrid.arrays import open_arrays
from phasegrid.field.base import SAFE, Bools, Claim, Trained, Work, by_seed, of_share, over_seeds, verdict
from phasegrid.field.drawing import arrows, band, hull, legend_of, log_ticks, plain, sheet
from phasegrid.pictures.diagrams import FAINT, QUIET
from phasegrid.pictures.measures import Array

SIZES = (3, 4, 5, 6, 8, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
SWEEPS = tuple(f"memorise_t{size}" for size in SIZES)
FEW = (3, 4, 5)  # samples that have room for a polygon of their own
ORIGIN = 0.2  # of the furthest sample's distance: nearer ones are at the origin
SHOWN = (5, 8, 200, 10000)  # in the picture
MOST_DOTS = 2000


def dimensionality(vectors: Array) -> Array:
    """D of vectors (.., count, m): ||v||^2 / sum over all w of (v . w / ||v||)^2, 0 for a vector of no length."""
    squares = np.square(vectors).sum(axis=-1)
    moment = np.swapaxes(vectors, -1, -2) @ vectors  # sum of w w^T: no table of all pairs
    shared = ((vectors @ moment) * vectors).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(shared > 1e-12, squares**2 / shared, 0)


def typical(vectors: Array) -> Array:
    """(..): mean dimensionality, each vector weighed by its squared length: those without one do not count."""
    weight = np.square(vectors).sum(axis=-1)
    return np.asarray((weight * dimensionality(vectors)).sum(axis=-1) / np.maximum(weight.sum(axis=-1), 1e-12))


def half_of_largest(weights: Array) -> Bools:
    """(.., n): whether a feature's norm is at least half of the largest."""
    norms = np.linalg.norm(weights, axis=-1)
    return np.asarray(norms >= norms.max(axis=-1, keepdims=True) / 2)


def corner_dimensionality(weights: Array) -> Array:
    """(..): mean dimensionality of those features among themselves."""
    large = half_of_largest(weights)
    found = dimensionality(np.where(large[..., None], weights, 0))
    return np.asarray(found.sum(axis=-1) / large.sum(axis=-1))


def points_of(trained: Trained, name: str) -> tuple[Array, Array]:
    """The samples in the hidden plane (seeds, T, 2), and the loss on them (seeds)."""
    arrays = open_arrays(trained.folder / f"{name}.points.npz")
    axes = trained.open(name).axes
    names, extents = list(axes), [len(values) for values in axes.values()]
    found = [
        by_seed(np.asarray(arrays[key], np.float64), names, extents, (), name) for key in ("points", "training_losses")
    ]
    return found[0], found[1]


def features_of(trained: Trained, name: str) -> Array:
    """W (seeds, n, 2)."""
    return trained.grid(name, "expert_weights")[:, 0]


def across_sizes(trained: Trained) -> dict[str, Array]:
    """(sizes, seeds) each: dimensionality of samples and of features, test and training loss."""
    samples, features, test, training = [], [], [], []
    for name in SWEEPS:
        points, losses = points_of(trained, name)
        samples.append(typical(points))
        features.append(typical(features_of(trained, name)))
        test.append(trained.grid(name, "reconstruction_losses"))
        training.append(losses)
    lists = {"samples": samples, "features": features, "test": test, "training": training}
    return {key: np.stack(found) for key, found in lists.items()}


def values(trained: Trained) -> list[Claim]:
    corners, left = [], 0
    for size in FEW:
        points, _ = points_of(trained, f"memorise_t{size}")
        corners.append(np.array([len(hull(one)) == size for one in points]))
        length = np.linalg.norm(points, axis=-1)
        left += int((length.min(axis=-1) < ORIGIN * length.max(axis=-1))[~corners[-1]].sum())
    claims = [
        of_share(
            f"T = {', '.join(map(str, FEW))} samples are the corners of a polygon of the hidden plane",
            "published",
            "all of them",
            np.concatenate(corners),
            0.9,
            "models whose samples are all corners of their convex hull; 9 in 10 were asked for. By T: "
            + ", ".join(f"{size}: {one.sum()} of {one.size}" for size, one in zip(FEW, corners, strict=True))
            + f". Of the others, {left} leave a sample within {ORIGIN:g} of the furthest of the origin: not learned",
        )
    ]
    found = across_sizes(trained)
    few = over_seeds(found["samples"][2] - found["features"][2])
    many = over_seeds(found["features"][-1] - found["samples"][-1])
    for words, size, gap in (
        ("samples than to features", SIZES[2], few),
        ("features than to samples", SIZES[-1], many),
    ):
        claims.append(
            Claim(
                f"T = {size}: more of a dimension goes to {words}",
                "published",
                "above 0",
                gap.value,
                gap.text(3),
                gap.count,
                verdict(gap.low > 0),
                "difference of the mean dimensionalities, weighed by squared lengths",
            )
        )
    weights = features_of(trained, SWEEPS[-1])
    last = over_seeds(corner_dimensionality(weights))
    claims.append(
        Claim(
            f"T = {SIZES[-1]}: features lie on a pentagon, D = 2/5",
            "published",
            0.4,
            last.value,
            last.text(3),
            last.count,
            verdict(abs(last.value - 0.4) <= 0.04),
            "mean dimensionality, among themselves, of the features whose norm is at least half of the largest, within "
            f"10 %; per model, there are {half_of_largest(weights).sum(axis=-1).mean():.1f}",
        )
    )
    test = np.log(found["test"])
    peak = int(np.argmax(test.mean(axis=1)[2:-1])) + 2
    gap = over_seeds(test[peak] - np.maximum(test[2], test[-1]))
    claims.append(
        Claim(
            "double descent: the test loss rises from few samples to a peak and falls to many; peak over the larger "
            "end",
            "published",
            "above 1",
            math.exp(gap.value),
            f"{math.exp(gap.low):.3g} to {math.exp(gap.high):.3g}" if math.isfinite(gap.low) else None,
            gap.count,
            verdict(gap.low > 0),
            f"ratio to the larger of the losses at T = {SIZES[2]} and {SIZES[-1]}, a geometric mean over seeds, at the "
            f"peak of their means, T = {SIZES[peak]}",
        )
    )
    return claims


def plane(axes: Axes, points: Array, reach: float) -> None:
    """Samples in the hidden plane, with their hull."""
    if len(corners := hull(points)) > 2:
        axes.add_patch(Polygon(corners, facecolor=FAINT, edgecolor=QUIET, linewidth=0.8, alpha=0.6, zorder=0.5))
    axes.plot(*points[:MOST_DOTS].T, ".", markersize=2.5, color=SAFE.series[3], alpha=0.7, markeredgewidth=0)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])


def draw(trained: Trained) -> Figure:
    """Above: features as arrows, and samples as dots, for four sizes. Below: dimensionalities and losses against T."""
    columns = len(SHOWN)
    figure, grid = sheet(3, columns, 1.5, 1.5)
    spec = grid[0, 0].get_gridspec()
    for column, size in enumerate(SHOWN):
        name = f"memorise_t{size}"
        weights, (points, _) = features_of(trained, name)[0], points_of(trained, name)
        arrows(grid[0, column], weights, polygon=False)
        grid[0, column].set(xticks=[], yticks=[])
        grid[0, column].set_title(f"T = {size:,}", fontsize=8)
        plane(grid[1, column], points[0], 1.15 * float(np.linalg.norm(points[0], axis=-1).max() or 1))
    grid[0, 0].set_ylabel("features $W_i$")
    grid[1, 0].set_ylabel("samples $W^T x$")
    for place in grid[2]:
        place.remove()
    found = across_sizes(trained)
    sizes = np.array(SIZES, np.float64)
    left = figure.add_subplot(spec[2, : columns // 2])
    band(left, sizes, found["features"], SAFE.series[0], "o", "features")
    band(left, sizes, found["samples"], SAFE.series[3], "s", "samples")
    plain(left, xlabel="samples T", ylabel="dimensionality", ylim=(0, None))
    right = figure.add_subplot(spec[2, columns // 2 :])
    band(right, sizes, found["test"], SAFE.series[2], "^", "test loss")
    band(right, sizes, found["training"], SAFE.series[4], "v", "training loss")
    plain(right, xlabel="samples T", ylabel="mean loss", ylim=(0, None))
    for axes in (left, right):
        log_ticks(axes, [3, 10, 100, 1000, 10000])
    legend_of(figure, left, right)
    return figure


WORK = Work(
    "memorise",
    "Memorisation against generalisation",
    "Henighan et al. 2023, Superposition, Memorization, and Double Descent",
    "A model with two hidden units is trained on a fixed set of T samples. With few samples it gives every sample a "
    "corner of a polygon and forgets the features; with many it gives the corners to features. In between, the test "
    "loss is highest.",
    SWEEPS,
    values,
    draw,
)
