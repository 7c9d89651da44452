"""The map's models as a table: a row for each, its settings and what was measured of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from estimates import Array, Estimate, over_seeds
from match import represented_share, routing_match
from numpy.typing import NDArray

from phasegrid import Results

GROUP = 4  # neighbouring features; independent features have these groups in name alone
REPRESENTED = 0.5  # the norm from which on a feature counts as represented
ALONE = 0.2  # below this polysemanticity it is monosemantic (Table 1's threshold)
LIVE = 0.01  # share of the non-zero inputs from which on an expert counts (kStarvedShare)
SAMPLES = 1024  # inputs that measures of usage draw

# Name -> what it is; each is one number a model, over its live experts where they matter.
MEASURES = {
    "monosemantic": "share of the represented features that are monosemantic",
    "dimensionality": "mean D_i of the represented features",
    "covered": "share of the n features that a live expert represents",
    "per_dimension": "features per dimension, without the authors' 1 / k",
    "per_dimension_k": "features per dimension, with the authors' 1 / k",
    "capacity": "total capacity as a share of E m",
    "met": "mean D_i that an input with the feature meets (global feature dimensionality)",
    "log_loss": "natural log of the reconstruction loss",
    "routing_match": "match of router and groups",
    "feature_match": "match of router and single features",
    "represented_share": "share of a group's represented features that one expert represents",
    "half_dimensionality": "mean D_i of the represented features after half the steps, all experts",
    "end_dimensionality": "the same at the end",
    "half_log_loss": "log loss of the training batch after half the steps",
    "end_log_loss": "the same at the end",
}


@dataclass
class Table:
    """Columns of equal length: words, whole numbers, or a measure."""

    columns: dict[str, NDArray[np.generic]]

    def where(self, **wanted: object) -> Table:
        """The rows whose columns have the values, or one of a tuple of them."""
        keep = np.ones(len(self.columns["seed"]), bool)
        for name, value in wanted.items():
            keep &= np.isin(self.columns[name], np.array(value if isinstance(value, tuple) else [value]))
        return self.pick(keep)

    def pick(self, keep: NDArray[np.bool_]) -> Table:
        return Table({name: column[keep] for name, column in self.columns.items()})

    def numbers(self, name: str) -> Array:
        return self.columns[name].astype(float)

    def by_seed(self, measure: str) -> Array:
        """(seeds,): the mean of a measure over each seed's rows; NaN where there is none."""
        values, seeds = self.numbers(measure), self.columns["seed"]
        return np.array([mean(values[seeds == seed]) for seed in np.unique(seeds)])

    def estimate(self, measure: str) -> Estimate:
        return over_seeds(self.by_seed(measure))


def mean(values: Array) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if there.size else math.nan


def dimensionality(weights: NDArray[np.float32]) -> tuple[Array, Array]:
    """D_i and norms (.., n) of encoders (.., n, m)."""
    products = np.einsum("...im,...jm->...ij", weights, weights).astype(float)
    squares = np.diagonal(products, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return squares**2 / (products**2).sum(axis=-1), np.sqrt(squares)


def represented_mean(weights: NDArray[np.float32]) -> Array:
    """(models,): mean D_i of represented features, of encoders (models, E, n, m), NaN where a shape has no such."""
    D, norms = dimensionality(np.nan_to_num(weights))
    return np.array([mean(d[norm >= REPRESENTED]) for d, norm in zip(D, norms, strict=True)])


def rows_of(results: Results, part: str, data: str, router: str) -> Table:
    """A sweep's models. `part` is what is equal: "total" (E m) or "width" (m)."""
    trained = results.status.ravel() >= 0
    grid = np.meshgrid(*results.axes.values(), indexing="ij")
    axes = {name: values.ravel()[trained] for name, values in zip(results.axes, grid, strict=True)}
    count = int(trained.sum())

    def shape_axis(name: str) -> NDArray[np.int64]:
        return axes.get(name, np.full(count, getattr(results.sweep, name))).astype(int)

    def flat(array: NDArray[np.floating]) -> NDArray[np.floating]:
        return array.reshape((trained.size,) + array.shape[len(results.sweep.shape) :])[trained]

    E, k, m = shape_axis("n_experts"), shape_axis("top_k"), shape_axis("n_hidden")
    live = np.nan_to_num(flat(results.expert_usage(samples=SAMPLES).active)) >= LIVE
    represented = (np.nan_to_num(flat(results.feature_norms())) >= REPRESENTED) & live[..., None]
    alone = np.where(live, flat(results.monosemantic_counts(threshold=ALONE, least_norm=REPRESENTED)), 0).sum(axis=1)
    D = flat(results.feature_dimensionality())
    shared = {"samples": SAMPLES}
    halfway, end = (flat(results.snapshot_expert_weights)[:, state] for state in (0, -1))
    losses = flat(results.snapshot_reconstruction_losses)[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        measures = {
            "monosemantic": alone / represented.sum(axis=(1, 2)),
            "dimensionality": np.array([mean(d[r]) for d, r in zip(D, represented, strict=True)]),
            "covered": represented.any(axis=1).mean(axis=1),
            "per_dimension": flat(results.features_per_dimension(divide_by_k=False, **shared)),
            "per_dimension_k": flat(results.features_per_dimension(**shared)),
            "capacity": flat(results.total_capacity()) / (E * m),
            "met": np.nanmean(flat(results.global_feature_dimensionality(**shared)), axis=1),
            "log_loss": np.log(flat(results.reconstruction_losses)),
            "routing_match": matches(flat(results.router_weights), E, k, GROUP),
            "feature_match": matches(flat(results.router_weights), E, k, 1),
            "represented_share": represented_share(represented, GROUP),
            "half_dimensionality": represented_mean(halfway),
            "end_dimensionality": represented_mean(end),
            "half_log_loss": np.log(losses[:, 0]),
            "end_log_loss": np.log(losses[:, -1]),
        }
    words = {"part": part, "data": data}
    return Table(
        {name: np.full(count, word) for name, word in words.items()}
        | {"router": np.where(E == 1, "dense", router), "E": E, "k": k, "m": m}
        | {"S": np.round(axes["sparsity"], 6), "seed": axes["seed"].astype(int)}
        | {name: np.asarray(values, float) for name, values in measures.items()}
    )


def matches(routers: NDArray[np.floating], E: NDArray[np.int64], k: NDArray[np.int64], size: int) -> Array:
    """(models,): the routing match, of routers (models, largest E, n)."""
    found = np.full(len(routers), math.nan)
    for experts, top_k in {*zip(E.tolist(), k.tolist(), strict=True)}:
        rows = np.equal(E, experts) & np.equal(k, top_k)
        found[rows] = routing_match(routers[rows, :experts].astype(np.float32), top_k, size)
    return found


def map_table(sweeps: Iterable[tuple[str, Results]]) -> Table:
    """Of results by their variant's name, PART_DATA_ROUTER or PART_DATA_ROUTER_SHAPE."""
    tables = []
    for name, results in sweeps:
        part, data, router = name.split("_")[:3]
        rows = rows_of(results, part, data, router)
        # Dense models have no router, so those of one variant stand for all.
        tables.append(rows if router in ("xavier", "dense") else rows.where(router=router))
    return Table({name: np.concatenate([t.columns[name] for t in tables]) for name in tables[0].columns})
