"""Draws the paper's Figures 4 (phase diagrams) and 8 (losses) from result files of phasegrid or of its authors.

python -m phasegrid.draw fig4 results/fig4_*.npz --out pictures
python -m phasegrid.draw fig4 results/fig4_*.npz --beside published/fig4_*.npz --out pictures --score authors
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from phasegrid.pictures import command_line, diagrams, grids


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command_line.Parser(
        prog="draw fig4", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE.npz", help="one file for each architecture")
    command_line.add_output_options(parser, dpi=250)
    parser.add_argument(
        "--score",
        choices=grids.SCORES,
        default="paper",
        help="superposition score: sum over j != n (paper, default) or over all j (authors, as the published picture)",
    )
    parser.add_argument(
        "--colours",
        choices=grids.PHASES,
        default="paper",
        help="the paper's blue and red (default), or colours safe for every kind of colour vision",
    )
    parser.add_argument("--beside", nargs="+", metavar="FILE.npz", help="a second set, drawn to the right of the first")
    parser.add_argument("--shared-scale", action="store_true", help="one colour scale for all panels, not one for each")
    return parser.parse_args(arguments)


def draw(options: argparse.Namespace) -> None:
    sets, suffix = [grids.load_grids(options.files)], ""
    if options.beside:
        published, suffix = grids.load_grids(options.beside), "_side_by_side"
        if not published.keys() & sets[0].keys():
            raise grids.InputError("--beside: no architecture in common with the first files; at least one is needed")
        sets.append(published)
    figures = {
        "fig4": diagrams.draw_phase_diagrams(sets, options.score, options.shared_scale, options.colours),
        "fig8": diagrams.draw_loss_boxes(sets),
    }
    files = {
        f"{name}{suffix}.{kind}": diagrams.render(figure, kind, options.dpi)
        for name, figure in figures.items()
        for kind in options.format
    }
    for path in command_line.write_files(options.out, files):
        print(path)


def main(arguments: Sequence[str]) -> int:
    return command_line.exit_status("draw fig4", lambda: draw(parse(arguments)))
