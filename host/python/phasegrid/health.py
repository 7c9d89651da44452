"""What went wrong in a training that a diagram does not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from phasegrid import _core

if TYPE_CHECKING:
    from phasegrid.results import Results


class TrainingWarning(UserWarning):
    """Models of a training that should not be believed: restarts that diverged, cells without a model, dead models."""


# In the order of _core.training_health: the name, in a few words, and in a sentence.
_FINDINGS = (
    ("diverged", "restarts diverged", "restarts that diverged (their loss stopped being finite)"),
    ("empty", "cells without a model", "cells without a model (every restart diverged)"),
    ("dead", "dead models", "dead models (no feature has a norm above 0.1)"),
)


def counts(results: Results) -> dict[str, int]:
    """Name of each finding -> how many there are."""
    found = _core.training_health(results.core)
    return {name: count for (name, *_), (count, _) in zip(_FINDINGS, found, strict=True)}


def brief(found: Mapping[str, int]) -> str:
    """Of counts, what is not 0, in a few words."""
    return ", ".join(f"{found[name]} {words}" for name, words, _ in _FINDINGS if found[name])


def sentence(trained: Sequence[Results]) -> str:
    """How many models of a training should not be believed, and where the first of each kind is; "" where none is."""
    every = [_core.training_health(results.core) for results in trained]
    parts = []
    for kind, (_, _, what) in enumerate(_FINDINGS):
        if total := sum(health[kind][0] for health in every):
            results, cell = next((r, h[kind][1]) for r, h in zip(trained, every, strict=True) if h[kind][0])
            name = f"sweep {results.sweep.name!r}, " if len(trained) > 1 else ""
            parts.append(f"{total} {what}, the first at {name}{_place(results, cell)}")
    return "; ".join(parts)


def _place(results: Results, cell: int) -> str:
    index = np.unravel_index(cell, results.sweep.shape)
    axes = zip(results.axes.items(), index, strict=True)
    return ", ".join(f"{name} {values[i]:.6g}" for (name, values), i in axes if not np.isnan(values[i]))
