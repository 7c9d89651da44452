"""Results of a smaller sweep as the beginning of a larger one: more restarts, more values on an axis, another axis.

    small = phasegrid.train(n_features=2, sparsity=[0.1, 0.9], restarts=5)
    large = phasegrid.train(small.sweep.replace(sparsity=[0.1, 0.5, 0.9], restarts=20), resume=small)

A model's bits depend on its own settings alone, so those that both sweeps have are the same, and only the others are
trained. More steps follow where results hold the optimiser's moments, too:

    short = phasegrid.train(n_features=2, sparsity=[0.1, 0.9], steps=5000, keep="training-state")
    long = phasegrid.train(short.sweep.replace(steps=20_000), resume=short)
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from phasegrid import _core
from phasegrid.grid_parts import ARRAYS, MODELS, RESTART_MODELS, arrays_of
from phasegrid.sentences import InputError
from phasegrid.sweep import SETTINGS, Sweep
from phasegrid.text import shown

# A restart's own, along the second axis; the others are of a cell.
_OF_RESTARTS = (
    *("status", "all_losses", "all_reconstruction_losses", *RESTART_MODELS.values()),
    *("snapshot_losses", "snapshot_reconstruction_losses"),
)


def widened(sweep: Sweep, smaller: _core.Results) -> _core.Results:
    """Results of the sweep with the models that `smaller` has of it.

    Raises InputError where a model of the one sweep cannot be one of the other, naming the setting.
    """
    theirs = Sweep.from_core(smaller.sweep)
    if sweep.replace(name="a") == theirs.replace(name="a"):
        return smaller
    _check_settings(sweep, theirs)
    empty = _core.Results(sweep.core)
    ours, models = {name: np.array(array) for name, array in arrays_of(empty).items()}, arrays_of(smaller)
    to, of = _cells_of_both(sweep, theirs)
    restarts, some = theirs.restarts, to.size > 0
    for name in ARRAYS if some else ():
        room = min(models[name].shape[-1], ours[name].shape[-1])
        within = (..., slice(room)) if name in MODELS else (...,)
        if name not in _OF_RESTARTS:
            ours[name][(to, *within)] = models[name][(of, *within)]
        elif ours[name].shape[1]:  # parameters of every restart, where they are kept
            ours[name][(to, slice(restarts), *within)] = models[name][(of, slice(restarts), *within)]
    described, made_by = json.loads(empty.config), json.loads(smaller.config)
    described |= {key: made_by[key] for key in ("phasegrid", "bits")}
    described["device"] = smaller.device if some else ""
    return _core.results_from(json.dumps(described), ours)


def shorter(sweep: Sweep, smaller: _core.Results) -> _core.Results | None:
    """Results from which the training of the sweep can go on with more steps: the models that `smaller` has of it.

    None where both have as many steps. Raises InputError where a training cannot go on, naming the setting.
    """
    theirs = Sweep.from_core(smaller.sweep)
    steps = theirs.settings.get("steps")
    if steps is None or "steps" in sweep.axes or steps == sweep.settings["steps"]:
        return None
    mine = sweep.settings
    named = f"resume: has steps = {shown(steps)}, and the sweep {shown(mine['steps'])}"
    if steps > mine["steps"]:
        raise InputError(f"{named}: a training that is done cannot become a shorter one")
    if mine["keep"] != "training-state" or theirs.settings["keep"] != "training-state":
        raise InputError(f'{named}: a training goes on where both have keep = "training-state"')
    for keyword, needed in _ON_THE_WAY.items():
        if mine[keyword] != needed:
            raise InputError(
                f"{named}: a training goes on where {keyword} = {shown(needed)}, not {shown(mine[keyword])}"
            )
    return widened(sweep.replace(steps=steps), smaller)


# What a model at its last step does not know: how far the schedule is, what fell below, what was looked at on the way.
_ON_THE_WAY = {"schedule": "constant", "drop_below": 0, "stop_below": 0, "snapshots": []}


def _check_settings(sweep: Sweep, smaller: Sweep) -> None:
    if smaller.restarts > sweep.restarts:
        raise InputError(
            f"resume: has {smaller.restarts} restarts, and the sweep {sweep.restarts}; which of them were kept is "
            "known of all alone, so the sweep must have at least as many"
        )
    mine, theirs = sweep.settings, smaller.settings
    for keyword in {**mine, **theirs}:
        a, b = mine.get(keyword), theirs.get(keyword)
        of = SETTINGS.get(keyword)
        if keyword in ("name", "restarts") or a == b:
            continue
        is_axis = of is not None and of.axis and (keyword in sweep.axes or keyword in smaller.axes)
        # Which kernel trains a tiny shape depends on every value of loss_power.
        if not is_axis or keyword == "loss_power" or a is None or b is None:
            raise InputError(f"resume: has {keyword} = {shown(b)}, and the sweep {shown(a)}: no model is of both")


def _cells_of_both(sweep: Sweep, smaller: Sweep) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places of the cells that both have: in the sweep, and in the smaller one."""
    mine, theirs = sweep.axes, smaller.axes
    strides = dict(zip(theirs, np.cumprod([1, *smaller.shape[:0:-1]])[::-1], strict=True))
    ours_at, theirs_at, nothing = [], [], np.empty(0, np.intp)
    for name, values in mine.items():
        there = theirs.get(name)
        if there is None:  # one value for all of them
            there = np.array([smaller.settings[name]], np.float64)
        pairs = [
            (i, int(same[0]))
            for i, value in enumerate(values)
            if (same := np.flatnonzero((there == value) | (np.isnan(there) & np.isnan(value)))).size
        ]
        if not pairs:
            return nothing, nothing
        ours_at.append(np.array([i for i, _ in pairs]))
        theirs_at.append(np.array([j for _, j in pairs]) * strides.get(name, 0))
    behind = 0
    for name, there in theirs.items():
        if name not in mine:  # of whose values the sweep has one
            same = np.flatnonzero(there == float(sweep.settings[name]))
            if not same.size:
                return nothing, nothing
            behind += int(same[0]) * int(strides[name])
    cells = np.ravel_multi_index(np.ix_(*ours_at), sweep.shape).ravel()
    places = functools.reduce(np.add, np.ix_(*theirs_at))
    return cells, behind + places.ravel()


def beginnings(
    sweeps: Sequence[Sweep], given: Sequence[_core.Results], found: Sequence[_core.Results], paths: Sequence[str]
) -> tuple[list[_core.Results], list[_core.Results | None]]:
    """What there is of each sweep: its models, and models of fewer steps, which go on; both empty where nothing is.

    given: `resume` of train(). found: models of these sweeps that `out` has. paths: files of `out`, whose sweeps may be
    smaller; a whole new one replaces them.
    """
    resumed: list[_core.Results] = []
    begun: list[_core.Results | None] = []
    for s, sweep in enumerate(sweeps if given or found else []):
        models = [found[s]] if found else []
        short = shorter(sweep, given[s]) if given else None
        if given and short is None:
            models.append(widened(sweep, given[s]))
        if paths and os.path.isfile(paths[s]) and not np.any(found[s].status >= 0):
            with contextlib.suppress(ValueError):  # no results of ours, or of another sweep
                there = _core.load(paths[s])
                of_fewer_steps = shorter(sweep, there)
                if of_fewer_steps is None:
                    models.append(widened(sweep, there))
                short = short or of_fewer_steps
        models = models or [_core.Results(sweep.core)]
        resumed.append(_core.merge(models) if len(models) > 1 else models[0])
        begun.append(short)
    return resumed, begun
