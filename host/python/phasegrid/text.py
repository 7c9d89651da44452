"""What the package's messages have in common, and paths that files are written to."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np


def shown(value: object) -> str:
    """A value for a message: one short line."""
    text = repr(value)
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."


def is_sequence(value: object) -> bool:
    """Whether a value is a list of numbers rather than a number or a text."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, str | bytes | Mapping)


def path_text(name: str, path: object) -> str:
    """A path as the C++ side takes it. Raises ValueError for what no file can be called."""
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError(f"{name} must be a path, in UTF-8 and without zero bytes, not {shown(path)}")
    return text


def file_to_write(name: str, path: object, endings: Sequence[str]) -> str:
    """The path of a file of one of these endings, in a folder that is there. Raises ValueError."""
    text = path_text(name, path)
    if not text.endswith(tuple(endings)):
        file = shown(os.path.basename(text))
        raise ValueError(f"{name} must be the path of a file that ends in {' or '.join(endings)}, not {file}")
    check_folder(text)
    return text


def check_folder(path: str) -> None:
    """Raises ValueError where a file's folder is missing. It is not made: a slip in a path would go unnoticed."""
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise ValueError(f"{path}: cannot be written: there is no folder {folder!r}; make it first")


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file whole or not at all. Raises ValueError naming the path where it cannot be written."""
    target, temporary = Path(path), None
    check_folder(os.fspath(path))
    try:
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise ValueError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def need(package: str, what: str) -> None:
    """Raises ImportError, saying what installs it, where a package is missing that only this needs."""
    try:
        importlib.import_module(package)
    except ImportError:
        raise ImportError(f"{what} needs the package {package}: pip install {package}", name=package) from None
