"""The registry of claims on the map: each has a statement, whose it is, a number with an interval, and a verdict that
follows from the interval alone. Those on Figure 4 stand in statements.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from estimates import Array, Estimate, over_seeds, verdict
from map_table import Table, mean

PAPER, OURS, NOTED = "paper", "ours, before the run", "ours, after the first small runs"
PARTS = {"total": "equal E m", "width": "equal m"}
DATA = ("independent", "correlated")


@dataclass(frozen=True)
class Claim:
    """A number is claimed to be above 0 (side 1) or below 0 (side -1)."""

    key: str
    statement: str
    source: str
    where: str
    estimate: Estimate
    side: int

    @property
    def verdict(self) -> str:
        return verdict(self.estimate, self.side)

    def as_json(self) -> dict[str, Any]:
        texts = {"key": self.key, "statement": self.statement, "source": self.source, "where": self.where}
        claimed = "above 0" if self.side > 0 else "below 0"
        return texts | {"claimed": claimed, "verdict": self.verdict} | self.estimate.as_json()


# ---------------------------------------------------------------- numbers of each seed
def by_seed(table: Table, number: Callable[[Table], float]) -> Array:
    """(seeds,)"""
    return np.array([number(table.where(seed=seed)) for seed in np.unique(table.columns["seed"])])


def slope(table: Table, measure: str) -> float:
    """Of a measure's mean over sparsities, per doubling of E / k; NaN where all shapes have one E / k."""
    return _slope(table, measure, np.log2(table.numbers("E") / table.numbers("k")))


def slope_over_experts(table: Table, measure: str) -> float:
    """The same per doubling of E."""
    return _slope(table, measure, np.log2(table.numbers("E")))


def _slope(table: Table, measure: str, x: Array) -> float:
    y = table.numbers(measure)
    levels = [level for level in np.unique(x) if np.isfinite(y[x == level]).any()]
    if len(levels) < 2:
        return math.nan
    return float(np.polyfit(levels, [mean(y[x == level]) for level in levels], 1)[0])


def difference(table: Table, measure: str, router: str, other: str) -> float:
    """Mean of the models of one router less that of another's."""
    return mean(table.where(router=router).numbers(measure)) - mean(table.where(router=other).numbers(measure))


def unique_shares(table: Table, measure: str = "dimensionality", match: str = "routing_match") -> tuple[float, float]:
    """Of the variance of a measure within each sparsity: what log2(E / k), and what the match, explains beyond the other
    (R^2 of a linear fit on both, less that on the other one alone)."""
    columns = [table.numbers(measure), np.log2(table.numbers("E") / table.numbers("k")), table.numbers(match)]
    there = np.all(np.isfinite(columns), axis=0)
    columns = [column[there] for column in columns]
    S = table.numbers("S")[there]
    for level in np.unique(S):
        for column in columns:
            column[S == level] -= column[S == level].mean()
    y, sparsity, fit = columns
    if y.size < 4 or not y.any():
        return math.nan, math.nan

    def explained(*by: Array) -> float:
        X = np.stack(by, axis=1)
        return 1 - float(((y - X @ np.linalg.lstsq(X, y, rcond=None)[0]) ** 2).sum() / (y**2).sum())

    both = explained(sparsity, fit)
    return both - explained(fit), both - explained(sparsity)


# ---------------------------------------------------------------- the claims
def map_claims(table: Table) -> list[Claim]:
    return [claim for part in PARTS for claim in (*_network_sparsity(table, part), *_match(table, part))]


