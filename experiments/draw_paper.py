#!/usr/bin/env python3
"""Draws the paper's Figures 1, 2, 3, 5, 6, 7, Table 1 and the boundaries of Figure 4 from the reports of
phasegrid reproduce.

draw_paper.py out/paper/fig3.json out/paper/fig5.json --out pictures
draw_paper.py out/paper/fig6.json --out pictures --format png,svg --colours safe
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

try:
    import command_line
    import paper_pictures
    import paper_reports
    import paper_style
    import pictures
    from diagrams import InputError
except ImportError as error:
    if (error.name or "").split(".")[0] not in ("numpy", "matplotlib"):
        raise
    print(f"draw_paper: {error.name} is missing: pip install numpy matplotlib", file=sys.stderr)
    sys.exit(2)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command_line.Parser(
        prog="draw_paper", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reports", nargs="+", metavar="FIGURE.json", help="a report for each picture")
    command_line.add_output_options(parser, dpi=200)
    parser.add_argument(
        "--colours",
        choices=paper_style.PALETTES,
        default="paper",
        help="the paper's colours (default), or colours safe for every kind of colour vision",
    )
    return parser.parse_args(arguments)


def draw(options: argparse.Namespace) -> None:
    figures, origin = {}, {}
    for path in options.reports:
        report = paper_reports.load(path, tuple(paper_pictures.FIGURES))
        if report.figure in figures:
            first = origin[report.figure]
            raise InputError(f"{path}: a report of {report.figure}, as {first} is; give one for each picture")
        try:
            figures[report.figure], origin[report.figure] = paper_pictures.draw(report, options.colours), path
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    files = {
        f"{name}.{kind}": pictures.render(figure, kind, options.dpi)
        for name, figure in figures.items()
        for kind in options.format
    }
    for path in command_line.write_files(options.out, files):
        print(path)


def main(arguments: Sequence[str]) -> int:
    return command_line.exit_status("draw_paper", lambda: draw(parse(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
