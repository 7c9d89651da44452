"""How much of a phase diagram has to be trained to know its boundaries: refine(), beside the full grid.

    python refined_boundary.py 211                # refines a 256 x 256 grid of Figure 4's axes
    python refined_boundary.py 211 --full         # then trains the other cells too, and compares (655,360 models)
    python refined_boundary.py 321 --size 64 --steps 1000

Figure 4's settings, but for restarts, which are compared on a fresh batch: kept by their own last batch, cells far from
any boundary change class at random. Every command goes on from the files of the one before, `boundary_211.npz` and
`boundary_211_full.npz`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import phasegrid
from phasegrid.refining import classes

ISLAND = 16  # regions of fewer cells are chance: a restart more, and they are gone


def sweep_of(name: str, size: int, steps: int, restarts: int) -> phasegrid.Sweep:
    n, m, experts = map(int, name)
    return phasegrid.Sweep(
        name=f"boundary_{name}",
        n_features=n,
        n_hidden=m,
        n_experts=experts,
        sparsity=np.linspace(0.025, 0.975, size),
        last_importance=np.linspace(0.1, 2.95, size),
        steps=steps,
        restarts=restarts,
    )


def regions(field: NDArray[np.int8]) -> NDArray[np.intp]:
    """The number of each cell's region, cells of one class that hang together by their sides; -1 of an island."""
    label = np.arange(field.size).reshape(field.shape)
    while True:
        before = label.copy()
        for axis in (0, 1):
            low, high = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
            same = field[low] == field[high]
            for a, b in ((low, high), (high, low)):
                label[a] = np.where(same, np.minimum(label[a], label[b]), label[a])
        label = label.ravel()[label]  # a region's number is a cell of it, which knows a lower one
        if np.array_equal(label, before):
            break
    _, number, sizes = np.unique(label, return_inverse=True, return_counts=True)
    return np.where(sizes[number] < ISLAND, -1, number).reshape(field.shape)


def at_boundary(label: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Cells beside a cell of another region; islands are none."""
    found = np.zeros(label.shape, bool)
    for axis in (0, 1):
        low, high = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
        differs = (label[low] != label[high]) & (label[low] >= 0) & (label[high] >= 0)
        found[low] |= differs
        found[high] |= differs
    return found


def widened(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells, and those beside or diagonal to them."""
    padded = np.pad(cells, 1)
    rows, columns = cells.shape
    shifts = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.logical_or.reduce(shifts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("architecture", choices=["211", "321"])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--budget", type=float, default=0.1, help="share of the grid's models")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--full", action="store_true")
    words = parser.parse_args()
    sweep = sweep_of(words.architecture, words.size, words.steps, words.restarts)
    start = time.monotonic()
    refined = phasegrid.refine(
        sweep,
        budget=int(words.budget * sweep.models),
        threads=words.threads,
        out=f"{sweep.name}.npz",
        report=lambda batch, new, so_far, cells: print(f"round {batch}: {new} cells more, {so_far}", flush=True),
    )
    trained = (refined.status >= 0).all(axis=-1)
    seconds = time.monotonic() - start
    print(f"{refined.models_done} of {sweep.models} models ({100 * trained.mean():.1f} %), {seconds:.0f} s")
    if not words.full:
        return
    full = phasegrid.train(sweep, resume=refined, threads=words.threads, out=Path(f"{sweep.name}_full.npz"))
    field = classes(full)[..., 0]
    boundary = at_boundary(regions(field))
    known = trained & boundary
    print(f"cells at a boundary between regions: {boundary.sum()}; trained: {100 * known.sum() / boundary.sum():.1f} %")
    near = 100 * (boundary & widened(known)).sum() / boundary.sum()
    print(f"within one cell of one that is trained and at a boundary: {near:.1f} %")
    islands = int((regions(field) < 0).sum())
    print(f"cells of islands of fewer than {ISLAND} cells: {islands} ({100 * islands / field.size:.1f} %)")


if __name__ == "__main__":
    main()
