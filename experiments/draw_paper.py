#!/usr/bin/env python3
"""Draws the figures of the paper from the reports that `phasegrid reproduce` writes.

draw_paper.py out/all/fig3.json out/all/fig5.json --out pictures
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from draw_fig4 import Parser, diagrams, formats, pictures, resolution, write_files

import paper_pictures


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="draw_paper", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", metavar="FIGURE.json", help="reports of phasegrid reproduce")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the pictures, made where missing")
    parser.add_argument("--format", type=formats, default=["png", "pdf"], help="of png,pdf,svg (default png,pdf)")
    parser.add_argument("--dpi", type=resolution, default=200, help="30 to 1200 (default 200)")
    return parser.parse_args(arguments)


def load(path: str) -> dict[str, Any]:
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise diagrams.InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise diagrams.InputError(f"{path}: is not JSON ({error})") from None
    if not isinstance(report, dict):
        raise diagrams.InputError(f"{path}: is not a report of phasegrid reproduce")
    return report


def draw(options: argparse.Namespace) -> None:
    files = {}
    for path in options.reports:
        report = load(path)
        try:
            figure = paper_pictures.draw(report)
        except diagrams.InputError as error:
            raise diagrams.InputError(f"{path}: {error}") from None
        for kind in options.format:
            files[f"{report['figure']}.{kind}"] = pictures.render(figure, kind, options.dpi)
    for path in write_files(options.out, files):
        print(path)


def main(arguments: Sequence[str]) -> int:
    try:
        draw(parse(arguments))
    except diagrams.InputError as error:
        print("draw_paper: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
