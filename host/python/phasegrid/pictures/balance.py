"""The load balance of dense models: a constant that the authors' losses hold and ours do not.

A mixture's training loss holds alpha E sum_e f_e mean(P_e), about alpha k. For one expert the term is alpha itself,
whatever the model does: our trainings leave it out, the authors' have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from phasegrid.arrays import Arrays

if TYPE_CHECKING:
    from phasegrid.pictures.grids import Grid, Shape


def load_balance(arrays: Arrays) -> float | None:
    """alpha of the settings; None where the file says none, and its dense losses hold the constant."""
    if "reconstruction_losses" not in arrays or "config" not in arrays:
        return None
    try:
        alpha = json.loads(str(arrays["config"]))["train"]["load_balance"]
    except (ValueError, KeyError, TypeError):
        return None
    return float(alpha) if isinstance(alpha, int | float) else None


def like_for_like(sets: Sequence[Mapping[Shape, Grid]]) -> list[dict[Shape, Grid]]:
    """The sets, with the constant added to dense losses without it where another set's hold it, as the authors count."""
    theirs = {shape for grids in sets for shape, grid in grids.items() if grid.load_balance is None}
    return [
        {
            shape: replace(grid, losses=grid.losses + grid.load_balance)
            if shape.experts == 1 and grid.load_balance is not None and shape in theirs
            else grid
            for shape, grid in grids.items()
        }
        for grids in sets
    ]
