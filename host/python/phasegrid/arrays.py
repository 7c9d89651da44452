"""Results as a mapping of arrays: the keys of the .npz, from a file or from memory.

Pictures and the explorer take any of these, so that they work on a file without the compiled part:

    sparsity_values (S), importance_values (R), <axis>_values of further axes A..          float64
    final_losses, reconstruction_losses (S,R,A..)                                          float32
    all_losses, all_reconstruction_losses (S,R,A..,restarts)                               float32
    expert_weights (S,R,A..,E,n,m), router_weights and biases (S,R,A..,E,n)                float32
    decoder_weights (S,R,A..,E,n,m) of models with untied weights; biases where there are any
    status (S,R,A..,restarts), kept (S,R,A..)                                              int32
    config: a JSON string of every setting
    n_hidden_values, n_experts_values, top_k_values: E and m are the largest, NaN stands where a cell's model is smaller
    with keep "all": all_expert_weights (S,R,A..,restarts,E,n,m), all_router_weights and all_biases
    with keep "training-state": those, and first_moment_expert_weights .. and second_moment_.. of the same shapes
    with snapshots: their steps, losses and parameters (see include/phasegrid/results_file.hpp)

The authors' own files have the first two axes, final_losses and expert_weights alone; they are flat over cells, under
names of their own, and are read into these.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping
from typing import Any, NoReturn, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from phasegrid import authors_layout
from phasegrid.npz import open_npz
from phasegrid.sentences import InputError, sentence

_DEEPEST = 16  # of the settings' JSON; ours is four deep

# The parts of a model's parameters -> their extents, by letter. What the compiled part calls Architecture::parts, for
# files that are read without it.
PARTS: Mapping[str, str] = {
    "expert_weights": "Enm",
    "decoder_weights": "Enm",
    "biases": "En",
    "router_weights": "En",
}

# The axes that change the shape of a cell's models, and the extent of the arrays that has room for the largest: NaN
# stands where a model is smaller, and where there is none as its top_k is above its n_experts.
SHAPE_AXES: Mapping[str, str] = {"n_hidden": "m", "n_experts": "E", "top_k": ""}
MOST_EXPERTS = 64  # which a top_k may be at most

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@runtime_checkable
class HasArrays(Protocol):
    """Results in memory: `phasegrid.Results`."""

    def arrays(self) -> Arrays: ...


Source: TypeAlias = str | os.PathLike[str] | Arrays | HasArrays


def name_of(source: Source) -> str:
    """What messages call it."""
    return sentence(os.fspath(source), 160) if isinstance(source, str | os.PathLike) else "results"


def open_arrays(source: Source, keys: Collection[str] | None = None) -> Arrays:
    """The arrays of a results file or of results in memory: those of `keys` that it has, or all.

        phasegrid.open_arrays("published/212.npz")["expert_weights"]  # (S, R, E, n, m)

    A file of the authors gives the arrays above too, whatever names and shapes it has for them. Arrays of pickled
    objects are passed over: nothing is ever unpickled.

    Raises ValueError, naming the file and what is wrong with it, where it cannot be read.
    """
    if isinstance(source, HasArrays):
        return source.arrays()
    if isinstance(source, Mapping):
        return authors_layout.as_grid(source, "results") if authors_layout.MARK in source else source
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"results must be a path, a mapping of arrays or Results, not {type(source).__name__}")
    with open_npz(source) as file:
        theirs = authors_layout.MARK in file.files
        wanted = authors_layout.READ if theirs else keys
        there = [key for key in file.files if wanted is None or key in wanted]
        arrays = {key: file[key] for key in there if not (theirs and file.is_other(key))}
    if theirs:
        arrays = authors_layout.as_grid(arrays, os.fspath(source))
    return {key: array for key, array in arrays.items() if keys is None or key in keys}


def numbers_of(arrays: Arrays, key: str, place: str) -> NDArray[Any]:
    """An array of real numbers. Raises ValueError, beginning with `place`, where it holds something else."""
    array = np.asarray(arrays[key])
    if array.dtype.kind not in "fiu":
        raise InputError(f"{place}: {key} holds {array.dtype}; allowed are real numbers")
    return array


def as_doubles(array: NDArray[Any]) -> NDArray[np.float64]:
    """Numbers in float64, without a warning for a NaN that signals, as a broken file may hold."""
    with np.errstate(invalid="ignore"):
        return array.astype(np.float64)


def axis_of(arrays: Arrays, key: str, place: str) -> NDArray[np.float64]:
    """The values of an axis (values,). Raises ValueError, beginning with `place`, where it is no list of numbers."""
    values = as_doubles(numbers_of(arrays, key, place))
    if values.ndim != 1 or not values.size:
        raise InputError(f"{place}: {key} has shape {values.shape}; it must be a list of at least one number")
    return values


def check_counts(name: str, values: NDArray[np.float64], most: int, place: str) -> None:
    """Raises ValueError, beginning with `place`, where the values of an axis of shapes are no whole numbers from 1."""
    if not ((values >= 1) & (values <= most) & (np.trunc(values) == values)).all():
        raise InputError(f"{place}: {name}_values must hold whole numbers from 1 to {most}")


def settings_of(arrays: Arrays, place: str) -> dict[str, Any]:
    """The settings that results carry in `config`; empty where they have none, as the authors' files.

    Raises ValueError, beginning with `place`, where they are not JSON as phasegrid writes it.
    """
    if "config" not in arrays:
        return {}
    try:
        config = json.loads(str(np.asarray(arrays["config"])), parse_constant=_no_number, parse_float=_finite)
        json.dumps(config, ensure_ascii=False).encode()  # half of a surrogate pair can be written nowhere
    except ValueError as error:
        raise InputError(f"{place}: config is not JSON: {error}") from None
    except RecursionError:
        raise InputError(f"{place}: config is nested too deeply") from None
    if _deeper_than(_DEEPEST, config):
        raise InputError(f"{place}: config is nested too deeply")
    if not isinstance(config, dict):
        raise InputError(f"{place}: config must be a JSON object of settings")
    return config


def _deeper_than(most: int, value: Any) -> bool:
    level = [value]
    for _ in range(most):
        lists = [
            value.values() if isinstance(value, dict) else value for value in level if isinstance(value, dict | list)
        ]
        level = [part for parts in lists for part in parts]
    return bool(level)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _no_number(text)
