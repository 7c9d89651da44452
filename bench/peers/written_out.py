"""The step of a tiny shape with every product written out, so that a compiler can fuse all of it into one loop.

A batch's loss and gradient are functions of a few sums over its samples; `terms` are what is summed, elementwise in
arrays (M, B) of M models' batches, and `gradient` puts the sums together. Both work on JAX's and on PyTorch's arrays:
`ops` is jax.numpy or torch.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

from task import Shape

Array = Any


def total(values: list[Array]) -> Array:
    """Their sum, without the 0 that the built-in begins with."""
    result = values[0]
    for value in values[1:]:
        result = result + value
    return result


def terms(ops: Any, shape: Shape, W: Array, b: Array, G: Array, x: list[Array]) -> list[Array]:
    """What a batch sums up. x: n arrays (M, B); W (E, n, m, M, 1), b and G (E, n, M, 1)."""
    n, m, E = shape.n_features, shape.n_hidden, shape.n_experts
    features, experts, hidden = range(n), range(E), range(m)
    expert = None
    if E > 1:
        scores = [total([G[e, f] * x[f] for f in features]) for e in experts]
        best, expert = scores[0], ops.zeros_like(scores[0])
        for e in experts[1:]:  # ties to the lower expert
            wins = scores[e] > best
            best, expert = ops.where(wins, scores[e], best), ops.where(wins, float(e), expert)
        powers = [ops.exp(score - best) for score in scores]
        all_powers = total(powers)
        probability = [power / all_powers for power in powers]

    def of_expert(values: list[Array]) -> Array:
        chosen = values[0]
        for e in experts[1:]:
            chosen = ops.where(expert == float(e), values[e], chosen)
        return chosen

    def of(e: int, value: Array) -> Array:
        return value if E == 1 else ops.where(expert == float(e), value, 0.0)

    V = [[of_expert([W[e, f, j] for e in experts]) for j in hidden] for f in features]
    h = [total([V[f][j] * x[f] for f in features]) for j in hidden]
    z = [of_expert([b[e, f] for e in experts]) + total([V[f][j] * h[j] for j in hidden]) for f in features]
    error = [ops.where(z[f] > 0, z[f], 0.0) - x[f] for f in features]
    importance = shape.importance()
    scale = 2 / (n * shape.batch)
    dz = [ops.where(z[f] > 0, scale * importance[f] * error[f], 0.0) for f in features]
    dh = [total([V[f][j] * dz[f] for f in features]) for j in hidden]

    summed = [total([importance[f] * error[f] * error[f] for f in features])]
    summed += [of(e, dz[f] * h[j] + x[f] * dh[j]) for e in experts for f in features for j in hidden]
    summed += [of(e, dz[f]) for e in experts for f in features]
    if E > 1:
        summed += [of(e, ops.ones_like(x[0])) for e in experts]
        summed += probability
        summed += [probability[e] * x[f] for e in experts for f in features]
        pairs = combinations_with_replacement(experts, 2)
        summed += [probability[e] * probability[other] * x[f] for e, other in pairs for f in features]
    return summed


def gradient(ops: Any, shape: Shape, sums: list[Array]) -> tuple[Array, Array, Array, Array]:
    """(losses (M,), dW (E, n, m, M), db (E, n, M), dG) of the sums, each (M,), of `terms`."""
    n, m, E, B = shape.n_features, shape.n_hidden, shape.n_experts, shape.batch
    queue = iter(sums)

    def take(*size: int) -> Any:
        return [take(*size[1:]) for _ in range(size[0])] if size else next(queue)

    def stack(values: Any) -> Array:
        return ops.stack([stack(value) if isinstance(value, list) else value for value in values])

    loss = take() / (n * B)
    dW, db = stack(take(E, n, m)), stack(take(E, n))
    if E == 1:
        return loss, dW, db, ops.zeros_like(db)
    share = [count / B for count in take(E)]
    mean = [probability / B for probability in take(E)]
    px = take(E, n)
    ppx = {pair: take(n) for pair in combinations_with_replacement(range(E), 2)}
    alpha = shape.load_balance * E
    loss = loss + alpha * total([share[e] * mean[e] for e in range(E)])

    def slope(e: int, f: int) -> Array:
        others = [share[k] * ppx[min(e, k), max(e, k)][f] for k in range(E)]
        return (share[e] * px[e][f] - total(others)) * (alpha / B)

    return loss, dW, db, stack([[slope(e, f) for f in range(n)] for e in range(E)])
