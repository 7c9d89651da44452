"""train(executor=..): pieces of a training on any concurrent.futures.Executor, whoever's workers stand behind it.

The engine starts, watches and ends its workers; this module cuts the training into pieces (pieces.py), hands them out,
and puts what comes back into one set of results, whose bits are those of one machine.
"""

from __future__ import annotations

import functools
import json
import queue
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from phasegrid import __version__, _core, pieces
from phasegrid.executor_inputs import starting
from phasegrid.pieces import Answer, Piece
from phasegrid.sentences import sentence
from phasegrid.stores import InMemory, Store
from phasegrid.text import shown
from phasegrid.zarr_store import ZarrStore

# What pieces are handed to: an executor, or a function that makes one, which is asked again where one broke.
Executors: TypeAlias = Executor | Callable[[], Executor]
Report: TypeAlias = Callable[[int, int, float, float], object]

_MOST_LOSSES = 3  # of one piece
_MOST_BREAKS = 10  # executors that break one after the other without a piece done between them
_MOST_OUT, _MOST_BYTES_OUT = 20_000, 2**30  # pieces handed out at a time, and the bytes of their results
_LOOK_SECONDS = 0.2
_LAST_WORDS_SECONDS = 1.0  # that workers have after Ctrl-C, which reaches those of the same terminal too
_CHECKPOINT_SHARE = 20  # a checkpoint takes at most a twentieth of the time


class WorkersLost(RuntimeError):
    """The engine lost workers, and cannot go on by itself. `results` has what was finished, as train() would have
    returned it; where there was an `out` its .partial has it too, and the same call goes on from there.
    """

    results: Any = None


class PiecedTraining:
    """One training of some sweeps on an executor; the store has what is finished, at any time."""

    def __init__(
        self,
        executor: Executors,
        store: Store,
        initial: Sequence[NDArray[np.float32]],
        count: int | None,
        options: dict[str, Any],
    ) -> None:
        self._make = None if isinstance(executor, Executor) else executor
        self._executor: Executor | None = executor if isinstance(executor, Executor) else None
        self._store = store
        self._initial = initial
        self._options = options
        self._waiting = deque(store.pieces(count))
        self._out: dict[Future[Answer], Piece] = {}
        self._returned: queue.SimpleQueue[Future[Answer]] = queue.SimpleQueue()
        self._breaks = 0  # executors that broke since the last piece was done
        self._models = sum(sweep.models for sweep in store.sweeps)
        self._work = sum(float(sweep.work().sum()) for sweep in store.sweeps)
        self._work_left = sum(piece.work for piece in self._waiting)

    def _progress(self, seconds: float) -> tuple[int, int, float, float]:
        share = 1 - self._work_left / self._work if self._work_left > 0 else 1.0
        return self._store.models_done, self._models, share, seconds

    # ---------------------------------------------------------------- training
    def train(self, report: Report | None, save: Callable[[], None] | None, save_seconds: float) -> bool:
        """Trains what is missing. False where Ctrl-C ended it. Raises what a piece or `report` raised."""
        start = time.monotonic()
        next_save = start + save_seconds
        with _CtrlC() as pressed:
            try:
                while self._waiting or self._out:
                    self._hand_out()
                    self._take_in(_LOOK_SECONDS)
                    if pressed.asked:
                        raise KeyboardInterrupt
                    now = time.monotonic()
                    if report is not None:
                        report(*self._progress(now - start))
                    if save is not None and now >= next_save:
                        save()
                        ended = time.monotonic()
                        next_save = ended + max(save_seconds, _CHECKPOINT_SHARE * (ended - now))
                return True
            except KeyboardInterrupt:
                self._stop(_LAST_WORDS_SECONDS)
                return False
            except BaseException as error:
                if isinstance(error, WorkersLost) and pressed.asked:  # the workers of this terminal had Ctrl-C too
                    self._stop(_LAST_WORDS_SECONDS)
                    return False
                self._stop(0)
                raise
            finally:
                if self._make is not None and self._executor is not None:
                    self._executor.shutdown(wait=False, cancel_futures=True)

    def _hand_out(self) -> None:
        if self._executor is None and self._make is not None:
            self._executor = self._make()
            if not isinstance(self._executor, Executor):
                made, self._executor = self._executor, None
                raise ValueError(f"executor must be a concurrent.futures.Executor or make one, not {shown(made)}")
        assert self._executor is not None
        size = sum(piece.size for piece in self._out.values())
        for _ in range(100):  # and then look what came back
            if not self._waiting or len(self._out) >= _MOST_OUT or (self._out and size > _MOST_BYTES_OUT):
                return
            piece = self._waiting.popleft()
            try:
                order = piece.order(self._store, self._initial, self._options)
                future = self._executor.submit(pieces.train_order, order)
            except BrokenExecutor as error:
                self._waiting.appendleft(piece)
                self._broke(error)
                return
            except RuntimeError as error:  # as executors say that they were shut down
                self._waiting.appendleft(piece)
                raise WorkersLost(sentence(f"the executor takes no piece: {error}")) from error
            self._out[future] = piece
            size += piece.size
            future.add_done_callback(self._returned.put)

    def _take_in(self, seconds: float) -> None:
        """Takes in what came back; waits for the first, at most so long."""
        try:
            future = self._returned.get(timeout=seconds)
            while True:
                self._take(future)
                future = self._returned.get_nowait()
        except queue.Empty:
            return

    def _take(self, future: Future[Answer]) -> None:
        piece = self._out.pop(future, None)
        if piece is None:  # of an executor that broke
            return
        if future.cancelled():
            self._lost(piece, RuntimeError("it was cancelled"))
            return
        error = future.exception()
        if isinstance(error, BrokenExecutor):
            self._waiting.append(piece)
            self._broke(error)
        elif error is not None:
            self._lost(piece, error)
        else:
            self._keep(piece, future.result())

    def _keep(self, piece: Piece, answer: Answer) -> None:
        if answer.failure is not None:
            raise answer.failure
        self._put(piece, answer)
        if answer.complete:
            self._work_left -= piece.work
            self._breaks = 0
        else:  # the worker was asked to stop, as by a Ctrl-C that this process did not get
            self._lost(piece, RuntimeError("its worker was interrupted"))

    def _put(self, piece: Piece, answer: Answer) -> None:
        for (s, part), arrays, made_by in zip(piece.parts, answer.results, answer.made_by, strict=True):
            made = json.loads(made_by)
            if made["bits"] != self._store.bits:
                raise WorkersLost(
                    f"a worker has phasegrid {made['phasegrid']}, whose numbers are others than those of "
                    f"{__version__}, which is here; install the same everywhere"
                )
            self._store.put(s, part, arrays, made)

    def _lost(self, piece: Piece, error: BaseException) -> None:
        """Has a piece trained again."""
        piece.lost += 1
        if piece.lost >= _MOST_LOSSES:
            why = str(error) or type(error).__name__
            raise WorkersLost(
                sentence(f"a piece was lost {_MOST_LOSSES} times, so it is given up: {type(error).__name__}: {why}")
            ) from error
        self._waiting.appendleft(piece)

    def _broke(self, error: BrokenExecutor) -> None:
        """Goes on with a new executor, where one can be made. What the broken one has done is kept."""
        self._breaks += 1
        out, self._out = self._out, {}
        for future, piece in out.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                self._keep(piece, future.result())
            else:
                self._waiting.append(piece)
        broken, self._executor = self._executor, None
        if self._make is None:
            self._executor = broken
            raise WorkersLost(
                "the executor broke, as a worker died; give a function that makes one, "
                "executor=lambda: ProcessPoolExecutor(8), and training goes on with a new one"
            ) from error
        if broken is not None:
            broken.shutdown(wait=False, cancel_futures=True)
        if self._breaks >= _MOST_BREAKS:
            raise WorkersLost(
                sentence(f"{_MOST_BREAKS} executors broke one after the other and no piece was done: {error}")
            ) from error

    def _stop(self, seconds: float) -> None:
        """Takes back what is not begun. What is in training ends with its piece, unless it ends in these seconds."""
        self._waiting.clear()
        for future in list(self._out):
            if future.cancel():
                self._out.pop(future)
        if seconds > 0:
            for future in wait(self._out, timeout=seconds).done:
                piece = self._out.pop(future)
                answer = None if future.cancelled() or future.exception() is not None else future.result()
                if answer is not None and answer.failure is None:
                    self._put(piece, answer)
        self._out.clear()


