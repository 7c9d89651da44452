"""One curve of experiments/network_sparsity trained anew in JAX: same settings, other code and another generator.

    python bench/peers/network_sparsity_check.py            # a few minutes on one core; needs jax and numpy alone

The curve is that of random routers at equal E m and k = 1, independent features: mean D_i of the represented features,
and the log of the reconstruction loss, over E. It stands in experiments/network_sparsity/summary.json. Prints both with
their standard errors; the exit status is 1 where a point is further off than three standard errors of the difference.
Gradients are autodiff's, an expert is chosen by masking, random numbers are threefry's.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SUMMARY = Path(__file__).resolve().parents[2] / "experiments" / "network_sparsity" / "summary.json"
N = 32
WEIGHT_DECAY, BETA1, BETA2, EPSILON = 0.01, 0.9, 0.999, 1e-8
REPRESENTED, LIVE = 0.5, 0.01  # norm of a represented feature; share of the non-zero inputs of an expert that counts
EVALUATION = 16384
Array = Any
Model = dict[str, Array]


def initial(key: Array, m: int, E: int) -> Model:
    """Xavier normal over the three extents, as the authors' code has it; biases are 0."""
    first, second = jax.random.split(key)
    W = jax.random.normal(first, (E, N, m)) * math.sqrt(2 / (m * (N + E)))
    G = jax.random.normal(second, (E, N)) * math.sqrt(2 / (N + E))
    return {"W": W, "b": jnp.zeros((E, N)), "G": G}


def inputs(key: Array, samples: int, S: float) -> Array:
    """(samples, N): 0 with probability S, else uniform in [0, 1)."""
    present, value = jax.random.split(key)
    there = jax.random.uniform(present, (samples, N)) >= S
    return jnp.where(there, jax.random.uniform(value, (samples, N)), 0.0)


def chosen(model: Model, x: Array) -> Array:
    """(samples, E): 1 for the expert of highest score, of equal ones the first. With k = 1 its gate is 1."""
    return jax.nn.one_hot(jnp.argmax(x @ model["G"].T, axis=1), model["G"].shape[0])


def loss(model: Model, x: Array) -> Array:
    h = jnp.einsum("si,eim->sem", x, model["W"]) * chosen(model, x)[:, :, None]
    z = jnp.einsum("sem,eim->si", h, model["W"]) + chosen(model, x) @ model["b"]
    return ((x - jax.nn.relu(z)) ** 2).mean()


@functools.partial(jax.jit, static_argnames=("m", "E", "S", "steps", "batch", "rate"))
def trained(keys: Array, m: int, E: int, S: float, steps: int, batch: int, rate: float) -> tuple[Model, Array]:
    """Models of as many keys, and their losses on fresh inputs."""

    def one(key: Array) -> tuple[Model, Array]:
        start, data, fresh = jax.random.split(key, 3)
        model = initial(start, m, E)
        zeros = jax.tree.map(jnp.zeros_like, model)

        def step(state: tuple[Model, Model, Model], t: Array) -> tuple[tuple[Model, Model, Model], None]:
            model, first, second = state
            gradient = jax.grad(loss)(model, inputs(jax.random.fold_in(data, t), batch, S))
            first = jax.tree.map(lambda a, g: BETA1 * a + (1 - BETA1) * g, first, gradient)
            second = jax.tree.map(lambda a, g: BETA2 * a + (1 - BETA2) * g * g, second, gradient)
            unbias1, unbias2 = 1 - BETA1 ** (t + 1.0), 1 - BETA2 ** (t + 1.0)

            def updated(w: Array, a: Array, v: Array) -> Array:
                return w * (1 - rate * WEIGHT_DECAY) - rate * (a / unbias1) / (jnp.sqrt(v / unbias2) + EPSILON)

            return (jax.tree.map(updated, model, first, second), first, second), None

        (model, _, _), _ = jax.lax.scan(step, (model, zeros, zeros), jnp.arange(steps))
        return model, loss(model, inputs(fresh, EVALUATION, S))

    return jax.vmap(one)(keys)


def dimensionality(model: Model, S: float) -> float:
    """Mean D_i of the features that a live expert represents; of one model, as NumPy arrays."""
    x = np.asarray(inputs(jax.random.key(1), 4 * 1024, S))
    x = x[(x != 0).any(axis=1)]
    first = (x @ model["G"].T).argmax(axis=1)
    found = []
    for e, W in enumerate(model["W"].astype(float)):
        if (first == e).mean() < LIVE:
            continue
        squares = (W * W).sum(axis=1)
        D = squares**2 / ((W @ W.T) ** 2).sum(axis=1)
        found += D[np.sqrt(squares) >= REPRESENTED].tolist()
    return float(np.mean(found)) if found else math.nan


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--summary", type=Path, default=SUMMARY)
    parser.add_argument("--models", type=int, default=12, help="of each point of the curve; at least 2")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.models < 2:
        parser.error(f"--models must be a whole number from 2, not {options.models}")
    summary = json.loads(options.summary.read_text())
    off = False
    print(f"{'E':>3} {'what':16} {'JAX':>10} {'error':>9} {'phasegrid':>10} {'error':>9} {'errors apart':>13}")
    for point in summary["peer_curve"]:
        E, S = point["E"], point["S"]
        keys = jax.random.split(jax.random.fold_in(jax.random.key(options.seed), E), options.models)
        settings = (point["m"], E, S, summary["steps"], summary["batch"], summary["learning_rate"])
        models, losses = jax.tree.map(np.asarray, trained(keys, *settings))
        each = [{name: array[i] for name, array in models.items()} for i in range(options.models)]
        D = [dimensionality(one, S) for one in each]
        for what, values in (("dimensionality", D), ("log_loss", np.log(losses.astype(float)))):
            ours, theirs = point[what], np.asarray(values)
            error = float(theirs.std(ddof=1) / math.sqrt(len(theirs)))
            apart = (float(theirs.mean()) - ours["mean"]) / math.hypot(error, ours["error"])
            off |= not abs(apart) <= 3
            row = f"{theirs.mean():10.5f} {error:9.5f} {ours['mean']:10.5f} {ours['error']:9.5f}"
            print(f"{E:3} {what:16} {row} {apart:13.2f}", flush=True)
    print("a point is further off than three standard errors" if off else "all within three standard errors")
    return int(off)


if __name__ == "__main__":
    sys.exit(main())
