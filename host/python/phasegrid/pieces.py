"""A training cut into pieces, and what a worker does with one.

A piece is a few parts of grids (grid_parts.py), of about the same work as every other; it is plain data, and so is what
comes back, so that any executor can carry both.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phasegrid import _core
from phasegrid.grid_parts import Arrays, GridPart, arrays_of, bytes_of_cell

if TYPE_CHECKING:
    from phasegrid.stores import Store

_SECOND = 1e10  # of work, about, on one core
# A piece is short, so that little is lost with a worker and the last ones end together, and long beside what it costs
# to send it (experiments/scale.md compares sizes).
_LEAST_SECONDS, _MOST_SECONDS, _USUAL_PIECES = 0.5, 60.0, 2000
_MOST_BYTES = 2**20  # of a piece's results, where a cell allows it: engines carry small messages best


@dataclass(frozen=True)
class Order:
    """What a worker is to train: sweeps, each with its finished models, those of fewer steps that go on (how many, and
    their arrays), and those that it starts at, where there are."""

    configs: list[str]
    resume: list[Arrays | None]
    shorter: list[tuple[int, Arrays] | None]
    initial: list[NDArray[np.float32]]
    device: str
    threads: int
    instruction_set: str


@dataclass(frozen=True)
class Answer:
    """What a worker has to say: results, or why there are none."""

    results: list[Arrays] = field(default_factory=list)
    made_by: list[str] = field(default_factory=list)  # config of each
    complete: bool = False
    failure: Exception | None = None


def train_order(order: Order) -> Answer:
    """What workers run. It raises nothing: an exception of its future is the engine's, say of a worker that died."""
    try:
        sweeps = [_core.parse_config(config) for config in order.configs]
        trained, interrupted, _ = _core.train(
            sweeps,
            device=order.device,
            threads=order.threads,
            instruction_set=order.instruction_set,
            progress=None,
            files=None,
            checkpoint_seconds=1e9,
            resume=_resumed(order, sweeps),
            shard="1/1",
            initial=order.initial,
            shorter=[_shorter(*pair) for pair in zip(order.configs, order.shorter, strict=True)],
        )
    except Exception as error:
        return Answer(failure=_picklable(error))
    results = [{name: np.array(array) for name, array in arrays_of(one).items()} for one in trained]
    return Answer(results, [one.config for one in trained], complete=not interrupted)


def _resumed(order: Order, sweeps: Sequence[_core.Sweep]) -> list[_core.Results]:
    if all(arrays is None for arrays in order.resume):
        return []
    empty = [_core.Results(sweep) for sweep in sweeps]
    return [
        one if arrays is None else _core.results_from(one.config, arrays)
        for one, arrays in zip(empty, order.resume, strict=True)
    ]


def _shorter(config: str, models: tuple[int, Arrays] | None) -> _core.Results | None:
    if models is None:
        return None
    steps, arrays = models
    described = json.loads(config)
    described["train"]["steps"] = steps
    return _core.results_from(_core.Results(_core.parse_config(json.dumps(described))).config, arrays)


def _picklable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


@dataclass(eq=False)
class Piece:
    """Parts of the grids of some sweeps, each with the sweep's number."""

    parts: list[tuple[int, GridPart]]
    work: float
    size: int  # bytes of results
    lost: int = 0  # how often the engine lost it

    def order(self, store: Store, initial: Sequence[NDArray[np.float32]], options: dict[str, Any]) -> Order:
        """store: what there is. initial: models that sweeps start at, [1 or cells][P]."""
        starts = [_starts_of(part, initial[s]) for s, part in self.parts] if initial else []
        return Order(
            [part.config for _, part in self.parts],
            [store.begun(s, part) for s, part in self.parts],
            [store.shorter(s, part) for s, part in self.parts],
            starts,
            **options,
        )


def _starts_of(part: GridPart, models: NDArray[np.float32]) -> NDArray[np.float32]:
    if not models.size:
        return models
    room = part.sweep.parts
    largest = sum(math.prod(extents) for _, extents in room.values())
    if models.size == largest:
        return models
    mine = sum(math.prod(extents) for _, extents in _core.parse_config(part.config).parts.values())
    return np.ascontiguousarray(models.reshape(-1, largest)[part.cells, :mine]).ravel()


def split(sweeps: Sequence[_core.Sweep], status: Sequence[NDArray[np.int32]], pieces: int | None) -> list[Piece]:
    """What is not trained yet, in pieces of about equal work, the heaviest first.

    status: (cells, restarts) of each sweep. pieces: about how many; None for half a second to a minute on one core.
    """
    works = [_missing_work(sweep, of) for sweep, of in zip(sweeps, status, strict=True)]
    total = sum(float(work.sum()) for work in works)
    if total == 0:
        return []
    if pieces is None:
        seconds = min(max(total / _SECOND / _USUAL_PIECES, _LEAST_SECONDS), _MOST_SECONDS)
        target, most_bytes = seconds * _SECOND, _MOST_BYTES
    else:
        target, most_bytes = total / pieces, 2**62
    parts: list[Piece] = []
    for s, (sweep, work) in enumerate(zip(sweeps, works, strict=True)):
        if not work.any():
            continue
        each = bytes_of_cell(sweep)
        count = max(math.ceil(float(work.sum()) / target - 1e-9), math.ceil(each * len(work) / most_bytes))
        for part in _cut(GridPart.whole(sweep), work, count):
            if load := float(work[part.cells].sum()):
                parts.append(Piece([(s, part)], load, each * len(part.cells)))
    return sorted(_bundled(parts, target, most_bytes), key=lambda piece: -piece.work)


def _missing_work(sweep: _core.Sweep, status: NDArray[np.int32]) -> NDArray[np.float64]:
    """Of each cell's restarts that are not trained."""
    return np.asarray(sweep.work() * np.mean(status == -1, axis=1))


def _cut(part: GridPart, work: NDArray[np.float64], count: int) -> Iterator[GridPart]:
    """The part in `count` parts of about equal work, or as many as there are cells that can be parted."""
    sides = part.halves(count, (count // 2) / count, work)
    if sides is None:
        yield part
        return
    yield from _cut(sides[0], work, count // 2)
    yield from _cut(sides[1], work, count - count // 2)


def _bundled(parts: Sequence[Piece], target: float, most_bytes: int) -> list[Piece]:
    """Small parts together: hundreds of sweeps of one cell are few pieces."""
    bundles: list[Piece] = []
    for part in parts:
        last = bundles[-1] if bundles else None
        if last is None or last.work + part.work > 1.25 * target or last.size + part.size > most_bytes:
            bundles.append(part)
            continue
        last.parts += part.parts
        last.work += part.work
        last.size += part.size
    return bundles
