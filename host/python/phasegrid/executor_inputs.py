"""What train(executor=..) is given, checked before a piece is handed out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from phasegrid import _core
from phasegrid.grid_parts import arrays_of
from phasegrid.text import shown


def same_training(empty: _core.Results, earlier: _core.Results) -> _core.Results:
    """Earlier results under this sweep's config. Raises ValueError where they are of other settings."""
    mine, theirs = (json.loads(one.sweep.config) for one in (empty, earlier))
    name = f"resume: the results for sweep {empty.sweep.name!r}"
    for table in [key for key in {**mine, **theirs} if key != "name" and mine.get(key) != theirs.get(key)]:
        raise ValueError(f"{name} are of other settings: {table} is {shown(theirs.get(table))} there")
    described = json.loads(empty.config)
    if json.loads(earlier.config)["bits"] != described["bits"]:
        raise ValueError(f"{name} are of another version of phasegrid, whose numbers are others")
    return _core.results_from(json.dumps(described | {"device": earlier.device}), arrays_of(earlier))


def joined(devices: set[str]) -> str:
    """As merge() names them: one as it stands, several as a list of all, each once."""
    if len(devices) <= 1:
        return next(iter(devices), "")
    return ", ".join(sorted({name for device in devices for name in device.split(", ")}))


def check(executor: object, count: object, shard: str) -> None:
    """Raises ValueError where these cannot be used together."""
    if executor is None:
        if count is not None:
            raise ValueError("pieces says into how many pieces a training is cut for an executor; there is none")
        return
    if not isinstance(executor, Executor) and not callable(executor):
        raise ValueError(
            f"executor must be a concurrent.futures.Executor, or a function that makes one, not {shown(executor)}"
        )
    whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
    if count is not None and not (whole and 1 <= int(str(count)) <= 1_000_000):
        raise ValueError(f"pieces must be a whole number from 1 to 1000000, not {shown(count)}")
    if shard != "1/1":
        raise ValueError("shard and executor exclude each other: an executor trains the whole")


def starting(initial: Sequence[NDArray[np.float32]], sweeps: Sequence[_core.Sweep]) -> list[NDArray[np.float32]]:
    """The models that sweeps start at, with those of init.from, which workers may not have the file of."""
    starts = list(initial) or [np.empty(0, np.float32) for _ in sweeps]
    for s, sweep in enumerate(sweeps):
        path = json.loads(sweep.config)["init"].get("from")
        if not path or starts[s].size:
            continue
        theirs = _core.load(path)
        extents = [[len(values) for _, values in one.dimensions] for one in (theirs.sweep, sweep)]
        if theirs.parts != sweep.parts or (len(theirs.final_losses) > 1 and extents[0] != extents[1]):
            raise ValueError(
                f"init.from: {path}: must have models of the sweep's shape, of its grid or one cell for all"
            )
        starts[s] = np.array(theirs.parameters).ravel()
    return starts if any(start.size for start in starts) else []
