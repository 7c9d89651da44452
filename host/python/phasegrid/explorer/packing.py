"""Results packed for the page: a JSON header, and all arrays as one deflated block in base64.

The page unpacks them into typed arrays of the same numbers (page/results.js). Measures are computed there, from the
weights, so nothing derived is packed.
"""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasegrid.arrays import (
    MOST_EXPERTS,
    PARTS,
    SHAPE_AXES,
    Arrays,
    Source,
    axis_of,
    check_counts,
    name_of,
    numbers_of,
    open_arrays,
    settings_of,
)
from phasegrid.explorer.titles import titles_of

NEEDED = ("sparsity_values", "importance_values", "final_losses", "expert_weights")
MOST_BYTES = 256 * 2**20  # of all results; browsers stop at strings of 512 MiB
ALIGNMENT = 8  # of every array in the block, as typed arrays ask

# key -> (type in the page, dimensions behind the cells': a letter is an extent that must agree everywhere)
CELL_ARRAYS: Mapping[str, tuple[str, str]] = {
    "final_losses": ("<f4", ""),
    "reconstruction_losses": ("<f4", ""),
    **{part: ("<f4", letters) for part, letters in PARTS.items()},
    "all_losses": ("<f4", "k"),
    "all_reconstruction_losses": ("<f4", "k"),
    "status": ("<i4", "k"),
    "kept": ("<i4", ""),
    "snapshot_losses": ("<f4", "kT"),
    "snapshot_reconstruction_losses": ("<f4", "kT"),
    **{f"snapshot_{part}": ("<f4", "T" + letters) for part, letters in PARTS.items()},
}


@dataclass(frozen=True)
class Packed:
    """One results file, as the page holds it."""

    name: str
    header: dict[str, Any]  # name, title, dimensions, extents, config, where each array lies
    block: str  # base64 of the deflated arrays
    size: int  # bytes of the arrays


def pack_all(sources: Sequence[Source]) -> list[Packed]:
    """Packs every source, under names that differ. Raises ValueError."""
    if not sources:
        raise ValueError("no results; give at least one results file (.npz)")
    packed: list[Packed] = []
    for at, source in enumerate(sources):
        results = pack(source, f"results {at + 1}", {results.name for results in packed})
        packed.append(results)
        size = sum(results.size for results in packed)
        if size > MOST_BYTES:
            raise ValueError(
                f"the results hold {size / 2**20:.0f} MiB or more; at most {MOST_BYTES // 2**20} fit a page: give "
                "fewer files, or sweeps of fewer cells or snapshots"
            )
    for results, title in zip(packed, titles_of([results.header for results in packed]), strict=True):
        results.header["title"] = title
    return packed


def pack(source: Source, fallback: str, taken: set[str]) -> Packed:
    """Packs one source. Raises ValueError naming it (or `fallback`) and what is wrong with it."""
    place = name_of(source) if isinstance(source, str | os.PathLike) else fallback
    try:
        arrays = open_arrays(source)
        dimensions = dimensions_of(arrays, place)
        config = settings_of(arrays, place)
        extents, chosen = checked(arrays, [len(d["values"]) for d in dimensions], place)
        for dimension in dimensions:
            name = dimension["name"]
            if name in SHAPE_AXES:
                most = extents.get(SHAPE_AXES[name], MOST_EXPERTS)
                check_counts(name, np.array(dimension["values"], np.float64), most, place)
        ascending(dimensions, chosen)
    except TypeError as error:
        raise ValueError(f"{place}: not results: {error}") from None

    stem = os.path.splitext(os.path.basename(place))[0] if place is not fallback else fallback
    name = unique(str(config.get("name") or stem), stem, taken)
    block, where = bytearray(), {}
    for key, array in chosen.items():
        block.extend(bytes(-len(block) % ALIGNMENT))
        where[key] = {"type": array.dtype.str[1:], "offset": len(block), "length": array.size}
        block.extend(array.tobytes())
    header = {"name": name, "dimensions": dimensions, "extents": extents, "config": config, "arrays": where}
    header["parts"] = PARTS
    return Packed(name, header, base64.b64encode(zlib.compress(bytes(block), 6)).decode(), len(block))


