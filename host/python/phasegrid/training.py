"""train(): sweeps on whatever the machine has, with progress, Ctrl-C and files that a killed run goes on from."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, Unpack, overload

import numpy as np

from phasegrid import _core, executors, health
from phasegrid.executor_inputs import check as check_executor
from phasegrid.executors import Executors
from phasegrid.extending import beginnings
from phasegrid.initial import Initial, starting_models
from phasegrid.results import Results
from phasegrid.stored import Stored
from phasegrid.sweep import SETTINGS, Settings, Sweep, table_of_settings, unknown
from phasegrid.text import file_to_write, path_text, shown

# progress(models_done, models_total, share_done, seconds), a few times a second; share_done is from 0 to 1.
ProgressCall: TypeAlias = Callable[[int, int, float, float], object]
Device: TypeAlias = Literal["auto", "cpu", "cuda"]
InstructionSet: TypeAlias = Literal["auto", "baseline", "avx2", "avx512"]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during train(). `results` has what was finished, as train() would have returned it; `resume` takes it.
    `saved` names the files that have it too, where there was an `out`: the same call goes on from them.
    """

    def __init__(self, results: Results | list[Results] | Stored, saved: Sequence[str] = ()) -> None:
        super().__init__()
        self.results: Any = results
        self.saved = list(saved)

    def __reduce__(self) -> tuple[Any, ...]:
        return Interrupted, (self.results, self.saved)

    def __str__(self) -> str:  # not made before it is asked for: Ctrl-C once more must find no time to come between
        parts = self.results if isinstance(self.results, list) else [self.results]
        done, total = sum(r.models_done for r in parts), sum(r.sweep.models for r in parts)
        return f"interrupted after {done} of {total} models; they are in the exception's .results{_also_in(self.saved)}"


