"""Does rounding alone move a router that exact training leaves as it is? About 1 minute.

    python experiments/rounding_residue.py [--seeds 32] [--steps 10000]

With k = 1 the gate is P / P, whose derivative is zero, and phasegrid's kernels have it so. Automatic differentiation
in float32 computes it as g / P - g (P / P) / P, PyTorch's formula for a quotient. Rounding leaves about 1e-7 g of that,
and AdamW turns gradients of that size into whole steps. So which way a tie of an all-zero router breaks is decided by
rounding. This script trains Figure 5's models (experiments/fig5.toml) in plain float32 NumPy, with and without that
residue, and counts the regions of the plane that their routers make. Its random numbers are NumPy's own: not the bits
of phasegrid, but models of the same distribution.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

N, M, E = 2, 1, 3  # features, hidden units, experts
BATCH, SPARSITY = 100, 0.5
RATE, DECAY, BETAS, EPSILON = 1e-3, 0.01, (0.9, 0.999), 1e-8
DROP_BELOW, DROP_FACTOR, STOP_BELOW = 0.015, 0.1, 0.01
ONE = np.float32(1)


@dataclass
class Models:
    """One model per seed: W [seeds, E, N, M], b [seeds, E, N], G [seeds, E, N]; loss [seeds] of the last batch."""

    W: np.ndarray
    b: np.ndarray
    G: np.ndarray
    loss: np.ndarray


def initial(router: str, seeds: int, random: np.random.Generator) -> list[np.ndarray]:
    W = random.normal(0, np.sqrt(2 / (M * (N + E))), (seeds, E, N, M))
    G = np.zeros((seeds, E, N)) + (np.eye(E, N) if router == "diagonal" else 0)
    return [part.astype(np.float32) for part in (W, np.zeros((seeds, E, N)), G)]


def gradients(W: np.ndarray, b: np.ndarray, G: np.ndarray, x: np.ndarray, residue: bool):
    """Of the loss, summed over features and averaged over the batch, for inputs x [seeds, batch, N]."""
    seeds, scores = np.arange(len(x))[:, None], x @ G.transpose(0, 2, 1)
    top = scores.argmax(-1)  # the first of equals
    w = W[seeds, top]  # [seeds, batch, N, M]
    hidden = np.einsum("sbnm,sbn->sbm", w, x)
    z = np.einsum("sbnm,sbm->sbn", w, hidden) + b[seeds, top]
    y = np.maximum(z, 0)
    error = y - x
    slope = np.where(z > 0, error, 0) * np.float32(2 / BATCH)
    back = np.einsum("sbn,sbnm->sbm", slope, w)
    of_w = slope[..., None] * hidden[..., None, :] + x[..., None] * back[..., None, :]
    chosen = np.eye(E, dtype=np.float32)[top]  # [seeds, batch, E]
    of_G = np.zeros_like(G)
    if residue:
        P = np.exp(scores - scores.max(-1, keepdims=True))
        P /= P.sum(-1, keepdims=True)
        gate = P[seeds, np.arange(BATCH), top]
        g = (np.float32(2 / BATCH) * error * y).sum(-1)
        left = g / gate - g * (gate / gate / gate)  # zero, but for rounding
        through = P * (chosen - gate[..., None]) * left[..., None]
        of_G = through.transpose(0, 2, 1) @ x
    of_W = np.einsum("sbe,sbnm->senm", chosen, of_w)
    of_b = np.einsum("sbe,sbn->sen", chosen, slope)
    return (of_W, of_b, of_G), (error**2).sum(-1).mean(-1)


def train(router: str, seeds: int, steps: int, residue: bool, *, early: bool = True) -> Models:
    """Figure 5's training of one model per seed; `early`: with its drop and its stop."""
    random = np.random.default_rng(0)
    parts = initial(router, seeds, random)
    moments = [[np.zeros_like(part) for part in parts] for _ in BETAS]
    rate, running = np.full(seeds, RATE, np.float32), np.ones(seeds, bool)
    loss = np.zeros(seeds)
    for step in range(1, steps + 1):
        x = random.random((seeds, BATCH, N), np.float32)
        x *= random.random((seeds, BATCH, N), np.float32) >= SPARSITY
        slopes, now = gradients(*parts, x, residue)
        loss[running] = now[running]
        if early:
            rate[(rate == np.float32(RATE)) & (now < DROP_BELOW)] *= np.float32(DROP_FACTOR)
            running &= now >= STOP_BELOW
        if not running.any():
            break
        first_share, second_share = (ONE / (ONE - np.float32(beta) ** step) for beta in BETAS)
        for part, slope, first, second in zip(parts, slopes, *moments, strict=True):
            first += (slope - first) * np.float32(1 - BETAS[0])
            second += (slope * slope - second) * np.float32(1 - BETAS[1])
            adam = first * first_share / (np.sqrt(second * second_share) + np.float32(EPSILON))
            by_seed = (rate * running).reshape(-1, *[1] * (part.ndim - 1))
            part -= by_seed * (adam + np.float32(DECAY) * part)
    return Models(*parts, loss)


def regions(G: np.ndarray) -> np.ndarray:
    """Experts [seeds] that win at least half a percent of the directions of the first quadrant."""
    angle = (np.arange(2000) + 0.5) / 2000 * np.pi / 2
    winners = (np.stack([np.cos(angle), np.sin(angle)], -1) @ G.transpose(0, 2, 1)).argmax(-1)
    shares = np.stack([(winners == e).mean(-1) for e in range(E)], -1)
    return (shares >= 0.005).sum(-1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Figure 5 with and without the rounding residue of the router.")
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10000)
    options = parser.parse_args()
    print("router    residue  seeds with 1, 2, 3 regions  final loss")
    for router in ("zero", "diagonal"):
        for residue in (False, True):
            models = train(router, options.seeds, options.steps, residue)
            counts = ", ".join(map(str, np.bincount(regions(models.G), minlength=4)[1:]))
            loss = f"{models.loss.mean():.4f} +- {models.loss.std(ddof=1):.4f}"
            print(f"{router:9} {'with' if residue else 'without':8} {counts:27} {loss}", flush=True)


if __name__ == "__main__":
    main()
