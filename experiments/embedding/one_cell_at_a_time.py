"""A plain Python loop that asks for one cell at a time: requests are collected and trained in one call a round.

Each driver below is a generator: it yields the settings of a cell and is sent that cell's results. Here drivers bisect
the sparsity from which on a model represents its last feature, one driver for each importance of that feature and each
number of experts. A cell alone, in a grid or in other company gives the same bits, so collecting changes no number.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import phasegrid

Settings = dict[str, Any]
Driver = Generator[Settings, phasegrid.Results, float]

COMMON: Settings = {"n_features": 2, "n_hidden": 1, "top_k": 1, "restarts": 5, "steps": 1000}


def boundary(n_experts: int, last_importance: float) -> Driver:
    """Sparsity, within 0.02, from which on some expert gives the last feature a norm above 0.5."""
    low, high = 0.0, 0.98
    while high - low > 0.02:
        middle = (low + high) / 2
        results = yield {"n_experts": n_experts, "last_importance": last_importance, "sparsity": middle}
        if results.feature_norms()[..., -1].max() > 0.5:
            high = middle
        else:
            low = middle
    return high


def run(drivers: dict[Any, Driver]) -> dict[Any, float]:
    """Runs drivers side by side to their ends: what each returns, under its key."""
    answers: dict[Any, float] = {}
    waiting = {key: next(driver) for key, driver in drivers.items()}
    while waiting:
        sweeps = [phasegrid.Sweep(**COMMON, **settings) for settings in waiting.values()]
        trained = phasegrid.train(sweeps, progress=False)
        print(f"{len(sweeps)} cells trained together")
        asked, waiting = waiting, {}
        for key, results in zip(asked, trained, strict=True):
            try:
                waiting[key] = drivers[key].send(results)
            except StopIteration as end:
                answers[key] = end.value
    return answers


def main() -> None:
    keys = [(experts, importance) for experts in (1, 2) for importance in (0.1, 0.3, 0.5, 0.7, 0.9)]
    answers = run({key: boundary(*key) for key in keys})
    for (experts, importance), sparsity in answers.items():
        print(f"{experts} experts, last importance {importance}: represented from sparsity {sparsity:.2f} on")


if __name__ == "__main__":
    main()
