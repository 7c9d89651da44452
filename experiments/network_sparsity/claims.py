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

# Whose a claim is. The pilot: three seeds, 100 to 102, and two sparsities, 0.7 and 0.93, that showed where to look.
PAPER, OURS, LATER = "paper", "ours, before the run", "ours, after a pilot of other seeds"
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
Number = Callable[[Table, str], float]  # of a measure, over the models of one seed


def by_seed(table: Table, number: Number, measure: str) -> Array:
    """(seeds,)"""
    return np.array([number(table.where(seed=seed), measure) for seed in np.unique(table.columns["seed"])])


def slope(table: Table, measure: str) -> float:
    """Of a measure per doubling of E / k, within each sparsity; NaN where all shapes have one E / k."""
    return _slope(table, measure, np.log2(table.numbers("E") / table.numbers("k")))


def slope_over_experts(table: Table, measure: str) -> float:
    """The same per doubling of E."""
    return _slope(table, measure, np.log2(table.numbers("E")))


def _slope(table: Table, measure: str, x: Array) -> float:
    y, x = within_sparsities(table, table.numbers(measure), x)
    return float(x @ y / (x @ x)) if x.any() else math.nan


def within_sparsities(table: Table, *columns: Array) -> list[Array]:
    """Columns less their means over the models of the same sparsity, for the models that have a number in each: where
    no feature is represented there is none, which must not shift what is compared between sparsities."""
    there = np.all(np.isfinite(columns), axis=0)
    chosen, levels = [column[there].copy() for column in columns], table.numbers("S")[there]
    for level in np.unique(levels):
        for column in chosen:
            column[levels == level] -= column[levels == level].mean()
    return chosen


def above_mixed(table: Table, measure: str) -> float:
    """Models of matched routers less those of mixed ones."""
    return _difference(table, measure, "router", "matched", "mixed")


def above_random(table: Table, measure: str) -> float:
    """Models of matched routers less those of random ones."""
    return _difference(table, measure, "router", "matched", "xavier")


def above_independent(table: Table, measure: str) -> float:
    """Models of correlated features less those of independent ones."""
    return _difference(table, measure, "data", "correlated", "independent")


def _difference(table: Table, measure: str, column: str, one: str, other: str) -> float:
    """The mean over all E, k and S of which both have a number."""
    cells = list(zip(*(table.columns[name].tolist() for name in ("E", "k", "S")), strict=True))
    values, kinds = table.numbers(measure), table.columns[column]
    sides = [{c: v for c, v, kind in zip(cells, values, kinds, strict=True) if kind == side} for side in (one, other)]
    return mean(np.array([sides[0][cell] - sides[1][cell] for cell in sides[0].keys() & sides[1].keys()]))


def unique_shares(table: Table, measure: str) -> tuple[float, float, float]:
    """Of the variance of a measure within each sparsity: what log2(E / k) explains beyond the match, the match beyond
    it (R^2 of a linear fit on both, less that on the other one alone), and both together."""
    y, sparsity, fit = within_sparsities(
        table,
        table.numbers(measure),
        np.log2(table.numbers("E") / table.numbers("k")),
        table.numbers("routing_match"),
    )
    if y.size < 4 or not y.any():
        return math.nan, math.nan, math.nan

    def explained(*by: Array) -> float:
        X = np.stack(by, axis=1)
        return 1 - float(((y - X @ np.linalg.lstsq(X, y, rcond=None)[0]) ** 2).sum() / (y**2).sum())

    both = explained(sparsity, fit)
    return both - explained(fit), both - explained(sparsity), both


def unique_to_sparsity(table: Table, measure: str) -> float:
    return unique_shares(table, measure)[0]


def unique_to_match(table: Table, measure: str) -> float:
    return unique_shares(table, measure)[1]


def match_above_sparsity(table: Table, measure: str) -> float:
    sparsity, match, _ = unique_shares(table, measure)
    return match - sparsity


def explained_less_half(table: Table, measure: str) -> float:
    return unique_shares(table, measure)[2] - 0.5


# ---------------------------------------------------------------- the claims
WHAT = {"dimensionality": "mean D_i", "monosemantic": "share of monosemantic features"}
MIXTURES = (2, 4, 8, 16)


