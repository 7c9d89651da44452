"""Made-up results of a grid whose axes change the shape of its models."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from explorer_samples import Arrays, Floats, results

LETTERS = {"expert_weights": "Enm", "router_weights": "En", "biases": "En"}


def of_shapes(
    name: str = "shapes",
    n: int = 4,
    *,
    n_hidden: list[int] | None = None,
    n_experts: list[int] | None = None,
    top_k: list[int] | None = None,
    axes: dict[str, list[float]] | None = None,
    **more: Any,
) -> Arrays:
    """Results with room for the largest model in every cell: NaN where a cell's is smaller, and where there is none."""
    counts = {"n_hidden": n_hidden, "n_experts": n_experts, "top_k": top_k}
    given = {key: [float(value) for value in values] for key, values in counts.items() if values}
    m, E, k = (int(max(given.get(key, [least]))) for key, least in (("n_hidden", 2), ("n_experts", 1), ("top_k", 1)))
    chosen = {"sparsity": [0.5, 0.9], "last_importance": [1.0], **(axes or {}), **given}
    arrays = results(name, (n, m, E), top_k=k, axes=chosen, **more)
    config = json.loads(str(arrays["config"]))
    arrays["config"] = np.array(json.dumps({**config, "axes": chosen}))
    for cell in cells(arrays):
        own_m, own_E, own_k = shape(arrays, cell)
        if own_k > own_E:
            for key, array in arrays.items():
                if array.dtype.kind == "f" and not key.endswith("_values"):
                    array[cell] = np.nan
            arrays["status"][cell], arrays["kept"][cell] = -2, -1
        for part in LETTERS:
            for array in (arrays[key][cell] for key in (part, f"snapshot_{part}") if key in arrays):
                if part == "expert_weights":
                    array[..., own_E:, :, :] = np.nan
                    array[..., own_m:] = np.nan
                else:
                    array[..., own_E:, :] = np.nan
    return arrays


def extents(arrays: Arrays) -> dict[str, int]:
    """Name -> length of every axis."""
    named = {key.removesuffix("_values"): array.size for key, array in arrays.items() if key.endswith("_values")}
    assert list(named)[:2] == ["sparsity", "importance"]
    return named


def cells(arrays: Arrays) -> list[tuple[int, ...]]:
    return list(np.ndindex(*extents(arrays).values()))


def shape(arrays: Arrays, cell: tuple[int, ...]) -> tuple[int, int, int]:
    """(m, E, k) of a cell."""
    E, _, m = arrays["expert_weights"].shape[-3:]
    own = {"n_hidden": m, "n_experts": E, "top_k": json.loads(str(arrays["config"]))["model"]["top_k"]}
    for at, name in zip(cell, extents(arrays), strict=True):
        if name in own:
            own[name] = int(arrays[f"{name}_values"][at])
    return own["n_hidden"], own["n_experts"], own["top_k"]


def model(arrays: Arrays, cell: tuple[int, ...], key: str = "expert_weights") -> Floats:
    """A cell's own part of an array, in float64."""
    m, E, _ = shape(arrays, cell)
    own = {"E": E, "m": m}
    whole = arrays[key][cell]
    return np.asarray(whole[tuple(slice(own.get(letter)) for letter in LETTERS[key])], np.float64)
