"""Summary figures of the authors' Figure 4 files: means per band of sparsity and expert, on every third cell.

Usage: summarise_reference.py fig4_211.npz ... > tests/data/fig4_reference.json

The repository carries these figures and not the files, so its tests pass wherever it is cloned.
"""

import json
import sys

import numpy as np

BANDS = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))
STRIDE = 3  # every third sparsity and importance


def summarise(path: str) -> dict:
    """Means over each band: kept loss, last feature's norm in each expert, and (dense) the share of each class."""
    with np.load(path, allow_pickle=False) as file:
        sparsity = file["sparsity_values"][::STRIDE]
        importance = file["importance_values"][::STRIDE]
        losses = file["final_losses"][::STRIDE, ::STRIDE].astype(np.float64)
        weights = file["expert_weights"][::STRIDE, ::STRIDE].astype(np.float64)  # (S, R, E, n, m)
    last = weights[..., -1, :]
    norms = np.linalg.norm(last, axis=-1)  # (S, R, E)
    unit = last / np.maximum(norms, 1e-30)[..., None]
    products = np.einsum("sreh,srefh->sref", unit, weights)
    interference = (products[..., :-1] ** 2).sum(axis=-1)
    bands = []
    for low, high in BANDS:
        rows = (sparsity >= low - 1e-9) & (sparsity < high - 1e-9)
        band = {
            "sparsity_from": low,
            "cells": int(rows.sum() * len(importance)),
            "mean_loss": float(losses[rows].mean()),
            "mean_norms": [float(x) for x in norms[rows].mean(axis=(0, 1))],
        }
        if weights.shape[2] == 1:
            ignored = norms[rows] < 0.5
            superposed = ~ignored & (interference[rows] >= 0.25)
            band["ignored"] = float(ignored.mean())
            band["superposed"] = float(superposed.mean())
        bands.append(band)
    return {
        "shape": [int(x) for x in (weights.shape[3], weights.shape[4], weights.shape[2])],
        "sparsity_values": [round(float(x), 6) for x in sparsity],
        "importance_values": [round(float(x), 6) for x in importance],
        "mean_loss": float(losses.mean()),
        "bands": bands,
    }


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    names = [path.rsplit("/", 1)[-1].removesuffix(".npz") for path in sys.argv[1:]]
    print(json.dumps({name: summarise(path) for name, path in zip(names, sys.argv[1:], strict=True)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
