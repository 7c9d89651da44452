"""Made-up results of the field's works: files as phasegrid writes them, of any models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SEEDS = 4


def save(
    folder: Path,
    name: str,
    axes: Mapping[str, Any],
    weights: np.ndarray[Any, Any],
    losses: np.ndarray[Any, Any] | float = 0.1,
    config: Mapping[str, Any] | None = None,
    **others: np.ndarray[Any, Any],
) -> Path:
    """A results file of dense models.

    axes: of the grid, in its order; a sparsity and an importance stand first where they are not named, seeds last.
    weights: (axes.., seeds, n, m). others: arrays of models (axes.., seeds, ..), without the extent of experts.
    """
    named = {"sparsity": [0.5], "last_importance": [1.0], **axes, "seed": range(weights.shape[len(axes)])}
    keys = {axis: "importance_values" if axis == "last_importance" else f"{axis}_values" for axis in named}
    extents = tuple(len(values) for values in named.values())
    settings = {
        "name": name,
        "phasegrid": "test",
        "device": "cpu",
        "train": {"steps": 10, "batch": 4},
        **(config or {}),
    }
    arrays: dict[str, Any] = {keys[axis]: np.array(list(values), np.float64) for axis, values in named.items()}
    arrays["expert_weights"] = weights.reshape(*extents, 1, *weights.shape[-2:]).astype(np.float32)
    for key, value in {"biases": np.zeros(weights.shape[:-1]), **others}.items():
        tail = value.shape[len(axes) + 1 :]
        tail = (tail[0], 1, *tail[1:]) if key.startswith("snapshot_") else (1, *tail)
        arrays[key] = value.reshape(*extents, *tail).astype(np.float32)
    for key in ("final_losses", "reconstruction_losses"):
        arrays[key] = np.broadcast_to(losses, weights.shape[:-2]).reshape(extents).astype(np.float32)
    arrays["status"] = np.zeros((*extents, 1), np.int32)
    arrays["config"] = np.array(json.dumps(settings))
    path = folder / f"{name}.npz"
    np.savez(path, **arrays)
    return path
