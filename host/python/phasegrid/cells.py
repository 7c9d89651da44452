"""Which cells of a grid are meant: by index or by value, the same everywhere in the package.

cell_index({"sparsity": [0, 0.5, 0.9], "last_importance": [1, 2]}, (1, 0))                             -> (1, 0)
cell_index(.., {"sparsity": 0.5, "last_importance": 1})                                                -> (1, 0)
cell_index(.., 2), the place among all cells in the order of the arrays                                -> (1, 0)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from phasegrid.text import is_sequence, shown

# An index tuple, an axis' value for each name, or a place in the flattened grid.
Cell: TypeAlias = int | np.integer[Any] | Sequence[int] | Mapping[str, float]
Place: TypeAlias = int | np.integer[Any] | slice | Sequence[int] | NDArray[Any]
Value: TypeAlias = float | np.number[Any] | slice | Sequence[float] | NDArray[Any]
Axes: TypeAlias = Mapping[str, NDArray[np.float64]]

# How far a value may be from the axis' own: what float32 and printed digits lose, and no more.
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9


def cell_index(axes: Axes, cell: object) -> tuple[int, ...]:
    """The index of a cell in the grid, one number per axis, none of them negative.

    cell: a tuple with an index for each axis (axes of one value may be left out at the end; negative ones count from
    the end); {"sparsity": 0.9, ..} with a value for each axis that has more than one; or a whole number, the place
    among all cells in the order of the arrays. Raises ValueError, naming the grid, for anything else.
    """
    extents = tuple(len(values) for values in axes.values())
    if isinstance(cell, Mapping):
        return _by_value(axes, cell)
    cells = math.prod(extents)
    if _is_whole(cell) and -cells <= cell < cells:
        return tuple(int(i) for i in np.unravel_index(int(cell) % cells, extents))
    if isinstance(cell, tuple | list) and len(cell) <= len(extents):
        index: tuple[Any, ...] = (*cell, *(0,) * (len(extents) - len(cell)))
        whole = [int(i) for i in index if _is_whole(i)]
        inside = len(whole) == len(index) and all(-n <= i < n for i, n in zip(whole, extents, strict=True))
        if inside and all(extent == 1 for extent in extents[len(cell) :]):
            return tuple(i % n for i, n in zip(whole, extents, strict=True))
    grid = ", ".join(f"{name}: {extent}" for name, extent in zip(axes, extents, strict=True))
    raise ValueError(
        f"cell must be an index into the grid ({grid}), e.g. {(0,) * len(extents)}, values of its axes, or a whole "
        f"number below {cells}, not {shown(cell)}"
    )


def _by_value(axes: Axes, values: Mapping[Any, Any]) -> tuple[int, ...]:
    index = dict.fromkeys(axes, 0)
    for name, value in values.items():
        check_axis(axes, name)
        index[name] = _nearest(name, axes[name], value)
    open_axes = [name for name, there in axes.items() if len(there) > 1 and name not in values]
    if open_axes:
        raise ValueError(f"cell must have a value for each axis; there is none for {', '.join(open_axes)}")
    return tuple(index.values())


def places(name: str, extent: int, place: object) -> NDArray[np.intp]:
    """The positions on an axis that isel() is asked for, none of them negative, each once."""
    if isinstance(place, slice):
        try:
            chosen = np.arange(extent)[place]
        except TypeError:
            raise ValueError(f"{name} must be a slice of whole numbers, not {shown(place)}") from None
    else:
        wanted: list[Any] = list(place) if is_sequence(place) else [place]  # type: ignore[call-overload]
        for i in wanted:
            if not _is_whole(i) or not -extent <= i < extent:
                raise ValueError(f"{name} must be an index from {-extent} to {extent - 1}, not {shown(i)}")
        chosen = np.array([int(i) % extent for i in wanted], np.intp)
    return _checked(name, chosen, place)


def places_of_values(name: str, there: NDArray[np.float64], value: object) -> NDArray[np.intp]:
    """The positions on an axis whose values sel() is asked for."""
    if isinstance(value, slice):
        if value.step is not None:
            raise ValueError(f"{name} must be a slice from a value to a value, both included, not {shown(value)}")
        low = -math.inf if value.start is None else _number(name, value.start)
        high = math.inf if value.stop is None else _number(name, value.stop)
        chosen = np.flatnonzero((there >= low - _room(low)) & (there <= high + _room(high)))
    else:
        wanted = list(value) if is_sequence(value) else [value]  # type: ignore[call-overload]
        chosen = np.array([_nearest(name, there, v) for v in wanted], np.intp)
    return _checked(name, chosen, value)


def check_axis(axes: Axes, name: object) -> None:
    if name not in axes:
        raise ValueError(f"{shown(name)} is no axis of this grid; its axes are {', '.join(axes)}")


def _checked(name: str, chosen: NDArray[np.intp], wanted: object) -> NDArray[np.intp]:
    if not len(chosen):
        raise ValueError(f"{name}: no value of the axis is meant by {shown(wanted)}")
    if len(np.unique(chosen)) < len(chosen):
        raise ValueError(f"{name}: {shown(wanted)} means a value of the axis twice")
    return chosen


def _nearest(name: str, there: NDArray[np.float64], value: object) -> int:
    wanted = _number(name, value)
    if np.isnan(there).any():  # sparsity, where features have their own
        raise ValueError(f"{name} has no values to choose by: each feature has its own; leave it out, or use its index")
    distance = np.abs(there - wanted)
    at = int(np.argmin(distance))
    if distance[at] <= _room(wanted):
        return at
    near = sorted(there[np.argsort(distance, kind="stable")[:2]])
    listed = f"has {', '.join(map(_short, there))}" if len(there) <= 8 else f"goes from {_short(there.min())} to "
    listed += "" if len(there) <= 8 else _short(there.max())
    raise ValueError(
        f"{name} has no value {_short(wanted)}; the nearest are {' and '.join(map(_short, near))}; it {listed}"
    )


def _room(value: float) -> float:
    return 0.0 if math.isinf(value) else max(_ABSOLUTE, _RELATIVE * abs(value))


def _short(value: float) -> str:
    return f"{value:.7g}"


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _number(name: str, value: object) -> float:
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.nan
        if not math.isnan(number):
            return number
    raise ValueError(f"{name} must be a value of its axis, a sequence of them or a slice, not {shown(value)}")
