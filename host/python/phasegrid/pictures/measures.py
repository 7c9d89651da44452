"""The paper's measures of trained models in NumPy, so that files can be drawn without the compiled part.

The same measures in C++, for whole grids: include/phasegrid/metrics.hpp.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phasegrid.pictures.errors import InputError

Array = NDArray[np.float64]

SCORES = ("paper", "authors")
INPUTS = ("nonzero", "all")  # which a measure of usage looks at
STARVED = 0.01  # an expert that gets less than this share of the inputs that are not all zero (metrics.hpp)
SAMPLES = 4096  # inputs that tell which experts are


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


def own_router(router: Array) -> Array:
    """Of a router (E, n) with room for more experts than its model has, whose rows are NaN, those that it has."""
    absent = np.isnan(router).all(axis=1)
    return router[: int(absent.argmax())] if absent.any() else router


def route(router: Array, top_k: int, inputs: Array) -> tuple[NDArray[np.intp], Array]:
    """Of inputs (samples, n) and a router G (E, n), (samples, k) twice: the experts of the largest scores G x, the
    lower one first in ties, and their gates, the softmax of those scores. Paper 3.2. Rows of NaN at the end are no
    experts.
    """
    scores = inputs @ own_router(router).T
    if top_k == 1:
        return np.argmax(scores, axis=1)[:, None], np.ones((len(inputs), 1))
    active = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    chosen = np.take_along_axis(scores, active, axis=1)
    gates = np.exp(chosen - chosen.max(axis=1, keepdims=True))
    return active, gates / gates.sum(axis=1, keepdims=True)


def expert_usage(router: Array, top_k: int, inputs: Array) -> Array:
    """Mean gate weight p_e (E) over inputs (samples, n) of a router G (E, n): they sum to 1. NaN for no inputs, and
    for experts that are none.
    """
    own = len(own_router(router))
    active, gates = route(router, top_k, inputs)
    usage = np.full(len(router), np.nan)
    usage[:own] = np.bincount(active.ravel(), gates.ravel(), own) / (len(inputs) or np.nan)
    return usage


def input_shares(router: Array, top_k: int, inputs: Array) -> Array:
    """(E): the share of inputs (samples, n) that a router G (E, n) sends to each expert: they sum to k. NaN for no
    inputs, for a router that is not finite, and for experts that are none.
    """
    shares, own = np.full(len(router), np.nan), own_router(router)
    if len(own) and np.isfinite(own).all():
        active, _ = route(own, top_k, inputs)
        shares[: len(own)] = np.bincount(active.ravel(), minlength=len(own)) / (len(inputs) or np.nan)
    return shares


def draw_inputs(sparsity: Array, samples: int, inputs: str = "nonzero", seed: int = 0) -> Array:
    """(samples, n): inputs whose features are 0 with the probabilities `sparsity` (n), else uniform in [0, 1); of
    "nonzero" ones each has a feature, and there are none where every sparsity is 1.

    Of an input that is not all zero, feature i is the first one present with a probability in proportion to
    S_1 .. S_(i-1) (1 - S_i); those after it are present independently. So no draw is wasted, however sparse they are.
    """
    if inputs not in INPUTS:
        raise InputError(f"inputs {inputs!r}: allowed are {', '.join(INPUTS)}")
    random = np.random.default_rng(seed)
    present = random.random((samples, len(sparsity))) >= sparsity
    if inputs == "nonzero":
        first_is = np.cumprod(np.concatenate([[1.0], sparsity[:-1]])) * (1 - sparsity)
        if not first_is.sum() > 0:
            return np.empty((0, len(sparsity)))
        first = random.choice(len(sparsity), (samples, 1), p=first_is / first_is.sum())
        at = np.arange(len(sparsity))
        present = (present & (at > first)) | (at == first)
    return np.where(present, random.random(present.shape), 0.0)


def starved_experts(router: Array, top_k: int | NDArray[np.intp], sparsities: Array) -> NDArray[np.bool_]:
    """(.., E): which experts of routers (.., E, n), of which each chooses top_k (..), get under 1 % of the inputs that
    are not all zero, of features with `sparsities` (.., n); none of a dense model. False where a router is not finite.
    """
    starved = np.zeros(router.shape[:-1], bool)
    if router.shape[-2] == 1:
        return starved
    chosen = np.broadcast_to(top_k, router.shape[:-2])
    drawn: dict[bytes, Array] = {}
    for cell in np.ndindex(router.shape[:-2]):
        if len(own_router(router[cell])) < 2:
            continue
        key = sparsities[cell].tobytes()
        if key not in drawn:
            drawn[key] = draw_inputs(sparsities[cell], SAMPLES)
        starved[cell] = input_shares(router[cell], int(chosen[cell]), drawn[key]) < STARVED
    return starved


def features_per_dimension(weights: Array, usage: Array) -> float:
    """sum over e of p_e ||W^e||_F^2 / m, for experts (E, n, m) and their usage p (E). Paper 3.2; Figure 3 shows it
    times 1 / k.
    """
    return float((usage * np.square(weights).sum(axis=(1, 2))).sum() / weights.shape[2])
