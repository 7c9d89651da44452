"""Figure 4 in numbers: what the paper says of phase changes, as one number a seed for each architecture and each way to
take the load balance."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from estimates import Array
from map_table import ALONE, LIVE, REPRESENTED, mean
from numpy.typing import NDArray

import phasegrid
from phasegrid import Results

SAMPLES = 2048  # inputs that usage is measured on
IMPORTANT = 1.5  # of the last feature, against 1 of the others, from which on it is the most important one by far
WINDOW = (0.48, 0.70)  # sparsities, in which the paper sees "a heavy mix"
DENSE = {"212": "211", "312": "311", "313": "311", "322": "321", "323": "321"}  # what a mixture is held against

# Name -> what it is; each is one number a seed.
NUMBERS = {
    "starved": "share of the experts that get under 1 % of the non-zero inputs",
    "starved_cells": "share of the cells with such an expert",
    "concentration": "concentration of the changes of the last feature's norm, mean over experts",
    "jump": "largest change of that norm between neighbours, mean over lines and experts",
    "concentration_largest": "concentration, of the largest norm of any expert",
    "jump_largest": "largest change, of the largest norm of any expert",
    "concentration_score": "concentration, of the last feature's interference",
    "jump_score": "largest change, of the last feature's interference",
    "score": "mean interference of the last feature in live experts that represent it",
    "kept_when_dense": "share of the cells with S < 0.5 in which a live expert represents the last feature",
    "specialised": "share of the cells with r >= 1.5 in which a live expert has the last feature alone",
    "mixed_inside": "neighbours of different class in the window of sparsities, share, mean over experts",
    "mixed_outside": "the same outside the window",
    "loss": "mean reconstruction loss",
    "local_deviation": "root mean square of a cell's loss less the mean of its four neighbours'",
    "first_less": "norm of the last feature where S >= 0.75: mean of the other experts less the first",
    "half_loss": "mean loss of the training batches after half the steps",
    "end_loss": "the same at the end",
}


class Diagram:
    """What one seed's kept models do with the last feature: arrays (S, R, E), losses (S, R)."""

    def __init__(self, results: Results) -> None:
        def last(array: NDArray[np.floating]) -> Array:
            return array[:, :, 0, :, -1].astype(float)

        self.sparsity, self.importance = results.sparsity_values, results.importance_values
        self.norm = last(results.feature_norms())
        self.score = last(results.interference())
        self.live = results.expert_usage(samples=SAMPLES).active[:, :, 0] >= LIVE
        self.losses = results.reconstruction_losses[:, :, 0].astype(float)
        self.represented = self.norm >= REPRESENTED
        self.alone = self.represented & (np.sqrt(self.score) < ALONE)

    @property
    def classes(self) -> NDArray[np.int64]:
        """0 ignored, 1 monosemantic, 2 superposed."""
        return np.where(self.represented, np.where(self.alone, 1, 2), 0)


def sharpness(fields: Iterable[Array]) -> tuple[float, float]:
    """Mean concentration and jump of fields (S, R)."""
    found = [phasegrid.boundary_sharpness(field) for field in fields]
    return mean(np.array([f.concentration.value for f in found])), mean(np.array([f.jump.value for f in found]))


def mixing(diagram: Diagram, inside: bool) -> float:
    """Share of pairs of neighbours whose classes differ, along both axes, in rows inside or outside the window."""
    rows = ((diagram.sparsity >= WINDOW[0]) & (diagram.sparsity <= WINDOW[1])) == inside
    classes = diagram.classes
    along = (classes[:, 1:] != classes[:, :-1])[rows]
    across = (classes[1:] != classes[:-1])[rows[1:] & rows[:-1]]
    pairs = along.size + across.size
    return float(along.sum() + across.sum()) / pairs if pairs else math.nan


def local_deviation(losses: Array) -> float:
    """Figure 8's "localized variance": what varies from cell to cell, without the course over the diagram."""
    around = losses[:-2, 1:-1] + losses[2:, 1:-1] + losses[1:-1, :-2] + losses[1:-1, 2:]
    return math.sqrt(mean((losses[1:-1, 1:-1] - around / 4) ** 2))


def numbers_of(results: Results) -> dict[str, float]:
    """NUMBERS of one seed: results of a grid with a seed axis of one value."""
    d = Diagram(results)
    experts = d.norm.shape[2]
    each = [d.norm[:, :, e] for e in range(experts)]
    concentration, jump = sharpness(each)
    concentration_score, jump_score = sharpness(d.score[:, :, e] for e in range(experts))
    concentration_largest, jump_largest = sharpness([d.norm.max(axis=2)])
    seen = d.represented & d.live
    dense_inputs, sparse, important = d.sparsity < 0.5, d.sparsity >= 0.75, d.importance >= IMPORTANT
    batches = results.snapshot_reconstruction_losses.reshape(-1, len(results.snapshot_steps)).astype(float)
    return {
        "starved": mean(1.0 - d.live),
        "starved_cells": mean((~d.live).any(axis=2).astype(float)),
        "concentration": concentration,
        "jump": jump,
        "concentration_largest": concentration_largest,
        "jump_largest": jump_largest,
        "concentration_score": concentration_score,
        "jump_score": jump_score,
        "score": mean(d.score[seen]),
        "kept_when_dense": mean(seen.any(axis=2)[dense_inputs].astype(float)),
        "specialised": mean((d.alone & d.live).any(axis=2)[:, important].astype(float)),
        "mixed_inside": mixing(d, True),
        "mixed_outside": mixing(d, False),
        "loss": mean(d.losses),
        "local_deviation": local_deviation(d.losses),
        "first_less": mean(d.norm[sparse][:, :, 1:]) - mean(d.norm[sparse][:, :, 0]) if experts > 1 else math.nan,
        "half_loss": mean(batches[:, 0]),
        "end_loss": mean(batches[:, -1]),
    }


def numbers_by_seed(results: Results) -> dict[str, Array]:
    """Name -> (seeds,)."""
    seeds = [numbers_of(results.isel(seed=i)) for i in range(len(results.axes["seed"]))]
    return {name: np.array([seed[name] for seed in seeds]) for name in NUMBERS}
