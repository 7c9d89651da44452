"""train(): sweeps on whatever the machine has, with progress, Ctrl-C and files that a killed run goes on from."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, Unpack, overload

import numpy as np

from phasegrid import _core
from phasegrid.results import Results
from phasegrid.sweep import Settings, Sweep, path_text, shown

# progress(models_done, models_total, share_done, seconds), a few times a second; share_done is from 0 to 1.
ProgressCall: TypeAlias = Callable[[int, int, float, float], object]
Device: TypeAlias = Literal["auto", "cpu", "cuda"]
InstructionSet: TypeAlias = Literal["auto", "baseline", "avx2", "avx512"]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during train(). `results` has what was finished, as train() would have returned it; `resume` takes it."""

    def __init__(self, results: Results | list[Results]) -> None:
        super().__init__()
        self.results = results

    def __str__(self) -> str:  # not made before it is asked for: Ctrl-C once more must find no time to come between
        parts = self.results if isinstance(self.results, list) else [self.results]
        done, total = sum(r.models_done for r in parts), sum(r.sweep.models for r in parts)
        return f"interrupted after {done} of {total} models; they are in the exception's .results"


@overload
def train(
    sweep: Sweep | None = None,
    /,
    *,
    device: Device = "auto",
    threads: int = 0,
    instruction_set: InstructionSet = "auto",
    progress: bool | ProgressCall | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: Results | None = None,
    shard: str = "1/1",
    checkpoint_seconds: float = 30,
    **settings: Unpack[Settings],
) -> Results: ...


@overload
def train(
    sweep: Sequence[Sweep],
    /,
    *,
    device: Device = "auto",
    threads: int = 0,
    instruction_set: InstructionSet = "auto",
    progress: bool | ProgressCall | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: Sequence[Results] | None = None,
    shard: str = "1/1",
    checkpoint_seconds: float = 30,
) -> list[Results]: ...


def train(
    sweep: Sweep | Sequence[Sweep] | None = None,
    /,
    *,
    device: Device = "auto",
    threads: int = 0,
    instruction_set: InstructionSet = "auto",
    progress: bool | ProgressCall | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: Results | Sequence[Results] | None = None,
    shard: str = "1/1",
    checkpoint_seconds: float = 30,
    **settings: Unpack[Settings],
) -> Results | list[Results]:
    """Trains every restart of every cell of a sweep, given as `Sweep`, or by its settings as keyword arguments; or of a
    list of sweeps, in one go: hundreds of sweeps of one cell each cost no more than one sweep of as many cells.

    device: "auto" is a GPU where this build and machine have one, else the CPU. threads: CPU threads, 0 for one a core.
    progress: True for a bar, False for none, None for a bar in a notebook or terminal, or a function.
    out: a results file, or for a list of sweeps a folder of NAME.npz; what is finished is saved beside it about every
    `checkpoint_seconds`, and the same call goes on from there after a crash.
    shard: "3/8" trains the third of eight shares of the cells, of equal work; `merge` puts their results together.
    resume: results of an interrupted training of the same sweeps, whose models are not trained again.

    The numbers depend on the settings alone: not on device, threads, order, or the other sweeps of the call. The GIL is
    free while it trains. Ctrl-C raises `Interrupted` within a second, with what was finished; pressed again meanwhile,
    it is the same request. A RuntimeWarning says what does not end the training: fewer threads than asked for, a
    checkpoint that cannot be written.
    Raises ValueError where a setting cannot be used, RuntimeError where the device fails.
    """
    single = sweep is None or isinstance(sweep, Sweep)
    sweeps = _sweeps_of(sweep, settings)
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or not 0 <= threads <= 4096:
        raise ValueError(f"threads must be a whole number from 0 (one a core) to 4096, not {shown(threads)}")
    for name, word in (("device", device), ("instruction_set", instruction_set), ("shard", shard)):
        if not isinstance(word, str):
            raise ValueError(f"{name} must be a string, not {shown(word)}")
    if not isinstance(checkpoint_seconds, int | float) or not 0 < checkpoint_seconds <= 1e9:
        raise ValueError(f"checkpoint_seconds must be a number above 0 to 1e9, not {shown(checkpoint_seconds)}")
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise ValueError(f"progress must be True, False, None or a function, not {shown(progress)}")
    earlier = _earlier(resume, sweeps)

    files = None
    if out is not None:
        files = _core.TrainingFiles([s.core for s in sweeps], _paths(out, sweeps, single), shard)
    if files is not None and not earlier:
        earlier = [Results(core) for core in files.earlier()]
    with _progress(progress) as report:
        trained, interrupted = _core.train(
            [s.core for s in sweeps],
            device=device,
            threads=int(threads),
            instruction_set=instruction_set,
            progress=report,
            files=files,
            checkpoint_seconds=float(checkpoint_seconds),
            resume=[results.core for results in earlier],
            shard=shard,
        )
    results = [Results(core) for core in trained]
    answer = results[0] if single else results
    if interrupted:
        raise Interrupted(answer)
    return answer


