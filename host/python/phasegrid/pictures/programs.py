"""The two drawing programs: Figures 4 and 8 from results files, and the paper's other pictures from reports."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from phasegrid.command_line import Parser
from phasegrid.pictures import boxes, command_line, diagrams, grids, measures, paper, reports, style
from phasegrid.pictures.errors import InputError

FIG4 = """Draws the paper's Figures 4 (phase diagrams) and 8 (losses) from results files of phasegrid or of its authors.

python -m phasegrid.pictures fig4 results/fig4_*.npz --out pictures
python -m phasegrid.pictures fig4 results/fig4_*.npz --beside published/fig4_*.npz --out pictures --score authors
"""
PAPER = """Draws the paper's Figures 1, 2, 3, 5, 6, 7, Table 1 and the boundaries of Figure 4 from the reports of
phasegrid reproduce.

python -m phasegrid.pictures paper out/paper/fig3.json out/paper/fig5.json --out pictures
python -m phasegrid.pictures paper out/paper/fig6.json --out pictures --format png,svg --colours safe
"""


def parser(name: str, text: str, dpi: int) -> Parser:
    """With the options of both programs."""
    layout = argparse.RawDescriptionHelpFormatter
    made = Parser(prog=f"python -m phasegrid.pictures {name}", description=text, formatter_class=layout)
    command_line.add_output_options(made, dpi)
    made.add_argument(
        "--colours",
        choices=style.PALETTES,
        default="paper",
        help="the paper's colours (default), or colours safe for every kind of colour vision",
    )
    return made


def save(figures: Mapping[str, Figure], options: argparse.Namespace) -> None:
    """All of them, or none; prints their paths."""
    files = {
        f"{name}.{kind}": diagrams.render(figure, kind, options.dpi)
        for name, figure in figures.items()
        for kind in options.format
    }
    for path in command_line.write_files(options.out, files):
        print(path)


def fig4(arguments: Sequence[str]) -> None:
    made = parser("fig4", FIG4, dpi=250)
    made.add_argument("files", nargs="+", metavar="FILE.npz", help="one file for each architecture")
    made.add_argument(
        "--score",
        choices=measures.SCORES,
        default="paper",
        help="superposition score: sum over j != n (paper, default) or over all j (authors, as the published picture)",
    )
    made.add_argument("--beside", nargs="+", metavar="FILE.npz", help="a second set, drawn to the right of the first")
    made.add_argument("--shared-scale", action="store_true", help="one colour scale for all panels, not one for each")
    made.add_argument(
        "--starved", action="store_true", help="hatch experts that get under 1 %% of the inputs that are not all zero"
    )
    options = made.parse_args(arguments)
    sets, suffix = [grids.load_grids(options.files)], ""
    if options.beside:
        published, suffix = grids.load_grids(options.beside), "_side_by_side"
        if not published.keys() & sets[0].keys():
            raise InputError("--beside: no architecture in common with the first files; at least one is needed")
        sets.append(published)
    diagram = diagrams.draw_phase_diagrams(
        sets,
        options.score,
        options.shared_scale,
        options.colours,
        options.width,
        names="paper",
        starved=options.starved,
    )
    # The paper's Figure 8 is of training losses, the only ones in the authors' files.
    losses = boxes.draw_loss_boxes(sets, options.colours, options.width, loss="training", names="paper")
    save({f"fig4{suffix}": diagram, f"fig8{suffix}": losses}, options)


def paper_figures(arguments: Sequence[str]) -> None:
    made = parser("paper", PAPER, dpi=200)
    made.add_argument("reports", nargs="+", metavar="FIGURE.json", help="a report for each picture")
    options = made.parse_args(arguments)
    figures: dict[str, Figure] = {}
    origin: dict[str, str] = {}
    for path in options.reports:
        report = reports.load(path, tuple(paper.FIGURES))
        if report.figure in figures:
            first = origin[report.figure]
            raise InputError(f"{path}: a report of {report.figure}, as {first} is; give one for each picture")
        try:
            figures[report.figure] = paper.draw(report, options.colours, options.width)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        origin[report.figure] = path
    save(figures, options)


def main(arguments: Sequence[str]) -> int:
    """The program that the first argument names; its exit status."""
    program = {"fig4": fig4, "paper": paper_figures}[arguments[0]]
    return command_line.exit_status(f"draw {arguments[0]}", lambda: program(arguments[1:]))
