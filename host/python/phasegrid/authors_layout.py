"""The authors' published files: their arrays under our names, in the shape of a grid.

Theirs are flat over cells: `grid_keys` (S R, 2) says the sparsity and the importance of each, `final_losses` (S R),
`expert_weights_list` (S R, E, n, m), `router_weights_list` (S R, E, n) where there are any. What else they hold,
pickled objects among it, is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MARK = "expert_weights_list"  # only their layout has it
NEEDED = ("sparsity_values", "importance_values", "grid_keys", "final_losses", MARK)
ROUTERS = "router_weights_list"
READ = (*NEEDED, ROUTERS)
_SAME_VALUE = 1e-6  # of an axis, in two arrays of a file


def as_grid(arrays: Mapping[str, NDArray[Any]], place: str) -> dict[str, NDArray[Any]]:
    """sparsity_values (S), importance_values (R), final_losses (S, R), expert_weights (S, R, E, n, m), and
    router_weights (S, R, E, n) where the file has numbers for them.

    Raises ValueError naming `place` and what is wrong.
    """
    for key in NEEDED:
        if key not in arrays:
            raise ValueError(f"{place}: no key {key}; files of the authors hold {', '.join(NEEDED)}")
    data = {key: np.asarray(arrays[key]) for key in NEEDED}
    if ROUTERS in arrays and np.asarray(arrays[ROUTERS]).dtype.kind == "f":
        data[ROUTERS] = np.asarray(arrays[ROUTERS])
    for key, array in data.items():
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{place}: {key} holds {array.dtype}; allowed are real numbers")
    sparsity, importance = data["sparsity_values"], data["importance_values"]
    for key in ("sparsity_values", "importance_values"):
        if data[key].ndim != 1 or not data[key].size:
            raise ValueError(f"{place}: {key} has shape {data[key].shape}; it must be a list of at least one number")
    cells = sparsity.size * importance.size
    shapes = {"grid_keys": (2,), "final_losses": (), MARK: ("E", "n", "m"), ROUTERS: ("E", "n")}
    for key in data.keys() & shapes.keys():
        shape, behind = data[key].shape, shapes[key]
        fixed = key == "grid_keys" and shape[1:] != behind
        if shape[:1] != (cells,) or len(shape) != 1 + len(behind) or fixed:
            wanted = ", ".join(map(str, (cells, *behind))) + ("" if behind else ",")
            raise ValueError(f"{place}: {key} has shape {shape}; it must be ({wanted})")
    row, column = (_nearest(axis, data["grid_keys"][:, at]) for at, axis in enumerate((sparsity, importance)))
    there = np.stack([sparsity[row], importance[column]], -1)
    cell = row * importance.size + column
    if not (np.abs(there - data["grid_keys"]) < _SAME_VALUE).all() or np.unique(cell).size != cells:
        raise ValueError(f"{place}: grid_keys must name every pair of sparsity_values and importance_values once")

    def grid(key: str) -> NDArray[Any]:
        placed = np.empty_like(data[key])
        placed[cell] = data[key]
        return placed.reshape(sparsity.size, importance.size, *placed.shape[1:])

    named = {"sparsity_values": sparsity, "importance_values": importance, "final_losses": grid("final_losses")}
    named["expert_weights"] = grid(MARK)
    return named | ({"router_weights": grid(ROUTERS)} if ROUTERS in data else {})


def _nearest(axis: NDArray[Any], values: NDArray[Any]) -> NDArray[np.intp]:
    """The index of the axis' value that is nearest to each value."""
    order = np.argsort(axis)
    right = np.searchsorted(axis[order], values).clip(0, axis.size - 1)
    left = (right - 1).clip(0)
    closer = np.abs(axis[order[left]] - values) < np.abs(axis[order[right]] - values)
    return np.asarray(order[np.where(closer, left, right)])