def map_claims(table: Table) -> list[Claim]:
    found: list[Claim] = []
    for part in PARTS:
        for data in DATA:
            found += _network_sparsity(table.where(part=part, data=data), part, data)
        for data in DATA:
            found += _match(table.where(part=part, data=data, E=MIXTURES), part, data)
        add = _Register(part, "correlated")
        rows = table.where(part=part, router=("dense", "xavier"))
        text = "mean D_i: correlated features below independent ones (random routers, all E and k)"
        add("data", text, rows, above_independent, "dimensionality", -1, LATER)
        found += add.claims
    return found


class _Register:
    """Makes the claims of one part and kind of data."""

    def __init__(self, part: str, data: str) -> None:
        self.prefix, self.where = f"{part}_{data}", f"{PARTS[part]}, {data} features"
        self.claims: list[Claim] = []

    def __call__(
        self, key: str, statement: str, rows: Table, number: Number, measure: str, side: int = 1, source: str = OURS
    ) -> None:
        estimate = over_seeds(by_seed(rows, number, measure))
        self.claims.append(Claim(f"{self.prefix}_{key}", statement, source, self.where, estimate, side))


def _network_sparsity(table: Table, part: str, data: str) -> list[Claim]:
    """Of models with random routers, and dense ones."""
    add = _Register(part, data)
    rows = table.where(router=("dense", "xavier"))
    one, widest = rows.where(k=1), rows.where(E=16)
    quarter = rows.pick(np.equal(rows.columns["E"], 4 * rows.numbers("k")))
    for measure, what in WHAT.items():
        text = f"{what} rises with network sparsity"
        add(f"experts_{measure}", f"{text} (k = 1, E from 1 to 16; per doubling)", one, slope, measure, 1, PAPER)
        add(f"active_{measure}", f"{text} (E = 16, k from 16 to 1; per doubling)", widest, slope, measure, 1, PAPER)
        text = f"{what} rises with E at k / E = 1/4 (per doubling)"
        add(f"quarter_{measure}", text, quarter, slope_over_experts, measure, 1, PAPER)
    for measure, what in (("per_dimension_k", "with 1 / k"), ("per_dimension", "without 1 / k")):
        text = f"features per dimension fall with E at k / E = 1/4 ({what}; per doubling)"
        add(f"quarter_{measure}", text, quarter, slope_over_experts, measure, -1, PAPER)
    text = "log loss falls with E at k / E = 1/4 (per doubling)"
    add("quarter_loss", text, quarter, slope_over_experts, "log_loss", -1, PAPER)
    add("experts_loss", "log loss rises with network sparsity (k = 1; per doubling)", one, slope, "log_loss")
    text = "D_i that an input with the feature meets falls with network sparsity (E = 16, k from 16 to 1; per doubling)"
    add("active_met", text, widest, slope, "met", -1, LATER)
    return add.claims


def _match(table: Table, part: str, data: str) -> list[Claim]:
    """Of mixtures. Independent features have groups in name alone, and no mixed routers: there the match is that of
    single features, and what the groups' match explains is a control.
    """
    add = _Register(part, data)
    one = table.where(k=1)
    if data == "correlated":
        for measure, what in WHAT.items():
            text = f"{what}: matched routers above mixed ones"
            add(f"match_{measure}", f"{text} (k = 1, all E)", one, above_mixed, measure)
            add(f"match_all_k_{measure}", f"{text} (all E and k)", table, above_mixed, measure)
        for E in MIXTURES:
            text = f"mean D_i: matched routers above mixed ones (k = 1, E = {E})"
            add(f"match_E{E}", text, one.where(E=E), above_mixed, "dimensionality")
        add("match_loss", "log loss: matched routers below mixed ones (k = 1, all E)", one, above_mixed, "log_loss", -1)
        text = "the match alone explains more of the variance of mean D_i than network sparsity alone"
        add("decides", text, table, match_above_sparsity, "dimensionality")
    else:
        text = "mean D_i: routers that each give an expert features of its own above random ones (k = 1, all E)"
        add("match_dimensionality", text, one, above_random, "dimensionality")
    text = "share of the variance of mean D_i that {} alone explains"
    add("unique_sparsity", text.format("network sparsity"), table, unique_to_sparsity, "dimensionality")
    add("unique_match", text.format("the match"), table, unique_to_match, "dimensionality")
    text = "both together explain less than half of the variance of mean D_i (share, less 0.5)"
    add("both", text, table, explained_less_half, "dimensionality", -1, LATER)
    return add.claims
