"""Made-up results that the explorer's tests draw, and its measures written once more with NumPy."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Floats = NDArray[Any]


def results(
    name: str,
    shape: tuple[int, int, int],
    *,
    top_k: int = 1,
    restarts: int = 3,
    axes: dict[str, list[float]] | None = None,
    snapshots: tuple[int, ...] = (),
    seed: int = 0,
) -> Arrays:
    """Results of shape (n, m, E) with random numbers in every array, the lowest loss kept."""
    n, m, experts = shape
    random = np.random.default_rng(seed)
    chosen = {"sparsity": [0.1, 0.5, 0.9], "last_importance": [0.5, 1.0, 1.5, 2.0], **(axes or {})}
    cells = tuple(len(values) for values in chosen.values())

    def draw(*more: int) -> NDArray[np.float32]:
        return random.normal(scale=0.7, size=(*cells, *more)).astype(np.float32)

    losses = random.uniform(0.01, 0.2, (*cells, restarts)).astype(np.float32)
    arrays: Arrays = {
        "importance_values" if key == "last_importance" else f"{key}_values": np.array(values)
        for key, values in chosen.items()
    }
    arrays |= {
        "final_losses": losses.min(axis=-1),
        "reconstruction_losses": 0.6 * losses.min(axis=-1),
        "expert_weights": draw(experts, n, m),
        "router_weights": draw(experts, n),
        "biases": draw(experts, n),
        "all_losses": losses,
        "all_reconstruction_losses": 0.6 * losses,
        "status": np.zeros((*cells, restarts), np.int32),
        "kept": losses.argmin(axis=-1).astype(np.int32),
    }
    if snapshots:
        count = len(snapshots)
        early = random.uniform(0.1, 0.9, (*cells, restarts, count)).astype(np.float32)
        arrays |= {
            "snapshot_steps": np.array(snapshots, np.int32),
            "snapshot_losses": early,
            "snapshot_reconstruction_losses": 0.6 * early,
            "snapshot_expert_weights": draw(count, experts, n, m),
            "snapshot_router_weights": draw(count, experts, n),
            "snapshot_biases": draw(count, experts, n),
        }
    model = {"n_features": n, "n_hidden": m, "n_experts": experts, "top_k": top_k}
    config = {"name": name, "device": "cpu", "model": model, "restarts": restarts, "train": {"steps": 1000}, "data": {}}
    arrays["config"] = np.array(json.dumps(config))
    return arrays


def drop(arrays: Arrays, cell: tuple[int, ...], status: int) -> None:
    """Leaves a cell without a model, as an unfinished sweep (status below 0) or a diverged training does."""
    for key, array in arrays.items():
        if key.endswith(("_losses", "_weights", "biases")) and not key.startswith("snapshot_"):
            array[cell] = np.nan
    arrays["status"][cell] = status
    arrays["kept"][cell] = -1


def norms(weights: Floats) -> Floats:
    """(..., n, m) -> (..., n)"""
    return np.asarray(np.sqrt((weights.astype(np.float64) ** 2).sum(axis=-1)))


def interferences(weights: Floats) -> Floats:
    """(..., n, m) -> (..., n): sum over j != i of (W_i / ||W_i|| . W_j)^2, 0 for W_i = 0."""
    weights = weights.astype(np.float64)
    length = norms(weights)[..., None]
    unit = np.divide(weights, length, out=np.zeros_like(weights), where=length > 0)
    products = (unit @ np.swapaxes(weights, -1, -2)) ** 2
    return np.asarray(products.sum(axis=-1) - np.diagonal(products, axis1=-2, axis2=-1))


def dimensionalities(weights: Floats) -> Floats:
    """(..., n, m) -> (..., n)"""
    square = norms(weights) ** 2
    return np.asarray(np.divide(square, square + interferences(weights), out=np.zeros_like(square), where=square > 0))


def capacities(weights: Floats) -> Floats:
    """(..., E, n, m) -> (...)"""
    return np.asarray(dimensionalities(weights).sum(axis=(-1, -2)))


def usages(router: Floats, sparsity: float, top_k: int = 1, samples: int = 20_000) -> tuple[Floats, Floats]:
    """(E, n) -> (E) twice: over inputs that are not all zero, the share routed to each expert, and its mean gate."""
    random = np.random.default_rng(7)
    inputs = random.random((samples, router.shape[1])) * (random.random((samples, router.shape[1])) >= sparsity)
    inputs = inputs[inputs.any(axis=1)]
    scores = inputs @ router.T.astype(np.float64)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    chosen = np.zeros(scores.shape)
    np.put_along_axis(chosen, order, 1.0, axis=1)
    gates = chosen * np.exp(scores - scores.max(axis=1, keepdims=True))
    return chosen.mean(axis=0), (gates / gates.sum(axis=1, keepdims=True)).mean(axis=0)


def usage_grid(arrays: Arrays, top_k: int = 1, key: str = "router_weights") -> tuple[Floats, Floats]:
    """(S, R, E) twice: the same for every cell of results with no further axes."""
    found = [
        [usages(router, sparsity, top_k) for router in row]
        for sparsity, row in zip(arrays["sparsity_values"], arrays[key], strict=True)
    ]
    return np.array([[active for active, _ in row] for row in found]), np.array(
        [[gate for _, gate in row] for row in found]
    )


PHASES = {"paper": ((0, 0, 255), (255, 0, 0)), "safe": ((0, 114, 178), (213, 94, 0))}


def phase_colours(norm: Floats, score: Floats, colours: str = "paper") -> Floats:
    """(..., 3): white to the two phases, for values relative to the largest."""
    y, x = (norm / np.nanmax(norm))[..., None], (score / np.nanmax(score))[..., None]
    alone, superposed = (np.array(colour, float) for colour in PHASES[colours])
    return np.asarray(255 * (1 - y) + y * ((1 - x) * alone + x * superposed))


def faded(colours: Floats, starved: NDArray[Any]) -> Floats:
    """(..., 3) and (...): colours as drawn where an expert gets under 1 % of the non-zero inputs."""
    return np.where(starved[..., None], 255 - 0.4 * (255 - colours), colours)


def first_experts(router: Floats, inputs: Floats) -> NDArray[Any]:
    """Router (E, n), inputs (samples, n) -> the expert of the highest score, ties to the lower."""
    return np.asarray(np.argmax(inputs @ router.T.astype(np.float64), axis=-1))
