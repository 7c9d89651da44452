"""What phasegrid and its peers train, and how a peer is talked to. Needs the standard library alone.

A peer is a program: PEER --shape NAME --models M --steps T --threads N --variant V [--device cpu|cuda]. It trains M
models of one cell (S, r) once, to compile and warm up, prints a line of JSON (versions, seconds of that training), and
then trains them anew for every seed it reads as a line of its standard input, each answered by a line of JSON: seconds
from the seed to the losses, and the losses of the models' last batches. It ends with its input:

    echo 1 | python bench/peers/jax_sweep.py --shape 211 --models 64 --steps 1000
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEARNING_RATE, BETA1, BETA2, EPSILON, WEIGHT_DECAY = 1e-3, 0.9, 0.999, 1e-8, 0.01


@dataclass(frozen=True)
class Shape:
    """A dense model (n_experts = 1) or a mixture with top_k = 1, and how it is trained: loss `mean`, AdamW."""

    n_features: int
    n_hidden: int
    n_experts: int
    batch: int
    load_balance: float
    zero_bias: bool = False
    sparsity: float = 0.5
    importance_ratio: float = 1.0  # the importance of feature f is its f-th power
    steps: int = 1000  # of a timed training
    tied: bool = True
    hidden: str = "linear"  # or "relu"
    group_size: int = 1  # so many neighbouring features are present together

    @property
    def tiny(self) -> bool:
        """Whether its parameters are few enough to write every product out."""
        return self.n_features <= 4

    def importance(self) -> list[float]:
        """One number a feature."""
        return [self.importance_ratio**f for f in range(self.n_features)]


# Figure 4's architectures (n m E), Figure 3's dense model, Table 1's mixture.
SHAPES = {name: Shape(int(name[0]), int(name[1]), int(name[2]), 512, 0.01)
          for name in ("211", "212", "311", "312", "313", "321", "322", "323")}  # fmt: skip
FIGURE4 = tuple(SHAPES)
SHAPES["fig3_dense"] = Shape(100, 20, 1, 1024, 0.0, steps=200)
SHAPES["table1"] = Shape(100, 10, 10, 1024, 0.0, zero_bias=True, sparsity=0.9, importance_ratio=0.9, steps=200)
# Of the wider family: a decoder of its own, ReLU hidden units and correlated features; and a large dense model.
SHAPES["groups"] = Shape(20, 10, 1, 1024, 0.0, zero_bias=True, sparsity=0.8, steps=400, tied=False, hidden="relu",
                         group_size=5)  # fmt: skip
SHAPES["dense1000"] = Shape(1000, 100, 1, 1024, 0.0, zero_bias=True, sparsity=0.9, steps=50)


def parse(description: str, variants: Sequence[str]) -> argparse.Namespace:
    """The options of a peer; what cannot be used is one sentence and exit status 2."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=list(SHAPES), required=True)
    parser.add_argument("--models", type=int, required=True, help="trained side by side, on all threads together")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--variant", choices=list(variants), default=variants[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    for name in ("models", "steps", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be a whole number from 1, not {getattr(options, name)}")
    if options.models % options.threads and options.device == "cpu":
        parser.error(f"--models must be a multiple of --threads ({options.threads}), not {options.models}")
    return options


def fail(message: str) -> None:
    """One sentence, exit status 2."""
    print(message, file=sys.stderr)
    sys.exit(2)


def serve(versions: dict[str, str], train: Callable[[int], list[float]]) -> None:
    """Answers seeds on standard input. train(seed) returns when the losses of all models are in memory."""
    start = time.perf_counter()
    train(0)
    print(json.dumps({"versions": versions, "first_seconds": time.perf_counter() - start}), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        losses = train(int(line))
        print(json.dumps({"seconds": time.perf_counter() - start, "losses": losses}), flush=True)
