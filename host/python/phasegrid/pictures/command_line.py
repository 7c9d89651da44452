"""What the drawing programs share: options, files written whole or not at all, errors in one line."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from phasegrid.command_line import Parser
from phasegrid.pictures.diagrams import FORMATS
from phasegrid.pictures.errors import InputError
from phasegrid.pictures.sizes import inches
from phasegrid.sentences import sentence


def formats(text: str) -> list[str]:
    chosen = list(dict.fromkeys(text.split(",")))
    for kind in chosen:
        if kind not in FORMATS:
            raise argparse.ArgumentTypeError(f"{kind!r}: allowed are {', '.join(FORMATS)}, joined by commas")
    return chosen


def resolution(text: str) -> int:
    if not text.isdecimal() or not 30 <= int(text) <= 1200:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed are whole numbers from 30 to 1200")
    return int(text)


def page_width(text: str) -> float | None:
    try:
        return inches(text if text in ("column", "text") else float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed are column, text and a number of inches above 0") from None


def add_output_options(parser: Parser, dpi: int) -> None:
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the pictures, made where missing")
    parser.add_argument("--format", type=formats, default=["png", "pdf"], help="of png,pdf,svg (default png,pdf)")
    parser.add_argument(
        "--width", type=page_width, metavar="WIDTH", help="column (3.25 inches), text (6.75) or inches; default its own"
    )
    parser.add_argument("--dpi", type=resolution, default=dpi, help=f"30 to 1200 (default {dpi})")


def write_files(folder: str | os.PathLike[str], files: Mapping[str, bytes]) -> list[Path]:
    """Writes name -> bytes into the folder (made where missing), each whole or not at all. Raises InputError."""
    path = folder = Path(folder)
    staged: dict[Path, str] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            path = folder / name
            handle, staged[path] = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(staged[path], 0o644)
        for path, temporary in staged.items():
            os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); give a folder to write into") from None
    finally:
        for temporary in staged.values():
            Path(temporary).unlink(missing_ok=True)
    return list(staged)


def exit_status(program: str, work: Callable[[], None]) -> int:
    """0, or 2 after one line about what a person can mend."""
    try:
        work()
    except InputError as error:
        print(f"{program}: {sentence(str(error))}", file=sys.stderr)
        return 2
    return 0
