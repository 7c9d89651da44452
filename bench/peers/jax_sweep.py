"""JAX peer: one jit of a lax.scan over the whole training of many models, data made inside, on each CPU thread or GPU.

A variant is LAYOUT-GENERATOR; which is the fastest where, and what else was tried, stands in README.md.
    matmul     vmap over models; an expert is chosen by masking: h = x [W^1 .. W^E], the hidden units of the others set
               to 0, z = h [W^1 .. W^E]^T, which are two plain products and for top_k = 1 exact; gradient by jax.grad
    fused      for tiny shapes: products over features and experts written out (written_out.py), and all sums over a
               batch taken by one jax.lax.reduce of many operands, so that a step is one loop
    sums       the same, every sum on its own
    wide       the same for dense models with samples last, h = W^T x, so that the inner loops run over a batch
    gather     vmap; W of a sample's expert is fetched for each sample; gradient by jax.grad
    hash       a 32-bit integer hash of the element's number (lowbias32), fused by XLA into what uses it
    philox     Philox4x32-7, phasegrid's own generator, written out, for `fused` and `sums`: it fuses, too
    threefry   JAX's default generator
    rbg        XLA's own generator (jax_default_prng_impl = rbg)
"""

from __future__ import annotations

import functools
import os
from typing import Any

import task
import written_out

GENERATORS = ("hash", "threefry", "rbg")
VARIANTS = [f"{layout}-{generator}" for layout in ("fused", "sums", "matmul", "wide", "gather") for generator in GENERATORS]
VARIANTS += ["fused-philox", "sums-philox"]
options = task.parse(__doc__ or "", VARIANTS)
layout, generator = options.variant.split("-")
if options.device == "cpu":  # a device a thread: XLA's own threads gain nothing on loops as small as these
    flags = f"--xla_force_host_platform_device_count={options.threads} --xla_cpu_enable_fast_math=true"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}"
    os.environ["JAX_PLATFORMS"] = "cpu"
try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    task.fail(f"jax_sweep: Python has no {error.name}: install JAX (on the CPU: make peers)")
if options.device == "cuda" and not any(d.platform == "gpu" for d in jax.devices()):
    task.fail(f"jax_sweep: --device cuda needs a GPU that JAX can use, and JAX {jax.__version__} sees {jax.devices()}")
settings: Any = jax.config
settings.update("jax_default_prng_impl", "rbg" if generator == "rbg" else "threefry2x32")

shape = task.SHAPES[options.shape]
n, m, E, B = shape.n_features, shape.n_hidden, shape.n_experts, shape.batch
DEVICES = options.threads if options.device == "cpu" else 1
M = options.models // DEVICES
WRITTEN = layout in ("fused", "sums")
if WRITTEN and not shape.tiny:
    task.fail(f"jax_sweep: layout {layout} is for at most 4 features, and {options.shape} has {n}")
if layout == "wide" and E > 1:
    task.fail(f"jax_sweep: layout wide is for dense models, and {options.shape} has {E} experts")
if layout == "gather" and (not shape.tied or shape.hidden == "relu"):
    task.fail(f"jax_sweep: layout gather is for tied weights and linear hidden units, and {options.shape} has others")
Array = Any
Parameters = dict[str, Array]
importance = jnp.asarray(shape.importance(), jnp.float32)
density = 1 - shape.sparsity


def uniform(key: Array, t: Array, size: tuple[int, ...]) -> Array:
    """float32 in [0, 1) for step t."""
    if generator != "hash":
        return jax.random.uniform(jax.random.fold_in(key, t), size)
    count = functools.reduce(lambda a, b: a * b, size)
    bits = jax.lax.iota(jnp.uint32, count).reshape(size) + t.astype(jnp.uint32) * jnp.uint32(count) + key
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = (bits ^ (bits >> shift)) * jnp.uint32(factor)
    bits ^= bits >> 16
    return jax.lax.bitcast_convert_type((bits >> 9) | jnp.uint32(0x3F800000), jnp.float32) - 1


def unit(word: Array) -> Array:
    """float32 in [0, 1) of 32 random bits."""
    return (word >> 8).astype(jnp.int32).astype(jnp.float32) * 2.0**-24


