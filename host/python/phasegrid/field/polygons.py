"""Exact losses of models in the plane on data with exactly one active feature, uniform in [0, 1) ("k-gons").

With exactly one active feature x_i of n, and output j equal to ReLU(G_ji x_i + b_j), G = W W^T, the summed loss of a
sample is a mean over i of integrals over [0, 1) of squares of clipped lines, which are polynomials. A k-gon has k
features of one norm and bias at even angles; the other features have no direction, and a bias that is their best
constant output.
"""

from __future__ import annotations

import math

import numpy as np

from phasegrid.pictures.measures import Array

PASSES, POINTS = 9, 41  # of the search for the best norm and bias: each pass looks 8 times as closely


def one_active_loss(weights: Array, biases: Array) -> Array:
    """The exact summed loss (..) of models of weights (.., n, m) and biases (.., n)."""
    n = weights.shape[-2]
    slope = np.einsum("...jm,...im->...ji", weights, weights)  # of output j in x_i
    target = np.broadcast_to(np.eye(n), slope.shape)
    offset = np.broadcast_to(biases[..., :, None], slope.shape)
    return np.asarray(clipped_square(slope, offset, target).sum(axis=(-1, -2)) / n)


def clipped_square(slope: Array, offset: Array, target: Array) -> Array:
    """The integral over x in [0, 1] of (ReLU(slope x + offset) - target x)^2."""
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.clip(np.where(slope != 0, -offset / np.where(slope != 0, slope, 1), 0), 0, 1)
    rising, flat = slope > 0, slope == 0
    low = np.where(flat, np.where(offset > 0, 0, 1), np.where(rising, crossing, 0))  # where the output is above 0
    high = np.where(flat, 1, np.where(rising, 1, crossing))
    a, b = slope - target, offset
    active = cubic(a, b, high) - cubic(a, b, low)
    silent = target**2 * (1 - (high**3 - low**3)) / 3
    return np.asarray(active + silent)


def cubic(a: Array, b: Array, x: Array) -> Array:
    """The integral of (a t + b)^2 over t from 0 to x."""
    return np.asarray(a**2 * x**3 / 3 + a * b * x**2 + b**2 * x)


def polygon(k: int, n: int, norm: float, bias: float) -> tuple[Array, Array]:
    """A k-gon of n features, (n, 2) and (n): the others have no weights and a bias of p / 2, their best constant."""
    angles = 2 * math.pi * np.arange(k) / k
    weights, biases = np.zeros((n, 2)), np.full(n, 0.5 / n)
    weights[:k] = norm * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    biases[:k] = bias
    return weights, biases


def best_polygon(k: int, n: int) -> tuple[float, float, float]:
    """Norm, bias and loss of the best k-gon of n features: a search on ever finer grids around the best point."""
    norm, bias, reach = 1.1, -0.25, 0.8
    for _ in range(PASSES):
        norms = np.clip(norm + reach * np.linspace(-1, 1, POINTS), 0, None)
        biases = bias + reach * np.linspace(-1, 1, POINTS)
        losses = grid_losses(k, n, norms, biases)
        at = np.unravel_index(int(losses.argmin()), losses.shape)
        norm, bias, reach = float(norms[at[0]]), float(biases[at[1]]), reach / 8
    return norm, bias, float(losses.min())


def grid_losses(k: int, n: int, norms: Array, biases: Array) -> Array:
    """(norms, biases): losses of k-gons. By symmetry one active corner stands for all."""
    weights, dead = polygon(k, n, 1.0, 0.0)
    slope = np.square(norms)[:, None, None] * (weights[:k] @ weights[0])
    target = np.eye(k)[0]
    corner = clipped_square(slope + np.zeros((1, len(biases), 1)), biases[None, :, None] + 0 * slope, target).sum(
        axis=-1
    )
    # Without a direction an output is its bias: wrong by (x - b)^2 where its feature is active, by b^2 elsewhere.
    b = dead[-1] if k < n else 0.0
    silent = (n - k) * (((1 - b) ** 3 + b**3) / 3 + (n - 1) * b**2) / n
    return np.asarray(corner * k / n + silent)


def level_losses(n: int) -> dict[int, float]:
    """k -> the exact loss of the best k-gon, for 2 to n corners."""
    return {k: best_polygon(k, n)[2] for k in range(2, n + 1)}
