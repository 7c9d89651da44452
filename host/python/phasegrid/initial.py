"""Models that a training starts at, as train(initial=...) takes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasegrid import _core
from phasegrid.arrays import SHAPE_AXES
from phasegrid.results import Results
from phasegrid.text import shown

Initial: TypeAlias = Results | Mapping[str, ArrayLike]

# The mathematics' names of the parts of a model.
_NAMES = {"W": "expert_weights", "D": "decoder_weights", "b": "biases", "G": "router_weights"}
_SHAPES = [name for name, extent in SHAPE_AXES.items() if extent]  # which change a model's parameters


def starting_models(
    initial: Initial | Sequence[Initial] | None, sweeps: Sequence[_core.Sweep], single: bool
) -> list[NDArray[np.float32]]:
    """The parameters of each sweep's models, one model after the other; none where `initial` is None."""
    if initial is None:
        return []
    entries: Sequence[Any] = [initial] if single else list(initial) if isinstance(initial, Sequence) else [initial]
    if len(entries) != len(sweeps):
        raise ValueError(f"initial must have one entry a sweep, {len(sweeps)}, not {len(entries)}")
    return [_models_of(entry, sweep) for entry, sweep in zip(entries, sweeps, strict=True)]


def _models_of(entry: object, sweep: _core.Sweep) -> NDArray[np.float32]:
    parts = sweep.parts
    if isinstance(entry, Results):
        if entry.core.parts != parts:
            raise ValueError(f"initial has models of {_said(entry.core.parts)}; the sweep's have {_said(parts)}")
        return np.ascontiguousarray(_over_grid(entry.core, sweep), np.float32).ravel()
    if not isinstance(entry, Mapping):
        raise ValueError(f"initial must be Results or a mapping of arrays, not {shown(entry)}")
    for name, values in sweep.dimensions:
        if name in _SHAPES and len(values) > 1:
            raise ValueError(
                f"initial is one model, and the sweep has models of {name} = {values.tolist()}; give results of the "
                "same axis"
            )
    arrays = {_NAMES.get(name, name): np.asarray(array, np.float32) for name, array in entry.items()}
    if unknown := [name for name in arrays if name not in parts]:
        raise ValueError(f"initial has {shown(unknown[0])}; a model of this sweep has {_said(parts)}")
    model = []
    for name, (_, extents) in parts.items():
        array = arrays.get(name)
        if array is None and name == "router_weights" and extents[0] == 1:
            array = np.zeros(extents, np.float32)  # of the dense model, which no input meets
        if array is None:
            raise ValueError(f"initial has no {_letter(name)}; a model of this sweep has {_said(parts)}")
        shapes = {extents, extents[1:]} if extents[0] == 1 else {extents}
        if array.shape not in shapes:
            raise ValueError(f"initial[{_letter(name)!r}] must be of shape {extents}, not {array.shape}")
        model.append(array.reshape(math.prod(extents)))
    return np.concatenate(model)


def _over_grid(given: _core.Results, sweep: _core.Sweep) -> NDArray[np.float32]:
    """Models of another grid, each for all cells of the axes that it does not have."""
    theirs = {name: len(values) for name, values in given.sweep.dimensions}
    ours = {name: len(values) for name, values in sweep.dimensions}
    for name, extent in theirs.items():
        if extent not in (1, ours.get(name, 1)):
            raise ValueError(f"initial has {extent} values of {name} and the sweep {ours.get(name, 1)}")
    for name in _SHAPES:
        theirs_of, ours_of = (dict(s.dimensions).get(name, [getattr(s, name)]) for s in (given.sweep, sweep))
        if not np.array_equal(theirs_of, ours_of):
            raise ValueError(
                f"initial has models of {name} = {_listed(theirs_of)}; the sweep has those of {_listed(ours_of)}: both "
                "must be the same"
            )
    models = given.parameters.reshape(*(theirs.get(name, 1) for name in ours), -1)
    return np.broadcast_to(models, (*ours.values(), models.shape[-1]))


def _listed(values: ArrayLike) -> str:
    """ "2", or "1, 2, 4"."""
    return ", ".join(f"{value:g}" for value in np.asarray(values))


def _letter(name: str) -> str:
    return next(letter for letter, part in _NAMES.items() if part == name)


def _said(parts: Mapping[str, tuple[int, tuple[int, ...]]]) -> str:
    return ", ".join(f"{_letter(name)} {extents}" for name, (_, extents) in parts.items())