def philox(counter: list[Array], key: list[Array]) -> list[Array]:
    """Four arrays of words of Philox4x32 with seven rounds."""
    c, k = counter, key
    for _ in range(7):
        with jax.enable_x64(True):  # XLA makes one instruction of a wide product
            products = [c[at].astype(jnp.uint64) * jnp.uint64(by) for at, by in ((0, 0xD2511F53), (2, 0xCD9E8D57))]
            high = [(product >> jnp.uint64(32)).astype(jnp.uint32) for product in products]
            low = [product.astype(jnp.uint32) for product in products]
        c = [high[1] ^ c[1] ^ k[0], low[1], high[0] ^ c[3] ^ k[1], low[0]]
        k = [k[0] + jnp.uint32(0x9E3779B9), k[1] + jnp.uint32(0xBB67AE85)]
    return c


def philox_samples(key: Array, t: Array) -> list[list[Array]]:
    """[sample][feature]: float32 in [0, 1), (M, B / samples) each, of calls that waste no word."""
    samples = 1 if n % 4 == 0 else 2 if n % 2 == 0 else 4
    size = (M, B // samples)
    number, model = (jax.lax.broadcasted_iota(jnp.uint32, size, axis) for axis in (1, 0))
    step = jnp.broadcast_to(t.astype(jnp.uint32), size)
    words: list[Array] = []
    for call in range(samples * n // 4):
        words += philox([number, jnp.full(size, call, jnp.uint32), step, model], [key[0], key[1]])
    u = [unit(word) for word in words]
    return [u[at : at + n] for at in range(0, len(u), n)]


def initial(key: Array) -> Parameters:
    """W (M, E, n, m), G and b (M, E, n), D as W where weights are not tied: Xavier normal over the 3-D tensor, as the
    authors have it."""
    w, g, b, d = jax.random.split(key, 4)
    bias = jnp.zeros((M, E, n)) if shape.zero_bias else jax.random.normal(b, (M, E, n)) * (2 / (n + E)) ** 0.5
    spread = (2 / (m * (n + E))) ** 0.5
    parameters = {
        "W": jax.random.normal(w, (M, E, n, m)) * spread,
        "G": jax.random.normal(g, (M, E, n)) * (2 / (n + E)) ** 0.5,
        "b": bias,
    }
    return parameters if shape.tied else parameters | {"D": jax.random.normal(d, (M, E, n, m)) * spread}


def feature(u: Array) -> Array:
    """A feature of a uniform number: 0 unless it is below the density, then uniform."""
    return jnp.where(u < density, u * (1 / density), 0)


def inputs_of(u: Array, axis: int) -> Array:
    """Inputs of uniform numbers, features along an axis. Of a group the first feature's number says whether it is
    present, and below the density is uniform again: no number is drawn for that alone."""
    size = shape.group_size
    if size == 1:
        return feature(u)
    first = jax.lax.slice_in_dim(u, 0, None, size, axis)
    present = jnp.repeat(first < density, size, axis)
    leads = jax.lax.broadcasted_iota(jnp.int32, u.shape, axis % u.ndim) % size == 0
    return jnp.where(present, jnp.where(leads, u * (1 / density), u), 0)


def active(h: Array) -> Array:
    """Hidden units."""
    return jax.nn.relu(h) if shape.hidden == "relu" else h


def balance_of(scores: Array, chosen: Array) -> Array:
    """alpha E sum_e f_e mean(P_e) of scores and one-hot choices (B, E)."""
    share = jax.lax.stop_gradient(chosen).mean(axis=0)
    return shape.load_balance * E * jnp.sum(share * jax.nn.softmax(scores, axis=1).mean(axis=0))


def loss_matmul(parameters: Parameters, x: Array) -> Array:
    """Loss of one model's batch x (B, n), the other experts masked."""
    W, G, b = parameters["W"], parameters["G"], parameters["b"]
    columns, back = (a.transpose(1, 0, 2).reshape(n, E * m) for a in (W, parameters.get("D", W)))
    h = active(x @ columns)
    bias, balance = b[0], jnp.float32(0)
    if E > 1:
        scores = x @ G.T
        chosen = jax.nn.one_hot(jnp.argmax(scores, axis=1), E)  # ties to the lower expert
        h = (h.reshape(B, E, m) * chosen[:, :, None]).reshape(B, E * m)
        bias = chosen @ b
        balance = balance_of(scores, chosen) if shape.load_balance else balance
    y = jax.nn.relu(h @ back.T + bias)
    return jnp.mean(importance * (x - y) ** 2) + balance


def loss_wide(parameters: Parameters, x: Array) -> Array:
    """The same of a dense model, of x (n, B)."""
    W, b = parameters["W"][0], parameters["b"][0]
    y = jax.nn.relu(parameters.get("D", parameters["W"])[0] @ active(W.T @ x) + b[:, None])
    return jnp.mean(importance[:, None] * (x - y) ** 2)


def loss_gather(parameters: Parameters, x: Array) -> Array:
    """The same with each sample's expert fetched."""
    W, G, b = parameters["W"], parameters["G"], parameters["b"]
    scores = x @ G.T
    expert = jnp.argmax(scores, axis=1)
    mine = W[expert]
    y = jax.nn.relu(jnp.einsum("bm,bnm->bn", jnp.einsum("bn,bnm->bm", x, mine), mine) + b[expert])
    balance = balance_of(scores, jax.nn.one_hot(expert, E)) if shape.load_balance else 0.0
    return jnp.mean(importance * (x - y) ** 2) + balance


def slopes_written(parameters: Parameters, x: list[list[Array]]) -> tuple[Array, Parameters]:
    """Losses (M,) and gradient of the parts of batches, n arrays (M, B / parts) each; parameters have models last."""
    W, b, G = (parameters[name][..., None] for name in ("W", "b", "G"))
    parts = [written_out.terms(jnp, shape, W, b, G, part) for part in x]
    terms = [written_out.total(list(same)) for same in zip(*parts, strict=True)]
    if layout == "fused":  # one reduction of many operands: XLA makes it one loop, which draws x, too
        zeros = tuple(jnp.float32(0) for _ in terms)
        sums = jax.lax.reduce(tuple(terms), zeros, lambda a, c: tuple(u + v for u, v in zip(a, c, strict=True)), (1,))
    else:
        sums = [term.sum(axis=1) for term in terms]
    losses, dW, db, dG = written_out.gradient(jnp, shape, list(sums))
    return losses, {"W": dW, "b": db, "G": dG}


def slopes_vmap(parameters: Parameters, x: Array) -> tuple[Array, Parameters]:
    """Losses (M,) and gradient of batches x (M, B, n), `wide` (M, n, B); parameters have models first."""
    loss_of = {"gather": loss_gather, "wide": loss_wide, "matmul": loss_matmul}[layout]
    losses: tuple[Array, Parameters] = jax.vmap(jax.value_and_grad(loss_of))(parameters, x)
    return losses


def train_models(key: Array) -> Array:
    """The losses (M,) of the last batches of M models' whole trainings."""
    start, inputs = jax.random.split(key)
    if generator == "hash":
        inputs = jax.random.bits(inputs, (), jnp.uint32)
    elif generator == "philox":
        inputs = jax.random.bits(inputs, (2,), jnp.uint32)
    parameters = initial(start)
    if WRITTEN:
        parameters = jax.tree.map(lambda a: jnp.moveaxis(a, 0, -1), parameters)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    size = (n, M, B) if WRITTEN else (M, n, B) if layout == "wide" else (M, B, n)

    def step(state: Any, t: Array) -> tuple[Any, Array]:
        parameters, first, second = state
        if WRITTEN:
            parts = philox_samples(inputs, t) if generator == "philox" else [list(uniform(inputs, t, size))]
            losses, gradient = slopes_written(parameters, [[feature(u) for u in part] for part in parts])
        else:
            losses, gradient = slopes_vmap(parameters, inputs_of(uniform(inputs, t, size), -2 if layout == "wide" else -1))
        first = jax.tree.map(lambda a, g: task.BETA1 * a + (1 - task.BETA1) * g, first, gradient)
        second = jax.tree.map(lambda a, g: task.BETA2 * a + (1 - task.BETA2) * g * g, second, gradient)
        c1, c2 = 1 - task.BETA1 ** (t + 1.0), 1 - task.BETA2 ** (t + 1.0)
        decay = 1 - task.LEARNING_RATE * task.WEIGHT_DECAY

        def update(p: Array, a: Array, s: Array) -> Array:
            return p * decay - task.LEARNING_RATE * (a / c1) / (jnp.sqrt(s / c2) + task.EPSILON)

        return (jax.tree.map(update, parameters, first, second), first, second), losses

    # The loss is computed at the last step alone, as phasegrid does.
    last = options.steps - 1
    state, _ = jax.lax.scan(lambda s, t: (step(s, t)[0], None), (parameters, zeros, zeros), jnp.arange(last))
    losses: Array = step(state, jnp.int32(last))[1]
    return losses


def main() -> None:
    run = jax.pmap(train_models) if DEVICES > 1 else jax.jit(train_models)

    def train(seed: int) -> list[float]:
        key = jax.random.key(seed)
        losses = run(jax.random.split(key, DEVICES) if DEVICES > 1 else key)
        return [float(loss) for loss in jax.device_get(losses).ravel()]

    task.serve({"jax": jax.__version__, "device": str(jax.devices()[0].device_kind)}, train)


main()