def _sweeps_of(sweep: Sweep | Sequence[Sweep] | None, settings: Mapping[str, Any]) -> list[Sweep]:
    if sweep is None:
        return [Sweep(**settings)]
    if settings:
        raise ValueError(
            f"settings ({', '.join(settings)}) and a sweep exclude each other; make them part of the sweep"
        )
    if isinstance(sweep, Sweep):
        return [sweep]
    if isinstance(sweep, str) or not isinstance(sweep, Sequence) or not all(isinstance(s, Sweep) for s in sweep):
        raise ValueError(f"train() takes a Sweep, a sequence of Sweeps, or settings by keyword, not {shown(sweep)}")
    return list(sweep)


def _earlier(resume: Results | Sequence[Results] | None, sweeps: Sequence[Sweep]) -> list[Results]:
    if resume is None:
        return []
    parts = [resume] if isinstance(resume, Results) else resume
    if isinstance(parts, str) or not isinstance(parts, Sequence) or not all(isinstance(r, Results) for r in parts):
        raise ValueError(f"resume must be Results, or a sequence of them for a sequence of sweeps, not {shown(resume)}")
    if len(parts) != len(sweeps):
        raise ValueError(f"resume must have one entry a sweep, {len(sweeps)}, not {len(parts)}")
    for part, sweep in zip(parts, sweeps, strict=True):
        if part.sweep != sweep:
            raise ValueError(f"resume: the results for sweep {sweep.name!r} are of other settings")
    return list(parts)


def _paths(out: str | os.PathLike[str], sweeps: Sequence[Sweep], single: bool) -> list[str]:
    path = path_text("out", out)
    if single:
        return [path]
    names = [sweep.name for sweep in sweeps]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two sweeps are named {twice!r}; with out= names must differ")
    return [os.path.join(path, f"{name}.npz") for name in names]


@contextlib.contextmanager
def _progress(choice: bool | ProgressCall | None) -> Iterator[ProgressCall | None]:
    if callable(choice):
        yield choice
        return
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if choice is False or sys.stderr is None or (choice is None and not (terminal or _in_notebook())):
        yield None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm's, where a notebook has no widgets; it then writes text
        from tqdm.auto import tqdm
    # Its length is work, not models: a few long ones would hold it for long. A terminal that is gone or a log on a full
    # disk raises OSError, and must not end a training.
    bars: list[Any] = []
    with contextlib.suppress(OSError):
        bars.append(tqdm(total=1.0, bar_format="{desc} {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]", leave=False))

    def show(models_done: int, models_total: int, share_done: float, seconds: float) -> None:
        try:
            for bar in bars:
                bar.n = share_done
                bar.initial = share_done if bar.desc == "" else bar.initial  # what a resumed training began with
                bar.set_description_str(f"{models_done:,} of {models_total:,} models")
        except OSError:
            bars.clear()

    try:
        yield show
    finally:
        with contextlib.suppress(OSError):
            for bar in bars:
                bar.close()


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
