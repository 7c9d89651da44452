"""merge_files(): shards into one results file, a few megabytes of each at a time.

What `phasegrid merge` does in memory, with the same rules and the same bytes. Of a part a block of cells is read at a
time, where it has models of them; the file that is written takes its layout from the first part.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from phasegrid.executor_inputs import joined
from phasegrid.sentences import InputError
from phasegrid.stored import header_of
from phasegrid.text import file_to_write, path_text

_BLOCK_BYTES = 16 * 2**20  # of the merged arrays
_PAGE = 4096  # cells of more bytes are read one by one
_MOST_BYTES = 2**32 - 2**20  # of a file: larger zip files are laid out in another way
_DEVICE = re.compile(r'"device":"((?:[^"\\]|\\.)*)","complete":(?:true|false)')


class _Part:
    """A file, of which cells are read as they are asked for."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115
            self.size = os.fstat(self._file.fileno()).st_size
            if self.size > _MOST_BYTES:
                raise InputError(f"{path}: is larger than 4 GB; train into a .zarr store instead")
            with zipfile.ZipFile(self._file) as archive:
                self.entries = archive.infolist()
            self.places = {
                entry.filename.removesuffix(".npy"): header_of(self._file, entry.header_offset)
                for entry in self.entries
            }
        except (OSError, ValueError, SyntaxError, KeyError, zipfile.BadZipFile, struct.error) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: not a results file of phasegrid") from None
        stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in self.entries)
        if not stored or {"config", "kept", "status"} - self.places.keys():
            raise InputError(f"{path}: not a results file as phasegrid writes it")
        start, dtype, _ = self.places["config"]
        self.config = str(np.frombuffer(self.bytes(start, start + dtype.itemsize), dtype)[0])
        extents = self.places["kept"][2]
        self.cells = int(np.prod(extents))
        self.keys = [key for key, (_, _, shape) in self.places.items() if shape[: len(extents)] == extents]

    def bytes(self, begin: int, end: int) -> bytes:
        data = os.pread(self._file.fileno(), end - begin, begin)
        if len(data) < end - begin:
            raise InputError(f"{self.path}: ends too early")
        return data

    def width(self, key: str) -> int:
        """Numbers of a cell."""
        return int(np.prod(self.places[key][2])) // self.cells

    def cell_bytes(self, key: str) -> int:
        return self.width(key) * self.places[key][1].itemsize

    def rows(self, key: str, begin: int, end: int, of: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """The numbers of cells from begin to end, (cells, numbers); or, `of` them, of some alone."""
        start, dtype, _ = self.places[key]
        each = self.cell_bytes(key)
        if of is not None and each >= _PAGE:
            found = b"".join(
                self.bytes(start + (begin + i) * each, start + (begin + i + 1) * each) for i in of.tolist()
            )
            return np.frombuffer(found, dtype).reshape(len(of), -1)
        block = np.frombuffer(self.bytes(start + begin * each, start + end * each), dtype).reshape(end - begin, -1)
        return block if of is None else block[of]

    def close(self) -> None:
        self._file.close()


def merge_files(parts: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> None:
    """Writes the results file of shards of one sweep, in little memory however large they are.

        phasegrid.merge_files(glob.glob("fig4.shard-*.npz"), "fig4.npz")

    Parts may overlap and come from interrupted trainings; a model that no part has is missing in the file too. Raises
    ValueError where a part is of another sweep or contradicts another, or a file cannot be read or written.
    """
    if isinstance(parts, str | bytes) or not isinstance(parts, Sequence) or not parts:
        raise ValueError("parts must be a sequence of paths, one or more")
    target = file_to_write("out", out, [".npz"])
    opened = [_Part(path_text("parts", path)) for path in parts]
    first = opened[0]
    for part in opened[1:]:
        _check_same(first, part)
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target) or ".", prefix=f".{Path(target).name}.")
    except OSError as error:
        raise ValueError(f"{target}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "r+b") as file:
            _write(opened, file)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except OSError as error:
        raise ValueError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        for part in opened:
            part.close()


def _check_same(first: _Part, part: _Part) -> None:
    mine, theirs = (json.loads(one.config) for one in (first, part))
    for key in {**mine, **theirs}:
        if key not in ("device", "complete", "phasegrid") and mine.get(key) != theirs.get(key):
            raise InputError(f"{part.path}: is of another sweep than {first.path}: {key} differs")
    if first.places.keys() != part.places.keys() or any(
        first.places[key][1:] != part.places[key][1:] for key in first.keys
    ):
        raise InputError(f"{part.path}: has other arrays than {first.path}")


def _write(parts: Sequence[_Part], file: BinaryIO) -> None:
    """The first part's file with the merged arrays in place of its own, and the config behind them."""
    first = parts[0]
    config_at = next(entry.header_offset for entry in first.entries if entry.filename == "config.npy")
    if first.entries[-1].filename != "config.npy":
        raise InputError(f"{first.path}: not a results file as phasegrid writes it")
    at = 0
    for key in first.keys:  # all but their numbers
        begin = first.places[key][0]
        file.seek(at)
        file.write(first.bytes(at, begin))
        at = begin + first.cell_bytes(key) * first.cells
    file.seek(at)
    file.write(first.bytes(at, config_at))
    step = max(1, _BLOCK_BYTES // sum(first.cell_bytes(key) for key in first.keys))
    sums = {}  # check sums, of each array's header and then of its numbers
    for key in first.keys:
        start = first.places[key][0]
        sums[key] = zlib.crc32(first.bytes(start - _npy_length(first, key), start))
    devices: set[str] = set()
    complete = True
    for begin in range(0, first.cells, step):
        merged = _merged(parts, begin, min(begin + step, first.cells), devices)
        complete = complete and not np.any(merged["status"] == -1)
        for key, block in merged.items():
            data = block.tobytes()
            file.seek(first.places[key][0] + begin * len(data) // len(block))
            file.write(data)
            sums[key] = zlib.crc32(data, sums[key])
    described = f'"device":{json.dumps(joined(devices))},"complete":{json.dumps(complete)}'
    _finish(first, file, config_at, sums, _DEVICE.sub(lambda _: described, first.config, count=1))


def _merged(parts: Sequence[_Part], begin: int, end: int, devices: set[str]) -> dict[str, NDArray[Any]]:
    """The numbers of some cells, as Merger (host/results/merge.cpp) puts them together."""
    first = parts[0]
    merged: dict[str, NDArray[Any]] = {}
    for key in first.keys:
        dtype = first.places[key][1]
        merged[key] = np.full((end - begin, first.width(key)), np.nan if dtype.kind == "f" else -1, dtype)
    merged["status"][first.rows("status", begin, end) == -2] = -2
    restarts = first.width("status")
    of_models = [
        key
        for key in first.keys
        if key.startswith(("all_", "first_moment_", "second_moment_")) or key in _SNAPSHOT_LOSSES
    ]
    of_cells = [key for key in first.keys if key not in (*of_models, "status")]
    for part in parts:
        status = part.rows("status", begin, end)
        has = np.flatnonzero((status >= 0).any(axis=1))
        if not has.size:
            continue
        devices.add(json.loads(part.config)["device"])
        trained, known = status[has] >= 0, merged["status"][has] >= 0
        theirs = {key: part.rows(key, begin, end, has) for key in ("status", *of_models, *of_cells)}
        for key in ("status", *of_models):
            ours = merged[key][has].reshape(len(has), restarts, -1)
            new = theirs[key].reshape(len(has), restarts, -1)
            both = trained & known
            if both.any() and not (_bits(ours[both]) == _bits(new[both])).all():
                raise InputError(f"{part.path}: contradicts what was merged before it: a model has another {key}")
            ours[trained] = new[trained]
            merged[key][has] = ours.reshape(len(has), -1)
        kept, best = theirs["kept"][:, 0], merged["kept"][has][:, 0]
        loss, least = theirs["final_losses"][:, 0], merged["final_losses"][has][:, 0]
        with np.errstate(invalid="ignore"):
            better = (kept >= 0) & ((best < 0) | (loss < least) | ((loss == least) & (kept < best)))
        same = (kept >= 0) & (kept == best)
        for key in of_cells:
            if same.any() and not (_bits(theirs[key][same]) == _bits(merged[key][has[same]])).all():
                raise InputError(f"{part.path}: contradicts what was merged before it: a kept model has another {key}")
            merged[key][has[better]] = theirs[key][better]
    return merged


_SNAPSHOT_LOSSES = ("snapshot_losses", "snapshot_reconstruction_losses")


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    """So that a NaN equals itself."""
    return np.ascontiguousarray(values).view(np.uint32)


def _finish(first: _Part, file: BinaryIO, config_at: int, sums: dict[str, int], config: str) -> None:
    """Writes check sums, the config's entry and the zip file's directory, each as the first part has them."""
    for entry in first.entries[:-1]:
        key = entry.filename.removesuffix(".npy")
        if key in sums:
            file.seek(entry.header_offset + 14)
            file.write(struct.pack("<I", sums[key]))
    data = _npy_header_as(first, len(config)) + np.array(config).tobytes()
    header = bytearray(first.bytes(config_at, first.places["config"][0] - _npy_length(first, "config")))
    struct.pack_into("<III", header, 14, zlib.crc32(data), len(data), len(data))
    file.seek(config_at)
    file.write(bytes(header) + data)
    directory_at = file.tell()
    behind = first.bytes(config_at, first.size)
    end = behind.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<I", behind, end + 16)[0] - config_at
    directory = bytearray(behind[start:end])
    at = 0
    for entry in first.entries:
        key = entry.filename.removesuffix(".npy")
        if key in sums:
            struct.pack_into("<I", directory, at + 16, sums[key])
        if key == "config":
            struct.pack_into("<III", directory, at + 16, zlib.crc32(data), len(data), len(data))
        at += 46 + sum(struct.unpack_from("<HHH", directory, at + 28))
    tail = bytearray(behind[end:])
    struct.pack_into("<I", tail, 16, directory_at)
    file.write(bytes(directory) + bytes(tail))
    file.truncate()


def _npy_length(first: _Part, key: str) -> int:
    """Bytes of an array's own header."""
    entry = next(entry for entry in first.entries if entry.filename == f"{key}.npy")
    _, dtype, shape = first.places[key]
    return entry.file_size - dtype.itemsize * int(np.prod(shape))


def _npy_header_as(first: _Part, length: int) -> bytes:
    """The header of a string of another length than the first part's config."""
    start = first.places["config"][0]
    header = first.bytes(start - _npy_length(first, "config"), start)
    text = header[10:].decode("latin1").rstrip(" \n").replace(f"<U{len(first.config)}", f"<U{length}")
    padded = text + " " * (-(len(text) + 11) % 64) + "\n"
    return header[:8] + struct.pack("<H", len(padded)) + padded.encode("latin1")
