"""Results that need not fit in memory: NAME.zarr, a folder in the format of the package zarr, a block of cells a chunk.

    phasegrid.train(sweep, out="large.zarr")        # in blocks, each written when it is trained
    stored = phasegrid.open("large.zarr")           # reads what is asked for

It has the arrays of a results file under the same keys, and `config` among the group's attributes. A block's `status`
is written behind its other arrays, so it says what is there: after a kill the same call trains the blocks that are not.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasegrid import _core
from phasegrid.executor_inputs import joined
from phasegrid.grid_parts import Arrays, GridPart, bytes_of_cell, kept_of_restarts
from phasegrid.pieces import Piece
from phasegrid.results import Results
from phasegrid.sentences import InputError
from phasegrid.text import check_folder, need

# A block's results, and its work, about, on one core: what a kill may lose.
_BLOCK_BYTES, _BLOCK_WORK = 4 * 2**20, 60e10
_MOST_BLOCKS = 50_000  # a block is some twelve files, and folders of many are slow


class ZarrStore:
    """The results of one sweep, being trained."""

    def __init__(self, sweep: _core.Sweep, path: str, fresh: bool = False) -> None:
        need("zarr", "a .zarr store")
        import zarr

        self.sweeps = [sweep]
        self.path = path
        self.bits: int = _config_of_results(sweep)["bits"]
        extents = [len(values) for _, values in sweep.dimensions]
        check_folder(path)
        if not os.path.exists(path) or fresh:
            if os.path.exists(path):
                _ours(path)  # nothing else is replaced
            self._group = zarr.open_group(path, mode="w")
            self._make(extents)
        else:
            self._group = _ours(path)
            theirs = json.loads(str(self._group.attrs["config"]))
            mine = json.loads(sweep.config)
            for key in [key for key in mine if key not in ("name", "phasegrid") and mine[key] != theirs.get(key)]:
                raise InputError(
                    f"{path}: holds another sweep, whose {key} differs; move it away, or give fresh=True to replace it"
                )
            if theirs["bits"] != self.bits:
                raise InputError(f"{path}: is of another version of phasegrid, whose numbers are others; move it away")
        self._parts = list(_blocks(sweep, self._group["status"].chunks))
        self._done = np.array([self._is_done(part) for part in self._parts])
        self.models_done = 0
        for part in itertools.compress(self._parts, self._done):
            self.models_done += int(np.count_nonzero(self._group["status"][_region(part)] >= 0))

    def _make(self, extents: Sequence[int]) -> None:
        sweep = self.sweeps[0]
        block = _block(sweep, extents)
        config = _config_of_results(sweep)
        for name, values in sweep.dimensions:
            key = "importance_values" if name == "last_importance" else f"{name}_values"
            self._group.create_array(key, data=np.array(values))
        if sweep.snapshots:
            self._group.create_array("snapshot_steps", data=np.array(sweep.snapshots, np.int32))
        for key, (inner, dtype, fill) in _layout(sweep).items():
            self._group.create_array(
                key, shape=(*extents, *inner), chunks=(*block, *map(_at_least_one, inner)), dtype=dtype, fill_value=fill
            )
        self._group.attrs["config"] = json.dumps(config)  # the last: a group without it is no store

    def _is_done(self, part: GridPart) -> bool:
        return not np.any(self._group["status"][_region(part)] == -1)

    # ---------------------------------------------------------------- as a Store (stores.py)
    def pieces(self, count: int | None) -> list[Piece]:
        """A block is a piece, whatever `count`."""
        work, each = self.sweeps[0].work(), bytes_of_cell(self.sweeps[0])
        waiting = itertools.compress(self._parts, ~self._done)
        made = [Piece([(0, part)], float(work[part.cells].sum()), each * len(part.cells)) for part in waiting]
        return [piece for piece in made if piece.work > 0]

    def begun(self, s: int, part: GridPart) -> Arrays | None:
        return None

    def shorter(self, s: int, part: GridPart) -> tuple[int, Arrays] | None:
        return None

    def put(self, s: int, part: GridPart, arrays: Arrays, made_by: dict[str, Any]) -> None:
        if np.any(arrays["status"] == -1):
            return  # of a worker that was stopped
        config = json.loads(str(self._group.attrs["config"]))
        described = json.dumps(json.loads(part.config_in(json.dumps(config))) | {"device": made_by["device"]})
        of_block = Results(_core.results_from(described, arrays)).arrays()
        region = _region(part)
        keys = sorted(_layout(self.sweeps[0]), key=lambda key: key == "status")
        for key in keys:
            inner = of_block[key].shape[len(region) :]
            self._group[key][(*region, *(slice(extent) for extent in inner))] = of_block[key]
        self.models_done += int(np.count_nonzero(arrays["status"] >= 0))
        devices = {*config["device"].split(", "), made_by["device"]} - {""}
        if joined(devices) != config["device"]:
            self._group.attrs["config"] = json.dumps(config | {"device": joined(devices)})

    def finish(self) -> None:
        config = json.loads(str(self._group.attrs["config"]))
        self._group.attrs["config"] = json.dumps(config | {"complete": self.models_done == self.sweeps[0].models})


def _config_of_results(sweep: _core.Sweep) -> dict[str, Any]:
    """The config of results without a model; made of one cell, for all may be too many."""
    cell = GridPart(sweep, [np.arange(1) for _ in sweep.dimensions])
    of_cell: dict[str, Any] = json.loads(_core.Results(_core.parse_config(cell.config)).config)
    return of_cell | {key: value for key, value in json.loads(sweep.config).items() if key != "phasegrid"}


def _ours(path: str) -> Any:
    """The group of a store of ours, for writing."""
    import zarr

    try:
        group = zarr.open_group(path, mode="r+")
    except Exception:  # zarr raises many kinds
        group = None
    if group is None or "config" not in group.attrs:
        raise InputError(f"{path}: is there, and no .zarr store of phasegrid; move it away")
    return group


def _layout(sweep: _core.Sweep) -> dict[str, tuple[tuple[int, ...], str, float]]:
    """Key -> (extents behind the grid's, type, what stands where nothing is trained) of every array over the grid."""
    parts = {name: extents for name, (_, extents) in sweep.parts.items()}
    restarts, shots, nan = sweep.restarts, len(sweep.snapshots), float("nan")
    layout: dict[str, tuple[tuple[int, ...], str, float]] = {}
    for key in ("final_losses", "reconstruction_losses"):
        layout[key] = ((), "float32", nan)
        layout["all_losses" if key == "final_losses" else f"all_{key}"] = ((restarts,), "float32", nan)
    layout["kept"] = ((), "int32", -1)
    for name, extents in parts.items():
        layout[name] = (extents, "float32", nan)
        for kept in kept_of_restarts(sweep.config):
            layout[f"{kept}_{name}"] = ((restarts, *extents), "float32", nan)
        if shots:
            layout[f"snapshot_{name}"] = ((shots, *extents), "float32", nan)
    if shots:
        layout["snapshot_losses"] = layout["snapshot_reconstruction_losses"] = ((restarts, shots), "float32", nan)
    layout["status"] = ((restarts,), "int32", -1)
    return layout


def _block(sweep: _core.Sweep, extents: Sequence[int]) -> list[int]:
    """The extents of a block: the longest axis cut first, and that of loss_power never."""
    names = [name for name, _ in sweep.dimensions]
    block, cells = list(extents), int(np.prod(extents))
    most = min(_BLOCK_BYTES / bytes_of_cell(sweep), _BLOCK_WORK / max(1.0, float(sweep.work().mean())))
    while int(np.prod(block)) > max(most, cells / _MOST_BLOCKS):
        free = [0 if name == "loss_power" else extent for name, extent in zip(names, block, strict=True)]
        longest = int(np.argmax(free))
        if free[longest] <= 1:
            break
        block[longest] = -(-block[longest] // 2)
    return block


def _blocks(sweep: _core.Sweep, chunks: Sequence[int]) -> Iterator[GridPart]:
    sides = []
    for (_, values), step in zip(sweep.dimensions, chunks, strict=False):
        sides.append([np.arange(i, min(i + step, len(values))) for i in range(0, len(values), step)])
    for chosen in itertools.product(*sides):
        yield GridPart(sweep, chosen)


def _region(part: GridPart) -> tuple[slice, ...]:
    return tuple(slice(int(at[0]), int(at[-1]) + 1) for at in part.chosen)


def _at_least_one(extent: int) -> int:
    return max(1, extent)


def region_of(arrays: Any, config: str, chosen: Sequence[NDArray[np.intp]], keys: Sequence[str]) -> Arrays:
    """Some cells of arrays over the grid, read as the smallest block that has them."""
    taken: Arrays = {}
    for key in keys:
        box = tuple(slice(int(at.min()), int(at.max()) + 1) for at in chosen)
        block = np.asarray(arrays[key][box])
        within = np.ix_(*(at - at.min() for at in chosen))
        taken[key] = block[within]
    return taken