class _CtrlC:
    """Ctrl-C as a request that is looked for: once more is the same request, and comes between nothing."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> _CtrlC:
        self._before = signal.getsignal(signal.SIGINT)
        # Another handler is the program's own; it may raise KeyboardInterrupt, or not.
        self._ours = self._before is signal.default_int_handler and _in_main_thread()
        if self._ours:
            signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, self._before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def trainer(executor: Executors, count: int | None) -> Callable[..., tuple[list[_core.Results], bool, str]]:
    """What takes the place of _core.train, with the same arguments and the same answer."""
    return functools.partial(_train_on, executor, count)


def _train_on(
    executor: Executors,
    count: int | None,
    sweeps: Sequence[_core.Sweep],
    *,
    progress: Report | None,
    files: _core.TrainingFiles | None,
    checkpoint_seconds: float,
    resume: Sequence[_core.Results],
    initial: Sequence[NDArray[np.float32]],
    shorter: Sequence[_core.Results | None],
    shard: str,
    threads: int,
    **options: str,
) -> tuple[list[_core.Results], bool, str]:
    """(results, interrupted, why they are not in the files or '')."""
    assert shard == "1/1"
    of_a_piece = {**options, "threads": threads or 1}
    store = InMemory(sweeps, resume, shorter)
    training = PiecedTraining(executor, store, starting(initial, sweeps), count, of_a_piece)
    save = None if files is None else _checkpoint(files, store)
    try:
        complete = training.train(progress, save, checkpoint_seconds)
    except BaseException as error:
        if isinstance(error, WorkersLost):
            error.results = store.results()
        if save is not None:
            save()
        raise
    results = store.results()
    unsaved = ""
    if files is not None:
        try:
            files.save(results)
        except ValueError as error:
            unsaved = str(error)
    return results, not complete, unsaved


def train_into(
    executor: Executors | None, store: ZarrStore, progress: Report | None, options: Mapping[str, Any]
) -> bool:
    """Trains what a store lacks, a block at a time: on an executor, or on all threads of this machine. False where
    Ctrl-C ended it.
    """
    threads = options["threads"] or (1 if executor is not None else 0)
    of_a_piece = {**options, "threads": threads}
    initial = starting([], store.sweeps)
    with ThreadPoolExecutor(1) as here:
        complete = PiecedTraining(executor or here, store, initial, None, of_a_piece).train(progress, None, 0)
    store.finish()
    return complete


def _checkpoint(files: _core.TrainingFiles, store: InMemory) -> Callable[[], None]:
    def save() -> None:
        try:
            files.save(store.results())
        except ValueError as error:  # the training is worth more than its checkpoint
            warnings.warn(f"no checkpoint: {error}", RuntimeWarning, stacklevel=2)

    return save
