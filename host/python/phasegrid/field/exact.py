"""Exact losses of small dense models on independent, uniform features: an integral over each set of present features,
by Gauss and Legendre's rule. Losses on samples are noisy where features are rare, since what superposition costs shows
only where two of them meet."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from phasegrid.pictures.measures import Array

NODES = {1: 48, 2: 24, 3: 16}  # along each side of the cube of present features; outputs have kinks, so many
CHUNK = 512  # models at a time


def expected_loss(weights: Array, biases: Array, p: Array, importance: Array) -> Array:
    """(..): the summed expected loss of tied ReLU models of weights (.., n, m) and biases (.., n), n <= 3, where
    features are present with probability p (..) and of importance (.., n)."""
    lead, (n, m) = weights.shape[:-2], weights.shape[-2:]
    flat = [
        weights.reshape(-1, n, m),
        np.broadcast_to(biases, (*lead, n)).reshape(-1, n),
        np.broadcast_to(p, lead).reshape(-1),
        np.broadcast_to(importance, (*lead, n)).reshape(-1, n),
    ]
    count = len(flat[0])
    parts = [of_chunk(*(one[first : first + CHUNK] for one in flat)) for first in range(0, count, CHUNK)]
    return np.concatenate(parts).reshape(lead) if parts else np.empty(lead)


def of_chunk(weights: Array, biases: Array, p: Array, importance: Array) -> Array:
    n = weights.shape[1]
    gram = weights @ np.swapaxes(weights, -1, -2)
    total = np.zeros(len(weights))
    for present in range(n + 1):
        for chosen in combinations(range(n), present):
            inputs, shares = cube(n, chosen)
            outputs = np.maximum(inputs @ gram + biases[:, None, :], 0)
            errors = np.einsum("cxf,cf,x->c", np.square(outputs - inputs), importance, shares)
            total += p**present * (1 - p) ** (n - present) * errors
    return total


def cube(n: int, chosen: tuple[int, ...]) -> tuple[Array, Array]:
    """Inputs (points, n) with the chosen features in [0, 1) and the others 0, and the points' shares."""
    if not chosen:
        return np.zeros((1, n)), np.ones(1)
    nodes, shares = np.polynomial.legendre.leggauss(NODES[len(chosen)])
    nodes, shares = (nodes + 1) / 2, shares / 2
    inputs = np.zeros((len(nodes) ** len(chosen), n))
    for feature, values in zip(chosen, np.meshgrid(*[nodes] * len(chosen), indexing="ij"), strict=True):
        inputs[:, feature] = values.ravel()
    return inputs, np.prod(np.meshgrid(*[shares] * len(chosen), indexing="ij"), axis=0).ravel()
