"""Correlated and anticorrelated pairs: four features in the plane, at right angles or opposite each other."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from phasegrid.field.base import SAFE, Bools, Claim, Trained, Work, of_share
from phasegrid.field.drawing import arrows, gram, plain, sheet
from phasegrid.pictures.measures import Array

LAWS = ("correlated", "anticorrelated", "independent")
SWEEPS = tuple(f"pairs_{law}" for law in LAWS)
NEAR = 0.1  # of a cosine
RARE = 0.1  # density up to which pairs count as sparse
OFTEN = 0.3  # and from which on as frequent


def cosines(weights: Array) -> Array:
    """(.., pairs): between the two features of each pair of models (.., n, m); NaN where one has no direction."""
    norms = np.linalg.norm(weights, axis=-1)
    first, second = weights[..., 0::2, :], weights[..., 1::2, :]
    product = norms[..., 0::2] * norms[..., 1::2]
    return np.where(product > 0.01, (first * second).sum(axis=-1) / np.maximum(product, 1e-9), np.nan)


def both(met: Bools) -> Bools:
    """(..): whether it holds of both pairs (.., pairs)."""
    return np.asarray(met.all(axis=-1))


def loaded(trained: Trained, law: str) -> tuple[Array, Array, Array]:
    """p (S), weights (S, seeds, n, m), biases (S, seeds, n)."""
    name = f"pairs_{law}"
    weights = trained.grid(name, "expert_weights", "sparsity")[..., 0, :, :]
    return 1 - trained.axis(name, "sparsity"), weights, trained.grid(name, "biases", "sparsity")[..., 0, :]


def values(trained: Trained) -> list[Claim]:
    p, weights, _ = loaded(trained, "correlated")
    inside = cosines(weights)
    claims = [
        of_share(
            "correlated pairs lie at right angles, where they are rare",
            "published",
            "orthogonal",
            both(np.abs(inside[p <= RARE + 1e-9]) <= NEAR),
            0.9,
            f"models at p up to {RARE:g} with both cosines within {NEAR:g} of 0; 9 in 10 were asked for",
        ),
        of_share(
            "correlated pairs that cannot all be represented collapse into one direction a pair",
            "published",
            "one principal component a pair",
            both(inside[p >= OFTEN - 1e-9] >= 1 - NEAR),
            0.9,
            f"models at p from {OFTEN:g} with both cosines within {NEAR:g} of 1; 9 in 10 were asked for",
        ),
    ]
    p, weights, _ = loaded(trained, "anticorrelated")
    inside = cosines(weights)
    claims.append(
        of_share(
            "anticorrelated pairs lie opposite each other",
            "published",
            "antipodal",
            both(inside <= -1 + NEAR),
            0.9,
            "models of all densities with both cosines within 0.1 of -1; 9 in 10 were asked for. "
            + by_density(p, both(inside <= -1 + NEAR))
            + "; where pairs are rare, chance decides: two features of different pairs are hardly ever there together "
            "either",
        )
    )
    loss = trained.grid(SWEEPS[1], "reconstruction_losses", "sparsity")
    claims.append(
        of_share(
            "opposite anticorrelated pairs are exact: they are never there together",
            "calculated",
            "loss 0",
            loss[both(inside <= -1 + NEAR)] <= 1e-5,
            0.9,
            "kept models whose pairs are opposite, with a mean loss up to 1e-5; 9 in 10 were asked for",
        )
    )
    p, weights, _ = loaded(trained, "independent")
    crossed = both(np.abs(cosines(weights)) <= NEAR)
    claims.append(
        of_share(
            "independent pairs, where they are rare: opposite one of the three others, each equally likely",
            "calculated",
            "2 in 3 across",
            crossed[p <= RARE + 1e-9],
            0.55,
            "share of models whose pairs lie across, at right angles: two of the three ways to form opposite pairs; at "
            "least 0.55 was asked for",
        )
    )
    return claims


def by_density(p: Array, met: Bools) -> str:
    return "By p: " + ", ".join(f"{x:.3g}: {row.sum()} of {row.size}" for x, row in zip(p, met, strict=True))


def draw(trained: Trained) -> Figure:
    """A row a law: arrows and W W^T of the first seed at a low and a high density, and cosines of all seeds."""
    figure, grid = sheet(len(LAWS), 5, 1.35, 1.45)
    for row, law in zip(grid, LAWS, strict=True):
        p, weights, biases = loaded(trained, law)
        for at, density in ((0, RARE), (2, 0.5)):
            cell = int(np.argmin(np.abs(p - density)))
            arrows(row[at], weights[cell, 0], reach=1.35)
            gram(row[at + 1], weights[cell, 0], biases[cell, 0])
            row[at].set_title(f"{law}, p = {p[cell]:.2g}" if at == 0 else f"p = {p[cell]:.2g}", fontsize=7, loc="left")
            row[at + 1].set_title("$W W^T$", fontsize=7)
        inside = cosines(weights).reshape(len(p), -1)
        random = np.random.default_rng(0)
        for x, found in zip(p, inside, strict=True):
            jitter = x * np.exp(random.uniform(-0.1, 0.1, len(found)))
            row[4].plot(jitter, found, ".", markersize=2, color=SAFE.series[0], alpha=0.5, markeredgewidth=0)
        row[4].set_xscale("log")
        row[4].set_xticks([0.02, 0.1, 0.5], ["0.02", "0.1", "0.5"])
        row[4].minorticks_off()
        plain(row[4], ylim=(-1.1, 1.1), yticks=[-1, 0, 1])
        row[4].set_title("cosine in a pair", fontsize=7)
    grid[-1, 4].set_xlabel("p")
    return figure


WORK = Work(
    "pairs",
    "Correlated and anticorrelated pairs",
    "Elhage et al. 2022, Toy Models of Superposition",
    "Four features in the plane, in two pairs. Features of a pair that come together do best at right angles, so that "
    "they do not disturb each other; features of a pair that never come together lie opposite each other at no cost. "
    "Pairs that come together often collapse into one direction each.",
    SWEEPS,
    values,
    draw,
)
