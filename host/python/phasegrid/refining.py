"""refine(): a grid that is trained where it changes. A coarse grid first, then cells between cells that differ.

    results = phasegrid.refine(phasegrid.read_sweeps("toy.toml")[0], out="toy.npz")
    (results.status >= 0).all(axis=-1)                  # which cells were trained
    phasegrid.train(results.sweep, resume=results)      # trains the others

The results are those of the whole grid with cells that are not trained: NaN, and status -1.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phasegrid import _core, health
from phasegrid.executors import Executors
from phasegrid.extending import widened
from phasegrid.grid_parts import GridPart, arrays_of
from phasegrid.refining_boxes import Boxes, parts_of
from phasegrid.results import Results
from phasegrid.sweep import Sweep
from phasegrid.text import file_to_write, shown
from phasegrid.training import Device, Interrupted, train

By: TypeAlias = Literal["class", "norm", "interference"] | Callable[[Results], ArrayLike]
# report(batch, its cells, cells so far, cells of the grid), before a batch is trained.
Report: TypeAlias = Callable[[int, int, int, int], object]

# From where on two numbers differ, where they are no classes.
_TOLERANCES = {"norm": 0.25, "interference": 0.25}


def refine(
    sweep: Sweep,
    /,
    *,
    by: By = "class",
    tolerance: float | None = None,
    coarse: int = 16,
    budget: int | None = None,
    out: str | os.PathLike[str] | None = None,
    report: Report | None = None,
    device: Device = "auto",
    threads: int = 0,
    executor: Executors | None = None,
) -> Results:
    """Trains the cells of a sweep's grid that lie at a boundary, and a coarse grid between them.

        sweep = phasegrid.Sweep(n_features=2, sparsity=np.linspace(0, 0.95, 256),
                                last_importance=np.geomspace(0.1, 10, 256))
        results = phasegrid.refine(sweep, out="boundary.npz")

    The sweep's axes are the finest resolution. Trained are first the corners of boxes of `coarse` cells a side, then
    the middles of boxes whose trained cells differ, and so on, to single cells. Each round is one training of all of
    its cells, with an `executor` as in `train`. A boundary is found where it crosses a side of a box of the coarse
    grid, or touches one that does; an island smaller than a box may be missed.

    by : {"class", "norm", "interference"} or function
        What is compared, of the last feature, for every expert: its class (ignored: norm below 0.5; superposed:
        interference from 0.25 on; else monosemantic), its norm or its interference. A function is given results and
        returns an array whose shape begins with their grid's; numbers without a fraction are classes.
    tolerance : float, optional
        By how much numbers may be apart and do not differ; 0.25 of "norm" and "interference".
    budget : int, optional
        Most models to train; the largest boxes are cut first.
    out : path, optional
        A results file (.npz) that is written after every round; the same call goes on from it.
    report : function, optional
        Called with (round, its cells, cells so far, cells of the grid) before each round.

    Returns Results of the whole grid, whose `status` says which cells were trained. Raises ValueError where an argument
    cannot be used, and Interrupted as `train` does.
    """
    measure, apart = _measure(by, tolerance)
    _check(sweep, coarse, budget)
    path = None if out is None else file_to_write("out", out, [".npz"])
    arrays = {name: np.array(array) for name, array in arrays_of(_begun(sweep, path)).items()}
    described = json.loads(_core.Results(sweep.core).config)
    boxes = Boxes(sweep.shape, coarse)
    measured: dict[int, NDArray[Any]] = {}  # cell -> what is compared
    left = None if budget is None else budget // sweep.restarts
    devices: set[str] = set()

    def results() -> Results:
        return Results(_core.results_from(json.dumps(described | {"device": ", ".join(sorted(devices))}), arrays))

    def differ(box: tuple[slice, ...]) -> bool:
        places = np.atleast_1d(np.ravel_multi_index(tuple(np.mgrid[box].reshape(len(box), -1)), sweep.shape))
        return apart(np.array([measured[cell] for cell in places.tolist() if cell in measured]))

    for round_ in range(1, 10**6):
        new = boxes.wanted.ravel().copy()
        new[list(measured)] = False
        if not new.any():
            break
        if report is not None:
            report(round_, int(new.sum()), int(boxes.wanted.sum()), new.size)
        parts = [GridPart(sweep.core, chosen) for chosen in parts_of(new.reshape(sweep.shape))]
        stopped: Interrupted | None = None
        try:
            trained = _train(parts, arrays, device=device, threads=threads, executor=executor)
        except Interrupted as error:
            stopped, trained = error, error.results if isinstance(error.results, list) else [error.results]
        for part, one in zip(parts, trained, strict=True):
            part.put(arrays_of(one.core), arrays)
            devices |= set(one.device.split(", ")) - {""}
            values = np.asarray(measure(one))
            if values.shape[: len(one.sweep.shape)] != one.sweep.shape:
                raise ValueError(
                    f"by must return an array whose shape begins with the grid's, {one.sweep.shape}, not {values.shape}"
                )
            values = values.reshape(len(part.cells), -1).astype(np.result_type(values, np.int8), copy=False)
            measured.update(zip(part.cells.tolist(), values, strict=True))
        if path is not None:
            results().save(path)
        if stopped is not None:
            raise Interrupted(results(), [path] if path is not None else [])
        if not boxes.cut(differ, None if left is None else left - int(boxes.wanted.sum())):
            break
    refined = results()
    if unhealthy := health.sentence([refined]):
        warnings.warn(unhealthy, health.TrainingWarning, stacklevel=2)
    return refined


def _train(parts: list[GridPart], arrays: dict[str, NDArray[Any]], **options: Any) -> list[Results]:
    sweeps = [Sweep.from_core(_core.parse_config(part.config)) for part in parts]
    begun = [
        Results(_core.results_from(_core.Results(one.core).config, part.take(arrays)))
        for one, part in zip(sweeps, parts, strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", health.TrainingWarning)  # told once, at the end
        return train(sweeps, resume=begun, progress=False, **options)


def _begun(sweep: Sweep, path: str | None) -> _core.Results:
    """What a file has of the sweep, or nothing."""
    if path is None or not os.path.exists(path):
        return _core.Results(sweep.core)
    try:
        return widened(sweep, _core.load(path))
    except ValueError as error:
        raise ValueError(f"{error}; {path} is there already and would be replaced: move it away") from None


# ---------------------------------------------------------------- what is compared


def classes(results: Results) -> NDArray[np.int8]:
    """(S,R,A..,E): what experts do with the last feature: 0 ignored, 1 superposed, 2 monosemantic, -1 no model."""
    norm, interference = results.feature_norms()[..., -1], results.interference()[..., -1]
    found = np.where(norm < 0.5, 0, np.where(interference >= 0.25, 1, 2))
    return np.where(np.isnan(norm), -1, found).astype(np.int8)


def _measure(by: By, tolerance: float | None) -> tuple[Callable[[Results], Any], Callable[[NDArray[Any]], bool]]:
    """What is compared of results, and whether such values differ."""
    if not callable(by) and by not in ("class", "norm", "interference"):
        raise ValueError(f"by must be class, norm, interference or a function of results, not {shown(by)}")
    if tolerance is not None and (not isinstance(tolerance, int | float) or not 0 <= tolerance < float("inf")):
        raise ValueError(f"tolerance must be a number from 0, not {shown(tolerance)}")
    if by == "class" and tolerance is not None:
        raise ValueError("tolerance is of numbers: classes are the same or not; leave it out, or give another by")
    allowed = tolerance if tolerance is not None else _TOLERANCES.get(by, 0.0) if isinstance(by, str) else 0.0

    def apart(values: NDArray[Any]) -> bool:
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        if np.any(missing.any(axis=0) & ~missing.all(axis=0)):  # cells without a model beside others
            return True
        return bool(np.any(np.where(missing, 0, np.ptp(values, axis=0)) > allowed))

    measures: dict[str, Callable[[Results], Any]] = {
        "class": classes,
        "norm": lambda results: results.feature_norms()[..., -1],
        "interference": lambda results: results.interference()[..., -1],
    }
    return (by if callable(by) else measures[by]), apart


def _check(sweep: object, coarse: object, budget: object) -> None:
    if not isinstance(sweep, Sweep):
        raise ValueError(f"refine() takes a Sweep, not {shown(sweep)}")
    if max(sweep.shape) < 3:
        raise ValueError("there is nothing to refine: no axis of the sweep has three values")
    for name, value, low in (("coarse", coarse, 2), ("budget", budget, 1)):
        if name == "budget" and value is None:
            continue
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or not low <= value <= 10**9:
            raise ValueError(f"{name} must be a whole number from {low} to 1000000000, not {shown(value)}")
