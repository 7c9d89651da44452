"""phasegrid beside its peers: the same models through the Python package."""

from __future__ import annotations

import sys
import time

import task

options = task.parse(__doc__ or "", ["auto", "avx512", "avx2"])
try:
    import phasegrid
except ImportError as error:
    print(f"phasegrid_train: {error}: build it, and set PYTHONPATH=build/python", file=sys.stderr)
    sys.exit(2)
shape = task.SHAPES[options.shape]


def main() -> None:
    seconds = []
    for attempt in range(2):
        start = time.perf_counter()
        results = phasegrid.train(
            n_features=shape.n_features,
            n_hidden=shape.n_hidden,
            n_experts=shape.n_experts,
            restarts=options.models,
            steps=options.steps,
            batch=shape.batch,
            load_balance=shape.load_balance,
            bias_init="zero" if shape.zero_bias else "xavier",
            sparsity=shape.sparsity,
            importance=shape.importance(),
            seed=options.seed + attempt,
            device=options.device,
            threads=options.threads,
            instruction_set=options.variant,
            progress=False,
        )
        seconds.append(time.perf_counter() - start)
    versions = {"phasegrid": phasegrid.__version__, "device": results.device}
    losses = results.all_losses.ravel().tolist()
    task.report("phasegrid", versions, options, seconds=seconds[1], first_seconds=seconds[0], losses=losses)


main()
