"""Where the results of a training in pieces are kept: in memory, or (zarr_store.py) in a store on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from phasegrid import _core, pieces
from phasegrid.executor_inputs import joined, same_training
from phasegrid.grid_parts import Arrays, GridPart, arrays_of
from phasegrid.pieces import Piece


class Store(Protocol):
    """Results of some sweeps, a part of a grid at a time."""

    bits: int  # which numbers they are

    @property
    def sweeps(self) -> Sequence[_core.Sweep]: ...

    @property
    def models_done(self) -> int: ...

    def pieces(self, count: int | None) -> list[Piece]:
        """What is not trained yet, in about so many pieces."""

    def begun(self, s: int, part: GridPart) -> Arrays | None:
        """What there is of a part of sweep s, where a worker has to know it."""

    def shorter(self, s: int, part: GridPart) -> tuple[int, Arrays] | None:
        """Models of a part of sweep s with fewer steps, from which a worker goes on: how many, and their arrays."""

    def put(self, s: int, part: GridPart, arrays: Arrays, made_by: dict[str, Any]) -> None:
        """Takes in what a worker trained; made_by: the config of its results."""


class InMemory:
    """Results as arrays, which begin with what is known already."""

    def __init__(
        self,
        sweeps: Sequence[_core.Sweep],
        earlier: Sequence[_core.Results],
        shorter: Sequence[_core.Results | None] = (),
    ) -> None:
        self.sweeps = sweeps
        empty = [_core.Results(sweep) for sweep in sweeps]
        begun = [same_training(*pair) for pair in zip(empty, earlier, strict=True)] if earlier else empty
        self._config = [json.loads(one.config) for one in empty]
        self._whole = [{name: np.array(array) for name, array in arrays_of(one).items()} for one in begun]
        self._devices = [{one.device} if one.device and np.any(one.status >= 0) else set() for one in begun]
        self._shorter = shorter
        self.bits: int = self._config[0]["bits"] if self._config else 0

    @property
    def models_done(self) -> int:
        return sum(int(np.count_nonzero(arrays["status"] >= 0)) for arrays in self._whole)

    def pieces(self, count: int | None) -> list[Piece]:
        return pieces.split(self.sweeps, [arrays["status"] for arrays in self._whole], count)

    def begun(self, s: int, part: GridPart) -> Arrays | None:
        return part.take(self._whole[s]) if np.any(self._whole[s]["status"][part.cells] >= 0) else None

    def shorter(self, s: int, part: GridPart) -> tuple[int, Arrays] | None:
        models = self._shorter[s] if self._shorter else None
        if models is None:
            return None
        return int(json.loads(models.config)["train"]["steps"]), part.take(arrays_of(models))

    def put(self, s: int, part: GridPart, arrays: Arrays, made_by: dict[str, Any]) -> None:
        part.put(arrays, self._whole[s])
        if np.any(arrays["status"] >= 0):
            self._devices[s].add(made_by["device"])

    def results(self) -> list[_core.Results]:
        made = []
        for config, devices, arrays in zip(self._config, self._devices, self._whole, strict=True):
            made.append(_core.results_from(json.dumps(config | {"device": joined(devices)}), arrays))
        return made
