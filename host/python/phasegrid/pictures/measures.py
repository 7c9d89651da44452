"""The paper's measures of trained models in NumPy, so that files can be drawn without the compiled part.

The same measures in C++, for whole grids: include/phasegrid/metrics.hpp.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phasegrid.pictures.errors import InputError

Array = NDArray[np.float64]

SCORES = ("paper", "authors")


def feature_measures(weights: Array) -> tuple[Array, Array, Array]:
    """Of an expert W (n, m): ||W_i|| (n); polysemanticity (n), the square root of sum over j != i of (Ŵ_i . W_j)^2; and
    Ŵ_i . W_j (n, n), with Ŵ_i = W_i / ||W_i||, 0 for W_i = 0. Paper 3.2; authors' notebook demo-superposition.
    """
    norm = np.linalg.norm(weights, axis=1)
    unit = np.divide(weights, norm[:, None], out=np.zeros_like(weights), where=norm[:, None] > 0)
    gram = unit @ weights.T
    squares = np.square(gram)
    np.fill_diagonal(squares, 0)
    return norm, np.sqrt(squares.sum(axis=1)), gram


def last_norm(weights: Array) -> Array:
    """||W_n|| of the last feature: weights (..., n, m) -> (...). Paper, section 3.2."""
    return np.asarray(np.linalg.norm(weights[..., -1, :], axis=-1))


def last_score(weights: Array, score: str = "paper") -> Array:
    """Superposition score of the last feature, weights (..., n, m) -> (...); 0 where W_n = 0, as Ŵ_n = W_n / ||W_n||.

    paper: sum over j != n of (Ŵ_n . W_j)^2 (caption of Figure 4). authors: the sum over all j, so ||W_n||^2 more (the
    authors' notebook, hence the published picture).
    """
    if score not in SCORES:
        raise InputError(f"score {score!r}: allowed are {', '.join(SCORES)}")
    last, norm = weights[..., -1, :], last_norm(weights)[..., None]
    unit = np.divide(last, norm, out=last.copy(), where=norm > 0)
    others = weights if score == "authors" else weights[..., :-1, :]
    return np.asarray(np.square(np.einsum("...m,...jm->...j", unit, others)).sum(axis=-1))


def expert_usage(router: Array, top_k: int, inputs: Array) -> Array:
    """Mean gate weight p_e (E) over inputs (samples, n) of a router G (E, n): they sum to 1. The gates of the top_k
    experts of the largest scores G x are their softmax, the lower expert first in ties. Paper 3.2.
    """
    scores = inputs @ router.T
    active = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    chosen = np.take_along_axis(scores, active, axis=1)
    gates = np.exp(chosen - chosen.max(axis=1, keepdims=True))
    gates /= gates.sum(axis=1, keepdims=True)
    return np.bincount(active.ravel(), gates.ravel(), len(router)) / len(inputs)


def features_per_dimension(weights: Array, usage: Array) -> float:
    """sum over e of p_e ||W^e||_F^2 / m, for experts (E, n, m) and their usage p (E). Paper 3.2; Figure 3 shows it
    times 1 / k.
    """
    return float((usage * np.square(weights).sum(axis=(1, 2))).sum() / weights.shape[2])
