"""What the works of the field have in common: what was trained, claims with verdicts, and statistics over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from phasegrid.pictures.errors import InputError
from phasegrid.pictures.measures import Array
from phasegrid.pictures.opened import Opened, opened
from phasegrid.pictures.style import PALETTES, Palette

# As in host/program/reproduce/report.hpp. met, not met: against the published or calculated value within the stated
# tolerance. differs: for a reason that the note gives. recorded: nothing to hold it against.
Verdict = Literal["met", "not met", "differs", "recorded"]
Basis = Literal["published", "calculated", "none"]  # what a value is held against
Bools = NDArray[np.bool_]
SAFE: Palette = PALETTES["safe"]


@dataclass(frozen=True)
class Claim:
    """One value of a work, published or calculated, beside ours."""

    claim: str
    basis: Basis
    expected: float | str | None
    ours: float | str
    spread: str | None  # a 95 % interval
    seeds: int
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True)
class Trained:
    """The results files of a work in a folder, by the names of their sweeps."""

    folder: Path
    names: Sequence[str]
    preset: str = "paper"
    _opened: dict[str, Opened] = field(default_factory=dict, compare=False)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def open(self, name: str) -> Opened:
        if name not in self._opened:
            self._opened[name] = opened(self.path(name))
        return self._opened[name]

    def grid(self, name: str, key: str, *axes: str) -> Array:
        """An array of models (axes.., seeds, rest..): of these axes and the seed; others may have one value alone."""
        results = self.open(name)
        if key.startswith("snapshot_") and key in results.arrays:  # whose further extents differ
            values = np.asarray(results.arrays[key])
        else:
            values = results.array(key)
        return by_seed(
            values.astype(np.float64), list(results.axes), [len(v) for v in results.axes.values()], axes, name
        )

    def axis(self, name: str, axis: str) -> Array:
        values = self.open(name).axes.get(axis)
        if values is None:
            raise InputError(f"{self.path(name)}: no axis {axis}; train it with the sweep file of experiments/field")
        return values

    @cached_property
    def config(self) -> dict[str, Any]:
        return dict(self.open(self.names[0]).config)


def by_seed(values: Array, names: list[str], extents: list[int], axes: Sequence[str], place: str) -> Array:
    """Puts the axes, then the seed, first; drops the others, which must have one value."""
    wanted = [*axes, "seed"]
    for axis in wanted:
        if axis not in names:
            raise InputError(f"{place}: no axis {axis}; train it with the sweep file of experiments/field")
    for axis, extent in zip(names, extents, strict=True):
        if axis not in wanted and extent > 1:
            raise InputError(f"{place}: the axis {axis} has {extent} values, where one was expected")
    moved = np.moveaxis(values, [names.index(axis) for axis in wanted], range(len(wanted)))
    alone = tuple(range(len(wanted), len(names)))
    return np.asarray(np.squeeze(moved, axis=alone))


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, from its density by Simpson's rule and bisection."""
    constant = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)

    def above(t: float) -> float:
        x = np.linspace(0, t, 4001)
        y = constant * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
        return float(0.5 - (t / 4000) / 3 * (y[0] + y[-1] + 4 * y[1:-1:2].sum() + 2 * y[2:-1:2].sum()))

    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) > 0.025 else (low, middle)
    return low


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, or a share of them, with its 95 % interval."""

    value: float
    low: float
    high: float
    count: int

    def holds(self, expected: float, tolerance: float = 0.0) -> bool:
        """Whether the expected value lies in the interval, or the estimate within a share `tolerance` of it."""
        return self.low <= expected <= self.high or abs(self.value - expected) <= tolerance * abs(expected)

    def text(self, digits: int = 4) -> str | None:
        """The interval; None of fewer than two seeds."""
        if not math.isfinite(self.low):
            return None
        return f"{self.low:.{digits}g} to {self.high:.{digits}g}"


def over_seeds(values: Array) -> Estimate:
    """Mean of finite values and its t-interval."""
    good = values[np.isfinite(values)]
    if len(good) < 2:
        mean = float(good[0]) if len(good) else math.nan
        return Estimate(mean, math.nan, math.nan, len(good))
    mean, error = float(good.mean()), float(good.std(ddof=1)) / math.sqrt(len(good))
    half = t_quantile(len(good) - 1) * error
    return Estimate(mean, mean - half, mean + half, len(good))


def share(met: int, of: int) -> Estimate:
    """A share with Wilson's interval."""
    if of == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    z, p = 1.959964, met / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return Estimate(p, max(0.0, middle - half), min(1.0, middle + half), of)


def verdict(met: bool) -> Verdict:
    return "met" if met else "not met"


def of_share(claim: str, basis: Basis, expected: str, met: Bools, least: float, note: str) -> Claim:
    """A claim about a share of models: met where at least `least` of them are as expected."""
    count, of = int(np.sum(met)), int(np.size(met))
    if of == 0:
        return Claim(claim, basis, expected, "no such model", None, 0, "not met", note)
    found = share(count, of)
    spread = f"{100 * found.low:.0f} to {100 * found.high:.0f} %"
    return Claim(claim, basis, expected, f"{count} of {of}", spread, of, verdict(found.value >= least), note)


@dataclass(frozen=True)
class Work:
    """A work of the field: where it is from, which sweeps it trains, and what is made of them."""

    name: str
    title: str
    source: str
    about: str  # for readers, a few sentences
    sweeps: tuple[str, ...]
    values: Callable[[Trained], list[Claim]]
    draw: Callable[[Trained], Figure]