def unique(name: str, stem: str, taken: set[str]) -> str:
    """The name, or the file's where another results has it, or that with a number."""
    if name not in taken:
        return name
    return next(c for c in (stem, *(f"{stem} ({i})" for i in range(2, len(taken) + 3))) if c not in taken)


def dimensions_of(arrays: Arrays, place: str) -> list[dict[str, Any]]:
    """Name and values of every axis, in the order of the cells' dimensions."""
    for key in NEEDED:
        if key not in arrays:
            raise ValueError(f"{place}: no key {key}; needed are {', '.join(NEEDED)}")
    further = [key for key in arrays if key.endswith("_values") and key not in NEEDED]
    dimensions = []
    for key in ("sparsity_values", "importance_values", *further):
        values = axis_of(arrays, key, place)
        # A sparsity of its own for every feature is NaN here: JSON has no NaN.
        listed = [float(value) if np.isfinite(value) else None for value in values]
        name = "last_importance" if key == "importance_values" else key.removesuffix("_values")
        dimensions.append({"name": name, "values": listed})
    return dimensions


def ascending(dimensions: list[dict[str, Any]], chosen: dict[str, NDArray[Any]]) -> None:
    """Sorts every axis with its cells."""
    for at, dimension in enumerate(dimensions):
        if None in dimension["values"]:
            continue
        order = np.argsort(dimension["values"], kind="stable")
        if np.array_equal(order, np.arange(len(order))):
            continue
        dimension["values"] = [dimension["values"][i] for i in order]
        for key in chosen.keys() & CELL_ARRAYS.keys():
            chosen[key] = np.ascontiguousarray(np.take(chosen[key], order, axis=at))


def checked(arrays: Arrays, cells: list[int], place: str) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
    """Extents by letter (E, n, m, k restarts, T snapshots), and the arrays in the page's types."""
    extents: dict[str, int] = {}
    chosen: dict[str, NDArray[Any]] = {}
    for key, (kind, letters) in CELL_ARRAYS.items():
        if key not in arrays:
            continue
        array = numbers_of(arrays, key, place)
        expected = tuple(cells) + tuple(extents.get(letter, -1) for letter in letters)
        agrees = len(array.shape) == len(expected) and all(
            have == want or (want < 0 and have > 0) for have, want in zip(array.shape, expected, strict=True)
        )
        if not agrees:
            wanted = ", ".join([*map(str, cells), *(str(extents.get(letter, letter)) for letter in letters)])
            raise ValueError(f"{place}: {key} has shape {array.shape}; it must be ({wanted})")
        extents.update(zip(letters, array.shape[len(cells) :], strict=True))
        chosen[key] = converted(array, kind, key, place)
    if "snapshot_steps" in arrays and "T" in extents:
        steps = numbers_of(arrays, "snapshot_steps", place)
        if steps.shape != (extents["T"],):
            raise ValueError(f"{place}: snapshot_steps has shape {steps.shape}; it must be ({extents['T']},)")
        chosen["snapshot_steps"] = converted(steps, "<i4", "snapshot_steps", place)
    return extents, chosen


def converted(array: NDArray[Any], kind: str, key: str, place: str) -> NDArray[Any]:
    """Numbers in a type of the page's; those that are whole there must be."""
    with np.errstate(all="ignore"):  # what float32 cannot hold becomes infinite; the page leaves it out
        made = np.ascontiguousarray(array, np.dtype(kind))
        if made.dtype.kind == "i" and not np.array_equal(made, array):
            raise ValueError(f"{place}: {key} must hold whole numbers of 32 bits")
    return made
