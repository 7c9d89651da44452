"""Draws the paper's Figures 1, 2, 3, 5, 6, 7, Table 1 and the boundaries of Figure 4 from the reports of
phasegrid reproduce.

python -m phasegrid.draw paper out/paper/fig3.json out/paper/fig5.json --out pictures
python -m phasegrid.draw paper out/paper/fig6.json --out pictures --format png,svg --colours safe
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from matplotlib.figure import Figure

from phasegrid.pictures import command_line, diagrams, paper, reports, style
from phasegrid.pictures.grids import InputError


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command_line.Parser(
        prog="draw paper", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reports", nargs="+", metavar="FIGURE.json", help="a report for each picture")
    command_line.add_output_options(parser, dpi=200)
    parser.add_argument(
        "--colours",
        choices=style.PALETTES,
        default="paper",
        help="the paper's colours (default), or colours safe for every kind of colour vision",
    )
    return parser.parse_args(arguments)


def draw(options: argparse.Namespace) -> None:
    figures: dict[str, Figure] = {}
    origin: dict[str, str] = {}
    for path in options.reports:
        report = reports.load(path, tuple(paper.FIGURES))
        if report.figure in figures:
            first = origin[report.figure]
            raise InputError(f"{path}: a report of {report.figure}, as {first} is; give one for each picture")
        try:
            figures[report.figure], origin[report.figure] = paper.draw(report, options.colours), path
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    files = {
        f"{name}.{kind}": diagrams.render(figure, kind, options.dpi)
        for name, figure in figures.items()
        for kind in options.format
    }
    for path in command_line.write_files(options.out, files):
        print(path)


def main(arguments: Sequence[str]) -> int:
    return command_line.exit_status("draw paper", lambda: draw(parse(arguments)))
