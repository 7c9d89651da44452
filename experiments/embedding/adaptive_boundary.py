"""The package `adaptive` as the driver: its Learner2D asks for points where the norm of the last feature changes, and
every batch of points is one call of phasegrid.train(). phasegrid.refine() does the same on a grid, cell by cell.

    pip install adaptive
    python adaptive_boundary.py [POINTS]
"""

from __future__ import annotations

import sys

import adaptive
import numpy as np

import phasegrid

BATCH = 60  # points: with five restarts, 300 models
COMMON = {"n_features": 2, "n_hidden": 1, "restarts": 5, "steps": 1000}


def norms(points: list[tuple[float, float]]) -> list[float]:
    """Norm of the last feature at points (sparsity, log10 of its importance)."""
    sweeps = [
        phasegrid.Sweep(**COMMON, sparsity=sparsity, last_importance=10**importance) for sparsity, importance in points
    ]
    return [float(one.feature_norms()[..., -1].item()) for one in phasegrid.train(sweeps, progress=False)]


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 480
    learner = adaptive.Learner2D(lambda point: norms([point])[0], bounds=[(0.0, 0.97), (-1.0, 1.0)])
    while learner.npoints < most:
        points, _ = learner.ask(BATCH)
        learner.tell_many(points, norms(points))
        print(f"{learner.npoints} points, loss {learner.loss():.3f}")
    # Points lie close where the norm changes: beside the boundary, and not on both of its sides.
    found = np.array(list(learner.data))
    values = np.array(list(learner.data.values()))
    apart = np.hypot(*((found[:, None] - found[None]) / [0.97, 2.0]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    nearest, beside = apart.min(axis=1), np.argmin(apart, axis=1)
    changes = np.abs(values - values[beside]) > 0.5
    print(f"distance to the nearest point: {np.median(nearest[changes]):.4f} where the norm changes between them, ")
    print(f"{np.median(nearest[~changes]):.4f} elsewhere; {changes.sum()} points at the boundary")


if __name__ == "__main__":
    main()
