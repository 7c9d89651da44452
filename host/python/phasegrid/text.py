"""What the package's messages have in common, and paths that files are written to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

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
