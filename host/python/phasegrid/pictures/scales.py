"""The axes of a phase diagram: each is drawn on the scale on which its values are about evenly spaced, so that cells
are about equally large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from phasegrid.arrays import SHAPE_AXES
from phasegrid.pictures.measures import Array

EVEN = 1.6  # the largest step over the smallest, up to which values count as evenly spaced
ROUND = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))  # digits of the ticks of a logarithmic axis, from many to few


def evenly_spaced(values: Array) -> bool:
    steps = np.diff(values)
    return len(steps) < 2 or bool(steps.max() <= EVEN * steps.min())


@dataclass(frozen=True)
class Scale:
    """Ascending values along one side of a phase diagram.

    kind: "linear" or "log" where the values are evenly spaced there; else "cells": equally large, each named by its
    value.
    """

    name: str  # of the setting
    values: Array

    @cached_property
    def kind(self) -> Literal["linear", "log", "cells"]:
        if evenly_spaced(self.values):
            return "linear"
        return "log" if self.values[0] > 0 and evenly_spaced(np.log(self.values)) else "cells"

    @cached_property
    def edges(self) -> Array:
        """Borders (N + 1) of the cells, where they are drawn: of equal cells -0.5, 0.5 .."""
        if self.kind == "log":
            return np.exp(cell_edges(np.log(self.values)))
        return cell_edges(self.values if self.kind == "linear" else np.arange(len(self.values), dtype=float))

    def ticks(self, parts: int) -> Array:
        """About `parts` values to name, of counts those that are there; of equal cells their places."""
        some = np.unique(np.linspace(0, len(self.values) - 1, min(len(self.values), parts + 1)).round())
        if self.kind == "cells":
            return some
        if self.name in SHAPE_AXES:
            return np.asarray(self.values[some.astype(int)])
        return axis_ticks(self.values, parts) if self.kind == "linear" else log_ticks(self.values, parts)

    def _share(self, at: float) -> float:
        """How far along the side a place is, from 0 to 1."""
        first, last, at = np.log([*self.edges[[0, -1]], at]) if self.kind == "log" else (*self.edges[[0, -1]], at)
        return float((at - first) / (last - first))

    def put(self, axes: Axes, side: Literal["x", "y"], parts: int) -> None:
        """Gives the axis on that side this scale and its ticks."""
        set_scale, axis = (axes.set_xscale, axes.xaxis) if side == "x" else (axes.set_yscale, axes.yaxis)
        if self.kind == "log":
            set_scale("log")
        ticks = self.ticks(parts)
        shown = self.values[ticks.astype(int)] if self.kind == "cells" else ticks
        axis.set_major_locator(FixedLocator(ticks.tolist()))
        axis.set_major_formatter(FixedFormatter([f"{value:.4g}" for value in shown]))
        axis.set_minor_locator(NullLocator())
        if side == "x" and self.kind != "linear":  # whose labels may be wide: those at the ends stay inside
            for tick, label in zip(ticks, axis.get_ticklabels(), strict=True):
                share = self._share(tick)
                label.set_horizontalalignment("left" if share < 0.15 else "right" if share > 0.85 else "center")


def cell_edges(values: Array) -> Array:
    """Borders (N + 1) of the cells around ascending values (N): halfway between neighbours."""
    if len(values) == 1:
        return np.asarray(values[0] + np.array([-0.5, 0.5]))
    middle = (values[:-1] + values[1:]) / 2
    return np.concatenate([[2 * values[0] - middle[0]], middle, [2 * values[-1] - middle[-1]]])


def axis_ticks(values: Array, parts: int) -> Array:
    """A few round values between the first and the last of ascending values."""
    low, high = values[[0, -1]]
    ticks = MaxNLocator(nbins=parts, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    return ticks if len(ticks) and low < high else values[:1]


def log_ticks(values: Array, parts: int) -> Array:
    """A few round values between the first and the last of ascending values above 0, evenly spread over decades."""
    low, high = values[0] * (1 - 1e-9), values[-1] * (1 + 1e-9)
    decades = np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = values[[0, -1]]
    for digits in ROUND:
        candidates = np.array([digit * 10.0**decade for decade in decades for digit in digits])
        found = candidates[(candidates >= low) & (candidates <= high)]
        if len(found) >= 2:
            ticks = found
        if len(found) <= parts + 1:
            break
    stride = max(1, -(-len(ticks) // (parts + 1)))
    return np.asarray(ticks[::stride])


def ranges_differ(scales: Sequence[Scale]) -> bool:
    """Whether some axes are of other kinds, or their ends lie more than a cell apart, so that they cannot share tick
    labels."""
    kinds = {scale.kind for scale in scales}
    if len(kinds) > 1:
        return True
    if kinds == {"cells"}:
        return any(not np.array_equal(scale.values, scales[0].values) for scale in scales)
    edges = [np.log(scale.edges) if scale.kind == "log" else scale.edges for scale in scales]
    cell = max(float(np.diff(edge).max()) for edge in edges)
    return any(np.ptp([edge[end] for edge in edges]) > cell for end in (0, -1))
