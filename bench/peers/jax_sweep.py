"""JAX peer: one jit of a vmap over models of a lax.scan over the whole training, data made inside.

What was tried for speed on a CPU stands in README.md; variants keep the readable alternatives:
    rbg        XLA's own generator (jax_default_prng_impl = rbg), the default
    threefry   JAX's default generator
An expert is chosen by masking: h = x [W^1 .. W^E], hidden units of the others set to 0, z = h [W^1 .. W^E]^T, which are
two plain matrix products and, for top_k = 1, exact.
"""

from __future__ import annotations

import functools
import os
import sys
import time

import task

options = task.parse(__doc__ or "", ["rbg", "threefry"])
if options.device == "cpu":
    single = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1" if options.threads == 1 else ""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {single}".strip()
    os.environ["JAX_PLATFORMS"] = "cpu"
try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    print(f"jax_sweep: {error.name} is missing: make peers", file=sys.stderr)
    sys.exit(2)
jax.config.update("jax_default_prng_impl", "rbg" if options.variant == "rbg" else "threefry2x32")

shape = task.SHAPES[options.shape]
n, m, E = shape.n_features, shape.n_hidden, shape.n_experts
Parameters = dict[str, jax.Array]


def initial(key: jax.Array) -> Parameters:
    """Xavier normal over the 3-D tensor, as the authors have it."""
    w, g, b = jax.random.split(key, 3)
    bias = jnp.zeros((E, n)) if shape.zero_bias else jax.random.normal(b, (E, n)) * (2 / (n + E)) ** 0.5
    return {
        "W": jax.random.normal(w, (E, n, m)) * (2 / (m * (n + E))) ** 0.5,
        "G": jax.random.normal(g, (E, n)) * (2 / (n + E)) ** 0.5,
        "b": bias,
    }


def loss_of(parameters: Parameters, x: jax.Array, importance: jax.Array) -> jax.Array:
    """Loss `mean` and the load balance of a batch x (B, n)."""
    W, G, b = parameters["W"], parameters["G"], parameters["b"]
    columns = W.transpose(1, 0, 2).reshape(n, E * m)
    h = x @ columns
    bias = b[0]
    balance = shape.load_balance
    if E > 1:
        scores = x @ G.T
        chosen = jax.nn.one_hot(jnp.argmax(scores, axis=1), E)  # ties to the lower expert
        h = h * jnp.repeat(chosen, m, axis=1, total_repeat_length=E * m)
        bias = chosen @ b
        if shape.load_balance:
            share = jax.lax.stop_gradient(chosen).mean(axis=0)
            balance = shape.load_balance * E * jnp.sum(share * jax.nn.softmax(scores, axis=1).mean(axis=0))
    y = jax.nn.relu(h @ columns.T + bias)
    return jnp.mean(importance * (x - y) ** 2) + balance


def train_model(key: jax.Array, density: jax.Array, importance: jax.Array) -> jax.Array:
    """The loss of the last batch of one model's whole training."""
    key, start = jax.random.split(key)
    parameters = initial(start)
    moments = jax.tree.map(jnp.zeros_like, parameters)

    def step(state: tuple[Parameters, Parameters, Parameters], t: jax.Array) -> tuple[object, jax.Array]:
        parameters, first, second = state
        u = jax.random.uniform(jax.random.fold_in(key, t), (shape.batch, n))
        x = jnp.where(u < density, u / density, 0)
        loss, gradient = jax.value_and_grad(loss_of)(parameters, x, importance)
        first = jax.tree.map(lambda a, g: task.BETA1 * a + (1 - task.BETA1) * g, first, gradient)
        second = jax.tree.map(lambda a, g: task.BETA2 * a + (1 - task.BETA2) * g * g, second, gradient)
        c1, c2 = 1 - task.BETA1 ** (t + 1.0), 1 - task.BETA2 ** (t + 1.0)
        decay = 1 - task.LEARNING_RATE * task.WEIGHT_DECAY

        def update(p: jax.Array, a: jax.Array, s: jax.Array) -> jax.Array:
            return p * decay - task.LEARNING_RATE * (a / c1) / (jnp.sqrt(s / c2) + task.EPSILON)

        return (jax.tree.map(update, parameters, first, second), first, second), loss

    _, losses = jax.lax.scan(step, (parameters, moments, moments), jnp.arange(options.steps))
    return losses[-1]


def main() -> None:
    importance = jnp.asarray(shape.importance())
    density = jnp.float32(1 - shape.sparsity)
    run = jax.jit(jax.vmap(functools.partial(train_model, density=density, importance=importance)))
    seconds = []
    for attempt in range(2):
        keys = jax.random.split(jax.random.key(options.seed + attempt), options.models)
        start = time.perf_counter()
        losses = run(keys).block_until_ready()
        seconds.append(time.perf_counter() - start)
    task.report("jax", {"jax": jax.__version__}, options, seconds=seconds[1], first_seconds=seconds[0], losses=losses)


main()
