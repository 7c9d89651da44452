"""Means over seeds with their 95 % intervals, and what an interval says of a claim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Student's t: 97.5 % quantiles for 1, 2 .. 30 degrees of freedom; the normal one beyond.
_QUANTILES = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_NORMAL = 1.960


class Estimate(NamedTuple):
    """A mean over seeds, its 95 % interval and its standard error; NaN where there are none (interval: from two on)."""

    mean: float
    low: float
    high: float
    error: float
    seeds: int

    def as_json(self) -> dict[str, Any]:
        return {name: rounded(value) for name, value in self._asdict().items()}


def over_seeds(values: Sequence[float] | Array) -> Estimate:
    """Of one number a seed; seeds without one (NaN) are left out."""
    numbers = np.asarray(values, float)
    numbers = numbers[np.isfinite(numbers)]
    count = numbers.size
    mean = float(numbers.mean()) if count else math.nan
    if count < 2:
        return Estimate(mean, math.nan, math.nan, math.nan, count)
    error = float(numbers.std(ddof=1) / math.sqrt(count))
    half = (_QUANTILES[count - 2] if count - 2 < len(_QUANTILES) else _NORMAL) * error
    return Estimate(mean, mean - half, mean + half, error, count)


def verdict(estimate: Estimate, side: int) -> str:
    """Of a claim that a number is above 0 (side 1) or below (-1): the whole interval decides."""
    low, high = (estimate.low, estimate.high) if side > 0 else (-estimate.high, -estimate.low)
    if low > 0:
        return "holds"
    return "reversed" if high < 0 else "open"


def rounded(value: Any) -> Any:
    """A number of four digits, as files and text have it: None where there is none."""
    if isinstance(value, float | np.floating):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