class NotSaved(ValueError):
    """train() could not write `out` at its end, for the reason it says. `results` is what it would have returned."""

    def __init__(self, reason: str, results: Results | list[Results]) -> None:
        super().__init__(f"{reason}; the results are in the exception's .results")
        self.reason = reason
        self.results = results

    def __reduce__(self) -> tuple[Any, ...]:
        return NotSaved, (self.reason, self.results)


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
    fresh: bool = False,
    resume: Results | None = None,
    initial: Initial | None = None,
    shard: str = "1/1",
    checkpoint_seconds: float = 30,
    executor: Executors | None = None,
    pieces: int | None = None,
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
    fresh: bool = False,
    resume: Sequence[Results] | None = None,
    initial: Initial | Sequence[Initial] | None = None,
    shard: str = "1/1",
    checkpoint_seconds: float = 30,
    executor: Executors | None = None,
    pieces: int | None = None,
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
    fresh: bool = False,
    resume: Results | Sequence[Results] | None = None,
    initial: Initial | Sequence[Initial] | None = None,
    shard: str = "1/1",
    checkpoint_seconds: float = 30,
    executor: Executors | None = None,
    pieces: int | None = None,
    **settings: Unpack[Settings],
) -> Results | list[Results]:
    """Trains every restart of every cell of a sweep, and keeps the best model of each cell.

        results = phasegrid.train(n_features=20, n_hidden=5, n_experts=4, sparsity=[0.5, 0.9, 0.99])

    **The model.** n features, E experts of m hidden units, of which an input x meets the k whose router scores G x are
    highest (of equal ones, those of lower number). Each expert is an autoencoder with tied weights and a ReLU at its
    output, and the gates are the softmax over the k scores:

        x' = sum over the k experts of gate_e ReLU(W_e W_e^T x + b_e),    gate = softmax of their scores

    With n_experts=1 it is the dense model, ReLU(W W^T x + b). Options make it any toy model of the field: each expert
    is output(D hidden(W^T x) + b), with a decoder D of its own (tied=False), hidden="relu", output="linear" or
    bias=False; convention="anthropic" (or arena, spd, devinterp, liu2025) takes the defaults of that notebook.

    **The loss.** The weighted squared error, sum over features of I_f (x'_f - x_f)^2, averaged over the batch and, with
    loss="mean", over the features too. Training adds, for mixtures, load_balance * E * sum over experts of f_e P_e: f_e
    is the share of the batch that expert e gets, and P_e its mean probability in a softmax over all E scores. Compare
    models by `Results.reconstruction_losses`, which are without that term. AdamW minimises it, or Adam or SGD.

    **The data.** Each feature is 0 with probability S, its sparsity, else uniform in [0, 1), independently of the
    others; every batch is drawn anew. Other laws: values, groups, active, a fixed set of samples, and another target.

    **Settings and their defaults.** Those with * may be a sequence, which makes them an axis of the grid.

    Parameters
    ----------
    sweep : Sweep or sequence of Sweep, optional
        What to train, where it is not given by keywords. A list is trained in one go: hundreds of sweeps of one cell
        each cost no more than one sweep of as many cells.
    device : {"auto", "cpu", "cuda"}
        "auto" is a GPU where this build and machine have one, else the CPU.
    threads : int
        CPU threads; 0 for one per core.
    instruction_set : {"auto", "baseline", "avx2", "avx512"}
        Of the CPU; all give the same bits.
    progress : bool or function, optional
        True for a bar, False for none, None for a bar in a notebook or terminal, or a function that is called with
        (models done, models, share of the work done, seconds).
    out : path, optional
        NAME.zarr for results that need not fit in memory, a block of cells at a time: then `open`'s `Stored` comes
        back, `Results` of any part. Else a results file, NAME.npz, or for a list of sweeps a folder of them; its folder
        must be there. It is written when every model is trained. Until then what is finished is saved beside it in
        NAME.npz.partial, which `load` reads too: about every `checkpoint_seconds` (30), and after Ctrl-C or an
        exception in `progress`; the same call goes on from there. A file that has every model of the sweep already is
        returned, and nothing is trained; one of a sweep with fewer restarts, values or steps is taken as `resume`
        takes it. It is replaced when the new one is whole, as is one of another sweep. Only one training
        writes a file at a time.
    fresh : bool
        True trains every model, also where `out` or its .partial has them.
    resume : Results or sequence of Results, optional
        Of an interrupted training of the same sweeps, or of sweeps with fewer restarts, other values on their axes or
        fewer axes: the models that are the same are not trained again, and the results are those of a training at once.
        Of sweeps with fewer steps, where both have keep="training-state", a constant schedule, and neither drop_below,
        stop_below nor snapshots: their models go on where they ended.
    initial : Results or mapping of arrays, or a sequence of them for a list of sweeps, optional
        Models to start at, in place of random ones: the kept models of results of the same grid or of one cell, or one
        model {"W": (E,n,m), "b": (E,n), "G": (E,n)}, and "D": (E,n,m) of untied weights; without E for one expert,
        whose G may be left out. With steps=0 nothing is trained: the losses are those of these models.
    shard : str
        "3/8" trains the third of eight shares of the cells, of equal work; `merge` puts their results together.
    executor : concurrent.futures.Executor, or a function that makes one, optional
        Trains on the workers of an engine: ProcessPoolExecutor, Dask's client.get_executor(), mpi4py's
        MPIPoolExecutor, Ray (experiments/embedding/README.md). The training is cut into pieces; a piece whose worker
        is lost is trained again; `threads` are those of a piece, 0 for one. Where an executor cannot outlive a worker
        (ProcessPoolExecutor), give a function, and a new one is made: executor=lambda: ProcessPoolExecutor(8).
    pieces : int, optional
        Into how many pieces; without it each is half a second to a minute of one core's work. A GPU is kept busy by
        pieces of thousands of models.

    Returns
    -------
    Results, or a list of Results for a list of sweeps.

    Raises
    ------
    ValueError
        Where a setting cannot be used: one sentence with what is allowed.
    Interrupted
        After Ctrl-C, within a second; it has what was finished. Ctrl-C again meanwhile is the same request.
    NotSaved
        Where `out` could not be written in the end, say because its folder is gone; it has the results.
    RuntimeError
        Where the device fails.
    WorkersLost
        Where an executor lost its workers and cannot go on; it has what was finished.

    Warns
    -----
    TrainingWarning
        Where restarts diverged, cells have no model, or models are dead: no feature has a norm above 0.1.
    RuntimeWarning
        Of what does not end the training: fewer threads than asked for, a checkpoint that cannot be written.

    Notes
    -----
    The numbers depend on the settings alone: not on device, threads, order, or the other sweeps of the call. The GIL is
    free while it trains.
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
    if not isinstance(fresh, bool):
        raise ValueError(f"fresh must be True or False, not {shown(fresh)}")
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise ValueError(f"progress must be True, False, None or a function, not {shown(progress)}")
    check_executor(executor, pieces, shard)
    if out is not None and path_text("out", out).endswith(".zarr"):
        return _train_into_store(  # type: ignore[return-value]
            sweeps,
            single,
            out,
            fresh,
            {"resume": resume, "initial": initial, "shard": None if shard == "1/1" else shard, "pieces": pieces},
            executor,
            progress,
            {"device": device, "threads": int(threads), "instruction_set": instruction_set},
        )
    given = _given(resume, sweeps)
    starts = starting_models(initial, [s.core for s in sweeps], single)

    cores = [s.core for s in sweeps]
    trained: Sequence[_core.Results] = []
    interrupted, unsaved = False, ""
    paths = _paths(out, sweeps, single) if out is not None else []
    files = _core.TrainingFiles(cores, paths, shard, fresh) if out is not None else None
    try:
        found = files.take_earlier() if files is not None else []
        whole = files is not None and files.all_finished
        resumed, begun = beginnings(sweeps, given, found, paths if not fresh and not whole else [])
        if whole:
            trained = resumed
        else:
            try:
                with _progress(progress) as report:
                    train_sweeps = _core.train if executor is None else executors.trainer(executor, pieces)
                    trained, interrupted, unsaved = train_sweeps(
                        cores,
                        device=device,
                        threads=int(threads),
                        instruction_set=instruction_set,
                        progress=report,
                        files=files,
                        checkpoint_seconds=float(checkpoint_seconds),
                        resume=resumed,
                        shard=shard,
                        initial=starts,
                        shorter=begun,
                    )
            except KeyboardInterrupt:  # where there are results, it came while the bar was taken away
                if not trained:
                    raise
                interrupted = True
        saved = _saved(files, sweeps)
    except Exception as error:
        if isinstance(error, executors.WorkersLost) and error.results is not None:
            kept = [Results(core) for core in error.results]
            error.results = kept[0] if single else kept
        if saved := _saved(files, sweeps):
            error.add_note(f"what was finished is{_also_in(saved).removeprefix(' and')}")
        raise
    finally:
        if files is not None:
            files.close()  # an exception would keep them, and so the name, as long as somebody looks at it
    results = [Results(core) for core in trained]
    answer = results[0] if single else results
    if unsaved:
        raise NotSaved(unsaved, answer)
    if interrupted:
        raise Interrupted(answer, saved)
    if unhealthy := health.sentence(results):
        warnings.warn(unhealthy, health.TrainingWarning, stacklevel=2)
    return answer


def _train_into_store(
    sweeps: Sequence[Sweep],
    single: bool,
    out: str | os.PathLike[str],
    fresh: bool,
    others: Mapping[str, object],
    executor: Executors | None,
    progress: bool | ProgressCall | None,
    options: Mapping[str, Any],
) -> Stored:
    """train(out="NAME.zarr"): in blocks, each written when it is trained."""
    from phasegrid.stored import open as open_stored
    from phasegrid.zarr_store import ZarrStore

    if not single:
        raise ValueError("out must be a folder for a list of sweeps; a .zarr store holds one sweep")
    for name, value in others.items():
        if value is not None:
            raise ValueError(f"{name} cannot be used with a .zarr store, which is trained block by block")
    path = path_text("out", out)
    store = ZarrStore(sweeps[0].core, path, fresh)
    with _progress(progress) as report:
        complete = executors.train_into(executor, store, report, options)
    stored = open_stored(path)
    if not complete:
        raise Interrupted(stored, [path])
    return stored


_SETTINGS = "which makes them an axis of the grid.\n"
train.__doc__ = (train.__doc__ or "").replace(_SETTINGS, f"{_SETTINGS}\n{table_of_settings()}\n")


def _saved(files: _core.TrainingFiles | None, sweeps: Sequence[Sweep]) -> list[str]:
    """The files that have what was finished."""
    places = [files.place(i) for i in range(len(sweeps))] if files is not None else []
    return [place for place in places if place]


def _also_in(saved: Sequence[str]) -> str:
    if not saved:
        return ""
    return f" and in {', '.join(saved) if len(saved) <= 3 else f'{len(saved)} files'}; the same call goes on from there"


def _sweeps_of(sweep: Sweep | Sequence[Sweep] | None, settings: Mapping[str, Any]) -> list[Sweep]:
    if sweep is None:
        for keyword in settings:
            if keyword not in SETTINGS:
                raise unknown(
                    keyword,
                    [name for name, of in inspect.signature(train).parameters.items() if of.kind is of.KEYWORD_ONLY],
                )
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


def _given(resume: Results | Sequence[Results] | None, sweeps: Sequence[Sweep]) -> list[_core.Results]:
    if resume is None:
        return []
    parts = [resume] if isinstance(resume, Results) else resume
    if isinstance(parts, str) or not isinstance(parts, Sequence) or not all(isinstance(r, Results) for r in parts):
        raise ValueError(f"resume must be Results, or a sequence of them for a sequence of sweeps, not {shown(resume)}")
    if len(parts) != len(sweeps):
        raise ValueError(f"resume must have one entry a sweep, {len(sweeps)}, not {len(parts)}")
    return [part.core for part in parts]


def _paths(out: str | os.PathLike[str], sweeps: Sequence[Sweep], single: bool) -> list[str]:
    if single:
        return [file_to_write("out", out, [".npz"])]
    folder = path_text("out", out)
    if not os.path.isdir(folder):
        raise ValueError(f"{folder}: cannot be written: out must be a folder that is there, for a list of sweeps")
    names = [sweep.name for sweep in sweeps]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two sweeps are named {twice!r}; with out= names must differ")
    return [os.path.join(folder, f"{name}.npz") for name in names]


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
