"""The shapes of a grid's models, which axes of n_hidden, n_experts and top_k change.

Arrays have room for the largest model of the grid: NaN stands where a cell's model has no such expert or hidden unit. A
cell whose top_k is above its n_experts has no model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from phasegrid.arrays import PARTS
from phasegrid.pictures.measures import Array

Ints: TypeAlias = NDArray[np.intp]
Block: TypeAlias = tuple[int | slice, ...]  # a part of a grid, by index along each axis


class Range(NamedTuple):
    """From the least to the most of some models: "2", or "1 to 4"."""

    least: int
    most: int

    def __str__(self) -> str:
        return str(self.most) if self.least == self.most else f"{self.least} to {self.most}"

    def counted(self, what: str) -> str:
        """ "1 expert", "1 to 4 experts"."""
        return f"{self} {what}{'s' if self.most > 1 else ''}"


@dataclass(frozen=True)
class Shapes:
    """Of every cell of a grid or a block of it: E, m and k, each (cells..)."""

    experts: Ints
    hidden: Ints
    top_k: Ints
    vary: bool  # whether an axis changes any of them

    @property
    def exist(self) -> NDArray[np.bool_]:
        """(cells..): whether there are such models."""
        return np.asarray(self.top_k <= self.experts)

    def each(self, of: Callable[[Ints], Ints]) -> Shapes:
        return Shapes(of(self.experts), of(self.hidden), of(self.top_k), self.vary)

    def at(self, block: Block) -> Shapes:
        return self.each(lambda numbers: np.asarray(numbers[block]))

    def _range(self, each: Ints) -> Range:
        known = each[self.exist] if self.exist.any() else each
        return Range(int(known.min()), int(known.max()))

    @property
    def E(self) -> Range:
        return self._range(self.experts)

    @property
    def m(self) -> Range:
        return self._range(self.hidden)

    @property
    def k(self) -> Range:
        return self._range(self.top_k)

    @property
    def label(self) -> str:
        """The architecture as Figures 3 and 7 name it."""
        if self.E.most == 1:
            return f"dense, m = {self.m}"
        return f"{self.E.counted('expert')}, m = {self.m}, k = {self.k}"

    def own_experts(self, E: int) -> NDArray[np.bool_]:
        """(cells.., E): which of E experts a cell's model has."""
        return np.asarray((np.arange(E) < self.experts[..., None]) & self.exist[..., None])

    def closed(self, weights: Array) -> Array:
        """Weights (cells.., E, n, m) with 0 for the hidden units that the experts of a model do not have, which changes
        none of their measures. NaN stays where there is no such expert, and where none was trained.
        """
        if not self.vary:
            return weights
        has = self.own_experts(weights.shape[-3])[..., None, None]
        lacks = np.arange(weights.shape[-1]) >= self.hidden[..., None, None, None]
        return np.where(has & lacks, 0.0, weights)

    def crop(self, key: str, model: Array, cell: tuple[int, ...] = ()) -> Array:
        """Of a cell's part of the array `key`, what its own model has."""
        extents = {"E": int(self.experts[cell]), "m": int(self.hidden[cell])}
        return model[tuple(slice(extents.get(letter)) for letter in PARTS.get(key, ""))]
