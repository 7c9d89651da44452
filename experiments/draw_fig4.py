#!/usr/bin/env python3
"""Draws the paper's Figures 4 (phase diagrams) and 8 (losses) from result files of phasegrid or of its authors.

draw_fig4.py results/fig4_*.npz --out pictures
draw_fig4.py results/fig4_*.npz --beside published/fig4_*.npz --out pictures --score authors
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

try:
    import diagrams
    import pictures
except ImportError as error:
    if (error.name or "").split(".")[0] not in ("numpy", "matplotlib"):
        raise
    print(f"draw_fig4: {error.name} is missing: pip install numpy matplotlib", file=sys.stderr)
    sys.exit(2)


class Parser(argparse.ArgumentParser):
    """Reports a bad command line in one line."""

    def error(self, message: str) -> NoReturn:
        raise diagrams.InputError(f"{message} (see --help)")


def formats(text: str) -> list[str]:
    chosen = list(dict.fromkeys(text.split(",")))
    for kind in chosen:
        if kind not in pictures.FORMATS:
            raise argparse.ArgumentTypeError(f"{kind!r}: allowed are {', '.join(pictures.FORMATS)}, joined by commas")
    return chosen


def resolution(text: str) -> int:
    if not text.isdecimal() or not 30 <= int(text) <= 1200:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed are whole numbers from 30 to 1200")
    return int(text)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="draw_fig4", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE.npz", help="one file for each architecture")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the pictures, made where missing")
    parser.add_argument(
        "--score",
        choices=diagrams.SCORES,
        default="paper",
        help="superposition score: sum over j != n (paper, default) or over all j (authors, as the published picture)",
    )
    parser.add_argument("--beside", nargs="+", metavar="FILE.npz", help="a second set, drawn to the right of the first")
    parser.add_argument("--shared-scale", action="store_true", help="one colour scale for all panels, not one for each")
    parser.add_argument("--format", type=formats, default=["png", "pdf"], help="of png,pdf,svg (default png,pdf)")
    parser.add_argument("--dpi", type=resolution, default=250, help="30 to 1200 (default 250)")
    return parser.parse_args(arguments)


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
        raise diagrams.InputError(
            f"{path}: cannot be written ({error.strerror}); give a folder to write into"
        ) from None
    finally:
        for temporary in staged.values():
            Path(temporary).unlink(missing_ok=True)
    return list(staged)


def draw(options: argparse.Namespace) -> None:
    sets, suffix = [diagrams.load_grids(options.files)], ""
    if options.beside:
        published, suffix = diagrams.load_grids(options.beside), "_side_by_side"
        if not published.keys() & sets[0].keys():
            raise diagrams.InputError(
                "--beside: no architecture in common with the first files; at least one is needed"
            )
        sets.append(published)
    figures = {
        "fig4": pictures.draw_phase_diagrams(sets, options.score, options.shared_scale),
        "fig8": pictures.draw_loss_boxes(sets),
    }
    files = {
        f"{name}{suffix}.{kind}": pictures.render(figure, kind, options.dpi)
        for name, figure in figures.items()
        for kind in options.format
    }
    for path in write_files(options.out, files):
        print(path)


def main(arguments: Sequence[str]) -> int:
    try:
        draw(parse(arguments))
    except diagrams.InputError as error:
        print("draw_fig4: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
