"""open(): results files of any size, of which only what is asked for is read."""

from __future__ import annotations

import ast
import json
import math
import os
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasegrid import _core
from phasegrid.cells import Place, Value, check_axis, places, places_of_values
from phasegrid.grid_parts import GridPart, bytes_of_cell
from phasegrid.results import Results, load
from phasegrid.sentences import InputError
from phasegrid.sweep import Sweep
from phasegrid.text import need, path_text
from phasegrid.zarr_store import _blocks, _layout, region_of

_BLOCK_BYTES = 16 * 2**20


class Stored:
    """Results in a file that is not read: its arrays by their keys, and any part of the grid as `Results`.

    stored = phasegrid.open("large.zarr")
    stored["final_losses"][0]                       # NumPy reads these from the disk
    stored.sel(sparsity=0.9).feature_norms()
    for part in stored.blocks(): ..                 # Results, a few megabytes each
    """

    def __init__(self, path: str, arrays: Mapping[str, Any], config: str) -> None:
        self.path = path
        self.config: dict[str, Any] = json.loads(config)
        self.sweep = Sweep.from_core(_core.parse_config(config))
        self._arrays = arrays

    def keys(self) -> list[str]:
        """The keys of the arrays, as in a results file."""
        return list(self._arrays)

    def __getitem__(self, key: str) -> Any:
        """An array, which is read where it is indexed."""
        if key not in self._arrays:
            raise InputError(f"{self.path}: has no array {key!r}; it has {', '.join(self._arrays)}")
        return self._arrays[key]

    @property
    def axes(self) -> dict[str, NDArray[np.float64]]:
        """As those of results."""
        return self.sweep.axes

    @property
    def models_done(self) -> int:
        """Models that were trained; `sweep.models` is all of them."""
        return sum(int(np.count_nonzero(self._arrays["status"][i] >= 0)) for i in range(self.sweep.shape[0]))

    @property
    def complete(self) -> bool:
        """Whether every model was trained."""
        return self.models_done == self.sweep.models

    def sel(self, **values: Value) -> Results:
        """The results of a part of the grid, chosen by the axes' values, as `Results.sel`."""
        return self._part(values, lambda name, there, value: places_of_values(name, there, value))

    def isel(self, **indices: Place) -> Results:
        """The results of a part of the grid, chosen by index, as `Results.isel`."""
        return self._part(indices, lambda name, there, index: places(name, len(there), index))

    def blocks(self) -> Iterator[Results]:
        """Results of every part of the grid, a few megabytes each: as they lie on the disk."""
        chunks = getattr(self._arrays["status"], "chunks", None)
        if chunks is None:
            rows = max(1, _BLOCK_BYTES // max(1, bytes_of_cell(self.sweep.core) * math.prod(self.sweep.shape[1:])))
            chunks = (rows, *self.sweep.shape[1:])
        for part in _blocks(self.sweep.core, chunks):
            yield self._results(part)

    def load(self) -> Results:
        """All of it, in memory."""
        return self.isel()

    def _part(self, wanted: Mapping[str, Any], find: Any) -> Results:
        chosen = [np.arange(extent) for extent in self.sweep.shape]
        for name, value in wanted.items():
            check_axis(self.axes, name)
            chosen[list(self.axes).index(name)] = find(name, self.axes[name], value)
        return self._results(GridPart(self.sweep.core, chosen))

    def _results(self, part: GridPart) -> Results:
        """A part as results: by way of a small results file, which is checked as any other is."""
        config = part.config_in(json.dumps(self.config))
        sweep = _core.parse_config(config)
        layout = _layout(sweep)
        taken = region_of(self._arrays, config, part.chosen, list(layout))
        for key, (inner, *_) in layout.items():  # models of a part may be smaller than the largest of all
            within: Any = (..., *(slice(extent) for extent in inner))
            taken[key] = taken[key][within]
        for name, values in sweep.dimensions:
            taken["importance_values" if name == "last_importance" else f"{name}_values"] = values
        if sweep.snapshots:
            taken["snapshot_steps"] = np.array(sweep.snapshots, np.int32)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "part.npz"
            np.savez(path, config=np.array(config), **taken)  # type: ignore[arg-type]
            return load(path)

    def __repr__(self) -> str:
        return f"<Stored {self.sweep!r} in {self.path}>"


def open(path: str | os.PathLike[str]) -> Stored:
    """Results of a file (.npz) or store (.zarr) that may be larger than memory: nothing is read but what is asked for.

        phasegrid.open("large.zarr").sel(sparsity=0.9).draw("part.png")

    Raises ValueError naming the path where it is no results of phasegrid.
    """
    text = path_text("path", path)
    if os.path.isdir(text) or text.endswith(".zarr"):
        need("zarr", "a .zarr store")
        import zarr

        try:
            group = zarr.open_group(text, mode="r")
            return Stored(text, dict(group.arrays()), str(group.attrs["config"]))
        except Exception:  # zarr raises many kinds
            raise InputError(f"{text}: not a .zarr store of phasegrid") from None
    arrays = mapped(text)
    config = arrays.pop("config", None)
    if config is None:
        raise InputError(f"{text}: not a results file of phasegrid: it has no config")
    return Stored(text, arrays, str(config[()]))


def mapped(path: str) -> dict[str, Any]:
    """The arrays of an .npz that is stored as phasegrid stores it, each mapped into memory: read where it is used."""
    arrays: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive, Path(path).open("rb") as file:
            for entry in archive.infolist():
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise InputError(f"{path}: is compressed, so it cannot be read in parts; load() reads it")
                start, dtype, shape = header_of(file, entry.header_offset)
                size = dtype.itemsize * math.prod(shape)
                key = entry.filename.removesuffix(".npy")
                data = np.memmap(path, np.uint8, "r", start, (size,)) if size else np.empty(0, np.uint8)
                arrays[key] = data.view(dtype).reshape(shape)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a results file") from None
    except (zipfile.BadZipFile, ValueError, SyntaxError, KeyError, struct.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a results file of phasegrid") from None
    return arrays


def header_of(file: Any, offset: int) -> tuple[int, np.dtype[Any], tuple[int, ...]]:
    """Where an array's numbers begin in the file, their type and the array's shape."""
    file.seek(offset + 26)
    name, extra = struct.unpack("<HH", file.read(4))
    start = offset + 30 + name + extra
    file.seek(start)
    magic = file.read(8)
    wide = magic[6] >= 2
    length = int.from_bytes(file.read(4 if wide else 2), "little")
    described = ast.literal_eval(file.read(min(length, 4096)).decode("latin1"))
    dtype = np.dtype(described["descr"])
    if dtype.hasobject or described["fortran_order"]:
        raise ValueError("no plain array")
    return start + 8 + (4 if wide else 2) + length, dtype, tuple(described["shape"])
