"""What every peer trains and reports: the shapes, the settings, one line of JSON. Needs the standard library alone.

A peer is a program: PEER --shape NAME --models M --steps T --threads N --variant V [--device cpu|cuda]. It trains M
models of one cell (S, r) for T steps twice, the first time to compile and warm up, and prints one JSON object: seconds
of the second training, seconds before it, and the losses of the models' last batches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """A dense model (n_experts = 1) or a mixture with top_k = 1, and how it is trained."""

    n_features: int
    n_hidden: int
    n_experts: int
    batch: int
    load_balance: float
    zero_bias: bool = False
    sparsity: float = 0.5
    last_importance: float = 1.0
    shuffled_ratio: float = 1.0  # importances are powers of it

    def importance(self) -> list[float]:
        values = [self.shuffled_ratio**f for f in range(self.n_features)]
        values[-1] = self.last_importance if self.shuffled_ratio == 1 else values[-1]
        return values


# Figure 4's smallest and largest architecture, Figure 3's dense model, Table 1's mixture: all with loss `mean`.
SHAPES = {
    "211": Shape(2, 1, 1, 512, 0.01),
    "323": Shape(3, 2, 3, 512, 0.01),
    "fig3_dense": Shape(100, 20, 1, 1024, 0.0),
    "table1": Shape(100, 10, 10, 1024, 0.0, zero_bias=True, sparsity=0.9, shuffled_ratio=0.9),
}

LEARNING_RATE, BETA1, BETA2, EPSILON, WEIGHT_DECAY = 1e-3, 0.9, 0.999, 1e-8, 0.01


def parse(description: str, variants: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--models", type=int, required=True, help="trained side by side")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--variant", choices=variants, default=variants[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in ("models", "steps", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be a whole number from 1, not {getattr(options, name)}")
    return options


def report(peer: str, versions: dict[str, str], options: argparse.Namespace, **measured: Any) -> None:
    losses = [float(loss) for loss in measured.pop("losses")]
    samples = options.models * options.steps * SHAPES[options.shape].batch
    print(
        json.dumps(
            {
                "peer": peer,
                "versions": versions,
                **vars(options),
                **measured,
                "samples": samples,
                "ns_per_sample": measured["seconds"] / samples * 1e9,
                "mean_loss": statistics.fmean(losses),
                "sd_loss": statistics.stdev(losses) if len(losses) > 1 else 0.0,
            }
        )
    )
    sys.stdout.flush()
