"""Results of a smaller sweep as the beginning of a larger one: more restarts, more values on an axis, another axis.

    small = phasegrid.train(n_features=2, sparsity=[0.1, 0.9], restarts=5)
    large = phasegrid.train(small.sweep.replace(sparsity=[0.1, 0.5, 0.9], restarts=20), resume=small)

A model's bits depend on its own settings alone, so those that both sweeps have are the same, and only the others are
trained. A model of more steps is another model: it is trained from its first step, as results hold no optimiser's
state.
"""

from __future__ import annotations

import functools
import json

import numpy as np
from numpy.typing import NDArray

from phasegrid import _core
from phasegrid.grid_parts import ARRAYS, MODELS, arrays_of
from phasegrid.sentences import InputError
from phasegrid.sweep import SETTINGS, Sweep
from phasegrid.text import shown

# A restart's own, along the second axis; the others are of a cell.
_OF_RESTARTS = (
    *("status", "all_losses", "all_reconstruction_losses", "all_parameters"),
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
