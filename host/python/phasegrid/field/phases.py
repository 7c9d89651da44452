"""Anthropic's phase diagrams of n = 2, m = 1 and n = 3, m = 2, with the exact boundaries of Wattenberg's four
models."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from phasegrid.field.base import Bools, Claim, Estimate, Trained, Work, over_seeds, verdict
from phasegrid.field.drawing import sheet
from phasegrid.field.exact import expected_loss
from phasegrid.pictures.diagrams import INK
from phasegrid.pictures.grids import PHASES, phase_colours
from phasegrid.pictures.measures import Array, last_norm, last_score
from phasegrid.pictures.scales import Scale
from phasegrid.pictures.style import legend_above

SWEEPS = {"phases_n2_m1": (2, 1), "phases_n3_m2": (3, 2)}
KINDS = ("last feature ignored", "another feature ignored", "two others share a unit", "last shares a unit")
PRESENT, ALONE = 0.5, 0.25  # as `phasegrid compare`: norm from which a feature is there, interference below which alone


def hand_built(p: Array, r: Array, n: int) -> Array:
    """(4, ..): exact summed losses of the four models that n = m + 1 features can be put into by hand.

    p: density of the features, r: importance of the last one; the others have 1. A model ignores the last feature (its
    best constant output leaves r (p/3 - p^2/4)), or another; or it puts two features on one unit in opposite
    directions, which errs where both are there: p^2/6 for each of the two. Two of the others exist from n = 3 on.
    """
    ignored = p / 3 - p**2 / 4
    others = p**2 / 3 if n >= 3 else np.full(np.broadcast(p, r).shape, np.inf)
    return np.stack(np.broadcast_arrays(r * ignored, ignored + 0 * r, others + 0 * r, (1 + r) * p**2 / 6))


def classes(weights: Array) -> Array:
    """Of dense models (.., n, m), what they do with the last feature: 0 ignored, 1 alone, 2 superposed."""
    return np.where(last_norm(weights) < PRESENT, 0, np.where(last_score(weights) < ALONE, 1, 2))


COMMON = 0.1  # density from which 16,384 samples tell restarts apart by their loss, too
RAREST = 0.05  # density from which 16,384 samples tell restarts apart
CLEAR = 1.05
# What each model made by hand does with the last feature.
HAND_CLASS = np.array([0, 1, 1, 2])


def runner_up(exact: Array) -> Array:
    """(..): of losses (4, ..) made by hand, the least of those whose class is not that of the least of all."""
    best = HAND_CLASS[exact.argmin(axis=0)]
    return np.asarray(np.where(HAND_CLASS.reshape(-1, *[1] * best.ndim) != best, exact, np.inf).min(axis=0))


def loaded(trained: Trained, name: str) -> tuple[Array, Array, Array, Array]:
    """p (S, 1), r (R), exact summed losses (S, R, seeds), weights (S, R, seeds, n, m)."""
    p = 1 - trained.axis(name, "sparsity")[:, None]
    r = trained.axis(name, "last_importance")
    axes = ("sparsity", "last_importance")
    weights = trained.grid(name, "expert_weights", *axes)[..., 0, :, :]
    biases = trained.grid(name, "biases", *axes)[..., 0, :]
    importance = np.ones((1, len(r), 1, weights.shape[-2]))
    importance[..., -1] = r[:, None]
    return p, r, expected_loss(weights, biases, p[:, :, None], importance), weights


def crossing(p: Array, superposed: Bools) -> float:
    """The sparsity from which on models are superposed, halfway between cells: superposed (S) over falling p (S)."""
    sparsity = 1 - p.ravel()
    order = np.argsort(sparsity)
    state, S = superposed[order], sparsity[order]
    if not state.any() or state.all():
        return float("nan")
    # The place that most cells agree with: above it superposed, below it not.
    right = [int((~state[:cut]).sum() + state[cut:].sum()) for cut in range(1, len(S))]
    cut = 1 + int(np.argmax(right))
    return float((S[cut - 1] + S[cut]) / 2)


def equal_importance(p: Array, ratio: Array, found: Estimate, step: float) -> Claim:
    """From which sparsity on superposing wins for equal features. ratio (S, seeds): loss over the best made by hand."""
    between = (1 - p > found.value) & (
        1 - p < 3 / 7
    )  # superposed, where those made by hand had better ignore a feature
    below = float(ratio[between].mean()) if between.any() else float("nan")
    met = found.holds(3 / 7) or abs(found.value - 3 / 7) <= step
    note = f"p/3 - p^2/4 = p^2/3 at p = 4/7; within one cell, {step:.3f}"
    if not met and below < 1:
        note += (
            f". Models that were trained have biases, which those made by hand have not: between the two sparsities "
            f"they are superposed, and their loss is {below:.3f} of the best made by hand"
        )
    return Claim(
        "n = 2, m = 1, equal importance: sparsity from which on superposing wins",
        "calculated",
        3 / 7,
        found.value,
        found.text(),
        ratio.shape[-1],
        "met" if met else "differs" if below < 1 else "not met",
        note,
    )


def values(trained: Trained) -> list[Claim]:
    claims = []
    for name, (n, m) in SWEEPS.items():
        p, r, losses, weights = loaded(trained, name)
        exact = hand_built(p, r, n)
        least = exact.min(axis=0)
        seeds = losses.shape[-1]
        ratio = losses / least[..., None]
        middle = float(np.nanmedian(ratio))
        worst = over_seeds(np.nanpercentile(ratio, 99, axis=(0, 1)))
        common = float(np.nanpercentile(ratio[p.ravel() >= COMMON], 99))
        claims.append(
            Claim(
                f"n = {n}, m = {m}: loss over that of the best of four models made by hand, 99 % of cells at most",
                "calculated",
                "at most 1.02",
                worst.value,
                worst.text(),
                seeds,
                verdict(worst.value <= 1.02),
                "both losses are exact, integrals over what is present. A trained model may lie below: those made by "
                f"hand have no biases to use. Mean over seeds of their 99th percentiles; the median cell has "
                f"{middle:.3f}, and where p is at least {COMMON:g} 99 % have {common:.3f} at most: below, the 16,384 "
                "samples that choose the restart hold too few inputs with two features",
            )
        )
        best = HAND_CLASS[exact.argmin(axis=0)]
        clear = (p >= RAREST) & (runner_up(exact) >= CLEAR * least)
        agree = over_seeds((classes(weights) == best[..., None])[clear].mean(axis=0))
        claims.append(
            Claim(
                f"n = {n}, m = {m}: cells whose model does with the last feature what the best one made by hand does",
                "calculated",
                "at least 0.9",
                agree.value,
                agree.text(),
                seeds,
                verdict(agree.low >= 0.9),
                f"ignored, alone or superposed; in {clear.sum()} of {clear.size} cells: where the best model that does "
                f"something else costs {100 * (CLEAR - 1):.0f} % more, and where p is at least {RAREST:g}: below, the "
                f"16,384 samples that choose the restart hold too few inputs with two features",
            )
        )
        equal = int(np.argmin(np.abs(np.log(r))))
        found = over_seeds(np.array([crossing(p, (classes(weights) == 2)[:, equal, seed]) for seed in range(seeds)]))
        step = float(np.abs(np.diff(np.sort(1 - p.ravel()))[np.searchsorted(np.sort(1 - p.ravel()), 3 / 7) - 1]))
        # With three equal features any pair may share a unit, and the last one does in two cases of three.
        if n == 2:
            claims.append(equal_importance(p.ravel(), ratio[:, equal], found, step))
    return claims


def panel(axes: Axes, trained: Trained, name: str, n: int, m: int) -> None:
    """Blue where the last feature is alone, orange where it is superposed, white where it is ignored: means over
    seeds."""
    p, r, _, weights = loaded(trained, name)
    norm, score = last_norm(weights).mean(axis=-1), last_score(weights).mean(axis=-1)
    colours = phase_colours(norm / norm.max(), score / max(float(score.max()), 1e-9), PHASES["safe"])
    density, importance = p.ravel()[::-1], r
    across, down = Scale("last_importance", importance), Scale("sparsity", density)
    axes.pcolormesh(across.edges, down.edges, colours[::-1], rasterized=True)
    across.put(axes, "x", 4)
    down.put(axes, "y", 4)
    fine_p, fine_r = np.geomspace(density[0], density[-1], 300), np.geomspace(r[0], r[-1], 300)
    best = hand_built(fine_p[:, None], fine_r, n).argmin(axis=0)
    for level in range(len(KINDS)):
        inside = (best == level).astype(float)
        if 0 < inside.mean() < 1:
            axes.contour(fine_r, fine_p, inside, levels=[0.5], colors=[INK], linewidths=1.1)
    axes.set(xlabel="importance r of the last feature", title=f"n = {n}, m = {m}")


def draw(trained: Trained) -> Figure:
    figure, axes = sheet(1, 2, 2.7, 2.5)
    for place, (name, (n, m)) in zip(axes.flat, SWEEPS.items(), strict=True):
        panel(place, trained, name, n, m)
    axes[0, 0].set_ylabel("density p = 1 - S of the features")
    keys = [
        (Line2D([], [], marker="s", linestyle="none", markersize=7, markeredgecolor=INK, color=colour), words)
        for colour, words in (("white", "ignored"), (PHASES["safe"][0], "alone"), (PHASES["safe"][1], "superposed"))
    ]
    line = Line2D([], [], color=INK, linewidth=1.1)
    legend_above(figure, *[[key] for key in keys], [(line, "exact boundary")])
    return figure


WORK = Work(
    "phases",
    "Phase diagrams of the last feature",
    "Elhage et al. 2022, Toy Models of Superposition; exact models after Wattenberg",
    "Two features share one hidden unit, or three share two. Is the last feature ignored, given a unit of its own, or "
    "put in superposition? It depends on how often features are there and how important the last one is. Black lines: "
    "where the best of four models made by hand changes, exactly. Colours are means over seeds.",
    tuple(SWEEPS),
    values,
    draw,
)
