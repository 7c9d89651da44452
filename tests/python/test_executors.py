"""train(executor=..): the bytes of one machine, and what becomes of pieces whose workers are lost."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import phasegrid
from phasegrid import pieces
from phasegrid.grid_parts import arrays_of

SWEEP = phasegrid.Sweep(
    n_features=3, n_hidden=2, n_experts=2, sparsity=np.linspace(0, 0.9, 7), last_importance=[0.3, 1, 2], steps=100
)


def sweeps() -> list[phasegrid.Sweep]:
    """What is cut in every way: shapes that differ, every restart kept, snapshots, an axis that may not be cut."""
    return [
        SWEEP.replace(name="plain"),
        phasegrid.Sweep(
            name="shapes",
            n_features=3,
            n_hidden=[1, 2],
            n_experts=[1, 2, 3],
            top_k=[1, 2],
            sparsity=[0, 0.3, 0.9],
            restarts=2,
            steps=50,
            keep="all",
            snapshots=[10, 50],
        ),
        phasegrid.Sweep(
            name="powers", n_features=3, n_hidden=2, sparsity=[0.1, 0.4], steps=[20, 40], loss_power=[2, 4], seed=[0, 1]
        ),
    ]


def spawned() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("count", [None, 3, 1000])
@pytest.mark.parametrize("make", [functools.partial(ThreadPoolExecutor, 2), spawned])
def test_the_bytes_are_those_of_one_machine(tmp_path: Path, make: Callable[[], Executor], count: int | None) -> None:
    for name in ("one", "many"):
        (tmp_path / name).mkdir()
    phasegrid.train(sweeps(), out=tmp_path / "one", threads=1, progress=False)
    calls: list[tuple[Any, ...]] = []
    with make() as executor:
        phasegrid.train(
            sweeps(), executor=executor, pieces=count, out=tmp_path / "many", progress=lambda *call: calls.append(call)
        )
    for one in sorted((tmp_path / "one").iterdir()):
        assert (tmp_path / "many" / one.name).read_bytes() == one.read_bytes(), one.name
    total = sum(sweep.models for sweep in sweeps())
    assert calls[-1][:3] == (total, total, 1.0)
    assert [call[2] for call in calls] == sorted(call[2] for call in calls)


def empty(sweep: phasegrid.Sweep) -> dict[str, Any]:
    return arrays_of(phasegrid._core.Results(sweep.core))


def test_pieces_are_of_equal_work_and_have_every_cell_once() -> None:
    sweep = SWEEP.replace(sparsity=np.linspace(0, 0.9, 40), steps=[100, 1000])
    cut = pieces.split([sweep.core], [empty(sweep)["status"]], 16)
    assert len(cut) == 16
    works = [piece.work for piece in cut]
    assert max(works) < 1.5 * np.mean(works)
    cells = np.concatenate([part.cells for piece in cut for _, part in piece.parts])
    assert sorted(cells) == list(range(240))


def test_many_small_sweeps_are_few_pieces() -> None:
    every = [SWEEP.replace(sparsity=s, last_importance=1, name=f"s{i}") for i, s in enumerate(np.linspace(0, 0.9, 60))]
    cut = pieces.split([s.core for s in every], [empty(s)["status"] for s in every], 4)
    assert len(cut) == 4
    assert sum(len(piece.parts) for piece in cut) == 60


def test_models_to_start_at_go_to_their_pieces(tmp_path: Path) -> None:
    start = phasegrid.train(SWEEP, progress=False)
    path = tmp_path / "start.npz"
    start.save(path)
    named = SWEEP.replace(from_init=str(path), restarts=2)
    one = phasegrid.train(SWEEP.replace(restarts=2), initial=start, progress=False)
    with ThreadPoolExecutor(2) as executor:
        for sweep, initial in ((SWEEP.replace(restarts=2), start), (named, None)):
            many = phasegrid.train(sweep, initial=initial, executor=executor, pieces=7, progress=False)
            np.testing.assert_array_equal(many.expert_weights, one.expert_weights)


# ---------------------------------------------------------------- pieces that are lost


class Losing(Executor):
    """An engine that loses the first tasks that it is given, and then trains the others in this process."""

    def __init__(self, losses: int) -> None:
        self.losses, self.orders = losses, 0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.orders += 1
        future: Future[Any] = Future()
        if self.losses > 0:
            self.losses -= 1
            future.set_exception(OSError("the node is gone"))
        else:
            future.set_result(function(*args, **kwargs))
        return future


def test_a_lost_piece_is_trained_again() -> None:
    engine = Losing(2)
    many = phasegrid.train(SWEEP, executor=engine, pieces=5, progress=False)
    assert many.complete and engine.orders == 7


def test_a_piece_that_is_lost_again_and_again_is_given_up(tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    with pytest.raises(phasegrid.WorkersLost, match="a piece was lost 3 times.*OSError: the node is gone") as caught:
        phasegrid.train(SWEEP, executor=Losing(1000), pieces=5, out=out, progress=False)
    assert caught.value.results.models_done == 0
    assert phasegrid.train(SWEEP, executor=Losing(0), out=out, progress=False).complete


def test_bad_input_that_a_worker_finds_is_told_once() -> None:
    engine = Losing(0)
    with pytest.raises(ValueError, match="device must be one of auto, cpu, cuda"):
        phasegrid.train(SWEEP, executor=engine, pieces=5, device="tpu", progress=False)  # type: ignore[call-overload]
    assert engine.orders == 5  # those that were out already; none is tried again


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"executor": 3}, "executor must be a concurrent.futures.Executor, or a function that makes one, not 3"),
        ({"executor": lambda: 3}, "executor must be a concurrent.futures.Executor or make one, not 3"),
        ({"executor": Losing(0), "pieces": 0}, "pieces must be a whole number from 1 to 1000000, not 0"),
        ({"executor": Losing(0), "pieces": True}, "pieces must be a whole number from 1 to 1000000, not True"),
        ({"executor": Losing(0), "shard": "1/2"}, "shard and executor exclude each other"),
        ({"pieces": 3}, "pieces says into how many pieces a training is cut for an executor; there is none"),
    ],
)
def test_bad_input(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        phasegrid.train(SWEEP, progress=False, **options)


def die_once(mark: Path) -> bool:
    """In a worker: ends it, the first time."""
    if mark.exists():
        return True
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return False


class Poisoned(Executor):
    """A pool of processes whose second task ends its worker, once."""

    def __init__(self, mark: Path) -> None:
        self.mark, self.pool, self.orders = mark, spawned(), 0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.orders += 1
        if self.orders == 2 and not self.mark.exists():
            return self.pool.submit(die_once, self.mark)
        return self.pool.submit(function, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def test_a_pool_that_broke_keeps_what_it_did(tmp_path: Path) -> None:
    one, many = tmp_path / "one.npz", tmp_path / "many.npz"
    phasegrid.train(SWEEP, out=one, progress=False)
    with Poisoned(tmp_path / "mark") as engine, pytest.raises(phasegrid.WorkersLost, match="give a function") as caught:
        phasegrid.train(SWEEP, executor=engine, pieces=9, out=many, progress=False)
    done = caught.value.results.models_done
    partial = Path(f"{many}.partial")
    assert done == (phasegrid.load(partial).models_done if partial.exists() else 0)
    phasegrid.train(SWEEP, executor=lambda: Poisoned(tmp_path / "another"), pieces=9, out=many, progress=False)
    assert many.read_bytes() == one.read_bytes()


# ---------------------------------------------------------------- being stopped

LONG = SWEEP.replace(steps=2000, restarts=20)


def test_an_exception_of_progress_ends_it_and_loses_nothing(tmp_path: Path) -> None:
    def stop(done: int, *_: object) -> None:
        if done >= 60:
            raise LookupError("seen enough")

    out = tmp_path / "out.npz"
    with ThreadPoolExecutor(1) as executor, pytest.raises(LookupError, match="seen enough"):
        phasegrid.train(LONG, executor=executor, pieces=21, out=out, progress=stop)
    assert phasegrid.load(f"{out}.partial").models_done >= 60


INTERRUPTED = """
import multiprocessing, sys
import phasegrid
from concurrent.futures import ProcessPoolExecutor
from test_executors import LONG, spawned
if __name__ == "__main__":
    def training(done, *_):
        if done >= 20:
            print("begun", flush=True)
    try:
        with spawned() as executor:
            phasegrid.train(LONG, executor=executor, pieces=21, out="out.npz", progress=training)
    except phasegrid.Interrupted as stopped:
        print("finished", stopped.results.models_done, stopped.saved)
"""


def test_ctrl_c_keeps_what_was_finished(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    path = f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"
    running = subprocess.Popen(
        [sys.executable, script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None and running.stdout.readline() == "begun\n"
    for _ in range(2):  # pressed more than once, which reaches every process of the terminal
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.01)
    output, errors = running.communicate(timeout=60)
    words = next(line for line in output.splitlines() if line.startswith("finished")).split(maxsplit=2)
    assert 20 <= int(words[1]) < LONG.models and words[2] == "['out.npz.partial']", output + errors
    assert phasegrid.load(tmp_path / "out.npz.partial").models_done == int(words[1])


def test_a_training_of_another_thread() -> None:
    found: list[phasegrid.Results] = []
    with ThreadPoolExecutor(1) as executor:
        train = functools.partial(phasegrid.train, SWEEP, executor=executor, progress=False)
        thread = threading.Thread(target=lambda: found.append(train()))
        thread.start()
        thread.join()
    assert found[0].complete
