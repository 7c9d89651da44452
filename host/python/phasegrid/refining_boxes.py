"""A grid in boxes, each cut in half along every axis where its trained cells differ, down to single cells.

    boxes = Boxes((256, 256), 16)
    boxes.wanted                             # the corners of boxes of 16 x 16 cells, which are trained first
    boxes.cut(differ)                        # more, in boxes in whose cells `differ` finds a difference

A boundary that leaves a box through a side is followed into the next one: the cells of the side belong to both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Index = tuple[int, ...]


class Boxes:
    """`wanted` (the grid's shape): the cells that boxes have as corners, trained or still to train."""

    def __init__(self, shape: Sequence[int], width: int) -> None:
        self.shape = tuple(shape)
        self.wanted = np.zeros(self.shape, bool)
        corners = [_corners(0, extent - 1, width) for extent in self.shape]
        self._whole: list[tuple[Index, Index]] = []  # first and last cell of boxes that are not cut
        for low in itertools.product(*(range(max(1, len(at) - 1)) for at in corners)):
            ends = [(at[i], at[min(i + 1, len(at) - 1)]) for i, at in zip(low, corners, strict=True)]
            self._add(tuple(a for a, _ in ends), tuple(b for _, b in ends))

    def _add(self, first: Index, last: Index) -> None:
        self.wanted[np.ix_(*([a, b] for a, b in zip(first, last, strict=True)))] = True
        if any(b - a > 1 for a, b in zip(first, last, strict=True)):
            self._whole.append((first, last))

    def cut(self, differ: Callable[[tuple[slice, ...]], bool], most: int | None = None) -> bool:
        """Cuts every box in whose cells something differs, the largest first; at most so many cells are added. False
        where none was cut.
        """
        whole, self._whole = sorted(self._whole, key=_volume, reverse=True), []
        before, any_cut = int(self.wanted.sum()), False
        for place, (first, last) in enumerate(whole):
            if not differ(tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))):
                self._whole.append((first, last))
                continue
            known = self.wanted.copy() if most is not None else None
            boxes = len(self._whole)
            for lower, upper in _halves(first, last):
                self._add(lower, upper)
            if known is not None and most is not None and int(self.wanted.sum()) - before > most:
                self.wanted, self._whole = known, self._whole[:boxes] + whole[place:]
                return any_cut
            any_cut = True
        return any_cut


def _corners(first: int, last: int, width: int) -> list[int]:
    return sorted({*range(first, last, width), last})


def _volume(box: tuple[Index, Index]) -> int:
    return int(np.prod([b - a + 1 for a, b in zip(*box, strict=True)]))


def _halves(first: Index, last: Index) -> Iterator[tuple[Index, Index]]:
    """The box cut in the middle of every axis that has a middle."""
    sides = []
    for a, b in zip(first, last, strict=True):
        middle = (a + b) // 2
        sides.append([(a, middle), (middle, b)] if b - a > 1 else [(a, b)])
    for chosen in itertools.product(*sides):
        yield tuple(a for a, _ in chosen), tuple(b for _, b in chosen)


def parts_of(cells: NDArray[np.bool_]) -> list[tuple[NDArray[np.intp], ...]]:
    """Cells as few products of positions on each axis: rows of cells that have the same columns are one."""
    rows: dict[tuple[Index, bytes], list[int]] = {}
    for index in np.ndindex(*cells.shape[:-1]):
        if cells[index].any():
            rows.setdefault((index[:-1], np.packbits(cells[index]).tobytes()), []).append(index[-1])
    parts = []
    for (outer, columns), row in rows.items():
        chosen = np.flatnonzero(np.unpackbits(np.frombuffer(columns, np.uint8))[: cells.shape[-1]])
        parts.append((*(np.array([i]) for i in outer), np.array(row), chosen))
    return parts
