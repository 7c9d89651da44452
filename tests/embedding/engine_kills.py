"""Workers of every engine are killed at random moments: the results file must have the bytes of one machine, and no model
whose training was reported is trained again.

    PYTHONPATH=build/python python tests/embedding/engine_kills.py [--engine NAME] [--kills N] [--seed N]

Without --engine all engines of experiments/embedding/engines.py take part, each in a process of its own, with N kills
each. A failure names the seed, which repeats the moments but not what they meet.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Executor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "experiments" / "embedding"))

import engines  # noqa: E402
import numpy as np  # noqa: E402

import phasegrid  # noqa: E402

SWEEP = phasegrid.Sweep(n_features=3, n_hidden=2, n_experts=2, sparsity=np.linspace(0, 0.95, 12),
                        last_importance=np.geomspace(0.1, 10, 12), restarts=4, steps=2000)
PIECES = 48


def recorded(folder, function, order):
    """What a worker runs: its process id is in the folder as long as it trains."""
    mark = Path(folder) / str(os.getpid())
    mark.touch()
    try:
        return function(order)
    finally:
        mark.unlink(missing_ok=True)


class Recorder(Executor):
    """Another executor, whose answers are counted: `models` that were reported as trained."""

    models = 0

    def __init__(self, inner, folder):
        self.inner, self.folder = inner, folder

    def submit(self, function, order):
        future = self.inner.submit(recorded, self.folder, function, order)
        future.add_done_callback(lambda done: self.count(done, order))
        return future

    def count(self, done, order):
        if done.cancelled() or done.exception() is not None:
            return
        for arrays, before in zip(done.result().results, order.resume, strict=True):
            Recorder.models += int(np.count_nonzero(arrays["status"] >= 0))
            Recorder.models -= 0 if before is None else int(np.count_nonzero(before["status"] >= 0))

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.inner.shutdown(wait=wait, cancel_futures=cancel_futures)


def record(executor, folder):
    return Recorder(executor, folder) if isinstance(executor, Executor) else lambda: Recorder(executor(), folder)


class Killer(threading.Thread):
    """Kills a worker that trains, at random moments, at most so often."""

    def __init__(self, folder, kills, moments):
        super().__init__(daemon=True)
        self.folder, self.left, self.moments, self.done, self.over = folder, kills, moments, 0, False

    def run(self):
        while self.left > 0 and not self.over:
            time.sleep(self.moments.uniform(0.2, 1.0))
            marks = sorted(Path(self.folder).iterdir())
            if not marks or self.over:
                continue
            mark = self.moments.choice(marks)
            mark.unlink(missing_ok=True)
            try:
                os.kill(int(mark.name), signal.SIGKILL)
            except ProcessLookupError:
                continue
            self.left, self.done = self.left - 1, self.done + 1


def kill_workers(engine, kills, moments):
    """Trains until so many workers were killed; returns how many trainings that took."""
    with tempfile.TemporaryDirectory() as scratch:
        one = Path(scratch) / "one.npz"
        phasegrid.train(SWEEP, out=one, threads=1, progress=False)
        trainings = 0
        while kills > 0 or trainings == 0:
            folder, out = Path(scratch) / f"pids{trainings}", Path(scratch) / f"{trainings}.npz"
            folder.mkdir()
            killer = Killer(folder, kills, moments)
            killer.start()
            if engine == "mpi":
                train_under_mpi(folder, out)
            else:
                Recorder.models = 0
                with engines.ENGINES[engine](2) as executor:
                    phasegrid.train(SWEEP, executor=record(executor, folder), pieces=PIECES, out=out, progress=False)
                assert Recorder.models == SWEEP.models, f"{Recorder.models} models were reported, not {SWEEP.models}"
            killer.over = True
            killer.join()
            assert out.read_bytes() == one.read_bytes(), "other bytes than those of one machine"
            kills, trainings = kills - killer.done, trainings + 1
        return trainings


def train_under_mpi(folder, out):
    """Open MPI ends all processes when one dies: the same command goes on from what was saved."""
    for _ in range(1000):
        partial = Path(f"{out}.partial")
        before = phasegrid.load(partial).models_done if partial.exists() else 0
        for mark in folder.iterdir():  # of processes that are gone
            mark.unlink(missing_ok=True)
        command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "3", sys.executable, "-m", "mpi4py.futures",
                   __file__, "--mpi-driver", folder, out]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if out.exists():
            assert done.returncode == 0, done.stderr
            assert f"reported {SWEEP.models - before} models" in done.stdout, done.stdout
            return
        assert done.returncode != 0, done.stdout
    raise AssertionError("it never ends")


def mpi_driver(folder, out):
    with engines.mpi(2) as executor:
        phasegrid.train(SWEEP, executor=record(executor, folder), pieces=PIECES, out=out, checkpoint_seconds=0.1,
                        progress=False)
    print("reported", Recorder.models, "models")


def missing(engine):
    """Why an engine cannot be had, "" where it can."""
    module = {"dask": "dask.distributed", "ray": "ray", "mpi": "mpi4py"}.get(engine, "phasegrid")
    try:
        importlib.import_module(module)
    except ImportError as error:
        return str(error)
    return "no mpirun" if engine == "mpi" and shutil.which("mpirun") is None else ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=list(engines.ENGINES))
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--mpi-driver", nargs=2)
    words = parser.parse_args()
    if words.mpi_driver:
        mpi_driver(*words.mpi_driver)
        return 0
    seed = words.seed if words.seed is not None else random.randrange(10**6)
    if words.engine is None:
        every = ["--kills", str(words.kills), "--seed", str(seed)]
        return max(subprocess.call([sys.executable, __file__, "--engine", name, *every]) for name in engines.ENGINES)
    if why := missing(words.engine):
        print(f"SKIPPED [1] engine_kills.py: the engine {words.engine} does not install here: {why}")
        return 0
    start = time.monotonic()
    try:
        trainings = kill_workers(words.engine, words.kills, random.Random(seed))
    except BaseException:
        print(f"{words.engine}: failed; --seed {seed}", file=sys.stderr)
        raise
    print(f"{words.engine}: {words.kills} workers killed in {trainings} trainings, {time.monotonic() - start:.0f} s: the "
          "bytes of one machine, and nothing that was reported was trained again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
