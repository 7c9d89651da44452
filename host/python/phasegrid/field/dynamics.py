"""Learning dynamics of features in the plane, one of them present: losses that rest at those of k-gons, and jump."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from phasegrid.field.base import SAFE, Claim, Trained, Work, of_share, over_seeds, verdict
from phasegrid.field.drawing import arrows, gram, plain, reach_of, sheet
from phasegrid.field.polygons import best_polygon, one_active_loss
from phasegrid.pictures.diagrams import QUIET
from phasegrid.pictures.measures import Array

SWEEPS = ("dynamics_five", "dynamics_small", "dynamics_wide")
THERE = 0.5  # a norm from which a feature is a corner
NEAR = 0.01  # a share of a level's loss, within which a loss rests at it
REST = 150  # steps at a level that make a rest
PUBLISHED = {"norm": 1.17046, "bias": -0.28230, "loss": 0.015826}  # the pentagon of five features
HEXAGON = {"norm": 1.32053, "bias": -0.61814, "loss": 0.048192}  # the hexagon of six
PENTAGONS = (0.0618, 0.0687)  # of six features: the sixth dead, with its best constant output or with 0


def levels(n: int) -> dict[str, float]:
    """The exact losses at which n features can rest: k corners, the others without a direction. Of those, `silent`
    ones have a bias up to 0, so that their output is 0, and the rest their best constant one; a silent one costs more
    by the square of a constant: (1 / n) / 3 instead of that less 1 / (4 n^2)."""
    found = {}
    for k in range(2, n + 1):
        loss = best_polygon(k, n)[2]
        for silent in range(n - k + 1):
            words = (
                f"{k}-gon"
                + (f", {n - k} without direction" if k < n else "")
                + (f", {silent} silent" if silent else "")
            )
            found[words] = loss + silent / (4 * n**2)
    return found


def losses_over_time(trained: Trained, name: str) -> tuple[Array, Array]:
    """Steps (T) and exact losses (seeds, T), from the parameters: those of batches are noisy."""
    weights = trained.grid(name, "snapshot_expert_weights")[:, :, 0]
    biases = trained.grid(name, "snapshot_biases")[:, :, 0]
    return np.asarray(trained.open(name).arrays["snapshot_steps"], np.float64), one_active_loss(weights, biases)


def final(trained: Trained, name: str) -> tuple[Array, Array, Array]:
    """Weights (seeds, n, 2), biases (seeds, n) and exact losses (seeds) at the end."""
    weights, biases = trained.grid(name, "expert_weights")[:, 0], trained.grid(name, "biases")[:, 0]
    return weights, biases, one_active_loss(weights, biases)


def rests(losses: Array, at: Mapping[str, float], least: int) -> list[str]:
    """The levels that a training (T) is at for at least so many snapshots, in the order in which it first is."""
    found = []
    for words, level in at.items():
        near = np.abs(losses - level) <= NEAR * level
        if near.sum() >= least:
            found.append((int(np.argmax(near)), words))
    return [words for _, words in sorted(found)]


def at_values(claim: str, found: Array, expected: float, tolerance: float, note: str) -> Claim:
    value = over_seeds(found)
    met = abs(value.value - expected) <= tolerance * abs(expected)
    return Claim(claim, "calculated", expected, value.value, value.text(5), value.count, verdict(met), note)


def polygon_claims(trained: Trained, name: str, n: int, known: Mapping[str, float], words: str) -> list[Claim]:
    """Norm, bias and loss of the models of a sweep that end as n-gons of n features."""
    weights, biases, losses = final(trained, name)
    whole = (np.linalg.norm(weights, axis=-1) >= THERE).all(axis=-1) & (np.abs(losses / known["loss"] - 1) < 0.05)
    if whole.sum() < 1:
        note = f"no seed of {len(whole)} ended as a {words}, so its norm and bias cannot be compared"
        return [Claim(f"{words}: loss", "calculated", known["loss"], "none", None, len(whole), "not met", note)]
    note = f"{whole.sum()} of {len(whole)} seeds end as a {words}; exact losses of their parameters, within 1 %"
    norms = np.linalg.norm(weights[whole], axis=-1).mean(axis=-1)
    return [
        at_values(f"{words} of {n} features: loss", losses[whole], known["loss"], 0.01, note),
        at_values(f"{words} of {n} features: norm", norms, known["norm"], 0.01, "mean over the corners, within 1 %"),
        at_values(f"{words} of {n} features: bias", biases[whole].mean(axis=-1), known["bias"], 0.02, "within 2 %"),
    ]


def values(trained: Trained) -> list[Claim]:
    claims = polygon_claims(trained, SWEEPS[0], 5, PUBLISHED, "pentagon")
    claims += polygon_claims(trained, SWEEPS[2], 6, HEXAGON, "hexagon")
    at = levels(6)
    for name, words in ((SWEEPS[1], "small weights"), (SWEEPS[2], "weights of about their final size")):
        _, _, losses = final(trained, name)
        nearest = np.min([np.abs(losses / level - 1) for level in at.values()], axis=0)
        ends = [min(at, key=lambda words: abs(at[words] - loss)) for loss in losses]
        counted = ", ".join(f"{ends.count(end)} {end}" for end in sorted(set(ends), key=lambda end: -ends.count(end)))
        claims.append(
            of_share(
                f"six features from {words}: trainings end at the exact loss of a k-gon",
                "calculated",
                "all",
                nearest <= NEAR,
                0.9,
                f"within 1 % of it; 9 in 10 were asked for. {counted}",
            )
        )
    _, _, losses = final(trained, SWEEPS[1])
    best = min(PENTAGONS, key=lambda level: abs(level - float(np.median(losses))))
    claims.append(
        at_values(
            "six features from small weights: the loss that most trainings end with, a pentagon and a dead sixth",
            np.array([loss for loss in losses if abs(loss / best - 1) < 0.05]),
            best,
            0.01,
            "0.0618 with the dead one's best constant output, 0.0687 with none; within 1 %",
        )
    )
    jumps = []
    for name in SWEEPS[1:]:
        steps, curves = losses_over_time(trained, name)
        least = math.ceil(REST / float(steps[1] - steps[0])) if len(steps) > 1 else 1
        jumps += [len(rests(one, at, least)) > 1 for one in curves]
    claims.append(
        of_share(
            "six features: a training rests at one k-gon's loss and jumps to a lower one",
            "published",
            "some do",
            np.array(jumps),
            1 / len(jumps),
            f"from either start; a rest: within {100 * NEAR:.0f} % of a level for {REST} steps. Others go straight to "
            f"where they stay",
        )
    )
    return claims


def draw(trained: Trained) -> Figure:
    """Training curves with the k-gon losses as lines, over the arrows and W W^T of models at the ends of three of
    them."""
    figure, grid = sheet(2, 4, 1.65, 1.75)
    spec = grid[0, 0].get_gridspec()
    for place in grid[0]:
        place.remove()
    for half, (name, words) in enumerate(((SWEEPS[1], "from small weights"), (SWEEPS[2], "from wide weights"))):
        axes = figure.add_subplot(spec[0, 2 * half : 2 * half + 2])
        steps, losses = losses_over_time(trained, name)
        for k in range(3, 7):
            level = best_polygon(k, 6)[2]
            axes.axhline(level, color=QUIET, linewidth=0.7, linestyle=(0, (4, 3)))
            axes.text(
                1.01, level, f"{k}-gon", transform=axes.get_yaxis_transform(), va="center", fontsize=6, color=QUIET
            )
        for number, one in enumerate(losses[:16]):
            axes.plot(np.maximum(steps, 1), one, color=SAFE.series[number % 6], linewidth=0.8, alpha=0.85)
        plain(axes, xscale="log", yscale="log", ylim=(0.04, 0.5), xlabel="step", title=words)
        axes.set_xlim(max(1.0, float(steps[1]) if len(steps) > 1 else 1.0), steps[-1])
        axes.set_yticks([0.05, 0.1, 0.2, 0.4], ["0.05", "0.1", "0.2", "0.4"])
        axes.minorticks_off()
        if half == 0:
            axes.set_ylabel("exact loss of a sample")
    weights, biases, losses = final(trained, SWEEPS[2])
    order = np.argsort(losses)
    for pair, seed in enumerate((order[0], order[len(order) // 2])):
        arrows(grid[1, 2 * pair], weights[seed], reach=reach_of(weights))
        gram(grid[1, 2 * pair + 1], weights[seed], biases[seed])
        grid[1, 2 * pair].set_title(
            f"{'lowest' if pair == 0 else 'median'} loss, {losses[seed]:.4f}", fontsize=7, loc="left"
        )
        grid[1, 2 * pair + 1].set_title("$W W^T$", fontsize=7)
    figure.legend(
        handles=[Line2D([], [], color=QUIET, linewidth=0.7, linestyle=(0, (4, 3)))],
        labels=["exact losses of k-gons; curves are seeds"],
        loc="outside upper center",
        frameon=False,
    )
    return figure


WORK = Work(
    "dynamics",
    "Learning dynamics: from k-gon to k-gon",
    "Chen et al. 2023, 2310.06301, and devinterp's example; Elhage et al. 2022",
    "Five or six features in the plane, of which exactly one is present at a time. Regular polygons are exact resting "
    "points of training, and their losses are known exactly. Trainings fall from one to the next, or stay where "
    "features have lost their direction.",
    SWEEPS,
    values,
    draw,
)
