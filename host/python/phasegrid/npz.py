"""Reading .npz with care: a file that somebody sent may be broken or made to harm, and gets one sentence for it.

What a file says about its sizes is checked before anything is unpacked, and no more is unpacked than it says. Nothing
is ever unpickled.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from phasegrid.sentences import InputError, sentence

# Bytes that a file may unpack to: those, or 16 times its own size. Real results hardly shrink.
_LEAST_LIMIT = 256 * 2**20
_TIMES_SIZE = 16
_MOST_HEADER = 2048  # characters; NumPy's own headers of simple arrays have some hundred
_TYPE = re.compile(rb"'descr':\s*'([^']*)'")
_ORDER = re.compile(rb"'fortran_order':\s*(True|False)")
_SHAPE = re.compile(rb"'shape':\s*\(([0-9, ]*)\)")
_SIMPLE = re.compile(rb"[<>|=]?([fiu][1248]|b1|U[0-9]{1,7})")


@contextlib.contextmanager
def open_npz(path: str | os.PathLike[str]) -> Iterator[NpzFile]:
    """The arrays of a file, each read when it is asked for.

        with open_npz("fig4.npz") as file:
            losses = file["final_losses"]

    Raises ValueError, naming the file and what is wrong with it.
    """
    place = sentence(os.fspath(path), 160)
    try:
        with open(path, "rb", opener=_open_without_waiting) as stream:
            size = os.fstat(stream.fileno()).st_size
            try:
                archive = zipfile.ZipFile(stream)
            except Exception:  # a broken directory makes zipfile raise many kinds
                raise InputError(
                    f"{place}: not a readable .npz of numbers; give one that phasegrid or the authors wrote"
                ) from None
            with archive:
                yield NpzFile(archive, place, max(_LEAST_LIMIT, _TIMES_SIZE * size))
    except FileNotFoundError:
        raise InputError(f"{place}: no such file; give an .npz that phasegrid or the authors wrote") from None
    except OSError as error:
        raise InputError(f"{place}: {error.strerror or error}; give a readable .npz") from None


def _open_without_waiting(path: str, flags: int) -> int:
    """Opens a file; a pipe or device, on which reading might never end, is refused."""
    handle = os.open(path, flags | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(0, "it is not a file")


class NpzFile:
    """The arrays of an open file: numbers, booleans or strings. `is_other(key)`: an array of something else."""

    def __init__(self, archive: zipfile.ZipFile, place: str, limit: int) -> None:
        self._archive = archive
        self._place = place
        self._limit = limit
        self._left = limit
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry in archive.infolist():
            key = entry.filename.removesuffix(".npy")
            if key in self._entries:
                self._refuse(key, "stands in it twice")
            self._entries[key] = entry

    @property
    def files(self) -> list[str]:
        """The keys."""
        return list(self._entries)

    def is_other(self, key: str) -> bool:
        """Whether an array holds pickled objects, records or what else is not read."""
        with self._unpacking(key) as stream:
            kind = _TYPE.search(self._header(key, stream))
            return kind is None or _SIMPLE.fullmatch(kind[1]) is None

    def __getitem__(self, key: str) -> NDArray[Any]:
        with self._unpacking(key) as stream:
            header = self._header(key, stream)
            kind, order, extents = _TYPE.search(header), _ORDER.search(header), _SHAPE.search(header)
            if kind is None or order is None or extents is None or _SIMPLE.fullmatch(kind[1]) is None:
                self._refuse(key, "is no array of numbers or text")
            dtype = np.dtype(kind[1].decode())
            shape = tuple(int(extent) for extent in extents[1].replace(b" ", b"").split(b",") if extent)
            size = dtype.itemsize * math.prod(shape)
            if stream.tell() + size != self._entries[key].file_size:
                self._refuse(key, "is not as long as its shape says")
            if size > self._left:
                self._refuse(key, f"makes the file unpack to more than {self._limit // 2**20} MiB")
            self._left -= size
            data = bytearray(size)
            at = 0
            while got := stream.readinto(memoryview(data)[at:]):
                at += got
            if at != size or stream.read(1):  # (the end is where zipfile compares the check sum)
                self._refuse(key, "is not as long as its shape says")
            flat = np.frombuffer(data, dtype)
            return flat.reshape(shape[::-1]).T if order[1] == b"True" else flat.reshape(shape)

    @contextlib.contextmanager
    def _unpacking(self, key: str) -> Iterator[Any]:
        """The stream of an entry. What goes wrong in it is an error of the file's, whatever its kind."""
        entry = self._entries[key]
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
            self._refuse(key, "is encrypted or compressed in a way that NumPy does not write")
        try:
            with self._archive.open(entry) as stream:
                yield stream
        except _RefusedError:
            raise
        except MemoryError:
            self._refuse(key, "does not fit into memory")
        except Exception:
            self._refuse(key, "cannot be read: the file is damaged")

    def _header(self, key: str, stream: Any) -> bytes:
        start = stream.read(10)
        wide = start[6:7] >= b"\x02"
        length = int.from_bytes(start[8:10] + (stream.read(2) if wide else b""), "little")
        if not start.startswith(b"\x93NUMPY") or len(start) < 10 or length > _MOST_HEADER:
            self._refuse(key, "is not a NumPy array with a header as NumPy writes it")
        header: bytes = stream.read(length)
        return header

    def _refuse(self, key: str, why: str) -> NoReturn:
        raise _RefusedError(f"{self._place}: '{sentence(key, 60)}' {why}")


class _RefusedError(InputError):
    """What `NpzFile` itself says."""
