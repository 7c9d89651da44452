"""Which size pieces should have: a simulation of workers that straggle and fail, beside a real run on two workers.

    python experiments/scale_simulation.py              # tables for 1 to 10,000 workers
    python experiments/scale_simulation.py --real       # the same training on two workers, in pieces of several sizes

Simulated is what train(executor=..) does (host/python/phasegrid/executors.py): pieces of equal work, the next one to
the worker that is free first; a piece whose worker fails is handed out again; the driver takes in results one after the
other. A worker's speed is drawn once, and a piece's time about it, from lognormal laws; failures are a Poisson process.
"""

from __future__ import annotations

import argparse
import heapq
import math
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

import phasegrid


@dataclass(frozen=True)
class Cluster:
    """Seconds, but where it says otherwise. The defaults are those of the table in scale.md."""

    workers: int
    send: float = 0.005  # to hand out a piece and begin it, on its worker
    take: float = 0.002  # of the driver, for the results of a piece; it does nothing else meanwhile
    spread_of_workers: float = 0.05  # standard deviation of the logarithm of their speeds
    spread_of_pieces: float = 0.1  # the same of pieces of one worker
    hours_between_failures: float = 1000.0  # of one worker
    back_after: float = 120.0  # until a worker that failed is there again


@dataclass(frozen=True)
class Outcome:
    seconds: float  # until the last result is taken in
    lost: float  # seconds of work that was done twice
    waited: float  # seconds that the driver's results stood in line, the most of any


def simulate(cluster: Cluster, work: float, pieces: int, seed: int = 0) -> Outcome:
    """work: seconds of one core of speed 1."""
    random = np.random.default_rng(seed)
    speed = np.exp(random.normal(0, cluster.spread_of_workers, cluster.workers))
    lengths = iter(work / pieces * np.exp(random.normal(0, cluster.spread_of_pieces, pieces)))
    next_failure = random.exponential(cluster.hours_between_failures * 3600, cluster.workers)
    free = [(0.0, worker) for worker in range(min(cluster.workers, pieces))]  # when each worker is free
    heapq.heapify(free)
    again: list[float] = []  # pieces that were lost
    returned: list[float] = []
    lost, left = 0.0, pieces
    while left > 0 or again:
        now, worker = heapq.heappop(free)
        if again:
            length = again.pop()
        else:
            length, left = float(next(lengths)), left - 1
        end = now + cluster.send + length / float(speed[worker])
        if end < next_failure[worker]:
            returned.append(end)
            heapq.heappush(free, (end, worker))
            continue
        failed = float(max(now, next_failure[worker]))
        lost += failed - now
        again.append(length)
        next_failure[worker] = failed + random.exponential(cluster.hours_between_failures * 3600)
        heapq.heappush(free, (failed + cluster.back_after, worker))
    done = waited = 0.0
    for at in sorted(returned):
        done = max(done, at) + cluster.take
        waited = max(waited, done - cluster.take - at)
    return Outcome(done, lost, waited)


def table(work: float, counts: list[int], sizes: list[float]) -> None:
    """The time over that of workers who never wait, by the size of a piece."""
    print("| workers | at best | " + " | ".join(f"{size:g} s" for size in sizes) + " |")
    print("|" + "---|" * (len(sizes) + 2))
    for count in counts:
        best, cells = work / count, []
        for size in sizes:
            pieces = max(1, round(work / size))
            if pieces > 2_000_000 or pieces < count:
                cells.append("too many" if pieces > 2_000_000 else "too few")
                continue
            outcome = simulate(Cluster(count), work, pieces)
            line = f", line {outcome.waited:.0f} s" if outcome.waited > 1 else ""
            cells.append(f"{outcome.seconds / best:.3f}{line}")
        print(f"| {count:,} | {best:,.0f} s | " + " | ".join(cells) + " |", flush=True)


# ---------------------------------------------------------------- the real run

SWEEP = phasegrid.Sweep(
    n_features=2,
    n_hidden=1,
    sparsity=np.linspace(0.025, 0.975, 40),
    last_importance=np.linspace(0.1, 2.95, 40),
    restarts=4,
    steps=1000,
)


def real(counts: list[int], turns: int) -> None:
    """The same training in so many pieces on two workers, and what is simulated for it: in turns, the best of each."""
    alone: list[float] = []
    took: dict[int, list[float]] = {count: [] for count in counts}
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        phasegrid.train(SWEEP.replace(steps=1), executor=pool, pieces=8, progress=False)  # workers have started
        for _ in range(turns):
            start = time.perf_counter()
            phasegrid.train(SWEEP, threads=2, progress=False)
            alone.append(time.perf_counter() - start)
            for count in counts:
                start = time.perf_counter()
                phasegrid.train(SWEEP, executor=pool, pieces=count, progress=False)
                took[count].append(time.perf_counter() - start)
    work = 2 * min(alone)
    cluster = Cluster(2, spread_of_workers=0.0, spread_of_pieces=0.05, hours_between_failures=math.inf)
    print(f"two threads in one process: {min(alone):.2f} s")
    print("| pieces | of about | real | over two threads | simulated |")
    print("|---|---|---|---|---|")
    for count in counts:
        simulated = simulate(cluster, work, count).seconds / min(alone)
        over = min(took[count]) / min(alone)
        print(f"| {count} | {work / count:.3f} s | {min(took[count]):.2f} s | {over:.3f} | {simulated:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1000, help="of the real run")
    parser.add_argument("--pieces", type=int, nargs="+", default=[2, 3, 8, 32, 128, 512], help="of the real run")
    words = parser.parse_args()
    if words.real:
        global SWEEP
        SWEEP = SWEEP.replace(steps=words.steps)
        real(words.pieces, words.turns)
        return
    print("a minute of two cores:")
    table(120.0, [2], [0.1, 0.5, 2, 10, 30])
    print("\n10^7 models of Figure 4, 13 hours of one core:")
    table(46_000.0, [2, 100, 1000], [0.5, 2, 10, 60, 300])
    print("\n10^9 models of Figure 4, 53 days of one core:")
    table(4.6e6, [100, 10_000], [5, 20, 60, 150, 400, 3600])


if __name__ == "__main__":
    main()