def _network_sparsity(table: Table, part: str) -> list[Claim]:
    found = []

    def add(key: str, statement: str, source: str, rows: Table, number: Callable[[Table], float], side: int) -> None:
        where = f"{PARTS[part]}, {data} features"
        found.append(Claim(f"{part}_{data}_{key}", statement, source, where, over_seeds(by_seed(rows, number)), side))

    for data in DATA:
        rows = table.where(part=part, data=data, router=("dense", "xavier"))
        quarter = [
            row for E in (4, 8, 16) for row in np.flatnonzero((rows.columns["E"] == E) & (rows.columns["k"] == E // 4))
        ]
        alike = Table({name: column[quarter] for name, column in rows.columns.items()})
        for measure, what in (("dimensionality", "mean D_i"), ("monosemantic", "share of monosemantic features")):
            add(
                f"experts_{measure}",
                f"{what} rises with network sparsity (k = 1, E from 1 to 16; per doubling)",
                PAPER,
                rows.where(k=1),
                lambda t, m=measure: slope(t, m),
                1,
            )
            add(
                f"active_{measure}",
                f"{what} rises with network sparsity (E = 16, k from 16 to 1; per doubling)",
                PAPER,
                rows.where(E=16),
                lambda t, m=measure: slope(t, m),
                1,
            )
            add(
                f"quarter_{measure}",
                f"{what} rises with E at k / E = 1/4 (per doubling)",
                PAPER,
                alike,
                lambda t, m=measure: slope_over_experts(t, m),
                1,
            )
        for measure, what in (("per_dimension_k", "with 1 / k"), ("per_dimension", "without 1 / k")):
            add(
                f"quarter_{measure}",
                f"features per dimension fall with E at k / E = 1/4 ({what}; per doubling)",
                PAPER,
                alike,
                lambda t, m=measure: slope_over_experts(t, m),
                -1,
            )
        add(
            "quarter_loss",
            "log loss falls with E at k / E = 1/4 (per doubling)",
            PAPER,
            alike,
            lambda t: slope_over_experts(t, "log_loss"),
            -1,
        )
        add(
            "experts_loss",
            "log loss rises with network sparsity (k = 1; per doubling): what it costs",
            OURS,
            rows.where(k=1),
            lambda t: slope(t, "log_loss"),
            1,
        )
    return found  # fmt: skip


def _match(table: Table, part: str) -> list[Claim]:
    mixtures = table.where(part=part, E=(2, 4, 8, 16))
    correlated, independent = (mixtures.where(data=data) for data in ("correlated", "independent"))
    found = []

    def add(key: str, statement: str, rows: Table, number: Callable[[Table], float], side: int = 1, source: str = OURS,
            data: str = "correlated") -> None:  # fmt: skip
        where = f"{PARTS[part]}, {data} features"
        found.append(Claim(f"{part}_{data}_{key}", statement, source, where, over_seeds(by_seed(rows, number)), side))

    for measure, what in (("dimensionality", "mean D_i"), ("monosemantic", "share of monosemantic features")):
        add(f"match_{measure}", f"{what}: matched routers above mixed ones (k = 1, all E)", correlated.where(k=1),
            lambda t, m=measure: difference(t, m, "matched", "mixed"))  # fmt: skip
        add(f"match_all_k_{measure}", f"{what}: matched routers above mixed ones (all E and k)", correlated,
            lambda t, m=measure: difference(t, m, "matched", "mixed"))  # fmt: skip
    for E in (2, 4, 8, 16):
        add(f"match_E{E}", f"mean D_i: matched routers above mixed ones (k = 1, E = {E})", correlated.where(k=1, E=E),
            lambda t: difference(t, "dimensionality", "matched", "mixed"))  # fmt: skip
    add("match_loss", "log loss: matched routers below mixed ones (k = 1, all E)", correlated.where(k=1),
        lambda t: difference(t, "log_loss", "matched", "mixed"), -1)  # fmt: skip
    add(
        "match_dimensionality",
        "mean D_i: routers of single features above random ones (k = 1, all E)",
        independent.where(k=1),
        lambda t: difference(t, "dimensionality", "matched", "xavier"),
        data="independent",
    )
    for data, rows in (("correlated", correlated), ("independent", independent)):
        add("unique_sparsity", "share of the variance of mean D_i that network sparsity alone explains", rows,
            lambda t: unique_shares(t)[0], data=data)  # fmt: skip
        add("unique_match", "share of the variance of mean D_i that the match alone explains", rows,
            lambda t: unique_shares(t)[1], data=data)  # fmt: skip
    add("decides", "the match alone explains more of the variance of mean D_i than network sparsity alone", correlated,
        lambda t: unique_shares(t)[1] - unique_shares(t)[0])  # fmt: skip
    return found
