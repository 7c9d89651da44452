"""How well experts and groups of features match, from a router or from weights. A group: `size` neighbouring features.

routing match: inputs hold one group alone, each equally often, with values in [0, 1). With p(e | g) the mean gate of
expert e over the inputs of group g, and p(e) its mean over groups, it is the mutual information

    I(G; E) = mean over g of  sum over e of  p(e | g) log(p(e | g) / p(e))

as a share of the most it can be, log of the smaller of the numbers of groups and experts. 1: the group tells the
expert, or the expert the group; 0: every group goes to all experts alike. NaN where there is only one of either.

represented share: of the features of a group that any expert represents, the share that one expert represents, the best
one; the mean over the groups of which anything is represented. 1: no group is torn apart.
"""

from __future__ import annotations

import math

import numpy as np
from estimates import Array
from numpy.typing import NDArray

SAMPLES = 2048  # inputs of all groups together
_MODELS = 64  # whose gates are in memory at once


def one_group_inputs(n: int, size: int, seed: int = 0) -> NDArray[np.float32]:
    """(groups, samples, n): inputs that hold one group alone."""
    rng = np.random.default_rng(seed)
    groups, samples = n // size, SAMPLES // (n // size)
    inputs = np.zeros((groups, samples, n), np.float32)
    for group in range(groups):
        inputs[group, :, group * size : (group + 1) * size] = rng.random((samples, size), np.float32)
    return inputs


def gates_of(routers: NDArray[np.float32], top_k: int, inputs: NDArray[np.float32]) -> Array:
    """(models, groups, samples, E): softmax over the top_k highest scores, of equal ones those of lower number."""
    scores = np.einsum("gsn,men->mgse", inputs, routers, optimize=True).astype(float)
    order = np.argsort(-scores, axis=-1, kind="stable")
    active = np.zeros(scores.shape, bool)
    np.put_along_axis(active, order[..., :top_k], True, axis=-1)
    weights = np.where(active, np.exp(scores - scores.max(axis=-1, keepdims=True)), 0.0)
    gates: Array = weights / weights.sum(axis=-1, keepdims=True)
    return gates


def information(shares: Array) -> Array:
    """(models,): I(G; E) of p(e | g) (models, groups, E), as a share of the most."""
    groups, experts = shares.shape[-2:]
    most = math.log(min(groups, experts))
    if most == 0:
        return np.full(len(shares), math.nan)
    overall = np.broadcast_to(shares.mean(axis=-2, keepdims=True), shares.shape)
    parts = np.where(
        shares > 0, shares * np.log(np.where(shares > 0, shares / np.where(overall > 0, overall, 1), 1)), 0
    )
    result: Array = parts.sum(axis=-1).mean(axis=-1) / most
    return result


def routing_match(routers: NDArray[np.float32], top_k: int, size: int, seed: int = 0) -> Array:
    """(models,) of routers (models, E, n)."""
    inputs = one_group_inputs(routers.shape[-1], size, seed)
    parts = [routers[first : first + _MODELS] for first in range(0, len(routers), _MODELS)]
    return np.concatenate([information(gates_of(part, top_k, inputs).mean(axis=2)) for part in parts])


def represented_share(represented: NDArray[np.bool_], size: int) -> Array:
    """(models,) of which expert represents which feature (models, E, n); NaN where none represents any."""
    models, experts, n = represented.shape
    grouped = represented.reshape(models, experts, n // size, size)
    best = grouped.sum(axis=-1).max(axis=1)
    anywhere = grouped.any(axis=1).sum(axis=-1)
    there = anywhere > 0
    shares = np.where(there, best / np.where(there, anywhere, 1), 0)
    with np.errstate(invalid="ignore"):
        result: Array = np.where(there.any(axis=1), shares.sum(axis=1) / there.sum(axis=1), math.nan)
    return result
