"""What each option of the wider family costs: seconds of training beside the default model of the same shape.

    python bench/option_costs.py [--program build/phasegrid] [--rounds 5] [--experts 1] [--features 20] [--hidden 10]

Default and option are trained in turn, and the median of the ratios of such pairs is printed. The shape is one of the
block mapping; the tiny mapping (up to 4 features, 3 hidden units, 4 experts) serves the paper's models alone, and the same
options at those shapes are trained by the block mapping.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OPTIONS = {
    "untied": ["model.tied=false"],
    "hidden ReLU": ['model.hidden="relu"'],
    "linear output": ['model.output="linear"'],
    "no bias": ["model.bias=false"],
    "values in [-1, 1)": ["data.values={ uniform = [-1, 1] }"],
    "values one": ['data.values="one"'],
    "normal values": ['data.values="normal"'],
    "correlated pairs": ['data.groups={ kind = "correlated", size = 2 }'],
    "anticorrelated pairs": ['data.groups={ kind = "anticorrelated", size = 2 }'],
    "fixed data set": ["data.samples=1000"],
    "absolute target": ['data.target="absolute"'],
    "power 4": ["train.loss_power=4"],
    "Adam": ['train.optimizer="adam"'],
    "SGD": ['train.optimizer="sgd"', "train.momentum=0.9"],
    "decay of weights": ['train.weight_decay_on="weights"'],
    "warm-up": ["train.warmup=100"],
    "shared restarts": ['data.shared="restarts"'],
}
OF_MIXTURES = {"balance over non-zero": ['train.load_balance_over="nonzero"']}


def seconds(program: Path, sweep: Path, settings: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "run", sweep, "--device", "cpu", "--out", Path(folder) / "o.npz"]
        for setting in settings:
            command += ["--set", setting]
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--program", type=Path, default=Path("build/phasegrid"))
    for name, value in (("rounds", 5), ("experts", 1), ("features", 20), ("hidden", 10), ("steps", 2000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    text = (
        f"restarts = 4\n[model]\nn_features = {asked.features}\nn_hidden = {asked.hidden}\nn_experts = {asked.experts}\n"
        f"[data]\nsparsity = 0.8\n[train]\nsteps = {asked.steps}\nbatch = 1024\nkeep = \"last-batch\"\n"
    )
    options = OPTIONS
    if asked.experts > 1:
        text += "load_balance = 0.01\n"
        options = OPTIONS | OF_MIXTURES
    print(f"n {asked.features}, m {asked.hidden}, E {asked.experts}, k 1, batch 1024, {asked.steps} steps")
    print(f"{'option':24} {'times the default':>18}")
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder) / "s.toml"
        sweep.write_text(text)
        seconds(asked.program, sweep, [])  # a first run warms up
        for name, settings in options.items():
            ratios = []
            for _ in range(asked.rounds):
                default = seconds(asked.program, sweep, [])
                ratios.append(seconds(asked.program, sweep, settings) / default)
            print(f"{name:24} {statistics.median(ratios):18.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
