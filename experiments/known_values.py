"""Mean losses of the wider family of models against those of an independent program (autodiff, another generator).

    python experiments/known_values.py [--seeds 400]

prints a row for each; the exit status is 1 where one is further off than 1 % and three standard errors. Each seed is a
cell of its own, with an evaluation batch of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import phasegrid

VALUES = Path(__file__).with_name("known_values.json")
KNOWN_SEEDS = 64


class Row(NamedTuple):
    name: str
    mean: float
    error: float
    known: float
    known_error: float

    @property
    def off(self) -> float:
        """How far off, as a share of what is allowed."""
        allowed = 0.01 * self.known + 3 * math.hypot(self.error, self.known_error)
        return abs(self.mean - self.known) / allowed


def row(family: dict[str, Any], common: dict[str, Any], seeds: int) -> Row:
    settings = common | family["settings"]
    results = phasegrid.train(**settings, restarts=1, seed=list(range(seeds)), progress=False, device="cpu")
    losses = results.reconstruction_losses.ravel().astype(float)
    error = float(losses.std(ddof=1) / math.sqrt(seeds))
    return Row(family["name"], float(losses.mean()), error, family["mean"], family["sd"] / math.sqrt(KNOWN_SEEDS))


def rows(seeds: int) -> list[Row]:
    table = json.loads(VALUES.read_text())
    return [row(family, table["common"], seeds) for family in table["families"]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=400)
    found = rows(parser.parse_args().seeds)
    print(f"{'family':32} {'ours':>12} {'known':>12} {'ratio':>8}")
    for one in found:
        verdict = "" if one.off <= 1 else "  too far off"
        print(f"{one.name:32} {one.mean:12.6g} {one.known:12.6g} {one.mean / one.known:8.4f}{verdict}")
    return int(np.any([one.off > 1 for one in found]))


if __name__ == "__main__":
    sys.exit(main())
