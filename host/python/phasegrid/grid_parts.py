"""Parts of a sweep's grid: a part is a sweep of its own, whose models have the bits that they have in the whole.

    part = GridPart.whole(sweep)                        # every cell
    left, right = part.halves(5, 0.5, sweep.core.work())  # cut across its longest axis

What a training of the part leaves is put into the arrays of the whole, and what the whole has already taken out of it.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasegrid import _core

# The arrays of the compiled part; each begins with the cells.
ARRAYS = (
    *("reconstruction_losses", "final_losses", "all_reconstruction_losses", "all_losses"),
    *("status", "kept", "parameters", "all_parameters", "first_moments", "second_moments"),
    *("snapshot_reconstruction_losses", "snapshot_losses", "snapshot_parameters"),
)
# What results have of every restart's model: what its keys begin with in a results file, and the array.
RESTART_MODELS = {"all": "all_parameters", "first_moment": "first_moments", "second_moment": "second_moments"}
# Arrays whose last extent is that of the largest model.
MODELS = ("parameters", *RESTART_MODELS.values(), "snapshot_parameters")
_WHOLE = "loss_power"  # the axis that is never cut: which kernel trains a tiny shape depends on all of its values

Arrays = dict[str, NDArray[Any]]


class GridPart:
    """The product of chosen positions on each axis of a sweep's grid."""

    def __init__(self, sweep: _core.Sweep, chosen: Sequence[NDArray[np.intp]]) -> None:
        self.sweep = sweep
        self.chosen = tuple(chosen)

    @classmethod
    def whole(cls, sweep: _core.Sweep) -> GridPart:
        return cls(sweep, [np.arange(len(values)) for _, values in sweep.dimensions])

    @functools.cached_property
    def cells(self) -> NDArray[np.intp]:
        """Their places among all cells of the sweep, in the order of the part's own."""
        extents = tuple(len(values) for _, values in self.sweep.dimensions)
        return np.ravel_multi_index(np.ix_(*self.chosen), extents).ravel()

    @functools.cached_property
    def config(self) -> str:
        """The part as a sweep."""
        return self.config_in(self.sweep.config)

    def config_in(self, config: str) -> str:
        """That of the part, of the sweep's or of its results."""
        described = json.loads(config)
        for (name, values), at in zip(self.sweep.dimensions, self.chosen, strict=True):
            if name in described["axes"]:
                described["axes"][name] = values[at].tolist()
        return json.dumps(described)

    def halves(self, pieces: int, share: float, work: NDArray[np.float64]) -> tuple[GridPart, GridPart] | None:
        """The part in two, the first with about a `share` of its work; None where it cannot be cut.

        pieces: into how many it is to be cut in the end. work: of every cell of the sweep.
        """
        lengths = [
            len(at) if name != _WHOLE else 1 for (name, _), at in zip(self.sweep.dimensions, self.chosen, strict=True)
        ]
        axis = int(np.argmax(lengths))
        if pieces < 2 or lengths[axis] < 2:
            return None
        here = work[self.cells].reshape([len(at) for at in self.chosen])
        along = np.cumsum(here.sum(axis=tuple(i for i in range(here.ndim) if i != axis)))
        cut = 1 + int(np.argmin(np.abs(along[:-1] - share * along[-1])))
        sides = self.chosen[axis][:cut], self.chosen[axis][cut:]
        first, second = ([side if i == axis else at for i, at in enumerate(self.chosen)] for side in sides)
        return GridPart(self.sweep, first), GridPart(self.sweep, second)

    # ---------------------------------------------------------------- arrays
    def take(self, whole: Mapping[str, NDArray[Any]]) -> Arrays:
        """The part's arrays, of those of the whole."""
        room = _room(_core.parse_config(self.config))
        taken = {name: whole[name][self.cells] for name in ARRAYS}
        for name in MODELS:  # the part's largest model may be smaller
            taken[name] = np.ascontiguousarray(taken[name][..., :room])
        return taken

    def put(self, part: Mapping[str, NDArray[Any]], whole: Arrays) -> None:
        """Puts the part's arrays into those of the whole. Behind a smaller model stays the NaN that stands there."""
        for name in ARRAYS:
            if name in MODELS:
                whole[name][self.cells, ..., : part[name].shape[-1]] = part[name]
            else:
                whole[name][self.cells] = part[name]


def _room(sweep: _core.Sweep) -> int:
    """The numbers that the largest model has."""
    return sum(math.prod(extents) for _, extents in sweep.parts.values())


def arrays_of(results: _core.Results) -> Arrays:
    """Views of every array, under its name."""
    return {name: getattr(results, name) for name in ARRAYS}


def bytes_of_cell(sweep: _core.Sweep) -> int:
    """What a cell takes in the arrays, about: that of the largest model."""
    models, shots, room = sweep.restarts, len(sweep.snapshots), _room(sweep)
    numbers = 3 + models * (3 + 2 * shots) + (1 + shots) * room
    return 4 * (numbers + models * room * len(kept_of_restarts(sweep.config)))


def kept_of_restarts(config: str) -> tuple[str, ...]:
    """The keys of RESTART_MODELS that results of this config have."""
    keep: str = json.loads(config)["train"]["keep"]
    return tuple(RESTART_MODELS)[: {"all": 1, "training-state": 3}.get(keep, 0)]
